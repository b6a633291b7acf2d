/* The engine's way to the host's log: one cleaned line at a time.
 * Apart from its users, so that no foreign text gets there raw. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/inside.h"
#include "provider/out.h"

void wsmfa_engine_log(struct wsmfa_engine *e, char level, char const *fmt, ...)
{
	char text[512], clean[512];
	va_list ap;

	if (!e->config.log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wsmfa_foreign_clean(clean, sizeof(clean), text, strlen(text));
	e->config.log(e->config.log_ctx, level, clean);
}
