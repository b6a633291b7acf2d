/*
 * The load: logins in flight over many sockets, retransmitted as clients do, their answers checked and counted.
 * Apart from radload.c, which reads options and prints; one run a process.
 */
#ifndef WSMFA_BENCH_LOAD_H
#define WSMFA_BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "person.h"

#define LOAD_SERVERS_MAX 8

enum load_mode {
	LOAD_PAP = 0,   //!< the password; whatever answers it ends the login.
	LOAD_APPEND,    //!< password,code
	LOAD_CHALLENGE, //!< the password, then the code that the challenge asks for.
	LOAD_PUSH,      //!< the password, then an empty answer, which waits for the phone.
	LOAD_MODES
};

struct load_options {
	enum load_mode mode;
	uint8_t expect; //!< the code that a login shall end with.
	char const *secret;
	struct sockaddr_in servers[LOAD_SERVERS_MAX];
	size_t servers_len;
	bool alternate;      //!< each packet of a login goes to the next server.
	bool fail_over;      //!< after its tries a packet goes to the next server.
	bool allow_unsigned; //!< replies without Message-Authenticator as first attribute are taken.
	bool replay;         //!< every accepted code is tried once more.
	struct in_addr source;
	size_t sockets; //!< 256 packets each
	int64_t timeout_us;
	unsigned tries;
	char const *append; //!< append mode: what follows the comma, instead of the code.

	size_t flight;  //!< logins at a time
	double rate;    //!< logins a second, 0: as many as `flight` allows.
	size_t first;   //!< account to begin with
	uint64_t count; //!< logins, 0: until time is up.
	int64_t warm_us, measure_us;
};

#define LOAD_WRONG_MAX 256

struct load_result {
	int64_t measured_us;            //!< how long `logins` were counted.
	uint64_t started;               //!< all logins, those of the warming-up too; so are the counts below.
	uint64_t logins;                //!< that ended as expected while it was measured.
	uint64_t wrong[LOAD_WRONG_MAX]; //!< that ended with another code.
	uint64_t lost;                  //!< without any answer to the last try.
	uint64_t forged, malformed, not_signed, late, retransmits, packets, send_failures, failed_over;
	uint64_t replays, replays_accepted;
	int64_t starved_us; //!< when no account had a code that was not used yet.
	char example[254];  //!< Reply-Message of the first wrong end.
	size_t next;        //!< the account that would have been next.
	uint32_t *latency;  //!< microseconds of `logins`, ascending; an open loop's from the intended time.
};

/** Runs until count or time is over and all are answered or lost; *stop ends it early. False after a line on stderr. */
bool load_run(struct load_options const *options, struct people const *people, bool const volatile *stop,
	      struct load_result *out);

#endif
