/*
 * Which questions can be put, and how each is made. It stands apart from flow.c because it knows methods, not answers.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "core/flow_inner.h"
#include "core/totp.h"

/** Kinds strongest first: the order of every list that a user sees. */
static enum wsmfa_kind const strongest_first[] = {
	WSMFA_KIND_FIDO2, WSMFA_KIND_PUSH, WSMFA_KIND_TOTP, WSMFA_KIND_SMS, WSMFA_KIND_RECOVERY,
};
#define STRENGTHS (sizeof(strongest_first) / sizeof(strongest_first[0]))

static enum wsmfa_question_kind const question_of[WSMFA_KINDS] = {
	[WSMFA_KIND_RECOVERY] = WSMFA_ASK_RECOVERY,
	[WSMFA_KIND_SMS] = WSMFA_ASK_SMS,
	[WSMFA_KIND_TOTP] = WSMFA_ASK_TOTP,
	[WSMFA_KIND_PUSH] = WSMFA_ASK_PUSH,
};

enum wsmfa_kind wsmfa_ask_kind(enum wsmfa_question_kind question)
{
	switch (question) {
	case WSMFA_ASK_TOTP:
	case WSMFA_ASK_ENROLL_TOTP: return WSMFA_KIND_TOTP;
	case WSMFA_ASK_SMS:
	case WSMFA_ASK_ENROLL_SMS: return WSMFA_KIND_SMS;
	case WSMFA_ASK_PUSH: return WSMFA_KIND_PUSH;
	case WSMFA_ASK_RECOVERY: return WSMFA_KIND_RECOVERY;
	default: return WSMFA_KIND_NONE;
	}
}

/** Does the sealed key open here? It is opened again when a code is judged: keys live as short as can be. */
static bool key_opens(struct wsmfa_login const *login, struct wsmfa_authenticator const *a)
{
	struct wsmfa_secret key;
	bool const opens = wsmfa_unseal(login->ring, login->account->id, a->id, a->sealed, a->sealed_len, &key) ==
			   WSMFA_UNSEALED_OK;

	wsmfa_secret_wipe(&key);
	return opens;
}

/** Can this one be used by this server, whatever the client? */
static bool reachable(struct wsmfa_login const *login, struct wsmfa_carriers const *carriers,
		      struct wsmfa_authenticator const *a)
{
	bool matches = false;

	switch (a->kind) {
	case WSMFA_KIND_TOTP: return key_opens(login, a);
	case WSMFA_KIND_SMS: return wsmfa_phone_allowed(a->phone, login->set->sms_prefixes);
	case WSMFA_KIND_RECOVERY: return true;
	case WSMFA_KIND_PUSH:
		if (!carriers->push || !carriers->push(carriers->ctx, a->provider, &matches))
			return false;
		/* a number can be matched only where the prompt shows one */
		return !login->set->push_require_number ||
		       (matches && login->client->mode == WSMFA_MODE_CHALLENGE && login->typed);
	default: return false;
	}
}

/** Kinds that this client can carry: what needs typing needs a typed first factor and a client that is asked. */
static uint32_t client_kinds(struct wsmfa_login const *login, struct wsmfa_carriers const *carriers)
{
	uint32_t kinds = carriers->park ? KIND_BIT(WSMFA_KIND_PUSH) : 0;

	if (!login->typed || login->client->mode == WSMFA_MODE_WAIT)
		return kinds;
	kinds |= KIND_BIT(WSMFA_KIND_TOTP) | KIND_BIT(WSMFA_KIND_RECOVERY);
	if (carriers->sms)
		kinds |= KIND_BIT(WSMFA_KIND_SMS);
	return kinds;
}

/** Kinds that may be enrolled in this login. Too many wrong proofs of an account use up its own budget. */
static uint32_t enrollable_kinds(struct wsmfa_login const *login, struct wsmfa_carriers const *carriers)
{
	struct wsmfa_account const *account = login->account;
	uint32_t kinds = login->set->policy.enroll_kinds & account->allowed_kinds;

	if (!login->client->may_enroll || account->failures >= login->set->policy.failure_budget)
		return 0;
	if (account->spare_authenticator_id == 0)
		kinds &= ~KIND_BIT(WSMFA_KIND_TOTP);
	if (!carriers->sms || account->spare_authenticator_id == 0 ||
	    !wsmfa_phone_allowed(account->phone, login->set->sms_prefixes)) {
		kinds &= ~KIND_BIT(WSMFA_KIND_SMS);
	}
	return kinds & (KIND_BIT(WSMFA_KIND_TOTP) | KIND_BIT(WSMFA_KIND_SMS));
}

