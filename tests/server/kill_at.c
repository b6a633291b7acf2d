/* Ends a program after its Nth step that changes something outside it: WSMFA_KILL_AT=N, with the signal WSMFA_KILL_BY. To be preloaded.
 * Apart from test_setup_killed.py, which says which program and what must hold afterwards. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

extern char *program_invocation_short_name;

static pid_t mine; /* the program itself, not what it starts: that inherits this library */
static long left;
static int number;

__attribute__((constructor)) static void begin(void)
{
	char const *at = getenv("WSMFA_KILL_AT"), *by = getenv("WSMFA_KILL_BY");

	if (!at || !by || strcmp(program_invocation_short_name, "wsmfactl") != 0)
		return;
	mine = getpid();
	left = atol(at);
	number = atoi(by);
}

static void stepped(void)
{
	int saved = errno;

	if (mine && getpid() == mine && --left == 0)
		(void)kill(mine, number);
	errno = saved;
}

#define STEP(_type, _name, _parameters, _arguments)                           \
	_type _name _parameters                                               \
	{                                                                     \
		_type(*real) _parameters = (_type(*) _parameters)dlsym(RTLD_NEXT, #_name); \
		_type result = real _arguments;                               \
                                                                              \
		stepped();                                                    \
		return result;                                                \
	}

STEP(int, rename, (char const *from, char const *to), (from, to))
STEP(int, link, (char const *from, char const *to), (from, to))
STEP(int, symlink, (char const *from, char const *to), (from, to))
STEP(int, unlink, (char const *path), (path))
STEP(pid_t, fork, (void), ())
STEP(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
