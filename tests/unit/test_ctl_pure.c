/* The other pure parts of wsmfactl: arguments by usage lines, times with a zone, stored passwords.
 * Apart from its server tests, which need a database. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "wsmfactl/args.h"
#include "wsmfactl/password.h"
#include "wsmfactl/when.h"

#define USAGE "NAME approve|deny [EXTRA] --org ORG --service S[,S] [--digits 6|8] [--list S[,S]] [--flag]"

static bool parse(struct ctl_args *args, int argc, char const *const *argv, char *why)
{
	char *copy[16];

	for (int i = 0; i < argc; i++)
		copy[i] = (char *)(uintptr_t)argv[i];
	return ctl_args_parse(USAGE, argc, copy, args, why, 256);
}

#define PARSE(...)                                                                     \
	parse(&args, (int)(sizeof((char const *[]) { __VA_ARGS__ }) / sizeof(char *)), \
	      (char const *[]) { __VA_ARGS__ }, why)

static void usage_is_read(void **state)
{
	char const *p = USAGE;
	struct ctl_token token;
	char out[512] = "";

	(void)state;
	while (ctl_usage_next(&p, &token))
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s=%s%s ", token.option ? "o:" : "",
			 token.name, token.value, token.required ? "!" : "");
	assert_string_equal(out, "NAME=! approve|deny=! EXTRA= o:--org=ORG! o:--service=S[,S]! o:--digits=6|8 "
				 "o:--list=S[,S] o:--flag= ");
}

static void args_are_parsed(void **state)
{
	struct ctl_args args;
	char why[256] = "";

	(void)state;
	assert_true(PARSE("bob", "--org", "Acme", "approve", "--service=a,b", "--flag", "--digits", "8"));
	assert_string_equal(ctl_operand(&args, 0), "bob");
	assert_string_equal(ctl_operand(&args, 1), "approve");
	assert_null(ctl_operand(&args, 2));
	assert_string_equal(ctl_option(&args, "--org"), "Acme");
	assert_string_equal(ctl_option(&args, "--service"), "a,b");
	assert_string_equal(ctl_option(&args, "--digits"), "8");
	assert_string_equal(ctl_option(&args, "--flag"), "");
	assert_null(ctl_option(&args, "--list"));
	/* A value may look like anything, and -- makes an operand of anything. */
	assert_true(PARSE("--org=", "--service", "--flag", "--", "--bob", "deny", "-"));
	assert_string_equal(ctl_operand(&args, 0), "--bob");
	assert_string_equal(ctl_option(&args, "--org"), "");
	assert_string_equal(ctl_option(&args, "--service"), "--flag");
}

static void args_are_refused(void **state)
{
	struct ctl_args args;
	char why[256] = "";

	(void)state;
	assert_false(PARSE("bob"));
	assert_string_equal(why, "approve|deny is missing");
	assert_false(PARSE("bob", "deny", "--service", "a"));
	assert_string_equal(why, "--org is missing");
	assert_false(PARSE("bob", "maybe"));
	assert_string_equal(why, "\"maybe\" is not one of approve|deny");
	assert_false(PARSE("bob", "deny", "x", "y"));
	assert_string_equal(why, "one argument too many: \"y\"");
	assert_false(PARSE("--digits", "7"));
	assert_string_equal(why, "--digits is one of 6|8");
	assert_false(PARSE("--flag=1"));
	assert_string_equal(why, "--flag takes no value");
	assert_false(PARSE("--org", "a", "--org", "b"));
	assert_string_equal(why, "--org was given twice");
	assert_false(PARSE("--org"));
	assert_string_equal(why, "--org needs a value: ORG");
	assert_false(PARSE("--or", "x"));
	assert_string_equal(why, "there is no option --or");
	assert_false(PARSE("-x"));
	assert_string_equal(why, "there is no option -x");
}

static void times_are_parsed(void **state)
{
	static struct {
		char const *text;
		char const *utc;
	} const cases[] = {
		{ "2024-04-22T00:00:00Z", "2024-04-22T00:00:00.000000+00:00" },
		{ "2024-04-22 00:00 +02:00", "2024-04-21T22:00:00.000000+00:00" },
		{ "2024-04-22t00:00:00.5-0330", "2024-04-22T03:30:00.500000+00:00" },
		{ "2024-02-29T23:59:59.999999+00", "2024-02-29T23:59:59.999999+00:00" },
		{ "2000-02-29T12:00z", "2000-02-29T12:00:00.000000+00:00" },
		{ "1970-01-01T00:00Z", "1970-01-01T00:00:00.000000+00:00" },
		{ "1970-01-01T00:00:00.000001+00:30", "1969-12-31T23:30:00.000001+00:00" },
		{ "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000+00:00" },
		{ "2100-03-01T00:00Z", "2100-03-01T00:00:00.000000+00:00" },
	};
	char out[CTL_WHEN_MAX];
	wsmfa_time_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char const *why = ctl_when_parse(cases[i].text, &t);

		if (why)
			fail_msg("%s %s", cases[i].text, why);
		ctl_when_format(t, out);
		assert_string_equal(out, cases[i].utc);
	}
	assert_null(ctl_when_parse("2001-09-09T01:46:40Z", &t));
	assert_int_equal(t, 1000000000 * WSMFA_SECOND);
}

