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

/** One placeholder: "{name}", or of a figure "{name|one|many}" or "{name|none|one|many}". */
struct placeholder {
	char const *value; //!< NULL for none of that name
	bool is_figure;
	char const *forms; //!< behind the first bar, NULL for none
	size_t forms_len;
};

/** @param open its brace, @param close the one that ends it, @param number room for the value of a figure */
static struct placeholder placeholder_read(char const *open, char const *close, struct wsmfa_text_args const *args,
					   char number[24])
{
	char const *const bar = memchr(open, '|', (size_t)(close - open));
	struct placeholder p = { .value = value_of(open + 1, (size_t)((bar ? bar : close) - open - 1), args, number) };

	p.is_figure = p.value == number;
	if (bar) {
		p.forms = bar + 1;
		p.forms_len = (size_t)(close - bar - 1);
	}
	return p;
}

/** How many forms there are, and where the one for this value is. */
static size_t form_find(struct placeholder const *p, char const **form, size_t *len)
{
	char const *at[3] = { p->forms };
	size_t size[3] = { 0 };
	size_t n = 0;
	size_t chosen;

	for (size_t i = 0; i < p->forms_len; i++) {
		if (p->forms[i] != '|') {
			size[n]++;
		} else if (++n < 3) {
			at[n] = p->forms + i + 1;
		} else {
			return n + 1;
		}
	}
	if (n > 0 && strcmp(p->value, "1") == 0)
		chosen = n - 1;
	else if (n == 2 && strcmp(p->value, "0") == 0)
		chosen = 0;
	else
		chosen = n;
	*form = at[chosen];
	*len = size[chosen];
	return n + 1;
}

bool wsmfa_text_check(char const *template, char const **bad)
{
	struct wsmfa_text_args const none = { 0 };
	char number[24];

	for (char const *open = strchr(template, '{'); open; open = strchr(open + 1, '{')) {
		char const *close = strchr(open, '}');
		struct placeholder p = { 0 };
		char const *form;
		size_t len, forms = 2;

		if (close)
			p = placeholder_read(open, close, &none, number);
		if (p.value && p.forms)
			forms = p.is_figure && !memchr(p.forms, '{', p.forms_len) ? form_find(&p, &form, &len) : 0;
		if (!p.value || (forms != 2 && forms != 3)) {
			*bad = open;
			return false;
		}
	}
	return true;
}

/** What a text is of no use without, or what its readers are promised. */
static char const *const needed[WSMFA_TEXTS] = {
	[WSMFA_TEXT_ASK_SMS] = "{phone}",
	[WSMFA_TEXT_ASK_PUSH_NUMBER] = "{number}",
	[WSMFA_TEXT_ASK_PUSH_SHOW] = "{show}",
	[WSMFA_TEXT_ASK_METHOD] = "{methods}",
	[WSMFA_TEXT_ASK_BANNER] = "{url}",
	[WSMFA_TEXT_ASK_BANNER_LINK] = "{url}",
	[WSMFA_TEXT_ASK_ENROLL_TICKET] = "ticket",
	[WSMFA_TEXT_ASK_ENROLL_METHOD] = "{methods}",
	[WSMFA_TEXT_ASK_ENROLL_TOTP] = ": {key}.",
	[WSMFA_TEXT_ASK_ENROLL_SMS] = "{phone}",
	[WSMFA_TEXT_NOTE_METHODS] = "{methods}",
	[WSMFA_TEXT_REFUSE_LOCKED] = "{minutes}",
	[WSMFA_TEXT_REFUSE_ENROLL] = "{url}",
	[WSMFA_TEXT_REFUSE_SMS_SENT] = "{phone}",
	[WSMFA_TEXT_BANNER] = "{url}",
	[WSMFA_TEXT_BANNER_EXEMPT] = "{url}",
	[WSMFA_TEXT_RECOVERY_LEFT] = "{count}",
	[WSMFA_TEXT_SMS_CODE] = "{number}",
};

char const *wsmfa_text_lacks(enum wsmfa_text id, char const *template)
{
	char const *const need = id > WSMFA_TEXT_NONE && id < WSMFA_TEXTS ? needed[id] : NULL;
	char forms[16];

	if (!need || strstr(template, need))
		return NULL;
	snprintf(forms, sizeof(forms), "%.*s|", (int)strcspn(need, "}"), need);
	return need[0] == '{' && strstr(template, forms) ? NULL : need;
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

/** The form of a figure, with the figure in place of each #. */
static size_t put_form(char *out, size_t at, size_t size, struct placeholder const *p)
{
	char const *form = NULL;
	size_t len = 0;

	(void)form_find(p, &form, &len);
	while (form && len > 0) {
		char const *sign = memchr(form, '#', len);
		size_t const before = sign ? (size_t)(sign - form) : len;

		at = put(out, at, size, form, before, false);
		if (sign)
			at = put(out, at, size, p->value, strlen(p->value), true);
		form += before + (sign ? 1 : 0);
		len -= before + (sign ? 1 : 0);
	}
	return at;
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
		struct placeholder p;

		if (!close) {
			at = put(out, at, size, template, strlen(template), false);
			break;
		}
		at = put(out, at, size, template, (size_t)(open - template), false);
		p = placeholder_read(open, close, args, number);
		if (p.value && p.forms)
			at = put_form(out, at, size, &p);
		else if (p.value)
			at = put(out, at, size, p.value, strlen(p.value), true);
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
