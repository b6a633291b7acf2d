/* Cleaning, escaping and bounded appending; see out.h.
 * Apart from the providers: no I/O, no clock. */
#include "provider/out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void wsmfa_foreign_clean(char *out, size_t size, char const *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c == 0x7f) {
			if (n && out[n - 1] != ' ')
				out[n++] = ' ';
		} else {
			out[n++] = c < 0x7f ? (char)c : '?';
		}
	}
	if (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/** Octets of the well-formed character at s (RFC 3629), 0 for none; s is NUL-terminated. */
static size_t utf8_len(unsigned char const *s)
{
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void wsmfa_foreign_utf8(char *out, size_t size, char const *text)
{
	unsigned char const *s = (unsigned char const *)text;
	size_t n = 0;

	while (*s) {
		size_t len = utf8_len(s);
		bool control = *s < 0x20 || *s == 0x7f || (*s == 0xc2 && len == 2 && s[1] < 0xa0);

		if (n + (len ? len : 1) >= size)
			break;
		if (len == 0 || control) {
			out[n++] = '?';
		} else {
			memcpy(out + n, s, len);
			n += len;
		}
		s += len ? len : 1;
	}
	out[n] = '\0';
}

void wsmfa_time_text(wsmfa_time_t t, char out[WSMFA_TIME_TEXT])
{
	wsmfa_time_t micros = t % WSMFA_SECOND;
	time_t seconds = (time_t)(t / WSMFA_SECOND);
	struct tm tm;

	if (micros < 0) {
		micros += WSMFA_SECOND;
		seconds--;
	}
	if (t == WSMFA_TIME_NONE || t == WSMFA_TIME_FOREVER || !gmtime_r(&seconds, &tm)) {
		snprintf(out, WSMFA_TIME_TEXT, "%s", t == WSMFA_TIME_FOREVER ? "infinity" : "-infinity");
		return;
	}
	snprintf(out, WSMFA_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)micros);
}

void wsmfa_out_init(struct wsmfa_out *t, char *out, size_t size)
{
	t->out = out;
	t->size = size;
	t->len = 0;
	t->full = false;
	out[0] = '\0';
}

void wsmfa_out_put_len(struct wsmfa_out *t, char const *s, size_t len)
{
	if (len >= t->size - t->len) {
		t->full = true;
		return;
	}
	memcpy(t->out + t->len, s, len);
	t->len += len;
	t->out[t->len] = '\0';
}

void wsmfa_out_put(struct wsmfa_out *t, char const *s)
{
	wsmfa_out_put_len(t, s, strlen(s));
}

void wsmfa_out_put_number(struct wsmfa_out *t, int64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long)n);
	wsmfa_out_put(t, digits);
}

void wsmfa_out_put_url(struct wsmfa_out *t, char const *s)
{
	static char const hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char escaped[3] = { '%', hex[c >> 4], hex[c & 15] };

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			wsmfa_out_put_len(t, s, 1);
		else
			wsmfa_out_put_len(t, escaped, sizeof(escaped));
	}
}

void wsmfa_out_put_json(struct wsmfa_out *t, char const *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char escaped[8];

		if (c == '"' || c == '\\') {
			wsmfa_out_put_len(t, "\\", 1);
			wsmfa_out_put_len(t, s, 1);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(escaped, sizeof(escaped), "\\u%04x", c);
			wsmfa_out_put(t, escaped);
		} else {
			wsmfa_out_put_len(t, s, 1);
		}
	}
}

void wsmfa_out_put_xml(struct wsmfa_out *t, char const *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<': wsmfa_out_put(t, "&lt;"); break;
		case '>': wsmfa_out_put(t, "&gt;"); break;
		case '&': wsmfa_out_put(t, "&amp;"); break;
		case '"': wsmfa_out_put(t, "&quot;"); break;
		case '\'': wsmfa_out_put(t, "&apos;"); break;
		default:
			if ((unsigned char)*s >= 0x20 || strchr("\t\n\r", *s))
				wsmfa_out_put_len(t, s, 1);
		}
	}
}

void wsmfa_out_put_header(struct wsmfa_out *t, char const *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != 0x7f)
			wsmfa_out_put_len(t, s, 1);
	}
}
