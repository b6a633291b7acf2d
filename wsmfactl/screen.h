/* Text on a terminal.
 * Apart from out.h, because it knows nothing of PostgreSQL or JSON. */
#ifndef WSMFACTL_SCREEN_H
#define WSMFACTL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "ctl.h"

enum ctl_style { CTL_PLAIN, CTL_BOLD, CTL_DIM, CTL_RED, CTL_YELLOW, CTL_GREEN, CTL_CYAN };
/** What switches the terminal to a style; "" where stdout is not a terminal that may be coloured. */
char const *ctl_style(struct ctl const *c, enum ctl_style style);
/** Whether stdout shows UTF-8. */
bool ctl_utf8(void);
/** Columns of the terminal, 80 without one. */
int ctl_columns(void);
/** Writes a text as it is safe on a terminal: control characters become "?". */
void ctl_put_clean(FILE *f, char const *text);
/** The same in lines of so many columns, each after an indent, broken at blanks; a word longer than a line where the line ends. */
void ctl_put_wrapped(char const *text, int indent, int columns);
/** Columns that a text takes on a terminal. */
int ctl_text_width(char const *text);

#endif
