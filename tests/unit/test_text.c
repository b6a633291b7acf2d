/* What people read: one line, bounded, in their language, and nothing of a value that could be taken for something else.
 * Apart from the flow, which says what is said, and when. */
#include "unit.h"

#include <stdlib.h>

#include "core/codec.h"
#include "shipped.h"

/* ---- the shipped files ---- */

static void the_english_file_shows_what_is_built_in(void **state)
{
	static struct shipped_texts en;

	(void)state;
	shipped_texts_read("en", &en);
	for (int id = WSMFA_TEXT_NONE + 1; id < WSMFA_TEXTS; id++)
		assert_string_equal(en.text[id], wsmfa_text_english((enum wsmfa_text)id));
}

static bool is_question(enum wsmfa_text id)
{
	return strncmp(wsmfa_text_setting(id), "ask_", 4) == 0;
}

/* The longest values that a server can bring. */
static struct wsmfa_text_args longest(void)
{
	static char url[101];

	memset(url, 'u', sizeof(url) - 1);
	return (struct wsmfa_text_args) {
		.account = "somebody",
		.client = "255.255.255.255",
		.date = "2024-07-31",
		.key = "AAAA BBBB CCCC DDDD EEEE FFFF GGGG HHHH",
		.methods = "1 push, 2 totp, 3 sms, 4 recovery",
		.number = "12345678",
		.phone = "*****67",
		.show = "Enter 123456 in Duo Mobile.",
		.url = url,
		.count = 9,
		.days = 3650,
		.minutes = 60,
	};
}

/* What tests, users and scripts rely on, in every language. */
static void every_language_keeps_its_promises(void **state)
{
	static char const *const codes[] = { "en", "fi" };
	struct wsmfa_text_args const args = longest();

	(void)state;
	for (size_t i = 0; i < LENGTH(codes); i++) {
		static struct shipped_texts shipped;
		struct wsmfa_texts const texts = { .list = &shipped.language, .len = 1 };

		shipped_texts_read(codes[i], &shipped);
		for (int n = WSMFA_TEXT_NONE + 1; n < WSMFA_TEXTS; n++) {
			enum wsmfa_text const id = (enum wsmfa_text)n;
			char const *text = shipped.text[id];
			size_t const len = strlen(text);
			char const *bad;
			char whole[1024], reply[WSMFA_REPLY_MAX];

			if (len == 0)
				fail_msg("%s: no text %s", codes[i], wsmfa_text_setting(id));
			assert_true(wsmfa_text_check(text, &bad));
			assert_null(wsmfa_text_lacks(id, text));
			assert_true(wsmfa_utf8_valid((uint8_t const *)text, len));
			assert_int_equal(strcmp(text + len - 2, ": ") == 0, is_question(id));
			/* with the longest values nothing has to be cut */
			wsmfa_text_render(whole, sizeof(whole), text, &args);
			wsmfa_text_reply(reply, &texts, codes[i], true, &id, 1, &args);
			assert_string_equal(reply, whole);
		}
		assert_non_null(strstr(shipped.text[WSMFA_TEXT_ASK_BANNER], "enroll"));
		/* the code is the only run of digits */
		assert_null(strpbrk(shipped.text[WSMFA_TEXT_SMS_CODE], "0123456789"));
	}
}

/* ---- rendering ---- */

static void placeholders(void **state)
{
	static struct {
		char const *template, *text;
	} const cases[] = {
		{ "", "" },
		{ "{number}", "42" },
		{ "a {number}{number} b", "a 4242 b" },
		{ "{count} {days} {minutes}", "-1 0 9223372036854775807" },
		{ "{nothing}", "" }, /* refused when the server starts */
		{ "{", "{" },
		{ "{number", "{number" },
		{ "}{number}", "}42" },
		{ "{{number}", "" },
		{ "{url}", "" },
		{ "{count|one|# many}", "-1 many" },
		{ "{days|one|# many}", "0 many" },
		{ "{days|none|one|# many}.", "none." },
		{ "{minutes|none|one|<#> and #}", "<9223372036854775807> and 9223372036854775807" },
		{ "{days||one|many}{days|}{days|only}", "only" }, /* the last two are refused when the server starts */
		{ "{days|a|b|c|d}{nothing|one|many}", "" },
	};
	struct wsmfa_text_args const args = { .number = "42", .count = -1, .minutes = INT64_MAX };
	char out[64];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		size_t const len = wsmfa_text_render(out, sizeof(out), cases[i].template, &args);

		assert_string_equal(out, cases[i].text);
		assert_int_equal(len, strlen(out));
	}
}

