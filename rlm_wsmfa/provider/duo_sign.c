/* Duo's signature; see duo_sign.h.
 * Apart from push_duo.c, so that the published way of signing is tested by vectors. */
#include "provider/duo_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "provider/out.h"

void wsmfa_duo_date(wsmfa_time_t at, char out[WSMFA_DUO_DATE])
{
	static char const days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static char const months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(at / WSMFA_SECOND);
	struct tm tm;

	out[0] = '\0';
	if (!gmtime_r(&seconds, &tm) || tm.tm_year < 0 || tm.tm_year > 8000)
		return;
	snprintf(out, WSMFA_DUO_DATE, "%s, %02u %s %04u %02u:%02u:%02u -0000", days[tm.tm_wday % 7],
		 (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

bool wsmfa_duo_sign(char const *skey, char const *date, char const *method, char const *host, char const *path,
		    char const *params, char out[WSMFA_DUO_HEX])
{
	char canon[8192 + 512];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int len = sizeof(mac);
	struct wsmfa_out text;

	wsmfa_out_init(&text, canon, sizeof(canon));
	for (char const *const *part = (char const *const[]) { date, method, host, path, NULL }; *part; part++) {
		wsmfa_out_put(&text, *part);
		wsmfa_out_put(&text, "\n");
	}
	wsmfa_out_put(&text, params);
	if (text.full || !HMAC(EVP_sha512(), skey, (int)strlen(skey), (uint8_t *)canon, text.len, mac, &len) ||
	    len != 64)
		return false;
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", mac[i]);
	return true;
}
