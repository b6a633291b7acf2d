/*
 * What a user typed at a question, sorted by its form alone.
 * It stands apart so that the flow reads classes and never octets: every form of bad input ends here.
 */
#ifndef WSMFA_CORE_ANSWER_H
#define WSMFA_CORE_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#define WSMFA_ANSWER_MAX 128 //!< octets: what a User-Password can hold (RFC 2865 section 5.2).

enum wsmfa_answer_class {
	WSMFA_ANSWER_BAD = 0, //!< more than 128 octets, NUL, control or non-ASCII octets, or no form below.
	WSMFA_ANSWER_EMPTY,   //!< absent, of no length, or blanks only.
	WSMFA_ANSWER_HELP,    //!< "?" or "help".
	WSMFA_ANSWER_KEYWORD,
	WSMFA_ANSWER_CHOICE, //!< a number of one or two digits: a line of the list.
	WSMFA_ANSWER_CODE,   //!< 6 to 8 digits.
	WSMFA_ANSWER_WORD,   //!< any other letters and digits: perhaps a recovery code or a ticket, else wrong.
	WSMFA_ANSWER_CLASSES
};

enum wsmfa_keyword {
	WSMFA_KEYWORD_NONE = 0,
	WSMFA_KEYWORD_PUSH,
	WSMFA_KEYWORD_SMS,
	WSMFA_KEYWORD_TOTP,
	WSMFA_KEYWORD_RECOVERY,
	WSMFA_KEYWORD_ENROLL,
	WSMFA_KEYWORDS
};

/** An answer. It may hold a code: wipe it. */
struct wsmfa_answer {
	enum wsmfa_answer_class class;
	enum wsmfa_keyword keyword;      //!< of KEYWORD, else none.
	unsigned choice;                 //!< of CHOICE: 0 to 99; whether the list has that line is for the flow.
	size_t len;                      //!< of text.
	char text[WSMFA_ANSWER_MAX + 1]; //!< CODE: the digits. WORD: as wsmfa_code_normalise makes it. Else "".
};

/**
 * Sorts an answer. Blanks around it do not matter, nor does the case of words; blanks and dashes inside a code or word are dropped.
 * Blanks are U+0020 alone.
 * @param[in] octets NULL with len 0 when the request had no answer.
 */
void wsmfa_answer_parse(struct wsmfa_answer *out, uint8_t const *octets, size_t len);

/** Overwrites it. */
void wsmfa_answer_wipe(struct wsmfa_answer *answer);

/** The keyword as it is typed, "push"; NULL for none and values out of range. */
char const *wsmfa_keyword_word(enum wsmfa_keyword keyword);

#endif
