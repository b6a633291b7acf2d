/* Where the database is: libpq's connection parameters with host names resolved already.
 * Apart from db.c, because libpq resolves names while its caller waits, and the engine's loop must not. */
#ifndef WSMFA_ENGINE_DB_ADDRESS_H
#define WSMFA_ENGINE_DB_ADDRESS_H

#include <stdbool.h>
#include <uv.h>

struct wsmfa_db_address;

/** Arrays for PQconnectStartParams, for the time of the call; or a problem. */
typedef void wsmfa_db_address_done(void *ctx, char const *const *keywords, char const *const *values,
				   char const *problem);

/** Finds the addresses; calls done once, maybe before it returns. *out is for cancel, NULL once done was called. False without memory: then
 * done is not called. */
bool wsmfa_db_address_find(uv_loop_t *, char const *conninfo, wsmfa_db_address_done *done, void *ctx,
			   struct wsmfa_db_address **out);
/** done will not be called. */
void wsmfa_db_address_cancel(struct wsmfa_db_address *);

#endif
