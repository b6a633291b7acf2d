/* Hashes and MACs against values of another implementation, and who must differ from whom.
 * Apart from the store's tests, which only compare. */
#include "unit.h"

#include "core/mac.h"

static struct wsmfa_mac_keys keys;
static uint8_t question[WSMFA_STATE_LEN];

static int keys_setup(void **state)
{
	static char const text[] = "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
	struct wsmfa_keyring *ring;
	char err[80];

	(void)state;
	for (unsigned i = 0; i < sizeof(question); i++)
		question[i] = (uint8_t)(0xF0 + i);
	if (!wsmfa_keyring_parse(text, sizeof(text) - 1, &ring, err, sizeof(err)) ||
	    !wsmfa_mac_keys_derive(&keys, ring))
		return -1;
	wsmfa_keyring_free(ring);
	return 0;
}

static void states(void **state)
{
	uint8_t hash[WSMFA_HASH_LEN], next[WSMFA_STATE_LEN];

	(void)state;
	assert_true(wsmfa_state_hash(hash, question));
	assert_hex(hash, sizeof(hash), "96053d1a0f5e0b02950c81282738484c5d28c6e250e8ad0315fe1d38cf0473a5");
	assert_true(wsmfa_state_successor(next, &keys, question));
	assert_hex(next, sizeof(next), "bad3503958217021e4932129fb05dc85");
}

static void answers(void **state)
{
	uint8_t mac[WSMFA_HASH_LEN], other[WSMFA_HASH_LEN], long_answer[4096];

	(void)state;
	assert_true(wsmfa_answer_mac(mac, &keys, question, OCTETS("123456")));
	assert_hex(mac, sizeof(mac), "294f242587b3aa982231755213e4cf1816e69957548233a0bebd6c4457fe7598");
	assert_true(wsmfa_answer_mac(mac, &keys, question, NULL, 0));
	assert_hex(mac, sizeof(mac), "1af25c8356f28ad67830f9cafabd1662f646e988b5ce029bdfb9554acf4c9d0f");
	question[0] ^= 1;
	assert_true(wsmfa_answer_mac(other, &keys, question, NULL, 0));
	question[0] ^= 1;
	assert_false(wsmfa_hash_equal(mac, other));
	assert_true(wsmfa_hash_equal(mac, mac));
	memset(long_answer, 'x', sizeof(long_answer));
	assert_true(wsmfa_answer_mac(mac, &keys, question, long_answer, sizeof(long_answer)));
	assert_true(wsmfa_answer_mac(other, &keys, question, long_answer, sizeof(long_answer) - 1));
	assert_false(wsmfa_hash_equal(mac, other));
}

static void codes(void **state)
{
	uint8_t mac[WSMFA_HASH_LEN], other[WSMFA_HASH_LEN];
	char text[130];

	(void)state;
	assert_true(wsmfa_code_mac(mac, &keys, 42, "", "123456"));
	assert_hex(mac, sizeof(mac), "46ded548ca4b9bbcd384d3823684212fd4dd7a6b5f5d5753921d7de3b5f00db4");
	assert_true(wsmfa_code_mac(other, &keys, 43, "", "123456"));
	assert_false(wsmfa_hash_equal(mac, other));
	assert_true(wsmfa_code_mac(other, &keys, 42, "", "1234567"));
	assert_false(wsmfa_hash_equal(mac, other));
	memset(text, '1', sizeof(text));
	text[128] = '\0';
	assert_true(wsmfa_code_mac(mac, &keys, 42, "", text));
	text[128] = '1';
	text[129] = '\0';
	assert_false(wsmfa_code_mac(mac, &keys, 42, "", text));
	assert_false(wsmfa_code_mac(mac, &keys, 42, "", ""));

	/* where it went is part of it, and never runs into the code */
	assert_true(wsmfa_code_mac(mac, &keys, 42, "+358401234567", "123456"));
	assert_true(wsmfa_code_mac(other, &keys, 42, "+358401234568", "123456"));
	assert_false(wsmfa_hash_equal(mac, other));
	assert_true(wsmfa_code_mac(other, &keys, 42, "", "123456"));
	assert_false(wsmfa_hash_equal(mac, other));
	assert_true(wsmfa_code_mac(mac, &keys, 42, "1234567", "12345678"));
	assert_true(wsmfa_code_mac(other, &keys, 42, "234567", "123456781"));
	assert_false(wsmfa_hash_equal(mac, other));
	assert_true(wsmfa_code_mac(other, &keys, 42, "", "123456781234567"));
	assert_false(wsmfa_hash_equal(mac, other));
	assert_false(wsmfa_code_mac(mac, &keys, 42, "+1234567890123456", "123456")); // longer than E.164
}

