/* RADIUS as far as parking needs it; see radius.h.
 * Apart from the socket: pure functions over octets. */
#include "engine/radius.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define HEADER_LEN            20
#define PACKET_MAX            4096
#define CODE_ACCESS_REQUEST   1
#define CODE_ACCESS_CHALLENGE 11
#define ATTR_USER_NAME        1
#define ATTR_MESSAGE_AUTH     80
#define MESSAGE_AUTH_LEN      18

static bool message_authenticator(uint8_t const *packet, size_t len, char const *secret, uint8_t out[16])
{
	unsigned int n = 16;

	return HMAC(EVP_md5(), secret, (int)strlen(secret), packet, len, out, &n) && n == 16;
}

/** HMAC-MD5 over the packet with the attribute's value zeroed (RFC 2869 section 5.14). */
static bool is_authentic(uint8_t const *data, size_t len, size_t value_at, char const *secret)
{
	uint8_t packet[PACKET_MAX], mac[16];

	memcpy(packet, data, len);
	memset(packet + value_at, 0, 16);
	return message_authenticator(packet, len, secret, mac) && CRYPTO_memcmp(mac, data + value_at, 16) == 0;
}

static bool ticket_parse(uint8_t const *text, size_t len, int64_t *out)
{
	uint64_t v = 0;

	if (len != WSMFA_TICKET_DIGITS)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = text[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	if (v == 0 || v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

enum wsmfa_packet_status wsmfa_parked_decode(uint8_t const *data, size_t len, char const *secret,
					     struct wsmfa_parked_packet *out)
{
	size_t total, at, name_at = 0, name_len = 0, mac_at = 0;
	int names = 0, macs = 0;

	if (len < HEADER_LEN || len > PACKET_MAX || data[0] != CODE_ACCESS_REQUEST)
		return WSMFA_PACKET_MALFORMED;
	total = (size_t)data[2] << 8 | data[3];
	if (total < HEADER_LEN || total > len)
		return WSMFA_PACKET_MALFORMED;

	for (at = HEADER_LEN; at < total; at += data[at + 1]) {
		if (total - at < 2 || data[at + 1] < 2 || data[at + 1] > total - at)
			return WSMFA_PACKET_MALFORMED;
		if (data[at] == ATTR_USER_NAME) {
			names++;
			name_at = at + 2;
			name_len = data[at + 1] - 2U;
		} else if (data[at] == ATTR_MESSAGE_AUTH) {
			if (data[at + 1] != MESSAGE_AUTH_LEN)
				return WSMFA_PACKET_MALFORMED;
			macs++;
			mac_at = at + 2;
		}
	}
	if (macs > 1)
		return WSMFA_PACKET_MALFORMED;
	if (macs == 1 && !is_authentic(data, total, mac_at, secret))
		return WSMFA_PACKET_FORGED;
	if (names != 1 || !ticket_parse(data + name_at, name_len, &out->ticket))
		return WSMFA_PACKET_STRANGE;
	out->id = data[1];
	memcpy(out->authenticator, data + 4, WSMFA_AUTHENTICATOR_LEN);
	return WSMFA_PACKET_OK;
}

bool wsmfa_wake_encode(struct wsmfa_parked_packet const *packet, char const *secret, uint8_t out[WSMFA_WAKE_LEN])
{
	EVP_MD_CTX *md;
	uint8_t mac[16];
	bool ok = false;

	memset(out, 0, WSMFA_WAKE_LEN);
	out[0] = CODE_ACCESS_CHALLENGE;
	out[1] = packet->id;
	out[3] = WSMFA_WAKE_LEN;
	memcpy(out + 4, packet->authenticator, WSMFA_AUTHENTICATOR_LEN);
	out[HEADER_LEN] = ATTR_MESSAGE_AUTH;
	out[HEADER_LEN + 1] = MESSAGE_AUTH_LEN;
	if (!message_authenticator(out, WSMFA_WAKE_LEN, secret, mac))
		return false;
	memcpy(out + HEADER_LEN + 2, mac, sizeof(mac));

	/* Response Authenticator (RFC 2865 section 3): MD5 over the packet with the request's, then the secret. */
	md = EVP_MD_CTX_new();
	if (md && EVP_DigestInit_ex(md, EVP_md5(), NULL) && EVP_DigestUpdate(md, out, WSMFA_WAKE_LEN) &&
	    EVP_DigestUpdate(md, secret, strlen(secret)) && EVP_DigestFinal_ex(md, mac, NULL)) {
		memcpy(out + 4, mac, WSMFA_AUTHENTICATOR_LEN);
		ok = true;
	}
	EVP_MD_CTX_free(md);
	return ok;
}

void wsmfa_ticket_text(int64_t ticket, char out[WSMFA_TICKET_DIGITS + 1])
{
	static char const digits[] = "0123456789abcdef";
	uint64_t v = (uint64_t)ticket;

	for (int i = WSMFA_TICKET_DIGITS; i-- > 0; v >>= 4)
		out[i] = digits[v & 15];
	out[WSMFA_TICKET_DIGITS] = '\0';
}
