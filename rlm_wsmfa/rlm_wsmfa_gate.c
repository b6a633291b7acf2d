/*
 * The gate: wsmfa in post-auth. It stands apart because it trusts nothing that ran before it: an Access-Accept without the
 * module's own mark becomes an Access-Reject, whoever made it.
 */
#include "rlm_wsmfa.h"

#include "core/codec.h"

#define WSMFA_WORDS_MAX 256

/* RFC 3748 sections 4 and 5, and the registry of EAP methods. */
enum { EAP_FAILURE = 4, EAP_HEADER_LEN = 4 };
enum { EAP_MD5 = 4, EAP_GTC = 6, EAP_MSCHAPV2 = 26, EAP_PWD = 52 };

/** What a question may carry (RFC 2865 section 4.4): nothing of a session. */
static bool belongs_to_challenge(VALUE_PAIR const *vp)
{
	if (vp->da->vendor != 0) return false;
	switch (vp->da->attr) {
	case PW_REPLY_MESSAGE:
	case PW_STATE:
	case PW_PROMPT:
	case PW_SESSION_TIMEOUT:
	case PW_PROXY_STATE: return true;
	default: return false;
	}
}

/** What a reject may carry: no keys, no policy, and no EAP-Success that came before it. */
static bool belongs_to_reject(VALUE_PAIR const *vp)
{
	if (vp->da->vendor == VENDORPEC_MICROSOFT) return vp->da->attr == PW_MSCHAP_ERROR;
	if (vp->da->vendor != 0) return false;
	switch (vp->da->attr) {
	case PW_REPLY_MESSAGE:
	case PW_PROXY_STATE:
	case PW_ERROR_CAUSE:
	case PW_FREERADIUS_RESPONSE_DELAY:
	case PW_FREERADIUS_RESPONSE_DELAY_USEC: return true;
	case PW_EAP_MESSAGE: return vp->vp_length > 0 && vp->vp_octets[0] == EAP_FAILURE;
	default: return false;
	}
}

/** Takes off what does not belong, and every Reply-Message but the first. */
static void strip_reply(REQUEST *request, bool (*belongs)(VALUE_PAIR const *vp))
{
	vp_cursor_t cursor;
	bool told = false;
	VALUE_PAIR *vp = fr_cursor_init(&cursor, &request->reply->vps);

	while (vp) {
		bool const text = vp->da->vendor == 0 && vp->da->attr == PW_REPLY_MESSAGE;

		if (belongs(vp) && !(text && told)) {
			told = told || text;
			vp = fr_cursor_next(&cursor);
			continue;
		}
		vp = fr_cursor_remove(&cursor);
		talloc_free(vp);
		vp = fr_cursor_current(&cursor);
	}
}

/** An EAP peer waits for a Failure, and rlm_eap has none to give once it has sent its Success (RFC 3579 section 2.6.3). */
static void fail_eap(REQUEST *request)
{
	VALUE_PAIR const *response = fr_pair_find_by_num(request->packet->vps, PW_EAP_MESSAGE, 0, TAG_ANY);
	uint8_t failure[4] = { EAP_FAILURE, 0, 0, sizeof(failure) };
	VALUE_PAIR *vp;

	if (!response || response->vp_length < 2 || fr_pair_find_by_num(request->reply->vps, PW_EAP_MESSAGE, 0, TAG_ANY)) return;
	failure[1] = response->vp_octets[1]; /* RFC 3748 section 4.2: the identifier of the Response */
	vp = radius_pair_create(request->reply, &request->reply->vps, PW_EAP_MESSAGE, 0);
	if (vp) fr_pair_value_memcpy(vp, failure, sizeof(failure));
}

/** What went wrong first, in the words of the module that says so: the others follow from it. */
static void first_words(REQUEST *request, char out[WSMFA_WORDS_MAX])
{
	VALUE_PAIR const *vp = fr_pair_find_by_num(request->packet->vps, PW_MODULE_FAILURE_MESSAGE, 0, TAG_ANY);

	out[0] = '\0';
	if (vp) wsmfa_clean(out, WSMFA_WORDS_MAX, (uint8_t const *)vp->vp_strvalue, vp->vp_length);
}

static void forget_delay(VALUE_PAIR **list)
{
	fr_pair_delete_by_num(list, PW_FREERADIUS_RESPONSE_DELAY, 0, TAG_ANY);
	fr_pair_delete_by_num(list, PW_FREERADIUS_RESPONSE_DELAY_USEC, 0, TAG_ANY);
}

/**
 * A wrong password: the event, and a delay that grows with each one, without holding a thread.
 * @param list the reply's; of a tunnel, the session-state of the outer request, which rejects later
 */
static void first_factor_failed(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v, TALLOC_CTX *ctx, VALUE_PAIR **list)
{
	wsmfa_time_t delay;
	uint32_t failures;
	VALUE_PAIR *vp;
	char name[128], why[WSMFA_WORDS_MAX];

	wsmfa_visit_failed(&inst->service, v);
	wsmfa_request_tell(inst, request, v);
	wsmfa_clean(name, sizeof(name), (uint8_t const *)v->name, strlen(v->name));
	first_words(request, why);
	RINFO("\"%s\" from %s refused: failed_first_factor%s%s", name, v->client.address, why[0] ? ", " : "", why);

	pthread_mutex_lock(&inst->delay_lock);
	failures = wsmfa_delay_table_fail(inst->delays, v->name, v->at);
	pthread_mutex_unlock(&inst->delay_lock);
	if (inst->delay_max == 0) return;
	delay = wsmfa_delay(failures, inst->delay_max * WSMFA_SECOND);
	/* The host's own reject_delay stands until ours is longer. */
	if (delay <= main_config.reject_delay.tv_sec * WSMFA_SECOND) return;
	forget_delay(list);
	vp = radius_pair_create(ctx, list, PW_FREERADIUS_RESPONSE_DELAY_USEC, 0);
	if (vp) vp->vp_integer = (uint32_t)delay;
}

