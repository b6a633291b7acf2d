/* Reading a file of people: every row is judged by itself, every bad one told, passwords hashed on all processors.
 * Apart from import.c, which asks the database. */
#include "people.h"
#include "csv.h"
#include "password.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/codec.h"
#include "core/name.h"
#include "core/totp.h"

#define FILE_MAX    ((size_t)1 << 30)
#define THREADS_MAX 64

static char const *const titles[CTL_PEOPLE_COLUMNS] = {
	"name",  "organization", "region",        "services",    "password",
	"phone", "totp_secret",  "push_provider", "push_device",
};

void ctl_people_wrong(struct ctl_people *people, size_t line, char const *format, ...)
{
	va_list list;

	/* Room is doubled whenever the count is a power of two. */
	if ((people->wrong_len & (people->wrong_len - 1)) == 0) {
		size_t room = people->wrong_len ? people->wrong_len * 2 : 1;
		struct ctl_wrong *more = realloc(people->wrong, room * sizeof(*more));

		if (!more)
			abort();
		people->wrong = more;
	}
	people->wrong[people->wrong_len].line = line;
	va_start(list, format);
	vsnprintf(people->wrong[people->wrong_len].reason, sizeof(people->wrong->reason), format, list);
	va_end(list);
	people->wrong_len++;
}

static struct ctl_person *person_add(struct ctl_people *people)
{
	struct ctl_person *person;

	if ((people->rows_len & (people->rows_len - 1)) == 0) {
		size_t room = people->rows_len ? people->rows_len * 2 : 1;
		struct ctl_person *more = realloc(people->rows, room * sizeof(*more));

		if (!more)
			abort();
		people->rows = more;
	}
	person = &people->rows[people->rows_len++];
	*person = (struct ctl_person) { 0 };
	for (size_t i = 0; i < CTL_PEOPLE_COLUMNS; i++)
		person->field[i] = "";
	return person;
}

static void wipe_free(void *memory, size_t len)
{
	if (memory)
		OPENSSL_cleanse(memory, len);
	free(memory);
}

static bool file_read(char const *path, struct ctl_people *out, char *why, size_t why_size)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	size_t room = 0, got;
	bool done = false;

	if (!f) {
		snprintf(why, why_size, "%s can't be read: %s", path, strerror(errno));
		return false;
	}
	do {
		if (out->text_len + 1 >= room) {
			char *more;

			room = room ? room * 2 : 65536;
			more = room > FILE_MAX ? NULL : malloc(room);
			if (!more) {
				snprintf(why, why_size, "%s is too big; split it", path);
				break;
			}
			/* Not realloc: what it leaves behind holds passwords. */
			if (out->text)
				memcpy(more, out->text, out->text_len);
			wipe_free(out->text, out->text_len);
			out->text = more;
		}
		got = fread(out->text + out->text_len, 1, room - out->text_len - 1, f);
		out->text_len += got;
		done = got == 0 && !ferror(f);
	} while (got > 0);
	if (ferror(f))
		snprintf(why, why_size, "%s can't be read: %s", path, strerror(errno));
	if (f != stdin)
		fclose(f);
	return done;
}

/* Which column of the file is which of ours. */
static bool header_read(struct ctl_csv *csv, int *column, size_t *columns, char *why, size_t why_size)
{
	char *fields[CTL_PEOPLE_COLUMNS];
	char const *wrong = "it is empty";
	bool seen[CTL_PEOPLE_COLUMNS] = { false };

	if (ctl_csv_row(csv, fields, CTL_PEOPLE_COLUMNS, columns, &wrong) != CTL_CSV_ROW) {
		snprintf(why, why_size, "the file has no header like name,organization,region,services: %s", wrong);
		return false;
	}
	for (size_t i = 0; i < *columns; i++) {
		for (column[i] = 0; column[i] < CTL_PEOPLE_COLUMNS && strcmp(fields[i], titles[column[i]]) != 0;
		     column[i]++)
			;
		if (column[i] == CTL_PEOPLE_COLUMNS || seen[column[i]]) {
			snprintf(
				why, why_size,
				"the header has %s \"%.60s\"; columns are name, organization, region, services, password, "
				"phone, totp_secret, push_provider, push_device",
				column[i] == CTL_PEOPLE_COLUMNS ? "an unknown column" : "twice", fields[i]);
			return false;
		}
		seen[column[i]] = true;
	}
	for (size_t i = 0; i <= CTL_SERVICES; i++) {
		if (!seen[i]) {
			snprintf(why, why_size, "the header lacks the column %s", titles[i]);
			return false;
		}
	}
	return true;
}