void wsmfa_login_prepare(struct wsmfa_login *login, struct wsmfa_carriers const *carriers)
{
	struct wsmfa_account *account = login->account;

	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator *a = &account->authenticators[i];

		a->unreachable = !reachable(login, carriers, a);
		if (login->repeat && a->kind == WSMFA_KIND_RECOVERY)
			a->codes_left++; // the answer may have been the last one: the store knows
	}
	login->enrollable = enrollable_kinds(login, carriers);
	login->reach = (struct wsmfa_reach) {
		.kinds = client_kinds(login, carriers),
		.can_challenge = login->typed && login->client->mode == WSMFA_MODE_CHALLENGE,
		.may_enroll = login->enrollable != 0,
	};
	login->usable = wsmfa_usable_kinds(account, &login->set->policy, &login->reach);
	login->ruling = wsmfa_decide(account, &login->set->policy, &login->reach, login->at);
}

struct wsmfa_authenticator const *wsmfa_usable_find(struct wsmfa_login const *login, enum wsmfa_kind kind, int64_t id)
{
	struct wsmfa_account const *account = login->account;

	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &account->authenticators[i];

		if (a->kind != kind || (id != 0 && a->id != id))
			continue;
		if (wsmfa_authenticator_usable(account, a, &login->set->policy, &login->reach))
			return a;
	}
	return NULL;
}

bool wsmfa_method_gone(struct wsmfa_login const *login, struct wsmfa_question const *question)
{
	switch (question->kind) {
	case WSMFA_ASK_TOTP:
	case WSMFA_ASK_SMS:
	case WSMFA_ASK_PUSH:
	case WSMFA_ASK_RECOVERY:
		return !wsmfa_usable_find(login, wsmfa_ask_kind(question->kind), question->authenticator_id);
	default: return false;
	}
}

enum wsmfa_kind wsmfa_answer_kind(struct wsmfa_answer const *answer, uint32_t kinds)
{
	static enum wsmfa_kind const kind_of[WSMFA_KEYWORDS] = {
		[WSMFA_KEYWORD_PUSH] = WSMFA_KIND_PUSH,
		[WSMFA_KEYWORD_SMS] = WSMFA_KIND_SMS,
		[WSMFA_KEYWORD_TOTP] = WSMFA_KIND_TOTP,
		[WSMFA_KEYWORD_RECOVERY] = WSMFA_KIND_RECOVERY,
	};
	unsigned place = 0;

	if (answer->class == WSMFA_ANSWER_KEYWORD) {
		enum wsmfa_kind const kind = kind_of[answer->keyword];

		return kinds & KIND_BIT(kind) ? kind : WSMFA_KIND_NONE;
	}
	if (answer->class != WSMFA_ANSWER_CHOICE)
		return WSMFA_KIND_NONE;
	for (size_t i = 0; i < STRENGTHS; i++) {
		if (!(kinds & KIND_BIT(strongest_first[i])))
			continue;
		if (++place == answer->choice)
			return strongest_first[i];
	}
	return WSMFA_KIND_NONE;
}

void wsmfa_flow_methods(struct wsmfa_login const *login, bool enroll, char *out, size_t size)
{
	uint32_t const kinds = enroll ? login->enrollable : login->usable;
	size_t at = 0;
	unsigned place = 0;

	if (size == 0)
		return;
	out[0] = '\0';
	for (size_t i = 0; i < STRENGTHS && at < size; i++) {
		int n;

		if (!(kinds & KIND_BIT(strongest_first[i])))
			continue;
		n = snprintf(out + at, size - at, "%s%u %s", place ? ", " : "", place + 1,
			     wsmfa_kind_word(strongest_first[i]));
		place++;
		if (n > 0)
			at += (size_t)n;
	}
}

static wsmfa_time_t sooner(wsmfa_time_t a, wsmfa_time_t b)
{
	return a < b ? a : b;
}

static void ask_begin(struct wsmfa_login const *login, enum wsmfa_question_kind kind, enum wsmfa_text text,
		      int32_t attempt, struct wsmfa_ask *out)
{
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	out->text = text;
	out->attempt = attempt;
	out->expires_at = login->at + login->set->challenge_lifetime;
	out->code_expires_at = WSMFA_TIME_NONE;
	out->echo = kind == WSMFA_ASK_METHOD || kind == WSMFA_ASK_BANNER || kind == WSMFA_ASK_ENROLL_METHOD;
}

