/* key init, key rotate: the file that TOTP keys are sealed with.
 * Apart from keyfile.c, which only reads it. */
#include "command.h"
#include "keyfile.h"
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>

enum ctl_exit ctl_key_init(struct ctl *c, struct ctl_args const *a)
{
	char const *owner = ctl_option(a, "--owner");
	struct passwd const *user = NULL;
	char line[128], id[WSMFA_KEY_ID_MAX];
	bool done;
	int fd;

	if (!c->key_file || !*c->key_file)
		return ctl_misuse("key init: where to? name the file with --key-file or WSMFA_KEY_FILE");
	if (owner && !(user = getpwnam(owner)))
		return ctl_fail("there is no user %s on this machine", owner);
	fd = open(c->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		if (errno == EEXIST)
			return ctl_fail("%s is there already and stays as it is: what it sealed, no other key opens",
					c->key_file);
		return ctl_fail("the key file %s can't be made: %s", c->key_file, strerror(errno));
	}
	done = ctl_key_make(NULL, line, sizeof(line), id, sizeof(id)) && fchmod(fd, 0600) == 0 &&
	       (!user || fchown(fd, user->pw_uid, user->pw_gid) == 0) && ctl_keyfile_fill(fd, line, strlen(line));
	OPENSSL_cleanse(line, sizeof(line));
	if (close(fd) != 0)
		done = false;
	done = done && ctl_keyfile_settle(c->key_file);
	if (!done) {
		ctl_fail("the key file %s can't be written: %s", c->key_file, strerror(errno));
		unlink(c->key_file);
		return CTL_FAILED;
	}
	if (c->json)
		return ctl_print_done(json_pack("{s:s, s:s}", "key_file", c->key_file, "id", id));
	printf("%s made with key %s. Keep a copy in a safe place: without it no TOTP key can be opened.\n",
	       c->key_file, id);
	return CTL_OK;
}
