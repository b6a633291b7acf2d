/* The statements, prepared by name on every connection: parameter types and columns are all named here.
 * Apart from the code that fills and reads them, so that both orders can be held against this one. */
#include "store/pg_conn.h"

#define ACCOUNT                                                                                                          \
	"account_id, name, organization_id, allowed_kinds, region, language, phone, password, preferred, created_at, "   \
	"disabled_at, locked_until, failures, in_scope, in_scope_from, stage, announce_from, enforce_from, enforce_on, " \
	"exempt_until, banner_shown_at, ticket_hash, spare_authenticator_id, "                                           \
	"auth_id, auth_kind, auth_label, auth_confirmed_at, auth_disabled_at, auth_failures, auth_sealed, "              \
	"auth_algorithm, auth_digits, auth_period, auth_last_step, auth_drift, auth_provider, auth_device, "             \
	"auth_phone, auth_salt, auth_iterations, auth_codes_left"

#define TAKEN                                                                                           \
	"status, question_id, question_kind, question_login, question_attempt, question_opened_at, "    \
	"question_expires_at, question_authenticator_id, question_code_mac, question_code_expires_at, " \
	"question_number, question_provider, question_sealed, question_push_state, " ACCOUNT

#define SETTLED "status, outcome, reason, first, locked_until, disabled, next_id, next_status, codes_left"

/* p_next_kind to p_next_shows_banner */
#define NEXT \
	"text, bytea, bytea, int4, timestamptz, int8, bool, bytea, timestamptz, text, text, text, bytea, int8, bytea, bool"

char const wsmfa_pg_prepare[] =
	/* accounts clients stations services ats failure_days; n is the place in the arrays, in all that end in _many; rows come in its order */
	"PREPARE wsmfa_loads (text[], text[], text[], text[], timestamptz[], int4) AS SELECT n, " ACCOUNT
	" FROM wsmfa.login_load_many($1, $2, $3, $4, $5, $6) ORDER BY n, auth_id;"

	"PREPARE wsmfa_takes (bytea[], text[], text[], text[], text[], timestamptz[], bytea[], bytea[], int4) AS "
	"SELECT n, " TAKEN " FROM wsmfa.challenge_take_many($1, $2, $3, $4, $5, $6, $7, $8, $9) ORDER BY n, auth_id;"

	/* ats accounts clients stations services states logins attempts expires authenticators digests */
	"PREPARE wsmfa_opens (timestamptz[], int8[], text[], text[], text[], bytea[], bytea[], int4[], timestamptz[], int8[], bytea[]) "
	"AS SELECT n, challenge_id FROM wsmfa.challenge_open_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ORDER BY n;"

	/* ats accounts clients stations challenges authenticators steps drifts failure_days */
	"PREPARE wsmfa_settles (timestamptz[], int8[], text[], text[], int8[], int8[], int8[], int4[], int4) AS "
	"SELECT n FROM wsmfa.challenge_settle_many($1, $2, $3, $4, $5, $6, $7, $8, $9) ORDER BY n;"

	"PREPARE wsmfa_take (bytea, text, text, text, text, timestamptz, bytea, bytea, int4) AS SELECT " TAKEN
	" FROM wsmfa.challenge_take($1, $2, $3, $4, $5, $6, $7, $8, $9);"

	/* at account client station service kind state login attempt expires authenticator keep_code code until number phone provider
	   digest waiter sealed banner, 5 limits, instead of */
	"PREPARE wsmfa_open (timestamptz, int8, text, text, text, text, bytea, bytea, int4, timestamptz, int8, bool, bytea, "
	"timestamptz, text, text, text, bytea, int8, bytea, bool, int4, int4, int4, int4, int4, int8) AS "
	"SELECT status, challenge_id, number, expires_at, code_expires_at FROM wsmfa.challenge_open($1, $2, $3, $4, $5, $6, $7, $8, $9, "
	"$10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27);"

	/* at account client station service challenge verdict kind authenticators step drift guess sent? recovery ticket enroll
	   sealed phone outcome reason, 9 limits, 16 of the next question, needs_ticket */
	"PREPARE wsmfa_settle (timestamptz, int8, text, text, text, int8, text, text, int8[], int8, int4, bytea, bool, "
	"bytea, bytea, bool, bytea, text, text, text, int4, int4, int4, int4, int4, int4, int4, int4, int4, " NEXT
	", bool) AS "
	"SELECT " SETTLED
	" FROM wsmfa.challenge_settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
	"$16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, "
	"$38, $39, $40, $41, $42, $43, $44, $45, $46);"

	"PREPARE wsmfa_wait (timestamptz, int8, int8) AS SELECT status, outcome, reason FROM wsmfa.push_wait($1, $2, $3);"

	/* at client station service challenge waiter give_up, 8 limits, 16 of the next question */
	"PREPARE wsmfa_settle_push (timestamptz, text, text, text, int8, int8, bool, int4, int4, int4, int4, int4, int4, "
	"int4, int4, " NEXT ") AS SELECT " SETTLED
	" FROM wsmfa.push_settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
	"$12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)";
