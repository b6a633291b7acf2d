/* What every subcommand shares: the running command, its exit codes, its complaints. Names of this program begin with ctl_.
 * Apart from args.h, out.h and db.h, which each do one thing and know no subcommand. */
#ifndef WSMFACTL_CTL_H
#define WSMFACTL_CTL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <libpq-fe.h>

#include "args.h"

#ifdef __GNUC__
#define CTL_PRINTF(_format, _first) __attribute__((format(printf, _format, _first)))
#else
#define CTL_PRINTF(_format, _first)
#endif

#define CTL_LENGTH(_array) (sizeof(_array) / sizeof(*(_array)))

/** Exit codes, as INTERFACE.md fixes them. */
enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/** One run of the command. */
struct ctl {
	bool json;            //!< --json
	bool color;           //!< stdout is a terminal that may be coloured
	char const *key_file; //!< --key-file or WSMFA_KEY_FILE; NULL for neither
	PGconn *db;           //!< db.h: open once a subcommand asked for it
};

/** A subcommand: what it is called, what it takes, what it does. The one table of them is in main.c. */
struct ctl_command {
	char const *name;  //!< "account add"
	char const *usage; //!< args.h: the grammar that parses the arguments, and the text of --help
	char const *help;  //!< one line
	enum ctl_exit (*run)(struct ctl *, struct ctl_args const *);
};

extern struct ctl_command const ctl_commands[]; //!< main.c; ends with a NULL name.

/** Says on stderr what was wrong and the way out, in one sentence. @return CTL_FAILED, for `return ctl_fail(...)`. */
enum ctl_exit ctl_fail(char const *format, ...) CTL_PRINTF(1, 2);
/** The same for arguments that make no sense. @return CTL_USAGE. */
enum ctl_exit ctl_misuse(char const *format, ...) CTL_PRINTF(1, 2);
/** A remark on stderr that changes nothing. */
void ctl_note(char const *format, ...) CTL_PRINTF(1, 2);

#endif
