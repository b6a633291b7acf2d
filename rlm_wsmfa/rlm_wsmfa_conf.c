/*
 * Settings to values, strictly: what is unknown, out of range or contradictory stops the server with file and line.
 * It stands apart because the host only warns of unknown settings, at a debug level that nobody reads.
 */
#include "rlm_wsmfa.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/append.h"
#include "core/codec.h"
#include "core/name.h"

/* clang-format off */
CONF_PARSER const wsmfa_module_config[] = {
	{ "connection", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_SECRET | PW_TYPE_REQUIRED | PW_TYPE_NOT_EMPTY, rlm_wsmfa_t, connection), NULL },
	{ "store_timeout", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, store_timeout), "2" },
	{ "on_store_failure", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, on_store_failure), "reject" },
	{ "key_file", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_REQUIRED | PW_TYPE_NOT_EMPTY, rlm_wsmfa_t, key_file), NULL },
	{ "account_name", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_XLAT | PW_TYPE_NOT_EMPTY, rlm_wsmfa_t, account_name), "%{User-Name}" },
	{ "default_service", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_REQUIRED | PW_TYPE_NOT_EMPTY, rlm_wsmfa_t, default_service), NULL },
	{ "enroll_url", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, enroll_url), "" },
	{ "banner_every", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, banner_every), "86400" },
	{ "cap_session", FR_CONF_OFFSET(PW_TYPE_BOOLEAN, rlm_wsmfa_t, cap_session), "no" },
	{ "enroll_methods", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, enroll_methods), "totp, sms" },
	{ "enroll_grace", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, enroll_grace), "30" },
	{ "enroll_ticket", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, enroll_ticket), "none" },
	{ "challenge_lifetime", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, challenge_lifetime), "120" },
	{ "max_attempts", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, max_attempts), "3" },
	{ "code_lifetime", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, code_lifetime), "300" },
	{ "code_digits", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, code_digits), "6" },
	{ "totp_window", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, totp_window), "1" },
	{ "append_separator", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, append_separator), "," },
	{ "lock_after", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, lock_after), "10" },
	{ "failure_budget", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, failure_budget), "30" },
	{ "failure_days", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, failure_days), "30" },
	{ "delay_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, delay_max), "2" },
	{ "push_timeout", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, push_timeout), "45" },
	{ "push_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, push_max), "5" },
	{ "push_require_number", FR_CONF_OFFSET(PW_TYPE_BOOLEAN, rlm_wsmfa_t, push_require_number), "no" },
	{ "park_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, park_max), "10000" },
	{ "park_pool", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_NOT_EMPTY, rlm_wsmfa_t, park_pool), "wsmfa_park" },
	{ "sms_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, sms_max), "5" },
	{ "sms_number_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, sms_number_max), "10" },
	{ "sms_organization_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, sms_organization_max), "0" },
	{ "sms_total_max", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, sms_total_max), "0" },
	{ "sms_prefixes", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, sms_prefixes), "all" },
	{ "sms_wait", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_wsmfa_t, sms_wait), "2" },
	{ "notify_url", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, notify_url), "" },
	{ "decoy_password", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_SECRET, rlm_wsmfa_t, decoy_password), NULL },
	{ "unguarded_sites", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, unguarded_sites), "" },
	{ "server_name", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_wsmfa_t, server_name), "" },
	CONF_PARSER_TERMINATOR
};

#define RANGE(setting, least, most) { #setting, offsetof(rlm_wsmfa_t, setting), least, most }
static struct {
	char const *name;
	size_t offset;
	uint32_t least;
	uint32_t most;
} const ranges[] = {
	RANGE(store_timeout, 1, 30),
	RANGE(banner_every, 0, 2592000),
	RANGE(enroll_grace, 0, 3650),
	RANGE(challenge_lifetime, 30, 600),
	RANGE(max_attempts, 1, 10),
	RANGE(code_lifetime, 60, 600),
	RANGE(code_digits, 6, 8),
	RANGE(totp_window, 0, 3),
	RANGE(lock_after, 3, 50),
	RANGE(failure_budget, 10, 100),
	RANGE(failure_days, 1, 365),
	RANGE(delay_max, 0, 10),
	RANGE(push_timeout, 10, 55),
	RANGE(push_max, 1, 100),
	RANGE(park_max, 1, 60000),
	RANGE(sms_max, 1, 100),
	RANGE(sms_number_max, 1, 100),
	RANGE(sms_organization_max, 0, 1000000),
	RANGE(sms_total_max, 0, 1000000),
	RANGE(sms_wait, 0, 10),
};
#undef RANGE
/* clang-format on */

