/* dlopen without RTLD_DEEPBIND, to be preloaded before AddressSanitizer's run-time, which refuses that flag.
 * It stands apart from the tests since the host opens its modules that way, and has no setting against it. */
#define _GNU_SOURCE
#include <dlfcn.h>

void *dlopen(char const *name, int flags)
{
	static void *(*next)(char const *, int);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	return next(name, flags & ~RTLD_DEEPBIND);
}
