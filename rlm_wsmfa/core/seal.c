/*
 * The key ring and AES-256-GCM.
 * Apart from everything else that handles octets: here is key material.
 */
#include "core/seal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "core/codec.h"
#include "core/types.h"

#define VERSION      1
#define ID_CHARS_MAX (WSMFA_KEY_ID_MAX - 1)
#define PURPOSE      "rlm_wsmfa totp key"
#define HKDF_SALT    "rlm_wsmfa key ring"

_Static_assert(WSMFA_SEAL_OVERHEAD + WSMFA_SECRET_MAX <= WSMFA_SEALED_MAX, "every secret can be sealed");

struct ring_key {
	char id[WSMFA_KEY_ID_MAX];
	uint8_t octets[WSMFA_KEY_LEN];
};

struct wsmfa_keyring {
	size_t len;
	struct ring_key keys[WSMFA_KEYRING_MAX];
};

__attribute__((format(printf, 3, 4))) static bool complain(char *err, size_t errlen, char const *format, ...)
{
	va_list args;

	va_start(args, format);
	if (errlen > 0)
		vsnprintf(err, errlen, format, args);
	va_end(args);
	return false;
}

static bool id_char(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

static bool id_valid(void const *id, size_t len)
{
	uint8_t const *p = id;

	if (len == 0 || len > ID_CHARS_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!id_char(p[i]))
			return false;
	}
	return true;
}

static struct ring_key const *ring_find(struct wsmfa_keyring const *ring, char const *id)
{
	for (size_t i = 0; i < ring->len; i++) {
		if (strcmp(ring->keys[i].id, id) == 0)
			return &ring->keys[i];
	}
	return NULL;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One line without its end and without blanks around it. */
static bool line_parse(struct wsmfa_keyring *ring, char const *line, size_t len, unsigned number, char *err,
		       size_t errlen)
{
	size_t id_len = 0, key;
	struct ring_key *k;

	if (ring->len == WSMFA_KEYRING_MAX)
		return complain(err, errlen, "line %u: more than %d keys", number, WSMFA_KEYRING_MAX);
	while (id_len < len && !blank(line[id_len]))
		id_len++;
	if (!id_valid(line, id_len))
		return complain(err, errlen, "line %u: the id must be 1 to %d of A-Z a-z 0-9 . _ -", number,
				ID_CHARS_MAX);
	key = id_len;
	while (key < len && blank(line[key]))
		key++;
	if (key == len)
		return complain(err, errlen, "line %u: no key behind the id", number);

	k = &ring->keys[ring->len];
	memset(k->id, 0, sizeof(k->id));
	memcpy(k->id, line, id_len);
	if (!wsmfa_base64_decode(k->octets, sizeof(k->octets), line + key, len - key))
		return complain(err, errlen, "line %u: key \"%s\" is not %d octets in base64", number, k->id,
				WSMFA_KEY_LEN);
	for (size_t i = 0; i < ring->len; i++) {
		if (strcmp(ring->keys[i].id, k->id) == 0)
			return complain(err, errlen, "line %u: id \"%s\" comes twice", number, k->id);
		if (CRYPTO_memcmp(ring->keys[i].octets, k->octets, sizeof(k->octets)) == 0)
			return complain(err, errlen, "line %u: \"%s\" is the same key as \"%s\"", number, k->id,
					ring->keys[i].id);
	}
	ring->len++;
	return true;
}

bool wsmfa_keyring_parse(char const *text, size_t len, struct wsmfa_keyring **out, char *err, size_t errlen)
{
	struct wsmfa_keyring *ring = calloc(1, sizeof(*ring));
	unsigned number = 0;
	size_t next;

	*out = NULL;
	if (!ring)
		return complain(err, errlen, "out of memory");
	for (size_t i = 0; i < len; i = next) {
		char const *newline = memchr(text + i, '\n', len - i);
		size_t end = newline ? (size_t)(newline - text) : len;

		next = newline ? end + 1 : len;
		number++;
		if (end > i && text[end - 1] == '\r')
			end--;
		while (i < end && blank(text[i]))
			i++;
		while (end > i && blank(text[end - 1]))
			end--;
		if (end == i || text[i] == '#')
			continue;
		if (!line_parse(ring, text + i, end - i, number, err, errlen))
			goto fail;
	}
	if (ring->len == 0) {
		complain(err, errlen, "no key");
		goto fail;
	}
	*out = ring;
	return true;
fail:
	wsmfa_keyring_free(ring);
	return false;
}

void wsmfa_keyring_free(struct wsmfa_keyring *ring)
{
	if (!ring)
		return;
	OPENSSL_cleanse(ring, sizeof(*ring));
	free(ring);
}

size_t wsmfa_keyring_size(struct wsmfa_keyring const *ring)
{
	return ring->len;
}

char const *wsmfa_keyring_id(struct wsmfa_keyring const *ring, size_t place)
{
	return place < ring->len ? ring->keys[place].id : NULL;
}

bool wsmfa_keyring_has(struct wsmfa_keyring const *ring, char const *id)
{
	return ring_find(ring, id) != NULL;
}

static void put_be64(uint8_t out[8], int64_t value)
{
	uint64_t v = (uint64_t)value;

	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* Associated data: the head of the sealed form, whom it belongs to and what it is. */
struct bound {
	uint8_t octets[2 + ID_CHARS_MAX + 16 + sizeof(PURPOSE) - 1];
	size_t len;
};

static void bind_to(struct bound *b, uint8_t const *head, size_t head_len, int64_t account_id, int64_t authenticator_id)
{
	memcpy(b->octets, head, head_len);
	put_be64(b->octets + head_len, account_id);
	put_be64(b->octets + head_len + 8, authenticator_id);
	memcpy(b->octets + head_len + 16, PURPOSE, sizeof(PURPOSE) - 1);
	b->len = head_len + 16 + sizeof(PURPOSE) - 1;
}

bool wsmfa_seal(struct wsmfa_keyring const *ring, int64_t account_id, int64_t authenticator_id,
		uint8_t const nonce[WSMFA_NONCE_LEN], struct wsmfa_secret const *plain, uint8_t *out, size_t outlen,
		size_t *len)
{
	struct ring_key const *key = &ring->keys[0];
	size_t id_len = strlen(key->id), head_len = 2 + id_len;
	EVP_CIPHER_CTX *ctx = NULL;
	struct bound bound;
	uint8_t *cipher, *tag;
	int n = 0, rest = 0;
	bool ok = false;

	if (plain->len == 0 || plain->len > sizeof(plain->octets) ||
	    outlen < head_len + WSMFA_NONCE_LEN + plain->len + WSMFA_TAG_LEN)
		return false;
	out[0] = VERSION;
	out[1] = (uint8_t)id_len;
	memcpy(out + 2, key->id, id_len);
	memcpy(out + head_len, nonce, WSMFA_NONCE_LEN);
	cipher = out + head_len + WSMFA_NONCE_LEN;
	tag = cipher + plain->len;
	bind_to(&bound, out, head_len, account_id, authenticator_id);

	ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->octets, nonce) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, bound.octets, (int)bound.len) != 1 ||
	    EVP_EncryptUpdate(ctx, cipher, &n, plain->octets, (int)plain->len) != 1 || n != (int)plain->len ||
	    EVP_EncryptFinal_ex(ctx, cipher + n, &rest) != 1 || rest != 0 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, WSMFA_TAG_LEN, tag) != 1)
		goto done;
	*len = head_len + WSMFA_NONCE_LEN + plain->len + WSMFA_TAG_LEN;
	ok = true;
