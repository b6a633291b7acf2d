/*
 * Who logs in to the world of login_world.h, from where, under which settings, and what they type.
 */
#include "login_world.h"

#include <stdlib.h>
#include <time.h>

#include "core/codec.h"
#include "core/totp.h"
#include "unit.h"

/* ---- clients and settings ---- */

/* The clients of tests/server/place.py, by address. */
static struct wsmfa_client const clients[] = {
	{ .address = "127.0.0.1", .may_enroll = true },
	{ .address = "127.0.0.2", .mode = WSMFA_MODE_APPEND },
	{ .address = "127.0.0.3", .mode = WSMFA_MODE_WAIT },
	{ .address = "127.0.0.4", .service = "community" },
	{ .address = "127.0.0.5" },
	{ .address = "127.0.0.6", .may_enroll = true, .banner_question = true },
	{ .address = "127.0.0.7", .service = "nobody_wrote_this_down" },
	{ .address = "127.0.0.8", .may_enroll = true, .utf8 = true },
	{ .address = "127.0.0.9", .may_enroll = true },
};

void login_from(struct login_world *w, char const *address)
{
	for (size_t i = 0; i < LENGTH(clients); i++) {
		if (strcmp(clients[i].address, address) == 0) {
			w->client = clients[i];
			if (w->client.service[0] == '\0')
				snprintf(w->client.service, sizeof(w->client.service), "%s", w->default_service);
			return;
		}
	}
	fail_msg("no client %s", address);
}

static uint32_t kinds_of(char const *words)
{
	uint32_t kinds = 0;
	char copy[64];
	char *save = NULL;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, ", \"", &save); word; word = strtok_r(NULL, ", \"", &save)) {
		enum wsmfa_kind kind;

		if (!wsmfa_kind_parse(word, &kind))
			fail_msg("no method %s", word);
		kinds |= 1U << (unsigned)kind;
	}
	return kinds;
}

/* A copy that lives as long as the test program: settings are borrowed. */
static char const *kept(char const *value)
{
	static char room[16][128];
	static size_t used;
	char *to = room[used++ % LENGTH(room)];
	size_t len = strlen(value);
	bool const quoted = len >= 2 && value[0] == '"' && value[len - 1] == '"';

	snprintf(to, sizeof(room[0]), "%.*s", (int)(quoted ? len - 2 : len), quoted ? value + 1 : value);
	return to;
}

static bool setting_word(struct login_world *w, char const *name, char const *value)
{
	struct wsmfa_flow_settings *set = &w->service.set;

	if (strcmp(name, "default_service") == 0) {
		snprintf(w->default_service, sizeof(w->default_service), "%s", value);
		login_from(w, w->client.address);
	} else if (strcmp(name, "enroll_methods") == 0) {
		set->policy.enroll_kinds = kinds_of(value);
	} else if (strcmp(name, "enroll_ticket") == 0) {
		set->enroll_ticket = strcmp(value, "required") == 0;
	} else if (strcmp(name, "enroll_url") == 0) {
		set->enroll_url = kept(value);
	} else if (strcmp(name, "sms_prefixes") == 0) {
		set->sms_prefixes = kept(value);
	} else if (strcmp(name, "cap_session") == 0) {
		set->cap_session = strcmp(value, "yes") == 0;
	} else if (strcmp(name, "push_require_number") == 0) {
		set->push_require_number = strcmp(value, "yes") == 0;
	} else {
		return false;
	}
	return true;
}

bool login_setting(struct login_world *w, char const *name, char const *value)
{
	struct wsmfa_flow_settings *set = &w->service.set;
	struct wsmfa_limits *limits = &set->limits;
	struct {
		char const *name;
		wsmfa_time_t *time;
		wsmfa_time_t unit;
	} const times[] = {
		{ "challenge_lifetime", &set->challenge_lifetime, WSMFA_SECOND },
		{ "code_lifetime", &set->code_lifetime, WSMFA_SECOND },
		{ "push_timeout", &set->push_timeout, WSMFA_SECOND },
		{ "banner_every", &set->banner_every, WSMFA_SECOND },
		{ "enroll_grace", &set->enroll_grace, WSMFA_DAY },
		{ "sms_wait", &w->service.sms_wait, WSMFA_SECOND },
	};
	struct {
		char const *name;
		int32_t *number;
	} const numbers[] = {
		{ "lock_after", &limits->lock_after },
		{ "failure_budget", &limits->failure_budget },
		{ "failure_budget", &set->policy.failure_budget },
		{ "failure_days", &limits->failure_days },
		{ "max_attempts", &limits->max_attempts },
		{ "max_attempts", &set->max_attempts },
		{ "push_max", &limits->push_max },
		{ "sms_max", &limits->sms_max },
		{ "sms_number_max", &limits->sms_number_max },
		{ "sms_organization_max", &limits->sms_organization_max },
		{ "sms_total_max", &limits->sms_total_max },
		{ "code_digits", (int32_t *)&set->code_digits },
		{ "totp_window", (int32_t *)&set->totp_window },
	};
	bool known = setting_word(w, name, value);

	for (size_t i = 0; i < LENGTH(times); i++) {
		if (strcmp(times[i].name, name) != 0)
			continue;
		*times[i].time = atoll(value) * times[i].unit;
		known = true;
	}
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		if (strcmp(numbers[i].name, name) != 0)
			continue;
		*numbers[i].number = atoi(value);
		known = true;
	}
	return known;
}