/** EAP ended before anybody was proven: says why, where the tunnel has not, and waits as long as the tunnel wants. */
static void eap_failed(rlm_wsmfa_t *inst, REQUEST *request)
{
	VALUE_PAIR const *outer = fr_pair_find_by_num(request->packet->vps, PW_USER_NAME, 0, TAG_ANY);
	VALUE_PAIR const *delay = fr_pair_find_by_num(request->state, PW_FREERADIUS_RESPONSE_DELAY_USEC, 0, TAG_ANY);
	VALUE_PAIR *vp;
	char name[128] = "", why[WSMFA_WORDS_MAX], from[INET6_ADDRSTRLEN] = "";

	if (delay) {
		forget_delay(&request->reply->vps);
		vp = radius_pair_create(request->reply, &request->reply->vps, PW_FREERADIUS_RESPONSE_DELAY_USEC, 0);
		if (vp) vp->vp_integer = delay->vp_integer;
	}
	if (fr_pair_find_by_da(request->state, inst->dict.outcome, TAG_ANY)) return;
	first_words(request, why);
	if (outer) wsmfa_clean(name, sizeof(name), (uint8_t const *)outer->vp_strvalue, outer->vp_length);
	ip_ntoh(&request->packet->src_ipaddr, from, sizeof(from));
	RINFO("EAP of \"%s\" from %s refused: %s", name, from, why[0] ? why : "the method did not succeed");
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
	fail_eap(request);
	wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
	return RLM_MODULE_REJECT;
}

/**
 * Does what was done inside prove the account's password? EAP in a tunnel may be a tunnel again, or a certificate: its name is
 * nobody's account, since another one, or none, has proven a password.
 */
static bool proves_password(REQUEST *request)
{
	static uint8_t const methods[] = { EAP_MD5, EAP_GTC, EAP_MSCHAPV2, EAP_PWD };
	VALUE_PAIR const *eap = fr_pair_find_by_num(request->packet->vps, PW_EAP_MESSAGE, 0, TAG_ANY);

	if (!eap) return true;
	return eap->vp_length > EAP_HEADER_LEN && memchr(methods, eap->vp_octets[EAP_HEADER_LEN], sizeof(methods));
}

static bool outer_keeps(REQUEST *outer, DICT_ATTR const *da, char const *value)
{
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&outer->state, da->attr, da->vendor, TAG_ANY);
	if (!value) return true;
	vp = fr_pair_afrom_da(outer->state_ctx, da);
	if (!vp) return false;
	fr_pair_value_strcpy(vp, value);
	fr_pair_add(&outer->state, vp);
	return true;
}

/**
 * The inner tunnel has proven somebody, or not: the outer request is told. In session-state, since with some methods (PEAP,
 * TTLS-MSCHAPv2) the outer one ends only a packet later.
 */
static rlm_rcode_t inner_post_auth(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v)
{
	VALUE_PAIR const *inner = fr_pair_find_by_da(request->config, inst->dict.account, TAG_ANY);
	bool const accepted = request->reply->code == PW_CODE_ACCESS_ACCEPT;
	bool const rejected = request->reply->code == PW_CODE_ACCESS_REJECT;
	REQUEST *outer = wsmfa_request_outer(request);

	if (!accepted && !rejected) return RLM_MODULE_NOOP;
	if (accepted && !proves_password(request)) inner = NULL;
	if (!outer_keeps(outer, inst->dict.account, accepted && inner ? inner->vp_strvalue : NULL)) return RLM_MODULE_FAIL;
	if (!rejected || !v || v->ended) return RLM_MODULE_OK;
	first_factor_failed(inst, request, v, outer->state_ctx, &outer->state);
	outer_keeps(outer, inst->dict.outcome, wsmfa_outcome_word(WSMFA_OUTCOME_FAILED_FIRST_FACTOR));
	return RLM_MODULE_OK;
}

rlm_rcode_t wsmfa_mod_post_auth(void *instance, REQUEST *request)
{
	rlm_wsmfa_t *inst = instance;
	struct wsmfa_visit *v = wsmfa_request_visit(inst, request);
	rlm_rcode_t rcode = RLM_MODULE_OK;

	if (request->packet->code != PW_CODE_ACCESS_REQUEST) return RLM_MODULE_NOOP;
	if (request->parent) return inner_post_auth(inst, request, v);

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
		if (wsmfa_request_marked(inst, request, WSMFA_MARK_CHALLENGE)) strip_reply(request, belongs_to_challenge);
		break;
	case PW_CODE_ACCESS_REJECT:
		strip_reply(request, belongs_to_reject);
		fail_eap(request);
		if (v && !v->ended && !v->answering && !v->login.account) {
			first_factor_failed(inst, request, v, request->reply, &request->reply->vps);
		} else if (!v && wsmfa_request_is_eap(request)) {
			eap_failed(inst, request);
		}
		break;
	default: return RLM_MODULE_NOOP; /* nothing is sent */
	}
	/* RFC 3579 section 2.6.5: none beside an EAP-Message; an EAP peer would not see it. */
	if (wsmfa_request_is_eap(request)) fr_pair_delete_by_num(&request->reply->vps, PW_REPLY_MESSAGE, 0, TAG_ANY);
	wsmfa_sign_reply(request);
	return rcode;
}
