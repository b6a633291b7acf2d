/*
 * A REQUEST as a visit, and a reply as attributes. It stands apart from the callbacks because it is the border:
 * what comes in is bounded here, once, and what goes out is made here, once.
 */
#include "rlm_wsmfa.h"

#include <openssl/evp.h>

#include "core/codec.h"
#include "core/name.h"

#define HEADER_LEN 20 // of a RADIUS packet (RFC 2865 section 3)

wsmfa_time_t wsmfa_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (wsmfa_time_t)ts.tv_sec * WSMFA_SECOND + ts.tv_nsec / 1000;
}

bool wsmfa_request_is_eap(REQUEST *request)
{
	return fr_pair_find_by_num(request->packet->vps, PW_EAP_MESSAGE, 0, TAG_ANY) != NULL;
}

/** CHAP or MS-CHAP: a password that nobody typed in answer to a question, whatever else the packet holds. */
bool wsmfa_request_is_hashed(REQUEST *request)
{
	VALUE_PAIR *vps = request->packet->vps;

	return fr_pair_find_by_num(vps, PW_CHAP_PASSWORD, 0, TAG_ANY) ||
	       fr_pair_find_by_num(vps, PW_MSCHAP_RESPONSE, VENDORPEC_MICROSOFT, TAG_ANY) ||
	       fr_pair_find_by_num(vps, PW_MSCHAP2_RESPONSE, VENDORPEC_MICROSOFT, TAG_ANY) ||
	       fr_pair_find_by_num(vps, PW_MSCHAP2_CPW, VENDORPEC_MICROSOFT, TAG_ANY);
}

/** The packet that came over the network: what a tunnel brings along is anybody's choice. */
REQUEST *wsmfa_request_outer(REQUEST *request)
{
	while (request->parent) request = request->parent;
	return request;
}

/* ---- request data ---- */

/** talloc's hand on a visit: wipes it when the host frees the request. */
struct kept_visit {
	rlm_wsmfa_t const *inst; //!< outlives it: the host frees requests before modules
	struct wsmfa_visit *visit;
};

static int kept_visit_free(struct kept_visit *kept)
{
	/* Dropped by the host while it waited: post-proxy will never come. A proxied one lives until its window ends. */
	if (kept->visit && kept->visit->waits != WSMFA_VISIT_NOT_PARKED && kept->inst->engine) {
		wsmfa_engine_forget(kept->inst->engine, kept->visit->ticket);
	}
	wsmfa_visit_free(kept->visit);
	return 0;
}

static void *instance_key(rlm_wsmfa_t const *inst)
{
	return (void *)(uintptr_t)inst;
}

struct wsmfa_visit *wsmfa_request_visit(rlm_wsmfa_t const *inst, REQUEST *request)
{
	struct kept_visit *kept = request_data_reference(request, instance_key(inst), WSMFA_MARK_VISIT);

	return kept ? kept->visit : NULL;
}

static struct wsmfa_visit *visit_add(rlm_wsmfa_t const *inst, REQUEST *request)
{
	struct kept_visit *kept = talloc_zero(request, struct kept_visit);

	if (!kept) return NULL;
	kept->inst = inst;
	kept->visit = wsmfa_visit_new();
	talloc_set_destructor(kept, kept_visit_free);
	if (!kept->visit || request_data_add(request, instance_key(inst), WSMFA_MARK_VISIT, kept, true) < 0) {
		talloc_free(kept);
		return NULL;
	}
	return kept->visit;
}

/** The request goes to the waiting room: what it will not need there is given back. */
static void visit_rest(rlm_wsmfa_t const *inst, REQUEST *request)
{
	struct kept_visit *kept = request_data_reference(request, instance_key(inst), WSMFA_MARK_VISIT);

	kept->visit = wsmfa_visit_rest(kept->visit);
}

/** Of a request that comes from the waiting room. @return NULL without memory: refuse. */
struct wsmfa_visit *wsmfa_request_wake(rlm_wsmfa_t const *inst, REQUEST *request)
{
	struct kept_visit *kept = request_data_reference(request, instance_key(inst), WSMFA_MARK_VISIT);
	struct wsmfa_visit *awake = wsmfa_visit_wake(kept->visit);

	if (awake) kept->visit = awake;
	return awake;
}

void wsmfa_request_mark(rlm_wsmfa_t const *inst, REQUEST *request, enum wsmfa_mark mark)
{
	char *token = talloc_strdup(request, "");

	if (token && request_data_add(request, instance_key(inst), (int)mark, token, true) < 0) talloc_free(token);
}

bool wsmfa_request_marked(rlm_wsmfa_t const *inst, REQUEST *request, enum wsmfa_mark mark)
{
	return request_data_reference(request, instance_key(inst), (int)mark) != NULL;
}

