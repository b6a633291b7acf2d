/* Every backend by name, for the registry and for tests.
 * Apart from provider.h, whose users need only wsmfa_provider_find. */
#ifndef WSMFA_PROVIDER_BACKENDS_H
#define WSMFA_PROVIDER_BACKENDS_H

#include "provider/provider.h"

extern struct wsmfa_provider_ops const wsmfa_sms_file;
extern struct wsmfa_provider_ops const wsmfa_sms_http;
extern struct wsmfa_provider_ops const wsmfa_sms_twilio;
extern struct wsmfa_provider_ops const wsmfa_sms_aws_sns;
extern struct wsmfa_provider_ops const wsmfa_notify; //!< the hook for notices: of no settings' section
extern struct wsmfa_provider_ops const wsmfa_push_local;
extern struct wsmfa_provider_ops const wsmfa_push_http;
extern struct wsmfa_provider_ops const wsmfa_push_http_number;
extern struct wsmfa_provider_ops const wsmfa_push_auth0;
extern struct wsmfa_provider_ops const wsmfa_push_duo;

#endif
