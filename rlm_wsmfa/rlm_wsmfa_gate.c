/*
 * The gate: wsmfa in post-auth. It stands apart because it trusts nothing that ran before it: an Access-Accept without the
 * module's own mark becomes an Access-Reject, whoever made it.
 */
#include "rlm_wsmfa.h"

#include "core/codec.h"

/** Takes off a challenge what belongs to a session (RFC 2865 section 4.4). */
static void strip_challenge(REQUEST *request)
{
	vp_cursor_t cursor;
	bool told = false;
	VALUE_PAIR *vp = fr_cursor_init(&cursor, &request->reply->vps);

	while (vp) {
		bool keep = false;

		if (vp->da->vendor == 0) {
			switch (vp->da->attr) {
			case PW_REPLY_MESSAGE:
				keep = !told;
				told = true;
				break;
			case PW_STATE:
			case PW_PROMPT:
			case PW_SESSION_TIMEOUT:
			case PW_PROXY_STATE: keep = true; break;
			default: break;
			}
		}
		if (keep) {
			vp = fr_cursor_next(&cursor);
			continue;
		}
		vp = fr_cursor_remove(&cursor);
		talloc_free(vp);
		vp = fr_cursor_current(&cursor);
	}
}

/** A wrong password: the event, and a delay that grows with each one, without holding a thread. */
static void first_factor_failed(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v)
{
	wsmfa_time_t delay;
	uint32_t failures;
	VALUE_PAIR *vp;
	char name[128];

	wsmfa_visit_failed(&inst->service, v);
	wsmfa_clean(name, sizeof(name), (uint8_t const *)v->name, strlen(v->name));
	RINFO("\"%s\" from %s refused: failed_first_factor", name, v->client.address);

	pthread_mutex_lock(&inst->delay_lock);
	failures = wsmfa_delay_table_fail(inst->delays, v->name, v->at);
	pthread_mutex_unlock(&inst->delay_lock);
	if (inst->delay_max == 0) return;
	delay = wsmfa_delay(failures, inst->delay_max * WSMFA_SECOND);
	/* The host's own reject_delay stands until ours is longer. */
	if (delay <= main_config.reject_delay.tv_sec * WSMFA_SECOND) return;
	fr_pair_delete_by_num(&request->reply->vps, PW_FREERADIUS_RESPONSE_DELAY, 0, TAG_ANY);
	fr_pair_delete_by_num(&request->reply->vps, PW_FREERADIUS_RESPONSE_DELAY_USEC, 0, TAG_ANY);
	vp = radius_pair_create(request->reply, &request->reply->vps, PW_FREERADIUS_RESPONSE_DELAY_USEC, 0);
	if (vp) vp->vp_integer = (uint32_t)delay;
}

static rlm_rcode_t refuse_bypass(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v)
{
	VALUE_PAIR const *auth_type = fr_pair_find_by_num(request->config, PW_AUTH_TYPE, 0, TAG_ANY);
	char name[128] = "";

	if (v) wsmfa_clean(name, sizeof(name), (uint8_t const *)v->name, strlen(v->name));
	RINFO("\"%s\" refused: the site %s would have sent an Access-Accept that wsmfa did not decide (Auth-Type %s)",
	      name, request->server ? request->server : "default",
	      auth_type ? dict_valnamebyattr(PW_AUTH_TYPE, 0, (int)auth_type->vp_integer) : "none");
	if (v && !v->ended) wsmfa_visit_event(&inst->service, v, WSMFA_OUTCOME_ERROR, WSMFA_REASON_BYPASS, WSMFA_KIND_NONE);
	fr_pair_list_free(&request->reply->vps);
	wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
	return RLM_MODULE_REJECT;
}

/** The inner tunnel has proven somebody: the outer request is told whom. */
static rlm_rcode_t inner_post_auth(rlm_wsmfa_t *inst, REQUEST *request)
{
	VALUE_PAIR const *inner = fr_pair_find_by_da(request->config, inst->dict.account, TAG_ANY);
	VALUE_PAIR *vp;

	if (!inner || request->reply->code == PW_CODE_ACCESS_REJECT) return RLM_MODULE_NOOP;
	fr_pair_delete_by_num(&request->parent->config, inst->dict.account->attr, inst->dict.account->vendor, TAG_ANY);
	vp = fr_pair_afrom_da(request->parent, inst->dict.account);
	if (!vp) return RLM_MODULE_FAIL;
	fr_pair_value_strcpy(vp, inner->vp_strvalue);
	fr_pair_add(&request->parent->config, vp);
	return RLM_MODULE_OK;
}

rlm_rcode_t wsmfa_mod_post_auth(void *instance, REQUEST *request)
{
	rlm_wsmfa_t *inst = instance;
	struct wsmfa_visit *v = wsmfa_request_visit(inst, request);
	rlm_rcode_t rcode = RLM_MODULE_OK;

	if (request->packet->code != PW_CODE_ACCESS_REQUEST) return RLM_MODULE_NOOP;
	if (request->parent) return inner_post_auth(inst, request);

	switch (request->reply->code) {
	case PW_CODE_ACCESS_ACCEPT:
		if (!wsmfa_request_marked(inst, request, WSMFA_MARK_ACCEPT)) {
			rcode = refuse_bypass(inst, request, v);
		} else if (v) {
			pthread_mutex_lock(&inst->delay_lock);
			wsmfa_delay_table_forget(inst->delays, v->name);
			pthread_mutex_unlock(&inst->delay_lock);
		}
		break;
	case PW_CODE_ACCESS_CHALLENGE:
		if (wsmfa_request_marked(inst, request, WSMFA_MARK_CHALLENGE)) strip_challenge(request);
		break;
	case PW_CODE_ACCESS_REJECT:
		if (v && !v->ended && !v->answering && !v->login.account) first_factor_failed(inst, request, v);
		break;
	default: return RLM_MODULE_NOOP; /* nothing is sent */
	}
	wsmfa_sign_reply(request);
	return rcode;
}
