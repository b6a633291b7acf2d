/* A reader of FreeRADIUS's configuration files: sections, items and includes, as far as doctor must see them.
 * Apart from doctor_raddb.c, because it judges nothing. It does not expand %{...}, and knows unlang only as nested sections. */
#ifndef WSMFACTL_RADDB_H
#define WSMFACTL_RADDB_H

#include <stdbool.h>
#include <stddef.h>

/** What separates the parts of a path: nothing that a header may hold, as a blank or a slash. */
#define CTL_RADDB_WITHIN "\n"

enum ctl_raddb_kind {
	CTL_RADDB_BEGIN, //!< a section opens; path is already its own
	CTL_RADDB_END,   //!< it closes; path is still its own
	CTL_RADDB_PAIR,  //!< name = value
	CTL_RADDB_WORD,  //!< a bare word: a module is called
};

struct ctl_raddb_item {
	enum ctl_raddb_kind kind;
	char const *path;  //!< headers of the sections around, CTL_RADDB_WITHIN between them; "" at the top
	char const *name;  //!< of a section: the last part of path
	char const *value; //!< of a pair, without quotes, ${...} expanded; else ""
	char const *file;
	int line;
};

typedef void ctl_raddb_seen(void *ctx, struct ctl_raddb_item const *item);

/**
 * Reads radiusd.conf of a folder and all that it includes, in the server's order.
 *
 * @param why on failure, what is wrong and in which file and line.
 */
bool ctl_raddb_read(char const *folder, ctl_raddb_seen *seen, void *ctx, char *why, size_t why_size);

#endif
