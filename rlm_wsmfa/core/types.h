/*
 * The words of the project as C types: account, authenticator, client, login.
 * They stand apart because every room uses them and they use none: no host, no I/O, no clock.
 */
#ifndef WSMFA_CORE_TYPES_H
#define WSMFA_CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Microseconds since 1970-01-01 00:00 UTC. SQL's -infinity and infinity are the two ends of the range. */
typedef int64_t wsmfa_time_t;

#define WSMFA_TIME_NONE	   INT64_MIN //!< SQL NULL: never happened, not set.
#define WSMFA_TIME_FOREVER INT64_MAX //!< SQL infinity.
#define WSMFA_SECOND	   ((wsmfa_time_t)1000000)
#define WSMFA_MINUTE	   (60 * WSMFA_SECOND)
#define WSMFA_HOUR	   (60 * WSMFA_MINUTE)
#define WSMFA_DAY	   (24 * WSMFA_HOUR)

/** From one time to another; an end of the range where the two lie further apart than a number holds. */
wsmfa_time_t wsmfa_time_span(wsmfa_time_t from, wsmfa_time_t to);

/*
 * Sizes include the terminating NUL. They bound what crosses the border; SQL has the same limits as named constraints.
 */
#define WSMFA_NAME_MAX	    254 //!< account names: a User-Name is at most 253 octets (RFC 2865 section 5.1).
#define WSMFA_CODE_MAX	    33	//!< codes of regions and services.
#define WSMFA_LABEL_MAX	    65	//!< labels of authenticators, names of providers.
#define WSMFA_DEVICE_MAX    129 //!< a provider's name of a device.
#define WSMFA_PHONE_MAX	    17	//!< E.164: "+" and at most 15 digits.
#define WSMFA_STATION_MAX   254 //!< Calling-Station-Id.
#define WSMFA_CLIENT_MAX    64	//!< a RADIUS client's address as text.
#define WSMFA_PASSWORD_MAX  513 //!< a stored {header}value.
#define WSMFA_LANGUAGE_MAX  9	//!< "en", "fi", "pt-BR".
#define WSMFA_SEALED_MAX    192 //!< a sealed TOTP key.
#define WSMFA_AUTHENTICATORS_MAX 32 //!< usable ones of an account; SQL refuses more.
#define WSMFA_STATE_LEN	    16	//!< octets of a State before encoding.
#define WSMFA_STATE_TEXT    22	//!< its printable form on the wire, base64url without padding.
#define WSMFA_HASH_LEN	    32	//!< SHA-256 and HMAC-SHA-256.

/** Kinds of authenticator, weakest first: a greater value is stronger. Zero is none. */
enum wsmfa_kind {
	WSMFA_KIND_NONE = 0,
	WSMFA_KIND_RECOVERY, //!< one of ten printed codes; never an enrolment by itself.
	WSMFA_KIND_SMS,	     //!< a code sent to a phone number.
	WSMFA_KIND_TOTP,     //!< RFC 6238.
	WSMFA_KIND_PUSH,     //!< an out-of-band question on a device.
	WSMFA_KIND_FIDO2,    //!< out of band; no code yet, so never usable here.
	WSMFA_KINDS
};

/** The stage of a region (or of an organization with its own schedule). What is unknown is enforce, so zero is. */
enum wsmfa_stage {
	WSMFA_STAGE_ENFORCE = 0,
	WSMFA_STAGE_ANNOUNCE,
	WSMFA_STAGE_OBSERVE,
	WSMFA_STAGES
};

/** What the rules say about a login. Zero is deny: nothing forgotten lets anybody in. */
enum wsmfa_decision {
	WSMFA_DECISION_DENY = 0,
	WSMFA_DECISION_CHALLENGE,
	WSMFA_DECISION_ENROLL,
	WSMFA_DECISION_ACCEPT_WITH_BANNER,
	WSMFA_DECISION_ACCEPT,
	WSMFA_DECISIONS
};

/** How a reply ended the packet, as an event's outcome. Zero is our own bug. */
enum wsmfa_outcome {
	WSMFA_OUTCOME_ERROR = 0,	    //!< we or a service we need broke; nobody got in.
	WSMFA_OUTCOME_ACCEPTED,		    //!< Access-Accept.
	WSMFA_OUTCOME_CHALLENGED,	    //!< a question went out.
	WSMFA_OUTCOME_DENIED,		    //!< the rules refused.
	WSMFA_OUTCOME_FAILED_FIRST_FACTOR,  //!< the password was wrong, or the account is unknown.
	WSMFA_OUTCOME_FAILED_SECOND_FACTOR, //!< the second factor was wrong.
	WSMFA_OUTCOME_EXPIRED,		    //!< the answer came too late, or never.
	WSMFA_OUTCOMES
};

