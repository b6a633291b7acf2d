/* Text at the border: cleaning what is foreign, escaping what goes out, bounded appending.
 * Apart from the providers, because each of them builds and reads such text. */
#ifndef WSMFA_PROVIDER_OUT_H
#define WSMFA_PROVIDER_OUT_H

#include "core/types.h"

/** Copies foreign text as printable ASCII: control characters and blanks become one blank, other octets `?`. At most size - 1
 * octets, always terminated. */
void wsmfa_foreign_clean(char *out, size_t size, char const *text, size_t len);

/** Copies text as well-formed UTF-8 without control characters: both become `?`. Never cuts a character. */
void wsmfa_foreign_utf8(char *out, size_t size, char const *text);

#define WSMFA_TIME_TEXT 96
/** "2024-04-22T00:00:00.000000Z"; "-infinity" and "infinity" for the ends of the range. */
void wsmfa_time_text(wsmfa_time_t t, char out[WSMFA_TIME_TEXT]);

/** A buffer that is appended to; what does not fit sets `full` and is left out, so the text is then to be thrown away. */
struct wsmfa_out {
	char *out;
	size_t size;
	size_t len;
	bool full;
};

void wsmfa_out_init(struct wsmfa_out *, char *out, size_t size);
void wsmfa_out_put(struct wsmfa_out *, char const *s);
void wsmfa_out_put_len(struct wsmfa_out *, char const *s, size_t len);
void wsmfa_out_put_number(struct wsmfa_out *, int64_t n);
/** Percent-encoded but for A-Z a-z 0-9 - . _ ~ (RFC 3986 section 2.3), hexadecimal in upper case. */
void wsmfa_out_put_url(struct wsmfa_out *, char const *s);
/** As the inside of a JSON string (RFC 8259 section 7). */
void wsmfa_out_put_json(struct wsmfa_out *, char const *s);
/** As character data or an attribute of XML; control characters, which XML 1.0 forbids, are left out. */
void wsmfa_out_put_xml(struct wsmfa_out *, char const *s);
/** As a header's value: without control characters. */
void wsmfa_out_put_header(struct wsmfa_out *, char const *s);

#endif
