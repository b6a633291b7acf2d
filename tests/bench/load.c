/* The load; see load.h. One thread: a server is what is measured, and one core is enough to fill it.
 * Apart from packet.c and person.c, which know what is sent and who sends it; here is only when. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/totp.h"
#include "packet.h"

#define IDS      256 // of a socket
#define RECEIVED 32  // datagrams at a time

enum stage { STAGE_FIRST = 0, STAGE_ANSWER };

struct login {
	size_t account;
	int64_t started;
	enum stage stage;
	bool replay;
	char code[9]; // of this login; a replay's is that of the login before it
	size_t server;
	uint8_t state[253];
	size_t state_len;
};

/** One packet and its answer; its place in the table is its socket and id. */
struct exchange {
	struct login login;
	struct packet packet;
	uint32_t generation; // a timer of another one is void
	unsigned tries;
	bool waiting, lost;
};

struct timer {
	int64_t at;
	uint32_t slot, generation;
};

struct load {
	struct load_options const *o;
	struct people const *people;
	struct load_result *r;
	int epoll, alarm;
	int *sockets;
	struct exchange *exchanges;
	size_t exchanges_len;
	uint32_t *unused; // a ring: an id rests as long as possible
	size_t unused_at, unused_len;
	struct timer *timers; // a ring, in the order in which they end, since all take the same time
	size_t timers_at, timers_len, timers_room;
	int64_t *used_step; // of each account
	size_t busy, latency_room;
	int64_t begin, measure_from, measure_to, starved_from;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static int64_t step_now(void)
{
	return wsmfa_totp_step(clock_us(CLOCK_REALTIME), PERSON_PERIOD);
}

/* ---- packets ---- */

static bool timer_add(struct load *l, uint32_t slot, int64_t at)
{
	if (l->timers_len == l->timers_room) {
		size_t room = l->timers_room ? l->timers_room * 2 : 4096;
		struct timer *more = malloc(room * sizeof(*more));

		if (!more)
			return false;
		for (size_t i = 0; i < l->timers_len; i++)
			more[i] = l->timers[(l->timers_at + i) % l->timers_room];
		free(l->timers);
		l->timers = more;
		l->timers_room = room;
		l->timers_at = 0;
	}
	l->timers[(l->timers_at + l->timers_len++) % l->timers_room] =
		(struct timer) { .at = at, .slot = slot, .generation = l->exchanges[slot].generation };
	return true;
}

static bool exchange_send(struct load *l, uint32_t slot, int64_t now)
{
	struct exchange *x = &l->exchanges[slot];
	struct sockaddr_in const *to = &l->o->servers[x->login.server];

	x->generation++;
	x->tries++;
	l->r->packets++;
	if (sendto(l->sockets[slot / IDS], x->packet.octets, x->packet.len, MSG_DONTWAIT, (struct sockaddr const *)to,
		   sizeof(*to)) < 0)
		l->r->send_failures++; // as if the net had lost it
	return timer_add(l, slot, now + l->o->timeout_us);
}

static void slot_free(struct load *l, uint32_t slot)
{
	l->unused[(l->unused_at + l->unused_len++) % l->exchanges_len] = slot;
}

/* What the user types, into a field of 128 octets at most. */
static bool typed(struct load *l, struct login *g, struct person const *who, char *out, size_t outlen)
{
	bool const answers = g->stage == STAGE_ANSWER;
	int n;

	if ((l->o->mode == LOAD_APPEND && !l->o->append) || (l->o->mode == LOAD_CHALLENGE && answers)) {
		int64_t step = step_now();

		if (!g->replay && !person_code(who, step, g->code))
			return false;
		l->used_step[g->account] = step;
	}
	if (answers)
		n = snprintf(out, outlen, "%s", l->o->mode == LOAD_CHALLENGE ? g->code : "");
	else if (l->o->mode == LOAD_APPEND)
		n = snprintf(out, outlen, "%s,%s", who->password, l->o->append ? l->o->append : g->code);
	else
		n = snprintf(out, outlen, "%s", who->password);
	return n >= 0 && (size_t)n < outlen;
}

static bool packet_build(struct load *l, struct login *g, uint8_t id, struct packet *p)
{
	struct person who;
	char text[129], station[18];
	uint8_t const port[4] = { 0, 0, (uint8_t)(g->account >> 8), (uint8_t)g->account };
	bool good;

	if (!people_get(l->people, g->account, &who))
		return false;
	snprintf(station, sizeof(station), "02-00-%02X-%02X-%02X-%02X", (unsigned)(g->account >> 24) & 0xFF,
		 (unsigned)(g->account >> 16) & 0xFF, (unsigned)(g->account >> 8) & 0xFF, (unsigned)g->account & 0xFF);
	packet_begin(p, id);
	good = packet_add(p, PACKET_USER_NAME, who.name, strlen(who.name)) && typed(l, g, &who, text, sizeof(text)) &&
	       packet_add_password(p, l->o->secret, text) && packet_add(p, PACKET_NAS_IDENTIFIER, "radload", 7) &&
	       packet_add(p, PACKET_NAS_PORT, port, sizeof(port)) &&
	       packet_add(p, PACKET_CALLING_STATION_ID, station, strlen(station)) &&
	       (g->state_len == 0 || packet_add(p, PACKET_STATE, g->state, g->state_len)) &&
	       packet_end(p, l->o->secret);
	wsmfa_secret_wipe(&who.key);
	return good;
}

static bool exchange_start(struct load *l, struct login const *g, int64_t now)
{
	uint32_t slot = l->unused[l->unused_at];
	struct exchange *x = &l->exchanges[slot];

	l->unused_at = (l->unused_at + 1) % l->exchanges_len;
	l->unused_len--;
	x->login = *g;
	x->tries = 0;
	x->waiting = true;
	x->lost = false;
	if (!packet_build(l, &x->login, (uint8_t)(slot % IDS), &x->packet)) {
		fprintf(stderr, "radload: account %zu: no packet can be made: name or password too long, or no key\n",
			g->account);
		return false;
	}
	return exchange_send(l, slot, now);
}

/* ---- logins ---- */

static bool login_end(struct load *l, struct login const *g, uint8_t code, char const *message, int64_t now)
{
	struct load_result *r = l->r;
	bool const uses_code = l->o->mode == LOAD_CHALLENGE || l->o->mode == LOAD_APPEND;

	if (g->replay) {
		r->replays++;
		if (code == PACKET_ACCEPT)
			r->replays_accepted++;
		l->busy--;
		return true;
	}
	if (code != l->o->expect) {
		if (!r->example[0])
			memcpy(r->example, message, strlen(message) + 1);
		r->wrong[code]++;
	} else if (now >= l->measure_from && now < l->measure_to) {
		if (r->logins == l->latency_room) {
			size_t room = l->latency_room ? l->latency_room * 2 : 65536;
			uint32_t *more = realloc(r->latency, room * sizeof(*more));

			if (!more)
				return false;
			r->latency = more;
			l->latency_room = room;
		}
		r->latency[r->logins++] = (uint32_t)(now - g->started);
	}
	if (l->o->replay && uses_code && code == PACKET_ACCEPT) {
		struct login again = { .account = g->account, .started = now, .replay = true, .server = g->server };

		memcpy(again.code, g->code, sizeof(again.code));
		return exchange_start(l, &again, now);
	}
	l->busy--;
	return true;
}

static size_t server_after(struct load const *l, size_t server)
{
	return (server + 1) % l->o->servers_len;
}

static bool answered(struct load *l, struct login const *was, struct packet_reply const *reply, int64_t now)
{
	struct login g = *was;

	if (reply->code != PACKET_CHALLENGE || g.stage != STAGE_FIRST || reply->state_len == 0 ||
	    (l->o->mode != LOAD_CHALLENGE && l->o->mode != LOAD_PUSH))
		return login_end(l, &g, reply->code, reply->message, now);
	g.stage = STAGE_ANSWER;
	memcpy(g.state, reply->state, reply->state_len);
	g.state_len = reply->state_len;
	if (l->o->alternate)
		g.server = server_after(l, g.server);
	return exchange_start(l, &g, now);
}

/* False when no account has a code left in this step. */
static bool login_possible(struct load *l, int64_t now)
{
	bool const uses_code = l->o->mode == LOAD_CHALLENGE || l->o->mode == LOAD_APPEND;

	if (l->unused_len < 2) // one more for the answer to a challenge
		return false;
	if (!uses_code || l->used_step[l->r->next] < step_now()) {
		if (l->starved_from)
			l->r->starved_us += now - l->starved_from;
		l->starved_from = 0;
		return true;
	}
	if (!l->starved_from)
		l->starved_from = now;
	return false;
}

static bool login_start(struct load *l, int64_t intended, int64_t now)
{
	struct login g = { .account = l->r->next, .started = intended };

	// who fails over has an order of servers, everybody else shares the load
	g.server = l->o->fail_over ? 0 : (size_t)(l->r->started % l->o->servers_len);
	l->r->next = (l->r->next + 1) % people_count(l->people);
	l->r->started++;
	l->busy++;
	return exchange_start(l, &g, now);
}

/* ---- what comes in, and what does not ---- */

static bool from_server(struct load const *l, struct exchange const *x, struct sockaddr_in const *from)
{
	struct sockaddr_in const *to = &l->o->servers[x->login.server];

	return from->sin_port == to->sin_port && from->sin_addr.s_addr == to->sin_addr.s_addr;
}

static bool datagram(struct load *l, size_t socket, uint8_t const *data, size_t len, struct sockaddr_in const *from,
		     int64_t now)
{
	uint32_t slot = (uint32_t)(socket * IDS + (len > 1 ? data[1] : 0));
	struct exchange *x = &l->exchanges[slot];
	struct packet_reply reply;
	struct login g;

	if (!from_server(l, x, from)) {
		l->r->forged++;
		return true;
	}
	switch (packet_check(data, len, &x->packet, l->o->secret, &reply)) {
	case PACKET_GOOD: break;
	case PACKET_UNSIGNED:
		if (l->o->allow_unsigned)
			break;
		l->r->not_signed++;
		return true;
	case PACKET_MALFORMED: l->r->malformed++; return true;
	case PACKET_FORGED: l->r->forged++; return true;
	}
	if (!x->waiting) {
		l->r->late++; // a second answer, or one that nobody waits for any more
		if (x->lost)
			slot_free(l, slot);
		x->lost = false;
		return true;
	}
	g = x->login;
	x->waiting = false;
	x->generation++;
	slot_free(l, slot);
	return answered(l, &g, &reply, now);
}

static bool receive(struct load *l, size_t socket)
{
	static uint8_t room[RECEIVED][PACKET_REPLY_MAX];
	struct sockaddr_in from[RECEIVED];
	struct iovec parts[RECEIVED];
	struct mmsghdr messages[RECEIVED];
	int n;

	memset(messages, 0, sizeof(messages));
	for (size_t i = 0; i < RECEIVED; i++) {
		parts[i] = (struct iovec) { .iov_base = room[i], .iov_len = sizeof(room[i]) };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &from[i];
		messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	do {
		int64_t now;

		n = recvmmsg(l->sockets[socket], messages, RECEIVED, MSG_DONTWAIT, NULL);
		now = now_us();
		for (int i = 0; i < n; i++) {
			if (!datagram(l, socket, room[i], messages[i].msg_len, &from[i], now))
				return false;
			messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
	} while (n == RECEIVED);
	return true;
}

static bool overdue(struct load *l, uint32_t slot, int64_t now)
{
	struct exchange *x = &l->exchanges[slot];
	struct login g = x->login;

	if (x->tries < l->o->tries) {
		l->r->retransmits++;
		return exchange_send(l, slot, now);
	}
	x->waiting = false;
	x->lost = true; // its id rests until its answer comes, if ever
	if (l->o->fail_over && l->o->servers_len > 1 && server_after(l, g.server) != 0 && l->unused_len > 0) {
		l->r->failed_over++;
		g.server = server_after(l, g.server);
		return exchange_start(l, &g, now);
	}
	l->busy--;
	l->r->lost++;
	return true;
}

static bool timers_run(struct load *l, int64_t now)
{
	while (l->timers_len > 0 && l->timers[l->timers_at].at <= now) {
		struct timer t = l->timers[l->timers_at];

		l->timers_at = (l->timers_at + 1) % l->timers_room;
		l->timers_len--;
		if (l->exchanges[t.slot].waiting && l->exchanges[t.slot].generation == t.generation &&
		    !overdue(l, t.slot, now))
			return false;
	}
	return true;
}

/* ---- the loop ---- */

static int64_t intended(struct load const *l)
{
	return l->begin + (int64_t)((double)l->r->started * 1e6 / l->o->rate);
}

static bool more_wanted(struct load const *l, int64_t now)
{
	return now < l->measure_to && (l->o->count == 0 || l->r->started < l->o->count);
}

static bool starts(struct load *l, int64_t now)
{
	while (more_wanted(l, now) && l->busy < l->o->flight && (l->o->rate <= 0 || intended(l) <= now)) {
		if (!login_possible(l, now))
			break;
		if (!login_start(l, l->o->rate > 0 ? intended(l) : now, now))
			return false;
	}
	return true;
}

static bool alarm_set(struct load *l, int64_t now)
{
	int64_t at = now + 20000; // a step of codes may begin
	struct itimerspec when;

	if (l->timers_len > 0 && l->timers[l->timers_at].at < at)
		at = l->timers[l->timers_at].at;
	if (more_wanted(l, now) && l->o->rate > 0 && l->busy < l->o->flight && intended(l) < at)
		at = intended(l);
	if (at <= now)
		at = now + 1;
	when = (struct itimerspec) { .it_value = { .tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000 } };
	return timerfd_settime(l->alarm, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}

static bool loop(struct load *l, bool const volatile *stop)
{
	struct epoll_event events[64];

	for (;;) {
		int64_t now = now_us();
		int n;

		if (!timers_run(l, now) || !starts(l, now) || !alarm_set(l, now))
			return false;
		if (*stop || (!more_wanted(l, now) && l->busy == 0))
			return true;
		n = epoll_wait(l->epoll, events, sizeof(events) / sizeof(events[0]), -1);
		if (n < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < n; i++) {
			uint64_t count;

			if (events[i].data.u64 == UINT64_MAX) {
				if (read(l->alarm, &count, sizeof(count)) < 0 && errno != EAGAIN)
					return false;
			} else if (!receive(l, (size_t)events[i].data.u64)) {
				return false;
			}
		}
	}
}

static bool watch(struct load *l, int fd, uint64_t number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = number };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool socket_open(struct load *l, size_t number)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = l->o->source };
	int const room = 4 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	l->sockets[number] = fd;
	if (fd < 0 || bind(fd, (struct sockaddr const *)&from, sizeof(from)) < 0 || !watch(l, fd, number))
		return false;
	// root may go beyond rmem_max, everybody else gets what there is
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return true;
}

static bool load_open(struct load *l)
{
	size_t sockets = l->o->sockets, accounts = people_count(l->people);

	l->exchanges_len = sockets * IDS;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	l->sockets = malloc(sockets * sizeof(*l->sockets));
	l->exchanges = calloc(l->exchanges_len, sizeof(*l->exchanges));
	l->unused = malloc(l->exchanges_len * sizeof(*l->unused));
	l->used_step = malloc(accounts * sizeof(*l->used_step));
	if (l->epoll < 0 || l->alarm < 0 || !l->sockets || !l->exchanges || !l->unused || !l->used_step)
		return false;
	for (size_t i = 0; i < sockets; i++)
		l->sockets[i] = -1;
	for (size_t i = 0; i < accounts; i++)
		l->used_step[i] = -1;
	// neighbours in the ring are of different sockets
	for (size_t id = 0; id < IDS; id++) {
		for (size_t i = 0; i < sockets; i++)
			slot_free(l, (uint32_t)(i * IDS + id));
	}
	for (size_t i = 0; i < sockets; i++) {
		if (!socket_open(l, i))
			return false;
	}
	return watch(l, l->alarm, UINT64_MAX);
}

static void load_close(struct load *l)
{
	for (size_t i = 0; l->sockets && i < l->o->sockets; i++) {
		if (l->sockets[i] >= 0)
			close(l->sockets[i]);
	}
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->alarm >= 0)
		close(l->alarm);
	free(l->sockets);
	free(l->exchanges);
	free(l->unused);
	free(l->used_step);
	free(l->timers);
}

static int ascending(void const *a, void const *b)
{
	uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;

	return (x > y) - (x < y);
}

bool load_run(struct load_options const *options, struct people const *people, bool const volatile *stop,
	      struct load_result *out)
{
	struct load l = { .o = options, .people = people, .r = out, .epoll = -1, .alarm = -1 };
	bool good = false;
	int64_t now;

	memset(out, 0, sizeof(*out));
	out->next = options->first % people_count(people);
	if (!load_open(&l)) {
		fprintf(stderr, "radload: %s\n", strerror(errno));
		goto finish;
	}
	l.begin = now_us();
	l.measure_from = l.begin + options->warm_us;
	l.measure_to = options->measure_us ? l.measure_from + options->measure_us : INT64_MAX;
	if (!loop(&l, stop)) {
		fprintf(stderr, "radload: it ended early: %s\n", strerror(errno));
		goto finish;
	}
	now = now_us();
	out->measured_us = (now < l.measure_to ? now : l.measure_to) - l.measure_from;
	if (out->logins > 1)
		qsort(out->latency, out->logins, sizeof(*out->latency), ascending);
	good = true;

finish:
	load_close(&l);
	return good;
}