static void a_value_is_never_a_template(void **state)
{
	static char const *const values[] = { "{number}", "{", "}", "%{User-Name}", "%s%n", "{key}", "\\n" };

	(void)state;
	for (size_t i = 0; i < LENGTH(values); i++) {
		struct wsmfa_text_args const args = { .account = values[i], .number = "123456", .key = "SECRET" };
		char out[64], expected[64];

		wsmfa_text_render(out, sizeof(out), "<{account}>", &args);
		snprintf(expected, sizeof(expected), "<%s>", values[i]);
		assert_string_equal(out, expected);
	}
}

static void control_characters_of_values_are_blanks(void **state)
{
	struct wsmfa_text_args const args = { .account = "a\nb\r\tc\x1b[2J\x7f" };
	enum wsmfa_text const id = WSMFA_TEXT_PUSH_TITLE;
	struct wsmfa_texts const none = { 0 };
	char out[64], reply[WSMFA_REPLY_MAX];

	(void)state;
	wsmfa_text_render(out, sizeof(out), "{account}", &args);
	assert_string_equal(out, "a b  c [2J ");
	wsmfa_text_reply(reply, &none, "en", false, &id, 1, &args);
	assert_string_equal(reply, "Login of a b  c [2J ");
}

/* However little room there is, it is kept to, and no character is cut in two. */
static void any_room(void **state)
{
	struct wsmfa_text_args const args = { .account = "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80" };

	(void)state;
	for (size_t size = 0; size < 24; size++) {
		char *out = malloc(size + 1); // so that writing behind it is seen
		size_t len;

		assert_non_null(out);
		out[size] = 'X';
		len = wsmfa_text_render(out, size, "a{account}\xC3\xB6", &args);
		assert_int_equal(out[size], 'X');
		assert_true(size == 0 ? len == 0 : len < size);
		if (size > 0) {
			assert_int_equal(strlen(out), len);
			assert_true(wsmfa_utf8_valid((uint8_t const *)out, len));
		}
		free(out);
	}
}

static void unknown_placeholders_are_found(void **state)
{
	char const *bad = NULL;

	(void)state;
	assert_true(wsmfa_text_check("", &bad));
	assert_true(wsmfa_text_check(
		"{account}{client}{count}{date}{days}{key}{methods}{minutes}{number}{phone}{show}{url}", &bad));
	assert_null(bad);
	assert_false(wsmfa_text_check("a {urls}", &bad));
	assert_string_equal(bad, "{urls}");
	assert_false(wsmfa_text_check("a {url} {", &bad));
	assert_string_equal(bad, "{");
	assert_false(wsmfa_text_check("{}", &bad));
	assert_false(wsmfa_text_check("{Url}", &bad));
	assert_true(wsmfa_text_check("{count|a|b} {days|a|b|c} {minutes||}", &bad));
	assert_false(wsmfa_text_check("{count|a}", &bad));
	assert_false(wsmfa_text_check("{count|a|b|c|d}", &bad));
	assert_false(wsmfa_text_check("{counts|a|b}", &bad));
	assert_false(wsmfa_text_check("{number|a|b}", &bad)); // no figure, but digits that are shown as they are
	assert_false(wsmfa_text_check("{count|a|{days}}", &bad));
	assert_string_equal(bad, "{count|a|{days}}");
	assert_false(wsmfa_text_check("{count|a|b", &bad));
}

