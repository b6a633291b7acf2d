/*
 * The world of login_world.h: clock, random source, engine and phones, and how a packet goes through a visit.
 */
#include "login_world.h"

#include <stdlib.h>

#include "core/append.h"
#include "core/codec.h"
#include "unit.h"

#define KEY_LINE "first AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

/* ---- the outside ---- */

static enum wsmfa_park_status outside_park(void *ctx, struct wsmfa_job const *job)
{
	struct login_world *w = ctx;

	assert_true(w->jobs_len < LOGIN_SEEN);
	w->jobs[w->jobs_len++] = *job;
	return w->park;
}

static enum wsmfa_park_status outside_room(void *ctx)
{
	(void)ctx;
	return WSMFA_PARK_OK; /* a full one says so when it is to park: both ways are the login's */
}

static void outside_event(void *ctx, struct wsmfa_event const *event)
{
	struct login_world *w = ctx;

	/* events_once() of sql/: no event of this world is lost */
	if (event->again) {
		w->again++;
		assert_int_equal(event->outcome, WSMFA_OUTCOME_ACCEPTED);
		return;
	}
	assert_true(w->events_len < LOGIN_SEEN);
	w->events[w->events_len++] = *event;
}

static void outside_notice(void *ctx, struct wsmfa_message const *message)
{
	struct login_world *w = ctx;

	assert_true(w->notices_len < LOGIN_SEEN);
	w->notices[w->notices_len++] = *message;
}

static struct wsmfa_provider_ops const *outside_push(void *ctx, char const *name, bool *up)
{
	struct login_world *w = ctx;

	*up = w->push_up;
	return w->push_known && strcmp(name, "local") == 0 ? &w->push_ops : NULL;
}

/* splitmix64: even enough, and the same in every run. */
static bool outside_random(void *ctx, void *out, size_t len)
{
	struct login_world *w = ctx;

	for (size_t i = 0; i < len; i++) {
		uint64_t x = ++w->drawn * UINT64_C(0x9E3779B97F4A7C15);

		x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
		x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
		((uint8_t *)out)[i] = (uint8_t)(x >> 56);
	}
	return !w->random_fails;
}

/* ---- the world ---- */

/* As raddb/mods-available/wsmfa ships them; test_budget.c holds the two together. */
static struct wsmfa_flow_settings const defaults = {
	.policy = { .failure_budget = 30, .enroll_kinds = 1U << WSMFA_KIND_TOTP | 1U << WSMFA_KIND_SMS },
	.limits = { .lock_after = 10,
		    .failure_budget = 30,
		    .failure_days = 30,
		    .max_attempts = 3,
		    .push_max = 5,
		    .sms_max = 5,
		    .sms_number_max = 10 },
	.challenge_lifetime = 120 * WSMFA_SECOND,
	.code_lifetime = 300 * WSMFA_SECOND,
	.push_timeout = 45 * WSMFA_SECOND,
	.banner_every = WSMFA_DAY,
	.enroll_grace = 30 * WSMFA_DAY,
	.max_attempts = 3,
	.code_digits = 6,
	.totp_window = 1,
	.sms_prefixes = "all",
	.enroll_url = "https://mfa.example/enroll",
};

#define DATE(days) ((days)*WSMFA_DAY) // days since 1970-01-01

static void schedules(struct wsmfa_store *s)
{
	wsmfa_mem_region(s, "EMEA", DATE(19754), DATE(19835)); // 2024-02-01, 2024-04-22
	wsmfa_mem_region(s, "AMER", DATE(19754), DATE(19835));
	wsmfa_mem_region(s, "APAC", DATE(19754), DATE(19935)); // 2024-07-31
	wsmfa_mem_service(s, "elements", -WSMFA_TIME_FOREVER);
	wsmfa_mem_service(s, "community", WSMFA_TIME_NONE);
}

