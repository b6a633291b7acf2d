/* The delay of wrong passwords: how it grows, fades, and stays small.
 * Apart from the server's tests, which wait for a reply. */
#include "unit.h"

#include "core/delay.h"

static struct wsmfa_delay_table table;
static uint8_t const key[16] = "0123456789abcde";

#define AT (1000 * WSMFA_DAY)

static void delay_doubles_to_its_maximum(void **state)
{
	(void)state;
	assert_int_equal(wsmfa_delay(0, 2 * WSMFA_SECOND), 0);
	assert_int_equal(wsmfa_delay(1, 2 * WSMFA_SECOND), 250000);
	assert_int_equal(wsmfa_delay(2, 2 * WSMFA_SECOND), 500000);
	assert_int_equal(wsmfa_delay(3, 2 * WSMFA_SECOND), 1000000);
	assert_int_equal(wsmfa_delay(4, 2 * WSMFA_SECOND), 2000000);
	assert_int_equal(wsmfa_delay(5, 2 * WSMFA_SECOND), 2000000);
	assert_int_equal(wsmfa_delay(UINT32_MAX, 2 * WSMFA_SECOND), 2000000);
	assert_int_equal(wsmfa_delay(3, 700000), 700000);
	assert_int_equal(wsmfa_delay(1, 100000), 100000);
	assert_int_equal(wsmfa_delay(UINT32_MAX, INT64_MAX), INT64_MAX);
	assert_int_equal(wsmfa_delay(9, 0), 0);
	assert_int_equal(wsmfa_delay(9, -1), 0);
}

static void table_counts_by_name(void **state)
{
	(void)state;
	wsmfa_delay_table_init(&table, key);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT), 0);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT + 1), 1);
	assert_int_equal(wsmfa_delay_table_fail(&table, "bob", AT + 2), 0);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT + 3), 2);
	wsmfa_delay_table_forget(&table, "alice");
	wsmfa_delay_table_forget(&table, "nobody");
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT + 4), 0);
	assert_int_equal(wsmfa_delay_table_fail(&table, "bob", AT + 5), 1);
}

static void counts_fade(void **state)
{
	(void)state;
	wsmfa_delay_table_init(&table, key);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT), i);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT + WSMFA_DELAY_HALF_LIFE - 1), 8);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT + 2 * WSMFA_DELAY_HALF_LIFE - 1), 4); /* of 9 */
	/* A clock that goes back forgets nothing, one that jumps ahead everything. */
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT - WSMFA_HOUR), 5);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", INT64_MAX), 0);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", INT64_MIN), 1);
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", INT64_MAX), 0);
}

static void counts_are_bounded(void **state)
{
	uint32_t last = 0;

	(void)state;
	wsmfa_delay_table_init(&table, key);
	for (unsigned i = 0; i < 5000; i++)
		last = wsmfa_delay_table_fail(&table, "alice", AT);
	assert_int_equal(last, 1000);
}

/* A flood of names can't grow the table, and does not make it forget the one that is being attacked. */
static void flood_of_names(void **state)
{
	char name[32];

	(void)state;
	wsmfa_delay_table_init(&table, key);
	for (unsigned i = 0; i < 5; i++)
		wsmfa_delay_table_fail(&table, "alice", AT);
	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "name%u", i);
		wsmfa_delay_table_fail(&table, name, AT + i);
	}
	assert_int_equal(wsmfa_delay_table_fail(&table, "alice", AT + 100000), 5);
	assert_in_range(sizeof(table), 1, 128 * 1024);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(delay_doubles_to_its_maximum),
		cmocka_unit_test(table_counts_by_name),
		cmocka_unit_test(counts_fade),
		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(flood_of_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
