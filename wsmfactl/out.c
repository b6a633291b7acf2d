/* Tables and JSON from results of PostgreSQL.
 * Apart from the subcommands so that there is one way to print. */
#include "out.h"
#include "db.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Type oids of PostgreSQL, from its catalog's pg_type.dat: they never change. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_JSON = 114,
	OID_FLOAT8 = 701,
	OID_TEXT_ARRAY = 1009,
	OID_DATE = 1082,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802
};

#define JSON_FORMAT (JSON_REAL_PRECISION(12) | JSON_ENCODE_ANY)

/* The next element of an array of texts as PostgreSQL writes it: {plain,"quo\"ted",NULL}. false at its end. */
static bool element_next(char const **p, char *out)
{
	bool quoted;

	if (**p == '{' || **p == ',')
		(*p)++;
	if (**p == '}' || !**p)
		return false;
	quoted = **p == '"';
	if (quoted)
		(*p)++;
	while (**p && (quoted ? **p != '"' : **p != ',' && **p != '}')) {
		if (**p == '\\' && (*p)[1])
			(*p)++;
		*out++ = *(*p)++;
	}
	if (quoted && **p)
		(*p)++;
	*out = '\0';
	return true;
}

/* "2024-04-22 00:00:00+02" as ISO 8601 has it: with a T, and the zone with its minutes. */
static json_t *time_json(char const *text)
{
	char iso[64];
	size_t len = strlen(text);

	if (len < 19 || len > sizeof(iso) - 4 || text[10] != ' ')
		return json_string(text);
	memcpy(iso, text, len + 1);
	iso[10] = 'T';
	if (iso[len - 3] == '+' || iso[len - 3] == '-')
		memcpy(iso + len, ":00", 4);
	return json_string(iso);
}

static json_t *array_json(char const *text)
{
	json_t *array = json_array();
	char *element = malloc(strlen(text) + 1);

	while (element && element_next(&text, element))
		json_array_append_new(array, json_string(element));
	free(element);
	return array;
}

static json_t *value_json(char const *text, Oid type)
{
	switch (type) {
	case OID_BOOL: return json_boolean(*text == 't');
	case OID_INT2:
	case OID_INT4:
	case OID_INT8: return json_integer(strtoll(text, NULL, 10));
	case OID_FLOAT8:
	case OID_NUMERIC: return json_real(strtod(text, NULL));
	case OID_TEXT_ARRAY: return array_json(text);
	case OID_TIMESTAMPTZ: return time_json(text);
	case OID_JSON:
	case OID_JSONB: return json_loads(text, JSON_DECODE_ANY, NULL);
	default: return json_string(text);
	}
}

json_t *ctl_row_json(PGresult const *res, int row)
{
	json_t *object = json_object();

	for (int i = 0; i < PQnfields(res); i++) {
		if (PQgetisnull(res, row, i))
			json_object_set_new(object, PQfname(res, i), json_null());
		else
			json_object_set_new(object, PQfname(res, i),
					    value_json(PQgetvalue(res, row, i), PQftype(res, i)));
	}
	return object;
}

/* A value as people read it, in memory that is the caller's. */
static char *value_text(PGresult const *res, int row, int column)
{
	char const *text = PQgetvalue(res, row, column);
	Oid type = PQftype(res, column);
	char *out, *to;

	/* A policy of an organization, in the words that --methods takes: no list is all, an empty one is none. */
	if (strcmp(PQfname(res, column), "allowed_methods") == 0 && (*text == '\0' || strcmp(text, "{}") == 0))
		return strdup(*text ? "none" : "all");
	if (PQgetisnull(res, row, column))
		return strdup("-");
	if (type == OID_BOOL)
		return strdup(*text == 't' ? "yes" : "no");
	out = to = calloc(2, strlen(text) + 2);
	if (!out)
		return NULL;
	if (type == OID_TEXT_ARRAY) {
		while (element_next(&text, to)) {
			to += strlen(to);
			memcpy(to, ", ", 3);
			to += 2;
		}
		if (to == out)
			memcpy(out, "-", 2);
		else
			to[-2] = '\0';
	} else {
		memcpy(out, text, strlen(text) + 1);
		/* Microseconds are for programs. */
		to = type == OID_TIMESTAMPTZ ? strchr(out, '.') : NULL;
		if (to) {
			size_t fraction = 1 + strspn(to + 1, "0123456789");

			memmove(to, to + fraction, strlen(to + fraction) + 1);
		}
	}
	return out;
}

static bool is_number(Oid type)
{
	return type == OID_INT2 || type == OID_INT4 || type == OID_INT8 || type == OID_NUMERIC || type == OID_FLOAT8;
}

static void cell_put(char const *text, int width, bool right, bool last)
{
	int blanks = width - ctl_text_width(text);

	for (int i = 0; right && i < blanks; i++)
		fputc(' ', stdout);
	ctl_put_clean(stdout, text);
	for (int i = 0; !right && !last && i < blanks; i++)
		fputc(' ', stdout);
	fputs(last ? "\n" : "  ", stdout);
}

