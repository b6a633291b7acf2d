/*
 * RADIUS packets of a client: requests built and signed, replies checked before anything in them is believed.
 * Apart from the load, which sends them: here is only RFC 2865 and RFC 3579.
 */
#ifndef WSMFA_BENCH_PACKET_H
#define WSMFA_BENCH_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX        512 //!< of ours; a reply may have 4096.
#define PACKET_REPLY_MAX  4096
#define PACKET_HEADER_LEN 20

enum packet_code { PACKET_REQUEST = 1, PACKET_ACCEPT = 2, PACKET_REJECT = 3, PACKET_CHALLENGE = 11 };

enum packet_attribute {
	PACKET_USER_NAME = 1,
	PACKET_USER_PASSWORD = 2,
	PACKET_NAS_PORT = 5,
	PACKET_REPLY_MESSAGE = 18,
	PACKET_STATE = 24,
	PACKET_CALLING_STATION_ID = 31,
	PACKET_NAS_IDENTIFIER = 32,
	PACKET_MESSAGE_AUTHENTICATOR = 80,
};

struct packet {
	size_t len;
	uint8_t octets[PACKET_MAX];
};

/** An Access-Request with a fresh Request Authenticator; room for Message-Authenticator comes first. */
void packet_begin(struct packet *p, uint8_t id);
/** False when the value is too long for an attribute or the packet is full. */
bool packet_add(struct packet *p, uint8_t type, void const *value, size_t len);
/** User-Password, hidden (RFC 2865 section 5.2); an empty one is 16 octets as well. At most 128 octets. */
bool packet_add_password(struct packet *p, char const *secret, char const *password);
/** Length and Message-Authenticator: nothing may be added after it. */
bool packet_end(struct packet *p, char const *secret);

/** What was found wrong with a reply; only PACKET_GOOD may be believed. */
enum packet_fault {
	PACKET_GOOD = 0,
	PACKET_MALFORMED,
	PACKET_FORGED,   //!< its Response Authenticator or Message-Authenticator is not right.
	PACKET_UNSIGNED, //!< right, but Message-Authenticator is missing or not the first attribute (CVE-2024-3596).
};

struct packet_reply {
	uint8_t code;
	uint8_t state[253];
	size_t state_len; //!< 0: none
	char message[254];
};

/** Checks a reply to `request`. `out` is complete with PACKET_GOOD and PACKET_UNSIGNED. */
enum packet_fault packet_check(uint8_t const *data, size_t len, struct packet const *request, char const *secret,
			       struct packet_reply *out);

#endif
