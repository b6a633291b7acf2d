/* Reading the key file with the same care as the server does.
 * Apart from key.c, because every command that seals or opens reads it. */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/codec.h"

bool ctl_keyfile_read(char const *path, char *text, size_t *len, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = 0;
	bool done = false;

	*len = 0;
	if (fd < 0) {
		snprintf(why, why_size, "the key file %s can't be read: %s%s", path, strerror(errno),
			 errno == ENOENT ? "; wsmfactl key init makes one" : "");
		return false;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, why_size, "the key file %s is not a plain file", path);
	} else if (st.st_mode & 07) {
		snprintf(why, why_size, "the key file %s can be read or written by everybody; chmod 600 %s", path,
			 path);
	} else if (st.st_size > CTL_KEY_FILE_MAX) {
		snprintf(why, why_size, "the key file %s is too big to be one", path);
	} else {
		do {
			got = read(fd, text + *len, CTL_KEY_FILE_MAX - *len);
			*len += got > 0 ? (size_t)got : 0;
		} while (got > 0 || (got < 0 && errno == EINTR));
		done = got == 0;
		if (!done)
			snprintf(why, why_size, "the key file %s can't be read: %s", path, strerror(errno));
	}
	close(fd);
	return done;
}

struct wsmfa_keyring *ctl_keyring_load(struct ctl *c)
{
	char text[CTL_KEY_FILE_MAX], why[512] = "", wrong[256] = "";
	struct wsmfa_keyring *ring = NULL;
	size_t len;

	if (!c->key_file || !*c->key_file) {
		ctl_fail("a key file is needed to seal keys; name it with --key-file or WSMFA_KEY_FILE");
		return NULL;
	}
	if (!ctl_keyfile_read(c->key_file, text, &len, why, sizeof(why)))
		ctl_fail("%s", why);
	else if (!wsmfa_keyring_parse(text, len, &ring, wrong, sizeof(wrong)))
		ctl_fail("the key file %s is not right: %s", c->key_file, wrong);
	OPENSSL_cleanse(text, sizeof(text));
	return ring;
}

bool ctl_key_make(struct wsmfa_keyring const *ring, char *line, size_t size, char *id, size_t id_size)
{
	uint8_t key[WSMFA_KEY_LEN];
	char key_text[64];
	time_t now = time(NULL);
	struct tm tm;
	bool done;

	/* The day it was made, which is what an administrator wants to know of it. */
	gmtime_r(&now, &tm);
	strftime(id, id_size, "%Y-%m-%d", &tm);
	for (int n = 2; ring && wsmfa_keyring_has(ring, id); n++)
		snprintf(id + strlen("2024-04-22"), id_size - strlen("2024-04-22"), ".%d", n);
	done = RAND_bytes(key, sizeof(key)) == 1 &&
	       wsmfa_base64_encode(key_text, sizeof(key_text), key, sizeof(key)) > 0;
	if (done)
		snprintf(line, size, "%s %s\n", id, key_text);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(key_text, sizeof(key_text));
	return done;
}

bool ctl_seal_hex(struct wsmfa_keyring const *ring, int64_t account_id, int64_t authenticator_id,
		  struct wsmfa_secret const *key, char *out, size_t size)
{
	uint8_t nonce[WSMFA_NONCE_LEN], sealed[WSMFA_SEALED_MAX];
	size_t len;

	if (size < 3 || RAND_bytes(nonce, sizeof(nonce)) != 1 ||
	    !wsmfa_seal(ring, account_id, authenticator_id, nonce, key, sealed, sizeof(sealed), &len))
		return false;
	memcpy(out, "\\x", 2);
	return wsmfa_hex_encode(out + 2, size - 2, sealed, len) > 0;
}

bool ctl_keyfile_fill(int fd, char const *text, size_t len)
{
	while (len) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			text += put;
			len -= (size_t)put;
		}
	}
	return fsync(fd) == 0;
}

bool ctl_keyfile_settle(char const *path)
{
	char folder[PATH_MAX];
	char const *end = strrchr(path, '/');
	int fd;
	bool done;

	snprintf(folder, sizeof(folder), "%.*s", end ? (int)(end - path) + 1 : 1, end ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

bool ctl_keyfile_replace(char const *path, char const *text)
{
	char fresh[PATH_MAX];
	struct stat st;
	int fd, saved;
	bool done;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh)) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (stat(path, &st) != 0)
		return false;
	/* What a run that was killed left behind. */
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	done = fchown(fd, st.st_uid, st.st_gid) == 0 && fchmod(fd, st.st_mode & 07777) == 0 &&
	       ctl_keyfile_fill(fd, text, strlen(text));
	saved = errno;
	if (close(fd) != 0)
		done = false;
	if (done && rename(fresh, path) == 0)
		return ctl_keyfile_settle(path);
	saved = done ? errno : saved;
	unlink(fresh);
	errno = saved;
	return false;
}
