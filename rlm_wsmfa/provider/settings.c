/* The strict reader of provider sections; see settings.h.
 * Apart from the providers: they only list their fields. */
#include "provider/settings.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provider/out.h"

#define LEN(_a) (sizeof(_a) / sizeof((_a)[0]))

static struct wsmfa_field const common_fields[] = {
	{ WSMFA_FIELD(SECONDS, "connect_timeout", wsmfa_provider, connect_timeout_ms), .min = 100, .max = 60000,
	  .value = "3", .help = "seconds from 0.1 to 60" },
	{ WSMFA_FIELD(SECONDS, "timeout", wsmfa_provider, timeout_ms), .min = 100, .max = 300000, .value = "10",
	  .help = "seconds from 0.1 to 300" },
	{ WSMFA_FIELD(NUMBER, "retry_max", wsmfa_provider, retry_max), .min = 0, .max = 10, .value = "3",
	  .help = "a number from 0 to 10" },
	{ WSMFA_FIELD(NUMBER, "breaker_failures", wsmfa_provider, breaker_failures), .min = 1, .max = 1000,
	  .value = "5", .help = "a number from 1 to 1000" },
	{ WSMFA_FIELD(NUMBER, "breaker_seconds", wsmfa_provider, breaker_seconds), .min = 1, .max = 3600, .value = "30",
	  .help = "seconds from 1 to 3600" },
	{ WSMFA_FIELD(FLAG, "insecure_http", wsmfa_provider, insecure_http), .value = "no", .help = "yes or no" },
	{ WSMFA_FIELD(TEXT, "ca_file", wsmfa_provider, ca_file), .help = "a file of CA certificates in PEM form" },
	{ WSMFA_FIELD(TEXT, "proxy", wsmfa_provider, proxy), .help = "an HTTP proxy's URL" },
};

/** What one reading needs at every step. */
struct reader {
	struct wsmfa_provider *p;
	struct wsmfa_setting const *settings;
	size_t n;
	char *err;
	size_t errlen;
};

void *wsmfa_setting_error(char *err, size_t errlen, struct wsmfa_provider const *p, struct wsmfa_setting const *setting,
			  char const *fmt, ...)
{
	char const *channel = p->ops->channel == WSMFA_KIND_SMS ? "sms" : "push";
	char sentence[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (setting && setting->file)
		snprintf(err, errlen, "%s[%d]: %s %s: %s", setting->file, setting->line, channel, p->name, sentence);
	else
		snprintf(err, errlen, "%s %s: %s", channel, p->name, sentence);
	return NULL;
}

struct wsmfa_setting const *wsmfa_setting_find(struct wsmfa_setting const *settings, size_t n, char const *name)
{
	struct wsmfa_setting const *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(settings[i].name, name) == 0)
			found = &settings[i];
	}
	return found;
}

static bool is_loopback_host(char const *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

bool wsmfa_url_allowed(struct wsmfa_provider const *p, char const *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL;
	bool ok = false;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host && !strpbrk(host, "{} "))
		ok = strcmp(scheme, "https") == 0 ||
		     (strcmp(scheme, "http") == 0 && (p->insecure_http || is_loopback_host(host)));
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
	return ok;
}

/** Reads a secret's file: its first line. False with a problem in words. */
static bool secret_file(char const *path, char *out, size_t size, char const **problem)
{
	struct stat st;
	ssize_t len;
	bool ok = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		*problem = strerror(errno);
		return false;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		*problem = "it is not a regular file";
	} else if (st.st_mode & S_IRWXO) {
		*problem = "everybody may read it; take that away with chmod o-rwx";
	} else if ((len = read(fd, out, size)) <= 0) {
		*problem = "it is empty or can't be read";
	} else if (len == (ssize_t)size && !memchr(out, '\n', size)) {
		*problem = "its first line is too long";
	} else {
		out[(size_t)len < size ? (size_t)len : size - 1] = '\0';
		out[strcspn(out, "\r\n")] = '\0';
		ok = *out != '\0';
		*problem = "its first line is empty";
	}
	close(fd);
	return ok;
}

