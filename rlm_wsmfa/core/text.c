/*
 * Rendering of the sentences in text.h. It stands apart from who says them: templates in, one bounded line out.
 */
#include "core/text.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

static struct {
	char const *setting;
	char const *english;
} const built_in[WSMFA_TEXTS] = {
#define TEXT_ROW(id, name, words) [WSMFA_TEXT_##id] = { .setting = name, .english = words },
	WSMFA_TEXT_LIST(TEXT_ROW)
#undef TEXT_ROW
};

char const *wsmfa_text_setting(enum wsmfa_text id)
{
	return id > WSMFA_TEXT_NONE && id < WSMFA_TEXTS ? built_in[id].setting : NULL;
}

char const *wsmfa_text_english(enum wsmfa_text id)
{
	return id > WSMFA_TEXT_NONE && id < WSMFA_TEXTS ? built_in[id].english : "";
}

/** Value of the placeholder name[0..len), or NULL when there is none of that name. `number` is room for figures. */
static char const *value_of(char const *name, size_t len, struct wsmfa_text_args const *args, char number[24])
{
	struct {
		char const *name;
		char const *value;
	} const words[] = {
		{ "account", args->account }, { "client", args->client },   { "date", args->date },
		{ "key", args->key },         { "methods", args->methods }, { "number", args->number },
		{ "phone", args->phone },     { "show", args->show },       { "url", args->url },
	};
	struct {
		char const *name;
		int64_t value;
	} const figures[] = { { "count", args->count }, { "days", args->days }, { "minutes", args->minutes } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) == len && memcmp(words[i].name, name, len) == 0) {
			return words[i].value ? words[i].value : "";
		}
	}
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		if (strlen(figures[i].name) == len && memcmp(figures[i].name, name, len) == 0) {
			snprintf(number, 24, "%lld", (long long)figures[i].value);
			return number;
		}
	}
	return NULL;
}

bool wsmfa_text_check(char const *template, char const **bad)
{
	struct wsmfa_text_args const none = { 0 };
	char number[24];

	for (char const *p = strchr(template, '{'); p; p = strchr(p + 1, '{')) {
		char const *end = strchr(p, '}');

		if (!end || !value_of(p + 1, (size_t)(end - p - 1), &none, number)) {
			*bad = p;
			return false;
		}
	}
	return true;
}

/** Cuts at size, but not inside a UTF-8 sequence. */
static size_t cut(char const *text, size_t len, size_t most)
{
	if (len <= most)
		return len;
	while (most > 0 && ((uint8_t)text[most] & 0xC0) == 0x80)
		most--;
	return most;
}

static size_t put(char *out, size_t at, size_t size, char const *text, size_t len, bool foreign)
{
	len = cut(text, len, size - 1 - at);
	for (size_t i = 0; i < len; i++) {
		uint8_t const c = (uint8_t)text[i];

		out[at + i] = foreign && (c < 0x20 || c == 0x7F) ? ' ' : text[i];
	}
	return at + len;
}

size_t wsmfa_text_render(char *out, size_t size, char const *template, struct wsmfa_text_args const *args)
{
	size_t at = 0;

	if (size == 0)
		return 0;
	while (*template) {
		char const *open = strchr(template, '{');
		char const *close = open ? strchr(open, '}') : NULL;
		char number[24];
		char const *value;

		if (!close) {
			at = put(out, at, size, template, strlen(template), false);
			break;
		}
		at = put(out, at, size, template, (size_t)(open - template), false);
		value = value_of(open + 1, (size_t)(close - open - 1), args, number);
		if (value)
			at = put(out, at, size, value, strlen(value), true);
		template = close + 1;
	}
	out[at] = '\0';
	return at;
}

/** The text of the language code[0..len), NULL where there is none. */
static char const *text_find(struct wsmfa_texts const *texts, char const *code, size_t len, enum wsmfa_text id)
{
	for (size_t i = 0; i < texts->len; i++) {
		struct wsmfa_language const *l = &texts->list[i];

		if (strlen(l->code) == len && memcmp(l->code, code, len) == 0)
			return l->text[id];
	}
	return NULL;
}

char const *wsmfa_text_template(struct wsmfa_texts const *texts, char const *code, enum wsmfa_text id)
{
	char const *text = text_find(texts, code, strlen(code), id);

	if (!text)
		text = text_find(texts, code, strcspn(code, "-_"), id);
	if (!text)
		text = text_find(texts, "en", 2, id);
	return text ? text : wsmfa_text_english(id);
}

static bool is_ascii(char const *text)
{
	while (*text) {
		if ((uint8_t)*text++ >= 0x80)
			return false;
	}
	return true;
}

static bool is_question(char const *template)
{
	size_t const len = strlen(template);

	return len >= 2 && strcmp(template + len - 2, ": ") == 0;
}

/** All sentences, joined by blanks; sentences before the last are left out from the front until it fits. */
static void join(char out[WSMFA_REPLY_MAX], struct wsmfa_texts const *texts, char const *code,
		 enum wsmfa_text const *ids, size_t len, struct wsmfa_text_args const *args)
{
	char part[4][2 * WSMFA_REPLY_MAX] = { "" }; // what is longer is cut anyway
	char const *last = "";
	size_t parts = 0;
	size_t first = 0;
	size_t total = 0;
	size_t at = 0;

	for (size_t i = 0; i < len && parts < 4; i++) {
		if (ids[i] == WSMFA_TEXT_NONE)
			continue;
		last = wsmfa_text_template(texts, code, ids[i]);
		total += wsmfa_text_render(part[parts], sizeof(part[0]), last, args);
		total += parts ? 1 : 0;
		parts++;
	}
	while (total >= WSMFA_REPLY_MAX && first + 1 < parts)
		total -= strlen(part[first++]) + 1;

	for (size_t i = first; i < parts; i++) {
		if (i > first)
			at = put(out, at, WSMFA_REPLY_MAX, " ", 1, false);
		at = put(out, at, WSMFA_REPLY_MAX, part[i], strlen(part[i]), true);
	}
	out[at] = '\0';

	/* A question that was cut keeps its end: clients show it as the prompt. */
	if (total >= WSMFA_REPLY_MAX && is_question(last)) {
		at = cut(out, at, WSMFA_REPLY_MAX - 3);
		memcpy(out + at, ": ", 3);
	}
	OPENSSL_cleanse(part, sizeof(part)); /* the key of an enrolment */
}

size_t wsmfa_text_reply(char out[WSMFA_REPLY_MAX], struct wsmfa_texts const *texts, char const *code, bool utf8,
			enum wsmfa_text const *ids, size_t len, struct wsmfa_text_args const *args)
{
	join(out, texts, code, ids, len, args);
	if (!utf8 && !is_ascii(out)) {
		join(out, texts, "en", ids, len, args);
		for (char *p = out; *p; p++) {
			if ((uint8_t)*p >= 0x80)
				*p = '?';
		}
	}
	return strlen(out);
}
