/* The two packets of the parking socket: the host's parked Access-Request, and the Access-Challenge that wakes it.
 * Apart from the socket, so that every malformed packet is a unit test. Nothing else of RADIUS is spoken here. */
#ifndef WSMFA_ENGINE_RADIUS_H
#define WSMFA_ENGINE_RADIUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSMFA_AUTHENTICATOR_LEN 16
#define WSMFA_WAKE_LEN          38 //!< header, and a Message-Authenticator
#define WSMFA_TICKET_DIGITS     16 //!< of a ticket in a User-Name: lower-case hexadecimal, zeros in front

/** What a copy of a parked request leaves: enough to answer it. */
struct wsmfa_parked_packet {
	int64_t ticket;
	uint8_t id;
	uint8_t authenticator[WSMFA_AUTHENTICATOR_LEN];
};

enum wsmfa_packet_status {
	WSMFA_PACKET_MALFORMED = 0, //!< lengths do not fit, or it is no Access-Request
	WSMFA_PACKET_FORGED,        //!< its Message-Authenticator is not by our secret
	WSMFA_PACKET_STRANGE,       //!< well-formed, but without one ticket
	WSMFA_PACKET_OK,
};

/** Reads an Access-Request (RFC 2865 section 3) that carries a ticket as its User-Name. A Message-Authenticator, where
 * there is one, is verified (RFC 2869 section 5.14). */
enum wsmfa_packet_status wsmfa_parked_decode(uint8_t const *data, size_t len, char const *secret,
					     struct wsmfa_parked_packet *out);

/** Writes the Access-Challenge for one copy. False when the library refuses MD5. */
bool wsmfa_wake_encode(struct wsmfa_parked_packet const *, char const *secret, uint8_t out[WSMFA_WAKE_LEN]);

/** Writes a ticket as User-Name has it, with a NUL. */
void wsmfa_ticket_text(int64_t ticket, char out[WSMFA_TICKET_DIGITS + 1]);

#endif
