/*
 * What the files of the flow share: flow.c (table), flow_cells.c and flow_enroll.c (its cells), flow_ask.c (questions),
 * flow_end.c (what becomes of a packet). It stands apart from flow.h because nobody else may use it.
 */
#ifndef WSMFA_CORE_FLOW_INNER_H
#define WSMFA_CORE_FLOW_INNER_H

#include "core/flow.h"

#define KIND_BIT(k) (1U << (unsigned)(k))

/** An empty plan: it refuses. */
void wsmfa_plan_begin(struct wsmfa_plan *out);

/** A bug of ours, or no random octets: refuses. */
void wsmfa_plan_error(struct wsmfa_plan *out);

/** Asks what was made in out->ask, as the first thing of a packet; refuses when it could not be made. */
void wsmfa_plan_ask(bool made, enum wsmfa_reason reason, struct wsmfa_plan *out);

/** Ends the login here. */
void wsmfa_plan_refuse(struct wsmfa_plan *out, enum wsmfa_outcome outcome, enum wsmfa_reason reason,
		       enum wsmfa_text text);

/** Lets in by the rules (never by a second factor), with the banner that belongs to it. */
void wsmfa_plan_admit(struct wsmfa_login const *login, struct wsmfa_plan *out);

/** The answer was neither right nor wrong: ask again what is in out->ask. */
void wsmfa_plan_aside(struct wsmfa_plan *out, enum wsmfa_reason reason);

/** A question for a usable kind, with a fresh code or number where it needs one. False: random octets used up. */
bool wsmfa_ask_second_factor(struct wsmfa_login const *login, enum wsmfa_kind kind, int32_t attempt,
			     struct wsmfa_ask *out);

/** The same question once more, its code, number, key and push kept. */
void wsmfa_ask_again(struct wsmfa_login const *login, struct wsmfa_question const *question, int32_t attempt,
		     struct wsmfa_ask *out);

/** Asks the same once more behind a verdict, if this login has an attempt left; else the note is why it ends. */
void wsmfa_ask_same(struct wsmfa_login const *login, struct wsmfa_question const *question, enum wsmfa_text note,
		    struct wsmfa_plan *out);

/** The list of methods as a question. */
void wsmfa_ask_method(struct wsmfa_login const *login, int32_t attempt, struct wsmfa_ask *out);

/** The announcement as a question. */
void wsmfa_ask_banner(struct wsmfa_login const *login, int32_t attempt, struct wsmfa_ask *out);

/** First question of a second factor: the preferred method, else the strongest; nothing weak is sent unasked. */
bool wsmfa_ask_first(struct wsmfa_login const *login, uint32_t kinds, int32_t attempt, struct wsmfa_ask *out);

/** First question of an enrolment: the ticket where one is needed, else the method, else the only method. */
bool wsmfa_ask_enroll(struct wsmfa_login const *login, bool ticket_given, int32_t attempt, struct wsmfa_ask *out);

/**
 * Did the time in which the password alone is enough end since then? A question that was put in that time was put without a
 * ticket, one that was put later needed it.
 */
bool wsmfa_grace_ended(struct wsmfa_login const *login, wsmfa_time_t since);

/** Is the password alone not enough to enrol, by the schedule of now? */
bool wsmfa_ticket_needed(struct wsmfa_login const *login);

/** The question that proves a new authenticator. */
bool wsmfa_ask_enroll_kind(struct wsmfa_login const *login, enum wsmfa_kind kind, int32_t attempt,
			   struct wsmfa_ask *out);

/** The kind that an answer names, by keyword or by its place in the list of `kinds`; WSMFA_KIND_NONE for none of them. */
enum wsmfa_kind wsmfa_answer_kind(struct wsmfa_answer const *answer, uint32_t kinds);

/** An authenticator of this kind that can be used; the one with `id` where id is not 0. NULL for none. */
struct wsmfa_authenticator const *wsmfa_usable_find(struct wsmfa_login const *login, enum wsmfa_kind kind, int64_t id);

/** Was what this question asks for removed, disabled, forbidden or used up since? */
bool wsmfa_method_gone(struct wsmfa_login const *login, struct wsmfa_question const *question);

/** The key of a TOTP enrolment, out of its question. False: it does not open here. Wipe it either way. */
bool wsmfa_question_key(struct wsmfa_login const *login, struct wsmfa_question const *question,
			struct wsmfa_secret *key);

enum wsmfa_kind wsmfa_ask_kind(enum wsmfa_question_kind question);

/** The code, keyword or recovery code that came with the password. */
void wsmfa_flow_appended(struct wsmfa_login const *login, struct wsmfa_answer const *answer, struct wsmfa_plan *out);

/* one cell of the table */
typedef void wsmfa_cell_t(struct wsmfa_login const *, struct wsmfa_question const *, struct wsmfa_answer const *,
			  struct wsmfa_plan *);

wsmfa_cell_t wsmfa_cell_again;
wsmfa_cell_t wsmfa_cell_list;
wsmfa_cell_t wsmfa_cell_gone;
wsmfa_cell_t wsmfa_cell_switch;
wsmfa_cell_t wsmfa_cell_wrong;
wsmfa_cell_t wsmfa_cell_totp;
wsmfa_cell_t wsmfa_cell_totp_here;
wsmfa_cell_t wsmfa_cell_sms;
wsmfa_cell_t wsmfa_cell_recovery;
wsmfa_cell_t wsmfa_cell_wait;
wsmfa_cell_t wsmfa_cell_skip;
wsmfa_cell_t wsmfa_cell_banner;

wsmfa_cell_t wsmfa_enroll_again;
wsmfa_cell_t wsmfa_enroll_list;
wsmfa_cell_t wsmfa_enroll_ticket;
wsmfa_cell_t wsmfa_enroll_choose;
wsmfa_cell_t wsmfa_enroll_totp;
wsmfa_cell_t wsmfa_enroll_sms;
wsmfa_cell_t wsmfa_enroll_wrong;

#endif