void login_begin(struct login_world *w)
{
	char err[128] = "";

	memset(w, 0, sizeof(*w));
	w->store = wsmfa_mem_new();
	w->now = LOGIN_NOW;
	w->serial = 1000;
	w->park = WSMFA_PARK_OK;
	w->delivery = WSMFA_DELIVERY_SENT;
	w->push_known = w->push_up = true;
	w->push_ops.matches_number = true;
	w->session = 1;
	assert_true(wsmfa_keyring_parse(KEY_LINE, strlen(KEY_LINE), &w->ring, err, sizeof(err)));
	w->service = (struct wsmfa_service) {
		.store = w->store,
		.outside = { .park = outside_park,
			     .room = outside_room,
			     .event = outside_event,
			     .notice = outside_notice,
			     .push = outside_push,
			     .random = outside_random,
			     .ctx = w },
		.set = defaults,
		.ring = w->ring,
		.sms_provider = "file",
		.park = true,
		.sms_wait = 2 * WSMFA_SECOND,
	};
	assert_true(wsmfa_mac_keys_derive(&w->service.macs, w->ring));
	schedules(w->store);
	snprintf(w->default_service, sizeof(w->default_service), "elements");
	login_from(w, "127.0.0.1");
	snprintf(w->station, sizeof(w->station), "station");
}

void login_end(struct login_world *w)
{
	wsmfa_visit_free(w->visit);
	w->store->ops->free(w->store);
	wsmfa_keyring_free(w->ring);
	memset(w, 0, sizeof(*w));
}

int login_set_up(void **state)
{
	login_begin(*state);
	return 0;
}

int login_tear_down(void **state)
{
	login_end(*state);
	return 0;
}

/* ---- packets ---- */

static bool sending_failed(struct login_world const *w)
{
	return w->delivery == WSMFA_DELIVERY_FAILED || w->delivery == WSMFA_DELIVERY_REFUSED ||
	       w->delivery == WSMFA_DELIVERY_UNKNOWN;
}

/* What the engine does at once with what was parked last: the gateway answers, or the phone begins to ring. */
static void engine_works(struct login_world *w)
{
	struct wsmfa_job const *job = &w->jobs[w->jobs_len - 1];
	struct wsmfa_woken woken = { .kind = job->kind, .challenge_id = job->challenge_id };

	if (job->kind == WSMFA_JOB_PUSH && sending_failed(w)) {
		assert_true(wsmfa_mem_fail_push(w->store, job->challenge_id));
		woken.finished = true;
		woken.delivery = w->delivery;
	} else if (job->kind == WSMFA_JOB_PUSH) {
		snprintf(woken.show, sizeof(woken.show), "%s", w->show);
	} else if (job->kind == WSMFA_JOB_SMS) {
		woken.finished = true;
		woken.delivery = w->delivery;
	}
	if (w->visit->waits != WSMFA_VISIT_PHONE || woken.finished)
		login_wake(w, &w->visit, &woken);
}

void login_wake(struct login_world *w, struct wsmfa_visit **v, struct wsmfa_woken const *woken)
{
	*v = wsmfa_visit_wake(*v);
	assert_non_null(*v);
	wsmfa_visit_resume(&w->service, *v, woken, w->now, &w->reply);
}

static struct wsmfa_visit *visit_begin(struct login_world *w, char const *state)
{
	struct wsmfa_visit *v = wsmfa_visit_new();

	assert_non_null(v);
	v->at = w->now;
	v->client = w->client;
	snprintf(v->name, sizeof(v->name), "%s", w->person.name);
	snprintf(v->station, sizeof(v->station), "%s", w->station);
	v->typed = !w->chap;
	v->has_digest = true;
	v->joinable = *w->station && !w->unidentified;
	memset(v->digest, w->session, sizeof(v->digest));
	memcpy(v->digest, state, strlen(state)); // 22 characters at most
	wsmfa_visit_free(w->visit);
	w->visit = v;
	return v;
}

/* As the glue and rlm_pap do: the append split, then the password. */
static bool first_factor(struct login_world *w, struct wsmfa_visit *v, char const *octets)
{
	uint8_t const *field = (uint8_t const *)octets;
	uint8_t const *response;
	size_t len = strlen(octets), response_len;

	if (v->client.mode == WSMFA_MODE_APPEND && v->typed && wsmfa_account_enrolled(&v->account) &&
	    wsmfa_append_split(field, len, ",", &len, &response, &response_len)) {
		v->appended.present = true;
		wsmfa_answer_parse(&v->appended.answer, response, response_len);
	}
	return v->account.known && len == strlen(w->person.password) && memcmp(octets, w->person.password, len) == 0;
}