/** Why, in one word. The words are public: events, WSMFA-* attributes and texts use them. */
enum wsmfa_reason {
	WSMFA_REASON_NONE = 0,
	/* of decisions */
	WSMFA_REASON_UNKNOWN_ACCOUNT,
	WSMFA_REASON_DISABLED,
	WSMFA_REASON_LOCKED,
	WSMFA_REASON_ENROLLED,
	WSMFA_REASON_NO_USABLE_METHOD,
	WSMFA_REASON_NOT_IN_SCOPE,
	WSMFA_REASON_OBSERVE,
	WSMFA_REASON_ANNOUNCE,
	WSMFA_REASON_EXEMPT,
	WSMFA_REASON_ENROLL,
	WSMFA_REASON_ENROLLMENT_REQUIRED,
	/* of answers */
	WSMFA_REASON_PROVEN,		//!< the second factor was right.
	WSMFA_REASON_WRONG_CODE,
	WSMFA_REASON_REPLAYED_CODE,	//!< right, but accepted once before; not counted.
	WSMFA_REASON_TOO_MANY_ATTEMPTS,
	WSMFA_REASON_UNKNOWN_STATE,
	WSMFA_REASON_SPENT_STATE,
	WSMFA_REASON_EXPIRED_STATE,
	WSMFA_REASON_FOREIGN_STATE,	//!< bound to another account, client or station.
	WSMFA_REASON_CODE_MISSING,	//!< append mode: a password without a code.
	WSMFA_REASON_BAD_REQUEST,	//!< malformed name or answer; CHAP with a State.
	WSMFA_REASON_WRONG_PASSWORD,
	WSMFA_REASON_SWITCHED,		//!< the user chose another method.
	/* of what goes to a phone */
	WSMFA_REASON_SENT,
	WSMFA_REASON_APPROVED,
	WSMFA_REASON_SUSPICIOUS,	//!< the phone said: that was not me.
	WSMFA_REASON_TIMEOUT,
	WSMFA_REASON_BUSY,		//!< another login's push is pending.
	WSMFA_REASON_SUPERSEDED,	//!< a newer packet of the same login waits instead.
	WSMFA_REASON_PUSH_LIMIT,
	WSMFA_REASON_SMS_LIMIT,
	WSMFA_REASON_PARK_LIMIT,
	WSMFA_REASON_PROVIDER_DOWN,
	/* of enrolment */
	WSMFA_REASON_ENROLLING,
	WSMFA_REASON_CONFIRMED,
	WSMFA_REASON_WRONG_TICKET,
	WSMFA_REASON_ENROLLED_ELSEWHERE,
	/* ours */
	WSMFA_REASON_STORE_DOWN,
	WSMFA_REASON_KEY_UNAVAILABLE,	//!< no sealed key of the account opens with our key ring.
	WSMFA_REASON_BYPASS,		//!< the gate met an Accept without our mark.
	WSMFA_REASON_INTERNAL,
	WSMFA_REASONS
};

/** What a question asks for: the states of the dialogue. SQL column challenge.kind has the same words. */
enum wsmfa_question_kind {
	WSMFA_ASK_NONE = 0, //!< no question is open: the first packet of a login.
	WSMFA_ASK_TOTP,
	WSMFA_ASK_SMS,
	WSMFA_ASK_PUSH,
	WSMFA_ASK_RECOVERY,
	WSMFA_ASK_METHOD,	 //!< which method? Where nothing may be sent unasked.
	WSMFA_ASK_BANNER,	 //!< announcement put as a question; an empty answer skips it.
	WSMFA_ASK_ENROLL_TICKET, //!< which ticket did the administrator hand out?
	WSMFA_ASK_ENROLL_METHOD, //!< which method shall be enrolled?
	WSMFA_ASK_ENROLL_TOTP,	 //!< first code of a new TOTP key.
	WSMFA_ASK_ENROLL_SMS,	 //!< code sent to the number on file.
	WSMFA_ASKS
};

/** How a client can be asked. `challenge` is the default. */
enum wsmfa_mode { WSMFA_MODE_CHALLENGE = 0, WSMFA_MODE_APPEND, WSMFA_MODE_WAIT, WSMFA_MODES };

/** TOTP hash, as its HMAC (RFC 6238 section 1.2). */
enum wsmfa_algorithm { WSMFA_SHA1 = 0, WSMFA_SHA256, WSMFA_SHA512, WSMFA_ALGORITHMS };

/*
 * Words for the values above, as SQL, logs and attributes spell them; NULL for a value out of range.
 * The parsers return false and leave *out alone for a word they do not know.
 */
