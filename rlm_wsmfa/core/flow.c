/*
 * The state machine of a login: the table of state and input, and the first packet. It stands apart from flow_cells.c and
 * flow_enroll.c, which have the cells, flow_ask.c, which makes questions, and flow_end.c, which alone admits.
 */
#include "core/flow_inner.h"

/* ---- the table ---- */

static wsmfa_cell_t *const table[WSMFA_ASKS][WSMFA_ANSWER_CLASSES] = {
#define C(cell) wsmfa_cell_##cell
#define E(cell) wsmfa_enroll_##cell
#define ROW(bad, empty, help, keyword, choice, code, word)                                                    \
	{                                                                                                     \
		[WSMFA_ANSWER_BAD] = bad, [WSMFA_ANSWER_EMPTY] = empty, [WSMFA_ANSWER_HELP] = help,           \
		[WSMFA_ANSWER_KEYWORD] = keyword, [WSMFA_ANSWER_CHOICE] = choice, [WSMFA_ANSWER_CODE] = code, \
		[WSMFA_ANSWER_WORD] = word                                                                    \
	}
	/* clang-format off */
	/*                              bad        empty      help       keyword    choice     code          word */
	[WSMFA_ASK_TOTP]          = ROW(C(wrong),  C(again),  C(list),   C(switch), C(switch), C(totp),      C(wrong)),
	[WSMFA_ASK_SMS]           = ROW(C(wrong),  C(again),  C(list),   C(switch), C(switch), C(sms),       C(wrong)),
	[WSMFA_ASK_PUSH]          = ROW(C(again),  C(wait),   C(list),   C(switch), C(switch), C(totp_here), C(again)),
	[WSMFA_ASK_RECOVERY]      = ROW(C(wrong),  C(again),  C(list),   C(switch), C(switch), C(recovery),  C(recovery)),
	[WSMFA_ASK_METHOD]        = ROW(C(again),  C(again),  C(list),   C(switch), C(switch), C(totp_here), C(again)),
	[WSMFA_ASK_BANNER]        = ROW(C(banner), C(skip),   C(banner), C(banner), C(banner), C(banner),    C(banner)),
	[WSMFA_ASK_ENROLL_TICKET] = ROW(E(wrong),  E(again),  E(again),  E(again),  E(wrong),  E(wrong),     E(ticket)),
	[WSMFA_ASK_ENROLL_METHOD] = ROW(E(again),  E(again),  E(list),   E(choose), E(choose), E(again),     E(again)),
	[WSMFA_ASK_ENROLL_TOTP]   = ROW(E(wrong),  E(again),  E(list),   E(choose), E(choose), E(totp),      E(wrong)),
	[WSMFA_ASK_ENROLL_SMS]    = ROW(E(wrong),  E(again),  E(list),   E(choose), E(choose), E(sms),       E(wrong)),
/* clang-format on */
#undef ROW
#undef E
#undef C
};

bool wsmfa_flow_has_entry(enum wsmfa_question_kind state, enum wsmfa_answer_class input)
{
	return state > WSMFA_ASK_NONE && state < WSMFA_ASKS && input < WSMFA_ANSWER_CLASSES && table[state][input];
}

/** Refuses, unless this answer came before: what became of it then is for the store to say. */
static void refuse_or_repeat(struct wsmfa_login const *login, enum wsmfa_reason reason, enum wsmfa_text text,
			     struct wsmfa_plan *out)
{
	wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, reason, text);
	if (!login->repeat || !login->usable)
		return;
	out->move = WSMFA_MOVE_JUDGE;
	out->judgement.verdict = WSMFA_VERDICT_ASIDE;
}

/** Enforcement began, or a second factor was enrolled, while the announcement was read: as a first packet would go now. */
static void banner_is_over(struct wsmfa_login const *login, struct wsmfa_plan *out)
{
	wsmfa_flow_start(login, NULL, out);
	if (out->move == WSMFA_MOVE_ASK)
		wsmfa_plan_aside(out, login->ruling.reason);
}

static bool enrolment_stands(struct wsmfa_login const *login, struct wsmfa_question const *question,
			     struct wsmfa_plan *out)
{
	enum wsmfa_kind const kind = wsmfa_ask_kind(question->kind);
	struct wsmfa_secret key;
	bool opens = true;

	if (wsmfa_account_enrolled(login->account)) {
		/* perhaps by this very answer */
		refuse_or_repeat(login, WSMFA_REASON_ENROLLED_ELSEWHERE, WSMFA_TEXT_REFUSE_ELSEWHERE, out);
		return false;
	}
	/* the method that is being proven may have been forbidden meanwhile, or its number taken off file */
	if (!login->enrollable || (kind != WSMFA_KIND_NONE && !(login->enrollable & KIND_BIT(kind)))) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_ENROLLMENT_REQUIRED,
				  WSMFA_TEXT_REFUSE_ENROLL);
		return false;
	}
	if (question->kind != WSMFA_ASK_ENROLL_TICKET && wsmfa_grace_ended(login, question->opened_at)) {
		wsmfa_plan_ask(wsmfa_ask_enroll(login, false, question->attempt, &out->ask), login->ruling.reason, out);
		if (out->move == WSMFA_MOVE_ASK)
			wsmfa_plan_aside(out, WSMFA_REASON_ENROLLING);
		return false;
	}
	if (question->kind == WSMFA_ASK_ENROLL_TOTP) {
		opens = wsmfa_question_key(login, question, &key);
		wsmfa_secret_wipe(&key);
	}
	if (!opens) {
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_ERROR, WSMFA_REASON_KEY_UNAVAILABLE, WSMFA_TEXT_REFUSE_ERROR);
	}
	return opens;
}

