/*
 * authorize and authenticate: the way in. It stands apart from the gate, which trusts nothing that happens here.
 */
#include "rlm_wsmfa.h"

#include <openssl/crypto.h>

#include "core/append.h"

static VALUE_PAIR *control(REQUEST *request, unsigned int attribute)
{
	fr_pair_delete_by_num(&request->config, attribute, 0, TAG_ANY);
	return radius_pair_create(request, &request->config, attribute, 0);
}

static bool set_auth_type(REQUEST *request, uint32_t auth_type)
{
	VALUE_PAIR *vp = control(request, PW_AUTH_TYPE);

	if (vp) vp->vp_integer = auth_type;
	return vp != NULL;
}

static bool set_password(REQUEST *request, char const *password)
{
	VALUE_PAIR *vp = control(request, PW_PASSWORD_WITH_HEADER);

	if (vp) fr_pair_value_strcpy(vp, password);
	return vp != NULL;
}

static bool set_account(rlm_wsmfa_t const *inst, REQUEST *request, char const *name)
{
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&request->config, inst->dict.account->attr, inst->dict.account->vendor, TAG_ANY);
	vp = fr_pair_afrom_da(request, inst->dict.account);
	if (!vp) return false;
	fr_pair_value_strcpy(vp, name);
	fr_pair_add(&request->config, vp);
	return true;
}

/** A request that can't be anybody's login: refused before the store is asked. */
static rlm_rcode_t malformed(REQUEST *request, char const *why)
{
	REDEBUG("%s", why);
	RINFO("refused: bad_request, %s", why);
	return RLM_MODULE_REJECT;
}

static VALUE_PAIR *find_response(rlm_wsmfa_t const *inst, REQUEST *request)
{
	return fr_pair_find_by_da(request->packet->vps, inst->dict.response, TAG_ANY);
}

/** An answer to a question: takes it, and leaves the rest to authenticate. */
static rlm_rcode_t authorize_answer(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v, VALUE_PAIR const *state)
{
	VALUE_PAIR const *answer = find_response(inst, request);
	struct wsmfa_reply reply;

	if (!answer && v->typed) answer = request->password;
	if (!wsmfa_visit_take(&inst->service, v, state->vp_octets, state->vp_length,
			      answer ? (uint8_t const *)answer->vp_strvalue : NULL, answer ? answer->vp_length : 0,
			      &reply)) {
		return wsmfa_reply_apply(inst, request, v, &reply);
	}
	return set_auth_type(request, inst->dict.auth_type_response) ? RLM_MODULE_UPDATED : RLM_MODULE_FAIL;
}

/**
 * append: cuts the second factor off the password. User-Password is a string that rlm_pap reads through a pointer cached
 * before authorize, so the value itself is cut.
 */
static bool split_password(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v)
{
	VALUE_PAIR *password = request->password;
	uint8_t const *response;
	size_t password_len;
	size_t response_len;
	char *cut;

	if (!wsmfa_append_split((uint8_t const *)password->vp_strvalue, password->vp_length, inst->append_separator,
				&password_len, &response, &response_len)) {
		return true;
	}
	v->appended.present = true;
	wsmfa_answer_parse(&v->appended.answer, response, response_len);
	cut = talloc_memdup(password, password->vp_strvalue, password_len + 1);
	if (!cut) return false;
	cut[password_len] = '\0';
	OPENSSL_cleanse((void *)(uintptr_t)password->vp_strvalue, password->vp_length);
	fr_pair_value_bstrncpy(password, cut, password_len);
	OPENSSL_cleanse(cut, password_len);
	talloc_free(cut);
	return true;
}

/** Does an authenticator's provider check the password itself? Then it travels with the job, and nowhere else. */
static bool wants_password(rlm_wsmfa_t const *inst, struct wsmfa_account const *account)
{
	for (size_t i = 0; i < account->authenticators_len; i++) {
		bool up;
		struct wsmfa_provider_ops const *ops;

		if (account->authenticators[i].kind != WSMFA_KIND_PUSH) continue;
		ops = inst->service.outside.push(inst->service.outside.ctx, account->authenticators[i].provider, &up);
		if (ops && ops->needs_password) return true;
	}
	return false;
}

