/* The signature of Duo's Auth API, version 2: HMAC-SHA512 over date, method, host, path and sorted parameters.
 * Apart from push_duo.c, so that the published way of signing is tested by vectors. */
#ifndef WSMFA_PROVIDER_DUO_SIGN_H
#define WSMFA_PROVIDER_DUO_SIGN_H

#include "core/types.h"

#define WSMFA_DUO_DATE 40
#define WSMFA_DUO_HEX  129 //!< of SHA-512, with NUL

/** "Tue, 01 Sep 2026 12:00:00 -0000" whatever the locale. */
void wsmfa_duo_date(wsmfa_time_t at, char out[WSMFA_DUO_DATE]);

/**
 * @param params `k=v` pairs, encoded as RFC 3986, sorted by key, joined by &
 * @param host in lower case, without port
 * @return false when it is too long, or the library refuses
 */
bool wsmfa_duo_sign(char const *skey, char const *date, char const *method, char const *host, char const *path,
		    char const *params, char out[WSMFA_DUO_HEX]);

#endif
