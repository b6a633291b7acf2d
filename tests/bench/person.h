/*
 * Who logs in: accounts by a rule, or from a file.
 * Apart from the load, so that tests/bench/people.py can have the same rule, and nothing else has to.
 */
#ifndef WSMFA_BENCH_PERSON_H
#define WSMFA_BENCH_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/secret.h"

#define PERSON_PERIOD 30 //!< seconds of a step: every key here is for SHA-1, 6 digits, 30 s.

/** One account; texts are the people's or belong to `room`. */
struct person {
	char const *name;
	char const *password;
	struct wsmfa_secret key; //!< len 0: none
	char room[2][32];
};

struct people;

/**
 * Accounts 0 to count - 1 by the rule: name user%06d, password secret-%06d, key the HMAC-SHA-1 of the number in decimal
 * under the word "rlm_wsmfa bench".
 */
struct people *people_by_rule(size_t count);
/** From lines NAME PASSWORD [BASE32], blanks between. NULL after a line on stderr. */
struct people *people_from_file(char const *path);
void people_free(struct people *p);
size_t people_count(struct people const *p);
/** The n-th. False when OpenSSL failed. */
bool people_get(struct people const *p, size_t n, struct person *out);

/** The code of a step, 6 digits. */
bool person_code(struct person const *p, int64_t step, char out[9]);

#endif