/* ---- in ---- */

bool wsmfa_request_name(rlm_wsmfa_t const *inst, REQUEST *request, char name[WSMFA_NAME_MAX])
{
	VALUE_PAIR const *vp = fr_pair_find_by_num(request->packet->vps, PW_USER_NAME, 0, TAG_ANY);
	char *expanded = NULL;
	ssize_t len;
	bool good;

	if (!vp || !wsmfa_account_name(name, (uint8_t const *)vp->vp_strvalue, vp->vp_length)) return false;
	if (inst->plain_user_name) return true;

	len = radius_axlat(&expanded, request, inst->account_name, NULL, NULL);
	if (len < 0) return false;
	good = wsmfa_account_name(name, (uint8_t const *)expanded, (size_t)len);
	talloc_free(expanded);
	return good;
}

/** Copies an attribute's text, bounded, without control characters: a NUL or newline in it must not cut or forge a line. */
static void copy_clean(char *out, size_t size, VALUE_PAIR const *vp)
{
	size_t const len = vp ? vp->vp_length : 0;
	size_t at = 0;

	for (size_t i = 0; i < len && at + 1 < size; i++) {
		uint8_t const c = (uint8_t)vp->vp_strvalue[i];

		out[at++] = c < 0x20 || c > 0x7E ? '?' : (char)c;
	}
	out[at] = '\0';
}

/**
 * SHA-256 over all attributes of the packet as they came, but those that differ in every packet of one login.
 * What it is good for is said in docs/design.md: two packets are the same login only if all the rest is equal.
 */
static bool packet_digest(RADIUS_PACKET const *packet, uint8_t out[WSMFA_HASH_LEN])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = md && packet->data && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (size_t at = HEADER_LEN; good && at + 2 <= packet->data_len;) {
		uint8_t const type = packet->data[at];
		uint8_t const len = packet->data[at + 1];

		if (len < 2 || at + len > packet->data_len) {
			good = false;
			break;
		}
		if (type != PW_USER_PASSWORD && type != PW_MESSAGE_AUTHENTICATOR && type != PW_PROXY_STATE &&
		    type != PW_EVENT_TIMESTAMP) {
			good = EVP_DigestUpdate(md, packet->data + at, len) == 1;
		}
		at += len;
	}
	good = good && EVP_DigestFinal_ex(md, out, NULL) == 1;
	EVP_MD_CTX_free(md);
	return good;
}

static bool has_attribute(REQUEST *request, unsigned int attribute)
{
	return fr_pair_find_by_num(request->packet->vps, attribute, 0, TAG_ANY) != NULL;
}

/** A new visit for this request, kept with it. NULL: refuse. */
struct wsmfa_visit *wsmfa_request_begin(rlm_wsmfa_t const *inst, REQUEST *request, char const *name)
{
	struct wsmfa_visit *v = visit_add(inst, request);
	REQUEST *outer = wsmfa_request_outer(request);
	VALUE_PAIR const *station = fr_pair_find_by_num(outer->packet->vps, PW_CALLING_STATION_ID, 0, TAG_ANY);

	if (!v) return NULL;
	v->at = wsmfa_now();
	strlcpy(v->name, name, sizeof(v->name));
	copy_clean(v->station, sizeof(v->station), station);
	v->typed = request->password && request->password->da->attr == PW_USER_PASSWORD && !wsmfa_request_is_eap(request) &&
		   !wsmfa_request_is_hashed(request);
	v->has_digest = packet_digest(request->packet, v->digest);
	v->joinable = station && (has_attribute(request, PW_STATE) || has_attribute(request, PW_ACCT_SESSION_ID) ||
				  has_attribute(request, PW_NAS_PORT));
	if (wsmfa_client_read(inst, request, &v->client)) return v;
	v->ended = true; /* no wrong password: nobody has looked at it */
	return NULL;
}

/* ---- out ---- */

void wsmfa_response_packet_type(REQUEST *request, uint32_t code)
{
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&request->config, PW_RESPONSE_PACKET_TYPE, 0, TAG_ANY);
	vp = radius_pair_create(request, &request->config, PW_RESPONSE_PACKET_TYPE, 0);
	if (vp) vp->vp_integer = code;
}

/** Our own accept or challenge: what authorize put there for everybody else is taken off. */
void wsmfa_allow_response(REQUEST *request)
{
	fr_pair_delete_by_num(&request->config, PW_RESPONSE_PACKET_TYPE, 0, TAG_ANY);
}

static void tell(REQUEST *request, DICT_ATTR const *da, char const *value)
{
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&request->config, da->attr, da->vendor, TAG_ANY);
	if (!value || !value[0]) return;
	vp = fr_pair_afrom_da(request, da);
	if (!vp) return;
	fr_pair_value_strcpy(vp, value);
	fr_pair_add(&request->config, vp);
}