/* ---- people ---- */

static void draw(struct login_world *w, void *out, size_t len)
{
	bool const fails = w->random_fails;

	w->random_fails = false;
	assert_true(w->service.outside.random(w, out, len));
	w->random_fails = fails;
}

static struct wsmfa_authenticator authenticator(struct login_world *w, enum wsmfa_kind kind)
{
	return (struct wsmfa_authenticator) { .id = w->serial++,
					      .kind = kind,
					      .confirmed_at = w->now - WSMFA_DAY,
					      .disabled_at = WSMFA_TIME_NONE,
					      .last_step = -1 };
}

static void add_totp(struct login_world *w, struct login_person *p)
{
	struct wsmfa_authenticator a = authenticator(w, WSMFA_KIND_TOTP);
	struct wsmfa_secret *key = &p->key[p->keys];
	uint8_t nonce[WSMFA_NONCE_LEN];

	assert_true(p->keys < LOGIN_KEYS);
	key->len = 20;
	draw(w, key->octets, key->len);
	draw(w, nonce, sizeof(nonce));
	a.digits = 6;
	a.period = 30;
	assert_true(wsmfa_seal(w->ring, p->id, a.id, nonce, key, a.sealed, sizeof(a.sealed), &a.sealed_len));
	p->totp[p->keys++] = wsmfa_mem_authenticator(w->store, p->id, &a);
}

static void add_push(struct login_world *w, struct login_person *p)
{
	struct wsmfa_authenticator a = authenticator(w, WSMFA_KIND_PUSH);

	snprintf(a.provider, sizeof(a.provider), "local");
	snprintf(a.device, sizeof(a.device), "phone");
	p->push = wsmfa_mem_authenticator(w->store, p->id, &a);
}

static void add_sms(struct login_world *w, struct login_person *p, char const *phone)
{
	struct wsmfa_authenticator a = authenticator(w, WSMFA_KIND_SMS);

	snprintf(a.phone, sizeof(a.phone), "%s", phone);
	p->sms = wsmfa_mem_authenticator(w->store, p->id, &a);
}

static void add_recovery(struct login_world *w, struct login_person *p)
{
	struct wsmfa_authenticator a = authenticator(w, WSMFA_KIND_RECOVERY);

	a.iterations = WSMFA_RECOVERY_ITERATIONS_LEAST;
	draw(w, a.salt, sizeof(a.salt));
	p->recovery = wsmfa_mem_authenticator(w->store, p->id, &a);
	for (size_t i = 0; i < WSMFA_RECOVERY_CODES; i++) {
		uint8_t random[WSMFA_RECOVERY_LEN], hash[WSMFA_HASH_LEN];

		draw(w, random, sizeof(random));
		wsmfa_code_recovery(p->codes[i], random);
		assert_true(wsmfa_recovery_hash(hash, a.salt, a.iterations, p->codes[i]));
		wsmfa_mem_recovery_code(w->store, p->recovery, hash);
	}
}

void login_ticket(struct login_world *w)
{
	uint8_t random[WSMFA_TICKET_LEN], hash[WSMFA_HASH_LEN];

	draw(w, random, sizeof(random));
	wsmfa_code_ticket(w->person.ticket, random);
	assert_true(wsmfa_ticket_hash(hash, w->person.ticket));
	wsmfa_mem_ticket(w->store, w->person.id, hash, w->now + WSMFA_DAY);
}

static void date_of(wsmfa_time_t at, char out[11])
{
	time_t const seconds = at / WSMFA_SECOND;
	struct tm tm;

	assert_int_equal(strftime(out, 11, "%Y-%m-%d", gmtime_r(&seconds, &tm)), 10);
}