static void times_are_refused(void **state)
{
	static char const *const cases[] = {
		"",
		"now",
		"tomorrow",
		"2024",
		"2024-04-22",
		"2024-04-22T00:00:00",
		"2024-04-22 00:00",
		"2024-04-22T00:00 CET",
		"2024-04-22T24:00Z",
		"2024-04-22T00:60Z",
		"2024-04-22T00:00:60Z",
		"2024-13-01T00:00Z",
		"2024-00-01T00:00Z",
		"2024-04-31T00:00Z",
		"2023-02-29T00:00Z",
		"2100-02-29T00:00Z",
		"1969-12-31T00:00Z",
		"2024-4-22T00:00Z",
		"2024-04-22T0:00Z",
		"2024-04-22T00:00:00.Z",
		"2024-04-22T00:00:00.1234567Z",
		"2024-04-22T00:00+2",
		"2024-04-22T00:00+02:",
		"2024-04-22T00:00+02:0",
		"2024-04-22T00:00+16:00",
		"2024-04-22T00:00+02:60",
		"2024-04-22T00:00Zx",
		"2024-04-22T00:00+02:00 ",
		" 2024-04-22T00:00Z",
		"22.4.2024 00:00Z",
		"infinity",
	};
	wsmfa_time_t t = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (!ctl_when_parse(cases[i], &t))
			fail_msg("\"%s\" was taken", cases[i]);
		assert_int_equal(t, 7);
	}
	assert_string_equal(ctl_when_parse("2024-04-22T00:00", &t), "has no zone; add one, like Z or +02:00");
}

static void local_times_are_parsed(void **state)
{
	char out[CTL_WHEN_MAX];

	(void)state;
	assert_null(ctl_when_parse_local("2024-04-22", out));
	assert_string_equal(out, "2024-04-22 00:00:00.000000");
	assert_null(ctl_when_parse_local("2024-04-22T08:30", out));
	assert_string_equal(out, "2024-04-22 08:30:00.000000");
	assert_non_null(ctl_when_parse_local("2024-04-22T08:30Z", out));
	assert_non_null(ctl_when_parse_local("2024-04-31", out));
}

static void password_headers_are_known(void **state)
{
	(void)state;
	assert_true(ctl_password_is_stored("{clear}secret"));
	assert_true(ctl_password_is_stored("{CRYPT}$6$x"));
	assert_true(ctl_password_is_stored("{X-PBKDF2}HMACSHA2+256:AAGGoA:x:y"));
	assert_false(ctl_password_is_stored("secret"));
	assert_false(ctl_password_is_stored("{}x"));
	assert_false(ctl_password_is_stored("{clear"));
	assert_false(ctl_password_is_stored("{clea}x"));
	assert_false(ctl_password_is_stored("x{clear}"));
}

/* The hash is what Python's hashlib.pbkdf2_hmac makes of the same. */
static void password_is_hashed(void **state)
{
	uint8_t const salt[CTL_PASSWORD_SALT] = "0123456789abcdef";
	char out[CTL_PASSWORD_STORED_MAX];

	(void)state;
	assert_true(ctl_password_hash("hello", 1000, salt, out));
	assert_string_equal(
		out,
		"{x-pbkdf2}HMACSHA2+256:AAAD6A==:MDEyMzQ1Njc4OWFiY2RlZg==:FaVqtG4aOWjQpif2EqBCoyd2helw2UNKjcVUU6hJYBE=");
	assert_true(ctl_password_is_stored(out));
	assert_false(ctl_password_hash("hello", 0, salt, out));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(usage_is_read),
		cmocka_unit_test(args_are_parsed),
		cmocka_unit_test(args_are_refused),
		cmocka_unit_test(times_are_parsed),
		cmocka_unit_test(times_are_refused),
		cmocka_unit_test(local_times_are_parsed),
		cmocka_unit_test(password_headers_are_known),
		cmocka_unit_test(password_is_hashed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
