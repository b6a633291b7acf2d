/* The socket of the parking home server; see park.h. What it answers is always the same: "woken".
 * Apart from the rest of the engine: whoever can send to the port can do no more than what is written here. */
#include "engine/park.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* libuv hands out 64 KiB slices of the buffer, one a datagram. */
#define SLICE       65536
#define SLICES      20
#define RECEIVE_MAX (32 * 1024 * 1024) //!< octets the kernel may keep: a burst of 30,000 requests

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct wsmfa_park *park = handle->data;

	(void)suggested;
	*buf = uv_buf_init(park->buffer, SLICE * SLICES);
}

static bool is_loopback(struct sockaddr const *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, sa, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, sa, sizeof(v6));
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	}
	return false;
}

static void on_packet(struct wsmfa_park *park, uint8_t const *data, size_t len, struct sockaddr const *from)
{
	struct wsmfa_parked_packet packet;
	struct wsmfa_copy copy = { .times = 1 };

	park->count.received++;
	switch (wsmfa_parked_decode(data, len, park->secret, &packet)) {
	case WSMFA_PACKET_OK: break;
	case WSMFA_PACKET_FORGED: park->count.forged++; return;
	case WSMFA_PACKET_STRANGE: park->count.strange++; return;
	default: park->count.malformed++; return;
	}
	copy.id = packet.id;
	memcpy(copy.authenticator, packet.authenticator, sizeof(copy.authenticator));
	if (from->sa_family == AF_INET6)
		memcpy(&copy.from.v6, from, sizeof(copy.from.v6));
	else
		memcpy(&copy.from.v4, from, sizeof(copy.from.v4));
	switch (wsmfa_waiters_copy(park->waiters, packet.ticket, &copy)) {
	case WSMFA_COPY_UNKNOWN: park->count.unknown++; break;
	case WSMFA_COPY_KEPT: break;
	case WSMFA_COPY_ANSWER: wsmfa_park_answer(park, &copy); break;
	}
}

static void on_receive(uv_udp_t *udp, ssize_t nread, uv_buf_t const *buf, struct sockaddr const *from, unsigned flags)
{
	struct wsmfa_park *park = udp->data;

	if (nread > 0 && from && !(flags & UV_UDP_PARTIAL) && is_loopback(from))
		on_packet(park, (uint8_t const *)buf->base, (size_t)nread, from);
}

/** An answer that the kernel did not take at once. */
struct late_answer {
	uv_udp_send_t req;
	uint8_t data[WSMFA_WAKE_LEN];
};

static void on_sent(uv_udp_send_t *req, int status)
{
	struct wsmfa_park *park = req->handle->data;

	if (status != 0)
		park->count.unsent++;
	free(WSMFA_CONTAINER(req, struct late_answer, req));
}

static void send_later(struct wsmfa_park *park, struct wsmfa_copy const *copy, uint8_t const *data)
{
	struct late_answer *late = malloc(sizeof(*late));
	uv_buf_t buf;

	if (!late) {
		park->count.unsent++;
		return;
	}
	memcpy(late->data, data, sizeof(late->data));
	buf = uv_buf_init((char *)late->data, sizeof(late->data));
	if (uv_udp_send(&late->req, &park->udp, &buf, 1, &copy->from.any, on_sent) != 0) {
		park->count.unsent++;
		free(late);
	}
}

void wsmfa_park_answer(struct wsmfa_park *park, struct wsmfa_copy const *copy)
{
	struct wsmfa_parked_packet packet = { .id = copy->id };
	uint8_t data[WSMFA_WAKE_LEN];
	uv_buf_t buf = uv_buf_init((char *)data, sizeof(data));

	memcpy(packet.authenticator, copy->authenticator, sizeof(packet.authenticator));
	if (!park->open || !wsmfa_wake_encode(&packet, park->secret, data))
		return;
	for (int i = 0; i < copy->times; i++) {
		park->count.answered++;
		if (uv_udp_try_send(&park->udp, &buf, 1, &copy->from.any) < 0)
			send_later(park, copy, data);
	}
}

/** A burst waits in the kernel while the loop is busy; beyond net.core.rmem_max only root may ask. */
static void enlarge_buffer(uv_udp_t *udp)
{
	uv_os_fd_t fd;
	int size = RECEIVE_MAX;

	if (uv_fileno((uv_handle_t *)udp, &fd) != 0)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static bool parse_address(char const *text, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (uv_ip4_addr(text, port, (struct sockaddr_in *)(void *)out) != 0 &&
	    uv_ip6_addr(text, port, (struct sockaddr_in6 *)(void *)out) != 0)
		return false;
	return is_loopback((struct sockaddr *)out);
}

/** The port that the kernel chose for port 0. */
static uint16_t bound_port(uv_udp_t *udp)
{
	struct sockaddr_storage ss = { 0 };
	int len = sizeof(ss);

	if (uv_udp_getsockname(udp, (struct sockaddr *)&ss, &len) != 0)
		return 0;
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port);
	return ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
}

bool wsmfa_park_open(struct wsmfa_park *park, uv_loop_t *loop, struct wsmfa_waiters *waiters, char const *address,
		     uint16_t port, char const *secret, char *err, size_t errlen)
{
	struct sockaddr_storage at;
	int r;

	memset(park, 0, sizeof(*park));
	park->waiters = waiters;
	if (!parse_address(address, port, &at)) {
		snprintf(err, errlen, "the parking address %s is not a loopback address: set 127.0.0.1", address);
		return false;
	}
	park->secret = strdup(secret);
	park->buffer = malloc((size_t)SLICE * SLICES);
	if (!park->secret || !park->buffer) {
		snprintf(err, errlen, "no memory for the parking socket");
		return false;
	}
	r = uv_udp_init_ex(loop, &park->udp, AF_UNSPEC | UV_UDP_RECVMMSG);
	if (r != 0) {
		snprintf(err, errlen, "no parking socket: %s", uv_strerror(r));
		return false;
	}
	park->udp.data = park;
	park->open = true;
	r = uv_udp_bind(&park->udp, (struct sockaddr *)&at, 0);
	if (r == 0) {
		enlarge_buffer(&park->udp);
		r = uv_udp_recv_start(&park->udp, on_alloc, on_receive);
	}
	if (r != 0) {
		snprintf(err, errlen, "parking at %s port %u: %s; another server may use it, choose a free port",
			 address, port, uv_strerror(r));
		wsmfa_park_close(park);
		return false;
	}
	park->port = bound_port(&park->udp);
	return true;
}

void wsmfa_park_close(struct wsmfa_park *park)
{
	if (park->open)
		uv_close((uv_handle_t *)&park->udp, NULL);
	park->open = false;
}

void wsmfa_park_free(struct wsmfa_park *park)
{
	if (park->secret) {
		OPENSSL_cleanse(park->secret, strlen(park->secret));
		free(park->secret);
	}
	free(park->buffer);
	park->secret = NULL;
	park->buffer = NULL;
}
