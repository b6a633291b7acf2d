/* Placeholders in braces; see template.h.
 * Apart from the gateways that use them. */
#include "provider/template.h"

#include <stdio.h>
#include <string.h>

/** Length of the name of a placeholder that begins at s, 0 for none. */
static size_t placeholder(char const *s)
{
	size_t n;

	if (*s != '{')
		return 0;
	n = strspn(s + 1, "abcdefghijklmnopqrstuvwxyz_");
	return s[1 + n] == '}' ? n : 0;
}

void wsmfa_template_unknown(char const *text, char const *const *names, size_t n, char *out, size_t size)
{
	out[0] = '\0';
	for (; *text; text++) {
		size_t len = placeholder(text);
		bool known = len == 0;

		for (size_t i = 0; i < n && !known; i++)
			known = strlen(names[i]) == len && memcmp(names[i], text + 1, len) == 0;
		if (!known) {
			snprintf(out, size, "%.*s", (int)len, text + 1);
			return;
		}
	}
}

static void put_escaped(struct wsmfa_out *out, enum wsmfa_escape escape, char const *value)
{
	switch (escape) {
	case WSMFA_ESCAPE_URL: wsmfa_out_put_url(out, value); break;
	case WSMFA_ESCAPE_JSON: wsmfa_out_put_json(out, value); break;
	case WSMFA_ESCAPE_XML: wsmfa_out_put_xml(out, value); break;
	case WSMFA_ESCAPE_HEADER: wsmfa_out_put_header(out, value); break;
	case WSMFA_ESCAPE_NONE: wsmfa_out_put(out, value); break;
	}
}

void wsmfa_template_put(struct wsmfa_out *out, char const *text, enum wsmfa_escape escape,
			struct wsmfa_value const *values, size_t n)
{
	while (*text) {
		size_t len = placeholder(text), i;

		for (i = 0; len && i < n; i++) {
			if (strlen(values[i].name) == len && memcmp(values[i].name, text + 1, len) == 0)
				break;
		}
		if (len && i < n) {
			put_escaped(out, escape, values[i].value);
			text += len + 2;
		} else {
			wsmfa_out_put_len(out, text, 1);
			text++;
		}
	}
}
