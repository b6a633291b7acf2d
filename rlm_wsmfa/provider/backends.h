/* Every backend by name, for the registry and for tests.
 * Apart from provider.h, whose users need only wsmfa_provider_find. */
#ifndef WSMFA_PROVIDER_BACKENDS_H
#define WSMFA_PROVIDER_BACKENDS_H

#include "provider/provider.h"

extern struct wsmfa_provider_ops const wsmfa_sms_file;
extern struct wsmfa_provider_ops const wsmfa_push_local;

#endif
