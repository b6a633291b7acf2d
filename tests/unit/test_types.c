/* The words: each value has one, each word comes back as its value, and what is unknown is strict.
 * Apart from the tests of rules, which use the words. */
#include "unit.h"

#include "core/answer.h"
#include "core/effects.h"
#include "core/flow.h"
#include "core/seal.h"
#include "core/totp.h"
#include "core/types.h"
#include "engine/db.h"
#include "engine/engine.h"
#include "engine/radius.h"
#include "engine/waiters.h"
#include "login/visit.h"
#include "provider/provider.h"
#include "store/store.h"

/* All words are there, different, small letters, digits and _, and no longer than a column of the log. */
#define CHECK_WORDS(type, count, word)                                                                   \
	do {                                                                                             \
		for (unsigned i = 0; i < (unsigned)(count); i++) {                                       \
			char const *w = word((type)i);                                                   \
			assert_non_null(w);                                                              \
			assert_in_range(strlen(w), 1, 24);                                               \
			assert_int_equal(strspn(w, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(w)); \
			for (unsigned j = 0; j < i; j++)                                                 \
				assert_string_not_equal(w, word((type)j));                               \
		}                                                                                        \
		assert_null(word((type)(count)));                                                        \
		assert_null(word((type)-1));                                                             \
	} while (0)

/* Every word is parsed to its value, and a foreign one leaves the output alone. */
#define CHECK_PARSER(type, count, word, parse)                       \
	do {                                                         \
		type value;                                          \
		for (unsigned i = 0; i < (unsigned)(count); i++) {   \
			value = (type)((i + 1) % (unsigned)(count)); \
			assert_true(parse(word((type)i), &value));   \
			assert_int_equal(value, i);                  \
		}                                                    \
		value = (type)1;                                     \
		assert_false(parse("no such word", &value));         \
		assert_false(parse("", &value));                     \
		assert_false(parse(NULL, &value));                   \
		assert_int_equal(value, 1);                          \
	} while (0)

static void types_have_words(void **state)
{
	(void)state;
	CHECK_WORDS(enum wsmfa_kind, WSMFA_KINDS, wsmfa_kind_word);
	CHECK_WORDS(enum wsmfa_stage, WSMFA_STAGES, wsmfa_stage_word);
	CHECK_WORDS(enum wsmfa_decision, WSMFA_DECISIONS, wsmfa_decision_word);
	CHECK_WORDS(enum wsmfa_outcome, WSMFA_OUTCOMES, wsmfa_outcome_word);
	CHECK_WORDS(enum wsmfa_reason, WSMFA_REASONS, wsmfa_reason_word);
	CHECK_WORDS(enum wsmfa_question_kind, WSMFA_ASKS, wsmfa_ask_word);
	CHECK_WORDS(enum wsmfa_mode, WSMFA_MODES, wsmfa_mode_word);
	CHECK_WORDS(enum wsmfa_algorithm, WSMFA_ALGORITHMS, wsmfa_algorithm_word);
}

static void types_parse_their_words(void **state)
{
	(void)state;
	CHECK_PARSER(enum wsmfa_kind, WSMFA_KINDS, wsmfa_kind_word, wsmfa_kind_parse);
	CHECK_PARSER(enum wsmfa_decision, WSMFA_DECISIONS, wsmfa_decision_word, wsmfa_decision_parse);
	CHECK_PARSER(enum wsmfa_reason, WSMFA_REASONS, wsmfa_reason_word, wsmfa_reason_parse);
	CHECK_PARSER(enum wsmfa_question_kind, WSMFA_ASKS, wsmfa_ask_word, wsmfa_ask_parse);
	CHECK_PARSER(enum wsmfa_mode, WSMFA_MODES, wsmfa_mode_word, wsmfa_mode_parse);
	CHECK_PARSER(enum wsmfa_algorithm, WSMFA_ALGORITHMS, wsmfa_algorithm_word, wsmfa_algorithm_parse);
}

/* Public spellings that scripts read. */
static void types_spell_public_words(void **state)
{
	(void)state;
	assert_string_equal(wsmfa_decision_word(WSMFA_DECISION_ACCEPT_WITH_BANNER), "accept_with_banner");
	assert_string_equal(wsmfa_outcome_word(WSMFA_OUTCOME_FAILED_SECOND_FACTOR), "failed_second_factor");
	assert_string_equal(wsmfa_reason_word(WSMFA_REASON_UNKNOWN_ACCOUNT), "unknown_account");
	assert_string_equal(wsmfa_reason_word(WSMFA_REASON_ENROLLMENT_REQUIRED), "enrollment_required");
	assert_string_equal(wsmfa_ask_word(WSMFA_ASK_ENROLL_TOTP), "enroll_totp");
	assert_string_equal(wsmfa_algorithm_word(WSMFA_SHA512), "sha512");
}

static void stage_unknown_is_enforce(void **state)
{
	(void)state;
	assert_int_equal(wsmfa_stage_parse("observe"), WSMFA_STAGE_OBSERVE);
	assert_int_equal(wsmfa_stage_parse("announce"), WSMFA_STAGE_ANNOUNCE);
	assert_int_equal(wsmfa_stage_parse("enforce"), WSMFA_STAGE_ENFORCE);
	assert_int_equal(wsmfa_stage_parse("Observe"), WSMFA_STAGE_ENFORCE);
	assert_int_equal(wsmfa_stage_parse(""), WSMFA_STAGE_ENFORCE);
	assert_int_equal(wsmfa_stage_parse(NULL), WSMFA_STAGE_ENFORCE);
}

/* Whatever is forgotten, nobody gets in. */
static void zero_is_never_accept(void **state)
{
	(void)state;
	assert_string_equal(wsmfa_decision_word((enum wsmfa_decision)0), "deny");
	assert_string_equal(wsmfa_stage_word((enum wsmfa_stage)0), "enforce");
	assert_string_equal(wsmfa_outcome_word((enum wsmfa_outcome)0), "error");
	assert_int_equal(WSMFA_MODE_CHALLENGE, 0);
	assert_int_equal(WSMFA_ANSWER_BAD, 0);
	assert_int_equal(WSMFA_TOTP_BROKEN, 0);
	assert_int_equal(WSMFA_UNSEALED_DAMAGED, 0);
	assert_int_equal(WSMFA_MOVE_REFUSE, 0);
	assert_int_equal(WSMFA_OPEN_REFUSED, 0);
	assert_int_equal(WSMFA_TAKE_UNKNOWN, 0);
	assert_int_equal(WSMFA_VERDICT_WRONG, 0);
	assert_int_equal(WSMFA_SETTLE_GONE, 0);
	assert_int_equal(WSMFA_STORE_BROKEN, 0);
	assert_int_equal(WSMFA_REPLY_REJECT, 0);
	assert_int_equal(WSMFA_PARK_DEAD, 0);
	assert_int_equal(WSMFA_PACKET_MALFORMED, 0);
	assert_int_equal(WSMFA_COPY_UNKNOWN, 0);
	assert_int_equal(WSMFA_DB_DOWN, 0);
	assert_int_equal(WSMFA_DELIVERY_FAILED, 0);
	assert_int_equal(WSMFA_HTTP_UNSENT, 0);
}

static void spans_end_at_the_ends_of_the_range(void **state)
{
	(void)state;
	assert_int_equal(wsmfa_time_span(5, 7), 2);
	assert_int_equal(wsmfa_time_span(7, 5), -2);
	assert_int_equal(wsmfa_time_span(1, WSMFA_TIME_FOREVER), WSMFA_TIME_FOREVER - 1);
	assert_int_equal(wsmfa_time_span(-1, WSMFA_TIME_FOREVER), WSMFA_TIME_FOREVER);
	assert_int_equal(wsmfa_time_span(-WSMFA_TIME_FOREVER, 1), WSMFA_TIME_FOREVER);
	assert_int_equal(wsmfa_time_span(2, -WSMFA_TIME_FOREVER), -WSMFA_TIME_FOREVER);
	assert_int_equal(wsmfa_time_span(2, WSMFA_TIME_NONE), -WSMFA_TIME_FOREVER);
}

static void account_wipe_leaves_nothing(void **state)
{
	static struct wsmfa_account account, zero;

	(void)state;
	memset(&account, 0xA5, sizeof(account));
	wsmfa_account_wipe(&account);
	assert_memory_equal(&account, &zero, sizeof(zero));
	wsmfa_account_wipe(NULL);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(types_have_words),         cmocka_unit_test(types_parse_their_words),
		cmocka_unit_test(types_spell_public_words), cmocka_unit_test(stage_unknown_is_enforce),
		cmocka_unit_test(zero_is_never_accept),     cmocka_unit_test(account_wipe_leaves_nothing),
		cmocka_unit_test(spans_end_at_the_ends_of_the_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
