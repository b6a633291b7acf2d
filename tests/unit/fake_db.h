/* A database that is a few variables: what the engine asks is kept, what it is told is written down by the test.
 * Apart from the tests that use it; it lives on the engine's thread, so a lock guards it. */
#ifndef WSMFA_TESTS_FAKE_DB_H
#define WSMFA_TESTS_FAKE_DB_H

#include "engine/db.h"

extern struct wsmfa_db_ops const fake_db;

/** Before a test: connected, nothing asked. */
void fake_db_reset(void);
/** The connection goes or comes back. */
void fake_db_set_up(bool up);
/** This push is answered, and a notification of wsmfa_answer says so. */
void fake_db_notify(int64_t id);
/** The notification alone. */
void fake_db_lie(int64_t id);
/** From now on push_answered tells that this push is answered. */
void fake_db_answer(int64_t id);
/** The next statements end like this. */
void fake_db_result(enum wsmfa_db_result result);
/** How many statements contain this text, in SQL or parameters. */
size_t fake_db_count(char const *text);
/** Waits until at least n statements contain the text; false after 10 s. */
bool fake_db_wait(char const *text, size_t n);

#endif
