/*
 * Parking: a request that waits for a phone is proxied to the engine's socket, so that it holds no thread.
 * It stands apart because the host does a lot to a proxied request, and all of it is answered for here.
 *
 * The engine's reply means "woken" and nothing else. What becomes of the request is settled in PostgreSQL, here.
 */
#include "rlm_wsmfa.h"

static bool is_parked(struct wsmfa_visit const *v)
{
	return v && v->waits != WSMFA_VISIT_NOT_PARKED;
}

/** What goes to the waiting room is a ticket and nothing of the login. */
rlm_rcode_t wsmfa_mod_pre_proxy(void *instance, REQUEST *request)
{
	static uint8_t const unsigned_yet[16] = { 0 };
	rlm_wsmfa_t *inst = instance;
	struct wsmfa_visit const *v = wsmfa_request_visit(inst, request);
	char ticket[17];
	VALUE_PAIR *vp;

	if (!is_parked(v)) return RLM_MODULE_NOOP;
	fr_pair_list_free(&request->proxy->vps);
	vp = radius_pair_create(request->proxy, &request->proxy->vps, PW_MESSAGE_AUTHENTICATOR, 0);
	if (!vp) return RLM_MODULE_FAIL;
	fr_pair_value_memcpy(vp, unsigned_yet, sizeof(unsigned_yet));
	vp = radius_pair_create(request->proxy, &request->proxy->vps, PW_USER_NAME, 0);
	if (!vp) return RLM_MODULE_FAIL;
	snprintf(ticket, sizeof(ticket), "%016llx", (unsigned long long)v->ticket);
	fr_pair_value_strcpy(vp, ticket);
	return RLM_MODULE_UPDATED;
}

/** The reply that the host shall send, as the code of the proxy's reply: it decides after post-proxy. */
static void set_proxy_code(REQUEST *request, unsigned int code)
{
	if (!request->proxy_reply) return; /* no answer from the waiting room: the host rejects */
	request->proxy_reply->code = code;
	fr_pair_list_free(&request->proxy_reply->vps);
}

/** What other modules had replied before the request was parked. */
static void restore_reply(rlm_wsmfa_t *inst, REQUEST *request)
{
	VALUE_PAIR *saved = request_data_get(request, inst, WSMFA_MARK_SAVED);

	if (saved) fr_pair_add(&request->reply->vps, saved);
}

static rlm_rcode_t woken_reply(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v, struct wsmfa_reply const *reply)
{
	fr_pair_list_free(&request->reply->vps);
	if (reply->kind == WSMFA_REPLY_ACCEPT && request->proxy_reply) {
		restore_reply(inst, request);
		wsmfa_reply_apply(inst, request, v, reply);
		/* The host adds an Auth-Type Accept of its own in its second pass. */
		fr_pair_delete_by_num(&request->config, PW_AUTH_TYPE, 0, TAG_ANY);
		set_proxy_code(request, PW_CODE_ACCESS_ACCEPT);
		return RLM_MODULE_UPDATED;
	}
	if (reply->kind == WSMFA_REPLY_CHALLENGE && request->proxy_reply) {
		wsmfa_reply_apply(inst, request, v, reply);
		request->reply->code = 0;
		set_proxy_code(request, PW_CODE_ACCESS_CHALLENGE);
		return RLM_MODULE_UPDATED;
	}
	/* Everything else, the unexpected too, ends in a reject. */
	wsmfa_reply_apply(inst, request, v, reply);
	if (reply->kind != WSMFA_REPLY_STORE || !inst->ignore_on_store_failure) {
		wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
	}
	set_proxy_code(request, PW_CODE_ACCESS_REJECT);
	return RLM_MODULE_UPDATED;
}

rlm_rcode_t wsmfa_mod_post_proxy(void *instance, REQUEST *request)
{
	rlm_wsmfa_t *inst = instance;
	struct wsmfa_visit *v = wsmfa_request_visit(inst, request);
	struct wsmfa_woken woken;
	struct wsmfa_reply reply;
	bool known;

	if (!is_parked(v)) return RLM_MODULE_NOOP;
	v = wsmfa_request_wake(inst, request);
	if (!v) {
		RERROR("out of memory: refused");
		wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
		set_proxy_code(request, PW_CODE_ACCESS_REJECT);
		return RLM_MODULE_FAIL;
	}
	known = inst->engine && wsmfa_engine_collect(inst->engine, v->ticket, &woken);
	wsmfa_visit_resume(&inst->service, v, known && request->proxy_reply ? &woken : NULL, wsmfa_now(), &reply);
	if (reply.kind == WSMFA_REPLY_PARK) {
		/* A request can't be parked twice. */
		reply = (struct wsmfa_reply){ .kind = WSMFA_REPLY_REJECT };
	}
	return woken_reply(inst, request, v, &reply);
}

