/*
 * What the files of the glue share: one instance of the module. It stands apart from every other header, since only the
 * files rlm_wsmfa*.c see the host.
 */
#ifndef RLM_WSMFA_H
#define RLM_WSMFA_H

#include <freeradius/radiusd.h>

#include <freeradius/connection.h>
#include <freeradius/modules.h>
#include <freeradius/rad_assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/delay.h"
#include "engine/engine.h"
#include "login/visit.h"
#include "store/store_pg.h"

#define WSMFA_PROVIDERS_MAX 32
#define WSMFA_LANGUAGES_MAX 16

/** Attributes of dictionary.wsmfa. */
struct wsmfa_dictionary {
	DICT_ATTR const *account;
	DICT_ATTR const *decision;
	DICT_ATTR const *stage;
	DICT_ATTR const *region;
	DICT_ATTR const *service;
	DICT_ATTR const *method;
	DICT_ATTR const *outcome;
	DICT_ATTR const *enforce_from;
	DICT_ATTR const *response;
	DICT_ATTR const *identity;
	uint32_t auth_type_login;
	uint32_t auth_type_response;
};

/** A file that a site came from, as it was when the site was last checked. */
#define WSMFA_SITE_FILES_MAX 64
struct wsmfa_site_stamp {
	char file[512];
	struct timespec mtime;
	ino_t inode;
	off_t size;
};

typedef struct rlm_wsmfa_t {
	char const *name;	//!< of the instance, as sites call it
	CONF_SECTION *cs;

	/* settings as written; raddb/mods-available/wsmfa is their manual */
	char const *connection;
	uint32_t store_timeout;
	char const *on_store_failure;
	char const *key_file;
	char const *account_name;
	char const *default_service;
	char const *enroll_url;
	char const *server_name; //!< of its heartbeats
	uint32_t banner_every;
	bool cap_session;
	char const *enroll_methods;
	uint32_t enroll_grace;
	char const *enroll_ticket;
	uint32_t challenge_lifetime;
	uint32_t max_attempts;
	uint32_t code_lifetime;
	uint32_t code_digits;
	uint32_t totp_window;
	char const *append_separator;
	uint32_t lock_after;
	uint32_t failure_budget;
	uint32_t failure_days;
	uint32_t delay_max;
	uint32_t push_timeout;
	uint32_t push_max;
	bool push_require_number;
	uint32_t park_max;
	char const *park_pool;
	uint32_t sms_max;
	uint32_t sms_number_max;
	uint32_t sms_organization_max;
	uint32_t sms_total_max;
	char const *sms_prefixes;
	uint32_t sms_wait;
	char const *notify_url;
	char const *decoy_password;
	char const *unguarded_sites;

	/* made from them */
	bool ignore_on_store_failure;
	bool plain_user_name; //!< account_name is the default: the octets of User-Name themselves
	struct wsmfa_dictionary dict;
	struct wsmfa_service service;
	struct wsmfa_keyring *ring;
	struct wsmfa_provider *providers[WSMFA_PROVIDERS_MAX];
	size_t providers_len;
	struct wsmfa_language languages[WSMFA_LANGUAGES_MAX];
	size_t languages_len;
	fr_connection_pool_t *pool;
	pthread_mutex_t pool_lock;
	pthread_cond_t pool_changed;	//!< by the monotonic clock
	uint32_t pool_users;		//!< threads that have a connection or are getting one
	uint32_t pool_opening;		//!< connections that are being made
	uint64_t pool_turns;		//!< how often a connection was given back, closed or made
	struct wsmfa_pg_config pg_config;
	struct wsmfa_pg_pool pg_pool;
	struct wsmfa_engine *engine; //!< NULL under -C
	char host[256]; //!< the machine's name
	home_server_t const *park_server; //!< NULL: nothing can be parked
	pthread_mutex_t delay_lock;
	struct wsmfa_delay_table *delays;
	struct wsmfa_site_stamp stamps[WSMFA_SITE_FILES_MAX];
	size_t stamps_len;
	pthread_mutex_t sites_lock; //!< of the stamps
	_Atomic wsmfa_time_t sites_looked_at;
	atomic_bool sites_stand;
	atomic_bool sites_doubtful; //!< a HUP may have loaded sites that did not stand: EAP waits for a restart
} rlm_wsmfa_t;

