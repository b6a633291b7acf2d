/* TOTP: the vectors of RFC 6238 appendix B, the window, the drift and the second use.
 * Apart from the store's tests, where two servers fight for one step. */
#include "unit.h"

#include "core/totp.h"

/* RFC 6238 appendix B: the same digits over and over, 20, 32 and 64 octets. */
#define SEED "1234567890123456789012345678901234567890123456789012345678901234"

static struct wsmfa_secret const seeds[] = {
	[WSMFA_SHA1] = { SEED, 20 },
	[WSMFA_SHA256] = { SEED, 32 },
	[WSMFA_SHA512] = { SEED, 64 },
};

static struct wsmfa_totp totp_of(enum wsmfa_algorithm algorithm, unsigned digits)
{
	return (struct wsmfa_totp) { .key = &seeds[algorithm], .algorithm = algorithm, .digits = digits, .period = 30 };
}

/* A code of six digits of the SHA-1 seed, at a step. */
static char const *code_at(int64_t step)
{
	static char code[9];
	struct wsmfa_totp totp = totp_of(WSMFA_SHA1, 6);

	assert_true(wsmfa_totp_generate(code, &totp, step));
	return code;
}

static struct wsmfa_totp_result check(unsigned window, int32_t drift, int64_t last_step, wsmfa_time_t at,
				      char const *code)
{
	struct wsmfa_totp totp = totp_of(WSMFA_SHA1, 6);

	return wsmfa_totp_check(&totp, window, drift, last_step, at, code);
}

static void rfc6238_appendix_b(void **state)
{
	static struct {
		int64_t seconds;
		char const *codes[3];
	} const vectors[] = {
		{ 59, { "94287082", "46119246", "90693936" } },
		{ 1111111109, { "07081804", "68084774", "25091201" } },
		{ 1111111111, { "14050471", "67062674", "99943326" } },
		{ 1234567890, { "89005924", "91819424", "93441116" } },
		{ 2000000000, { "69279037", "90698825", "38618901" } },
		{ 20000000000, { "65353130", "77737706", "47863826" } }, /* beyond 2^32 */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(vectors); i++) {
		for (int a = 0; a < WSMFA_ALGORITHMS; a++) {
			struct wsmfa_totp totp = totp_of((enum wsmfa_algorithm)a, 8);
			wsmfa_time_t at = vectors[i].seconds * WSMFA_SECOND;
			struct wsmfa_totp_result r = wsmfa_totp_check(&totp, 0, 0, -1, at, vectors[i].codes[a]);

			assert_int_equal(r.match, WSMFA_TOTP_FRESH);
			assert_int_equal(r.step, vectors[i].seconds / 30);
			assert_int_equal(r.drift, 0);
			/* Six digits are the last six. */
			totp.digits = 6;
			r = wsmfa_totp_check(&totp, 0, 0, -1, at, vectors[i].codes[a] + 2);
			assert_int_equal(r.match, WSMFA_TOTP_FRESH);
			totp.digits = 7;
			r = wsmfa_totp_check(&totp, 0, 0, -1, at, vectors[i].codes[a] + 1);
			assert_int_equal(r.match, WSMFA_TOTP_FRESH);
			/* Control: another hash gives another code. */
			totp.algorithm = (enum wsmfa_algorithm)((a + 1) % WSMFA_ALGORITHMS);
			r = wsmfa_totp_check(&totp, 0, 0, -1, at, vectors[i].codes[a] + 1);
			assert_int_equal(r.match, WSMFA_TOTP_NONE);
		}
	}
}

#define STEP ((int64_t)41152263) /* 2009-02-13 23:31:30 UTC */
#define AT   (STEP * 30 * WSMFA_SECOND)

