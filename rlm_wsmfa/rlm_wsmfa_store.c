/*
 * The host's connection pool under our store, and its log under our words.
 * It stands apart because it is the only place where fr_connection_pool and libpq's connections meet.
 */
#include "rlm_wsmfa.h"

/** What the pool hands out: talloc frees it, and with it the connection. */
struct pooled {
	struct wsmfa_pg_conn *conn;
};

void wsmfa_log(void *ctx, char level, char const *text)
{
	rlm_wsmfa_t const *inst = ctx;

	switch (level) {
	case 'e': ERROR("rlm_wsmfa (%s): %s", inst->name, text); break;
	case 'w': WARN("rlm_wsmfa (%s): %s", inst->name, text); break;
	case 'i': INFO("rlm_wsmfa (%s): %s", inst->name, text); break;
	default: DEBUG2("rlm_wsmfa (%s): %s", inst->name, text); break;
	}
}

static int pooled_free(struct pooled *p)
{
	wsmfa_pg_close(p->conn);
	return 0;
}

/** Whoever waits for a connection may ask again. */
static void pool_turn(rlm_wsmfa_t *inst)
{
	inst->pool_turns++;
	pthread_cond_broadcast(&inst->pool_changed);
}

static void *pool_create(TALLOC_CTX *ctx, void *opaque)
{
	rlm_wsmfa_t *inst = opaque;
	struct wsmfa_pg_conn *conn;
	struct pooled *p;

	pthread_mutex_lock(&inst->pool_lock);
	inst->pool_opening++;
	pthread_mutex_unlock(&inst->pool_lock);
	conn = wsmfa_pg_connect(&inst->pg_config);
	pthread_mutex_lock(&inst->pool_lock);
	inst->pool_opening--;
	pool_turn(inst);
	pthread_mutex_unlock(&inst->pool_lock);
	if (!conn) return NULL;
	p = talloc_zero(ctx, struct pooled);
	if (!p) {
		wsmfa_pg_close(conn);
		return NULL;
	}
	p->conn = conn;
	talloc_set_destructor(p, pooled_free);
	return p;
}

static int pool_alive(UNUSED void *opaque, void *connection)
{
	struct pooled *p = connection;

	return wsmfa_pg_alive(p->conn) ? 0 : -1;
}

/* The store asks for a wsmfa_pg_conn and gives it back; the pool wants what it handed out. A thread has one at a time. */
static _Thread_local struct pooled *held;

/* A new connection costs PostgreSQL as much as a hundred logins: a crowd that made one each would run into their time. */
#define POOL_OPENING_MAX 2

/** Is there a connection that nobody has, or may one more be made? */
static bool pool_has_one(rlm_wsmfa_t *inst)
{
	return inst->pool_opening < POOL_OPENING_MAX || fr_connection_pool_get_num(inst->pool) > (int)inst->pool_users;
}

/**
 * A login that there is no connection for waits for its turn, as long as others have one or are getting one: half of its time,
 * the rest is the query's. Without any it fails at once.
 */
static struct wsmfa_pg_conn *pool_get(void *ctx)
{
	rlm_wsmfa_t *inst = ctx;
	struct timespec until;
	int64_t wait = (int64_t)inst->store_timeout * 500000, left = wsmfa_pg_time_left();
	bool again = true;

	if (left < wait) wait = left;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(wait % 1000000) * 1000;
	until.tv_sec += wait / 1000000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&inst->pool_lock);
	while (again) {
		uint64_t const seen = inst->pool_turns;

		if (pool_has_one(inst)) {
			inst->pool_users++;
			pthread_mutex_unlock(&inst->pool_lock);
			held = fr_connection_get(inst->pool);
			if (held) return held->conn;
			pthread_mutex_lock(&inst->pool_lock);
			inst->pool_users--;
			if (inst->pool_users == 0) pthread_cond_broadcast(&inst->pool_changed);
		}
		while (again && inst->pool_turns == seen && inst->pool_users > 0) {
			again = pthread_cond_timedwait(&inst->pool_changed, &inst->pool_lock, &until) == 0;
		}
		again = again && inst->pool_turns != seen;
	}
	pthread_mutex_unlock(&inst->pool_lock);
	return NULL;
}

static void pool_returned(rlm_wsmfa_t *inst)
{
	held = NULL;
	pthread_mutex_lock(&inst->pool_lock);
	inst->pool_users--;
	pool_turn(inst);
	pthread_mutex_unlock(&inst->pool_lock);
}

static void pool_release(void *ctx, struct wsmfa_pg_conn *conn)
{
	rlm_wsmfa_t *inst = ctx;

	rad_assert(held && held->conn == conn);
	fr_connection_release(inst->pool, held);
	pool_returned(inst);
}

static void pool_discard(void *ctx, struct wsmfa_pg_conn *conn)
{
	rlm_wsmfa_t *inst = ctx;

	rad_assert(held && held->conn == conn);
	fr_connection_close(inst->pool, held, "lost");
	pool_returned(inst);
}

int wsmfa_store_start(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&inst->pool_changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&inst->pool_lock, NULL);
	inst->pg_config = (struct wsmfa_pg_config){
		.conninfo = inst->connection,
		.store_timeout_ms = (int32_t)inst->store_timeout * 1000,
		.failure_days = (int32_t)inst->failure_days,
		.log = wsmfa_log,
		.log_ctx = inst,
	};
	inst->pg_pool = (struct wsmfa_pg_pool){
		.get = pool_get, .release = pool_release, .discard = pool_discard, .ctx = inst
	};
	inst->service.store = wsmfa_pg_new(&inst->pg_config, &inst->pg_pool);
	if (!inst->service.store) {
		cf_log_err_cs(conf, "out of memory");
		return -1;
	}
	inst->pool = fr_connection_pool_module_init(conf, inst, pool_create, pool_alive, NULL);
	return inst->pool ? 0 : -1;
}

void wsmfa_store_stop(rlm_wsmfa_t *inst)
{
	if (inst->pool) fr_connection_pool_free(inst->pool);
	inst->pool = NULL;
	if (inst->service.store) inst->service.store->ops->free(inst->service.store);
	inst->service.store = NULL;
	if (!inst->pg_pool.ctx) return; /* never started */
	pthread_cond_destroy(&inst->pool_changed);
	pthread_mutex_destroy(&inst->pool_lock);
}
