/* What setup did, so that it can be undone; and the programs it runs.
 * Apart from setup.c, which says what is to be done. */
#ifndef WSMFACTL_JOURNAL_H
#define WSMFACTL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl.h"

#define CTL_JOURNAL_MAX 32
#define CTL_OUTPUT_MAX  4096

/** One thing that can be undone. */
struct ctl_entry {
	enum { CTL_UNDO_UNLINK, CTL_UNDO_RESTORE, CTL_UNDO_SYMLINK, CTL_UNDO_RUN } kind;
	char *path;        //!< of a file or link; of CTL_UNDO_RUN, the user
	unsigned uid, gid; //!< of a link
	char *text;        //!< what was in the file, where the link went; the command's standard input
	char *command[8];  //!< of CTL_UNDO_RUN
};

struct ctl_journal {
	struct ctl_entry entry[CTL_JOURNAL_MAX];
	size_t len;
	char why[512]; //!< of the step that failed
};

/**
 * From now on SIGINT, SIGTERM and SIGHUP end the program that runs, if one does, and make every further step fail, so that all is
 * undone.
 */
void ctl_journal_signals(void);
/** Has one of them come? */
bool ctl_journal_stopped(void);
/**
 * Waits until nobody else changes this folder by setup. Whatever is run from now on holds it too: what a killed setup has left
 * running has ended when this returns. false with j->why.
 */
bool ctl_journal_alone(struct ctl_journal *j, char const *folder);
/** Undoes everything, the newest first, whatever signals come. Says what can't be undone. */
void ctl_journal_undo(struct ctl_journal *j);
/** Forgets everything: it stays. */
void ctl_journal_free(struct ctl_journal *j);

/** Says in j->why what failed. Always false. */
bool ctl_step_failed(struct ctl_journal *j, char const *format, ...) CTL_PRINTF(2, 3);
/** Is there a file? Takes away what a setup that was killed while it made it has left beside it. */
bool ctl_step_made(char const *path);
/** Makes a file with this text, mode 0600, for a user (NULL: oneself); it is there whole or not at all. false with j->why. */
bool ctl_step_create(struct ctl_journal *j, char const *path, char const *text, char const *owner);
/** Replaces a file's text, keeping owner and mode. */
bool ctl_step_write(struct ctl_journal *j, char const *path, char const *text);
/** Links path to target; fine if it does already. */
bool ctl_step_link(struct ctl_journal *j, char const *path, char const *target);
/** Takes a link away; fine if it is not there. */
bool ctl_step_unlink(struct ctl_journal *j, char const *path);
/** A whole file, to be freed; NULL with j->why. */
char *ctl_step_read(struct ctl_journal *j, char const *path);
/** Remembers a command that undoes what was done, up to 7 words; to be run as a user (NULL: oneself), with this input or none. */
void ctl_step_undo_by(struct ctl_journal *j, char const *user, char const *input, char const *const *command);

/**
 * Runs a program and waits.
 *
 * @param user    as whom, NULL: oneself.
 * @param input   its standard input, NULL for none.
 * @param output  CTL_OUTPUT_MAX octets: the end of what it said on both streams.
 * @return true when it ended with 0.
 */
bool ctl_run(char const *user, char const *input, char *output, char const *const *command);

#endif