/* One, none, many, in the languages that are shipped. */
static void figures_have_forms(void **state)
{
	static struct {
		enum wsmfa_text id;
		int64_t figure;
		char const *en, *fi;
	} const cases[] = {
		{ WSMFA_TEXT_REFUSE_LOCKED, 1, "Too many wrong codes. Try again in a minute.",
		  "Liian monta v\xC3\xA4\xC3\xA4r\xC3\xA4\xC3\xA4 koodia. Yrit\xC3\xA4 uudelleen 1 minuutin kuluttua." },
		{ WSMFA_TEXT_REFUSE_LOCKED, 60, "Too many wrong codes. Try again in 60 minutes.",
		  "Liian monta v\xC3\xA4\xC3\xA4r\xC3\xA4\xC3\xA4 koodia. Yrit\xC3\xA4 uudelleen 60 minuutin kuluttua." },
		{ WSMFA_TEXT_BANNER_EXEMPT, 1, "You are exempt from the second factor for one more day. Set it up at U",
		  "Sinulta ei vaadita toista tunnistetta viel\xC3\xA4 1 p\xC3\xA4iv\xC3\xA4\xC3\xA4n. Ota se k\xC3\xA4ytt\xC3\xB6\xC3\xB6n: U" },
		{ WSMFA_TEXT_BANNER_EXEMPT, 2, "You are exempt from the second factor for 2 more days. Set it up at U",
		  "Sinulta ei vaadita toista tunnistetta viel\xC3\xA4 2 p\xC3\xA4iv\xC3\xA4\xC3\xA4n. Ota se k\xC3\xA4ytt\xC3\xB6\xC3\xB6n: U" },
		{ WSMFA_TEXT_RECOVERY_LEFT, 0, "You have no recovery codes left.",
		  "Palautuskoodeja ei ole en\xC3\xA4\xC3\xA4 j\xC3\xA4ljell\xC3\xA4." },
		{ WSMFA_TEXT_RECOVERY_LEFT, 1, "You have one recovery code left.",
		  "Palautuskoodeja on j\xC3\xA4ljell\xC3\xA4 yksi." },
		{ WSMFA_TEXT_RECOVERY_LEFT, 9, "You have 9 recovery codes left.",
		  "Palautuskoodeja on j\xC3\xA4ljell\xC3\xA4 9." },
	};
	static struct shipped_texts en, fi;

	(void)state;
	shipped_texts_read("en", &en);
	shipped_texts_read("fi", &fi);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct wsmfa_text_args const args = {
			.url = "U", .count = cases[i].figure, .days = cases[i].figure, .minutes = cases[i].figure
		};
		char out[WSMFA_REPLY_MAX];

		wsmfa_text_render(out, sizeof(out), en.text[cases[i].id], &args);
		assert_string_equal(out, cases[i].en);
		wsmfa_text_render(out, sizeof(out), fi.text[cases[i].id], &args);
		assert_string_equal(out, cases[i].fi);
	}
}

static void what_a_text_needs(void **state)
{
	(void)state;
	assert_string_equal(wsmfa_text_lacks(WSMFA_TEXT_ASK_ENROLL_TOTP, "Add {key} to your app: "), ": {key}.");
	assert_null(wsmfa_text_lacks(WSMFA_TEXT_ASK_ENROLL_TOTP, "Key: {key}. Code: "));
	assert_string_equal(wsmfa_text_lacks(WSMFA_TEXT_SMS_CODE, "Your code is {numbers}"), "{number}");
	assert_string_equal(wsmfa_text_lacks(WSMFA_TEXT_RECOVERY_LEFT, "Some {days|one|many} left"), "{count}");
	assert_null(wsmfa_text_lacks(WSMFA_TEXT_RECOVERY_LEFT, "{count}"));
	assert_null(wsmfa_text_lacks(WSMFA_TEXT_RECOVERY_LEFT, "{count|one|many} left"));
	assert_string_equal(wsmfa_text_lacks(WSMFA_TEXT_ASK_ENROLL_TICKET, "Kertakoodi: "), "ticket");
	assert_null(wsmfa_text_lacks(WSMFA_TEXT_REFUSE_BUSY, ""));
	assert_null(wsmfa_text_lacks(WSMFA_TEXT_NONE, ""));
	assert_null(wsmfa_text_lacks(WSMFA_TEXTS, ""));
}

/* ---- languages ---- */

static struct wsmfa_language const languages[] = {
	{ .code = "pt", .text = { [WSMFA_TEXT_REFUSE_BUSY] = "ocupado" } },
	{ .code = "fi",
	  .text = { [WSMFA_TEXT_REFUSE_BUSY] = "varattu",
		    [WSMFA_TEXT_NOTE_TIMEOUT] = "Ei vastausta.",
		    [WSMFA_TEXT_ASK_TOTP] = "Sy\xC3\xB6t\xC3\xA4 koodi: " } },
	{ .code = "en", .text = { [WSMFA_TEXT_REFUSE_DENIED] = "no" } },
	{ .code = "pt-BR", .text = { [WSMFA_TEXT_REFUSE_DENIED] = "nao" } },
};