/** Is the ruling of now, at the answer, one under which this question may still be answered? Else *out ends or moves on. */
static bool still_stands(struct wsmfa_login const *login, struct wsmfa_question const *question, struct wsmfa_plan *out)
{
	enum wsmfa_reason const reason = login->ruling.reason;
	enum wsmfa_decision const decision = login->ruling.decision;

	if (reason == WSMFA_REASON_UNKNOWN_ACCOUNT || reason == WSMFA_REASON_DISABLED ||
	    reason == WSMFA_REASON_LOCKED) {
		wsmfa_flow_refuse(login, out);
		return false;
	}
	switch (question->kind) {
	case WSMFA_ASK_BANNER:
		if (decision == WSMFA_DECISION_ACCEPT || decision == WSMFA_DECISION_ACCEPT_WITH_BANNER)
			return true;
		banner_is_over(login, out);
		return false;

	case WSMFA_ASK_ENROLL_TICKET:
	case WSMFA_ASK_ENROLL_METHOD:
	case WSMFA_ASK_ENROLL_TOTP:
	case WSMFA_ASK_ENROLL_SMS: return enrolment_stands(login, question, out);

	default:
		if (wsmfa_account_enrolled(login->account) && login->usable)
			return true;
		wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_NO_USABLE_METHOD,
				  WSMFA_TEXT_REFUSE_NO_METHOD);
		return false;
	}
}

/** Is it an answer to the question itself, and not about the way of answering? */
static bool is_proof(enum wsmfa_answer_class class)
{
	return class != WSMFA_ANSWER_KEYWORD && class != WSMFA_ANSWER_CHOICE && class != WSMFA_ANSWER_HELP;
}

void wsmfa_flow_answer(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out)
{
	wsmfa_plan_begin(out);
	out->judgement.kind = question->kind;
	if (!wsmfa_flow_has_entry(question->kind, answer->class)) {
		wsmfa_plan_error(out);
	} else if (!still_stands(login, question, out)) {
		out->judgement.kind = question->kind;
	} else if (is_proof(answer->class) && wsmfa_method_gone(login, question)) {
		wsmfa_cell_gone(login, question, answer, out);
	} else {
		table[question->kind][answer->class](login, question, answer, out);
		/* what is right by now may have been wrong, a moment too early: then it leads where it led */
		if (login->repeat && out->move == WSMFA_MOVE_JUDGE && out->judgement.verdict == WSMFA_VERDICT_RIGHT &&
		    !out->asks && out->judgement.kind == question->kind)
			wsmfa_ask_same(login, question, WSMFA_TEXT_NOTE_WRONG_CODE, out);
	}
}

/* ---- the first packet ---- */

static bool banner_due(struct wsmfa_login const *login)
{
	wsmfa_time_t const shown = login->account->banner_shown_at;

	return login->ruling.reason == WSMFA_REASON_ANNOUNCE && login->client->banner_question &&
	       login->reach.can_challenge &&
	       (shown == WSMFA_TIME_NONE || wsmfa_time_span(shown, login->at) >= login->set->banner_every);
}

void wsmfa_flow_start(struct wsmfa_login const *login, struct wsmfa_appended const *appended, struct wsmfa_plan *out)
{
	wsmfa_plan_begin(out);

	switch (login->ruling.decision) {
	case WSMFA_DECISION_CHALLENGE:
		if (appended && appended->present) {
			wsmfa_flow_appended(login, &appended->answer, out);
		} else if (login->client->mode == WSMFA_MODE_APPEND && login->typed) {
			wsmfa_plan_refuse(out, WSMFA_OUTCOME_DENIED, WSMFA_REASON_CODE_MISSING,
					  WSMFA_TEXT_REFUSE_CODE_MISSING);
		} else {
			wsmfa_plan_ask(wsmfa_ask_first(login, login->usable, 1, &out->ask), login->ruling.reason, out);
		}
		return;

	case WSMFA_DECISION_ENROLL:
		if (wsmfa_ask_enroll(login, false, 1, &out->ask)) {
			wsmfa_plan_ask(true, login->ruling.reason, out);
		} else {
			wsmfa_plan_error(out);
		}
		return;

	case WSMFA_DECISION_ACCEPT_WITH_BANNER:
		if (banner_due(login)) {
			wsmfa_ask_banner(login, 1, &out->ask);
			wsmfa_plan_ask(true, login->ruling.reason, out);
			return;
		}
		wsmfa_plan_admit(login, out);
		return;

	case WSMFA_DECISION_ACCEPT: wsmfa_plan_admit(login, out); return;

	default: wsmfa_flow_refuse(login, out); return;
	}
}