static bool has_control(char const *text)
{
	for (unsigned char const *p = (unsigned char const *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			return true;
	}
	return false;
}

/* Quotes keep a blank at either end. A name with one would be another account, which nobody can type who does not know of it. */
static bool has_outer_blank(char const *text)
{
	return text[0] == ' ' || (text[0] && text[strlen(text) - 1] == ' ');
}

static void password_judge(struct ctl_people *people, struct ctl_person *person)
{
	char const *password = person->field[CTL_PASSWORD];

	if (ctl_password_is_stored(password)) {
		if (strlen(password) >= WSMFA_PASSWORD_MAX)
			ctl_people_wrong(people, person->line, "the password's {header}value has more than %d octets",
					 WSMFA_PASSWORD_MAX - 1);
	} else if (strlen(password) > CTL_PASSWORD_CLEAR_MAX) {
		ctl_people_wrong(people, person->line, "the password has more than %d octets: RADIUS can't carry it",
				 CTL_PASSWORD_CLEAR_MAX);
	} else {
		person->clear = password[0] != '\0';
	}
}

static void person_judge(struct ctl_people *people, struct ctl_person *person)
{
	char const *const *f = person->field;
	struct wsmfa_secret key;

	for (size_t i = 0; i < CTL_PEOPLE_COLUMNS; i++) {
		/* Without the value: it may be a secret, and it is not fit for a terminal. */
		if (!wsmfa_utf8_valid((uint8_t const *)f[i], strlen(f[i])))
			ctl_people_wrong(people, person->line, "%s is not UTF-8", titles[i]);
		else if (i != CTL_PASSWORD && has_control(f[i]))
			ctl_people_wrong(people, person->line, "%s has a control character, like a line break",
					 titles[i]);
		else if (i != CTL_PASSWORD && has_outer_blank(f[i]))
			ctl_people_wrong(people, person->line, "%s begins or ends with a blank", titles[i]);
		else
			continue;
		return;
	}
	if (!f[CTL_NAME][0])
		ctl_people_wrong(people, person->line, "the name is empty");
	else if (!wsmfa_account_name(person->name, (uint8_t const *)f[CTL_NAME], strlen(f[CTL_NAME])))
		ctl_people_wrong(people, person->line,
				 "the name is none: 1 to 253 octets without control characters are");
	if (!f[CTL_ORGANIZATION][0] || strlen(f[CTL_ORGANIZATION]) > 200)
		ctl_people_wrong(people, person->line, "the organization has not 1 to 200 octets");
	if (!f[CTL_REGION][0])
		ctl_people_wrong(people, person->line, "the region is empty");
	if (!f[CTL_SERVICES][0])
		ctl_people_wrong(people, person->line, "there is no service; several are separated by ;");
	if (f[CTL_PHONE][0] && !wsmfa_phone_valid(f[CTL_PHONE]))
		ctl_people_wrong(people, person->line, "the phone \"%.40s\" is no number like +358401234567",
				 f[CTL_PHONE]);
	if (f[CTL_TOTP_SECRET][0]) {
		if (!wsmfa_base32_decode(&key, f[CTL_TOTP_SECRET], strlen(f[CTL_TOTP_SECRET])))
			ctl_people_wrong(people, person->line,
					 "the totp_secret is no base32: letters and the digits 2 to 7");
		else if (key.len < WSMFA_TOTP_KEY_LEAST)
			ctl_people_wrong(people, person->line, "the totp_secret has less than %d bits",
					 WSMFA_TOTP_KEY_LEAST * 8);
		wsmfa_secret_wipe(&key);
	}
	if (!f[CTL_PUSH_PROVIDER][0] != !f[CTL_PUSH_DEVICE][0])
		ctl_people_wrong(people, person->line, "push_provider and push_device go together");
	if (strlen(f[CTL_PUSH_PROVIDER]) >= WSMFA_LABEL_MAX || strlen(f[CTL_PUSH_DEVICE]) >= WSMFA_DEVICE_MAX)
		ctl_people_wrong(people, person->line, "push_provider or push_device is too long");
	password_judge(people, person);
}

bool ctl_people_read(char const *path, struct ctl_people *out, char *why, size_t why_size)
{
	struct ctl_csv csv;
	char *fields[CTL_PEOPLE_COLUMNS];
	int column[CTL_PEOPLE_COLUMNS];
	size_t columns, n, judged;
	char const *wrong;
	enum ctl_csv_status status;

	*out = (struct ctl_people) { 0 };
	if (!file_read(path, out, why, why_size))
		return false;
	ctl_csv_begin(&csv, out->text, out->text_len);
	if (!header_read(&csv, column, &columns, why, why_size))
		return false;
	while ((status = ctl_csv_row(&csv, fields, columns, &n, &wrong)) != CTL_CSV_END) {
		struct ctl_person *person;

		if (status == CTL_CSV_BAD) {
			ctl_people_wrong(out, csv.line, "%s", wrong);
			continue;
		}
		if (n != columns) {
			ctl_people_wrong(out, csv.line, "%zu fields where the header has %zu", n, columns);
			continue;
		}
		person = person_add(out);
		person->line = csv.line;
		for (size_t i = 0; i < columns; i++)
			person->field[column[i]] = fields[i];
		judged = out->wrong_len;
		person_judge(out, person);
		person->wrong = out->wrong_len > judged;
	}
	return true;
}

bool ctl_person_key(struct ctl_person const *person, struct wsmfa_secret *key)
{
	char const *text = person->field[CTL_TOTP_SECRET];

	return text[0] && wsmfa_base32_decode(key, text, strlen(text));
}

/* What the hashing threads share. */
struct hashing {
	struct ctl_people *people;
	uint32_t iterations;
	atomic_size_t next; //!< row to look at
	atomic_size_t done; //!< hashes made
	atomic_bool failed;
};

static void *hashing_run(void *arg)
{
	struct hashing *h = arg;
	size_t i;

	while ((i = atomic_fetch_add(&h->next, 1)) < h->people->rows_len && !atomic_load(&h->failed)) {
		struct ctl_person *person = &h->people->rows[i];
		uint8_t salt[CTL_PASSWORD_SALT];

		if (!person->clear)
			continue;
		person->hash = malloc(CTL_PASSWORD_STORED_MAX);
		if (!person->hash || RAND_bytes(salt, sizeof(salt)) != 1 ||
		    !ctl_password_hash(person->field[CTL_PASSWORD], h->iterations, salt, person->hash))
			atomic_store(&h->failed, true);
		atomic_fetch_add(&h->done, 1);
	}
	return NULL;
}

bool ctl_people_hash(struct ctl_people *people, uint32_t iterations, void (*progress)(size_t done, size_t total))
{
	struct hashing h = { .people = people, .iterations = iterations };
	pthread_t threads[THREADS_MAX];
	long wanted = sysconf(_SC_NPROCESSORS_ONLN);
	size_t total = 0, started = 0;
	struct timespec until;

	for (size_t i = 0; i < people->rows_len; i++)
		total += people->rows[i].clear;
	if (!total)
		return true;
	while (started < THREADS_MAX && (long)started < (wanted > 1 ? wanted : 1)) {
		if (pthread_create(&threads[started], NULL, hashing_run, &h) != 0)
			break;
		started++;
	}
	if (!started)
		hashing_run(&h);
	for (size_t i = 0; i < started; i++) {
		do {
			progress(atomic_load(&h.done), total);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 100000000;
			until.tv_sec += until.tv_nsec / 1000000000;
			until.tv_nsec %= 1000000000;
		} while (pthread_timedjoin_np(threads[i], NULL, &until) == ETIMEDOUT);
	}
	progress(total, total);
	return !atomic_load(&h.failed);
}

void ctl_people_free(struct ctl_people *people)
{
	for (size_t i = 0; i < people->rows_len; i++) {
		wipe_free(people->rows[i].hash, CTL_PASSWORD_STORED_MAX);
	}
	wipe_free(people->text, people->text_len);
	free(people->rows);
	free(people->wrong);
	*people = (struct ctl_people) { 0 };
}
