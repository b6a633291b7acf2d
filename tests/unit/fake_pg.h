/*
 * A PostgreSQL that does what it is told: answers, refuses, hangs up, or says nothing.
 * Apart from the tests, because it speaks the protocol (version 3) and they do not.
 */
#ifndef WSMFA_TESTS_FAKE_PG_H
#define WSMFA_TESTS_FAKE_PG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What becomes of the next execution of a prepared statement. */
enum fake_act {
	FAKE_GONE = 0,     //!< answers as push_wait does: "gone"
	FAKE_ERROR,        //!< refuses with `sqlstate`
	FAKE_ERROR_COMMIT, //!< answers, and then fails to commit
	FAKE_HANG_UP,      //!< closes without an answer
	FAKE_SILENT,       //!< never answers
	FAKE_LEAVE,        //!< answers, and then says goodbye and closes, as a server that is shut down
};

struct fake_pg {
	char dir[64]; //!< the socket's folder, for libpq's host
	char conninfo[128];
	enum fake_act acts[8]; //!< one after the other; then FAKE_GONE
	char const *sqlstate;
	int schema;
	bool linger;              //!< keeps the socket open after its goodbye
	atomic_bool silent_start; //!< says nothing to new connections
	atomic_int connections, executions;
	int listening, wake[2];
	pthread_t thread;
};

void fake_pg_start(struct fake_pg *f);
void fake_pg_stop(struct fake_pg *f);

#endif
