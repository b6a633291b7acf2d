/* The start of wsmfactl: the one table of commands, and what is made from it: dispatch, help, usage errors, completion.
 * Apart from the subcommands, which know nothing of each other. */
#include "ctl.h"
#include "command.h"
#include "complete.h"
#include "db.h"
#include "out.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GLOBAL_OPTIONS " [--json] [--key-file FILE] [--help]"

static enum ctl_exit completion_run(struct ctl *c, struct ctl_args const *a)
{
	(void)c;
	(void)a;
	ctl_complete_script();
	return CTL_OK;
}

struct ctl_command const ctl_commands[] = {
	{ "account add",
	  "NAME --org ORG --region CODE --service S[,S] [--phone +N] [--password-stdin] [--iterations N] [--language CODE]",
	  "adds an account; ORG is made if new", ctl_account_add },
	{ "account import", "FILE.csv [--update] [--iterations N]",
	  "adds the people of a CSV file, all or none; --update changes those there are", ctl_account_import },
	{ "account show", "NAME", "shows an account, its stage and what its next login would be", ctl_account_show },
	{ "account list",
	  "[--org ORG] [--region CODE] [--service S] [--stage observe|announce|enforce] "
	  "[--next-login accept|accept_with_banner|challenge|enroll|deny] [--method fido2|push|totp|sms|recovery] [--not-ready] "
	  "[--disabled] [--locked] [--at TIME]",
	  "lists accounts", ctl_account_list },
	{ "account set",
	  "NAME [--org ORG] [--region CODE] [--service S[,S]] [--phone +N] [--language CODE] [--prefer fido2|push|totp|none] "
	  "[--password-stdin] [--iterations N]",
	  "changes an account; --phone may be none", ctl_account_set },
	{ "account erase", "NAME [--yes]", "removes a person and keeps the counts of logins", ctl_account_erase },
	{ "account disable", "NAME", "refuses every login of an account", ctl_account_disable },
	{ "account enable", "NAME", "takes back a disable", ctl_account_enable },
	{ "account unlock", "NAME", "ends the waits of an account and empties its count of failures",
	  ctl_account_unlock },
	{ "account exempt", "NAME [--until TIME] [--reason TEXT] [--revoke]",
	  "lets an account in without MFA until a time, or no longer", ctl_account_exempt },
	{ "account ticket", "NAME [--hours N]",
	  "makes a one-time ticket for enrolling at the prompt, good for 24 hours", ctl_account_ticket },
	{ "totp add",
	  "NAME [--secret BASE32] [--algorithm sha1|sha256|sha512] [--digits 6|8] [--period N] [--format qr|uri|json] "
	  "[--unconfirmed] [--label TEXT] [--issuer TEXT]",
	  "adds a TOTP authenticator and shows its key, this once", ctl_totp_add },
	{ "sms add", "NAME +NUMBER [--label TEXT]", "adds a phone number that codes are sent to", ctl_sms_add },
	{ "push add", "NAME --provider P --device ID [--label TEXT]", "adds a device that is asked", ctl_push_add },
	{ "push pending", "", "lists the questions that wait for a device", ctl_push_pending },
	{ "push answer", "ID approve|deny [--number N]", "answers one of them, as the device would", ctl_push_answer },
	{ "recovery new", "NAME", "makes ten recovery codes and shows them, this once", ctl_recovery_new },
	{ "method disable", "NAME ID", "stops an authenticator from being usable; it is still an enrolment",
	  ctl_method_disable },
	{ "method enable", "NAME ID", "takes back a disable, also one after too many failures", ctl_method_enable },
	{ "method list", "NAME", "lists an account's authenticators", ctl_method_list },
	{ "method remove", "NAME ID", "removes an authenticator", ctl_method_remove },
	{ "status", "[--org ORG] [--region CODE] [--at TIME]", "shows how ready regions and organizations are",
	  ctl_status },
	{ "report", "--html FILE [--org ORG] [--region CODE] [--at TIME]",
	  "writes the same and more as a page, with who is not ready by name", ctl_report },
	{ "events",
	  "[-f] [--account NAME] [--org ORG] [--region CODE] [--outcome WORD] [--reason WORD] [--method WORD] [--since TIME] "
	  "[--limit N]",
	  "shows the last logins; with -f also those to come, with --json then an object a line", ctl_events },
	{ "metrics", "[--no-accounts]", "prints figures in the Prometheus text form", ctl_metrics },
	{ "sweep", "[--months N]", "prunes what no rule looks at, and events older than 13 months", ctl_sweep },
	{ "org list", "", "lists organizations", ctl_org_list },
	{ "org add", "NAME [--methods M[,M]]", "adds an organization; methods are all, none or a list", ctl_org_add },
	{ "org set",
	  "NAME [--name NAME] [--methods M[,M]] [--announce-from TIME] [--enforce-from TIME] [--no-schedule]",
	  "changes an organization, or gives it a schedule of its own", ctl_org_set },
	{ "region list", "", "lists regions with their schedules", ctl_region_list },
	{ "region add", "CODE --time-zone ZONE --announce-from TIME --enforce-from TIME [--name NAME] [--local]",
	  "adds a region; times may be never; with --local they are dates in the region's zone", ctl_region_add },
	{ "region set", "CODE [--name NAME] [--time-zone ZONE] [--announce-from TIME] [--enforce-from TIME] [--local]",
	  "changes a region or its schedule", ctl_region_set },
	{ "region what-if", "CODE --enforce-from TIME [--announce-from TIME] [--at TIME] [--local]",
	  "lists the accounts whose next login a schedule would change, and changes nothing", ctl_region_what_if },
	{ "service list", "", "lists services", ctl_service_list },
	{ "service add", "CODE [--name NAME] [--requires-mfa-from TIME]",
	  "adds a service; without a time it does not require MFA", ctl_service_add },
	{ "service set", "CODE [--name NAME] [--requires-mfa-from TIME]", "changes a service; TIME may be never",
	  ctl_service_set },
	{ "key init", "[--owner USER]", "makes the key file", ctl_key_init },
	{ "key list", "", "lists the keys of the file and how many rows each has sealed", ctl_key_list },
	{ "key rotate", "[--force]", "makes a new key, and seals everything with it once all servers have it",
	  ctl_key_rotate },
	{ "setup",
	  "[--raddb DIR] [--database NAME] [--connection STRING] [--default-service CODE] [--enroll-url URL] [--sql DIR]",
	  "makes database, key file and site of a fresh installation, or nothing", ctl_setup },
	{ "doctor", "[--raddb DIR]", "tells whether everything is there that a login needs", ctl_doctor },
	{ "completion", "", "prints the completion for bash: source <(wsmfactl completion)", completion_run },
	{ NULL, NULL, NULL, NULL },
};

