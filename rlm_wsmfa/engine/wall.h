/* Both clocks.
 * Apart from their users: the only place of the engine that asks what time it is. */
#ifndef WSMFA_ENGINE_WALL_H
#define WSMFA_ENGINE_WALL_H

#include "core/types.h"

/** A number that one thread writes and another may read. */
typedef _Atomic uint64_t wsmfa_counter;

/** The wall clock. */
wsmfa_time_t wsmfa_wall_now(void);
/** Milliseconds of the monotonic clock that uv_now() reads too. Any thread. */
uint64_t wsmfa_monotonic_ms(void);
#endif