/* What the words say of the account before it is made. */
struct traits {
	struct wsmfa_account account;
	char const *services;
	char const *sms;
	uint32_t allowed;
	wsmfa_time_t announce_from, enforce_from, exempt_until;
	size_t totp;
	bool push, recovery;
};

static void trait_flag(struct login_world const *w, char const *word, struct traits *t)
{
	if (strcmp(word, "totp") == 0) {
		t->totp++;
	} else if (strcmp(word, "push") == 0) {
		t->push = true;
	} else if (strcmp(word, "recovery") == 0) {
		t->recovery = true;
	} else if (strcmp(word, "disabled") == 0) {
		t->account.disabled_at = w->now;
	} else if (strcmp(word, "exempt") == 0) {
		t->exempt_until = w->now + WSMFA_DAY;
	} else if (strcmp(word, "announced") == 0) {
		t->announce_from = w->now - 10 * WSMFA_DAY;
		t->enforce_from = w->now + 20 * WSMFA_DAY;
	} else if (strcmp(word, "observed") == 0) {
		t->announce_from = w->now + 10 * WSMFA_DAY;
		t->enforce_from = w->now + 20 * WSMFA_DAY;
	} else {
		fail_msg("unknown trait %s", word);
	}
}

#define TRAIT_COPY(to, value) (void)snprintf((to), sizeof(to), "%s", (value))

static void trait_value(struct login_world *w, char const *name, char const *value, struct traits *t)
{
	struct wsmfa_account *a = &t->account;

	if (strcmp(name, "password") == 0) {
		TRAIT_COPY(w->person.password, value);
	} else if (strcmp(name, "region") == 0) {
		TRAIT_COPY(a->region, value);
	} else if (strcmp(name, "services") == 0) {
		t->services = value;
	} else if (strcmp(name, "sms") == 0) {
		t->sms = value;
		TRAIT_COPY(a->phone, value);
	} else if (strcmp(name, "phone") == 0) {
		TRAIT_COPY(a->phone, value);
	} else if (strcmp(name, "language") == 0) {
		TRAIT_COPY(a->language, value);
	} else if (strcmp(name, "allowed") == 0) {
		t->allowed = kinds_of(value);
	} else if (strcmp(name, "created") == 0) {
		a->created_at = w->now + atoll(value) * WSMFA_DAY;
	} else if (strcmp(name, "preferred") == 0) {
		assert_true(wsmfa_kind_parse(value, &a->preferred));
	} else {
		fail_msg("unknown trait %s", name);
	}
}

void login_person(struct login_world *w, char const *words)
{
	struct login_person *p = &w->person;
	struct traits t = { .services = "elements",
			    .allowed = ~0U,
			    .announce_from = WSMFA_TIME_NONE,
			    .enforce_from = WSMFA_TIME_NONE,
			    .exempt_until = WSMFA_TIME_NONE };
	char copy[256];
	char *save = NULL;

	memset(p, 0, sizeof(*p));
	p->organization = w->serial++;
	snprintf(p->name, sizeof(p->name), "user%lld", (long long)w->serial);
	snprintf(p->password, sizeof(p->password), "correct horse %lld", (long long)w->serial);
	t.account.organization_id = p->organization;
	t.account.created_at = w->now;
	t.account.disabled_at = t.account.banner_shown_at = WSMFA_TIME_NONE;
	TRAIT_COPY(t.account.name, p->name);
	TRAIT_COPY(t.account.region, "EMEA");
	TRAIT_COPY(t.account.language, "en");
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (value)
			trait_value(w, word, value, &t);
		else
			trait_flag(w, word, &t);
	}
	date_of(t.enforce_from == WSMFA_TIME_NONE ? INT64_C(19835) * WSMFA_DAY : t.enforce_from, t.account.enforce_on);
	wsmfa_mem_organization(w->store, p->organization, t.allowed, t.announce_from, t.enforce_from);
	p->id = wsmfa_mem_account(w->store, &t.account, t.services);
	if (t.exempt_until != WSMFA_TIME_NONE)
		wsmfa_mem_exempt(w->store, p->id, t.exempt_until);
	for (size_t i = 0; i < t.totp; i++)
		add_totp(w, p);
	if (t.sms)
		add_sms(w, p, t.sms);
	if (t.push)
		add_push(w, p);
	if (t.recovery)
		add_recovery(w, p);
}

/* ---- what they type ---- */