static void window_has_edges(void **state)
{
	(void)state;
	for (unsigned window = 0; window <= WSMFA_TOTP_WINDOW_MAX; window++) {
		for (int64_t off = -12; off <= 12; off++) {
			struct wsmfa_totp_result r = check(window, 0, -1, AT, code_at(STEP + off));
			bool inside = off >= -(int64_t)window && off <= (int64_t)window;

			assert_int_equal(r.match, inside ? WSMFA_TOTP_FRESH : WSMFA_TOTP_NONE);
			if (inside) {
				assert_int_equal(r.step, STEP + off);
				assert_int_equal(r.drift, off > 10 ? 10 : off < -10 ? -10 : off);
			}
		}
	}
	assert_int_equal(check(WSMFA_TOTP_WINDOW_MAX + 1, 0, -1, AT, code_at(STEP)).match, WSMFA_TOTP_BROKEN);
}

/* The step changes with its first microsecond. */
static void step_to_the_microsecond(void **state)
{
	(void)state;
	assert_int_equal(check(0, 0, -1, AT, code_at(STEP)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(0, 0, -1, AT - 1, code_at(STEP)).match, WSMFA_TOTP_NONE);
	assert_int_equal(check(0, 0, -1, AT - 1, code_at(STEP - 1)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(0, 0, -1, AT + 30 * WSMFA_SECOND - 1, code_at(STEP)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(wsmfa_totp_step(0, 30), 0);
	assert_int_equal(wsmfa_totp_step(-1, 30), -1);
	assert_int_equal(wsmfa_totp_step(WSMFA_TIME_NONE, 30), -1);
	assert_int_equal(wsmfa_totp_step(60 * WSMFA_SECOND, 60), 1);
	assert_int_equal(wsmfa_totp_step(60 * WSMFA_SECOND, 14), -1);
	assert_int_equal(wsmfa_totp_step(60 * WSMFA_SECOND, 61), -1);
}

static void drift_moves_the_window(void **state)
{
	struct wsmfa_totp_result r;

	(void)state;
	r = check(1, 3, -1, AT, code_at(STEP + 4));
	assert_int_equal(r.match, WSMFA_TOTP_FRESH);
	assert_int_equal(r.drift, 4);
	assert_int_equal(check(1, 3, -1, AT, code_at(STEP + 2)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(1, 3, -1, AT, code_at(STEP)).match, WSMFA_TOTP_NONE);
	assert_int_equal(check(1, 3, -1, AT, code_at(STEP + 5)).match, WSMFA_TOTP_NONE);
	/* Bounded: at most ten steps are remembered or believed. */
	r = check(1, 10, -1, AT, code_at(STEP + 11));
	assert_int_equal(r.match, WSMFA_TOTP_FRESH);
	assert_int_equal(r.drift, 10);
	r = check(1, -10, -1, AT, code_at(STEP - 11));
	assert_int_equal(r.match, WSMFA_TOTP_FRESH);
	assert_int_equal(r.drift, -10);
	assert_int_equal(check(1, INT32_MAX, -1, AT, code_at(STEP + 11)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(1, INT32_MAX, -1, AT, code_at(STEP + 12)).match, WSMFA_TOTP_NONE);
	assert_int_equal(check(1, INT32_MIN, -1, AT, code_at(STEP - 11)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(1, INT32_MIN, -1, AT, code_at(STEP - 12)).match, WSMFA_TOTP_NONE);
}

/* RFC 6238 section 5.2: no second attempt of a code that was accepted, nor of one before it. */
static void replay_is_told_from_wrong(void **state)
{
	struct wsmfa_totp_result r;

	(void)state;
	r = check(1, 0, STEP, AT, code_at(STEP));
	assert_int_equal(r.match, WSMFA_TOTP_REPLAYED);
	assert_int_equal(r.step, STEP);
	assert_int_equal(check(1, 0, STEP, AT, code_at(STEP - 1)).match, WSMFA_TOTP_REPLAYED);
	assert_int_equal(check(1, 0, STEP, AT, code_at(STEP + 1)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(1, 0, STEP - 1, AT, code_at(STEP)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(1, 0, STEP + 99, AT, code_at(STEP)).match, WSMFA_TOTP_REPLAYED);
	assert_int_equal(check(1, 0, STEP + 99, AT, code_at(STEP + 2)).match, WSMFA_TOTP_NONE);
	assert_int_equal(check(1, 0, -1, AT, code_at(STEP)).match, WSMFA_TOTP_FRESH);
}

/* Two steps of one window with the same six digits are rare, but exist: search one, then the fresh one must win, or the nearer of two. */
static void collision_prefers_the_fresh_step(void **state)
{
	struct wsmfa_totp totp = totp_of(WSMFA_SHA1, 6);
	char codes[21][9];

	(void)state;
	for (int64_t step = 0; step < 2000000; step++) {
		size_t slot = (size_t)(step % 21);

		assert_true(wsmfa_totp_generate(codes[slot], &totp, step));
		for (int64_t back = 1; back <= 10 && back <= step; back++) {
			struct wsmfa_totp_result r;
			int64_t earlier = step - back;

			if (strcmp(codes[slot], codes[earlier % 21]) != 0)
				continue;
			r = wsmfa_totp_check(&totp, 10, 0, earlier, (earlier + 10) * 30 * WSMFA_SECOND, codes[slot]);
			assert_int_equal(r.match, WSMFA_TOTP_FRESH);
			assert_int_equal(r.step, step);
			r = wsmfa_totp_check(&totp, 10, 0, -1, earlier * 30 * WSMFA_SECOND, codes[slot]);
			assert_int_equal(r.step, earlier);
			r = wsmfa_totp_check(&totp, 10, 0, -1, step * 30 * WSMFA_SECOND, codes[slot]);
			assert_int_equal(r.step, step);
			return;
		}
	}
	fail_msg("no collision found");
}

static void code_is_exactly_its_digits(void **state)
{
	static char const *const bad[] = { "",
					   "0",
					   "00592",
					   "0059245",
					   "89005924",
					   "00592a",
					   " 05924",
					   "005924 ",
					   "+05924",
					   "00-5924",
					   "\xEF\xBC\x90\xEF\xBC\x90\xEF\xBC\x95\xEF\xBC\x99\xEF\xBC\x92\xEF\xBC\x94" };

	(void)state;
	assert_string_equal(code_at(1234567890 / 30), "005924");
	assert_int_equal(check(1, 0, -1, 1234567890 * WSMFA_SECOND, "005924").match, WSMFA_TOTP_FRESH); /* control */
	for (size_t i = 0; i < LENGTH(bad); i++)
		assert_int_equal(check(1, 0, -1, 1234567890 * WSMFA_SECOND, bad[i]).match, WSMFA_TOTP_NONE);
}

static void parameters_out_of_range(void **state)
{
	struct wsmfa_secret empty = { .len = 0 }, huge = { .len = WSMFA_SECRET_MAX + 1 };
	struct wsmfa_totp totp;
	char code[9];

#define BROKEN(change)                                                                              \
	totp = totp_of(WSMFA_SHA1, 6);                                                              \
	change;                                                                                     \
	assert_int_equal(wsmfa_totp_check(&totp, 1, 0, -1, AT, "000000").match, WSMFA_TOTP_BROKEN); \
	assert_false(wsmfa_totp_generate(code, &totp, STEP));                                       \
	assert_string_equal(code, "")

	(void)state;
	BROKEN(totp.digits = 5);
	BROKEN(totp.digits = 9);
	BROKEN(totp.period = 14);
	BROKEN(totp.period = 61);
	BROKEN(totp.period = 0);
	BROKEN(totp.key = NULL);
	BROKEN(totp.key = &empty);
	BROKEN(totp.key = &huge);
	BROKEN(totp.algorithm = WSMFA_ALGORITHMS);
	assert_int_equal(check(1, 0, -1, -1, "000000").match, WSMFA_TOTP_BROKEN);
	assert_int_equal(check(1, 0, -1, WSMFA_TIME_NONE, "000000").match, WSMFA_TOTP_BROKEN);
	assert_int_equal(check(1, 0, -1, WSMFA_TIME_FOREVER, "000000").match, WSMFA_TOTP_NONE);
	totp = totp_of(WSMFA_SHA1, 6);
	assert_false(wsmfa_totp_generate(code, &totp, -1));
	assert_false(wsmfa_totp_generate(code, &totp, INT64_MAX));
	/* The first step has no predecessor, and no code stands for it. */
	assert_int_equal(check(1, 0, -1, 0, code_at(0)).match, WSMFA_TOTP_FRESH);
	assert_int_equal(check(1, -10, -1, 0, code_at(0)).match, WSMFA_TOTP_NONE);
}

static void every_period(void **state)
{
	(void)state;
	for (unsigned period = 15; period <= 60; period++) {
		struct wsmfa_totp totp = totp_of(WSMFA_SHA256, 8);
		wsmfa_time_t at = 20000000000 * WSMFA_SECOND;
		struct wsmfa_totp_result r;
		char code[9];

		totp.period = period;
		assert_true(wsmfa_totp_generate(code, &totp, 20000000000 / period));
		r = wsmfa_totp_check(&totp, 0, 0, -1, at, code);
		assert_int_equal(r.match, WSMFA_TOTP_FRESH);
		assert_int_equal(r.step, 20000000000 / period);
	}
}

static void uri_as_apps_read_it(void **state)
{
	struct wsmfa_totp totp = totp_of(WSMFA_SHA256, 8);
	struct wsmfa_secret longest = { .len = WSMFA_SECRET_MAX };
	char out[WSMFA_TOTP_URI_MAX], issuer[65], account[WSMFA_NAME_MAX];
	size_t len;

	(void)state;
	totp.key = &seeds[WSMFA_SHA1];
	len = wsmfa_totp_uri(out, sizeof(out), &totp, "Ex & Co: \xC3\xA5", "a b%@x.example");
	assert_string_equal(out, "otpauth://totp/Ex%20%26%20Co%3A%20%C3%A5:a%20b%25%40x.example"
				 "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ex%20%26%20Co%3A%20%C3%A5"
				 "&algorithm=SHA256&digits=8&period=30");
	assert_int_equal(len, strlen(out));
	assert_int_equal(wsmfa_totp_uri(out, len + 1, &totp, "Ex & Co: \xC3\xA5", "a b%@x.example"), len);
	for (size_t room = 1; room <= len; room++) {
		assert_int_equal(wsmfa_totp_uri(out, room, &totp, "Ex & Co: \xC3\xA5", "a b%@x.example"), 0);
		assert_string_equal(out, "");
	}
	assert_int_equal(wsmfa_totp_uri(out, sizeof(out), &totp, "", "a"), 0);
	assert_int_equal(wsmfa_totp_uri(out, sizeof(out), &totp, "a", ""), 0);
	totp.digits = 5;
	assert_int_equal(wsmfa_totp_uri(out, sizeof(out), &totp, "a", "a"), 0);

	totp = totp_of(WSMFA_SHA512, 8);
	totp.key = &longest;
	memset(issuer, '%', sizeof(issuer) - 1);
	issuer[sizeof(issuer) - 1] = '\0';
	memset(account, '%', sizeof(account) - 1);
	account[sizeof(account) - 1] = '\0';
	assert_int_not_equal(wsmfa_totp_uri(out, sizeof(out), &totp, issuer, account), 0);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(rfc6238_appendix_b),
		cmocka_unit_test(window_has_edges),
		cmocka_unit_test(step_to_the_microsecond),
		cmocka_unit_test(drift_moves_the_window),
		cmocka_unit_test(replay_is_told_from_wrong),
		cmocka_unit_test(collision_prefers_the_fresh_step),
		cmocka_unit_test(code_is_exactly_its_digits),
		cmocka_unit_test(parameters_out_of_range),
		cmocka_unit_test(every_period),
		cmocka_unit_test(uri_as_apps_read_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
