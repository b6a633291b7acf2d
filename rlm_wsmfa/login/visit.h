/*
 * A visit: one RADIUS packet's way through the rules, without the host. It stands apart from core/, since it calls the store and
 * the engine, and from the glue, since it knows no REQUEST: unit tests walk every way with the store in memory.
 *
 * authorize:	 wsmfa_visit_load, or wsmfa_visit_take where the packet has a State
 * authenticate: wsmfa_visit_begin (first factor proven), or wsmfa_visit_answer
 * post-proxy:	 wsmfa_visit_resume, where a reply of kind WSMFA_REPLY_PARK came before
 * post-auth:	 wsmfa_visit_failed, where the first factor was wrong
 *
 * Each fills a reply; what it does not fill is an Access-Reject. A visit lives as long as its packet and is used by one
 * thread at a time. A service is shared by all threads and never changes while they run.
 */
#ifndef WSMFA_LOGIN_VISIT_H
#define WSMFA_LOGIN_VISIT_H

#include "core/flow.h"
#include "engine/engine.h"
#include "store/store.h"

/** What a visit needs of the engine, so that tests can stand in for it. Same contracts as engine.h. */
struct wsmfa_outside {
	enum wsmfa_park_status (*park)(void *ctx, struct wsmfa_job const *job);
	/** wsmfa_engine_room */
	enum wsmfa_park_status (*room)(void *ctx);
	void (*event)(void *ctx, struct wsmfa_event const *event);
	void (*notice)(void *ctx, struct wsmfa_message const *message);
	/** The push provider of this name, NULL for none; *up is false while its breaker is open. */
	struct wsmfa_provider_ops const *(*push)(void *ctx, char const *name, bool *up);
	/** Octets from the system's random source; false: refuse. */
	bool (*random)(void *ctx, void *out, size_t len);
	void *ctx;
};

/** All that is the same for every visit. Borrowed by visits. */
struct wsmfa_service {
	struct wsmfa_store *store;
	struct wsmfa_outside outside;
	struct wsmfa_flow_settings set;
	struct wsmfa_texts texts;
	struct wsmfa_keyring const *ring;
	struct wsmfa_mac_keys macs;
	char const *sms_provider; //!< name of the one that sends codes, NULL for none
	bool park;                //!< requests can be parked
	wsmfa_time_t sms_wait;
};

enum wsmfa_reply_kind {
	WSMFA_REPLY_REJECT = 0,
	WSMFA_REPLY_CHALLENGE,
	WSMFA_REPLY_ACCEPT,
	WSMFA_REPLY_PARK,  //!< no reply yet: proxy the request to the parking socket with visit->ticket
	WSMFA_REPLY_STORE, //!< the store can't be asked: reject or silence, as on_store_failure says
};

struct wsmfa_reply {
	enum wsmfa_reply_kind kind;
	char text[WSMFA_REPLY_MAX]; //!< Reply-Message, "" for none
	char state[WSMFA_STATE_TEXT + 1];
	bool echo;               //!< Prompt
	int64_t session_timeout; //!< seconds; a challenge: to answer; an accept: of the session, 0 for no limit
};

enum wsmfa_visit_wait {
	WSMFA_VISIT_NOT_PARKED = 0,
	WSMFA_VISIT_SENDING, //!< for the gateway to take an SMS, or a provider to start a push; then the challenge
	WSMFA_VISIT_SENDING_APPEND, //!< the same, then the reject that says so
	WSMFA_VISIT_PHONE,          //!< for the person's answer to a push
};

struct wsmfa_visit {
	/* set by the caller before the first call */
	wsmfa_time_t at;
	struct wsmfa_client client;
	char name[WSMFA_NAME_MAX]; //!< folded
	char station[WSMFA_STATION_MAX];
	bool typed;    //!< the first factor is PAP
	bool joinable; //!< the packet says enough of itself to be known again as the same login
	bool has_digest;
	uint8_t digest[WSMFA_HASH_LEN];
	struct wsmfa_appended appended; //!< secret
	char password[WSMFA_NAME_MAX];  //!< secret: only for providers that check it themselves, "" else
	/* made on the way */
	struct wsmfa_random random;
	struct wsmfa_login login;
	enum wsmfa_take_status taken;
	struct wsmfa_question question;
	uint8_t state[WSMFA_STATE_LEN];      //!< of the question that was answered
	uint8_t next_state[WSMFA_STATE_LEN]; //!< of the question that goes out
	struct wsmfa_answer answer;          //!< secret
	struct wsmfa_plan plan;              //!< secret
	enum wsmfa_visit_wait waits;
	int64_t challenge_id;         //!< of the question that is open or waited for
	int64_t ticket;               //!< while it is parked
	int64_t unsent;               //!< the question whose SMS could not be sent, 0 for none
	bool answering;               //!< the packet had a State
	bool unheard;                 //!< the waiting room did not answer: the host can only reject
	bool ended;                   //!< an event of this packet is written
	size_t size;                  //!< octets of this block: all, or while it rests no more than its account fills
	struct wsmfa_account account; //!< the last: its unused authenticators are what a visit that rests does without
};

/** Zeroed; NULL without memory. */
struct wsmfa_visit *wsmfa_visit_new(void);
/** Wipes and frees; NULL is allowed. */
void wsmfa_visit_free(struct wsmfa_visit *visit);

/**
 * Gives back the memory that a visit does not need while it is parked: thousands may wait at a time, and most of a visit is room
 * for authenticators that hardly anybody has. Until wsmfa_visit_wake its account must not be written, or copied as a whole.
 * @return the visit, at another place; or where it was, when there is no memory for a smaller one.
 */
struct wsmfa_visit *wsmfa_visit_rest(struct wsmfa_visit *visit);
/** Whole again, before wsmfa_visit_resume. @return NULL without memory: the visit rests on. */
struct wsmfa_visit *wsmfa_visit_wake(struct wsmfa_visit *visit);

/** Loads the account. False: the store can't be asked, *reply says what to do. An unknown account is true. */
bool wsmfa_visit_load(struct wsmfa_service const *service, struct wsmfa_visit *visit, struct wsmfa_reply *reply);

/**
 * Takes the question of a State as it came over the wire, and keeps the answer's octets for wsmfa_visit_answer.
 * False: not open, foreign, malformed; *reply refuses.
 */
bool wsmfa_visit_take(struct wsmfa_service const *service, struct wsmfa_visit *visit, uint8_t const *state,
		      size_t state_len, uint8_t const *answer, size_t answer_len, struct wsmfa_reply *reply);

/** The first factor stands. */
void wsmfa_visit_begin(struct wsmfa_service const *service, struct wsmfa_visit *visit, struct wsmfa_reply *reply);

/** Judges the answer that was taken. */
void wsmfa_visit_answer(struct wsmfa_service const *service, struct wsmfa_visit *visit, struct wsmfa_reply *reply);

/** The parked request was woken. @param woken NULL when the waiting room did not answer. @param at the time of now. */
void wsmfa_visit_resume(struct wsmfa_service const *service, struct wsmfa_visit *visit, struct wsmfa_woken const *woken,
			wsmfa_time_t at, struct wsmfa_reply *reply);

/** Writes the event of a wrong password or an unknown account, once. */
void wsmfa_visit_failed(struct wsmfa_service const *service, struct wsmfa_visit *visit);

/** Writes an event for a reply that the visit did not make itself: an Accept that the gate refused. */
void wsmfa_visit_event(struct wsmfa_service const *service, struct wsmfa_visit *visit, enum wsmfa_outcome outcome,
		       enum wsmfa_reason reason, enum wsmfa_kind method);

#endif
