/* Packets of any octets at the parking socket, as they are and signed with the right secret: what passes has one ticket, and its
 * answer is a well-formed Access-Challenge. Apart from the unit tests, which have the packets that people thought of.
 */
#include "fuzz.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "engine/radius.h"

#define SECRET     "a-secret-of-the-waiting-room"
#define PACKET_MAX 4096

/** Puts the right Message-Authenticator in, where there is one of the right length, so that what is behind it is reached. */
static void sign(uint8_t *packet, size_t len)
{
	size_t total = len >= 20 ? (size_t)packet[2] << 8 | packet[3] : 0;
	unsigned int n = 16;

	if (total < 20 || total > len)
		return;
	for (size_t at = 20; at + 2 <= total && packet[at + 1] >= 2; at += packet[at + 1]) {
		if (packet[at] != 80 || packet[at + 1] != 18 || at + 18 > total)
			continue;
		memset(packet + at + 2, 0, 16);
		FUZZ_CHECK(HMAC(EVP_md5(), SECRET, sizeof(SECRET) - 1, packet, total, packet + at + 2, &n) && n == 16);
		return;
	}
}

static void check(uint8_t const *packet, size_t len)
{
	struct wsmfa_parked_packet parked;
	uint8_t wake[WSMFA_WAKE_LEN];
	char ticket[WSMFA_TICKET_DIGITS + 1];
	enum wsmfa_packet_status status = wsmfa_parked_decode(packet, len, SECRET, &parked);

	FUZZ_CHECK((unsigned)status <= WSMFA_PACKET_OK);
	if (status != WSMFA_PACKET_OK)
		return;
	FUZZ_CHECK(packet[0] == 1 && parked.ticket > 0 && parked.id == packet[1]);
	FUZZ_CHECK(memcmp(parked.authenticator, packet + 4, sizeof(parked.authenticator)) == 0);
	wsmfa_ticket_text(parked.ticket, ticket);
	FUZZ_CHECK(strlen(ticket) == WSMFA_TICKET_DIGITS && memmem(packet, len, ticket, WSMFA_TICKET_DIGITS));
	FUZZ_CHECK(wsmfa_wake_encode(&parked, SECRET, wake));
	FUZZ_CHECK(wake[0] == 11 && wake[1] == packet[1] && wake[2] == 0 && wake[3] == WSMFA_WAKE_LEN && wake[20] == 80);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	uint8_t *copy = (uint8_t *)fuzz_text(data, size);

	check(data, size);
	if (size <= PACKET_MAX) {
		sign(copy, size);
		check(copy, size);
	}
	free(copy);
	return 0;
}