static void languages_fall_back(void **state)
{
	struct wsmfa_texts const texts = { .list = languages, .len = LENGTH(languages) };
	struct wsmfa_texts const none = { 0 };

	(void)state;
	assert_string_equal(wsmfa_text_template(&texts, "fi", WSMFA_TEXT_REFUSE_BUSY), "varattu");
	assert_string_equal(wsmfa_text_template(&texts, "fi-FI", WSMFA_TEXT_REFUSE_BUSY), "varattu");
	assert_string_equal(wsmfa_text_template(&texts, "pt_PT", WSMFA_TEXT_REFUSE_BUSY), "ocupado");
	assert_string_equal(wsmfa_text_template(&texts, "pt-BR", WSMFA_TEXT_REFUSE_DENIED), "nao");
	/* what a language lacks is English: the server's, else the module's */
	assert_string_equal(wsmfa_text_template(&texts, "fi", WSMFA_TEXT_REFUSE_DENIED), "no");
	assert_string_equal(wsmfa_text_template(&texts, "fi", WSMFA_TEXT_REFUSE_FULL),
			    wsmfa_text_english(WSMFA_TEXT_REFUSE_FULL));
	assert_string_equal(wsmfa_text_template(&texts, "f", WSMFA_TEXT_REFUSE_DENIED), "no");
	assert_string_equal(wsmfa_text_template(&texts, "", WSMFA_TEXT_REFUSE_DENIED), "no");
	assert_string_equal(wsmfa_text_template(&none, "fi", WSMFA_TEXT_REFUSE_BUSY),
			    wsmfa_text_english(WSMFA_TEXT_REFUSE_BUSY));
	/* a language with the region falls back to the one without, text by text */
	assert_string_equal(wsmfa_text_template(&texts, "pt-BR", WSMFA_TEXT_REFUSE_BUSY), "ocupado");
}

static void ascii_unless_the_client_can_more(void **state)
{
	struct wsmfa_texts const texts = { .list = languages, .len = LENGTH(languages) };
	enum wsmfa_text const totp[] = { WSMFA_TEXT_NOTE_TIMEOUT, WSMFA_TEXT_NONE, WSMFA_TEXT_ASK_TOTP };
	enum wsmfa_text const busy[] = { WSMFA_TEXT_REFUSE_BUSY };
	enum wsmfa_text const title[] = { WSMFA_TEXT_PUSH_TITLE };
	struct wsmfa_text_args const args = { .account = "j\xC3\xB6rg" };
	char out[WSMFA_REPLY_MAX];

	(void)state;
	wsmfa_text_reply(out, &texts, "fi", true, totp, LENGTH(totp), &args);
	assert_string_equal(out, "Ei vastausta. Sy\xC3\xB6t\xC3\xA4 koodi: ");
	/* all of a message is in one language */
	wsmfa_text_reply(out, &texts, "fi", false, totp, LENGTH(totp), &args);
	assert_string_equal(out,
			    "No answer came from your phone. Enter the code from your authenticator app (? for other "
			    "ways): ");
	wsmfa_text_reply(out, &texts, "fi", false, busy, 1, &args);
	assert_string_equal(out, "varattu");
	/* a value that is not ASCII, for want of anything better */
	wsmfa_text_reply(out, &texts, "fi", false, title, 1, &args);
	assert_string_equal(out, "Login of j??rg");
	wsmfa_text_reply(out, &texts, "fi", true, title, 1, &args);
	assert_string_equal(out, "Login of j\xC3\xB6rg");
}

/* ---- 253 octets ---- */

static char long_note[300], long_question[700], umlauts[700];

static struct wsmfa_language const wordy[] = {
	{ .code = "en",
	  .text = { [WSMFA_TEXT_NOTE_TIMEOUT] = long_note,
		    [WSMFA_TEXT_ASK_TOTP] = long_question,
		    [WSMFA_TEXT_ASK_RECOVERY] = umlauts,
		    [WSMFA_TEXT_REFUSE_BUSY] = long_question } },
};

static void wordy_make(size_t note, size_t question)
{
	memset(long_note, 'n', note);
	long_note[note] = '\0';
	memset(long_question, 'q', question);
	memcpy(long_question + question - 2, ": ", 3);
	for (size_t i = 0; i + 2 < question; i++)
		umlauts[i] = i % 2 ? '\xA4' : '\xC3';
	memcpy(umlauts + (question - 2) / 2 * 2, ": ", 3);
}

