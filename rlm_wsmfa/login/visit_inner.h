/*
 * What the files of a visit share: visit.c (the way in), visit_open.c (questions and sending), visit_push.c (waiting),
 * visit_reply.c (what is told). It stands apart from visit.h because nobody else may use it.
 */
#ifndef WSMFA_LOGIN_VISIT_INNER_H
#define WSMFA_LOGIN_VISIT_INNER_H

#include "login/visit.h"

/** Where this packet comes from, and when. Borrows from the visit. */
struct wsmfa_origin wsmfa_visit_origin(struct wsmfa_visit const *v);

/* ---- what is told ---- */

/** The store can't be asked: reject or silence, never an accept. */
void wsmfa_visit_store_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply);

/**
 * Turns a plan that needs nothing more into the reply, and writes its event.
 * @param show  a provider's text for the prompt, NULL for none
 * @param quiet the same packet was answered before: no event and no notice
 */
void wsmfa_visit_conclude(struct wsmfa_service const *s, struct wsmfa_visit *v, char const *show, bool quiet,
			  struct wsmfa_reply *reply);

void wsmfa_visit_refuse(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_outcome outcome,
			enum wsmfa_reason reason, enum wsmfa_text text, struct wsmfa_reply *reply);

/** A message about this login, without its text and its address. */
void wsmfa_visit_message(struct wsmfa_visit const *v, struct wsmfa_message *out);
void wsmfa_visit_message_text(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_text id,
			      struct wsmfa_text_args const *args, struct wsmfa_message *out);

/* ---- questions ---- */

struct wsmfa_opening_room {
	uint8_t state_hash[WSMFA_HASH_LEN];
};

/** The question of an ask as the store takes it; its State is v->next_state. *room must live as long as *out. */
bool wsmfa_visit_opening(struct wsmfa_visit *v, struct wsmfa_ask const *ask, bool with_state, int64_t waiter,
			 struct wsmfa_opening_room *room, struct wsmfa_opening *out);

/** Looks at the push provider of a question: drops a number it can't match. NULL while it is down or unknown. */
struct wsmfa_provider_ops const *wsmfa_visit_push_provider(struct wsmfa_service const *s, struct wsmfa_ask *ask);

int64_t wsmfa_visit_new_ticket(struct wsmfa_visit const *v);

/** Opens the question of the plan under v->next_state, sends what it says, and concludes or parks. */
void wsmfa_visit_open(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply);

/** Sends what an open question says, and parks the request for it; or concludes. */
void wsmfa_visit_deliver(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket,
			 struct wsmfa_reply *reply);

/** Another way, which sends nothing, or the end. */
void wsmfa_visit_detour(struct wsmfa_service const *s, struct wsmfa_visit *v, enum wsmfa_kind failed, enum wsmfa_trouble why,
			struct wsmfa_reply *reply);

/* ---- waiting ---- */

/** Parks the request for a push that is on its way. */
void wsmfa_visit_wait_for_phone(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, wsmfa_time_t until,
				struct wsmfa_reply *reply);

/** The answer to a push's question is empty: "I have answered on the phone", or "I am about to". */
void wsmfa_visit_wait_push(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_reply *reply);

/**
 * Settles a push by what its row says now: no packet waits twice, so one that is still pending is given up. Another way
 * is asked for in the same call. @param why what it means when nobody has answered
 * @param newer the ticket of another packet of the login that waits on, 0 for none: one that is still pending is handed on to it
 */
void wsmfa_visit_settle_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket, enum wsmfa_trouble why,
			     int64_t newer, struct wsmfa_reply *reply);

/** The push of a question is not waited for: it is over, whatever the phone says. */
void wsmfa_visit_void_push(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket);

/** What was to be sent could not be: the question that waits for it makes way for another. */
void wsmfa_visit_send_failed(struct wsmfa_service const *s, struct wsmfa_visit *v, int64_t ticket,
			     struct wsmfa_reply *reply);

/** What was to be sent was taken, or failed, or the time for it is over. */
void wsmfa_visit_resume_sending(struct wsmfa_service const *s, struct wsmfa_visit *v, struct wsmfa_woken const *woken,
				struct wsmfa_reply *reply);

#endif
