/*
 * The wipe of a key in the clear.
 * Apart from its users, so that there is one.
 */
#include "core/secret.h"

#include <openssl/crypto.h>

void wsmfa_secret_wipe(struct wsmfa_secret *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, sizeof(*secret));
}
