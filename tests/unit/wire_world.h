/* A provider and a whole engine against the scripted vendor of tests/fake.
 * Apart from the tests, because SMS, push and the engine's own part are each looked at in a file of its own. */
#ifndef WSMFA_TESTS_WIRE_WORLD_H
#define WSMFA_TESTS_WIRE_WORLD_H

#include "engine/engine.h"
#include "fake_provider.h"

#define WIRE_SETTINGS_MAX 16

/** The vendor, from wire_set_up to wire_tear_down. */
extern struct fake_provider wire_vendor;

/** One way of a conversation: what the vendor does, what comes of it, how many requests reach a path. */
struct wire_way {
	char const *script[8]; //!< path, action, path, action ...
	enum wsmfa_delivery delivery;
	char const *counted;
	size_t count;
	int ms; //!< until the challenge expires, 0 for plenty
};

/** For the whole group. */
int wire_set_up(void **state);
int wire_tear_down(void **state);

/** The engine's log: fails on a secret; shown with WSMFA_TEST_LOG set. */
void wire_log(void *ctx, char level, char const *text);
/** A provider by these settings: name, value, name ... NULL. URL in a value is the vendor's. */
struct wsmfa_provider *wire_configure(enum wsmfa_kind channel, char const *type, char const *const *pairs);
/** An engine with this one provider, to be freed; the fake database knows nothing yet. */
struct wsmfa_engine *wire_engine(struct wsmfa_provider **p);
/** What the provider is to send for jane doe; its challenge expires after ms. */
struct wsmfa_job wire_job(struct wsmfa_provider const *p, int64_t id, int ms);
/** Waits until the engine has woken it; that it has is no secret to us. */
struct wsmfa_woken wire_outcome(struct wsmfa_engine *e, int64_t ticket);
/** Goes every way; frees the provider. */
void wire_try(struct wsmfa_provider *p, struct wire_way const *ways, size_t n);

#define WIRE_TRY(_channel, _type, _settings, _ways) \
	wire_try(wire_configure(_channel, _type, _settings), _ways, LENGTH(_ways))

#endif
