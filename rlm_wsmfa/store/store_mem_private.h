/*
 * What the three files of the store in memory share: its rows and how they are found.
 * Apart from store_mem.h, because tests set up accounts and never touch rows. All of it runs under the store's lock.
 */
#ifndef WSMFA_STORE_STORE_MEM_PRIVATE_H
#define WSMFA_STORE_STORE_MEM_PRIVATE_H

#include <pthread.h>
#include <string.h>

#include "store/store_mem.h"

/* As many consecutive failures disable an authenticator (NIST SP 800-63B-4 section 3.2.2). */
#define MEM_CONSECUTIVE_MAX 100
#define MEM_REPEAT_WITHIN   (10 * WSMFA_SECOND)
#define MEM_GUESS_WITHIN    (60 * WSMFA_SECOND)
#define MEM_SERVICES_MAX    8
#define MEM_CODES_MAX       16

struct mem_schedule {
	struct mem_schedule *next;
	char code[WSMFA_CODE_MAX]; // of a region or service
	int64_t id;                // of an organization
	uint32_t allowed_kinds;
	wsmfa_time_t announce_from; // of a service: unused
	wsmfa_time_t enforce_from;  // of a service: requires MFA from
};

struct mem_authenticator {
	struct wsmfa_authenticator a;
	int32_t consecutive;
	struct {
		uint8_t hash[WSMFA_HASH_LEN];
		bool used;
	} codes[MEM_CODES_MAX];
	size_t codes_len;
};

struct mem_account {
	struct mem_account *next;
	struct wsmfa_account a;
	char services[MEM_SERVICES_MAX][WSMFA_CODE_MAX];
	size_t services_len;
	struct mem_authenticator authenticators[WSMFA_AUTHENTICATORS_MAX];
	size_t authenticators_len;
};

/* The pair of account and calling station (or client, without one), and its consecutive failures. */
struct mem_pair {
	struct mem_pair *next;
	int64_t account_id;
	char station[WSMFA_STATION_MAX + WSMFA_CLIENT_MAX];
	int32_t failures;
	wsmfa_time_t until;
};

enum mem_mark_kind { MEM_FAILURE, MEM_SMS, MEM_TICKET };

/* Something that happened at a time and is counted or looked up later. */
struct mem_mark {
	struct mem_mark *next;
	enum mem_mark_kind kind;
	wsmfa_time_t at; // of a ticket: its end
	int64_t account_id;
	int64_t of; // of a failure: the authenticator, 0 for the account; of an SMS: the organization
	bool has_mac;
	uint8_t mac[WSMFA_HASH_LEN]; // of a failure: the guess; of a ticket: its hash
	char phone[WSMFA_PHONE_MAX];
	bool used;
};

struct mem_challenge {
	struct mem_challenge *next;
	struct wsmfa_question q;
	bool has_state;
	uint8_t state_hash[WSMFA_HASH_LEN];
	int64_t account_id;
	char client[WSMFA_CLIENT_MAX];
	char station[WSMFA_STATION_MAX];
	bool has_digest;
	uint8_t digest[WSMFA_HASH_LEN];
	char phone[WSMFA_PHONE_MAX];
	bool code_used;
	int32_t guesses; // append: wrong ones
	int64_t waiter;
	bool push_answered;
	/* taken */
	bool taken;
	wsmfa_time_t taken_at;
	uint8_t answer_mac[WSMFA_HASH_LEN];
	bool has_answer_digest;
	uint8_t answer_digest[WSMFA_HASH_LEN];
	/* settled */
	bool settled;
	bool ticket_given; // its answer was a right ticket
	int64_t settled_by; // the waiter it was settled for
	struct wsmfa_settled result;
};

struct wsmfa_mem {
	struct wsmfa_store store; // first: a wsmfa_store * is a wsmfa_mem *
	pthread_mutex_t lock;
	int64_t last_id;
	struct mem_schedule *regions, *organizations, *services;
	struct mem_account *accounts;
	struct mem_pair *pairs;
	struct mem_mark *marks;
	struct mem_challenge *challenges; // newest first
	struct {
		unsigned count;
		bool has_fault;
		enum wsmfa_store_result fault;
		void (*hook)(struct wsmfa_store *, void *);
		void *hook_ctx;
	} calls[WSMFA_MEM_CALLS];
};

