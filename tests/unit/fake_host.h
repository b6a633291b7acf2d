/* The host as the parking socket sees it: sends parked requests from its own port, and checks what comes back.
 * Apart from the tests, because several of them park requests. */
#ifndef WSMFA_TESTS_FAKE_HOST_H
#define WSMFA_TESTS_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_HOST_SECRET "parking-secret"

struct fake_host {
	int fd;
};

/** One parked request as it was sent; to check its answer. */
struct fake_request {
	uint8_t id;
	uint8_t authenticator[16];
};

void fake_host_open(struct fake_host *, uint16_t port);
void fake_host_close(struct fake_host *);
/** Writes an Access-Request with this User-Name, and a Message-Authenticator by `secret` unless that is NULL. Returns its length. */
size_t fake_host_packet(uint8_t *out, struct fake_request *request, uint8_t id, char const *name, char const *secret);
/** Sends one for a ticket. */
struct fake_request fake_host_park(struct fake_host *, uint8_t id, int64_t ticket);
/** Sends the same octets again. */
void fake_host_repeat(struct fake_host *, struct fake_request const *, int64_t ticket);
void fake_host_send(struct fake_host *, void const *data, size_t len);
/** Waits for an answer and checks it: an Access-Challenge with a Message-Authenticator only, both authenticators right for
 * one of the requests; that one's index, -1 after timeout_ms. Fails the test on a wrong answer. */
int fake_host_answer(struct fake_host *, struct fake_request const *requests, size_t n, int timeout_ms);

#endif
