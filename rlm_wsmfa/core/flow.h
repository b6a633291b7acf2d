/*
 * The way of a login as one state machine: what the first packet, an answer, or news from a phone leads to.
 * It stands apart because it only says what shall happen, as data; login/ does it, so that every path runs in a unit test.
 *
 * States are the kinds of question (types.h), inputs the classes of answer (answer.h); flow.c has the table, docs/design.md
 * draws it. Time, random octets, keys and settings are arguments.
 */
#ifndef WSMFA_CORE_FLOW_H
#define WSMFA_CORE_FLOW_H

#include "core/answer.h"
#include "core/code.h"
#include "core/decision.h"
#include "core/effects.h"
#include "core/mac.h"
#include "core/name.h"
#include "core/seal.h"
#include "core/text.h"

/** Settings that the flow reads. Durations in microseconds. */
struct wsmfa_flow_settings {
	struct wsmfa_policy policy;
	struct wsmfa_limits limits;
	wsmfa_time_t challenge_lifetime;
	wsmfa_time_t code_lifetime;
	wsmfa_time_t push_timeout;
	wsmfa_time_t banner_every;
	wsmfa_time_t enroll_grace;
	int32_t max_attempts;
	unsigned code_digits;
	unsigned totp_window;
	bool push_require_number;
	bool enroll_ticket; //!< a ticket is always asked first
	bool cap_session;
	char const *sms_prefixes;
	char const *enroll_url; //!< "" for none
};

/** What this server can use to reach a phone, as it is at the moment. */
struct wsmfa_carriers {
	bool sms;	//!< an SMS provider is configured
	bool park;	//!< requests can wait for a phone
	/** Is there a push provider of this name, and does it match numbers? Called with `ctx`. */
	bool (*push)(void *ctx, char const *provider, bool *matches_number);
	void *ctx;
};

/** Fresh octets from the system's random source, drawn for each packet. */
struct wsmfa_random {
	uint8_t code[WSMFA_CODE_RANDOM];
	uint8_t number[32];
	uint8_t key[20];
	uint8_t nonce[WSMFA_NONCE_LEN];
	uint8_t login[16];
	uint8_t state[WSMFA_STATE_LEN];
	uint8_t ticket[8];
};

/** One login at one packet: all the flow reads. Everything is borrowed. */
struct wsmfa_login {
	struct wsmfa_account *account; //!< wsmfa_login_prepare marks authenticators that are out of reach
	struct wsmfa_client const *client;
	struct wsmfa_flow_settings const *set;
	struct wsmfa_keyring const *ring;
	struct wsmfa_mac_keys const *macs;
	struct wsmfa_random const *random;
	wsmfa_time_t at;
	bool typed;  //!< the first factor was a typed password (PAP): a dialogue can follow
	bool repeat; //!< this answer came before: what became of it is for the store to say
	/* made by wsmfa_login_prepare */
	struct wsmfa_reach reach;
	struct wsmfa_ruling ruling;
	uint32_t usable; //!< bits of kinds
	uint32_t enrollable;
};

enum wsmfa_move {
	WSMFA_MOVE_REFUSE = 0, //!< Access-Reject
	WSMFA_MOVE_ADMIT,      //!< Access-Accept by the rules
	WSMFA_MOVE_ASK,	       //!< open `ask`, send what it says, Access-Challenge
	WSMFA_MOVE_JUDGE,      //!< settle `judgement`, then wsmfa_flow_judged
	WSMFA_MOVE_WAIT,       //!< wait for the push of the question, then wsmfa_flow_push_ended
	WSMFA_MOVE_TELL,       //!< append,sms: open `ask`, send it, and reject with the text
};

enum wsmfa_send { WSMFA_SEND_NOTHING = 0, WSMFA_SEND_SMS, WSMFA_SEND_PUSH };

/** A question that is to be put, complete but for its State. Holds secrets: wsmfa_plan_wipe. */
struct wsmfa_ask {
	enum wsmfa_question_kind kind;
	enum wsmfa_text text;
	int32_t attempt;
	bool keep_code; //!< the question before stays open behind this one: its code, number, key, push
	bool shows_banner;
	bool echo;	//!< RFC 2869 section 5.10: the answer may be shown while it is typed
	enum wsmfa_send send;
	struct wsmfa_authenticator const *authenticator; //!< of account->authenticators, NULL for none or any
	int64_t authenticator_id;
	wsmfa_time_t expires_at;
	wsmfa_time_t code_expires_at; //!< WSMFA_TIME_NONE
	char code[WSMFA_CODE_TEXT];   //!< secret, to be sent
	bool has_code_mac;
	uint8_t code_mac[WSMFA_HASH_LEN];
	char number[8];	  //!< shown at the prompt, entered on the phone
	char phone[WSMFA_PHONE_MAX];
	char key[64];	  //!< secret: the new TOTP key in groups of four
	uint8_t sealed[WSMFA_SEALED_MAX];
	size_t sealed_len;
};