static bool is_clean(char const *value)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
			return false;
	}
	return true;
}

static void *bad_value(struct reader *r, struct wsmfa_field const *f, struct wsmfa_setting const *s)
{
	/* A secret's value is not repeated, nor is a URL's: it may carry one. */
	if (f->type == WSMFA_FIELD_SECRET || f->type == WSMFA_FIELD_URL)
		return wsmfa_setting_error(r->err, r->errlen, r->p, s, "`%s` can't be used: set it to %s", f->name,
					   f->help);
	return wsmfa_setting_error(r->err, r->errlen, r->p, s, "`%s = %.100s` can't be used: set it to %s", f->name,
				   s->value, f->help);
}

/** A decimal number times `scale`, in the range. */
static bool parse_number(char const *value, int32_t scale, int32_t min, int32_t max, int32_t *out)
{
	char *end;
	double d;

	if (strspn(value, scale == 1 ? "0123456789" : "0123456789.") != strlen(value) || !*value)
		return false;
	errno = 0;
	d = strtod(value, &end) * scale;
	if (errno || *end || d < min || d > max)
		return false;
	*out = (int32_t)(d + 0.5);
	return true;
}

static bool parse_flag(char const *value, bool *out)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return false;
	*out = value[0] == 'y';
	return true;
}

