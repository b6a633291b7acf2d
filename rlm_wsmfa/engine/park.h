/* The parking home server: a loopback UDP socket that takes the host's parked requests and wakes them.
 * Apart from waiters.h, which remembers; this only receives and sends. */
#ifndef WSMFA_ENGINE_PARK_H
#define WSMFA_ENGINE_PARK_H

#include <uv.h>

#include "engine/waiters.h"
#include "engine/wall.h"

struct wsmfa_park_counters {
	wsmfa_counter received, malformed, forged, strange, unknown, answered, unsent;
};

struct wsmfa_park {
	uv_udp_t udp;
	bool open;
	char *secret;
	struct wsmfa_waiters *waiters;
	char *buffer; //!< for recvmmsg: many datagrams a call
	struct wsmfa_park_counters count;
	uint16_t port; //!< as bound
};

/** Binds. False and one sentence in err on failure; the handle is then closed or closing. */
bool wsmfa_park_open(struct wsmfa_park *, uv_loop_t *, struct wsmfa_waiters *, char const *address, uint16_t port,
		     char const *secret, char *err, size_t errlen);
/** Answers a copy as often as it came. */
void wsmfa_park_answer(struct wsmfa_park *, struct wsmfa_copy const *);
void wsmfa_park_close(struct wsmfa_park *);
/** After the loop has closed its handles. */
void wsmfa_park_free(struct wsmfa_park *);

#endif
