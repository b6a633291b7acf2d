/* A circuit breaker: after enough failures in a row nobody waits for a provider that is down; now and then one tries.
 * Apart from conversations, because worker threads ask it before they park anything. */
#ifndef WSMFA_ENGINE_BREAKER_H
#define WSMFA_ENGINE_BREAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum wsmfa_breaker_state {
	WSMFA_BREAKER_CLOSED = 0, //!< messages pass
	WSMFA_BREAKER_OPEN,       //!< none passes until try_at_ms
	WSMFA_BREAKER_PROBING,    //!< one has passed; its end decides
};

struct wsmfa_breaker {
	pthread_mutex_t lock;
	enum wsmfa_breaker_state state;
	int32_t failures;     //!< in a row
	int32_t failures_max; //!< so many open it
	uint64_t open_ms;     //!< until it probes
	uint64_t try_at_ms;   //!< monotonic
};

/** What a report changed, for the log. */
enum wsmfa_breaker_change { WSMFA_BREAKER_SAME = 0, WSMFA_BREAKER_OPENED, WSMFA_BREAKER_HAS_CLOSED };

void wsmfa_breaker_init(struct wsmfa_breaker *, int32_t failures_max, int32_t open_seconds);
void wsmfa_breaker_free(struct wsmfa_breaker *);
/** May a message pass now? Of an open breaker whose time is over, exactly one does: the probe. */
bool wsmfa_breaker_pass(struct wsmfa_breaker *, uint64_t now_ms);
/** What has passed was not tried after all: another one may be the probe. */
void wsmfa_breaker_return(struct wsmfa_breaker *, uint64_t now_ms);
/** Would one pass? Reserves nothing. */
bool wsmfa_breaker_up(struct wsmfa_breaker *, uint64_t now_ms);
/** A message has ended; `worked` as far as the provider is concerned. */
enum wsmfa_breaker_change wsmfa_breaker_report(struct wsmfa_breaker *, bool worked, uint64_t now_ms);
/** "closed", "open" or "probing". */
char const *wsmfa_breaker_word(struct wsmfa_breaker *);

#endif
