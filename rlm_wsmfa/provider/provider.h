/*
 * A provider: whoever carries a code or a question to a phone. It stands apart because it is pure talk:
 * it says which HTTP request comes next and reads the answer; the engine does the sending, waiting and retrying.
 *
 * Backends are one file each: SMS by file, http, twilio, aws_sns; push by local, http, auth0, duo.
 */
#ifndef WSMFA_PROVIDER_PROVIDER_H
#define WSMFA_PROVIDER_PROVIDER_H

#include "core/types.h"

#define WSMFA_TEXT_MAX 512 //!< a text for a phone or a prompt, with its NUL.

/** One `name = value` of a provider's section, with the place for the error message. */
struct wsmfa_setting {
	char const *name;
	char const *value;
	char const *file;
	int line;
};

/** What shall be said, and to whom. The password is wiped as soon as the provider has used it. */
struct wsmfa_message {
	int64_t challenge_id;
	char account[WSMFA_NAME_MAX];
	char phone[WSMFA_PHONE_MAX];   //!< sms, notices
	char text[WSMFA_TEXT_MAX];     //!< sms, notices: the whole text. push: what the login is for.
	int32_t lifetime;              //!< seconds until the code or the push is void.
	char device[WSMFA_DEVICE_MAX]; //!< push
	char number[8];                //!< push: number to match, "" for none.
	char client[WSMFA_CLIENT_MAX]; //!< where the login comes from, for the phone's display.
	char station[WSMFA_STATION_MAX];
	char service[WSMFA_CODE_MAX];
	char password[WSMFA_NAME_MAX]; //!< secret; only where ops->needs_password.
	bool can_show; //!< push: the client's prompt can show the provider's text (a verification code).
};

/** How a conversation ended. Zero is failure. */
enum wsmfa_delivery {
	WSMFA_DELIVERY_FAILED = 0, //!< final, certainly not sent; the breaker counts it.
	WSMFA_DELIVERY_UNKNOWN,    //!< may have been sent (timeout after the request was out, 5xx): never sent again.
	WSMFA_DELIVERY_REFUSED,    //!< this message only: bad number, unknown device. The provider works.
	WSMFA_DELIVERY_SENT,       //!< the gateway took the SMS.
	WSMFA_DELIVERY_APPROVED,   //!< push
	WSMFA_DELIVERY_DENIED,     //!< push: the person said no.
	WSMFA_DELIVERY_EXPIRED,    //!< push: nobody answered.
};

enum wsmfa_step_kind {
	WSMFA_STEP_DONE = 0,  //!< see delivery
	WSMFA_STEP_REQUEST,   //!< send `request`, hand the answer to ops->answer
	WSMFA_STEP_PAUSE,     //!< call ops->resume after pause_ms
	WSMFA_STEP_ELSEWHERE, //!< push: asked; the answer comes through PostgreSQL (`local`).
};

#define WSMFA_URL_MAX         2048
#define WSMFA_HEADERS_MAX     4096
#define WSMFA_BODY_MAX        8192
#define WSMFA_HTTP_ANSWER_MAX 65536 //!< octets of an answer that are read; a longer one is refused.

struct wsmfa_http_request {
	char method[8];
	char url[WSMFA_URL_MAX];
	char headers[WSMFA_HEADERS_MAX]; //!< "Name: value" lines, each ended by a newline
	char body[WSMFA_BODY_MAX];
	size_t body_len;
	char userpwd[400];  //!< secret; HTTP Basic by libcurl, "" for none.
	char aws_sigv4[64]; //!< CURLOPT_AWS_SIGV4, "" for none.
	bool repeatable;    //!< a poll: may be sent again after a timeout.
	bool asks_person;   //!< when this request is out, the phone may ring.
	int32_t timeout_ms; //!< 0: the provider's; never more than the deadline leaves.
};

/** What became of a request. The engine has retried what was certainly not sent; a provider never needs to. */
enum wsmfa_http_how {
	WSMFA_HTTP_UNSENT = 0, //!< no octet of the request left us: name, connection or TLS failed.
	WSMFA_HTTP_LOST,       //!< it may have arrived: no answer, a broken or an oversized one.
	WSMFA_HTTP_ANSWERED,
};

struct wsmfa_http_answer {
	enum wsmfa_http_how how;
	long status;
	char const *body; //!< NUL-terminated, foreign
	size_t body_len;
	int32_t retry_after; //!< seconds from Retry-After or X-Retry-After (seconds or a date), -1 without.
	wsmfa_time_t at;
	char const *problem; //!< of UNSENT and LOST: what went wrong, cleaned; "" without.
};

struct wsmfa_step {
	enum wsmfa_step_kind kind;
	enum wsmfa_delivery delivery;
	int32_t pause_ms;
	bool started;   //!< push: from now on the person is being asked.
	char show[128]; //!< push: text for the prompt (a verification code), cleaned; "" for none.
	char note[128]; //!< for our log: what went wrong, no secrets, cleaned.
	struct wsmfa_http_request request;
};

/** One conversation's own memory, large enough for each provider's struct; zeroed at begin, wiped at the end. */
struct wsmfa_conversation {
	struct wsmfa_message message;
	wsmfa_time_t deadline;
	_Alignas(16) uint8_t memory[4096];
};

struct wsmfa_provider;

struct wsmfa_provider_ops {
	char const *type;        //!< as in the settings: `sms TYPE`, `push TYPE`
	enum wsmfa_kind channel; //!< WSMFA_KIND_SMS or WSMFA_KIND_PUSH
	bool needs_password;     //!< push: the job carries the first factor's password (auth0).
	bool matches_number;     //!< push: makes the person enter or pick the number.
	/** Reads the section. On error writes one sentence with file, line and the way out, and returns NULL. */
	struct wsmfa_provider *(*configure)(char const *name, struct wsmfa_setting const *, size_t n, char *err,
					    size_t errlen);
	/** First step of a conversation. `random` are 16 fresh octets. */
	void (*begin)(struct wsmfa_provider const *, struct wsmfa_conversation *, wsmfa_time_t at,
		      uint8_t const *random, struct wsmfa_step *out);
	/** Next step, from an answer to the request of the last one. */
	void (*answer)(struct wsmfa_provider const *, struct wsmfa_conversation *, struct wsmfa_http_answer const *,
		       struct wsmfa_step *out);
	/** Next step, after a pause. NULL where no step pauses. */
	void (*resume)(struct wsmfa_provider const *, struct wsmfa_conversation *, wsmfa_time_t at,
		       struct wsmfa_step *out);
	void (*free)(struct wsmfa_provider *);
};

/** Every provider's struct begins with this. */
struct wsmfa_provider {
	struct wsmfa_provider_ops const *ops;
	char name[WSMFA_LABEL_MAX]; //!< as in the settings and in authenticator.provider
	int32_t connect_timeout_ms;
	int32_t timeout_ms;       //!< of one request
	int32_t retry_max;        //!< of what certainly was not sent
	int32_t breaker_failures; //!< consecutive failures that open the breaker
	int32_t breaker_seconds;  //!< until it probes
	bool insecure_http;       //!< http:// is allowed to other hosts than loopback
	char ca_file[256];        //!< "" for the system's
	char proxy[256];          //!< URL of an HTTP proxy, "" for none; the environment's are not used
};

/** The backend of a type, NULL for an unknown one. */
struct wsmfa_provider_ops const *wsmfa_provider_find(enum wsmfa_kind channel, char const *type);

#endif