static void code_at(struct login_world const *w, struct wsmfa_secret const *key, int64_t steps, char out[9])
{
	struct wsmfa_totp const totp = { .key = key, .algorithm = WSMFA_SHA1, .digits = 6, .period = 30 };

	assert_true(wsmfa_totp_generate(out, &totp, wsmfa_totp_step(w->now, 30) + steps));
}

/* The code that the last SMS brought. */
static void sms_code(struct login_world const *w, char out[9])
{
	for (size_t i = w->jobs_len; i-- > 0;) {
		char const *digits = strpbrk(w->jobs[i].message.text, "0123456789");

		if (w->jobs[i].kind != WSMFA_JOB_SMS)
			continue;
		assert_non_null(digits);
		snprintf(out, 9, "%.*s", (int)strspn(digits, "0123456789"), digits);
		return;
	}
	fail_msg("no SMS was sent");
}

/* A code that is right nowhere: of no step near now, and not the one that was sent. */
static void wrong_code(struct login_world const *w, char out[9])
{
	bool right = true;

	for (unsigned n = 100000; right; n += 11111) {
		snprintf(out, 9, "%06u", n);
		right = w->jobs_len > 0 && strstr(w->jobs[w->jobs_len - 1].message.text, out);
		for (int64_t step = -12; step <= 12; step++) {
			for (size_t i = 0; i < w->person.keys; i++) {
				char code[9];

				code_at(w, &w->person.key[i], step, code);
				right = right || strcmp(code, out) == 0;
			}
		}
	}
}

/* The key that the last reply shows: between ": " and ".". */
static void shown_key(struct login_world const *w, char out[64])
{
	char const *from = w->reply.text;

	while ((from = strstr(from, ": "))) {
		size_t const len = strspn(from += 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567 ");

		if (len >= 4 && from[len] == '.') {
			snprintf(out, 64, "%.*s", (int)len, from);
			return;
		}
	}
	fail_msg("no key in \"%s\"", w->reply.text);
}

static void shown_code(struct login_world const *w, int64_t steps, char out[9])
{
	struct wsmfa_secret key;
	char text[64];

	shown_key(w, text);
	assert_true(wsmfa_base32_decode(&key, text, strlen(text)));
	code_at(w, &key, steps, out);
}

static void value_of(struct login_world const *w, char const *name, long n, char out[128])
{
	struct login_person const *p = &w->person;
	char const *number = strpbrk(w->reply.text, "0123456789");

	*out = '\0';
	if (strcmp(name, "password") == 0)
		snprintf(out, 128, "%s", p->password);
	else if (strcmp(name, "name") == 0)
		snprintf(out, 128, "%s", p->name);
	else if (strcmp(name, "id") == 0)
		snprintf(out, 128, "%lld", (long long)p->id);
	else if (strcmp(name, "url") == 0)
		snprintf(out, 128, "%s", w->service.set.enroll_url);
	else if (strcmp(name, "ticket") == 0)
		snprintf(out, 128, "%s", p->ticket);
	else if (strcmp(name, "recovery") == 0)
		snprintf(out, 128, "%s", p->codes[n]);
	else if (strcmp(name, "number") == 0 && number)
		snprintf(out, 128, "%.*s", (int)strspn(number, "0123456789"), number);
	else if (strcmp(name, "totp") == 0 || strcmp(name, "other") == 0)
		code_at(w, &p->key[*name == 'o'], n, out);
	else if (strcmp(name, "wrong") == 0)
		wrong_code(w, out);
	else if (strcmp(name, "sms") == 0)
		sms_code(w, out);
	else if (strcmp(name, "shown") == 0)
		shown_code(w, n, out);
	else if (strcmp(name, "key") == 0)
		shown_key(w, out);
	else
		fail_msg("unknown placeholder {%s}", name);
}

void login_fill(struct login_world *w, char const *text, char *out, size_t size)
{
	size_t at = 0;

	while (*text && at + 1 < size) {
		char const *end = *text == '{' ? strchr(text, '}') : NULL;
		char name[32], value[128];
		size_t len;
		long n = 0;

		if (!end) {
			out[at++] = *text++;
			continue;
		}
		len = strcspn(text + 1, "+-}");
		snprintf(name, sizeof(name), "%.*s", (int)len, text + 1);
		if (text[1 + len] != '}')
			n = strtol(text + 1 + len, NULL, 10);
		value_of(w, name, n, value);
		at += (size_t)snprintf(out + at, size - at, "%s", value);
		if (at >= size)
			at = size - 1;
		text = end + 1;
	}
	out[at] = '\0';
}
