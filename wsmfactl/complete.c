/* Completion for bash, made from the table of commands: it can't grow stale.
 * Apart from main.c, which needs none of it to run a command. */
#include "complete.h"
#include "ctl.h"
#include "wsmfactl/completion.h"

#include <stdio.h>
#include <string.h>

void ctl_complete_script(void)
{
	for (char const *const *line = ctl_completion; *line; line++)
		fputs(*line, stdout);
}

static void choices_print(char const *choices)
{
	for (char const *p = choices; strchr(choices, '|') && *p; p += *p == '|') {
		size_t len = strcspn(p, "|");

		printf("%.*s\n", (int)len, p);
		p += len;
	}
}

/* First words; the second words of a family, when the first stands. */
static void names_print(char const *family)
{
	char const *last = "";
	size_t last_len = 0;

	for (struct ctl_command const *p = ctl_commands; p->name; p++) {
		size_t len = strcspn(p->name, " ");

		if (family) {
			if (strncmp(p->name, family, len) == 0 && !family[len] && p->name[len])
				puts(p->name + len + 1);
		} else if (len != last_len || memcmp(p->name, last, len) != 0) {
			printf("%.*s\n", (int)len, p->name);
			last = p->name;
			last_len = len;
		}
	}
}

static void arguments_print(char const *usage, char const *before)
{
	struct ctl_token token;
	char const *p = usage;

	while (ctl_usage_next(&p, &token)) {
		if (token.option && token.value[0] && strcmp(token.name, before) == 0) {
			choices_print(token.value);
			return;
		}
	}
	for (p = usage; ctl_usage_next(&p, &token);) {
		if (token.option)
			puts(token.name);
		else
			choices_print(token.name);
	}
	fputs("--json\n--key-file\n--help\n", stdout);
}

/* Options that stand before the command, passed over. false when it is the key file's name that is being typed. */
static bool globals_skip(int *argc, char *const **argv)
{
	while (*argc > 1 && (*argv)[0][0] == '-') {
		/* bash takes --key-file=FILE apart at the sign. */
		int words = strcmp((*argv)[0], "--key-file") != 0 ? 1 : strcmp((*argv)[1], "=") == 0 ? 3 : 2;

		if (*argc <= words)
			return false;
		*argc -= words;
		*argv += words;
	}
	return true;
}

void ctl_complete(int argc, char *const *argv)
{
	if (!globals_skip(&argc, &argv))
		return;
	if (argc <= 1) {
		names_print(NULL);
		fputs("--json\n--key-file\n--help\n--version\n", stdout);
		return;
	}
	for (struct ctl_command const *p = ctl_commands; p->name; p++) {
		size_t len = strcspn(p->name, " ");

		if (strncmp(p->name, argv[0], len) != 0 || argv[0][len])
			continue;
		if (p->name[len] ? argc > 2 && strcmp(p->name + len + 1, argv[1]) == 0 : true) {
			arguments_print(p->usage, argv[argc - 2]);
			return;
		}
	}
	if (argc == 2)
		names_print(argv[0]);
}
