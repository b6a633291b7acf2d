/* A provider's conversation led by hand, without a server: the test is the vendor and the clock.
 * Apart from the tests, because requests, answers and settings are each looked at in a file of its own. */
#ifndef WSMFA_TESTS_STEPS_WORLD_H
#define WSMFA_TESTS_STEPS_WORLD_H

#include "provider/settings.h"
#include "provider/step.h"

#define STEPS_NOW (1788264000 * WSMFA_SECOND) /* Tue, 01 Sep 2026 12:00:00 UTC */

struct steps_world {
	struct wsmfa_provider *p;
	struct wsmfa_conversation c;
	struct wsmfa_step step; //!< the last one
};

/** Settings that are enough: name, value, name ... NULL. */
extern char const *const steps_twilio[], *const steps_auth0[], *const steps_duo[];

/** A provider by such settings, the first at line 10; NULL with a sentence in err. */
struct wsmfa_provider *steps_make(struct wsmfa_provider_ops const *, char const *const *pairs, char *err, size_t size);
/** Makes the provider, which must be possible, and takes the first step for jane doe. */
void steps_begin(struct steps_world *, struct wsmfa_provider_ops const *, char const *const *pairs);
void steps_end(struct steps_world *);
/** The vendor answers the request. */
void steps_answer(struct steps_world *, long status, char const *body);
void steps_answer_octets(struct steps_world *, long status, char const *body, size_t len);
/** No answer came. */
void steps_lose(struct steps_world *, enum wsmfa_http_how how);
/** A pause, which must have been asked for, is over. */
void steps_resume(struct steps_world *);

/** Fails unless the last step is this request. */
void steps_assert_request(struct steps_world *, char const *method, char const *url);
/** Fails unless the last step ends the conversation like this. */
void steps_assert_ends(struct steps_world *, enum wsmfa_delivery delivery);

#endif