static void complain(char const *format, va_list list) CTL_PRINTF(1, 0);
static void complain(char const *format, va_list list)
{
	fputs("wsmfactl: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
}

enum ctl_exit ctl_fail(char const *format, ...)
{
	va_list list;

	va_start(list, format);
	complain(format, list);
	va_end(list);
	return CTL_FAILED;
}

enum ctl_exit ctl_misuse(char const *format, ...)
{
	va_list list;

	va_start(list, format);
	complain(format, list);
	va_end(list);
	return CTL_USAGE;
}

void ctl_note(char const *format, ...)
{
	va_list list;

	va_start(list, format);
	complain(format, list);
	va_end(list);
}

static void usage_print(struct ctl_command const *command)
{
	printf("usage: wsmfactl %s%s%s\n\n%c%s.\n", command->name, command->usage[0] ? " " : "", command->usage,
	       command->help[0] - 'a' + 'A', command->help + 1);
}

/* The commands whose name begins with a family's word; "" for all. */
static size_t help_print(char const *family)
{
	size_t len = strlen(family), found = 0;

	for (struct ctl_command const *p = ctl_commands; p->name; p++) {
		if (len && (strncmp(p->name, family, len) != 0 || (p->name[len] && p->name[len] != ' ')))
			continue;
		if (!found++)
			fputs("usage: wsmfactl [--json] [--key-file FILE] COMMAND ...\n\n", stdout);
		printf("  %-20s %s\n", p->name, p->help);
	}
	if (found)
		fputs("\nwsmfactl COMMAND --help tells a command's arguments. The database is where libpq's environment says (PGHOST,\n"
		      "PGPORT, PGDATABASE, PGUSER); the key file is --key-file or WSMFA_KEY_FILE. --json prints for programs.\n"
		      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
		      stdout);
	return found;
}

/* Finds the command that the words name; *used tells how many of them belong to its name. */
static struct ctl_command const *command_find(int argc, char *const *argv, int *used)
{
	char two[80];

	if (argc > 1) {
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		for (struct ctl_command const *p = ctl_commands; p->name; p++) {
			if (strcmp(p->name, two) == 0) {
				*used = 2;
				return p;
			}
		}
	}
	for (struct ctl_command const *p = ctl_commands; argc > 0 && p->name; p++) {
		if (strcmp(p->name, argv[0]) == 0) {
			*used = 1;
			return p;
		}
	}
	return NULL;
}

static bool family_exists(char const *word)
{
	size_t len = strlen(word);

	for (struct ctl_command const *p = ctl_commands; p->name; p++) {
		if (strncmp(p->name, word, len) == 0 && p->name[len] == ' ')
			return true;
	}
	return false;
}

static enum ctl_exit command_unknown(int argc, char *const *argv)
{
	if (argc == 0)
		return ctl_misuse("a command is missing; wsmfactl --help lists them");
	if (!family_exists(argv[0]))
		return ctl_misuse("there is no command %.40s; wsmfactl --help lists them", argv[0]);
	if (argc == 1)
		return ctl_misuse("%s what? wsmfactl %s --help lists the ways", argv[0], argv[0]);
	return ctl_misuse("there is no command %s %.40s; wsmfactl %s --help lists the ways", argv[0], argv[1], argv[0]);
}

/* Options of all commands that stand before the command. Moves *i to the command. */
static bool globals_take(struct ctl *c, int argc, char *const *argv, int *i, bool *help)
{
	for (; *i < argc && argv[*i][0] == '-'; (*i)++) {
		if (strcmp(argv[*i], "--json") == 0) {
			c->json = true;
		} else if (strcmp(argv[*i], "--help") == 0 || strcmp(argv[*i], "-h") == 0) {
			*help = true;
		} else if (strncmp(argv[*i], "--key-file=", 11) == 0) {
			c->key_file = argv[*i] + 11;
		} else if (strcmp(argv[*i], "--key-file") == 0 && *i + 1 < argc) {
			c->key_file = argv[++*i];
		} else {
			return false;
		}
	}
	return true;
}

static enum ctl_exit command_run(struct ctl *c, struct ctl_command const *command, int argc, char *const *argv)
{
	char usage[640], why[256];
	struct ctl_args args;

	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			usage_print(command);
			return CTL_OK;
		}
	}
	snprintf(usage, sizeof(usage), "%s" GLOBAL_OPTIONS, command->usage);
	if (!ctl_args_parse(usage, argc, argv, &args, why, sizeof(why)))
		return ctl_misuse("%s: %s\nusage: wsmfactl %s %s", command->name, why, command->name, command->usage);
	if (ctl_option(&args, "--json"))
		c->json = true;
	if (ctl_option(&args, "--key-file"))
		c->key_file = ctl_option(&args, "--key-file");
	return command->run(c, &args);
}

