/*
 * Answers sorted by form.
 * Apart from the flow, so that it never sees an octet that was not expected.
 */
#include "core/answer.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>

#include "core/code.h"

static char const *const keywords[] = {
	[WSMFA_KEYWORD_NONE] = NULL,   [WSMFA_KEYWORD_PUSH] = "push",         [WSMFA_KEYWORD_SMS] = "sms",
	[WSMFA_KEYWORD_TOTP] = "totp", [WSMFA_KEYWORD_RECOVERY] = "recovery", [WSMFA_KEYWORD_ENROLL] = "enroll",
};

_Static_assert(sizeof(keywords) / sizeof(keywords[0]) == WSMFA_KEYWORDS, "a word for every keyword");

char const *wsmfa_keyword_word(enum wsmfa_keyword keyword)
{
	return (size_t)keyword < WSMFA_KEYWORDS ? keywords[keyword] : NULL;
}

/* The octets spell this small word, in any case. */
static bool spells(char const *text, size_t len, char const *word)
{
	if (strlen(word) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != word[i])
			return false;
	}
	return true;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits with blanks and dashes between them, which are left out of the text. Returns how many, 0 if anything else is there. */
static size_t digits_only(char *out, size_t outlen, char const *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == ' ' || text[i] == '-')
			continue;
		if (!digit(text[i]) || n + 1 >= outlen)
			return 0;
		out[n++] = text[i];
	}
	out[n] = '\0';
	return n;
}

static enum wsmfa_answer_class sort(struct wsmfa_answer *out, char const *text, size_t len)
{
	if (spells(text, len, "?") || spells(text, len, "help"))
		return WSMFA_ANSWER_HELP;
	for (size_t i = WSMFA_KEYWORD_NONE + 1; i < WSMFA_KEYWORDS; i++) {
		if (spells(text, len, keywords[i])) {
			out->keyword = (enum wsmfa_keyword)i;
			return WSMFA_ANSWER_KEYWORD;
		}
	}
	if (len <= 2 && digit(text[0]) && digit(text[len - 1])) {
		for (size_t i = 0; i < len; i++)
			out->choice = 10 * out->choice + (unsigned)(text[i] - '0');
		return WSMFA_ANSWER_CHOICE;
	}
	out->len = digits_only(out->text, sizeof(out->text), text, len);
	if (out->len >= 6 && out->len <= 8)
		return WSMFA_ANSWER_CODE;
	out->len = wsmfa_code_normalise(out->text, sizeof(out->text), text, len);
	if (out->len > 0)
		return WSMFA_ANSWER_WORD;
	OPENSSL_cleanse(out->text, sizeof(out->text));
	return WSMFA_ANSWER_BAD;
}

void wsmfa_answer_parse(struct wsmfa_answer *out, uint8_t const *octets, size_t len)
{
	size_t first = 0;

	memset(out, 0, sizeof(*out));
	if (len > WSMFA_ANSWER_MAX)
		return;
	for (size_t i = 0; i < len; i++) {
		if (octets[i] < 0x20 || octets[i] > 0x7E)
			return;
	}
	while (len > 0 && octets[len - 1] == ' ')
		len--;
	while (first < len && octets[first] == ' ')
		first++;
	if (first == len) {
		out->class = WSMFA_ANSWER_EMPTY;
		return;
	}
	out->class = sort(out, (char const *)octets + first, len - first);
}

void wsmfa_answer_wipe(struct wsmfa_answer *answer)
{
	OPENSSL_cleanse(answer, sizeof(*answer));
}
