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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)

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

static void file_made(struct ctl_journal *j, char const *path)
{
	(void)entry_add(j, CTL_UNDO_UNLINK, path, NULL);
}

void ctl_step_undo_by(struct ctl_journal *j, char const *user, char const *const *command)
{
	struct ctl_entry *e = entry_add(j, CTL_UNDO_RUN, user, NULL);

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
		done = ctl_run(e->path, NULL, output, (char const *const *)e->command);
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
		free(j->entry[i].text);
		for (size_t k = 0; k < CTL_LENGTH(j->entry[i].command); k++)
			free(j->entry[i].command[k]);
	}
	j->len = 0;
}

void ctl_journal_undo(struct ctl_journal *j)
{
	for (size_t i = j->len; i > 0; i--)
		entry_undo(&j->entry[i - 1]);
	ctl_journal_free(j);
}

bool ctl_step_create(struct ctl_journal *j, char const *path, char const *text, char const *owner)
{
	struct passwd const *user = owner ? getpwnam(owner) : NULL;
	int fd;
	bool done;

	if (owner && !user)
		return ctl_step_failed(j, "there is no user %s on this machine", owner);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ctl_step_failed(j, "%s can't be made: %s", path, strerror(errno));
	file_made(j, path);
	done = (!user || fchown(fd, user->pw_uid, user->pw_gid) == 0) && ctl_keyfile_fill(fd, text, strlen(text));
	if (close(fd) != 0)
		done = false;
	return done || ctl_step_failed(j, "%s can't be written: %s", path, strerror(errno));
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
	char *before = ctl_step_read(j, path);

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
	if (symlink(target, path) != 0)
		return ctl_step_failed(j, "%s can't be linked: %s", path, strerror(errno));
	file_made(j, path);
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
	if (unlink(path) != 0)
		return ctl_step_failed(j, "%s can't be taken away: %s", path, strerror(errno));
	e = entry_add(j, CTL_UNDO_SYMLINK, path, target);
	e->uid = st.st_uid;
	e->gid = st.st_gid;
	return true;
}

/* In the child: becomes the user, takes the pipes, becomes the program. */
static void child_become(char const *user, int in, int out, char const *const *command)
{
	struct passwd const *p = user ? getpwnam(user) : NULL;

	if ((user && !p) ||
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
	FILE *in = tmpfile();
	int out[2], status = -1;
	pid_t pid;

	output[0] = '\0';
	/* A file and not a pipe: whoever does not read it all can't make us wait. */
	if (!in || (input && fputs(input, in) < 0) || fflush(in) != 0 || lseek(fileno(in), 0, SEEK_SET) != 0 ||
	    pipe(out) != 0) {
		snprintf(output, CTL_OUTPUT_MAX, "%s", strerror(errno));
		if (in)
			fclose(in);
		return false;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(out[0]);
		child_become(user, fileno(in), out[1], command);
	}
	close(out[1]);
	if (pid > 0) {
		tail_read(out[0], output);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(out[0]);
	fclose(in);
	return status == 0;
}