/* ---- start-up: has who is parked the time it needs? ---- */

/** A time that the host would cut short: the sentence says what to set. */
static int too_short(CONF_SECTION *cs, char const *what, long have, rlm_wsmfa_t const *inst)
{
	cf_log_err_cs(cs, "%s is %ld s, but a phone may take push_timeout = %u s: set %s to %u or more, or push_timeout lower",
		      what, have, inst->push_timeout, what, inst->push_timeout + 5);
	return -1;
}

static int check_home_server(rlm_wsmfa_t const *inst, home_server_t const *home)
{
	uint8_t const *ip4 = (uint8_t const *)&home->ipaddr.ipaddr.ip4addr;
	bool const loopback = home->ipaddr.af == AF_INET ? ip4[0] == 127
							 : IN6_IS_ADDR_LOOPBACK(&home->ipaddr.ipaddr.ip6addr);

	if (!loopback || home->proto != IPPROTO_UDP) {
		cf_log_err_cs(home->cs, "home_server %s must be a UDP port of a loopback address: requests wait there inside this server",
			      home->name);
		return -1;
	}
	if (home->ping_check != HOME_PING_CHECK_NONE) {
		cf_log_err_cs(home->cs, "home_server %s: set status_check = none, nobody answers checks there", home->name);
		return -1;
	}
	if (home->response_window.tv_sec < (long)inst->push_timeout + 5) {
		return too_short(home->cs, "response_window", (long)home->response_window.tv_sec, inst);
	}
	return 0;
}

static int check_client_windows(rlm_wsmfa_t const *inst, CONF_SECTION *holder)
{
	for (CONF_SECTION *cs = cf_subsection_find_next(holder, NULL, "client"); cs;
	     cs = cf_subsection_find_next(holder, cs, "client")) {
		char const *value = cf_section_value_find(cs, "response_window");
		double const window = value ? strtod(value, NULL) : 0;

		if (window > 0 && window < inst->push_timeout + 5.0) {
			return too_short(cs, "response_window", (long)window, inst);
		}
	}
	return 0;
}

/** Clients stand outside of everything, in lists, and in sites. */
static int check_all_clients(rlm_wsmfa_t const *inst, CONF_SECTION *config)
{
	for (CONF_ITEM *ci = cf_item_find_next(config, NULL); ci; ci = cf_item_find_next(config, ci)) {
		CONF_SECTION *cs = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;

		if (!cs || (strcmp(cf_section_name1(cs), "clients") != 0 && strcmp(cf_section_name1(cs), "server") != 0)) continue;
		if (check_client_windows(inst, cs) < 0) return -1;
	}
	return check_client_windows(inst, config);
}

int wsmfa_park_check(rlm_wsmfa_t *inst)
{
	home_pool_t const *pool = home_pool_byname(inst->park_pool, HOME_TYPE_AUTH);

	if (inst->providers_len == 0) return 0;
	if (!main_config.proxy_requests) {
		cf_log_err_cs(inst->cs, "proxy_requests is no in radiusd.conf: set it to yes, or no request can wait for a phone");
		return -1;
	}
	if (!pool || pool->num_home_servers != 1) {
		cf_log_err_cs(inst->cs,
			      "there is no home_server_pool %s with one home server: $INCLUDE mods-config/wsmfa/proxy-wsmfa.conf, or name "
			      "yours with park_pool",
			      inst->park_pool);
		return -1;
	}
	/* first, because the host cuts every response_window down to it */
	if (main_config.max_request_time < inst->push_timeout + 5) {
		return too_short(inst->cs, "max_request_time", (long)main_config.max_request_time, inst);
	}
	if (check_home_server(inst, pool->servers[0]) < 0) return -1;
	if (main_config.max_requests <= inst->park_max) {
		cf_log_err_cs(inst->cs, "max_requests is %u, but park_max = %u requests may wait: set max_requests in radiusd.conf higher",
			      main_config.max_requests, inst->park_max);
		return -1;
	}
	if (check_all_clients(inst, main_config.config) < 0) return -1;
	inst->park_server = pool->servers[0];
	inst->service.park = true;
	return 0;
}
