/* Steps that can be undone, and programs run as another user.
 * Apart from setup.c, which says what is to be done. */
#include "journal.h"
#include "ctl.h"
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/crypto.h>

#define FILE_MAX ((size_t)1 << 20)

static int const ending[] = { SIGINT, SIGTERM, SIGHUP };
static sig_atomic_t volatile stopped; //!< the signal that came
static pid_t volatile running;        //!< the program that is waited for, and its session; or 0

static void stop(int number)
{
	stopped = number;
	/* Not yet a group: the signal waits until the program may take it. */
	if (running > 0 && kill(-running, SIGTERM) != 0)
		(void)kill(running, SIGTERM);
}

static void signals_set(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < CTL_LENGTH(ending); i++)
		(void)sigaction(ending[i], &action, NULL);
}

/* Lets none of them come; what was blocked before is in *before. */
static void signals_block(sigset_t *before)
{
	sigset_t all;

	sigemptyset(&all);
	for (size_t i = 0; i < CTL_LENGTH(ending); i++)
		sigaddset(&all, ending[i]);
	(void)sigprocmask(SIG_BLOCK, &all, before);
}

/* In a program: what this one catches ends it. */
static void signals_default(sigset_t const *before)
{
	for (size_t i = 0; i < CTL_LENGTH(ending); i++) {
		struct sigaction action;

		if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler == stop)
			(void)signal(ending[i], SIG_DFL);
	}
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

void ctl_journal_signals(void)
{
	signals_set(stop);
}

bool ctl_journal_stopped(void)
{
	return stopped != 0;
}

