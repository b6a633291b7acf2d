/* Push that is asked and answered through PostgreSQL: `wsmfactl push answer`, or any program in role wsmfa_push.
 * Apart from the others: there is nobody to talk to, the open row is the question. */
#include "provider/backends.h"
#include "provider/settings.h"

static struct wsmfa_provider *local_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					      char *err, size_t errlen)
{
	return wsmfa_provider_read(&wsmfa_push_local, sizeof(struct wsmfa_provider), name, NULL, 0, false, settings, n,
				   err, errlen);
}

static void local_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
			uint8_t const *random, struct wsmfa_step *out)
{
	(void)p;
	(void)c;
	(void)at;
	(void)random;
	out->kind = WSMFA_STEP_ELSEWHERE;
	out->started = true;
}

static void local_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(*p));
}

struct wsmfa_provider_ops const wsmfa_push_local = {
	.type = "local",
	.channel = WSMFA_KIND_PUSH,
	.matches_number = true,
	.configure = local_configure,
	.begin = local_begin,
	.free = local_free,
};
