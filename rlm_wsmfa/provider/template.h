/* Texts with placeholders in braces, each value escaped for where it stands.
 * Apart from the gateways that use them. */
#ifndef WSMFA_PROVIDER_TEMPLATE_H
#define WSMFA_PROVIDER_TEMPLATE_H

#include "provider/out.h"

enum wsmfa_escape { WSMFA_ESCAPE_NONE = 0, WSMFA_ESCAPE_URL, WSMFA_ESCAPE_JSON, WSMFA_ESCAPE_XML, WSMFA_ESCAPE_HEADER };

struct wsmfa_value {
	char const *name;
	char const *value;
};

/** The first `{name}` of lower-case letters and underscores that is no value's; "" when there is none. In `out`. */
void wsmfa_template_unknown(char const *text, char const *const *names, size_t n, char *out, size_t size);

/** Appends the text with its placeholders replaced. Other braces stand for themselves. */
void wsmfa_template_put(struct wsmfa_out *, char const *text, enum wsmfa_escape, struct wsmfa_value const *, size_t n);

#endif