static void tickets(void **state)
{
	static char const *const same[] = { "0123456789ABCDEF", "0123-4567-89AB-CDEF", "ol23 4567 89ab cdef",
					    "OI23456789abCDEF" };
	static char const *const bad[] = { "", "0123456789ABCDE", "0123456789ABCDEF0", "0123456789ABCDE!",
					   "0123456789ABCD\xC3\x89" };
	uint8_t hash[WSMFA_HASH_LEN], zero[WSMFA_HASH_LEN] = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(same); i++) {
		assert_true(wsmfa_ticket_hash(hash, same[i]));
		assert_hex(hash, sizeof(hash), "2125b2c332b1113aae9bfc5e9f7e3b4c91d828cb942c2df1eeb02502eccae9e9");
	}
	assert_true(wsmfa_ticket_hash(hash, "0123456789ABCDEG"));
	assert_int_not_equal(hash[0], 0x21);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		memset(hash, 0xA5, sizeof(hash));
		assert_false(wsmfa_ticket_hash(hash, bad[i]));
		assert_memory_equal(hash, zero, sizeof(zero));
	}
}

static void recovery_codes(void **state)
{
	uint8_t hash[WSMFA_HASH_LEN], salt[WSMFA_SALT_LEN];

	(void)state;
	for (unsigned i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)i;
	assert_true(wsmfa_recovery_hash(hash, salt, 20000, "0123-4567-89ab"));
	assert_hex(hash, sizeof(hash), "a92f80d60deb368e779b3717bc4d8c74d5f0effbb62d04dd65e22a3901e3941e");
	assert_true(wsmfa_recovery_hash(hash, salt, 20000, "O1234567 89AB"));
	assert_int_equal(hash[0], 0xa9);
	salt[0] = 1;
	assert_true(wsmfa_recovery_hash(hash, salt, 20000, "0123456789AB"));
	assert_int_not_equal(hash[0], 0xa9);
	assert_false(wsmfa_recovery_hash(hash, salt, 20000, "123456"));
	assert_false(wsmfa_recovery_hash(hash, salt, 20000, "0123456789ABC"));
	assert_false(wsmfa_recovery_hash(hash, salt, 999, "0123456789AB"));
	assert_false(wsmfa_recovery_hash(hash, salt, 1000001, "0123456789AB"));
	assert_false(wsmfa_recovery_hash(hash, salt, -1, "0123456789AB"));
}

static void what_follows_a_state(void **state)
{
	uint8_t a[WSMFA_HASH_LEN], b[WSMFA_HASH_LEN], next[WSMFA_STATE_LEN], zero[WSMFA_HASH_LEN] = { 0 };
	uint8_t spent[WSMFA_STATE_LEN] = { 1 };

	(void)state;
	assert_true(wsmfa_state_octets(a, &keys, spent, "key"));
	assert_true(wsmfa_state_octets(b, &keys, spent, "key"));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(wsmfa_state_octets(b, &keys, spent, "number"));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(wsmfa_state_successor(next, &keys, spent));
	assert_memory_not_equal(a, next, sizeof(next));
	spent[0] = 2;
	assert_true(wsmfa_state_octets(b, &keys, spent, "key"));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_false(wsmfa_state_octets(b, &keys, spent, ""));
	assert_memory_equal(b, zero, sizeof(b));
	assert_false(wsmfa_state_octets(b, &keys, spent, "a purpose that is too long"));
}

static void keys_wipe(void **state)
{
	struct wsmfa_mac_keys copy = keys, zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	wsmfa_mac_keys_wipe(&copy);
	assert_memory_equal(&copy, &zero, sizeof(zero));
	assert_memory_not_equal(keys.state, keys.answer, sizeof(keys.state));
	assert_memory_not_equal(keys.state, keys.code, sizeof(keys.state));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(states),    cmocka_unit_test(answers),        cmocka_unit_test(codes),
		cmocka_unit_test(tickets),   cmocka_unit_test(recovery_codes), cmocka_unit_test(what_follows_a_state),
		cmocka_unit_test(keys_wipe),
	};
	return cmocka_run_group_tests(tests, keys_setup, NULL);
}
