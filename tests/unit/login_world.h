/*
 * A server without FreeRADIUS and PostgreSQL: people log in through login/visit.c over the store in memory, while clock, random
 * source, engine and phones do what a test says. Apart from the tests, because all that walk a login stand in it.
 */
#ifndef WSMFA_TESTS_LOGIN_WORLD_H
#define WSMFA_TESTS_LOGIN_WORLD_H

#include "core/code.h"
#include "login/visit.h"
#include "store/store_mem.h"

/* Monday 2026-01-05 09:00:00 UTC: every shipped region enforces. */
#define LOGIN_NOW (INT64_C(1767603600) * WSMFA_SECOND)

enum { LOGIN_KEYS = 2, LOGIN_SEEN = 256 };

/** An account and what its owner knows. */
struct login_person {
	int64_t id;
	int64_t organization;
	char name[32];
	char password[64];
	size_t keys;
	struct wsmfa_secret key[LOGIN_KEYS];
	int64_t totp[LOGIN_KEYS];
	int64_t sms, push, recovery;
	char codes[WSMFA_RECOVERY_CODES][WSMFA_RECOVERY_TEXT];
	char ticket[WSMFA_TICKET_TEXT];
};

struct login_world {
	struct wsmfa_store *store;
	struct wsmfa_keyring *ring;
	struct wsmfa_service service;
	wsmfa_time_t now;
	uint64_t drawn; //!< random octets so far: they come in one order, so that a failure comes again
	int64_t serial;

	/* what the outside does */
	enum wsmfa_park_status park;
	enum wsmfa_delivery delivery; //!< of what is sent to a phone
	bool random_fails;
	bool push_known, push_up;
	struct wsmfa_provider_ops push_ops;
	char show[64]; //!< a push provider's text for the prompt

	/* and what it saw */
	struct wsmfa_job jobs[LOGIN_SEEN];
	size_t jobs_len;
	struct wsmfa_event events[LOGIN_SEEN];
	size_t again; //!< Access-Accepts that were settled before
	size_t events_len;
	struct wsmfa_message notices[LOGIN_SEEN];
	size_t notices_len;

	/* the next packet */
	struct wsmfa_client client;
	char default_service[WSMFA_CODE_MAX]; //!< of clients that name none
	char station[64];
	bool chap;		//!< its first factor was not typed
	bool unidentified;	//!< it says nothing by which it could be known again
	uint8_t session;	//!< and this is it: packets of one login have the same
	struct login_person person;

	/* the last one */
	struct wsmfa_visit *visit;
	struct wsmfa_reply reply;
	char answered[WSMFA_STATE_TEXT + 1]; //!< the State that it answered
	char said[256];			     //!< and with what
};

/** Regions as shipped, services `elements` (requires MFA) and `community` (does not), settings at their defaults. */
void login_begin(struct login_world *w);
void login_end(struct login_world *w);

/** A case of a file whose world is `w`: begun before it, ended after it. */
#define ONE(function) cmocka_unit_test_prestate_setup_teardown(function, login_set_up, login_tear_down, &w)
int login_set_up(void **state);
int login_tear_down(void **state);

/**
 * Makes the person of the next packets, by the words of the dialogues (tests/server/dialogue.py): totp (twice: two of them) push
 * recovery disabled exempt announced observed password= region= services= sms= phone= allowed= created= language= preferred=
 */
void login_person(struct login_world *w, char const *words);
/** The client that sends from now on: an address of the dialogues, 127.0.0.1 to .8. */
void login_from(struct login_world *w, char const *address);
/** A setting by the name it has in raddb/mods-available/wsmfa. False for one that no login reads. */
bool login_setting(struct login_world *w, char const *name, char const *value);
/** A ticket as wsmfactl makes it: {ticket}. */
void login_ticket(struct login_world *w);

/**
 * Sends a packet with this text as its password field, placeholders of the dialogues filled in; with the State of the last
 * reply, where that was a challenge. What waits for a gateway is woken at once; what waits for a phone stays parked: reply.kind is
 * WSMFA_REPLY_PARK until login_phone or login_nobody.
 */
void login_say(struct login_world *w, char const *text);
/** The same, as the first packet of another login. */
void login_anew(struct login_world *w, char const *text);
/** The last packet once more, as its client would send it to another server. */
void login_again(struct login_world *w);
/** The person answers the newest push; false if it can't be answered any more. What is parked for it is woken. */
bool login_phone(struct login_world *w, bool approve, char const *number);
/** The number that the newest job shows on the phone, "" for none. */
char const *login_number(struct login_world const *w);
/** Nobody does: time passes until the parked packet is woken. */
void login_nobody(struct login_world *w);
/** Wakes a parked visit, which may move. */
void login_wake(struct login_world *w, struct wsmfa_visit **v, struct wsmfa_woken const *woken);

/** Takes the visit out of the world, so that the next packet does not end it; the caller frees it. */
struct wsmfa_visit *login_keep(struct login_world *w);

/** Fails unless the last reply is this: "accept", "reject", "challenge", "park" or "store", then a pattern of its text. */
#define login_expect(w, expected) login_expect_at((w), (expected), __FILE__, __LINE__)
void login_expect_at(struct login_world *w, char const *expected, char const *file, int line);
/** Fails unless the last event is this: "OUTCOME REASON". */
#define login_event(w, expected) login_event_at((w), (expected), __FILE__, __LINE__)
void login_event_at(struct login_world *w, char const *expected, char const *file, int line);

/** Kind of the question that is open, WSMFA_ASK_NONE for none. */
enum wsmfa_question_kind login_asked(struct login_world const *w);
/** Counted failures as a load would see them: of an authenticator, or with 0 of the account. */
int32_t login_failures(struct login_world *w, int64_t authenticator_id);
/** Fails if a push of this account is still to be answered: another login is refused then. */
void login_assert_free(struct login_world *w);
/** Is any authenticator but recovery codes confirmed? */
bool login_enrolled(struct login_world *w);
/** Fills in the placeholders. */
void login_fill(struct login_world *w, char const *text, char *out, size_t size);
/** Does the text fit the pattern, in which * stands for anything? */
bool login_fits(char const *pattern, char const *text);

#endif
