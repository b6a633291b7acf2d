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