/** A code for a phone: drawn, its MAC for the store, the text for the engine. */
static bool ask_code(struct wsmfa_login const *login, char const *phone, struct wsmfa_ask *out)
{
	out->send = WSMFA_SEND_SMS;
	out->code_expires_at = login->at + login->set->code_lifetime;
	out->expires_at = sooner(out->expires_at, out->code_expires_at);
	snprintf(out->phone, sizeof(out->phone), "%s", phone);
	if (!wsmfa_code_digits(out->code, login->random->code, sizeof(login->random->code), login->set->code_digits)) {
		return false;
	}
	out->has_code_mac = wsmfa_code_mac(out->code_mac, login->macs, login->account->id, out->phone, out->code);
	return out->has_code_mac;
}

static bool ask_push(struct wsmfa_login const *login, struct wsmfa_ask *out)
{
	out->send = WSMFA_SEND_PUSH;
	out->code_expires_at = login->at + login->set->push_timeout;
	/* Drawn for every push; what a provider cannot match is dropped where the provider is known (login/). */
	if (!login->reach.can_challenge)
		return true;
	return wsmfa_code_number(out->number, login->random->number, sizeof(login->random->number));
}

bool wsmfa_ask_second_factor(struct wsmfa_login const *login, enum wsmfa_kind kind, int32_t attempt,
			     struct wsmfa_ask *out)
{
	static enum wsmfa_text const text_of[WSMFA_KINDS] = {
		[WSMFA_KIND_RECOVERY] = WSMFA_TEXT_ASK_RECOVERY,
		[WSMFA_KIND_SMS] = WSMFA_TEXT_ASK_SMS,
		[WSMFA_KIND_TOTP] = WSMFA_TEXT_ASK_TOTP,
		[WSMFA_KIND_PUSH] = WSMFA_TEXT_ASK_PUSH,
	};

	ask_begin(login, question_of[kind], text_of[kind], attempt, out);
	out->authenticator = wsmfa_usable_find(login, kind, 0);
	if (!out->authenticator)
		return false;

	/* A code may be of any TOTP authenticator; what goes to a phone is bound to the one that was asked. */
	out->authenticator_id = kind == WSMFA_KIND_TOTP ? 0 : out->authenticator->id;
	if (kind == WSMFA_KIND_SMS)
		return ask_code(login, out->authenticator->phone, out);
	if (kind == WSMFA_KIND_PUSH)
		return ask_push(login, out);
	return true;
}

bool wsmfa_question_key(struct wsmfa_login const *login, struct wsmfa_question const *question,
			struct wsmfa_secret *key)
{
	return wsmfa_unseal(login->ring, login->account->id, question->authenticator_id, question->sealed,
			    question->sealed_len, key) == WSMFA_UNSEALED_OK;
}

/** A key as it is shown: in groups of four. */
static void show_key(struct wsmfa_secret const *key, struct wsmfa_ask *out)
{
	char plain[48];

	wsmfa_base32_encode(plain, sizeof(plain), key);
	wsmfa_text_group(out->key, sizeof(out->key), plain, 4, ' ');
	OPENSSL_cleanse(plain, sizeof(plain));
}

void wsmfa_ask_again(struct wsmfa_login const *login, struct wsmfa_question const *question, int32_t attempt,
		     struct wsmfa_ask *out)
{
	static enum wsmfa_text const text_of[WSMFA_ASKS] = {
		[WSMFA_ASK_TOTP] = WSMFA_TEXT_ASK_TOTP,
		[WSMFA_ASK_SMS] = WSMFA_TEXT_ASK_SMS,
		[WSMFA_ASK_PUSH] = WSMFA_TEXT_ASK_PUSH,
		[WSMFA_ASK_RECOVERY] = WSMFA_TEXT_ASK_RECOVERY,
		[WSMFA_ASK_METHOD] = WSMFA_TEXT_ASK_METHOD,
		[WSMFA_ASK_BANNER] = WSMFA_TEXT_ASK_BANNER,
		[WSMFA_ASK_ENROLL_TICKET] = WSMFA_TEXT_ASK_ENROLL_TICKET,
		[WSMFA_ASK_ENROLL_METHOD] = WSMFA_TEXT_ASK_ENROLL_METHOD,
		[WSMFA_ASK_ENROLL_TOTP] = WSMFA_TEXT_ASK_ENROLL_TOTP,
		[WSMFA_ASK_ENROLL_SMS] = WSMFA_TEXT_ASK_ENROLL_SMS,
	};
	struct wsmfa_authenticator const *a;

