/* Clocks; see wall.h.
 * Apart from the loop, since worker threads ask too. */
#include "engine/wall.h"

#include <time.h>
#include <uv.h>

wsmfa_time_t wsmfa_wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (wsmfa_time_t)ts.tv_sec * WSMFA_SECOND + ts.tv_nsec / 1000;
}

uint64_t wsmfa_monotonic_ms(void)
{
	return uv_hrtime() / 1000000;
}
