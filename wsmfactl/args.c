/* The parser of usage lines and of arguments.
 * Apart from main.c because it is pure: no I/O, no subcommand. */
#include "args.h"

#include <stdio.h>
#include <string.h>

/* Copies the word at *p without the bracket that may close after it; true when one did. */
static bool word_take(char const **p, bool bracket, char *out)
{
	size_t len = strcspn(*p, " ");
	size_t n = len;
	bool closed = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++)
		depth += ((*p)[i] == '[') - ((*p)[i] == ']');
	if (bracket && depth < 0) {
		n--;
		closed = true;
	}
	if (n >= CTL_TOKEN_MAX)
		n = CTL_TOKEN_MAX - 1;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += len;
	while (**p == ' ')
		(*p)++;
	return closed;
}

bool ctl_usage_next(char const **usage, struct ctl_token *out)
{
	char const *p = *usage;
	bool bracket, closed;

	*out = (struct ctl_token) { 0 };
	while (*p == ' ')
		p++;
	if (!*p)
		return false;
	bracket = *p == '[';
	if (bracket)
		p++;
	closed = word_take(&p, bracket, out->name);
	out->option = out->name[0] == '-';
	out->required = !bracket;
	/* Outside brackets an option is never a flag: a flag that must be there would say nothing. */
	if (out->option && (bracket ? !closed : *p != '\0'))
		(void)word_take(&p, bracket, out->value);
	*usage = p;
	return true;
}

/* Whether a value is one of the words of one|two. A word without a bar allows anything. */
static bool choice_allows(char const *choices, char const *value)
{
	size_t len = strlen(value);

	if (!strchr(choices, '|'))
		return true;
	for (char const *p = choices;; p++) {
		size_t n = strcspn(p, "|");

		if (n == len && memcmp(p, value, n) == 0)
			return true;
		p += n;
		if (!*p)
			return false;
	}
}

static bool option_find(char const *usage, char const *arg, size_t len, struct ctl_token *out)
{
	while (ctl_usage_next(&usage, out)) {
		if (out->option && strlen(out->name) == len && memcmp(out->name, arg, len) == 0)
			return true;
	}
	return false;
}

static bool operand_find(char const *usage, size_t index, struct ctl_token *out)
{
	while (ctl_usage_next(&usage, out)) {
		if (!out->option && index-- == 0)
			return true;
	}
	return false;
}

/* One option at argv[*i]; moves *i when its value is the next argument. */
static bool option_parse(char const *usage, int argc, char *const *argv, int *i, struct ctl_args *out, char *why,
			 size_t why_size)
{
	char const *arg = argv[*i];
	size_t len = strcspn(arg, "=");
	char const *value = arg[len] ? arg + len + 1 : NULL;
	struct ctl_token token;

	if (!option_find(usage, arg, len, &token)) {
		snprintf(why, why_size, "there is no option %.*s", (int)(len > 60 ? 60 : len), arg);
		return false;
	}
	if (!token.value[0]) {
		if (value) {
			snprintf(why, why_size, "%s takes no value", token.name);
			return false;
		}
		value = "";
	} else if (!value) {
		if (*i + 1 >= argc) {
			snprintf(why, why_size, "%s needs a value: %s", token.name, token.value);
			return false;
		}
		value = argv[++*i];
	}
	if (token.value[0] && !choice_allows(token.value, value)) {
		snprintf(why, why_size, "%s is one of %s", token.name, token.value);
		return false;
	}
	if (ctl_option(out, token.name) || out->options == CTL_OPTIONS_MAX) {
		snprintf(why, why_size, "%s was given twice", token.name);
		return false;
	}
	memcpy(out->option[out->options].name, token.name, sizeof(token.name));
	out->option[out->options++].value = value;
	return true;
}

static bool operand_parse(char const *usage, char const *arg, struct ctl_args *out, char *why, size_t why_size)
{
	struct ctl_token token;

	if (out->operands == CTL_OPERANDS_MAX || !operand_find(usage, out->operands, &token)) {
		snprintf(why, why_size, "one argument too many: \"%.60s\"", arg);
		return false;
	}
	if (!choice_allows(token.name, arg)) {
		snprintf(why, why_size, "\"%.60s\" is not one of %s", arg, token.name);
		return false;
	}
	out->operand[out->operands++] = arg;
	return true;
}

bool ctl_args_parse(char const *usage, int argc, char *const *argv, struct ctl_args *out, char *why, size_t why_size)
{
	bool options = true;
	struct ctl_token token;
	size_t operands = 0;

	*out = (struct ctl_args) { 0 };
	for (int i = 0; i < argc; i++) {
		char const *arg = argv[i];

		if (options && strcmp(arg, "--") == 0) {
			options = false;
		} else if (options && arg[0] == '-' && arg[1]) {
			if (!option_parse(usage, argc, argv, &i, out, why, why_size))
				return false;
		} else if (!operand_parse(usage, arg, out, why, why_size)) {
			return false;
		}
	}
	while (ctl_usage_next(&usage, &token)) {
		bool missing = token.option ? !ctl_option(out, token.name) : operands++ >= out->operands;

		if (token.required && missing) {
			snprintf(why, why_size, "%s is missing", token.name);
			return false;
		}
	}
	return true;
}

char const *ctl_option(struct ctl_args const *a, char const *name)
{
	for (size_t i = 0; i < a->options; i++) {
		if (strcmp(a->option[i].name, name) == 0)
			return a->option[i].value;
	}
	return NULL;
}

char const *ctl_operand(struct ctl_args const *a, size_t i)
{
	return i < a->operands ? a->operand[i] : NULL;
}
