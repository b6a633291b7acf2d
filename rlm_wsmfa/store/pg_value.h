/*
 * Values on their way to PostgreSQL and back, in its binary formats.
 * It stands apart because it needs no connection: every decoder is tested on hand-made results.
 */
#ifndef WSMFA_STORE_PG_VALUE_H
#define WSMFA_STORE_PG_VALUE_H

#include <libpq-fe.h>

#include "core/types.h"

/* Types by their numbers in pg_type, which never change. */
#define PG_BOOL        16
#define PG_BYTEA       17
#define PG_INT8        20
#define PG_INT2        21
#define PG_INT4        23
#define PG_TEXT        25
#define PG_INT8_ARRAY  1016
#define PG_TIMESTAMPTZ 1184

#define PG_PARAMS_MAX  48
#define PG_STORAGE_MAX 1024

/** Parameters of a statement, all binary. Text and octets are borrowed, the rest is kept in `storage`. */
struct pg_params {
	int len;
	char const *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX];
	int formats[PG_PARAMS_MAX];
	size_t stored;
	uint8_t storage[PG_STORAGE_MAX];
	/* arrays, whose room grows: where each begins */
	uint8_t *arrays;
	size_t arrays_len, arrays_size, begins[PG_PARAMS_MAX];
	bool out_of_memory; //!< an array is not whole: don't send.
};

void wsmfa_pg_put_null(struct pg_params *p);
void wsmfa_pg_put_bool(struct pg_params *p, bool value);
void wsmfa_pg_put_int4(struct pg_params *p, int32_t value);
void wsmfa_pg_put_int8(struct pg_params *p, int64_t value);
/** WSMFA_TIME_NONE is null, the two ends of the range are the infinities. */
void wsmfa_pg_put_time(struct pg_params *p, wsmfa_time_t value);
/** NULL is null. */
void wsmfa_pg_put_text(struct pg_params *p, char const *value);
void wsmfa_pg_put_octets(struct pg_params *p, uint8_t const *value, size_t len);
/** Begins an array of `len` elements of this type (PG_TEXT ...), which are put next, one by one. */
void wsmfa_pg_put_array(struct pg_params *p, uint32_t type, size_t len);
/** An element, copied; NULL is null. */
void wsmfa_pg_put_element(struct pg_params *p, void const *value, size_t len);
void wsmfa_pg_put_element_text(struct pg_params *p, char const *value);
void wsmfa_pg_put_element_int4(struct pg_params *p, int32_t value);
void wsmfa_pg_put_element_int8(struct pg_params *p, int64_t value);
void wsmfa_pg_put_element_time(struct pg_params *p, wsmfa_time_t value);
/** Frees what arrays took; for params that have any. */
void wsmfa_pg_params_free(struct pg_params *p);
/** An array of int8; at most WSMFA_AUTHENTICATORS_MAX of them. */
void wsmfa_pg_put_int8s(struct pg_params *p, int64_t const *values, size_t len);

/**
 * A row being read column by column, in their order. The first column that is not what it should be (type, length, null)
 * is remembered and the row is bad from there on; what is read from a bad row is zero.
 */
struct pg_row {
	PGresult const *result;
	int row;
	int column;      //!< the next one
	char const *bad; //!< name of the column that is wrong, NULL while all is well
};

/** Some rows of a result, each after `before` columns that are not theirs. */
struct pg_rows {
	PGresult const *result;
	int first, len, before;
};

struct pg_rows wsmfa_pg_all_rows(PGresult const *result);
/** Begins row `i` of them, which must have `columns` columns. */
struct pg_row wsmfa_pg_row_of(struct pg_rows const *rows, int i, int columns);
/** Begins row `row` of a result that must have `columns` columns. */
struct pg_row wsmfa_pg_row(PGresult const *result, int row, int columns);
/** Is the next column null? */
bool wsmfa_pg_is_null(struct pg_row const *r);
void wsmfa_pg_skip(struct pg_row *r, int columns);
bool wsmfa_pg_get_bool(struct pg_row *r);
/** int2, int4 or int8, as the column is; null is bad, and so is what does not lie in the range. */
int64_t wsmfa_pg_get_int(struct pg_row *r, int64_t min, int64_t max);
/** As wsmfa_pg_get_int, null is `otherwise`. */
int64_t wsmfa_pg_get_int_or(struct pg_row *r, int64_t min, int64_t max, int64_t otherwise);
/** Null is WSMFA_TIME_NONE. */
wsmfa_time_t wsmfa_pg_get_time(struct pg_row *r);
/** Null is "". `size` includes the NUL; what does not fit, or holds one, is bad. */
void wsmfa_pg_get_text(struct pg_row *r, char *out, size_t size);
/** Between `min` and `max` octets; null is none. Returns how many. */
size_t wsmfa_pg_get_octets(struct pg_row *r, uint8_t *out, size_t min, size_t max);
/** Marks the column read last as bad. */
void wsmfa_pg_bad(struct pg_row *r);

/** Clears a result after overwriting all that it held. */
void wsmfa_pg_clear(PGresult *result);

#endif
