/* What backends have in common when they speak: requests, notes, JSON, and when to try again.
 * Apart from the backends; everything here is pure. */
#ifndef WSMFA_PROVIDER_STEP_H
#define WSMFA_PROVIDER_STEP_H

#include <jansson.h>

#include "provider/out.h"
#include "provider/provider.h"

/** The step becomes an empty request; *body appends to its body. The URL is cut, and the request refused, if too long. */
void wsmfa_step_request(struct wsmfa_step *, char const *method, char const *url);
/** Adds a header line. */
void wsmfa_step_header(struct wsmfa_step *, char const *name, char const *value);
/** Appends to a header's lines, the URL or the body; wsmfa_step_seal then checks that all fitted. */
struct wsmfa_out wsmfa_step_body(struct wsmfa_step *);
/** Takes over what was appended; a body that did not fit makes the step FAILED. */
void wsmfa_step_seal(struct wsmfa_step *, struct wsmfa_out const *body);
/** Appends `name=value` to a form, with & before it unless it is the first. */
void wsmfa_form_put(struct wsmfa_out *, char const *name, char const *value);

/** The step ends the conversation; the note is cleaned. */
void wsmfa_step_done(struct wsmfa_step *, enum wsmfa_delivery, char const *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Ends the conversation for an answer that says nothing about its own subject: none at all, a 5xx, credentials refused,
 * a redirect. True when it did. Certainly unsent is FAILED; what may have arrived is UNKNOWN. */
bool wsmfa_step_lost(struct wsmfa_step *, struct wsmfa_http_answer const *, char const *what);

/** How often, and with which chance, a conversation was told to wait. */
struct wsmfa_throttle {
	uint8_t times;
	uint8_t random[8];
};

/** Pauses as Retry-After says, else 1, 2, 4 ... s with up to 1 s of chance; FAILED when that is longer than 32 s or than the
 * conversation has left. Only for what certainly was not taken. */
void wsmfa_step_throttled(struct wsmfa_step *, struct wsmfa_throttle *, struct wsmfa_conversation const *,
			  struct wsmfa_http_answer const *, char const *what);

/** The body as a JSON object or array, NULL for anything else. */
json_t *wsmfa_answer_json(struct wsmfa_http_answer const *);
/** A member that is a text, "" otherwise. Lives as long as the object. */
char const *wsmfa_json_text(json_t const *object, char const *name);
/** A member that is a whole number, `otherwise` if not. */
int64_t wsmfa_json_number(json_t const *object, char const *name, int64_t otherwise);
/** A member that is an object, NULL otherwise. */
json_t *wsmfa_json_object(json_t const *object, char const *name);

/** A conversation's own memory as a backend's struct. */
#define WSMFA_MEMORY(_conversation, _type)                                                     \
	((void)sizeof(char[sizeof(struct _type) <= sizeof((_conversation)->memory) ? 1 : -1]), \
	 (struct _type *)(void *)(_conversation)->memory)

#endif