	ask_begin(login, question->kind, text_of[question->kind], attempt, out);
	out->keep_code = true;
	out->authenticator_id = question->authenticator_id;
	out->code_expires_at = question->code_expires_at;
	if (question->code_expires_at != WSMFA_TIME_NONE && question->kind != WSMFA_ASK_PUSH) {
		out->expires_at = sooner(out->expires_at, question->code_expires_at);
	}

	a = question->authenticator_id
		    ? wsmfa_usable_find(login, wsmfa_ask_kind(question->kind), question->authenticator_id)
		    : NULL;
	out->authenticator = a;
	if (question->kind == WSMFA_ASK_SMS && a)
		snprintf(out->phone, sizeof(out->phone), "%s", a->phone);
	if (question->kind == WSMFA_ASK_ENROLL_SMS) {
		snprintf(out->phone, sizeof(out->phone), "%s", login->account->phone);
	}
	snprintf(out->number, sizeof(out->number), "%s", question->number);
	if (question->kind == WSMFA_ASK_PUSH && out->number[0])
		out->text = WSMFA_TEXT_ASK_PUSH_NUMBER;
	if (question->kind == WSMFA_ASK_ENROLL_TOTP) {
		struct wsmfa_secret key;

		if (wsmfa_question_key(login, question, &key))
			show_key(&key, out);
		wsmfa_secret_wipe(&key);
	}
	if (question->kind == WSMFA_ASK_BANNER && !login->enrollable)
		out->text = WSMFA_TEXT_ASK_BANNER_LINK;
}

void wsmfa_ask_method(struct wsmfa_login const *login, int32_t attempt, struct wsmfa_ask *out)
{
	ask_begin(login, WSMFA_ASK_METHOD, WSMFA_TEXT_ASK_METHOD, attempt, out);
}

void wsmfa_ask_banner(struct wsmfa_login const *login, int32_t attempt, struct wsmfa_ask *out)
{
	ask_begin(login, WSMFA_ASK_BANNER, login->enrollable ? WSMFA_TEXT_ASK_BANNER : WSMFA_TEXT_ASK_BANNER_LINK,
		  attempt, out);
	out->shows_banner = true;
}

/** Does the account have, usable or not, anything stronger than SMS? Then SMS is not sent unasked. */
static bool has_stronger_than_sms(struct wsmfa_account const *account)
{
	for (size_t i = 0; i < account->authenticators_len; i++) {
		struct wsmfa_authenticator const *a = &account->authenticators[i];

		if (a->kind > WSMFA_KIND_SMS && a->confirmed_at != WSMFA_TIME_NONE)
			return true;
	}
	return false;
}

bool wsmfa_ask_first(struct wsmfa_login const *login, uint32_t kinds, int32_t attempt, struct wsmfa_ask *out)
{
	enum wsmfa_kind const preferred = login->account->preferred;
	enum wsmfa_kind kind = WSMFA_KIND_NONE;

	kinds &= login->usable;
	for (size_t i = 0; i < STRENGTHS && kind == WSMFA_KIND_NONE; i++) {
		if (kinds & KIND_BIT(strongest_first[i]))
			kind = strongest_first[i];
	}
	if (preferred > WSMFA_KIND_SMS && (kinds & KIND_BIT(preferred)))
		kind = preferred;
	if (kind == WSMFA_KIND_NONE)
		return false;

	if (kind == WSMFA_KIND_SMS && has_stronger_than_sms(login->account)) {
		wsmfa_ask_method(login, attempt, out);
		return true;
	}
	return wsmfa_ask_second_factor(login, kind, attempt, out);
}

static wsmfa_time_t later(wsmfa_time_t a, wsmfa_time_t b)
{
	return a > b ? a : b;
}

