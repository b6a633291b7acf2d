/* What people read, from any template and any value: one line of at most 253 octets, printable, and a question keeps its end.
 * Apart from fuzz_template, which is about gateways. The first line of the input is the template, the rest is every value, and its
 * length every figure.
 */
#include "fuzz.h"

#include "core/codec.h"
#include "core/text.h"

static void check_reply(char const *template, struct wsmfa_text_args const *args, bool utf8)
{
	struct wsmfa_language language = { .code = "xx" };
	struct wsmfa_texts const texts = { &language, 1 };
	enum wsmfa_text const ids[] = { WSMFA_TEXT_NOTE_METHODS, WSMFA_TEXT_ASK_PUSH_SHOW };
	char reply[WSMFA_REPLY_MAX];
	size_t len;

	language.text[WSMFA_TEXT_NOTE_METHODS] = template;
	len = wsmfa_text_reply(reply, &texts, "xx", utf8, ids, 2, args);
	FUZZ_CHECK(len < sizeof(reply) && strlen(reply) == len);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((uint8_t)reply[i] >= 0x20 && reply[i] != 0x7F && (utf8 || (uint8_t)reply[i] < 0x80));
	FUZZ_CHECK(len >= 2 && strcmp(reply + len - 2, ": ") == 0);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	uint8_t const *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t len = end ? (size_t)(end - data) : size, n;
	char *template = fuzz_text(data, len), *value = fuzz_text(end ? end + 1 : data, end ? size - len - 1 : 0);
	struct wsmfa_text_args const args = { .account = value, .client = value, .date = value, .key = value, .methods = value,
					      .number = value, .phone = value, .show = value, .url = value,
					      .count = (int64_t)strlen(value), .days = INT64_MIN, .minutes = INT64_MAX };
	char const *bad = NULL;
	char out[64];

	FUZZ_CHECK(wsmfa_text_check(template, &bad) || (bad >= template && bad < template + len && *bad == '{'));
	for (int id = WSMFA_TEXT_NONE; id <= WSMFA_TEXTS; id++) {
		char const *lacks = wsmfa_text_lacks((enum wsmfa_text)id, template);

		FUZZ_CHECK(!lacks || !strstr(template, lacks));
	}
	for (size_t room = 1; room <= sizeof(out); room += 21) {
		n = wsmfa_text_render(out, room, template, &args);
		FUZZ_CHECK(n < room && strlen(out) == n);
	}
	if (wsmfa_utf8_valid((uint8_t const *)template, len) && wsmfa_utf8_valid((uint8_t const *)value, strlen(value))) {
		check_reply(template, &args, false);
		check_reply(template, &args, true);
	}
	free(template);
	free(value);
	return 0;
}