static void packet(struct login_world *w, char const *state, char const *octets)
{
	struct wsmfa_visit *v = visit_begin(w, state);

	memset(&w->reply, 0, sizeof(w->reply));
	if (*state) {
		if (!wsmfa_visit_take(&w->service, v, (uint8_t const *)state, strlen(state), (uint8_t const *)octets,
				      strlen(octets), &w->reply))
			return;
		wsmfa_visit_answer(&w->service, v, &w->reply);
	} else {
		if (!wsmfa_visit_load(&w->service, v, &w->reply))
			return;
		if (!first_factor(w, v, octets)) {
			wsmfa_visit_failed(&w->service, v);
			return;
		}
		if (w->push_ops.needs_password) // as the glue does for a provider that checks it itself
			snprintf(v->password, sizeof(v->password), "%s", w->person.password);
		wsmfa_visit_begin(&w->service, v, &w->reply);
	}
	if (w->reply.kind == WSMFA_REPLY_PARK) {
		w->visit = wsmfa_visit_rest(w->visit);
		engine_works(w);
	}
}

static void send(struct login_world *w, char const *state, char const *text)
{
	char octets[256];

	login_fill(w, text, octets, sizeof(octets));
	memmove(w->answered, state, strlen(state) + 1);
	snprintf(w->said, sizeof(w->said), "%s", octets);
	packet(w, w->answered, octets);
}

void login_say(struct login_world *w, char const *text)
{
	send(w, w->reply.kind == WSMFA_REPLY_CHALLENGE ? w->reply.state : "", text);
}

void login_anew(struct login_world *w, char const *text)
{
	w->session++;
	send(w, "", text);
}

void login_again(struct login_world *w)
{
	packet(w, w->answered, w->said);
}

struct wsmfa_visit *login_keep(struct login_world *w)
{
	struct wsmfa_visit *v = w->visit;

	w->visit = NULL;
	return v;
}

static struct wsmfa_job const *last_push(struct login_world const *w)
{
	for (size_t i = w->jobs_len; i-- > 0;) {
		if (w->jobs[i].kind == WSMFA_JOB_PUSH)
			return &w->jobs[i];
	}
	fail_msg("no push was sent");
	abort();
}

bool login_phone(struct login_world *w, bool approve, char const *number)
{
	struct wsmfa_job const *job = last_push(w);
	struct wsmfa_woken const woken = { .kind = WSMFA_JOB_WAIT, .challenge_id = job->challenge_id };
	bool const answered = wsmfa_mem_answer_push(w->store, job->challenge_id, approve, number, w->now);

	if (w->visit && w->visit->waits == WSMFA_VISIT_PHONE)
		login_wake(w, &w->visit, &woken);
	return answered;
}

char const *login_number(struct login_world const *w)
{
	return w->jobs[w->jobs_len - 1].message.number;
}

void login_nobody(struct login_world *w)
{
	struct wsmfa_job const *job = &w->jobs[w->jobs_len - 1];
	struct wsmfa_woken const woken = { .kind = job->kind, .challenge_id = job->challenge_id, .timed_out = true };

	assert_int_equal(w->reply.kind, WSMFA_REPLY_PARK);
	w->now = job->wake_at;
	login_wake(w, &w->visit, &woken);
}

/* ---- what a test looks at ---- */

static char const *const reply_words[] = {
	[WSMFA_REPLY_REJECT] = "reject", [WSMFA_REPLY_CHALLENGE] = "challenge", [WSMFA_REPLY_ACCEPT] = "accept",
	[WSMFA_REPLY_PARK] = "park",     [WSMFA_REPLY_STORE] = "store",
};

