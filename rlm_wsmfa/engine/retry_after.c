/* Retry-After; see retry_after.h.
 * Apart from HTTP, because it is pure and foreign. */
#include "engine/retry_after.h"

#include <curl/curl.h>
#include <string.h>

static int32_t bounded(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return seconds < WSMFA_RETRY_AFTER_MAX ? (int32_t)seconds : WSMFA_RETRY_AFTER_MAX;
}

int32_t wsmfa_retry_after(char const *value, char const *date, int64_t now)
{
	size_t digits = strspn(value, "0123456789");
	time_t at, from;

	if (digits && value[digits] == '\0') {
		int64_t seconds = 0;

		for (size_t i = 0; i < digits && seconds < WSMFA_RETRY_AFTER_MAX; i++)
			seconds = seconds * 10 + (value[i] - '0');
		return bounded(seconds);
	}
	/* An HTTP date holds a colon; curl would take "5.5" for one too. */
	if (!strchr(value, ':'))
		return -1;
	at = curl_getdate(value, NULL);
	if (at == (time_t)-1)
		return -1;
	from = *date ? curl_getdate(date, NULL) : (time_t)-1;
	return bounded((int64_t)at - (from == (time_t)-1 ? now : (int64_t)from));
}
