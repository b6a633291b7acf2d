/* The handlers of the table in main.c, by the file they are in, and what they share of accounts.
 * Apart from ctl.h so that a subcommand's file sees only what it needs. */
#ifndef WSMFACTL_COMMAND_H
#define WSMFACTL_COMMAND_H

#include "ctl.h"
#include "core/types.h"

typedef enum ctl_exit ctl_handler(struct ctl *c, struct ctl_args const *a);

/* account.c */
ctl_handler ctl_account_add, ctl_account_show, ctl_account_list, ctl_account_disable, ctl_account_enable,
	ctl_account_unlock, ctl_account_exempt;
/* admin.c */
ctl_handler ctl_org_list, ctl_org_add, ctl_org_set, ctl_region_list, ctl_region_add, ctl_region_set, ctl_region_what_if,
	ctl_service_list, ctl_service_add, ctl_service_set;
/* change.c */
ctl_handler ctl_account_set, ctl_account_erase, ctl_sweep;
/* doctor.c */
ctl_handler ctl_doctor;
/* events.c, metrics.c */
ctl_handler ctl_events, ctl_metrics;
/* import.c */
ctl_handler ctl_account_import;
/* key.c, rotate.c */
ctl_handler ctl_key_init, ctl_key_rotate, ctl_key_list;
/* method.c */
ctl_handler ctl_method_list, ctl_method_remove, ctl_method_enable, ctl_method_disable;
/* push.c, recovery.c, sms.c */
ctl_handler ctl_push_add, ctl_push_pending, ctl_push_answer, ctl_recovery_new, ctl_account_ticket, ctl_sms_add;
/* report.c, status.c */
ctl_handler ctl_report, ctl_status;
/* setup.c */
ctl_handler ctl_setup;
/* totp.c */
ctl_handler ctl_totp_add;

/** An account as the commands need it. */
struct ctl_account {
	char id[24]; //!< as text, for a parameter
	char name[WSMFA_NAME_MAX];
	char organization[256];
	char phone[WSMFA_PHONE_MAX];
};

/** A name as it is stored. @param out WSMFA_NAME_MAX octets. @return false after a complaint. */
bool ctl_account_fold(char const *name, char *out);
/**
 * Reads a password from standard input and makes it what is stored.
 *
 * @param stored WSMFA_PASSWORD_MAX + 1 octets, a secret: the caller wipes them.
 * @return false after a complaint.
 */
bool ctl_password_take(long iterations, char *stored);
/** Finds an account by the operand NAME, upper and lower case alike. false after a complaint. */
bool ctl_account_find(struct ctl *c, char const *name, struct ctl_account *out);

/**
 * Reads an option that is a time.
 *
 * @param out at least CTL_WHEN_MAX octets: the time as SQL takes it; "" when the option was not given.
 * @return false after a complaint: the run ends with CTL_USAGE.
 */
bool ctl_option_when(struct ctl_args const *a, char const *name, char *out);

/** Reads an option that is a whole number between two. false after a complaint: the run ends with CTL_USAGE. */
bool ctl_option_number(struct ctl_args const *a, char const *name, long least, long most, long otherwise, long *out);

/** Whether organization and region, NULL for any, exist: a name that nobody has is a mistake, not an empty picture. Complains. */
bool ctl_names_check(struct ctl *c, char const *org, char const *region);

#endif
