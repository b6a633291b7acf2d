/* Notices to a person about their own account, out of band: by SMS, or through the administrator's hook.
 * Apart from jobs: no request waits for them, and when the queue is full they are lost, and counted. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "engine/inside.h"
#include "engine/wall.h"

#define NOTICES_MAX 1024
#define LIFETIME_MS 300000 //!< no longer is a notice tried

struct wsmfa_notice {
	struct wsmfa_notice *next;
	char provider[WSMFA_LABEL_MAX];
	struct wsmfa_message message;
};

static void notice_free(struct wsmfa_notice *n)
{
	OPENSSL_cleanse(n, sizeof(*n));
	free(n);
}

void wsmfa_engine_notice(struct wsmfa_engine *e, char const *sms_provider, struct wsmfa_message const *message)
{
	struct wsmfa_notice *n = calloc(1, sizeof(*n));

	if (n) {
		strncat(n->provider, sms_provider ? sms_provider : "", sizeof(n->provider) - 1);
		n->message = *message;
	}
	pthread_mutex_lock(&e->notices_lock);
	if (n && e->notices_len < NOTICES_MAX) {
		n->next = e->notices;
		e->notices = n;
		e->notices_len++;
		n = NULL;
	} else {
		e->count.notices_lost++;
	}
	pthread_mutex_unlock(&e->notices_lock);
	if (n)
		notice_free(n);
	uv_async_send(&e->async);
}

static void notice_ended(struct wsmfa_engine *e, int64_t id, enum wsmfa_delivery delivery, bool elsewhere)
{
	(void)id;
	(void)elsewhere;
	if (delivery == WSMFA_DELIVERY_SENT)
		e->count.notices++;
	else
		e->count.notices_failed++;
}

static struct wsmfa_talk_owner const notice_owner = { .ended = notice_ended };

static struct wsmfa_outlet *notice_outlet(struct wsmfa_engine *e, struct wsmfa_notice const *n)
{
	struct wsmfa_outlet *hook = wsmfa_outlet_find(e, WSMFA_KIND_NONE, "notify");

	if (hook)
		return hook;
	if (!n->message.phone[0] || !n->provider[0])
		return NULL;
	return wsmfa_outlet_find(e, WSMFA_KIND_SMS, n->provider);
}

void wsmfa_notices_send(struct wsmfa_engine *e)
{
	uint64_t now = wsmfa_engine_now(e);
	struct wsmfa_notice *list, *next;

	pthread_mutex_lock(&e->notices_lock);
	list = e->notices;
	e->notices = NULL;
	e->notices_len = 0;
	pthread_mutex_unlock(&e->notices_lock);
	for (; list; list = next) {
		struct wsmfa_outlet *outlet = notice_outlet(e, list);

		next = list->next;
		if (!outlet || !wsmfa_breaker_pass(&outlet->breaker, now) ||
		    !wsmfa_talk_begin(e, outlet, &list->message, now + LIFETIME_MS, &notice_owner, 0))
			e->count.notices_failed++;
		notice_free(list);
	}
}

void wsmfa_notices_free(struct wsmfa_engine *e)
{
	while (e->notices) {
		struct wsmfa_notice *n = e->notices;

		e->notices = n->next;
		notice_free(n);
	}
}
