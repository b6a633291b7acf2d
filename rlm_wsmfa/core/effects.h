/*
 * Effects as data: what a login reads from the store and what it wants done there. It stands apart because the flow (core/)
 * makes these values and the store (store/) carries them out; neither knows the other.
 */
#ifndef WSMFA_CORE_EFFECTS_H
#define WSMFA_CORE_EFFECTS_H

#include "core/types.h"

/** Where a packet comes from, and when. Strings are NUL-terminated, "" for absent. Nothing is kept. */
struct wsmfa_origin {
	wsmfa_time_t at;
	char const *account; //!< the name of control:WSMFA-Account, case folded.
	char const *client;  //!< the RADIUS client's address.
	char const *station; //!< Calling-Station-Id of the (outer) packet.
	char const *service;
};

/** Limits that SQL applies under its row locks; all from the settings. */
struct wsmfa_limits {
	int32_t lock_after;     //!< consecutive failures of an account at a station before it waits.
	int32_t failure_budget; //!< counted failures of an authenticator (or account) in failure_days.
	int32_t failure_days;   //!< 30: what a load counts too.
	int32_t max_attempts; //!< wrong guesses that void a code sent in append mode; dialogues count by their questions.
	int32_t push_max;     //!< unanswered pushes an account and hour.
	int32_t sms_max;      //!< an account and hour.
	int32_t sms_number_max;       //!< a number and day.
	int32_t sms_organization_max; //!< an organization and hour, 0 for none.
	int32_t sms_total_max;        //!< all and hour, 0 for none.
};

/** A question to be opened. All pointers may be freed after the call. */
struct wsmfa_opening {
	uint8_t const *state_hash; //!< WSMFA_HASH_LEN octets of SHA-256(State); NULL for a code sent in append mode.
	enum wsmfa_question_kind kind;
	uint8_t const *login; //!< 16 octets that all questions of one login share.
	int32_t attempt;      //!< 1 for the first question of a login; wrong answers count up.
	wsmfa_time_t expires_at;
	int64_t authenticator_id;     //!< whom it asks, 0 for any of its kind; of an enrolment, the reserved id.
	bool keep_code;               //!< of a successor: code_mac, number, sealed key ... of the question before stay.
	uint8_t const *code_mac;      //!< of a code sent out of band, else NULL.
	wsmfa_time_t code_expires_at; //!< until when the code is good, or the push may be answered.
	char const *number;           //!< number to match, "" for none.
	char const *phone;            //!< SMS: where it goes; counted against the limits.
	char const *provider;         //!< push: who asks.
	uint8_t const *digest;        //!< of the request (core/digest.h), NULL when it can't be joined.
	int64_t waiter;               //!< ticket of the request that will be parked for it, 0 for none.
	uint8_t const *sealed;        //!< key of a TOTP enrolment, sealed for authenticator_id.
	size_t sealed_len;
	bool follows;	    //!< not the first question of its login, which ends an hour after that one
	bool shows_banner;  //!< stamps the account: banner_every counts from here.
	int64_t instead_of; //!< id of a question whose message could not be sent, 0 for none: repeats of the answer
			    //!< that led to it are led here.
};

enum wsmfa_open_status {
	WSMFA_OPEN_REFUSED = 0,
	WSMFA_OPEN_OPENED,
	WSMFA_OPEN_REUSED, //!< an identical first packet within 10 s: its code stands, nothing is to be sent.
	WSMFA_OPEN_JOINED, //!< the same login's push is pending: this request waits for it, nothing is to be sent. The
			   //!< question's State is now the one given here: the newest packet holds it.
	WSMFA_OPEN_BUSY,   //!< another login's push is pending.
	WSMFA_OPEN_PUSH_LIMIT,
	WSMFA_OPEN_SMS_LIMIT,
	WSMFA_OPEN_UNSENT, //!< of a repeat: what it needs did not get to the phone, so something else, or nothing, was asked.
};

struct wsmfa_opened {
	enum wsmfa_open_status status;
	int64_t challenge_id;
	char number[8];               //!< of the joined push, "" for none.
	wsmfa_time_t expires_at;      //!< of the joined or reused question, else as asked.
	wsmfa_time_t code_expires_at; //!< when the joined push ends.
};

/** A question as it was taken: this packet alone may answer it. */
struct wsmfa_question {
	int64_t id;
	enum wsmfa_question_kind kind;
	uint8_t login[16];
	int32_t attempt;
	wsmfa_time_t opened_at;
	wsmfa_time_t expires_at;
	int64_t authenticator_id;
	uint8_t code_mac[WSMFA_HASH_LEN];
	wsmfa_time_t code_expires_at; //!< of the code or the push; WSMFA_TIME_NONE when none was sent.
	char number[8];
	char provider[WSMFA_LABEL_MAX];
	uint8_t sealed[WSMFA_SEALED_MAX];
	size_t sealed_len;
	char push_state[16]; //!< pending, approved, denied, failed, void.
};