done:
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		OPENSSL_cleanse(out, outlen);
	return ok;
}

bool wsmfa_sealed_key_id(uint8_t const *sealed, size_t sealed_len, char id[WSMFA_KEY_ID_MAX])
{
	size_t id_len, least;

	if (sealed_len < 2 || sealed_len > WSMFA_SEALED_MAX || sealed[0] != VERSION)
		return false;
	id_len = sealed[1];
	least = 2 + id_len + WSMFA_NONCE_LEN + 1 + WSMFA_TAG_LEN;
	if (sealed_len < least || sealed_len - least >= WSMFA_SECRET_MAX || !id_valid(sealed + 2, id_len))
		return false;
	memcpy(id, sealed + 2, id_len);
	id[id_len] = '\0';
	return true;
}

enum wsmfa_unsealed wsmfa_unseal(struct wsmfa_keyring const *ring, int64_t account_id, int64_t authenticator_id,
				 uint8_t const *sealed, size_t sealed_len, struct wsmfa_secret *plain)
{
	enum wsmfa_unsealed result = WSMFA_UNSEALED_DAMAGED;
	EVP_CIPHER_CTX *ctx = NULL;
	struct ring_key const *key;
	char id[WSMFA_KEY_ID_MAX];
	uint8_t tag[WSMFA_TAG_LEN];
	uint8_t const *nonce, *cipher;
	size_t head_len, plain_len;
	struct bound bound;
	int n = 0, rest = 0;

	wsmfa_secret_wipe(plain);
	if (!wsmfa_sealed_key_id(sealed, sealed_len, id))
		return WSMFA_UNSEALED_DAMAGED;
	key = ring_find(ring, id);
	if (!key)
		return WSMFA_UNSEALED_NO_KEY;
	head_len = 2 + strlen(id);
	nonce = sealed + head_len;
	cipher = nonce + WSMFA_NONCE_LEN;
	plain_len = sealed_len - head_len - WSMFA_NONCE_LEN - WSMFA_TAG_LEN;
	memcpy(tag, cipher + plain_len, sizeof(tag));
	bind_to(&bound, sealed, head_len, account_id, authenticator_id);

	ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->octets, nonce) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &n, bound.octets, (int)bound.len) != 1 ||
	    EVP_DecryptUpdate(ctx, plain->octets, &n, cipher, (int)plain_len) != 1 || n != (int)plain_len ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, sizeof(tag), tag) != 1 ||
	    EVP_DecryptFinal_ex(ctx, plain->octets + n, &rest) != 1 || rest != 0)
		goto done;
	plain->len = plain_len;
	result = WSMFA_UNSEALED_OK;
done:
	EVP_CIPHER_CTX_free(ctx);
	if (result != WSMFA_UNSEALED_OK)
		wsmfa_secret_wipe(plain);
	return result;
}

bool wsmfa_keyring_derive(struct wsmfa_keyring const *ring, char const *purpose, uint8_t out[WSMFA_KEY_LEN])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t len = WSMFA_KEY_LEN;
	bool ok = false;

	if (!ctx || purpose[0] == '\0' || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set1_hkdf_salt(ctx, (unsigned char const *)HKDF_SALT, (int)sizeof(HKDF_SALT) - 1) != 1 ||
	    EVP_PKEY_CTX_set1_hkdf_key(ctx, ring->keys[0].octets, WSMFA_KEY_LEN) != 1 ||
	    EVP_PKEY_CTX_add1_hkdf_info(ctx, (unsigned char const *)purpose, (int)strlen(purpose)) != 1 ||
	    EVP_PKEY_derive(ctx, out, &len) != 1 || len != WSMFA_KEY_LEN)
		goto done;
	ok = true;
done:
	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		OPENSSL_cleanse(out, WSMFA_KEY_LEN);
	return ok;
}
