/*
 * The module as FreeRADIUS sees it: start, end, and the table of callbacks.
 * It stands apart from the other files of the glue because it holds the one exported symbol.
 */
#include "rlm_wsmfa.h"

#include <openssl/rand.h>

/* ---- what a visit needs of the world ---- */

static enum wsmfa_park_status outside_park(void *ctx, struct wsmfa_job const *job)
{
	rlm_wsmfa_t *inst = ctx;

	return inst->engine ? wsmfa_engine_park(inst->engine, job) : WSMFA_PARK_DEAD;
}

static enum wsmfa_park_status outside_room(void *ctx)
{
	rlm_wsmfa_t *inst = ctx;

	return inst->engine ? wsmfa_engine_room(inst->engine) : WSMFA_PARK_DEAD;
}

static void outside_event(void *ctx, struct wsmfa_event const *event)
{
	rlm_wsmfa_t *inst = ctx;

	if (inst->engine) wsmfa_engine_event(inst->engine, event);
}

static void outside_notice(void *ctx, struct wsmfa_message const *message)
{
	rlm_wsmfa_t *inst = ctx;

	if (inst->engine) wsmfa_engine_notice(inst->engine, inst->service.sms_provider, message);
}

static struct wsmfa_provider_ops const *outside_push(void *ctx, char const *name, bool *up)
{
	rlm_wsmfa_t *inst = ctx;

	for (size_t i = 0; i < inst->providers_len; i++) {
		struct wsmfa_provider const *p = inst->providers[i];

		if (p->ops->channel != WSMFA_KIND_PUSH || strcmp(p->name, name) != 0) continue;
		*up = inst->engine && wsmfa_engine_provider_up(inst->engine, name);
		return p->ops;
	}
	return NULL;
}

static bool outside_random(UNUSED void *ctx, void *out, size_t len)
{
	return RAND_bytes(out, (int)len) == 1;
}

/* ---- start and end ---- */

static int engine_start(rlm_wsmfa_t *inst)
{
	char err[512] = "";
	char address[INET6_ADDRSTRLEN] = "";
	struct wsmfa_engine_config config = {
		.conninfo = inst->connection,
		.store_timeout_ms = (int32_t)inst->store_timeout * 1000,
		.server_name = inst->server_name,
		.failure_budget = (int32_t)inst->failure_budget,
		.failure_days = (int32_t)inst->failure_days,
		.ring = inst->ring,
		.park_max = (int32_t)inst->park_max,
		.park_account_max = 2,
		.providers = inst->providers,
		.providers_len = inst->providers_len,
		.notify_url = inst->notify_url,
		.log = wsmfa_log,
		.log_ctx = inst,
	};

	if (inst->park_server) {
		fr_ipaddr_t const *ip = &inst->park_server->ipaddr;

		inet_ntop(ip->af, &ip->ipaddr, address, sizeof(address));
		config.park_address = address;
		config.park_port = inst->park_server->port;
		config.park_secret = inst->park_server->secret;
	}
	inst->engine = wsmfa_engine_start(&config, err, sizeof(err));
	if (!inst->engine) {
		cf_log_err_cs(inst->cs, "%s", err);
		return -1;
	}
	return 0;
}

static int mod_instantiate(CONF_SECTION *conf, void *instance)
{
	rlm_wsmfa_t *inst = instance;
	uint8_t key[16];

	inst->cs = conf;
	inst->name = cf_section_name2(conf);
	if (!inst->name) inst->name = cf_section_name1(conf);
	pthread_mutex_init(&inst->delay_lock, NULL);
	pthread_mutex_init(&inst->sites_lock, NULL);

	inst->service.outside = (struct wsmfa_outside){
		.park = outside_park,
		.room = outside_room,
		.event = outside_event,
		.notice = outside_notice,
		.push = outside_push,
		.random = outside_random,
		.ctx = inst,
	};
	if (wsmfa_conf_check(inst, conf) < 0) return -1;
	if (wsmfa_clients_check(inst) < 0) return -1;
	if (wsmfa_sites_check(inst) < 0) return -1;
	if (wsmfa_park_check(inst) < 0) return -1;

	if (RAND_bytes(key, sizeof(key)) != 1) {
		cf_log_err_cs(conf, "the system's random source does not answer");
		return -1;
	}
	inst->delays = talloc_zero(inst, struct wsmfa_delay_table);
	if (!inst->delays) return -1;
	wsmfa_delay_table_init(inst->delays, key);

	/* -C only checks: no thread, no socket, no connection */
	if (check_config) return 0;

	if (wsmfa_store_start(inst, conf) < 0) return -1;
	return engine_start(inst);
}

static int mod_detach(void *instance)
{
	rlm_wsmfa_t *inst = instance;

	wsmfa_engine_free(inst->engine);
	inst->engine = NULL;
	wsmfa_store_stop(inst);
	wsmfa_conf_free(inst);
	pthread_mutex_destroy(&inst->sites_lock);
	pthread_mutex_destroy(&inst->delay_lock);
	return 0;
}

extern module_t rlm_wsmfa;

/* Not HUP-safe: a reload must not start a second engine. */
module_t rlm_wsmfa = {
	.magic = RLM_MODULE_INIT,
	.name = "wsmfa",
	.type = RLM_TYPE_THREAD_SAFE,
	.inst_size = sizeof(rlm_wsmfa_t),
	.config = wsmfa_module_config,
	.instantiate = mod_instantiate,
	.detach = mod_detach,
	.methods = {
		[MOD_AUTHORIZE] = wsmfa_mod_authorize,
		[MOD_AUTHENTICATE] = wsmfa_mod_authenticate,
		[MOD_PRE_PROXY] = wsmfa_mod_pre_proxy,
		[MOD_POST_PROXY] = wsmfa_mod_post_proxy,
		[MOD_POST_AUTH] = wsmfa_mod_post_auth,
	},
};
