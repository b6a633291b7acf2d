/* Pieces of an HTML page: escaped text, and a template whose {{names}} are filled by functions.
 * Apart from report.c because it is pure but for the stream, and knows no figures. */
#ifndef WSMFACTL_PAGE_H
#define WSMFACTL_PAGE_H

#include <stdbool.h>
#include <stdio.h>

/** Fills one {{name}}. false ends the page. */
typedef bool ctl_page_fill(void *ctx, FILE *f, char const *name);

/** Writes text so that it is text in an element and in a quoted attribute. */
void ctl_page_text(FILE *f, char const *text);
/** Writes the lines of a template. false when fill said so or the stream failed. */
bool ctl_page_write(FILE *f, char const *const *lines, ctl_page_fill *fill, void *ctx);

#endif