/** A first packet: loads the account for the first factor and the rules. */
static rlm_rcode_t authorize_login(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v)
{
	VALUE_PAIR const *response = find_response(inst, request);
	struct wsmfa_reply reply;

	if (!wsmfa_visit_load(&inst->service, v, &reply)) return wsmfa_reply_apply(inst, request, v, &reply);

	if (response) {
		v->appended.present = true;
		wsmfa_answer_parse(&v->appended.answer, (uint8_t const *)response->vp_strvalue, response->vp_length);
	} else if (v->client.mode == WSMFA_MODE_APPEND && v->typed && wsmfa_account_enrolled(&v->account)) {
		if (!split_password(inst, request, v)) return RLM_MODULE_FAIL;
	}
	if (v->typed && wants_password(inst, &v->account)) {
		strlcpy(v->password, request->password->vp_strvalue, sizeof(v->password));
	}
	/* An unknown name costs the work of a known one. An account without a password is left to whatever proves it. */
	if (!v->account.known || v->account.password[0]) {
		if (!set_password(request, v->account.known ? v->account.password : inst->decoy_password)) {
			return RLM_MODULE_FAIL;
		}
	}
	OPENSSL_cleanse(v->account.password, sizeof(v->account.password));
	return set_auth_type(request, inst->dict.auth_type_login) ? RLM_MODULE_UPDATED : RLM_MODULE_FAIL;
}

/** Inside a tunnel: brings the password for what proves it there. The outer request goes through the rules. */
static rlm_rcode_t authorize_inner(rlm_wsmfa_t *inst, REQUEST *request)
{
	char name[WSMFA_NAME_MAX];
	struct wsmfa_visit *v;
	struct wsmfa_reply reply;

	if (!wsmfa_request_name(inst, request, name)) return malformed(request, "the inner User-Name is not a name");
	if (!set_account(inst, request, name)) return RLM_MODULE_FAIL;
	v = wsmfa_request_begin(inst, request, name);
	if (!v) return RLM_MODULE_FAIL;
	if (!wsmfa_visit_load(&inst->service, v, &reply)) return RLM_MODULE_FAIL;
	if (!set_password(request, v->account.known && v->account.password[0] ? v->account.password
									      : inst->decoy_password)) {
		return RLM_MODULE_FAIL;
	}
	OPENSSL_cleanse(v->account.password, sizeof(v->account.password));
	return RLM_MODULE_UPDATED;
}

/** Does EAP go on under the User-Name that it began with? The first one is kept with the conversation. */
static bool same_identity(rlm_wsmfa_t const *inst, REQUEST *request)
{
	VALUE_PAIR const *name = fr_pair_find_by_num(request->packet->vps, PW_USER_NAME, 0, TAG_ANY);
	VALUE_PAIR const *began = fr_pair_find_by_da(request->state, inst->dict.identity, TAG_ANY);
	VALUE_PAIR *vp;

	if (!name) return true; /* rlm_eap takes it from the conversation */
	if (began) {
		return began->vp_length == name->vp_length && memcmp(began->vp_strvalue, name->vp_strvalue, name->vp_length) == 0;
	}
	vp = fr_pair_afrom_da(request->state_ctx, inst->dict.identity);
	if (!vp) return false;
	fr_pair_value_bstrncpy(vp, name->vp_strvalue, name->vp_length);
	fr_pair_add(&request->state, vp);
	return true;
}

/** EAP asks many times before it knows anybody: authenticate takes over when it has. The gate logs what is refused here. */
static rlm_rcode_t authorize_eap(rlm_wsmfa_t *inst, REQUEST *request)
{
	if (atomic_load(&inst->sites_doubtful)) {
		RINFO("refused: EAP, since the sites were edited so that they could be gone round; restart the server");
		wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
		return RLM_MODULE_REJECT;
	}
	if (!same_identity(inst, request)) {
		REDEBUG("bad_request, EAP that began under another User-Name");
		return RLM_MODULE_REJECT;
	}
	return RLM_MODULE_NOOP;
}