void wsmfa_request_tell(rlm_wsmfa_t const *inst, REQUEST *request, struct wsmfa_visit const *v)
{
	struct wsmfa_dictionary const *d = &inst->dict;
	VALUE_PAIR *vp;

	tell(request, d->service, v->client.service);
	tell(request, d->outcome, wsmfa_outcome_word(v->plan.outcome));
	tell(request, d->method, v->plan.method ? wsmfa_kind_word(v->plan.method) : NULL);
	if (v->login.account) tell(request, d->decision, wsmfa_decision_word(v->login.ruling.decision));
	if (!v->account.known) return;
	tell(request, d->stage, wsmfa_stage_word(v->account.stage));
	tell(request, d->region, v->account.region);

	fr_pair_delete_by_num(&request->config, d->enforce_from->attr, d->enforce_from->vendor, TAG_ANY);
	if (v->account.enforce_from <= 0 || v->account.enforce_from / WSMFA_SECOND > UINT32_MAX) return;
	vp = fr_pair_afrom_da(request, d->enforce_from);
	if (!vp) return;
	vp->vp_date = (uint32_t)(v->account.enforce_from / WSMFA_SECOND);
	fr_pair_add(&request->config, vp);
}

static void add_text(REQUEST *request, char const *text)
{
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&request->reply->vps, PW_REPLY_MESSAGE, 0, TAG_ANY);
	if (!text[0]) return;
	vp = radius_pair_create(request->reply, &request->reply->vps, PW_REPLY_MESSAGE, 0);
	if (vp) fr_pair_value_strcpy(vp, text);
}

static void add_integer(REQUEST *request, unsigned int attribute, uint32_t value)
{
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&request->reply->vps, attribute, 0, TAG_ANY);
	vp = radius_pair_create(request->reply, &request->reply->vps, attribute, 0);
	if (vp) vp->vp_integer = value;
}

/** First attribute of every reply, signed by the host when it encodes (RFC 3579 section 3.2, CVE-2024-3596). */
void wsmfa_sign_reply(REQUEST *request)
{
	static uint8_t const unsigned_yet[16] = { 0 };
	VALUE_PAIR *vp;

	fr_pair_delete_by_num(&request->reply->vps, PW_MESSAGE_AUTHENTICATOR, 0, TAG_ANY);
	vp = fr_pair_afrom_num(request->reply, PW_MESSAGE_AUTHENTICATOR, 0);
	if (!vp) return;
	fr_pair_value_memcpy(vp, unsigned_yet, sizeof(unsigned_yet));
	fr_pair_prepend(&request->reply->vps, vp);
}

/** Access points account for the User-Name of an Access-Accept, and rlm_eap puts the outer one there, which proves nothing. */
static bool name_accept(REQUEST *request, char const *account)
{
	VALUE_PAIR *vp;

	if (!wsmfa_request_is_eap(request)) return true;
	fr_pair_delete_by_num(&request->reply->vps, PW_USER_NAME, 0, TAG_ANY);
	vp = radius_pair_create(request->reply, &request->reply->vps, PW_USER_NAME, 0);
	if (vp) fr_pair_value_strcpy(vp, account);
	return vp != NULL;
}

static rlm_rcode_t apply_accept(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit const *v,
				struct wsmfa_reply const *reply)
{
	VALUE_PAIR const *set = fr_pair_find_by_num(request->reply->vps, PW_SESSION_TIMEOUT, 0, TAG_ANY);

	if (!name_accept(request, v->name)) return RLM_MODULE_FAIL;
	if (reply->text[0]) add_text(request, reply->text);
	if (reply->session_timeout > 0 && (!set || set->vp_integer > (uint64_t)reply->session_timeout)) {
		add_integer(request, PW_SESSION_TIMEOUT, (uint32_t)reply->session_timeout);
	}
	wsmfa_request_mark(inst, request, WSMFA_MARK_ACCEPT);
	wsmfa_allow_response(request);
	return RLM_MODULE_OK;
}

/** RFC 2865 section 4.4: a challenge carries its question and nothing of the session; the gate takes off the rest. */
static rlm_rcode_t apply_challenge(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_reply const *reply)
{
	VALUE_PAIR *vp;

	fr_pair_list_free(&request->reply->vps);
	add_text(request, reply->text);
	vp = radius_pair_create(request->reply, &request->reply->vps, PW_STATE, 0);
	if (!vp) return RLM_MODULE_FAIL;
	fr_pair_value_memcpy(vp, (uint8_t const *)reply->state, WSMFA_STATE_TEXT);
	add_integer(request, PW_PROMPT, reply->echo ? 1 : 0);
	if (reply->session_timeout > 0) add_integer(request, PW_SESSION_TIMEOUT, (uint32_t)reply->session_timeout);

	request->reply->code = PW_CODE_ACCESS_CHALLENGE;
	wsmfa_request_mark(inst, request, WSMFA_MARK_CHALLENGE);
	wsmfa_allow_response(request);
	return RLM_MODULE_HANDLED;
}