/** An error at the line of a setting, or of the section when the setting is not written there. */
static int refuse(CONF_SECTION *conf, char const *name, char const *why)
{
	CONF_PAIR *cp = cf_pair_find(conf, name);

	if (cp) {
		cf_log_err_cp(cp, "%s: %s", name, why);
	} else {
		cf_log_err_cs(conf, "%s: %s", name, why);
	}
	return -1;
}

static bool is_setting(char const *name)
{
	for (CONF_PARSER const *p = wsmfa_module_config; p->name; p++) {
		if (strcmp(p->name, name) == 0) return true;
	}
	return false;
}

/** Unknown settings and settings that are written twice. */
static int check_names(CONF_SECTION *conf)
{
	for (CONF_ITEM *ci = cf_item_find_next(conf, NULL); ci; ci = cf_item_find_next(conf, ci)) {
		if (cf_item_is_pair(ci)) {
			CONF_PAIR *cp = cf_item_to_pair(ci);
			char const *name = cf_pair_attr(cp);

			if (!is_setting(name)) {
				cf_log_err_cp(cp, "unknown setting \"%s\": raddb/mods-available/wsmfa lists all there are", name);
				return -1;
			}
			if (cf_pair_find(conf, name) != cp) {
				cf_log_err_cp(cp, "%s is set twice: take one away", name);
				return -1;
			}
		} else if (cf_item_is_section(ci)) {
			CONF_SECTION *cs = cf_item_to_section(ci);
			char const *name = cf_section_name1(cs);

			if (strcmp(name, "pool") != 0 && strcmp(name, "sms") != 0 && strcmp(name, "push") != 0 &&
			    strcmp(name, "texts") != 0) {
				cf_log_err_cs(cs, "unknown section \"%s\": there are pool, sms, push and texts", name);
				return -1;
			}
		}
	}
	return 0;
}

/** The host takes a sign, clamps and wraps: the text itself is looked at. */
static int check_ranges(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	char why[128];

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		CONF_PAIR *cp = cf_pair_find(conf, ranges[i].name);
		char const *text = cp ? cf_pair_value(cp) : NULL;
		uint32_t value;

		memcpy(&value, (char const *)inst + ranges[i].offset, sizeof(value));
		if (text && (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)) {
			snprintf(why, sizeof(why), "\"%s\" is not a whole number from %u to %u", text, ranges[i].least,
				 ranges[i].most);
			return refuse(conf, ranges[i].name, why);
		}
		if (value < ranges[i].least || value > ranges[i].most) {
			snprintf(why, sizeof(why), "%u is out of range: from %u to %u", value, ranges[i].least, ranges[i].most);
			return refuse(conf, ranges[i].name, why);
		}
	}
	return 0;
}

static bool is_printable_ascii(char const *text)
{
	for (; *text; text++) {
		if (*text < 0x20 || *text > 0x7E) return false;
	}
	return true;
}

static int check_enroll_methods(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	char copy[64];
	char *save = NULL;
	uint32_t kinds = 0;

	if (strlen(inst->enroll_methods) >= sizeof(copy)) return refuse(conf, "enroll_methods", "write totp, sms or both");
	strlcpy(copy, inst->enroll_methods, sizeof(copy));
	for (char *word = strtok_r(copy, ", \t", &save); word; word = strtok_r(NULL, ", \t", &save)) {
		enum wsmfa_kind kind;

		if (!wsmfa_kind_parse(word, &kind) || (kind != WSMFA_KIND_TOTP && kind != WSMFA_KIND_SMS)) {
			return refuse(conf, "enroll_methods", "only totp and sms can be enrolled at a prompt");
		}
		kinds |= 1U << (unsigned)kind;
	}
	inst->service.set.policy.enroll_kinds = kinds;
	return 0;
}

