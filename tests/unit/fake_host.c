/* The fake host; see fake_host.h. Its RADIUS is written apart from the engine's, so that one checks the other.
 * Apart from the tests, because several of them use it. */
#include "unit.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_host.h"

void fake_host_open(struct fake_host *host, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	host->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(host->fd >= 0);
	assert_int_equal(connect(host->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

void fake_host_close(struct fake_host *host)
{
	close(host->fd);
}

static size_t put(uint8_t *at, uint8_t type, void const *value, size_t len)
{
	at[0] = type;
	at[1] = (uint8_t)(len + 2);
	memcpy(at + 2, value, len);
	return len + 2;
}

static size_t build(uint8_t *out, struct fake_request const *request, char const *name, char const *secret)
{
	static uint8_t const zero[16] = { 0 };
	size_t len = 20, mac_at;
	unsigned int n = 16;

	out[0] = 1;
	out[1] = request->id;
	memcpy(out + 4, request->authenticator, 16);
	mac_at = len + 2;
	if (secret)
		len += put(out + len, 80, zero, 16);
	len += put(out + len, 1, name, strlen(name));
	len += put(out + len, 33, "42", 2);
	out[2] = (uint8_t)(len >> 8);
	out[3] = (uint8_t)len;
	if (secret)
		HMAC(EVP_md5(), secret, (int)strlen(secret), out, len, out + mac_at, &n);
	return len;
}

size_t fake_host_packet(uint8_t *out, struct fake_request *request, uint8_t id, char const *name, char const *secret)
{
	request->id = id;
	assert_int_equal(RAND_bytes(request->authenticator, 16), 1);
	return build(out, request, name, secret);
}

void fake_host_send(struct fake_host *host, void const *data, size_t len)
{
	assert_int_equal(send(host->fd, data, len, 0), (ssize_t)len);
}

struct fake_request fake_host_park(struct fake_host *host, uint8_t id, int64_t ticket)
{
	struct fake_request request;
	uint8_t packet[256];
	char name[24];
	size_t len;

	snprintf(name, sizeof(name), "%016llx", (unsigned long long)ticket);
	len = fake_host_packet(packet, &request, id, name, FAKE_HOST_SECRET);
	fake_host_send(host, packet, len);
	return request;
}

void fake_host_repeat(struct fake_host *host, struct fake_request const *request, int64_t ticket)
{
	uint8_t packet[256];
	char name[24];

	snprintf(name, sizeof(name), "%016llx", (unsigned long long)ticket);
	fake_host_send(host, packet, build(packet, request, name, FAKE_HOST_SECRET));
}

static bool answers(uint8_t const *data, struct fake_request const *request)
{
	uint8_t copy[38], mac[16], digest[EVP_MAX_MD_SIZE], whole[38 + sizeof(FAKE_HOST_SECRET)];
	unsigned int n = 16;

	if (data[1] != request->id)
		return false;
	memcpy(whole, data, 38);
	memcpy(whole + 4, request->authenticator, 16);
	memcpy(whole + 38, FAKE_HOST_SECRET, strlen(FAKE_HOST_SECRET));
	assert_int_equal(EVP_Digest(whole, 38 + strlen(FAKE_HOST_SECRET), digest, NULL, EVP_md5(), NULL), 1);
	if (memcmp(digest, data + 4, 16) != 0)
		return false;
	memcpy(copy, whole, 38);
	memset(copy + 22, 0, 16);
	HMAC(EVP_md5(), FAKE_HOST_SECRET, (int)strlen(FAKE_HOST_SECRET), copy, 38, mac, &n);
	assert_memory_equal(mac, data + 22, 16);
	return true;
}

int fake_host_answer(struct fake_host *host, struct fake_request const *requests, size_t n, int timeout_ms)
{
	struct pollfd pfd = { .fd = host->fd, .events = POLLIN };
	uint8_t data[4096];
	ssize_t len;

	if (poll(&pfd, 1, timeout_ms) != 1)
		return -1;
	len = recv(host->fd, data, sizeof(data), 0);
	assert_int_equal(len, 38);
	assert_int_equal(data[0], 11);
	assert_int_equal(data[2] << 8 | data[3], 38);
	assert_int_equal(data[20], 80);
	assert_int_equal(data[21], 18);
	for (size_t i = 0; i < n; i++) {
		if (answers(data, &requests[i]))
			return (int)i;
	}
	fail_msg("an answer fits no request");
	return -1;
}
