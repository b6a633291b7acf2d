/* The scripted HTTP provider of tests/fake as a child process, and what a test says to it.
 * Apart from the tests, because several of them talk to it. */
#ifndef WSMFA_TESTS_FAKE_PROVIDER_H
#define WSMFA_TESTS_FAKE_PROVIDER_H

#include <jansson.h>
#include <sys/types.h>

struct fake_provider {
	pid_t pid;
	int in;
	char url[128];
	char ca[256]; //!< "" without TLS
};

/** Starts it with these arguments (NULL-terminated list). Fails the test when it can't. */
void fake_provider_start(struct fake_provider *, char const *const *args);
void fake_provider_stop(struct fake_provider *);
/** Forgets all requests and scripts. */
void fake_provider_reset(struct fake_provider *);
/** The next request to a path with `path` in it does this. */
void fake_provider_script(struct fake_provider *, char const *path, char const *action);
/** How people answer: a JSON object, see provider.py. */
void fake_provider_default(struct fake_provider *, char const *json);
/** What came, to be released. */
json_t *fake_provider_requests(struct fake_provider *);
/** How many requests came to paths with `path` in it. */
size_t fake_provider_count(struct fake_provider *, char const *path);

#endif