/** The request goes to the waiting room: what other modules have replied so far comes back with an Access-Accept only. */
static rlm_rcode_t apply_park(rlm_wsmfa_t *inst, REQUEST *request)
{
	VALUE_PAIR *vp;
	VALUE_PAIR *saved = fr_pair_list_copy(request, request->reply->vps);

	if (saved && request_data_add(request, instance_key(inst), WSMFA_MARK_SAVED, saved, false) < 0) {
		fr_pair_list_free(&saved);
		return RLM_MODULE_FAIL;
	}
	/* A reply code, such as rlm_eap has set by now, would be answered at once. */
	request->reply->code = 0;
	fr_pair_delete_by_num(&request->config, PW_PROXY_TO_REALM, 0, TAG_ANY);
	fr_pair_delete_by_num(&request->config, PW_HOME_SERVER_POOL, 0, TAG_ANY);
	vp = radius_pair_create(request, &request->config, PW_HOME_SERVER_POOL, 0);
	if (!vp) return RLM_MODULE_FAIL;
	fr_pair_value_strcpy(vp, inst->park_pool);
	visit_rest(inst, request);
	return RLM_MODULE_HANDLED;
}

/** Says of each TOTP key that can't be used what is wrong with it: nobody else can tell. */
static void log_keys(rlm_wsmfa_t const *inst, REQUEST *request, struct wsmfa_visit const *v)
{
	for (size_t i = 0; i < v->account.authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &v->account.authenticators[i];
		char id[WSMFA_KEY_ID_MAX];

		if (a->kind != WSMFA_KIND_TOTP || !a->unreachable) continue;
		if (wsmfa_sealed_key_id(a->sealed, a->sealed_len, id) && !wsmfa_keyring_has(inst->ring, id)) {
			RINFO("authenticator %lld: its key is sealed with \"%s\", which is not in %s", (long long)a->id, id,
			      inst->key_file);
		} else {
			RINFO("authenticator %lld: its key does not open: damaged, or sealed for another account",
			      (long long)a->id);
		}
	}
}

static void log_reply(rlm_wsmfa_t const *inst, REQUEST *request, struct wsmfa_visit const *v, struct wsmfa_reply const *reply)
{
	char name[128];
	char const *method = wsmfa_kind_word(v->plan.method);

	wsmfa_clean(name, sizeof(name), (uint8_t const *)v->name, strlen(v->name));
	if (v->plan.reason == WSMFA_REASON_NO_USABLE_METHOD) log_keys(inst, request, v);
	if (reply->kind == WSMFA_REPLY_REJECT || reply->kind == WSMFA_REPLY_STORE) {
		RINFO("\"%s\" from %s refused: %s %s%s%s", name, v->client.address,
		      wsmfa_outcome_word(reply->kind == WSMFA_REPLY_STORE ? WSMFA_OUTCOME_ERROR : v->plan.outcome),
		      wsmfa_reason_word(reply->kind == WSMFA_REPLY_STORE ? WSMFA_REASON_STORE_DOWN : v->plan.reason),
		      method && v->plan.method ? ", " : "", method && v->plan.method ? method : "");
		return;
	}
	RDEBUG("\"%s\" from %s: %s %s", name, v->client.address, wsmfa_outcome_word(v->plan.outcome),
	       wsmfa_reason_word(v->plan.reason));
}

/** The one place where an outcome becomes a return code. In authenticate: ok, handled, reject or fail, nothing else. */
rlm_rcode_t wsmfa_reply_apply(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *v, struct wsmfa_reply const *reply)
{
	if (reply->kind != WSMFA_REPLY_PARK) {
		log_reply(inst, request, v, reply);
		wsmfa_request_tell(inst, request, v);
	}
	switch (reply->kind) {
	case WSMFA_REPLY_ACCEPT: return apply_accept(inst, request, v, reply);
	case WSMFA_REPLY_CHALLENGE: return apply_challenge(inst, request, reply);
	case WSMFA_REPLY_PARK: return apply_park(inst, request);
	case WSMFA_REPLY_STORE:
		if (inst->ignore_on_store_failure) wsmfa_response_packet_type(request, WSMFA_DO_NOT_RESPOND);
		add_text(request, reply->text);
		return RLM_MODULE_FAIL;
	case WSMFA_REPLY_REJECT: break;
	}
	add_text(request, reply->text);
	return RLM_MODULE_REJECT;
}
