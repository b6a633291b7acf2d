/* Stored passwords in the form of FreeRADIUS's rlm_pap.
 * Apart from the subcommands because it is pure and tested alone. */
#include "password.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

/* What rlm_pap 3.2 knows (its table header_names); any other header makes it compare the whole text. */
static char const *const headers[] = {
	"clear",  "cleartext", "md5",    "base64_md5", "smd5",    "crypt",    "sha2",       "sha224",
	"sha256", "sha384",    "sha512", "ssha224",    "ssha256", "ssha384",  "ssha512",    "x-pbkdf2",
	"sha",    "ssha",      "md4",    "nt",         "nthash",  "x-nthash", "ns-mta-md5",
};

bool ctl_password_is_stored(char const *text)
{
	size_t len;

	if (*text != '{')
		return false;
	len = strcspn(++text, "}");
	if (!text[len])
		return false;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		if (strlen(headers[i]) == len && strncasecmp(headers[i], text, len) == 0)
			return true;
	}
	return false;
}

bool ctl_password_hash(char const *clear, uint32_t iterations, uint8_t const *salt, char *out)
{
	uint8_t const count[4] = { (uint8_t)(iterations >> 24), (uint8_t)(iterations >> 16), (uint8_t)(iterations >> 8),
				   (uint8_t)iterations };
	uint8_t hash[32];
	unsigned char count_text[9], salt_text[(CTL_PASSWORD_SALT + 2) / 3 * 4 + 1], hash_text[45];
	size_t len = strlen(clear);

	if (len > INT_MAX || iterations < 1 || iterations > INT_MAX ||
	    !PKCS5_PBKDF2_HMAC(clear, (int)len, salt, CTL_PASSWORD_SALT, (int)iterations, EVP_sha256(), sizeof(hash),
			       hash))
		return false;
	EVP_EncodeBlock(count_text, count, sizeof(count));
	EVP_EncodeBlock(salt_text, salt, CTL_PASSWORD_SALT);
	EVP_EncodeBlock(hash_text, hash, sizeof(hash));
	snprintf(out, CTL_PASSWORD_STORED_MAX, "{x-pbkdf2}HMACSHA2+256:%s:%s:%s", count_text, salt_text, hash_text);
	OPENSSL_cleanse(hash, sizeof(hash));
	OPENSSL_cleanse(hash_text, sizeof(hash_text));
	return true;
}