/* rlm_wsmfa_conf.c: settings to values. 0, or -1 after one error with file, line and the way out. */
extern CONF_PARSER const wsmfa_module_config[];
int wsmfa_conf_check(rlm_wsmfa_t *inst, CONF_SECTION *conf);
void wsmfa_conf_free(rlm_wsmfa_t *inst);

/* rlm_wsmfa_client.c: what clients.conf says */
int wsmfa_clients_check(rlm_wsmfa_t const *inst);
bool wsmfa_client_read(rlm_wsmfa_t const *inst, REQUEST *request, struct wsmfa_client *out);

/* rlm_wsmfa_site.c: virtual servers that could be gone round, timers that are too short */
int wsmfa_sites_judge(rlm_wsmfa_t const *inst, CONF_SECTION *config);
int wsmfa_park_check(rlm_wsmfa_t *inst);

/* rlm_wsmfa_watch.c: sites that are edited while the server runs */
int wsmfa_sites_check(rlm_wsmfa_t *inst);
bool wsmfa_sites_stand(rlm_wsmfa_t *inst, wsmfa_time_t at);

/* rlm_wsmfa_store.c: the host's connection pool under our store, the log */
int wsmfa_store_start(rlm_wsmfa_t *inst, CONF_SECTION *conf);
void wsmfa_store_stop(rlm_wsmfa_t *inst);
void wsmfa_log(void *ctx, char level, char const *text);

/* rlm_wsmfa_request.c: a REQUEST as a visit, a reply as attributes */
enum wsmfa_mark { WSMFA_MARK_VISIT = 1, WSMFA_MARK_ACCEPT, WSMFA_MARK_CHALLENGE, WSMFA_MARK_SAVED };

struct wsmfa_visit *wsmfa_request_visit(rlm_wsmfa_t const *inst, REQUEST *request);
struct wsmfa_visit *wsmfa_request_wake(rlm_wsmfa_t const *inst, REQUEST *request);
struct wsmfa_visit *wsmfa_request_begin(rlm_wsmfa_t const *inst, REQUEST *request, char const *name);
bool wsmfa_request_name(rlm_wsmfa_t const *inst, REQUEST *request, char name[WSMFA_NAME_MAX]);
bool wsmfa_request_is_eap(REQUEST *request);
bool wsmfa_request_is_hashed(REQUEST *request);
REQUEST *wsmfa_request_outer(REQUEST *request);
void wsmfa_request_mark(rlm_wsmfa_t const *inst, REQUEST *request, enum wsmfa_mark mark);
bool wsmfa_request_marked(rlm_wsmfa_t const *inst, REQUEST *request, enum wsmfa_mark mark);
void wsmfa_request_tell(rlm_wsmfa_t const *inst, REQUEST *request, struct wsmfa_visit const *visit);
/** A Response-Packet-Type of the host: no reply at all. */
#define WSMFA_DO_NOT_RESPOND 256
void wsmfa_sign_reply(REQUEST *request);
void wsmfa_response_packet_type(REQUEST *request, uint32_t code);
void wsmfa_allow_response(REQUEST *request);
rlm_rcode_t wsmfa_reply_apply(rlm_wsmfa_t *inst, REQUEST *request, struct wsmfa_visit *visit,
			      struct wsmfa_reply const *reply);
wsmfa_time_t wsmfa_now(void);

/* the callbacks; rlm_wsmfa_auth.c, rlm_wsmfa_gate.c, rlm_wsmfa_park.c */
rlm_rcode_t wsmfa_mod_authorize(void *instance, REQUEST *request);
rlm_rcode_t wsmfa_mod_authenticate(void *instance, REQUEST *request);
rlm_rcode_t wsmfa_mod_pre_proxy(void *instance, REQUEST *request);
rlm_rcode_t wsmfa_mod_post_proxy(void *instance, REQUEST *request);
rlm_rcode_t wsmfa_mod_post_auth(void *instance, REQUEST *request);

#endif
