/* The registry: which backend a settings' type means.
 * Apart from the backends, which know nothing of each other. */
#include "provider/provider.h"

#include <string.h>

#include "provider/backends.h"

static struct wsmfa_provider_ops const *const backends[] = {
	&wsmfa_sms_file,   &wsmfa_sms_http,  &wsmfa_sms_twilio, &wsmfa_sms_aws_sns,
	&wsmfa_push_local, &wsmfa_push_http, &wsmfa_push_auth0, &wsmfa_push_duo,
};

struct wsmfa_provider_ops const *wsmfa_provider_find(enum wsmfa_kind channel, char const *type)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		if (backends[i]->channel == channel && strcmp(backends[i]->type, type) == 0)
			return backends[i];
	}
	return NULL;
}
