/* The packets of parked requests: what is read, what is refused as malformed, strange or forged.
 * Apart from test_engine.c, where well-formed ones come through a socket. */
#include "unit.h"

#include "engine/radius.h"

/** An Access-Request with these attributes. */
static void packet_set(uint8_t *p, char const *attributes, size_t len)
{
	memset(p, 0, 20);
	p[0] = 1;
	p[1] = 7;
	for (size_t i = 4; i < 20; i++)
		p[i] = (uint8_t)i;
	memcpy(p + 20, attributes, len);
	p[2] = (uint8_t)((20 + len) >> 8);
	p[3] = (uint8_t)(20 + len);
}

#define NAME       \
	"\x01\x12" \
	"00000000000004d2"

static enum wsmfa_packet_status decode(char const *attributes, size_t len, struct wsmfa_parked_packet *out)
{
	uint8_t p[4200];

	packet_set(p, attributes, len);
	return wsmfa_parked_decode(p, 20 + len, "s", out);
}

#define DECODE(_literal, _out) decode(_literal, sizeof(_literal) - 1, _out)

static void packets_are_read(void **state)
{
	struct wsmfa_parked_packet out;
	uint8_t p[100];

	(void)state;
	assert_int_equal(DECODE(NAME, &out), WSMFA_PACKET_OK);
	assert_int_equal(out.ticket, 1234);
	assert_int_equal(out.id, 7);
	assert_int_equal(out.authenticator[15], 19);
	assert_int_equal(DECODE("\x21\x03x" NAME "\x05\x02", &out), WSMFA_PACKET_OK);
	/* What comes after the length is padding. */
	packet_set(p, NAME, 18);
	assert_int_equal(wsmfa_parked_decode(p, 60, "s", &out), WSMFA_PACKET_OK);
}

static void malformed_packets_are_refused(void **state)
{
	struct wsmfa_parked_packet out;
	uint8_t p[5000] = { 0 };

	(void)state;
	assert_int_equal(DECODE("", &out), WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE("\x01\x00", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE("\x01\x01", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE("\x01\x13"
				"00000000000004d2",
				&out),
			 WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE(NAME NAME, &out), WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"00000000000004D2",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"0000000000000000",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"8000000000000000",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				"ffffffffffffffff",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x12"
				" 000000000004d2 ",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x11"
				"0000000000004d2",
				&out),
			 WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE("\x01\x02", &out), WSMFA_PACKET_STRANGE);
	assert_int_equal(DECODE(NAME "\x50\x12"
				     "0123456789abcdef",
				&out),
			 WSMFA_PACKET_FORGED);
	assert_int_equal(DECODE(NAME "\x50\x11"
				     "0123456789abcde",
				&out),
			 WSMFA_PACKET_MALFORMED);
	assert_int_equal(DECODE(NAME "\x50\x12"
				     "0123456789abcdef"
				     "\x50\x12"
				     "0123456789abcdef",
				&out),
			 WSMFA_PACKET_MALFORMED);
	for (size_t len = 0; len < 38; len++) {
		packet_set(p, NAME, 18);
		assert_int_equal(wsmfa_parked_decode(p, len, "s", &out), WSMFA_PACKET_MALFORMED);
	}
	packet_set(p, NAME, 18);
	p[0] = 2;
	assert_int_equal(wsmfa_parked_decode(p, 38, "s", &out), WSMFA_PACKET_MALFORMED);
	packet_set(p, NAME, 18);
	p[3] = 19;
	assert_int_equal(wsmfa_parked_decode(p, 38, "s", &out), WSMFA_PACKET_MALFORMED);
	assert_int_equal(wsmfa_parked_decode(p, sizeof(p), "s", &out), WSMFA_PACKET_MALFORMED);
}

static void tickets_are_written_as_read(void **state)
{
	char text[WSMFA_TICKET_DIGITS + 1];

	(void)state;
	wsmfa_ticket_text(1234, text);
	assert_string_equal(text, "00000000000004d2");
	wsmfa_ticket_text(INT64_MAX, text);
	assert_string_equal(text, "7fffffffffffffff");
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(packets_are_read),
		cmocka_unit_test(malformed_packets_are_refused),
		cmocka_unit_test(tickets_are_written_as_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
