/* Arguments of a subcommand, parsed by the usage line that --help prints.
 * Apart from main.c because it is pure: what the help says and what is accepted can't differ. */
#ifndef WSMFACTL_ARGS_H
#define WSMFACTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#define CTL_OPERANDS_MAX 4
#define CTL_OPTIONS_MAX  20
#define CTL_TOKEN_MAX    48

/** One word of a usage line: an operand (NAME, approve|deny) or an option with or without a value (--org ORG). */
struct ctl_token {
	char name[CTL_TOKEN_MAX];  //!< "--org", or the operand's word
	char value[CTL_TOKEN_MAX]; //!< of an option: its value's word, "" for a flag
	bool option;
	bool required;
};

/** What was given. Strings are those of argv. */
struct ctl_args {
	char const *operand[CTL_OPERANDS_MAX];
	size_t operands;
	struct {
		char name[CTL_TOKEN_MAX];
		char const *value; //!< "" for a flag
	} option[CTL_OPTIONS_MAX];
	size_t options;
};

/**
 * Reads the next word of a usage line: NAME, [NAME], --flag, [--option VALUE], one|two.
 *
 * @param usage in and out: where to read, and where to go on.
 * @return false at the end of the line.
 */
bool ctl_usage_next(char const **usage, struct ctl_token *out);

/**
 * Parses arguments by a usage line. Values of the form one|two must be one of these; operands and options without brackets
 * must be there; --option VALUE and --option=VALUE are the same; -- ends the options.
 *
 * @param why at least 256 octets: on failure, a sentence.
 */
bool ctl_args_parse(char const *usage, int argc, char *const *argv, struct ctl_args *out, char *why, size_t why_size);

/** An option's value, "" for a flag that was given, NULL when it was not given. */
char const *ctl_option(struct ctl_args const *a, char const *name);
/** An operand, NULL when it was not given. */
char const *ctl_operand(struct ctl_args const *a, size_t i);

#endif
