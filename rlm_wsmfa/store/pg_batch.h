/*
 * Calls of one kind that are made at the same moment travel as one statement: one way there and back, one commit.
 * It stands apart from the calls: who waits for whom, and for how long, is one question for all of them.
 *
 * No thread of its own: whoever finds no statement of the kind under way, and hardly one of another, leads at once, alone. Who has to
 * wait leads when a statement ends, the oldest first, with all who wait for the same kind. The fewer statements at a time, the more
 * of them travel together; while many wait, a few more go, so that one that waits for the disk does not hold up everybody.
 */
#ifndef WSMFA_STORE_PG_BATCH_H
#define WSMFA_STORE_PG_BATCH_H

#include <pthread.h>

#include "store/pg_value.h"
#include "store/store.h"

struct wsmfa_pg;

/* Statements that go without anybody waiting, of different kinds; at most; and how many calls wait before there is one more. */
#define PG_BATCHES_FREE 2
#define PG_BATCHES_MAX  4
#define PG_BATCH_ENOUGH 8
/* Calls in a statement. */
#define PG_BATCH_MAX 64

/** One call; on its caller's stack, first in a struct that has the rest of it. All but `origin` begins as zero. */
struct pg_call {
	struct wsmfa_origin const *origin;
	bool done;   //!< the statement did it; if not, though OK, this call has to be made alone
	bool shared; //!< others were in the statement, so that BROKEN may be their fault: alone it may be well
	/* of the batch, under its lock */
	enum { PG_CALL_WAITS = 0, PG_CALL_LEADS, PG_CALL_TRAVELS } at;
	struct pg_batch *batch;
	struct pg_call *next;
	/* of its own */
	enum wsmfa_store_result result;
	bool leads;       //!< its result is the breaker's too
	int64_t deadline; //!< monotonic, microseconds
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool woken; //!< under its lock: it leads, or is back
};

/** A kind of call. */
struct pg_batch_kind {
	char const *statement;
	bool reads_only; //!< it may be run again when nobody knows whether it ran.
	/** The parameters of all calls, arrays that run side by side. */
	void (*put)(struct wsmfa_pg *pg, struct pg_params *params, struct pg_call *const *calls, size_t len);
	/** What came back for a call, maybe no row: `rows` has them, after a column n. Sets call->done. False: row->bad says why. */
	bool (*get)(struct pg_rows const *rows, struct pg_call *call, struct pg_row *row);
};

/** What calls of all kinds go by. */
struct pg_road {
	pthread_mutex_t lock;
	struct pg_call *first, **last; //!< who waits, the oldest first
	int waiting, under_way;
};

struct pg_batch {
	struct pg_batch_kind const *kind;
	struct pg_road *road;
	int under_way; //!< under the road's lock
};

bool wsmfa_pg_road_init(struct pg_road *road);
void wsmfa_pg_road_end(struct pg_road *road);
/**
 * Makes the call with all others of its kind, within the store's timeout. Only who has more than half of it left has company, so
 * that nobody's statement ends with the time of somebody else. Of a statement that fails, the breaker hears once.
 */
enum wsmfa_store_result wsmfa_pg_batch_call(struct wsmfa_pg *pg, struct pg_batch *b, struct pg_call *call);
/** Has the call to be made alone? The statement passed it by, or failed because of anybody's. */
bool wsmfa_pg_batch_left(struct pg_call const *call, enum wsmfa_store_result r);

/* Of the origins of all calls: their times; client, station and service, an array each. */
void wsmfa_pg_put_ats(struct pg_params *p, struct pg_call *const *calls, size_t len);
void wsmfa_pg_put_places(struct pg_params *p, struct pg_call *const *calls, size_t len);

#endif
