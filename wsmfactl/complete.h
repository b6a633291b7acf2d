/* What may come next on a command line, for the shell.
 * Apart from main.c, whose table it reads. */
#ifndef WSMFACTL_COMPLETE_H
#define WSMFACTL_COMPLETE_H

/** Prints the function for bash that asks `wsmfactl --complete WORD...`. */
void ctl_complete_script(void);
/** Prints the words that may follow these (the last one may be unfinished; the shell narrows), one a line. */
void ctl_complete(int argc, char *const *argv);

#endif
