/* Encoders of parameters and strict decoders of results, binary formats of PostgreSQL.
 * Apart from the statements: what a database sends is foreign, and this is the border. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "store/pg_value.h"

/* 2000-01-01 in microseconds since 1970-01-01. */
#define PG_EPOCH INT64_C(946684800000000)

static void put(struct pg_params *p, void const *value, size_t len)
{
	if (p->len == PG_PARAMS_MAX)
		__builtin_trap();
	p->values[p->len] = value;
	p->lengths[p->len] = (int)len;
	p->formats[p->len] = 1;
	p->len++;
}

static void *store(struct pg_params *p, void const *value, size_t len)
{
	void *to = p->storage + p->stored;

	if (len > sizeof(p->storage) - p->stored)
		__builtin_trap();
	memcpy(to, value, len);
	p->stored += len;
	return to;
}

static void put_copy(struct pg_params *p, void const *value, size_t len)
{
	put(p, store(p, value, len), len);
}

void wsmfa_pg_put_null(struct pg_params *p)
{
	put(p, NULL, 0);
}

void wsmfa_pg_put_bool(struct pg_params *p, bool value)
{
	put_copy(p, value ? "\1" : "\0", 1);
}

void wsmfa_pg_put_int4(struct pg_params *p, int32_t value)
{
	uint32_t wire = htobe32((uint32_t)value);

	put_copy(p, &wire, sizeof(wire));
}

void wsmfa_pg_put_int8(struct pg_params *p, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	put_copy(p, &wire, sizeof(wire));
}

static int64_t time_wire(wsmfa_time_t value)
{
	if (value == WSMFA_TIME_FOREVER)
		return INT64_MAX;
	return value <= INT64_MIN + PG_EPOCH ? INT64_MIN : value - PG_EPOCH;
}

void wsmfa_pg_put_time(struct pg_params *p, wsmfa_time_t value)
{
	if (value == WSMFA_TIME_NONE)
		wsmfa_pg_put_null(p);
	else
		wsmfa_pg_put_int8(p, time_wire(value));
}

void wsmfa_pg_put_text(struct pg_params *p, char const *value)
{
	put(p, value, value ? strlen(value) : 0);
}

void wsmfa_pg_put_octets(struct pg_params *p, uint8_t const *value, size_t len)
{
	put(p, value, value ? len : 0);
}

void wsmfa_pg_put_int8s(struct pg_params *p, int64_t const *values, size_t len)
{
	/* dimensions, has nulls, element type, length, lower bound; then length and value of each */
	uint32_t head[5] = { htobe32(1), 0, htobe32(PG_INT8), htobe32((uint32_t)len), htobe32(1) };
	uint8_t *begin;

	if (len == 0)
		head[0] = 0;
	begin = store(p, head, len ? sizeof(head) : 3 * sizeof(head[0]));
	for (size_t i = 0; i < len; i++) {
		uint32_t size = htobe32(8);
		uint64_t wire = htobe64((uint64_t)values[i]);

		(void)store(p, &size, sizeof(size));
		(void)store(p, &wire, sizeof(wire));
	}
	put(p, begin, (size_t)(p->storage + p->stored - begin));
}

/* Appends to the last parameter. Its arrays move when their room grows. */
static void append(struct pg_params *p, void const *value, size_t len)
{
	size_t size = p->arrays_size ? p->arrays_size : 4096;

	while (size - p->arrays_len < len && size <= SIZE_MAX / 4)
		size *= 2;
	if (size > p->arrays_size) {
		uint8_t *larger = size - p->arrays_len < len ? NULL : realloc(p->arrays, size);

		if (!larger) {
			p->out_of_memory = true;
			return;
		}
		p->arrays = larger;
		p->arrays_size = size;
		for (int i = 0; i < p->len; i++) {
			if (p->begins[i])
				p->values[i] = (char const *)p->arrays + p->begins[i] - 1;
		}
	}
	if (len)
		memcpy(p->arrays + p->arrays_len, value, len);
	p->arrays_len += len;
	p->lengths[p->len - 1] += (int)len;
}

void wsmfa_pg_put_array(struct pg_params *p, uint32_t type, size_t len)
{
	uint32_t const head[5] = { htobe32(len ? 1 : 0), 0, htobe32(type), htobe32((uint32_t)len), htobe32(1) };

	put(p, p->arrays ? p->arrays + p->arrays_len : NULL, 0);
	p->begins[p->len - 1] = p->arrays_len + 1; // 0: no array
	append(p, head, len ? sizeof(head) : 3 * sizeof(head[0]));
}

void wsmfa_pg_put_element(struct pg_params *p, void const *value, size_t len)
{
	uint32_t const size = value ? htobe32((uint32_t)len) : UINT32_MAX, some = htobe32(1);

	append(p, &size, sizeof(size));
	append(p, value, value ? len : 0);
	if (!value && !p->out_of_memory)
		memcpy(p->arrays + p->begins[p->len - 1] - 1 + sizeof(some), &some, sizeof(some)); // it has nulls
}

void wsmfa_pg_put_element_text(struct pg_params *p, char const *value)
{
	wsmfa_pg_put_element(p, value, value ? strlen(value) : 0);
}

void wsmfa_pg_put_element_int4(struct pg_params *p, int32_t value)
{
	uint32_t wire = htobe32((uint32_t)value);

	wsmfa_pg_put_element(p, &wire, sizeof(wire));
}

void wsmfa_pg_put_element_int8(struct pg_params *p, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);

	wsmfa_pg_put_element(p, &wire, sizeof(wire));
}