rlm_rcode_t wsmfa_mod_authorize(void *instance, REQUEST *request)
{
	rlm_wsmfa_t *inst = instance;
	VALUE_PAIR *state = fr_pair_find_by_num(request->packet->vps, PW_STATE, 0, TAG_ANY);
	char name[WSMFA_NAME_MAX];
	struct wsmfa_visit *v;

	if (request->packet->code != PW_CODE_ACCESS_REQUEST) return RLM_MODULE_NOOP;
	if (!wsmfa_sites_stand(inst, wsmfa_now())) {
		RINFO("refused: the sites were edited and could be gone round; see the error above");
		wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
		wsmfa_sign_reply(request);
		return RLM_MODULE_REJECT;
	}
	if (request->parent) return authorize_inner(inst, request);

	if (wsmfa_request_is_eap(request)) return authorize_eap(inst, request);

	/* Until the module itself says otherwise, whatever the sections do ends in a reject, and a signed one. */
	wsmfa_response_packet_type(request, PW_CODE_ACCESS_REJECT);
	wsmfa_sign_reply(request);

	/* Such a packet can be forged on its way from a proxy (CVE-2024-3596): nothing is said to it. */
	if (fr_pair_find_by_num(request->packet->vps, PW_PROXY_STATE, 0, TAG_ANY) &&
	    !fr_pair_find_by_num(request->packet->vps, PW_MESSAGE_AUTHENTICATOR, 0, TAG_ANY)) {
		RINFO("dropped: Proxy-State without Message-Authenticator");
		wsmfa_response_packet_type(request, WSMFA_DO_NOT_RESPOND);
		return RLM_MODULE_REJECT;
	}

	if (!wsmfa_request_name(inst, request, name)) {
		return malformed(request, "User-Name is missing, too long, or has octets that no name has");
	}
	if (!set_account(inst, request, name)) return RLM_MODULE_FAIL;
	v = wsmfa_request_begin(inst, request, name);
	if (!v) return RLM_MODULE_FAIL;

	if (state) {
		if (wsmfa_request_is_hashed(request)) {
			wsmfa_visit_event(&inst->service, v, WSMFA_OUTCOME_DENIED, WSMFA_REASON_BAD_REQUEST, WSMFA_KIND_NONE);
			return malformed(request, "a State with CHAP or MS-CHAP: an answer has to be typed");
		}
		return authorize_answer(inst, request, v, state);
	}
	return authorize_login(inst, request, v);
}

/* ---- authenticate ---- */

/** EAP has succeeded outside: the account is the inner identity, which the tunnel has left in session-state:WSMFA-Account. */
static struct wsmfa_visit *authenticate_eap(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_reply *reply, bool *loaded)
{
	VALUE_PAIR const *account = fr_pair_find_by_da(request->state, inst->dict.account, TAG_ANY);
	struct wsmfa_visit *v;

	*loaded = false;
	if (!account) {
		REDEBUG("bad_request, EAP without an inner identity");
		return NULL;
	}
	v = wsmfa_request_begin(inst, request, account->vp_strvalue);
	if (!v) return NULL;
	v->joinable = false;
	*loaded = wsmfa_visit_load(&inst->service, v, reply);
	return v;
}

static bool auth_type_is(REQUEST *request, uint32_t auth_type)
{
	VALUE_PAIR const *vp = fr_pair_find_by_num(request->config, PW_AUTH_TYPE, 0, TAG_ANY);

	return vp && vp->vp_integer == auth_type;
}

rlm_rcode_t wsmfa_mod_authenticate(void *instance, REQUEST *request)
{
	rlm_wsmfa_t *inst = instance;
	struct wsmfa_visit *v = wsmfa_request_visit(inst, request);
	struct wsmfa_reply reply = { .kind = WSMFA_REPLY_REJECT };
	bool loaded = true;

	if (request->parent) return RLM_MODULE_REJECT;
	if (!v && wsmfa_request_is_eap(request)) {
		v = authenticate_eap(inst, request, &reply, &loaded);
		if (!v) return RLM_MODULE_REJECT;
		if (!loaded) return wsmfa_reply_apply(inst, request, v, &reply);
	}
	if (!v || v->ended || v->waits != WSMFA_VISIT_NOT_PARKED) {
		RERROR("wsmfa in authenticate without wsmfa in authorize, or twice: see sites-available/wsmfa");
		return RLM_MODULE_REJECT;
	}
	if (v->answering) {
		wsmfa_visit_answer(&inst->service, v, &reply);
	} else if (auth_type_is(request, inst->dict.auth_type_response)) {
		RINFO("refused: Auth-Type WSMFA-Response without an answer; only wsmfa may set it");
		return RLM_MODULE_REJECT;
	} else if (request->rcode != RLM_MODULE_OK) {
		/* The module before this one proves the first factor: whatever the site made of its verdict, it was not ok. */
		RINFO("refused: the module before wsmfa did not return ok; write \"if (ok) { %s }\"", inst->name);
		return RLM_MODULE_REJECT;
	} else {
		wsmfa_visit_begin(&inst->service, v, &reply);
	}
	return wsmfa_reply_apply(inst, request, v, &reply);
}