static bool is_pattern(char const *value)
{
	regex_t re;

	if (regcomp(&re, value, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	regfree(&re);
	return true;
}

static bool set_text(struct wsmfa_field const *f, char *to, char const *value)
{
	size_t have = f->type == WSMFA_FIELD_LINES ? strlen(to) : 0;

	if (!is_clean(value) || have + strlen(value) + 2 > f->size)
		return false;
	if (f->type == WSMFA_FIELD_LINES && strchr(value, '\n'))
		return false;
	snprintf(to + have, f->size - have, f->type == WSMFA_FIELD_LINES ? "%s\n" : "%s", value);
	return true;
}

static bool set_value(struct reader *r, struct wsmfa_field const *f, char const *value)
{
	void *to = (char *)r->p + f->offset;

	switch (f->type) {
	case WSMFA_FIELD_NUMBER: return parse_number(value, 1, f->min, f->max, to);
	case WSMFA_FIELD_SECONDS: return parse_number(value, 1000, f->min, f->max, to);
	case WSMFA_FIELD_FLAG: return parse_flag(value, to);
	case WSMFA_FIELD_PATTERN: return is_pattern(value) && set_text(f, to, value);
	default: return set_text(f, to, value);
	}
}

/** "NAME_file" in place of NAME. */
static bool read_secret_file(struct reader *r, struct wsmfa_field const *f, bool *given)
{
	char name[80];
	char const *problem = NULL;
	struct wsmfa_setting const *s;

	snprintf(name, sizeof(name), "%s_file", f->name);
	s = wsmfa_setting_find(r->settings, r->n, name);
	if (!s)
		return true;
	if (*given) {
		wsmfa_setting_error(r->err, r->errlen, r->p, s, "`%s` and `%s` are both set: keep one", f->name, name);
		return false;
	}
	*given = true;
	if (secret_file(s->value, (char *)r->p + f->offset, f->size, &problem))
		return true;
	wsmfa_setting_error(r->err, r->errlen, r->p, s, "%.200s: %s", s->value, problem);
	return false;
}

static bool read_field(struct reader *r, struct wsmfa_field const *f)
{
	bool given = false;

	for (size_t i = 0; i < r->n; i++) {
		struct wsmfa_setting const *s = &r->settings[i];

		if (strcmp(s->name, f->name) != 0)
			continue;
		if (given && f->type != WSMFA_FIELD_LINES) {
			wsmfa_setting_error(r->err, r->errlen, r->p, s, "`%s` is set twice: keep one", f->name);
			return false;
		}
		given = true;
		if (!set_value(r, f, s->value)) {
			bad_value(r, f, s);
			return false;
		}
	}
	if (f->type == WSMFA_FIELD_SECRET && !read_secret_file(r, f, &given))
		return false;
	if (!given && f->value)
		set_value(r, f, f->value);
	if (!given && f->required) {
		wsmfa_setting_error(r->err, r->errlen, r->p, r->n ? &r->settings[0] : NULL,
				    "`%s` is missing: set it to %s", f->name, f->help);
		return false;
	}
	return true;
}

static bool is_named(struct wsmfa_field const *f, char const *name)
{
	size_t len = strlen(f->name);

	if (strcmp(f->name, name) == 0)
		return true;
	return f->type == WSMFA_FIELD_SECRET && strncmp(f->name, name, len) == 0 && strcmp(name + len, "_file") == 0;
}

static bool is_known(struct wsmfa_field const *fields, size_t len, char const *name)
{
	for (size_t i = 0; i < len; i++) {
		if (is_named(&fields[i], name))
			return true;
	}
	return false;
}

static bool check_names(struct reader *r, struct wsmfa_field const *fields, size_t len, size_t common_len)
{
	for (size_t i = 0; i < r->n; i++) {
		struct wsmfa_setting const *s = &r->settings[i];
		char names[256];
		struct wsmfa_out list;

		if (is_known(fields, len, s->name) || is_known(common_fields, common_len, s->name))
			continue;
		wsmfa_out_init(&list, names, sizeof(names));
		for (size_t j = 0; j < len + common_len; j++) {
			wsmfa_out_put(&list, j ? ", " : "");
			wsmfa_out_put(&list, (j < len ? &fields[j] : &common_fields[j - len])->name);
		}
		wsmfa_setting_error(r->err, r->errlen, r->p, s, "`%.60s` is unknown: a %s section has %s", s->name,
				    r->p->ops->type, names);
		return false;
	}
	return true;
}

static bool check_urls(struct reader *r, struct wsmfa_field const *fields, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char const *url = (char *)r->p + fields[i].offset;

		if (fields[i].type != WSMFA_FIELD_URL || !*url || wsmfa_url_allowed(r->p, url))
			continue;
		wsmfa_setting_error(r->err, r->errlen, r->p, wsmfa_setting_find(r->settings, r->n, fields[i].name),
				    "`%s` can't be used: set it to an https:// URL; http:// goes to loopback only, "
				    "or with `insecure_http = yes`, which lets everybody on the way read codes",
				    fields[i].name);
		return false;
	}
	return true;
}

void *wsmfa_provider_read(struct wsmfa_provider_ops const *ops, size_t size, char const *name,
			  struct wsmfa_field const *fields, size_t fields_len, bool common,
			  struct wsmfa_setting const *settings, size_t n, char *err, size_t errlen)
{
	struct reader r = { .p = calloc(1, size), .settings = settings, .n = n, .err = err, .errlen = errlen };
	size_t common_len = common ? LEN(common_fields) : 0;
	bool ok;

	if (!r.p) {
		snprintf(err, errlen, "no memory for provider %s", name);
		return NULL;
	}
	r.p->ops = ops;
	r.p->breaker_failures = 5;
	r.p->breaker_seconds = 30;
	snprintf(r.p->name, sizeof(r.p->name), "%s", name);
	ok = check_names(&r, fields, fields_len, common_len);
	for (size_t i = 0; ok && i < fields_len; i++)
		ok = read_field(&r, &fields[i]);
	for (size_t i = 0; ok && i < common_len; i++)
		ok = read_field(&r, &common_fields[i]);
	ok = ok && check_urls(&r, fields, fields_len);
	if (ok)
		return r.p;
	wsmfa_provider_release(r.p, size);
	return NULL;
}

void wsmfa_provider_release(struct wsmfa_provider *p, size_t size)
{
	OPENSSL_cleanse(p, size);
	free(p);
}
