/* RADIUS packets of a client; see packet.h.
 * Apart from tests/server/radius.py, which builds malformed ones and is slow. */
#include "packet.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#define DIGEST_LEN    16
#define AUTHENTICATOR 4                       // offset of the authenticator
#define SIGNATURE     (PACKET_HEADER_LEN + 2) // offset of our Message-Authenticator's value
#define PASSWORD_MAX  128                     // RFC 2865 section 5.2

struct part {
	void const *data;
	size_t len;
};

static bool md5(uint8_t out[DIGEST_LEN], struct part const *parts, size_t n)
{
	static EVP_MD_CTX *ctx;
	bool good;

	if (!ctx)
		ctx = EVP_MD_CTX_new();
	good = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1;
	for (size_t i = 0; good && i < n; i++)
		good = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
	return good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

static bool hmac_md5(uint8_t out[DIGEST_LEN], char const *secret, uint8_t const *data, size_t len)
{
	unsigned outlen = DIGEST_LEN;

	return HMAC(EVP_md5(), secret, (int)strlen(secret), data, len, out, &outlen) != NULL;
}

/* A Request Authenticator must not repeat; one call for many. */
static void random_octets(uint8_t *out, size_t len)
{
	static uint8_t pool[4096];
	static size_t left;

	if (left < len) {
		RAND_bytes(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= len;
	memcpy(out, pool + left, len);
}

void packet_begin(struct packet *p, uint8_t id)
{
	p->octets[0] = PACKET_REQUEST;
	p->octets[1] = id;
	random_octets(p->octets + AUTHENTICATOR, DIGEST_LEN);
	p->octets[PACKET_HEADER_LEN] = PACKET_MESSAGE_AUTHENTICATOR;
	p->octets[PACKET_HEADER_LEN + 1] = 2 + DIGEST_LEN;
	memset(p->octets + SIGNATURE, 0, DIGEST_LEN);
	p->len = SIGNATURE + DIGEST_LEN;
}

bool packet_add(struct packet *p, uint8_t type, void const *value, size_t len)
{
	if (len > 253 || p->len + 2 + len > PACKET_MAX)
		return false;
	p->octets[p->len] = type;
	p->octets[p->len + 1] = (uint8_t)(2 + len);
	memcpy(p->octets + p->len + 2, value, len);
	p->len += 2 + len;
	return true;
}

bool packet_add_password(struct packet *p, char const *secret, char const *password)
{
	uint8_t hidden[PASSWORD_MAX] = { 0 }, digest[DIGEST_LEN];
	uint8_t const *last = p->octets + AUTHENTICATOR;
	size_t len = strlen(password), padded = len ? (len + DIGEST_LEN - 1) / DIGEST_LEN * DIGEST_LEN : DIGEST_LEN;

	if (len > sizeof(hidden))
		return false;
	memcpy(hidden, password, len);
	for (size_t at = 0; at < padded; at += DIGEST_LEN) {
		struct part const parts[] = { { secret, strlen(secret) }, { last, DIGEST_LEN } };

		if (!md5(digest, parts, 2))
			return false;
		for (size_t i = 0; i < DIGEST_LEN; i++)
			hidden[at + i] ^= digest[i];
		last = hidden + at;
	}
	return packet_add(p, PACKET_USER_PASSWORD, hidden, padded);
}

bool packet_end(struct packet *p, char const *secret)
{
	p->octets[2] = (uint8_t)(p->len >> 8);
	p->octets[3] = (uint8_t)p->len;
	return hmac_md5(p->octets + SIGNATURE, secret, p->octets, p->len);
}

static bool authenticator_right(uint8_t const *data, size_t len, struct packet const *request, char const *secret)
{
	struct part const parts[] = {
		{ data, AUTHENTICATOR },
		{ request->octets + AUTHENTICATOR, DIGEST_LEN },
		{ data + PACKET_HEADER_LEN, len - PACKET_HEADER_LEN },
		{ secret, strlen(secret) },
	};
	uint8_t digest[DIGEST_LEN];

	return md5(digest, parts, 4) && CRYPTO_memcmp(digest, data + AUTHENTICATOR, DIGEST_LEN) == 0;
}

/* The Message-Authenticator at this offset: over the reply with the request's authenticator in it and zeros for itself. */
static bool signature_right(uint8_t const *data, size_t len, size_t at, struct packet const *request,
			    char const *secret)
{
	uint8_t copy[PACKET_REPLY_MAX], digest[DIGEST_LEN];

	memcpy(copy, data, len);
	memcpy(copy + AUTHENTICATOR, request->octets + AUTHENTICATOR, DIGEST_LEN);
	memset(copy + at, 0, DIGEST_LEN);
	return hmac_md5(digest, secret, copy, len) && CRYPTO_memcmp(digest, data + at, DIGEST_LEN) == 0;
}

enum packet_fault packet_check(uint8_t const *data, size_t len, struct packet const *request, char const *secret,
			       struct packet_reply *out)
{
	size_t at, signature = 0;

	memset(out, 0, sizeof(*out));
	if (len < PACKET_HEADER_LEN || len > PACKET_REPLY_MAX || (size_t)(data[2] << 8 | data[3]) != len)
		return PACKET_MALFORMED;
	if (!authenticator_right(data, len, request, secret))
		return PACKET_FORGED;
	for (at = PACKET_HEADER_LEN; at + 2 <= len && data[at + 1] >= 2 && at + data[at + 1] <= len;
	     at += data[at + 1]) {
		size_t n = data[at + 1] - 2U;

		switch (data[at]) {
		case PACKET_STATE:
			memcpy(out->state, data + at + 2, n);
			out->state_len = n;
			break;
		case PACKET_REPLY_MESSAGE:
			memcpy(out->message, data + at + 2, n);
			out->message[n] = '\0';
			break;
		case PACKET_MESSAGE_AUTHENTICATOR:
			if (n != DIGEST_LEN || signature)
				return PACKET_MALFORMED;
			signature = at + 2;
			break;
		default: break;
		}
	}
	if (at != len)
		return PACKET_MALFORMED;
	out->code = data[0];
	if (signature && !signature_right(data, len, signature, request, secret))
		return PACKET_FORGED;
	return signature == SIGNATURE ? PACKET_GOOD : PACKET_UNSIGNED;
}
