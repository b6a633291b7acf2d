/* Answers of any octets: always one class, and a text of capitals and digits that is sorted the same again.
 * Apart from the unit tests, which know the cases that people thought of. */
#include "fuzz.h"

#include "core/answer.h"
#include "core/code.h"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	struct wsmfa_answer answer, again;
	char normal[WSMFA_ANSWER_MAX + 1];

	wsmfa_answer_parse(&answer, data, size);
	FUZZ_CHECK((unsigned)answer.class < WSMFA_ANSWER_CLASSES);
	FUZZ_CHECK(answer.len == strlen(answer.text) && answer.len <= size);
	FUZZ_CHECK((answer.keyword != WSMFA_KEYWORD_NONE) == (answer.class == WSMFA_ANSWER_KEYWORD));
	FUZZ_CHECK(answer.choice <= 99 && (answer.choice == 0 || answer.class == WSMFA_ANSWER_CHOICE));
	FUZZ_CHECK(size <= WSMFA_ANSWER_MAX || answer.class == WSMFA_ANSWER_BAD);

	switch (answer.class) {
	case WSMFA_ANSWER_CODE:
		FUZZ_CHECK(answer.len >= 6 && answer.len <= 8 && strspn(answer.text, "0123456789") == answer.len);
		wsmfa_answer_parse(&again, (uint8_t const *)answer.text, answer.len);
		FUZZ_CHECK(again.class == WSMFA_ANSWER_CODE && strcmp(again.text, answer.text) == 0);
		break;
	case WSMFA_ANSWER_WORD:
		FUZZ_CHECK(answer.len > 0);
		FUZZ_CHECK(strspn(answer.text, "0123456789ABCDEFGHJKMNPQRSTUVWXYZ") == answer.len);
		FUZZ_CHECK(wsmfa_code_normalise(normal, sizeof(normal), answer.text, answer.len) == answer.len);
		FUZZ_CHECK(strcmp(normal, answer.text) == 0);
		break;
	default: FUZZ_CHECK(answer.len == 0); break;
	}
	wsmfa_answer_wipe(&answer);
	return 0;
}
