/*
 * A world for the store's scenarios: accounts and phones, set up the same way in memory and in PostgreSQL.
 * Apart from the scenarios, so that each of them is one list for both stores.
 */
#ifndef WSMFA_TESTS_STORE_WORLD_H
#define WSMFA_TESTS_STORE_WORLD_H

#include <libpq-fe.h>

#include "store/store_mem.h"
#include "store/store_pg.h"

/* 2024-06-03 09:00 UTC, and regions around it. */
#define WORLD_NOW      INT64_C(1717405200000000)
#define WORLD_ANNOUNCE (WORLD_NOW - 100 * WSMFA_DAY)
#define WORLD_ENFORCE  (WORLD_NOW + 10 * WSMFA_DAY)

struct store_world {
	struct wsmfa_store *store;
	PGconn *admin; //!< the owner's connection, NULL in memory
	struct wsmfa_pg_config config;
	struct wsmfa_pg_conn *conn; //!< the pool: one connection
	unsigned serial;
	char logged[256]; //!< the last line of log
};

/** What a scenario says of an account; zero stands for: region world-on, service world-mfa, no policy, no own schedule. */
struct world_person {
	char const *region;  //!< world-off (observe), world-soon (announce), world-on (enforce)
	char const *service; //!< world-mfa, world-free
	char const *phone;
	char const *password;
	uint32_t allowed_kinds;
	wsmfa_time_t announce_from, enforce_from; //!< of the organization
};

struct world_who {
	int64_t id;
	int64_t organization;
	char name[48];
};

/** `conninfo` NULL: in memory. Otherwise the owner's connection; the store connects as wsmfa_radius. */
bool world_begin(struct store_world *w, char const *conninfo);
void world_end(struct store_world *w);
struct world_who world_account(struct store_world *w, struct world_person const *p);
int64_t world_authenticator(struct store_world *w, int64_t account_id, enum wsmfa_kind kind, bool confirmed);
void world_recovery_code(struct store_world *w, int64_t id, uint8_t const *hash);
void world_ticket(struct store_world *w, int64_t account_id, uint8_t const *hash, wsmfa_time_t expires_at);
void world_exempt(struct store_world *w, int64_t account_id, wsmfa_time_t until);
void world_account_disable(struct store_world *w, int64_t id);
void world_authenticator_disable(struct store_world *w, int64_t id);
void world_authenticator_remove(struct store_world *w, int64_t id);
/** The account's organization allows apps alone from now on. */
void world_allow_apps(struct store_world *w, struct world_who const *who);
/** The phone says "approved" or "denied", or the provider "failed". */
bool world_answer(struct store_world *w, int64_t challenge_id, char const *state, wsmfa_time_t at);

#endif
