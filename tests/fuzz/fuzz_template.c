/* Placeholders filled with any value, escaped for each place where one may stand: a value never ends its place, never becomes a
 * placeholder, and what does not fit is told. The first line of the input is the template, the rest is the value.
 */
#include "fuzz.h"

#include <jansson.h>

#include "core/codec.h"
#include "provider/out.h"
#include "provider/template.h"

#define ROOM 8192

/** The value alone, escaped. */
static char const *escaped(char const *value, enum wsmfa_escape escape, struct wsmfa_out *out, char room[ROOM])
{
	struct wsmfa_value const values[] = { { "value", value } };

	wsmfa_out_init(out, room, ROOM);
	wsmfa_template_put(out, "{value}", escape, values, 1);
	FUZZ_CHECK(out->len < ROOM && strlen(room) == out->len);
	return room;
}

static void check_json(char const *value)
{
	char room[ROOM], text[ROOM + 2];
	struct wsmfa_out out;
	json_t *json;

	escaped(value, WSMFA_ESCAPE_JSON, &out, room);
	if (out.full)
		return;
	for (char const *p = room; *p; p++)
		FUZZ_CHECK((uint8_t)*p >= 0x20);
	if (!wsmfa_utf8_valid((uint8_t const *)value, strlen(value)))
		return;
	snprintf(text, sizeof(text), "\"%s\"", room);
	json = json_loads(text, JSON_DECODE_ANY, NULL);
	FUZZ_CHECK(json && strcmp(json_string_value(json), value) == 0);
	json_decref(json);
}

static void check_url(char const *value)
{
	char room[ROOM];
	struct wsmfa_out out;
	size_t at = 0;

	escaped(value, WSMFA_ESCAPE_URL, &out, room);
	if (out.full)
		return;
	for (char const *v = value; *v; v++) { // and back
		char octet[3] = { room[at], '\0', '\0' };
		uint8_t decoded = (uint8_t)room[at];

		if (octet[0] == '%') {
			FUZZ_CHECK(strspn(room + at + 1, "0123456789ABCDEF") >= 2);
			memcpy(octet, room + at + 1, 2);
			decoded = (uint8_t)strtoul(octet, NULL, 16);
			at += 2;
		} else {
			FUZZ_CHECK(strchr("-._~", octet[0]) || (octet[0] >= '0' && octet[0] <= '9') ||
				   (octet[0] >= 'A' && octet[0] <= 'Z') || (octet[0] >= 'a' && octet[0] <= 'z'));
		}
		FUZZ_CHECK(decoded == (uint8_t)*v);
		at++;
	}
	FUZZ_CHECK(room[at] == '\0');
}

static void check_rest(char const *value)
{
	char room[ROOM];
	struct wsmfa_out out;

	for (char const *p = escaped(value, WSMFA_ESCAPE_XML, &out, room); *p; p++)
		FUZZ_CHECK(!strchr("<>\"'", *p) && ((uint8_t)*p >= 0x20 || strchr("\t\n\r", *p)));
	for (char const *p = escaped(value, WSMFA_ESCAPE_HEADER, &out, room); *p; p++)
		FUZZ_CHECK((uint8_t)*p >= 0x20 && *p != 0x7F);
	escaped(value, WSMFA_ESCAPE_NONE, &out, room);
	FUZZ_CHECK(out.full || strcmp(room, value) == 0);
}

/** Whatever the template: twice filled is not filled once more, and the length is what the parts are. */
static void check_template(char const *template, char const *value)
{
	static char const *const names[] = { "value", "to" };
	struct wsmfa_value const values[] = { { names[0], value }, { names[1], "+1" } };
	char room[ROOM], small[16], unknown[64];
	struct wsmfa_out out;
	size_t len;

	wsmfa_template_unknown(template, names, 2, unknown, sizeof(unknown));
	FUZZ_CHECK(strspn(unknown, "abcdefghijklmnopqrstuvwxyz_") == strlen(unknown));
	wsmfa_out_init(&out, room, sizeof(room));
	wsmfa_template_put(&out, template, WSMFA_ESCAPE_URL, values, 2);
	FUZZ_CHECK(out.len < sizeof(room) && strlen(room) == out.len);
	len = out.len;
	if (!strchr(template, '{'))
		FUZZ_CHECK(out.full || strcmp(room, template) == 0);
	wsmfa_out_init(&out, small, sizeof(small));
	wsmfa_template_put(&out, template, WSMFA_ESCAPE_URL, values, 2);
	FUZZ_CHECK(out.len < sizeof(small) && out.full == (len >= sizeof(small)));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	uint8_t const *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t len = end ? (size_t)(end - data) : size;
	char *template = fuzz_text(data, len), *value = fuzz_text(end ? end + 1 : data, end ? size - len - 1 : 0);

	check_json(value);
	check_url(value);
	check_rest(value);
	check_template(template, value);
	free(template);
	free(value);
	return 0;
}