struct wsmfa_judgement {
	enum wsmfa_verdict verdict;
	enum wsmfa_question_kind kind;
	int64_t authenticators[WSMFA_AUTHENTICATORS_MAX];
	size_t authenticators_len;
	int64_t step;
	int32_t drift;
	bool has_guess_mac;
	uint8_t guess_mac[WSMFA_HASH_LEN];
	bool guess_may_be_sent;
	bool has_recovery_hash;
	uint8_t recovery_hash[WSMFA_HASH_LEN];
	bool uses_ticket;
	bool enroll;
	bool needs_ticket; //!< an enrolment that counts only behind a right ticket of the same login
	uint8_t sealed[WSMFA_SEALED_MAX];
	size_t sealed_len;
};

/** What shall happen. After the last step `outcome`, `reason` and `method` are the event's. */
struct wsmfa_plan {
	enum wsmfa_move move;
	enum wsmfa_outcome outcome;
	enum wsmfa_reason reason;
	enum wsmfa_kind method;
	enum wsmfa_text note;	 //!< before the question; or the text of the refusal; or of the Accept
	enum wsmfa_text note2;	 //!< a second sentence before the question
	enum wsmfa_text person;	 //!< notice to the person out of band
	bool asks;		 //!< MOVE_JUDGE: `ask` follows when the login goes on
	bool admits_aside;	 //!< MOVE_JUDGE: a verdict ASIDE ends in Access-Accept (a banner that was skipped)
	struct wsmfa_ask ask;
	struct wsmfa_judgement judgement;
	wsmfa_time_t session_end; //!< Access-Accept: the session ends then, WSMFA_TIME_NONE for no limit
	int32_t count;		  //!< for {count}
	wsmfa_time_t until;	  //!< for {minutes}
};

/** What came appended to a password, or in WSMFA-Response. NULL text for nothing. */
struct wsmfa_appended {
	bool present;
	struct wsmfa_answer answer;
};

/**
 * Finds out what is within reach, and decides. To be called once for each packet, before the functions below.
 * Marks authenticators whose key does not open, whose provider this server lacks, whose number may not be written to.
 */
void wsmfa_login_prepare(struct wsmfa_login *login, struct wsmfa_carriers const *carriers);

/** The first packet, its first factor proven. */
void wsmfa_flow_start(struct wsmfa_login const *login, struct wsmfa_appended const *appended, struct wsmfa_plan *out);

/** An answer to the question that was taken. */
void wsmfa_flow_answer(struct wsmfa_login const *login, struct wsmfa_question const *question,
		       struct wsmfa_answer const *answer, struct wsmfa_plan *out);

/** What the store said to the judgement of *plan: turns it into ADMIT, ASK or REFUSE. ASK: `ask` is open already. */
void wsmfa_flow_judged(struct wsmfa_login const *login, struct wsmfa_settled const *settled, struct wsmfa_plan *plan);

/** Why a method did not work. */
enum wsmfa_trouble {
	WSMFA_TROUBLE_PROVIDER = 0, //!< its provider is down or refused
	WSMFA_TROUBLE_NO_ANSWER,    //!< nobody answered the push
	WSMFA_TROUBLE_SMS_LIMIT,
	WSMFA_TROUBLE_PUSH_LIMIT,
};

/**
 * What can be asked instead of a method that did not work: nothing that must be sent is asked for unasked.
 * @param failed its kind: it is the user's choice to try it again, not ours. Without another way *out refuses.
 */
void wsmfa_flow_detour(struct wsmfa_login const *login, enum wsmfa_kind failed, enum wsmfa_trouble why, int32_t attempt,
		       struct wsmfa_plan *out);

/**
 * How a push ended, as its row says: RIGHT admits, DENIED refuses, EXPIRED and FAILED go on to *next or refuse.
 * @param why  what EXPIRED means here
 * @param next what was given to the store as successor, or NULL
 */
void wsmfa_flow_push_ended(struct wsmfa_login const *login, struct wsmfa_settled const *settled, enum wsmfa_trouble why,
			   struct wsmfa_plan const *next, struct wsmfa_plan *out);

/** A refusal by a ruling of DENY; its text is shown only to those whose first factor was right. */
void wsmfa_flow_refuse(struct wsmfa_login const *login, struct wsmfa_plan *out);

/** Usable kinds as users type them, strongest first, numbered: "1 push, 2 totp". `enroll`: those that may be enrolled. */
void wsmfa_flow_methods(struct wsmfa_login const *login, bool enroll, char *out, size_t size);

/** Values for the placeholders of the plan's texts. *methods and *phone are room that must live as long as *args. */
struct wsmfa_text_room {
	char methods[96];
	char phone[WSMFA_PHONE_MASKED];
};
void wsmfa_flow_text_args(struct wsmfa_login const *login, struct wsmfa_plan const *plan, struct wsmfa_text_room *room,
			  struct wsmfa_text_args *out);

/** Overwrites what is secret in a plan. */
void wsmfa_plan_wipe(struct wsmfa_plan *plan);

/** Does the table have an entry for this state and input? For the test that says so. */
bool wsmfa_flow_has_entry(enum wsmfa_question_kind state, enum wsmfa_answer_class input);

#endif