/** calloc that aborts, linked in front of *list (a pointer to the list's head). */
#define MEM_PUSH(list, type) ((type *)wsmfa_mem_push((void **)&(list), sizeof(type)))
void *wsmfa_mem_push(void **list, size_t size);

/** Copies with truncation to a field of known size. */
#define MEM_COPY(to, from) wsmfa_mem_copy((to), sizeof(to), (from))
void wsmfa_mem_copy(char *to, size_t size, char const *from);

/** Locks and counts. False: *result is what the call must return at once; the lock is then free again. */
bool wsmfa_mem_enter(struct wsmfa_mem *m, enum wsmfa_mem_call call, enum wsmfa_store_result *result);
void wsmfa_mem_leave(struct wsmfa_mem *m);

struct mem_account *wsmfa_mem_account_find(struct wsmfa_mem *m, int64_t id);
struct mem_authenticator *wsmfa_mem_authenticator_find(struct mem_account *a, int64_t id);
struct mem_challenge *wsmfa_mem_challenge_find(struct wsmfa_mem *m, int64_t id);
/** The pair of account and station (the client, where there is none), made when absent. */
struct mem_pair *wsmfa_mem_pair_get(struct wsmfa_mem *m, int64_t account_id, char const *client, char const *station);
/** Counted failures of an authenticator, or of the account with id 0, in the `days` before `at`. */
int32_t wsmfa_mem_failures(struct wsmfa_mem *m, int64_t account_id, int64_t id, int32_t days, wsmfa_time_t at);
bool wsmfa_mem_enrolled(struct mem_account const *a);
/** Are two times at most so far from each other? */
bool wsmfa_mem_is_near(wsmfa_time_t a, wsmfa_time_t b, wsmfa_time_t within);
/** An answer can still come, and it still matters. */
bool wsmfa_mem_push_pending(struct mem_challenge const *c, wsmfa_time_t at);
/** The policy of the account's organization. */
bool wsmfa_mem_allows(struct wsmfa_mem *m, struct mem_account const *a, enum wsmfa_kind kind);
/** As wsmfa.question_unsent: `instead` is the id of what was asked in its place, 0 for nothing. */
void wsmfa_mem_unsent(struct wsmfa_mem *m, int64_t account_id, int64_t unsent, int64_t instead);
void wsmfa_mem_load(struct wsmfa_mem *m, struct wsmfa_origin const *origin, struct wsmfa_account *out);
struct mem_mark *wsmfa_mem_mark(struct wsmfa_mem *m, enum mem_mark_kind kind, wsmfa_time_t at, int64_t account_id,
				int64_t of);

/** wsmfa_store_ops.open without the lock; `before` is the question that `keep_code` keeps the code of, NULL for none. */
void wsmfa_mem_open(struct wsmfa_mem *m, struct wsmfa_origin const *origin, struct wsmfa_limits const *limits,
		    int64_t account_id, struct mem_challenge *before, struct wsmfa_opening const *opening,
		    struct wsmfa_opened *out);

enum wsmfa_store_result wsmfa_mem_op_open(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					  struct wsmfa_limits const *limits, int64_t account_id,
					  struct wsmfa_opening const *opening, struct wsmfa_opened *out);
enum wsmfa_store_result wsmfa_mem_op_settle(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					    struct wsmfa_limits const *limits,
					    struct wsmfa_settlement const *settlement, struct wsmfa_settled *out);
enum wsmfa_store_result wsmfa_mem_op_wait(struct wsmfa_store *s, struct wsmfa_origin const *origin,
					  int64_t challenge_id, int64_t waiter, struct wsmfa_settled *out);
enum wsmfa_store_result wsmfa_mem_op_settle_push(struct wsmfa_store *s, struct wsmfa_origin const *origin,
						 struct wsmfa_limits const *limits, int64_t challenge_id,
						 int64_t waiter, bool give_up, struct wsmfa_opening const *next,
						 struct wsmfa_settled *out);

#endif
