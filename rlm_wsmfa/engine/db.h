/* The engine's one connection to PostgreSQL: statements one after another, each with a deadline, and LISTEN.
 * Apart from its users as a small struct of functions, so that tests put a fake in its place. All on the loop's thread. */
#ifndef WSMFA_ENGINE_DB_H
#define WSMFA_ENGINE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define WSMFA_DB_PARAMS_MAX 11

/** What became of a statement. */
enum wsmfa_db_result {
	WSMFA_DB_DOWN = 0, //!< not now: no connection, or lost on the way; it may have been executed
	WSMFA_DB_REFUSED,  //!< never: the server finds the values themselves wrong; it was not executed
	WSMFA_DB_OK,
};

/** `ids` is the first column of the rows, as numbers, for the time of the call. */
typedef void wsmfa_db_done(void *ctx, enum wsmfa_db_result result, int64_t const *ids, size_t ids_len);

struct wsmfa_db_config {
	char const *conninfo;
	int32_t timeout_ms; //!< to connect, and of each statement
	void *ctx;
	void (*on_up)(void *ctx);                 //!< connected, and listening from now on
	void (*on_notify)(void *ctx, int64_t id); //!< of channel wsmfa_answer
	void (*log)(void *ctx, char level, char const *text);
};

struct wsmfa_db;

struct wsmfa_db_ops {
	/** Begins to connect. NULL without memory. The config's strings are copied. */
	struct wsmfa_db *(*open)(uv_loop_t *, struct wsmfa_db_config const *);
	bool (*up)(struct wsmfa_db const *);
	/** Queues a statement; `sql` is a literal, params are copied. `done` is called once: at once when the database
	 * is down, else later. */
	void (*query)(struct wsmfa_db *, char const *sql, char const *const *params, int params_len,
		      wsmfa_db_done *done, void *ctx);
	/** Ends everything; what is queued is DOWN before it returns. Frees itself in the loop's next rounds. */
	void (*close)(struct wsmfa_db *);
};

extern struct wsmfa_db_ops const wsmfa_db_pg;

#endif