char const *wsmfa_kind_word(enum wsmfa_kind k);
char const *wsmfa_stage_word(enum wsmfa_stage s);
char const *wsmfa_decision_word(enum wsmfa_decision d);
char const *wsmfa_outcome_word(enum wsmfa_outcome o);
char const *wsmfa_reason_word(enum wsmfa_reason r);
char const *wsmfa_ask_word(enum wsmfa_question_kind k);
char const *wsmfa_mode_word(enum wsmfa_mode m);
char const *wsmfa_algorithm_word(enum wsmfa_algorithm a);
bool wsmfa_kind_parse(char const *word, enum wsmfa_kind *out);
bool wsmfa_decision_parse(char const *word, enum wsmfa_decision *out);
bool wsmfa_reason_parse(char const *word, enum wsmfa_reason *out);
bool wsmfa_ask_parse(char const *word, enum wsmfa_question_kind *out);
bool wsmfa_mode_parse(char const *word, enum wsmfa_mode *out);
bool wsmfa_algorithm_parse(char const *word, enum wsmfa_algorithm *out);
/** A stage's word; what is not known is enforce. */
enum wsmfa_stage wsmfa_stage_parse(char const *word);

/** One second factor of an account, as loaded. Removed ones are never loaded. */
struct wsmfa_authenticator {
	int64_t id;
	enum wsmfa_kind kind;
	char label[WSMFA_LABEL_MAX];
	wsmfa_time_t confirmed_at; //!< WSMFA_TIME_NONE until it was proven.
	wsmfa_time_t disabled_at;  //!< WSMFA_TIME_NONE while it is enabled.
	int32_t failures;	   //!< counted failures in the budget's days.
	bool unreachable;	   //!< not of the store: this server has no key for it, or no such provider.
	/* totp */
	uint8_t sealed[WSMFA_SEALED_MAX]; //!< core/seal.h; associated data are the account's and the authenticator's ids.
	size_t sealed_len;
	enum wsmfa_algorithm algorithm;
	uint8_t digits;	    //!< 6 or 8.
	uint8_t period;	    //!< seconds, 15 to 60.
	int64_t last_step;  //!< the last accepted step, -1 for none.
	int32_t drift;	    //!< steps the device was ahead (+) or behind (-) when it was last right.
	/* push */
	char provider[WSMFA_LABEL_MAX];
	char device[WSMFA_DEVICE_MAX];
	/* sms */
	char phone[WSMFA_PHONE_MAX];
	/* recovery */
	uint8_t salt[16];    //!< of the whole set: one derivation tests a guess against all ten.
	int32_t iterations;  //!< PBKDF2-HMAC-SHA-256.
	int32_t codes_left;
};

/** An account and all that the rules need of it, as one call of the store loads it. */
struct wsmfa_account {
	bool known;
	int64_t id;
	char name[WSMFA_NAME_MAX];
	int64_t organization_id;
	uint32_t allowed_kinds; //!< bit (1 << kind) for each kind the organization allows; all ones without a policy.
	char region[WSMFA_CODE_MAX];
	char language[WSMFA_LANGUAGE_MAX];
	char phone[WSMFA_PHONE_MAX];	   //!< on file, for notices and SMS enrolment; "" for none.
	char password[WSMFA_PASSWORD_MAX]; //!< secret: {header}value; wiped by wsmfa_account_wipe.
	enum wsmfa_kind preferred;	   //!< WSMFA_KIND_NONE without a preference.
	wsmfa_time_t created_at;
	wsmfa_time_t disabled_at;
	wsmfa_time_t locked_until; //!< of this calling station; WSMFA_TIME_NONE when it does not wait.
	int32_t failures;	   //!< counted against the account itself: tickets and proofs of an enrolment.
	bool in_scope;		   //!< the account's services and the login's, at the login's time.
	wsmfa_time_t in_scope_from; //!< since when, WSMFA_TIME_NONE when not in scope.
	enum wsmfa_stage stage;
	wsmfa_time_t announce_from; //!< of the schedule that stands: the organization's own, else the region's.
	wsmfa_time_t enforce_from;
	wsmfa_time_t exempt_until;	//!< the latest exemption that is not revoked, WSMFA_TIME_NONE for none.
	char enforce_on[11];		//!< enforce_from as a date in the region's time zone, YYYY-MM-DD; "" for infinity.
	wsmfa_time_t banner_shown_at;	//!< last banner put as a question.
	bool has_ticket;
	uint8_t ticket_hash[32];	//!< of the newest enrolment ticket that is neither used nor expired.
	int64_t spare_authenticator_id; //!< reserved for an enrolment, 0 where none can begin: sealing binds to it.
	size_t authenticators_len;
	struct wsmfa_authenticator authenticators[WSMFA_AUTHENTICATORS_MAX];
};

/** What clients.conf says of the RADIUS client that sent the packet. */
struct wsmfa_client {
	char address[WSMFA_CLIENT_MAX];
	enum wsmfa_mode mode;
	char service[WSMFA_CODE_MAX];
	bool may_enroll;	//!< wsmfa_enroll
	bool banner_question;	//!< wsmfa_banner = challenge
	bool utf8;		//!< wsmfa_charset = utf8
};

/** Overwrites an account, secrets and all. */
void wsmfa_account_wipe(struct wsmfa_account *a);

#endif