void wsmfa_pg_put_element_time(struct pg_params *p, wsmfa_time_t value)
{
	if (value == WSMFA_TIME_NONE)
		wsmfa_pg_put_element(p, NULL, 0);
	else
		wsmfa_pg_put_element_int8(p, time_wire(value));
}

void wsmfa_pg_params_free(struct pg_params *p)
{
	if (p->arrays)
		OPENSSL_cleanse(p->arrays, p->arrays_len);
	free(p->arrays);
	p->arrays = NULL;
}

struct pg_rows wsmfa_pg_all_rows(PGresult const *result)
{
	return (struct pg_rows) { .result = result, .len = PQntuples(result) };
}

struct pg_row wsmfa_pg_row_of(struct pg_rows const *rows, int i, int columns)
{
	struct pg_row r = wsmfa_pg_row(rows->result, rows->first + i, rows->before + columns);

	if (i >= rows->len && !r.bad)
		r.bad = "(no row)";
	r.column = rows->before;
	return r;
}

struct pg_row wsmfa_pg_row(PGresult const *result, int row, int columns)
{
	struct pg_row r = { .result = result, .row = row };

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != columns)
		r.bad = "(their number)";
	else if (row >= PQntuples(result))
		r.bad = "(no row)";
	return r;
}

void wsmfa_pg_bad(struct pg_row *r)
{
	char const *name = r->column > 0 ? PQfname(r->result, r->column - 1) : NULL;

	if (!r->bad)
		r->bad = name ? name : "(none)";
}

bool wsmfa_pg_is_null(struct pg_row const *r)
{
	return r->bad || r->column >= PQnfields(r->result) || PQgetisnull(r->result, r->row, r->column);
}

void wsmfa_pg_skip(struct pg_row *r, int columns)
{
	r->column += columns;
}

/* The next column's octets; NULL for null, or when the row is bad by now. */
static uint8_t const *next(struct pg_row *r, Oid type, size_t min, size_t max, size_t *len)
{
	int column = r->column++;

	*len = 0;
	if (r->bad)
		return NULL;
	if (column >= PQnfields(r->result) || PQftype(r->result, column) != type || PQfformat(r->result, column) != 1) {
		wsmfa_pg_bad(r);
		return NULL;
	}
	if (PQgetisnull(r->result, r->row, column))
		return NULL;
	*len = (size_t)PQgetlength(r->result, r->row, column);
	if (*len < min || *len > max) {
		wsmfa_pg_bad(r);
		return NULL;
	}
	return (uint8_t const *)PQgetvalue(r->result, r->row, column);
}

bool wsmfa_pg_get_bool(struct pg_row *r)
{
	size_t len;
	uint8_t const *value = next(r, PG_BOOL, 1, 1, &len);

	if (!value || *value > 1)
		wsmfa_pg_bad(r);
	return value && *value == 1;
}

int64_t wsmfa_pg_get_int_or(struct pg_row *r, int64_t min, int64_t max, int64_t otherwise)
{
	Oid type = r->bad || r->column >= PQnfields(r->result) ? 0 : PQftype(r->result, r->column);
	size_t len, size = type == PG_INT2 ? 2 : type == PG_INT4 ? 4 : 8;
	uint8_t const *value = next(r, size == 8 ? PG_INT8 : type, size, size, &len);
	int64_t n = 0;

	if (r->bad)
		return 0;
	if (!value)
		return otherwise;
	for (size_t i = 0; i < len; i++)
		n = (int64_t)((uint64_t)n << 8 | value[i]);
	if (size == 2)
		n = (int16_t)n;
	else if (size == 4)
		n = (int32_t)n;
	if (n < min || n > max) {
		wsmfa_pg_bad(r);
		return 0;
	}
	return n;
}

int64_t wsmfa_pg_get_int(struct pg_row *r, int64_t min, int64_t max)
{
	if (wsmfa_pg_is_null(r)) {
		r->column++;
		wsmfa_pg_bad(r);
		return 0;
	}
	return wsmfa_pg_get_int_or(r, min, max, 0);
}

wsmfa_time_t wsmfa_pg_get_time(struct pg_row *r)
{
	size_t len;
	uint8_t const *value = next(r, PG_TIMESTAMPTZ, 8, 8, &len);
	uint64_t wire;
	int64_t t;

	if (!value)
		return WSMFA_TIME_NONE;
	memcpy(&wire, value, sizeof(wire));
	t = (int64_t)be64toh(wire);
	if (t == INT64_MIN)
		return -WSMFA_TIME_FOREVER; // -infinity: the earliest time that is not none
	return t > INT64_MAX - PG_EPOCH ? WSMFA_TIME_FOREVER : t + PG_EPOCH;
}

void wsmfa_pg_get_text(struct pg_row *r, char *out, size_t size)
{
	size_t len;
	uint8_t const *value = next(r, PG_TEXT, 0, size - 1, &len);

	if (value && memchr(value, 0, len))
		wsmfa_pg_bad(r);
	if (!value || r->bad)
		len = 0;
	if (len)
		memcpy(out, value, len);
	out[len] = '\0';
}

size_t wsmfa_pg_get_octets(struct pg_row *r, uint8_t *out, size_t min, size_t max)
{
	size_t len;
	uint8_t const *value = next(r, PG_BYTEA, min, max, &len);

	if (!value)
		return 0;
	memcpy(out, value, len);
	return len;
}

void wsmfa_pg_clear(PGresult *result)
{
	if (!result)
		return;
	for (int row = 0; row < PQntuples(result); row++) {
		for (int column = 0; column < PQnfields(result); column++) {
			if (!PQgetisnull(result, row, column))
				OPENSSL_cleanse(PQgetvalue(result, row, column),
						(size_t)PQgetlength(result, row, column));
		}
	}
	PQclear(result);
}