/** libpq's own reading of the connection string; what is wrong with it is told without its values. */
static int check_connection(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	char *ignored = NULL;
	PQconninfoOption *options = PQconninfoParse(inst->connection, &ignored);

	PQfreemem(ignored);
	if (!options) return refuse(conf, "connection", "not a connection string of libpq: write \"host=... dbname=... user=...\"");
	PQconninfoFree(options);
	return 0;
}

static int check_words(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	size_t const separator = strlen(inst->append_separator);

	if (check_connection(inst, conf) < 0) return -1;
	if (strcmp(inst->on_store_failure, "ignore") == 0) {
		inst->ignore_on_store_failure = true;
	} else if (strcmp(inst->on_store_failure, "reject") != 0) {
		return refuse(conf, "on_store_failure", "write reject or ignore");
	}
	if (strcmp(inst->enroll_ticket, "required") != 0 && strcmp(inst->enroll_ticket, "none") != 0) {
		return refuse(conf, "enroll_ticket", "write none or required");
	}
	if (strlen(inst->default_service) >= WSMFA_CODE_MAX) {
		return refuse(conf, "default_service", "the code of a service has at most 32 characters");
	}
	if (strlen(inst->enroll_url) > 100 || !is_printable_ascii(inst->enroll_url)) {
		return refuse(conf, "enroll_url", "at most 100 ASCII characters: the whole text has to fit into 253");
	}
	if (strlen(inst->server_name) > 200 || !is_printable_ascii(inst->server_name)) {
		return refuse(conf, "server_name", "at most 200 printable ASCII characters: as many tell two servers apart");
	}
	if (separator < 1 || separator > WSMFA_SEPARATOR_MAX || !is_printable_ascii(inst->append_separator) ||
	    strpbrk(inst->append_separator, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) {
		return refuse(conf, "append_separator", "1 to 8 printable ASCII characters, no letters and no digits");
	}
	if (!wsmfa_prefixes_valid(inst->sms_prefixes)) {
		return refuse(conf, "sms_prefixes", "write all, or prefixes such as \"+358, +46\"");
	}
	if (inst->delay_max > 0 && main_config.reject_delay.tv_sec == 0) {
		/* The host ignores a delay of ours without one of its own. */
		WARN("rlm_wsmfa (%s): reject_delay is 0 in radiusd.conf, so wrong passwords are not delayed", inst->name);
	}
	return check_enroll_methods(inst, conf);
}

/* ---- the key file ---- */

/** Reads a small file that must be private: at most `size` - 1 octets. Returns its length or -1 with a sentence. */
static ssize_t read_private(char const *path, char *out, size_t size, char *err, size_t errlen)
{
	struct stat st;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		snprintf(err, errlen, "%s can't be read: %s. `wsmfactl key init` makes it", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(err, errlen, "%s is not a file", path);
	} else if (st.st_mode & (S_IWGRP | S_IRWXO)) {
		snprintf(err, errlen, "%s may be read or written by others (mode %04o): chmod 0640 or 0600 it", path,
			 (unsigned)(st.st_mode & 07777));
	} else {
		ssize_t n = 1;

		while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0) len += (size_t)n;
		out[len] = '\0';
		if (n == 0) {
			close(fd);
			return (ssize_t)len;
		}
		/* What was read before an error is no ring: its last keys would be missing. */
		snprintf(err, errlen, "%s %s", path, n < 0 ? strerror(errno) : "is too long for a key file");
	}
	close(fd);
	return -1;
}

static int check_keys(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	char text[8192];
	char why[512] = "";
	char err[256] = "";
	ssize_t const len = read_private(inst->key_file, text, sizeof(text), why, sizeof(why));
	bool good = false;

	if (len >= 0) {
		good = wsmfa_keyring_parse(text, (size_t)len, &inst->ring, err, sizeof(err)) &&
		       wsmfa_mac_keys_derive(&inst->service.macs, inst->ring);
		if (!good) snprintf(why, sizeof(why), "%s: %s", inst->key_file, err[0] ? err : "keys can't be derived from it");
	}
	OPENSSL_cleanse(text, sizeof(text));
	if (!good) return refuse(conf, "key_file", why);
	inst->service.ring = inst->ring;
	return 0;
}