/* Whatever the sentences are: at most 253 octets, valid UTF-8, and a question that ends as one. */
static void a_message_fits(void **state)
{
	static size_t const lengths[] = { 3, 50, 125, 126, 127, 250, 251, 252, 253, 254, 255, 256, 299 };
	struct wsmfa_texts const texts = { .list = wordy, .len = 1 };
	struct wsmfa_text_args const none = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		for (size_t j = 0; j < LENGTH(lengths) + 3; j++) {
			static size_t const more[] = { 510, 512, 600 };
			size_t const question = j < LENGTH(lengths) ? lengths[j] : more[j - LENGTH(lengths)];
			enum wsmfa_text const ids[] = { WSMFA_TEXT_NOTE_TIMEOUT, WSMFA_TEXT_NOTE_METHODS,
							j % 2 ? WSMFA_TEXT_ASK_TOTP : WSMFA_TEXT_ASK_RECOVERY };
			char out[WSMFA_REPLY_MAX];
			size_t len;

			wordy_make(lengths[i], question);
			len = wsmfa_text_reply(out, &texts, "en", true, ids, LENGTH(ids), &none);
			assert_in_range(len, 2, 253);
			assert_int_equal(strlen(out), len);
			assert_true(wsmfa_utf8_valid((uint8_t const *)out, len));
			assert_string_equal(out + len - 2, ": ");
			/* the first sentences give way, whole */
			if (lengths[i] + question + 25 > 253 && question < 252)
				assert_int_not_equal(out[0], 'n');
		}
	}
}

static void the_first_sentence_gives_way(void **state)
{
	struct wsmfa_texts const texts = { .list = wordy, .len = 1 };
	enum wsmfa_text const ids[] = { WSMFA_TEXT_NOTE_TIMEOUT, WSMFA_TEXT_NOTE_WRONG_CODE, WSMFA_TEXT_ASK_TOTP };
	enum wsmfa_text const refusal[] = { WSMFA_TEXT_REFUSE_BUSY };
	struct wsmfa_text_args const none = { 0 };
	char out[WSMFA_REPLY_MAX];

	(void)state;
	wordy_make(100, 128);
	assert_int_equal(wsmfa_text_reply(out, &texts, "en", false, ids, 3, &none), 253); // 100 + 1 + 23 + 1 + 128
	assert_int_equal(out[0], 'n');
	wordy_make(100, 129);
	assert_int_equal(wsmfa_text_reply(out, &texts, "en", false, ids, 3, &none), 153);
	assert_memory_equal(out, "That code is not right. qqq", 27);
	wordy_make(100, 253);
	assert_int_equal(wsmfa_text_reply(out, &texts, "en", false, ids, 3, &none), 253);
	assert_int_equal(out[0], 'q');
	wordy_make(100, 600);
	assert_int_equal(wsmfa_text_reply(out, &texts, "en", false, refusal, 1, &none), 253);
	/* nothing to say is nothing */
	assert_int_equal(wsmfa_text_reply(out, &texts, "en", false, refusal, 0, &none), 0);
	assert_string_equal(out, "");
}

static void names_of_texts(void **state)
{
	(void)state;
	assert_null(wsmfa_text_setting(WSMFA_TEXT_NONE));
	assert_null(wsmfa_text_setting(WSMFA_TEXTS));
	assert_string_equal(wsmfa_text_english(WSMFA_TEXT_NONE), "");
	assert_string_equal(wsmfa_text_english(WSMFA_TEXTS), "");
}

int main(void)
{
	static struct CMUnitTest const tests[] = {
		cmocka_unit_test(the_english_file_shows_what_is_built_in),
		cmocka_unit_test(every_language_keeps_its_promises),
		cmocka_unit_test(placeholders),
		cmocka_unit_test(a_value_is_never_a_template),
		cmocka_unit_test(control_characters_of_values_are_blanks),
		cmocka_unit_test(any_room),
		cmocka_unit_test(unknown_placeholders_are_found),
		cmocka_unit_test(figures_have_forms),
		cmocka_unit_test(what_a_text_needs),
		cmocka_unit_test(languages_fall_back),
		cmocka_unit_test(ascii_unless_the_client_can_more),
		cmocka_unit_test(a_message_fits),
		cmocka_unit_test(the_first_sentence_gives_way),
		cmocka_unit_test(names_of_texts),
	};
	return _cmocka_run_group_tests("text", tests, LENGTH(tests), NULL, NULL);
}