/** Is the password alone enough to enrol? Until enroll_grace after the latest of enforcement, creation and scope. */
static bool within_grace(struct wsmfa_login const *login, wsmfa_time_t at)
{
	struct wsmfa_account const *account = login->account;
	wsmfa_time_t const from = later(later(account->enforce_from, account->created_at), account->in_scope_from);

	if (login->set->enroll_ticket)
		return false;
	if (from >= WSMFA_TIME_FOREVER - login->set->enroll_grace)
		return true;
	return at < from + login->set->enroll_grace;
}

bool wsmfa_grace_ended(struct wsmfa_login const *login, wsmfa_time_t since)
{
	return within_grace(login, since) && !within_grace(login, login->at);
}

bool wsmfa_ticket_needed(struct wsmfa_login const *login)
{
	return !within_grace(login, login->at);
}

bool wsmfa_ask_enroll(struct wsmfa_login const *login, bool ticket_given, int32_t attempt, struct wsmfa_ask *out)
{
	uint32_t const kinds = login->enrollable;

	if (!kinds)
		return false;
	if (!ticket_given && wsmfa_ticket_needed(login)) {
		ask_begin(login, WSMFA_ASK_ENROLL_TICKET, WSMFA_TEXT_ASK_ENROLL_TICKET, attempt, out);
		return true;
	}
	if ((kinds & (kinds - 1)) != 0) {
		ask_begin(login, WSMFA_ASK_ENROLL_METHOD, WSMFA_TEXT_ASK_ENROLL_METHOD, attempt, out);
		return true;
	}
	return wsmfa_ask_enroll_kind(login, kinds & KIND_BIT(WSMFA_KIND_TOTP) ? WSMFA_KIND_TOTP : WSMFA_KIND_SMS,
				     attempt, out);
}

/** A new TOTP key: 160 bits, SHA-1, 6 digits, 30 s, which every app can do (RFC 6238 section 5.1). */
static bool ask_key(struct wsmfa_login const *login, struct wsmfa_ask *out)
{
	struct wsmfa_secret key = { .len = sizeof(login->random->key) };
	bool sealed;

	memcpy(key.octets, login->random->key, sizeof(login->random->key));
	sealed = wsmfa_seal(login->ring, login->account->id, out->authenticator_id, login->random->nonce, &key,
			    out->sealed, sizeof(out->sealed), &out->sealed_len);
	show_key(&key, out);
	wsmfa_secret_wipe(&key);
	return sealed;
}

bool wsmfa_ask_enroll_kind(struct wsmfa_login const *login, enum wsmfa_kind kind, int32_t attempt,
			   struct wsmfa_ask *out)
{
	bool const totp = kind == WSMFA_KIND_TOTP;

	ask_begin(login, totp ? WSMFA_ASK_ENROLL_TOTP : WSMFA_ASK_ENROLL_SMS,
		  totp ? WSMFA_TEXT_ASK_ENROLL_TOTP : WSMFA_TEXT_ASK_ENROLL_SMS, attempt, out);
	out->authenticator_id = login->account->spare_authenticator_id;
	return totp ? ask_key(login, out) : ask_code(login, login->account->phone, out);
}

void wsmfa_flow_text_args(struct wsmfa_login const *login, struct wsmfa_plan const *plan, struct wsmfa_text_room *room,
			  struct wsmfa_text_args *out)
{
	bool const enroll = plan->ask.kind == WSMFA_ASK_ENROLL_METHOD || plan->ask.kind == WSMFA_ASK_ENROLL_TOTP ||
			    plan->ask.kind == WSMFA_ASK_ENROLL_SMS;
	struct wsmfa_account const *account = login->account;
	wsmfa_time_t const left = plan->until == WSMFA_TIME_NONE ? 0 : wsmfa_time_span(login->at, plan->until);

	wsmfa_flow_methods(login, enroll, room->methods, sizeof(room->methods));
	wsmfa_phone_mask(room->phone, plan->ask.phone);
	*out = (struct wsmfa_text_args) {
		.account = account->name,
		.client = login->client->address,
		.date = account->enforce_on,
		.key = plan->ask.key,
		.methods = room->methods,
		.number = plan->ask.number,
		.phone = room->phone,
		.url = login->set->enroll_url,
		.count = plan->count,
		.minutes = left > 0 ? (left - 1) / WSMFA_MINUTE + 1 : 0,
	};
	if (account->exempt_until != WSMFA_TIME_NONE && account->exempt_until != WSMFA_TIME_FOREVER &&
	    account->exempt_until > login->at) {
		out->days = (account->exempt_until - login->at - 1) / WSMFA_DAY + 1;
	}
}
