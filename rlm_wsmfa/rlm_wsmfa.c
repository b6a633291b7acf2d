/* The module's entry points, as FreeRADIUS calls them.
 * Apart from the rest of the glue, because it holds the one exported symbol. */
#include <freeradius/radiusd.h>
#include <freeradius/modules.h>

extern module_t rlm_wsmfa;

/* Not HUP safe: a reload must not start a second engine. */
module_t rlm_wsmfa = {
	.magic = RLM_MODULE_INIT,
	.name = "wsmfa",
	.type = RLM_TYPE_THREAD_SAFE,
};