static void title_put(struct ctl const *c, PGresult const *res, int column, int width)
{
	char title[64];
	char const *name = PQfname(res, column);
	size_t i;
	bool last = column + 1 == PQnfields(res);

	for (i = 0; i < sizeof(title) - 1 && name[i]; i++)
		title[i] = name[i] == '_'                     ? ' '
			   : name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A')
							      : name[i];
	title[i] = '\0';
	if (column == 0)
		fputs(ctl_style(c, CTL_BOLD), stdout);
	if (last)
		printf("%*s%s%s\n", is_number(PQftype(res, column)) ? width - (int)i : 0, "", title,
		       ctl_style(c, CTL_PLAIN));
	else
		cell_put(title, width, is_number(PQftype(res, column)), false);
}

static void table_begin(struct ctl_list *list, PGresult const *res, int columns)
{
	for (int i = 0; i < columns; i++) {
		list->width[i] = (int)strlen(PQfname(res, i));
		for (int row = 0; row < PQntuples(res); row++) {
			char *text = value_text(res, row, i);
			int width = text ? ctl_text_width(text) : 0;

			if (width > list->width[i])
				list->width[i] = width;
			free(text);
		}
	}
	for (int i = 0; i < columns; i++)
		title_put(list->c, res, i, list->width[i]);
}

void ctl_list_begin(struct ctl_list *list, struct ctl *c)
{
	*list = (struct ctl_list) { .c = c };
	if (c->json)
		fputs("[", stdout);
}

void ctl_list_rows(struct ctl_list *list, PGresult const *res)
{
	int columns = PQnfields(res) < CTL_COLUMNS_MAX ? PQnfields(res) : CTL_COLUMNS_MAX;

	if (!list->c->json && !list->width[0])
		table_begin(list, res, columns);
	for (int row = 0; row < PQntuples(res); row++, list->rows++) {
		if (list->c->json) {
			json_t *object = ctl_row_json(res, row);

			fputs(list->rows ? ",\n " : "\n ", stdout);
			json_dumpf(object, stdout, JSON_FORMAT);
			json_decref(object);
			continue;
		}
		for (int i = 0; i < columns; i++) {
			char *text = value_text(res, row, i);

			cell_put(text ? text : "", list->width[i], is_number(PQftype(res, i)), i + 1 == columns);
			free(text);
		}
	}
}

void ctl_list_end(struct ctl_list *list)
{
	if (list->c->json)
		fputs(list->rows ? "\n]\n" : "]\n", stdout);
}

enum ctl_exit ctl_print_rows(struct ctl *c, PGresult *res)
{
	struct ctl_list list;

	if (!res)
		return CTL_FAILED;
	ctl_list_begin(&list, c);
	ctl_list_rows(&list, res);
	ctl_list_end(&list);
	PQclear(res);
	return CTL_OK;
}

enum ctl_exit ctl_print_cursor(struct ctl *c, char const *sql, int n, ...)
{
	char const *values[CTL_PARAMETERS_MAX];
	char declare[4096];
	struct ctl_list list;
	PGresult *res;
	va_list parameters;
	int rows;

	va_start(parameters, n);
	for (int i = 0; i < n && i < CTL_PARAMETERS_MAX; i++)
		values[i] = va_arg(parameters, char const *);
	va_end(parameters);
	if ((size_t)snprintf(declare, sizeof(declare), "DECLARE rows NO SCROLL CURSOR FOR %s", sql) >= sizeof(declare))
		abort();
	if (!ctl_exec(c, "BEGIN READ ONLY"))
		return CTL_FAILED;
	res = ctl_query_array(c, declare, n, values);
	if (!res)
		return CTL_FAILED;
	PQclear(res);
	ctl_list_begin(&list, c);
	do {
		res = ctl_query(c, "FETCH 2000 FROM rows", 0);
		if (!res)
			return CTL_FAILED;
		ctl_list_rows(&list, res);
		rows = PQntuples(res);
		PQclear(res);
	} while (rows > 0 && !ferror(stdout));
	ctl_list_end(&list);
	return CTL_OK;
}

enum ctl_exit ctl_print_json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_FORMAT | JSON_INDENT(1));

	json_decref(value);
	fputc('\n', stdout);
	return failed ? CTL_FAILED : CTL_OK;
}

enum ctl_exit ctl_print_done(json_t *object)
{
	return ctl_print_json(json_pack("[o]", object));
}

enum ctl_exit ctl_print_row(struct ctl *c, PGresult *res)
{
	int width = 0;

	if (!res)
		return CTL_FAILED;
	if (c->json) {
		enum ctl_exit code = ctl_print_done(ctl_row_json(res, 0));

		PQclear(res);
		return code;
	}
	for (int i = 0; i < PQnfields(res); i++)
		width = (int)strlen(PQfname(res, i)) > width ? (int)strlen(PQfname(res, i)) : width;
	for (int i = 0; i < PQnfields(res); i++) {
		char *text = value_text(res, 0, i);

		printf("%s%-*s%s  ", ctl_style(c, CTL_DIM), width, PQfname(res, i), ctl_style(c, CTL_PLAIN));
		ctl_put_clean(stdout, text ? text : "");
		fputc('\n', stdout);
		free(text);
	}
	PQclear(res);
	return CTL_OK;
}

enum ctl_exit ctl_flush(enum ctl_exit so_far)
{
	bool failed = ferror(stdout) != 0;

	if (fflush(stdout) != 0)
		failed = true;
	if (failed && so_far == CTL_OK)
		return ctl_fail("the output could not be written: %s", strerror(errno));
	return so_far;
}
