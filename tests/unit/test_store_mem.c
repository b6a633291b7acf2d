/* The store in memory beyond the contract: faults, hooks between two calls, and threads.
 * Apart from the contract, because only a fake can be told to break. */
#include "store_scenario.h"

#include <pthread.h>

static void faults_answer_once(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	struct wsmfa_origin o = origin_of(&who, WORLD_NOW);
	struct wsmfa_account a = { .id = -1 };

	wsmfa_mem_fault(w->store, WSMFA_MEM_LOAD, WSMFA_STORE_DOWN);
	wsmfa_mem_fault(w->store, WSMFA_MEM_OPEN, WSMFA_STORE_BROKEN);
	assert_int_equal(w->store->ops->load(w->store, &o, &a), WSMFA_STORE_DOWN);
	assert_int_equal(a.id, -1); // untouched
	assert_true(load(w, &who, WORLD_NOW).known);
	assert_int_equal(wsmfa_mem_calls(w->store, WSMFA_MEM_LOAD), 2);
	assert_int_equal(wsmfa_mem_calls(w->store, WSMFA_MEM_OPEN), 0);
}

static void disable_between(struct wsmfa_store *s, void *ctx)
{
	struct world_who *who = ctx;

	wsmfa_mem_disable_account(s, who->id, WORLD_NOW);
}

static void hooks_change_what_is_there(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true),
		q = asked(w, &who, 1, WSMFA_ASK_TOTP, WORLD_NOW);
	struct wsmfa_settled r;

	wsmfa_mem_hook(w->store, WSMFA_MEM_SETTLE, disable_between, &who);
	r = settle(w, &who, right_totp(q, &id, 1), WORLD_NOW);
	assert_int_equal(r.status, WSMFA_SETTLE_GONE);
	assert_int_equal(r.reason, WSMFA_REASON_DISABLED);
	wsmfa_mem_disable_account(w->store, who.id, WSMFA_TIME_NONE); // the hook was used up
	assert_int_equal(settle(w, &who, right_totp(0, &id, 1), WORLD_NOW).status, WSMFA_SETTLE_RIGHT);
}

struct racer {
	pthread_t thread;
	struct store_world *w;
	struct world_who const *who;
	int64_t id;
	enum wsmfa_settle_status status;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct wsmfa_settlement x = right_totp(0, &r->id, 100);
	struct wsmfa_origin o = origin_of(r->who, WORLD_NOW);
	struct wsmfa_settled out = { .status = WSMFA_SETTLE_GONE };

	x.account_id = r->who->id;
	(void)r->w->store->ops->settle(r->w->store, &o, &limits, &x, &out);
	r->status = out.status;
	return NULL;
}

static void one_of_many_wins(void **state)
{
	struct store_world *w = *state;
	struct world_who who = world_account(w, NULL);
	struct racer racers[40];
	int64_t id = world_authenticator(w, who.id, WSMFA_KIND_TOTP, true);
	int right = 0;

	for (size_t i = 0; i < LENGTH(racers); i++) {
		racers[i] = (struct racer) { .w = w, .who = &who, .id = id };
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < LENGTH(racers); i++) {
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
		right += racers[i].status == WSMFA_SETTLE_RIGHT;
		if (racers[i].status != WSMFA_SETTLE_RIGHT)
			assert_int_equal(racers[i].status, WSMFA_SETTLE_REPLAYED);
	}
	assert_int_equal(right, 1);
}

static int mem_setup(void **state)
{
	static struct store_world w;

	*state = &w;
	return world_begin(&w, NULL) ? 0 : -1;
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, mem_setup, world_teardown)

int main(void)
{
	struct CMUnitTest const tests[] = {
		IN_A_WORLD(faults_answer_once),
		IN_A_WORLD(hooks_change_what_is_there),
		IN_A_WORLD(one_of_many_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