int main(int argc, char **argv)
{
	struct ctl c = { .key_file = getenv("WSMFA_KEY_FILE") };
	char const *no_color = getenv("NO_COLOR");
	char const *term = getenv("TERM");
	struct ctl_command const *command;
	enum ctl_exit code;
	int i = 1, used = 0;
	bool help = false;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	/* no-color.org: only one that is not empty counts. */
	c.color = isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("wsmfactl " WSMFA_VERSION);
		return (int)ctl_flush(CTL_OK);
	}
	if (argc >= 2 && strcmp(argv[1], "--complete") == 0) {
		ctl_complete(argc - 2, argv + 2);
		return (int)ctl_flush(CTL_OK);
	}
	if (!globals_take(&c, argc, argv, &i, &help))
		return (int)ctl_misuse("there is no option %.40s; wsmfactl --help tells what there is", argv[i]);
	command = command_find(argc - i, argv + i, &used);
	if (command && help) {
		usage_print(command);
		code = CTL_OK;
	} else if (command) {
		code = command_run(&c, command, argc - i - used, argv + i + used);
	} else if ((help || (i + 1 < argc && strcmp(argv[i + 1], "--help") == 0)) &&
		   help_print(i < argc ? argv[i] : "")) {
		code = CTL_OK;
	} else {
		code = command_unknown(argc - i, argv + i);
	}
	ctl_db_close(&c);
	return (int)ctl_flush(code);
}
