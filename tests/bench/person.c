/* Accounts by a rule or from a file; see person.h.
 * Apart from packet.c: one knows RADIUS, the other knows people. */
#include "person.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/totp.h"

#define RULE_KEY "rlm_wsmfa bench"

struct listed {
	char *name, *password;
	struct wsmfa_secret key;
};

struct people {
	size_t count;
	struct listed *listed; // NULL: by the rule
};

struct people *people_by_rule(size_t count)
{
	struct people *p = calloc(1, sizeof(*p));

	if (p)
		p->count = count;
	return p;
}

static bool line_read(char *line, struct listed *out)
{
	char *rest = line, *name = strtok_r(rest, " \t\r\n", &rest), *password = strtok_r(NULL, " \t\r\n", &rest);
	char const *key = strtok_r(NULL, " \t\r\n", &rest);

	if (!name || !password)
		return false;
	if (key && !wsmfa_base32_decode(&out->key, key, strlen(key)))
		return false;
	out->name = strdup(name);
	out->password = strdup(password);
	return out->name && out->password;
}

struct people *people_from_file(char const *path)
{
	struct people *p = calloc(1, sizeof(*p));
	FILE *file = fopen(path, "r");
	char line[1024];
	size_t number = 0, room = 0;

	while (p && file && fgets(line, sizeof(line), file)) {
		number++;
		if (line[strspn(line, " \t\r\n")] == '\0' || *line == '#')
			continue;
		if (p->count == room) {
			struct listed *more = realloc(p->listed, (room = room * 2 + 64) * sizeof(*more));

			if (!more)
				goto failed;
			p->listed = more;
		}
		memset(&p->listed[p->count], 0, sizeof(*p->listed));
		if (!line_read(line, &p->listed[p->count++])) {
			fprintf(stderr, "radload: %s, line %zu: not NAME PASSWORD [BASE32]\n", path, number);
			goto failed;
		}
	}
	if (!file)
		fprintf(stderr, "radload: %s: %s\n", path, strerror(errno));
	if (!p || !file || !p->count)
		goto failed;
	fclose(file);
	return p;

failed:
	if (file)
		fclose(file);
	people_free(p);
	return NULL;
}

void people_free(struct people *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->listed && i < p->count; i++) {
		free(p->listed[i].name);
		free(p->listed[i].password);
		wsmfa_secret_wipe(&p->listed[i].key);
	}
	free(p->listed);
	free(p);
}

size_t people_count(struct people const *p)
{
	return p->count;
}

bool people_get(struct people const *p, size_t n, struct person *out)
{
	char number[24];
	unsigned len = sizeof(out->key.octets);

	if (p->listed) {
		out->name = p->listed[n].name;
		out->password = p->listed[n].password;
		out->key = p->listed[n].key;
		return true;
	}
	snprintf(out->room[0], sizeof(out->room[0]), "user%06zu", n);
	snprintf(out->room[1], sizeof(out->room[1]), "secret-%06zu", n);
	out->name = out->room[0];
	out->password = out->room[1];
	snprintf(number, sizeof(number), "%zu", n);
	if (!HMAC(EVP_sha1(), RULE_KEY, (int)strlen(RULE_KEY), (unsigned char const *)number, strlen(number),
		  out->key.octets, &len))
		return false;
	out->key.len = len;
	return true;
}

bool person_code(struct person const *p, int64_t step, char out[9])
{
	struct wsmfa_totp const totp = {
		.key = &p->key, .algorithm = WSMFA_SHA1, .digits = 6, .period = PERSON_PERIOD
	};

	return p->key.len > 0 && wsmfa_totp_generate(out, &totp, step);
}
