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

static void *pool_create(TALLOC_CTX *ctx, void *opaque)
{
	rlm_wsmfa_t *inst = opaque;
	struct wsmfa_pg_conn *conn = wsmfa_pg_connect(&inst->pg_config);
	struct pooled *p;

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

static struct wsmfa_pg_conn *pool_get(void *ctx)
{
	rlm_wsmfa_t *inst = ctx;

	held = fr_connection_get(inst->pool);
	return held ? held->conn : NULL;
}

static void pool_release(void *ctx, struct wsmfa_pg_conn *conn)
{
	rlm_wsmfa_t *inst = ctx;

	rad_assert(held && held->conn == conn);
	fr_connection_release(inst->pool, held);
	held = NULL;
}

static void pool_discard(void *ctx, struct wsmfa_pg_conn *conn)
{
	rlm_wsmfa_t *inst = ctx;

	rad_assert(held && held->conn == conn);
	fr_connection_close(inst->pool, held, "lost");
	held = NULL;
}

int wsmfa_store_start(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
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
}
