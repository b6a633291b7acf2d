/* How far a long work is, on stderr where that is a terminal.
 * Apart from out.h, which is stdout's. */
#ifndef WSMFACTL_PROGRESS_H
#define WSMFACTL_PROGRESS_H

#include <stddef.h>

/** Begins a work, in a word or two that stay valid until its end. */
void ctl_progress_begin(char const *what);
/** Draws the bar anew, at most ten times a second. */
void ctl_progress(size_t done, size_t total);
/** Takes the bar away. */
void ctl_progress_end(void);

#endif