bool login_fits(char const *pattern, char const *text)
{
	if (*pattern == '*')
		return login_fits(pattern + 1, text) || (*text && login_fits(pattern, text + 1));
	return *pattern == *text && (*text == '\0' || login_fits(pattern + 1, text + 1));
}

/* Every reply: bounded, one line, and what belongs to its kind and nothing else. */
static void reply_is_sound(struct login_world const *w, char const *file, int line)
{
	struct wsmfa_reply const *r = &w->reply;
	size_t const len = strlen(r->text);
	bool sound = len < WSMFA_REPLY_MAX;

	for (size_t i = 0; i < len; i++)
		sound = sound && (uint8_t)r->text[i] >= 0x20 && (w->client.utf8 || (uint8_t)r->text[i] < 0x7F);
	if (r->kind == WSMFA_REPLY_CHALLENGE) {
		sound = sound && len > 2 && strcmp(r->text + len - 2, ": ") == 0;
		sound = sound && strlen(r->state) == WSMFA_STATE_TEXT && r->session_timeout > 0;
	} else {
		sound = sound && r->state[0] == '\0';
	}
	if (!sound) {
		print_message("%s:%d: unsound: %s \"%s\" State %s, %lld s\n", file, line, reply_words[r->kind], r->text,
			      r->state, (long long)r->session_timeout);
		_fail(file, line);
	}
}

void login_expect_at(struct login_world *w, char const *expected, char const *file, int line)
{
	char const *kind = reply_words[w->reply.kind];
	size_t const len = strcspn(expected, " ");
	char pattern[256];

	reply_is_sound(w, file, line);
	login_fill(w, expected[len] ? expected + len + 1 : "*", pattern, sizeof(pattern) - 1);
	if (strlen(pattern) > 1 && pattern[strlen(pattern) - 1] == ':')
		strcat(pattern, " ");
	if (strlen(kind) == len && memcmp(kind, expected, len) == 0 && login_fits(pattern, w->reply.text))
		return;
	print_message("%s:%d: expected %s, got %s %s\n", file, line, expected, kind, w->reply.text);
	_fail(file, line);
}

void login_event_at(struct login_world *w, char const *expected, char const *file, int line)
{
	struct wsmfa_event const *e = w->events_len ? &w->events[w->events_len - 1] : NULL;
	char got[64] = "none";

	if (e)
		snprintf(got, sizeof(got), "%s %s", wsmfa_outcome_word(e->outcome), wsmfa_reason_word(e->reason));
	if (strcmp(got, expected) == 0)
		return;
	print_message("%s:%d: expected the event %s, got %s\n", file, line, expected, got);
	_fail(file, line);
}

enum wsmfa_question_kind login_asked(struct login_world const *w)
{
	return w->reply.kind == WSMFA_REPLY_CHALLENGE ? w->visit->plan.ask.kind : WSMFA_ASK_NONE;
}

static void load(struct login_world *w, struct wsmfa_account *out)
{
	struct wsmfa_origin const origin = { .at = w->now,
					     .account = w->person.name,
					     .client = w->client.address,
					     .station = w->station,
					     .service = w->client.service };

	assert_int_equal(w->store->ops->load(w->store, &origin, out), WSMFA_STORE_OK);
}

int32_t login_failures(struct login_world *w, int64_t authenticator_id)
{
	struct wsmfa_account account;

	load(w, &account);
	for (size_t i = 0; i < account.authenticators_len; i++) {
		if (account.authenticators[i].id == authenticator_id)
			return account.authenticators[i].failures;
	}
	assert_int_equal(authenticator_id, 0);
	return account.failures;
}

bool login_enrolled(struct login_world *w)
{
	struct wsmfa_account account;

	load(w, &account);
	return wsmfa_account_enrolled(&account);
}

void login_assert_free(struct login_world *w)
{
	char station[sizeof(w->station)];

	memcpy(station, w->station, sizeof(station));
	snprintf(w->station, sizeof(w->station), "free?");
	w->park = WSMFA_PARK_OK;
	login_anew(w, "{password}");
	login_expect(w, w->client.mode == WSMFA_MODE_WAIT ? "park" : "challenge");
	memcpy(w->station, station, sizeof(station));
}