enum wsmfa_take_status {
	WSMFA_TAKE_UNKNOWN = 0, //!< no such State.
	WSMFA_TAKE_TAKEN,
	WSMFA_TAKE_REPEAT, //!< the same octets from the same client and station within 10 s (a pending push: until it
			   //!< ends): judge it again, settling is done once.
	WSMFA_TAKE_SPENT,  //!< answered already.
	WSMFA_TAKE_EXPIRED,
	WSMFA_TAKE_FOREIGN, //!< bound to another account, client or station; not consumed.
};

/** What became of the answer. */
enum wsmfa_verdict {
	WSMFA_VERDICT_WRONG = 0, //!< counts as a failure.
	WSMFA_VERDICT_RIGHT,
	WSMFA_VERDICT_ASIDE, //!< neither: a switch, help, a skipped banner, a given-up push. Counts nothing.
};

struct wsmfa_settlement {
	int64_t challenge_id; //!< 0 in append mode.
	int64_t account_id;
	enum wsmfa_verdict verdict;
	enum wsmfa_question_kind kind; //!< what the answer was judged as.
	int64_t const *authenticators; //!< right: the one; wrong: all that the guess was tried on; none: the account.
	size_t authenticators_len;
	int64_t step; //!< totp: the step it matched, refused unless later than the last accepted one.
	int32_t drift;
	uint8_t const *guess_mac;     //!< wrong: the same guess within 60 s counts once. Append: also a sent code's.
	bool guess_may_be_sent;       //!< append: right if guess_mac is the open sent code of this client and station.
	uint8_t const *recovery_hash; //!< recovery: WSMFA_HASH_LEN octets, used up if unused.
	uint8_t const *ticket_hash;   //!< enrolment ticket: used up if valid; decides right or wrong.
	bool enroll;                  //!< right: creates the authenticator reserved in the question.
	bool needs_ticket;            //!< enroll: only behind a right ticket of the same login
	uint8_t const *sealed;        //!< of the new authenticator (totp).
	size_t sealed_len;
	char const *phone;          //!< of the new authenticator (sms).
	enum wsmfa_outcome outcome; //!< recorded for repeats, when it stands.
	enum wsmfa_reason reason;
	struct wsmfa_opening const *next; //!< opened in the same transaction when the answer did not end the login: the
		//!< result is WRONG (and neither began a wait nor disabled), or ASIDE, or it is
		//!< RIGHT and kind is WSMFA_ASK_ENROLL_TICKET. NULL for none.
};

enum wsmfa_settle_status {
	WSMFA_SETTLE_GONE = 0, //!< account, authenticator, ticket or question vanished or was disabled meanwhile.
	WSMFA_SETTLE_RIGHT,    //!< counted, burnt, durable: the answer stands.
	WSMFA_SETTLE_WRONG,    //!< counted.
	WSMFA_SETTLE_ASIDE,
	WSMFA_SETTLE_REPLAYED,  //!< right, but that step or code was used before. Not counted.
	WSMFA_SETTLE_LOCKED,    //!< the account waits at this station since then.
	WSMFA_SETTLE_EXHAUSTED, //!< the failure budget was used up meanwhile.
	WSMFA_SETTLE_REPEAT,    //!< settled before by the same answer: outcome and reason are of then.
	WSMFA_SETTLE_ENROLLED,  //!< an enrolment elsewhere won.
	/* of a push */
	WSMFA_SETTLE_PENDING,
	WSMFA_SETTLE_DENIED,     //!< counted as a failure, and an event `suspicious`.
	WSMFA_SETTLE_FAILED,     //!< the provider could not ask.
	WSMFA_SETTLE_SUPERSEDED, //!< a newer request of the login waits for it.
	WSMFA_SETTLE_EXPIRED,
};

struct wsmfa_settled {
	enum wsmfa_settle_status status;
	enum wsmfa_outcome outcome; //!< of WSMFA_SETTLE_REPEAT.
	enum wsmfa_reason reason;
	bool first;                //!< this call settled it.
	wsmfa_time_t locked_until; //!< of a wait that this failure began.
	bool disabled;             //!< this failure disabled an authenticator.
	int64_t next_id;           //!< of the successor, 0 when none was opened.
	enum wsmfa_open_status next_status;
	int32_t codes_left; //!< recovery
};

/** What a login leaves for administrators and auditors. Written in batches by the engine. */
struct wsmfa_event {
	wsmfa_time_t at;
	int64_t account_id; //!< 0 when unknown
	char account[WSMFA_NAME_MAX];
	char client[WSMFA_CLIENT_MAX];
	char station[WSMFA_STATION_MAX];
	char service[WSMFA_CODE_MAX];
	char region[WSMFA_CODE_MAX];
	enum wsmfa_stage stage;
	bool has_decision;
	enum wsmfa_decision decision;
	enum wsmfa_kind method;
	enum wsmfa_outcome outcome;
	enum wsmfa_reason reason;
	bool again; //!< of an answer that was settled before: stands only where the event of then was lost
};

#endif