/* ---- the decoy: what an unknown account's password is compared with ---- */

/** As `wsmfactl account add` writes passwords, so that an unknown name costs what a known one costs. */
static int check_decoy(rlm_wsmfa_t *inst)
{
	uint8_t salt[16];
	uint8_t hash[32];
	uint32_t const iterations = htonl(100000);
	char count64[16];
	char salt64[32];
	char hash64[64];

	if (inst->decoy_password) return 0;
	if (RAND_bytes(salt, sizeof(salt)) != 1 || RAND_bytes(hash, sizeof(hash)) != 1) return -1;
	wsmfa_base64_encode(count64, sizeof(count64), (uint8_t const *)&iterations, sizeof(iterations));
	wsmfa_base64_encode(salt64, sizeof(salt64), salt, sizeof(salt));
	wsmfa_base64_encode(hash64, sizeof(hash64), hash, sizeof(hash));
	inst->decoy_password = talloc_asprintf(inst, "{x-pbkdf2}HMACSHA2+256:%s:%s:%s", count64, salt64, hash64);
	return inst->decoy_password ? 0 : -1;
}

/* ---- texts ---- */

static int check_text(CONF_PAIR *cp, struct wsmfa_language *language)
{
	char const *name = cf_pair_attr(cp);
	char const *value = cf_pair_value(cp);
	char const *bad;
	char const *lacks;

	for (int id = WSMFA_TEXT_NONE + 1; id < WSMFA_TEXTS; id++) {
		size_t const len = value ? strlen(value) : 0;

		if (strcmp(wsmfa_text_setting((enum wsmfa_text)id), name) != 0) continue;
		if (len == 0 || !wsmfa_utf8_valid((uint8_t const *)value, len)) {
			cf_log_err_cp(cp, "%s: the text is empty or not UTF-8", name);
			return -1;
		}
		if (!wsmfa_text_check(value, &bad)) {
			cf_log_err_cp(cp, "%s: unknown placeholder at \"%.20s\": docs/texts.md lists them", name, bad);
			return -1;
		}
		lacks = wsmfa_text_lacks((enum wsmfa_text)id, value);
		if (lacks) {
			cf_log_err_cp(cp, "%s: the text has to contain \"%s\": write it in, or take the line away for the module's own text",
				      name, lacks);
			return -1;
		}
		if (strncmp(name, "ask_", 4) == 0 && (len < 2 || strcmp(value + len - 2, ": ") != 0)) {
			cf_log_err_cp(cp, "%s: a question ends in \": \", because some clients use it as the prompt", name);
			return -1;
		}
		if (language->text[id]) {
			cf_log_err_cp(cp, "%s is set twice: take one away", name);
			return -1;
		}
		language->text[id] = value;
		return 0;
	}
	cf_log_err_cp(cp, "unknown text \"%s\": docs/texts.md lists all there are", name);
	return -1;
}

static int check_texts(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	for (CONF_SECTION *cs = cf_subsection_find_next(conf, NULL, "texts"); cs;
	     cs = cf_subsection_find_next(conf, cs, "texts")) {
		char const *code = cf_section_name2(cs);
		struct wsmfa_language *language = &inst->languages[inst->languages_len];

		if (!code || strlen(code) >= sizeof(language->code)) {
			cf_log_err_cs(cs, "texts wants a language, as in \"texts fi { }\"");
			return -1;
		}
		if (inst->languages_len == WSMFA_LANGUAGES_MAX) {
			cf_log_err_cs(cs, "more than %d languages", WSMFA_LANGUAGES_MAX);
			return -1;
		}
		for (size_t i = 0; i < inst->languages_len; i++) {
			if (strcmp(inst->languages[i].code, code) != 0) continue;
			cf_log_err_cs(cs, "the language %s has two sections: join them", code);
			return -1;
		}
		strlcpy(language->code, code, sizeof(language->code));
		for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
			if (!cf_item_is_pair(ci)) continue;
			if (check_text(cf_item_to_pair(ci), language) < 0) return -1;
		}
		inst->languages_len++;
	}
	inst->service.texts = (struct wsmfa_texts){ .list = inst->languages, .len = inst->languages_len };
	return 0;
}