bool ctl_journal_alone(struct ctl_journal *j, char const *folder)
{
	/* Never closed, and not on exec either: the programs that are run hold it as long as they live. */
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return ctl_step_failed(j, "%s can't be read: %s", folder, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		ctl_note("note: another setup of %s is still running; waiting for its end", folder);
	while (flock(fd, LOCK_EX) != 0) {
		if (errno != EINTR || stopped)
			return ctl_step_failed(j, "%s can't be held: %s", folder, strerror(errno));
	}
	return true;
}

/* A step is not begun after a signal. */
static bool step_begins(struct ctl_journal *j)
{
	return !stopped || ctl_step_failed(j, "it was stopped by signal %d", (int)stopped);
}

bool ctl_step_failed(struct ctl_journal *j, char const *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(j->why, sizeof(j->why), format, list);
	va_end(list);
	return false;
}

static struct ctl_entry *entry_add(struct ctl_journal *j, int kind, char const *path, char const *text)
{
	struct ctl_entry *e;

	if (j->len == CTL_JOURNAL_MAX)
		abort();
	e = &j->entry[j->len++];
	memset(e, 0, sizeof(*e));
	e->kind = (unsigned)kind;
	e->path = path ? strdup(path) : NULL;
	e->text = text ? strdup(text) : NULL;
	return e;
}

void ctl_step_undo_by(struct ctl_journal *j, char const *user, char const *input, char const *const *command)
{
	struct ctl_entry *e = entry_add(j, CTL_UNDO_RUN, user, input);

	for (size_t i = 0; command[i] && i + 1 < CTL_LENGTH(e->command); i++)
		e->command[i] = strdup(command[i]);
}

static void entry_undo(struct ctl_entry const *e)
{
	char output[CTL_OUTPUT_MAX];
	bool done = false;

	switch (e->kind) {
	case CTL_UNDO_UNLINK: done = unlink(e->path) == 0 || errno == ENOENT; break;
	case CTL_UNDO_RESTORE: done = ctl_keyfile_replace(e->path, e->text); break;
	case CTL_UNDO_SYMLINK: done = symlink(e->text, e->path) == 0 && lchown(e->path, e->uid, e->gid) == 0; break;
	case CTL_UNDO_RUN:
		done = ctl_run(e->path, e->text, output, (char const *const *)e->command);
		if (!done)
			ctl_note("note: this was not undone: %s: %.300s", e->command[0], output);
		return;
	}
	if (!done)
		ctl_note("note: %s was not put back: %s", e->path, strerror(errno));
}

void ctl_journal_free(struct ctl_journal *j)
{
	for (size_t i = 0; i < j->len; i++) {
		free(j->entry[i].path);
		if (j->entry[i].text)
			OPENSSL_cleanse(j->entry[i].text, strlen(j->entry[i].text));
		free(j->entry[i].text);
		for (size_t k = 0; k < CTL_LENGTH(j->entry[i].command); k++)
			free(j->entry[i].command[k]);
	}
	j->len = 0;
}

void ctl_journal_undo(struct ctl_journal *j)
{
	signals_set(SIG_IGN);
	stopped = 0;
	for (size_t i = j->len; i > 0; i--)
		entry_undo(&j->entry[i - 1]);
	ctl_journal_free(j);
}

/* What is written before it gets its name. */
static bool fresh_name(char *out, char const *path)
{
	return (size_t)snprintf(out, PATH_MAX, "%s.new", path) < PATH_MAX;
}

bool ctl_step_made(char const *path)
{
	char fresh[PATH_MAX];
	struct stat st;

	if (fresh_name(fresh, path))
		(void)unlink(fresh);
	return stat(path, &st) == 0;
}

bool ctl_step_create(struct ctl_journal *j, char const *path, char const *text, char const *owner)
{
	struct passwd const *user = owner ? getpwnam(owner) : NULL;
	char fresh[PATH_MAX];
	int fd;
	bool done;

	if (!step_begins(j))
		return false;
	if (owner && !user)
		return ctl_step_failed(j, "there is no user %s on this machine", owner);
	fd = fresh_name(fresh, path) ? open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return ctl_step_failed(j, "%s can't be made: %s", path, strerror(errno));
	done = (!user || fchown(fd, user->pw_uid, user->pw_gid) == 0) && ctl_keyfile_fill(fd, text, strlen(text));
	if (close(fd) != 0)
		done = false;
	/* A link, since a rename would replace what somebody else has just made. */
	done = done && link(fresh, path) == 0;
	if (done)
		(void)entry_add(j, CTL_UNDO_UNLINK, path, NULL);
	else
		ctl_step_failed(j, "%s can't be made: %s", path, strerror(errno));
	(void)unlink(fresh);
	return done && (ctl_keyfile_settle(path) || ctl_step_failed(j, "%s can't be kept: %s", path, strerror(errno)));
}

char *ctl_step_read(struct ctl_journal *j, char const *path)
{
	FILE *f = fopen(path, "r");
	char *text = f ? calloc(1, FILE_MAX + 1) : NULL;

	if (text && fread(text, 1, FILE_MAX, f) == FILE_MAX)
		errno = EFBIG;
	else if (text && !ferror(f)) {
		fclose(f);
		return text;
	}
	ctl_step_failed(j, "%s can't be read: %s", path, strerror(errno));
	free(text);
	if (f)
		fclose(f);
	return NULL;
}

bool ctl_step_write(struct ctl_journal *j, char const *path, char const *text)
{
	char *before = step_begins(j) ? ctl_step_read(j, path) : NULL;

	if (!before)
		return false;
	if (strcmp(before, text) != 0) {
		if (!ctl_keyfile_replace(path, text)) {
			free(before);
			return ctl_step_failed(j, "%s can't be written: %s", path, strerror(errno));
		}
		(void)entry_add(j, CTL_UNDO_RESTORE, path, before);
	}
	free(before);
	return true;
}

bool ctl_step_link(struct ctl_journal *j, char const *path, char const *target)
{
	char now[PATH_MAX];
	ssize_t len = readlink(path, now, sizeof(now));

	if (len == (ssize_t)strlen(target) && memcmp(now, target, (size_t)len) == 0)
		return true;
	if (!step_begins(j))
		return false;
	if (symlink(target, path) != 0)
		return ctl_step_failed(j, "%s can't be linked: %s", path, strerror(errno));
	(void)entry_add(j, CTL_UNDO_UNLINK, path, NULL);
	return true;
}

bool ctl_step_unlink(struct ctl_journal *j, char const *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	struct ctl_entry *e;
	struct stat st;

	if (len < 0 || lstat(path, &st) != 0)
		return errno == ENOENT ||
		       ctl_step_failed(j, "%s is no link, so it is not taken away: %s", path, strerror(errno));
	target[len] = '\0';
	if (!step_begins(j))
		return false;
	if (unlink(path) != 0)
		return ctl_step_failed(j, "%s can't be taken away: %s", path, strerror(errno));
	e = entry_add(j, CTL_UNDO_SYMLINK, path, target);
	e->uid = st.st_uid;
	e->gid = st.st_gid;
	return true;
}

/*
 * In the child: becomes the user, takes the pipes, becomes the program. In a session of its own: a signal to it ends what it has
 * started too, and it finds no terminal to ask for a password, where nobody would see it.
 */
static void child_become(char const *user, int in, int out, char const *const *command)
{
	struct passwd const *p = user ? getpwnam(user) : NULL;

	if (setsid() < 0 || (user && !p) ||
	    (p && (initgroups(user, p->pw_gid) != 0 || setgid(p->pw_gid) != 0 || setuid(p->pw_uid) != 0)) ||
	    chdir("/") != 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	if (p)
		setenv("HOME", p->pw_dir, 1);
	execvp(command[0], (char *const *)(uintptr_t)command);
	dprintf(STDERR_FILENO, "%s can't be run: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* Reads to the end of a stream and keeps the end of it. */
static void tail_read(int fd, char *output)
{
	char piece[1024];
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0 || (got < 0 && errno == EINTR)) {
		size_t n = got > 0 ? (size_t)got : 0;

		if (len + n >= CTL_OUTPUT_MAX) {
			size_t drop = len + n - CTL_OUTPUT_MAX + 1;

			memmove(output, output + drop, len - drop);
			len -= drop;
		}
		memcpy(output + len, piece, n);
		len += n;
	}
	while (len && (output[len - 1] == '\n' || output[len - 1] == ' '))
		len--;
	output[len] = '\0';
}

bool ctl_run(char const *user, char const *input, char *output, char const *const *command)
{
	FILE *in;
	int out[2], status = -1;
	sigset_t before;
	pid_t pid;

	output[0] = '\0';
	if (stopped) {
		snprintf(output, CTL_OUTPUT_MAX, "it was stopped by signal %d", (int)stopped);
		return false;
	}
	in = tmpfile();
	/* A file and not a pipe: whoever does not read it all can't make us wait. */
	if (!in || (input && fputs(input, in) < 0) || fflush(in) != 0 || lseek(fileno(in), 0, SEEK_SET) != 0 ||
	    pipe(out) != 0) {
		snprintf(output, CTL_OUTPUT_MAX, "%s", strerror(errno));
		if (in)
			fclose(in);
		return false;
	}
	fflush(stdout);
	signals_block(&before);
	pid = stopped ? -1 : fork();
	if (pid == 0) {
		signals_default(&before);
		close(out[0]);
		child_become(user, fileno(in), out[1], command);
	}
	running = pid;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	close(out[1]);
	if (pid > 0) {
		tail_read(out[0], output);
		running = 0;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(out[0]);
	fclose(in);
	return status == 0;
}
