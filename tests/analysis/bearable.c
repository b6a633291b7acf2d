/* What a sanitizer's run-time can't bear of the host and its libraries, to be preloaded before it: dlopen without RTLD_DEEPBIND,
 * which AddressSanitizer refuses, and no translations, since under ThreadSanitizer libc's lock of them is never free again.
 * It stands apart from the tests since the host has no setting against either. */
#define _GNU_SOURCE
#include <dlfcn.h>

void *dlopen(char const *name, int flags)
{
	static void *(*next)(char const *, int);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	return next(name, flags & ~RTLD_DEEPBIND);
}

char *bindtextdomain(char const *domain, char const *folder);
char *dgettext(char const *domain, char const *text);
char *dngettext(char const *domain, char const *one, char const *many, unsigned long n);

char *bindtextdomain(char const *domain, char const *folder)
{
	(void)domain;
	return (char *)folder;
}

char *dgettext(char const *domain, char const *text)
{
	(void)domain;
	return (char *)text;
}

char *dngettext(char const *domain, char const *one, char const *many, unsigned long n)
{
	(void)domain;
	return (char *)(n == 1 ? one : many);
}