/* ---- providers ---- */

#define PROVIDER_SETTINGS_MAX 64

static int check_provider(rlm_wsmfa_t *inst, CONF_SECTION *cs, enum wsmfa_kind channel)
{
	struct wsmfa_setting settings[PROVIDER_SETTINGS_MAX];
	size_t n = 0;
	char err[512] = "";
	char const *name = cf_section_name2(cs);
	CONF_PAIR *type = cf_pair_find(cs, "type");
	struct wsmfa_provider_ops const *ops;
	struct wsmfa_provider *provider;

	if (!name || !name[0] || strlen(name) >= WSMFA_LABEL_MAX) {
		cf_log_err_cs(cs, "%s wants a name of at most %d characters, as in \"%s local { }\"", cf_section_name1(cs),
			      WSMFA_LABEL_MAX - 1, cf_section_name1(cs));
		return -1;
	}
	for (size_t i = 0; i < inst->providers_len; i++) {
		if (strcmp(inst->providers[i]->name, name) != 0) continue;
		cf_log_err_cs(cs, "two providers are called %s: give one another name and say its type", name);
		return -1;
	}
	if (inst->providers_len == WSMFA_PROVIDERS_MAX) {
		cf_log_err_cs(cs, "more than %d providers", WSMFA_PROVIDERS_MAX);
		return -1;
	}
	ops = wsmfa_provider_find(channel, type ? cf_pair_value(type) : name);
	if (!ops) {
		cf_log_err_cs(cs, "there is no %s provider of type %s", cf_section_name1(cs), type ? cf_pair_value(type) : name);
		return -1;
	}
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		CONF_PAIR *cp;

		if (cf_item_is_section(ci)) {
			cf_log_err_cs(cf_item_to_section(ci), "a provider has no sections");
			return -1;
		}
		if (!cf_item_is_pair(ci)) continue;
		cp = cf_item_to_pair(ci);
		if (cp == type) continue;
		if (n == PROVIDER_SETTINGS_MAX) {
			cf_log_err_cp(cp, "more than %d settings", PROVIDER_SETTINGS_MAX);
			return -1;
		}
		settings[n++] = (struct wsmfa_setting){ .name = cf_pair_attr(cp),
							.value = cf_pair_value(cp) ? cf_pair_value(cp) : "",
							.file = cf_pair_filename(cp),
							.line = cf_pair_lineno(cp) };
	}
	provider = ops->configure(name, settings, n, err, sizeof(err));
	if (!provider) {
		cf_log_err_cs(cs, "%s", err);
		return -1;
	}
	inst->providers[inst->providers_len++] = provider;
	if (channel == WSMFA_KIND_SMS && !inst->service.sms_provider) inst->service.sms_provider = provider->name;
	return 0;
}

static int check_providers(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	static struct {
		char const *section;
		enum wsmfa_kind channel;
	} const channels[] = { { "sms", WSMFA_KIND_SMS }, { "push", WSMFA_KIND_PUSH } };

	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
		for (CONF_SECTION *cs = cf_subsection_find_next(conf, NULL, channels[i].section); cs;
		     cs = cf_subsection_find_next(conf, cs, channels[i].section)) {
			if (check_provider(inst, cs, channels[i].channel) < 0) return -1;
		}
	}
	return 0;
}

