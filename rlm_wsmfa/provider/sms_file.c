/* SMS into a file, a JSON object a line: for demonstrations and tests, where no gateway is.
 * Apart from the others: it writes at once, and its line is there before anybody is told that it was sent. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "provider/backends.h"
#include "provider/settings.h"
#include "provider/out.h"

struct sms_file {
	struct wsmfa_provider base;
	char path[1024];
};

static struct wsmfa_field const fields[] = {
	{ WSMFA_FIELD(TEXT, "path", sms_file, path), .required = true, .help = "the file that gets a line a message" },
};

static struct wsmfa_provider *file_configure(char const *name, struct wsmfa_setting const *settings, size_t n,
					     char *err, size_t errlen)
{
	return wsmfa_provider_read(&wsmfa_sms_file, sizeof(struct sms_file), name, fields,
				   sizeof(fields) / sizeof(*fields), false, settings, n, err, errlen);
}

/** One write to a file opened for appending: lines of several servers do not mix. */
static bool append(char const *path, char const *line, size_t len, char *note, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	bool ok;

	if (fd < 0) {
		snprintf(note, size, "outbox: %s", strerror(errno));
		return false;
	}
	ok = write(fd, line, len) == (ssize_t)len;
	if (close(fd) != 0 || !ok)
		snprintf(note, size, "outbox: the line was not written");
	return ok;
}

static void file_begin(struct wsmfa_provider const *p, struct wsmfa_conversation *c, wsmfa_time_t at,
		       uint8_t const *random, struct wsmfa_step *out)
{
	struct sms_file const *f = (struct sms_file const *)p;
	char line[4096], when[WSMFA_TIME_TEXT];
	struct wsmfa_out text;

	(void)random;
	wsmfa_time_text(at, when);
	wsmfa_out_init(&text, line, sizeof(line));
	wsmfa_out_put(&text, "{\"at\":\"");
	wsmfa_out_put(&text, when);
	wsmfa_out_put(&text, "\",\"to\":\"");
	wsmfa_out_put_json(&text, c->message.phone);
	wsmfa_out_put(&text, "\",\"text\":\"");
	wsmfa_out_put_json(&text, c->message.text);
	wsmfa_out_put(&text, "\"}\n");
	out->kind = WSMFA_STEP_DONE;
	out->delivery = WSMFA_DELIVERY_FAILED;
	if (!text.full && append(f->path, line, text.len, out->note, sizeof(out->note)))
		out->delivery = WSMFA_DELIVERY_SENT;
	OPENSSL_cleanse(line, sizeof(line));
}

static void file_free(struct wsmfa_provider *p)
{
	wsmfa_provider_release(p, sizeof(struct sms_file));
}

struct wsmfa_provider_ops const wsmfa_sms_file = {
	.type = "file",
	.channel = WSMFA_KIND_SMS,
	.configure = file_configure,
	.begin = file_begin,
	.free = file_free,
};
