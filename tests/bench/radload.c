/*
 * radload: logs people in at a RADIUS server as fast as it can, or as often as it is told, and says how that went.
 * Here are only its options and its report; the work is in load.c.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load.h"
#include "packet.h"

static char const *const usage_text =
	"usage: radload [OPTION...] HOST:PORT [HOST:PORT...]\n"
	"\n"
	"Logs people in over RADIUS and prints a line for people (standard error) and one of JSON (standard output).\n"
	"Every packet carries User-Name, User-Password, NAS-Identifier, NAS-Port, Calling-Station-Id and\n"
	"Message-Authenticator; a reply is taken only if its Response Authenticator and Message-Authenticator are right.\n"
	"\n"
	"  --mode MODE         pap: the password (for push, with --timeout: wait for the phone)\n"
	"                      append: password,code   challenge: the password, then the code\n"
	"                      push: the password, then an empty answer that waits for the phone\n"
	"  --expect CODE       accept (default), reject or challenge: how a login shall end\n"
	"  --append TEXT       append mode: TEXT instead of the code\n"
	"  --replay            every accepted code is sent once more, as a new packet\n"
	"  --secret TEXT       of the RADIUS client (testing123)\n"
	"  --source ADDRESS    to send from (127.0.0.1)\n"
	"  --sockets N         256 packets each can be on their way (8)\n"
	"  --timeout SECONDS   before a packet is sent again (3)\n"
	"  --tries N           times that a packet is sent (3)\n"
	"  --fail-over         after its tries a packet goes to the next server; without, and at the end, it is lost\n"
	"  --alternate         each packet of a login goes to the next server\n"
	"  --allow-unsigned    take replies whose first attribute is not a Message-Authenticator\n"
	"\n"
	"  --accounts N        accounts user000000 and on, with passwords and keys by a rule (100000)\n"
	"  --file FILE         accounts from lines NAME PASSWORD [BASE32]\n"
	"  --first N           account to begin with (0). Each next login is the next account's; in the modes append and\n"
	"                      challenge none logs in twice within a step of 30 s\n"
	"  --flight N          logins at a time (64)\n"
	"  --rate N            logins a second, at even distances; latencies then count from the intended time. Without:\n"
	"                      as many as --flight allows\n"
	"  --count N           logins, then the end\n"
	"  --warm SECONDS      at first, not measured (0)\n"
	"  --seconds SECONDS   measured (10, or with --count as long as it takes)\n"
	"\n"
	"wrong: logins that ended otherwise than expected. lost: without an answer. Both count the warming-up too.\n";

static bool stopped;

static void on_signal(int number)
{
	(void)number;
	*(bool volatile *)&stopped = true;
}

static double number(char const *option, char const *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end != text && *end == '\0' && value >= least && value <= most)
		return value;
	fprintf(stderr, "radload: --%s: %s is not a number from %g to %g\n", option, text, least, most);
	exit(2);
}

static size_t choice(char const *option, char const *text, char const *const *words, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	fprintf(stderr, "radload: --%s: not %s\n", option, text);
	exit(2);
}

static void server_add(struct load_options *o, char const *text)
{
	char host[256] = "";
	char const *colon = strrchr(text, ':');
	struct addrinfo const hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found = NULL;

	if (colon && (size_t)(colon - text) < sizeof(host))
		memcpy(host, text, (size_t)(colon - text));
	if (o->servers_len == LOAD_SERVERS_MAX || !*host || getaddrinfo(host, colon + 1, &hints, &found) != 0) {
		fprintf(stderr, "radload: %s is not HOST:PORT, or one too many\n", text);
		exit(2);
	}
	memcpy(&o->servers[o->servers_len++], found->ai_addr, sizeof(o->servers[0]));
	freeaddrinfo(found);
}

static char const *const modes[] = {
	[LOAD_PAP] = "pap", [LOAD_APPEND] = "append", [LOAD_CHALLENGE] = "challenge", [LOAD_PUSH] = "push"
};

static struct people *read_options(int argc, char **argv, struct load_options *o)
{
	static char const *const codes[] = { "accept", "reject", "challenge" };
	static uint8_t const code_of[] = { PACKET_ACCEPT, PACKET_REJECT, PACKET_CHALLENGE };
	static struct option const names[] = {
		{ "mode", 1, NULL, 'm' },      { "expect", 1, NULL, 'e' },    { "append", 1, NULL, 'a' },
		{ "replay", 0, NULL, 'r' },    { "secret", 1, NULL, 's' },    { "source", 1, NULL, 'S' },
		{ "sockets", 1, NULL, 'k' },   { "timeout", 1, NULL, 't' },   { "tries", 1, NULL, 'T' },
		{ "fail-over", 0, NULL, 'o' }, { "alternate", 0, NULL, 'A' }, { "allow-unsigned", 0, NULL, 'u' },
		{ "accounts", 1, NULL, 'n' },  { "file", 1, NULL, 'f' },      { "first", 1, NULL, '1' },
		{ "flight", 1, NULL, 'l' },    { "rate", 1, NULL, 'R' },      { "count", 1, NULL, 'c' },
		{ "warm", 1, NULL, 'w' },      { "seconds", 1, NULL, 'd' },   { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char const *file = NULL;
	size_t accounts = 100000;
	double seconds = -1;
	int c, at = 0;

#define NUMBER(least, most) number(names[at].name, optarg, (least), (most))
	while ((c = getopt_long(argc, argv, "h", names, &at)) != -1) {
		switch (c) {
		case 'm': o->mode = (enum load_mode)choice("mode", optarg, modes, LOAD_MODES); break;
		case 'e': o->expect = code_of[choice("expect", optarg, codes, 3)]; break;
		case 'a': o->append = optarg; break;
		case 'r': o->replay = true; break;
		case 's': o->secret = optarg; break;
		case 'S':
			if (inet_pton(AF_INET, optarg, &o->source) == 1)
				break;
			fprintf(stderr, "radload: --source: %s is not an address\n", optarg);
			exit(2);
		case 'k': o->sockets = (size_t)NUMBER(1, 1024); break;
		case 't': o->timeout_us = (int64_t)(NUMBER(0.001, 3600) * 1e6); break;
		case 'T': o->tries = (unsigned)NUMBER(1, 100); break;
		case 'o': o->fail_over = true; break;
		case 'A': o->alternate = true; break;
		case 'u': o->allow_unsigned = true; break;
		case 'n': accounts = (size_t)NUMBER(1, 100e6); break;
		case 'f': file = optarg; break;
		case '1': o->first = (size_t)NUMBER(0, 100e6); break;
		case 'l': o->flight = (size_t)NUMBER(1, 1e6); break;
		case 'R': o->rate = NUMBER(0.001, 1e6); break;
		case 'c': o->count = (uint64_t)NUMBER(1, 1e12); break;
		case 'w': o->warm_us = (int64_t)(NUMBER(0, 1e6) * 1e6); break;
		case 'd': seconds = NUMBER(0.001, 1e6); break;
		case 'h': fputs(usage_text, stdout); exit(0);
		default: fputs(usage_text, stderr); exit(2);
		}
	}
	while (optind < argc)
		server_add(o, argv[optind++]);
	if (o->servers_len == 0) {
		fputs(usage_text, stderr);
		exit(2);
	}
	if (seconds < 0)
		seconds = o->count ? 0 : 10;
	o->measure_us = (int64_t)(seconds * 1e6);
	return file ? people_from_file(file) : people_by_rule(accounts);
}

static double milliseconds(struct load_result const *r, double share)
{
	size_t n = r->logins;

	if (n == 0)
		return 0;
	return r->latency[(size_t)((double)(n - 1) * share + 0.5)] / 1000.0;
}

static void print_text(char const *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c > 0x7E)
			printf("\\u%04x", c);
		else
			printf(c == '"' || c == '\\' ? "\\%c" : "%c", c);
	}
	putchar('"');
}

static void report(struct load_options const *o, struct load_result const *r)
{
	double const seconds = (double)r->measured_us / 1e6, rate = seconds > 0 ? (double)r->logins / seconds : 0;
	double const p50 = milliseconds(r, 0.5), p99 = milliseconds(r, 0.99), most = milliseconds(r, 1);
	struct rusage usage;
	uint64_t wrong = 0;
	char const *between = "";

	getrusage(RUSAGE_SELF, &usage);
	for (size_t i = 0; i < LOAD_WRONG_MAX; i++)
		wrong += r->wrong[i];
	fprintf(stderr,
		"%s: %llu logins in %.1f s, %.0f/s; p50 %.2f ms, p99 %.2f ms, max %.2f ms; %llu lost, %llu wrong, "
		"%llu retransmitted\n",
		modes[o->mode], (unsigned long long)r->logins, seconds, rate, p50, p99, most,
		(unsigned long long)r->lost, (unsigned long long)wrong, (unsigned long long)r->retransmits);
	printf("{\"mode\":\"%s\",\"seconds\":%.6f,\"started\":%llu,\"logins\":%llu,\"per_second\":%.3f,\"p50_ms\":%.3f,"
	       "\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"lost\":%llu,\"wrong\":%llu",
	       modes[o->mode], seconds, (unsigned long long)r->started, (unsigned long long)r->logins, rate, p50,
	       milliseconds(r, 0.9), p99, milliseconds(r, 0.999), most, (unsigned long long)r->lost,
	       (unsigned long long)wrong);
	printf(",\"wrong_codes\":{");
	for (size_t i = 0; i < LOAD_WRONG_MAX; i++) {
		if (!r->wrong[i])
			continue;
		printf("%s\"%zu\":%llu", between, i, (unsigned long long)r->wrong[i]);
		between = ",";
	}
	printf("},\"example\":");
	print_text(r->example);
	printf(",\"packets\":%llu,\"retransmits\":%llu,\"failed_over\":%llu,\"forged\":%llu,\"malformed\":%llu,"
	       "\"unsigned\":%llu,\"late\":%llu,\"send_failures\":%llu,\"replays\":%llu,\"replays_accepted\":%llu,"
	       "\"starved_s\":%.3f,\"next\":%zu,\"cpu_s\":%.3f}\n",
	       (unsigned long long)r->packets, (unsigned long long)r->retransmits, (unsigned long long)r->failed_over,
	       (unsigned long long)r->forged, (unsigned long long)r->malformed, (unsigned long long)r->not_signed,
	       (unsigned long long)r->late, (unsigned long long)r->send_failures, (unsigned long long)r->replays,
	       (unsigned long long)r->replays_accepted, (double)r->starved_us / 1e6, r->next,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
	struct load_options options = {
		.expect = PACKET_ACCEPT,
		.secret = "testing123",
		.source = { .s_addr = htonl(INADDR_LOOPBACK) },
		.sockets = 8,
		.timeout_us = 3000000,
		.tries = 3,
		.flight = 64,
	};
	struct people *people = read_options(argc, argv, &options);
	struct sigaction const stop = { .sa_handler = on_signal };
	struct load_result result = { .latency = NULL };
	bool good = false;

	if (people && !sigaction(SIGINT, &stop, NULL) && !sigaction(SIGTERM, &stop, NULL))
		good = load_run(&options, people, &stopped, &result);
	if (good)
		report(&options, &result);
	free(result.latency);
	people_free(people);
	return good ? 0 : 1;
}