static void fill_service(rlm_wsmfa_t *inst)
{
	struct wsmfa_flow_settings *set = &inst->service.set;

	set->policy.failure_budget = (int32_t)inst->failure_budget;
	set->limits = (struct wsmfa_limits){
		.lock_after = (int32_t)inst->lock_after,
		.failure_budget = (int32_t)inst->failure_budget,
		.failure_days = (int32_t)inst->failure_days,
		.max_attempts = (int32_t)inst->max_attempts,
		.push_max = (int32_t)inst->push_max,
		.sms_max = (int32_t)inst->sms_max,
		.sms_number_max = (int32_t)inst->sms_number_max,
		.sms_organization_max = (int32_t)inst->sms_organization_max,
		.sms_total_max = (int32_t)inst->sms_total_max,
	};
	set->challenge_lifetime = inst->challenge_lifetime * WSMFA_SECOND;
	set->code_lifetime = inst->code_lifetime * WSMFA_SECOND;
	set->push_timeout = inst->push_timeout * WSMFA_SECOND;
	set->banner_every = inst->banner_every * WSMFA_SECOND;
	set->enroll_grace = inst->enroll_grace * WSMFA_DAY;
	set->max_attempts = (int32_t)inst->max_attempts;
	set->code_digits = inst->code_digits;
	set->totp_window = inst->totp_window;
	set->push_require_number = inst->push_require_number;
	set->enroll_ticket = strcmp(inst->enroll_ticket, "required") == 0;
	set->cap_session = inst->cap_session;
	set->sms_prefixes = inst->sms_prefixes;
	set->enroll_url = inst->enroll_url;
	inst->service.sms_wait = inst->sms_wait * WSMFA_SECOND;
	inst->plain_user_name = strcmp(inst->account_name, "%{User-Name}") == 0;
}

static int check_dictionary(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	struct {
		char const *name;
		DICT_ATTR const **out;
	} const attributes[] = {
		{ "WSMFA-Account", &inst->dict.account },	{ "WSMFA-Decision", &inst->dict.decision },
		{ "WSMFA-Stage", &inst->dict.stage },		{ "WSMFA-Region", &inst->dict.region },
		{ "WSMFA-Service", &inst->dict.service },	{ "WSMFA-Method", &inst->dict.method },
		{ "WSMFA-Outcome", &inst->dict.outcome },	{ "WSMFA-Enforce-From", &inst->dict.enforce_from },
		{ "WSMFA-Response", &inst->dict.response },	{ "WSMFA-Identity", &inst->dict.identity },
	};
	DICT_VALUE const *login = dict_valbyname(PW_AUTH_TYPE, 0, "WSMFA-Login");
	DICT_VALUE const *response = dict_valbyname(PW_AUTH_TYPE, 0, "WSMFA-Response");

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		*attributes[i].out = dict_attrbyname(attributes[i].name);
		if (*attributes[i].out) continue;
		cf_log_err_cs(conf, "the attribute %s is unknown: add \"$INCLUDE dictionary.wsmfa\" to raddb/dictionary",
			      attributes[i].name);
		return -1;
	}
	if (!login || !response) {
		cf_log_err_cs(conf, "no site has Auth-Type WSMFA-Login and WSMFA-Response: see raddb/sites-available/wsmfa");
		return -1;
	}
	inst->dict.auth_type_login = (uint32_t)login->value;
	inst->dict.auth_type_response = (uint32_t)response->value;
	return 0;
}

int wsmfa_conf_check(rlm_wsmfa_t *inst, CONF_SECTION *conf)
{
	if (check_names(conf) < 0 || check_ranges(inst, conf) < 0 || check_words(inst, conf) < 0) return -1;
	if (check_dictionary(inst, conf) < 0) return -1;
	if (check_keys(inst, conf) < 0 || check_decoy(inst) < 0) return -1;
	if (check_texts(inst, conf) < 0 || check_providers(inst, conf) < 0) return -1;
	fill_service(inst);
	if (gethostname(inst->host, sizeof(inst->host)) < 0) strlcpy(inst->host, "unknown", sizeof(inst->host));
	inst->host[sizeof(inst->host) - 1] = '\0';
	if (!inst->server_name[0]) inst->server_name = inst->host;
	return 0;
}

void wsmfa_conf_free(rlm_wsmfa_t *inst)
{
	for (size_t i = 0; i < inst->providers_len; i++) inst->providers[i]->ops->free(inst->providers[i]);
	inst->providers_len = 0;
	wsmfa_mac_keys_wipe(&inst->service.macs);
	wsmfa_keyring_free(inst->ring);
	inst->ring = NULL;
}
