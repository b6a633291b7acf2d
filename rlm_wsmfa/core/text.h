/*
 * What people read: prompts, refusals, banners, messages to a phone. It stands apart so that every sentence is in one list,
 * can be replaced by a setting, and passes one border: bounded, one line, ASCII unless the client may show more.
 */
#ifndef WSMFA_CORE_TEXT_H
#define WSMFA_CORE_TEXT_H

#include "core/types.h"

#define WSMFA_REPLY_MAX 254 //!< a Reply-Message with its NUL (RFC 2865 section 5.18: at most 253 octets).

/*
 * X(id, setting, English). Placeholders: {account} {client} {count} {date} {days} {key} {methods} {minutes} {number}
 * {phone} {show} {url}. Figures may have forms: {days|one|many}, {days|none|one|many}, in which # is the figure. A question's
 * text ends in ": " because some clients use it as the prompt.
 */
#define WSMFA_TEXT_LIST(X) \
	/* questions */ \
	X(ASK_TOTP, "ask_totp", "Enter the code from your authenticator app (? for other ways): ") \
	X(ASK_SMS, "ask_sms", "Enter the code sent to {phone} (? for other ways): ") \
	X(ASK_PUSH, "ask_push", "Approve the request on your phone, then press Enter here (? for other ways): ") \
	X(ASK_PUSH_NUMBER, "ask_push_number", \
	  "Enter {number} in the app on your phone, then press Enter here (? for other ways): ") \
	X(ASK_PUSH_SHOW, "ask_push_show", "{show} Then press Enter here (? for other ways): ") \
	X(ASK_RECOVERY, "ask_recovery", "Enter one of your recovery codes (? for other ways): ") \
	X(ASK_METHOD, "ask_method", "How do you want to confirm it is you? Type {methods}: ") \
	X(ASK_BANNER, "ask_banner", \
	  "From {date} a second factor is needed to log in. Type enroll to set it up now, or press Enter to go on. {url} : ") \
	X(ASK_BANNER_LINK, "ask_banner_link", \
	  "From {date} a second factor is needed to log in. Set it up at {url} . Press Enter to go on: ") \
	X(ASK_ENROLL_TICKET, "ask_enroll_ticket", "A second factor must be set up. Enter the ticket from your administrator: ") \
	X(ASK_ENROLL_METHOD, "ask_enroll_method", "A second factor must be set up. Type {methods}: ") \
	X(ASK_ENROLL_TOTP, "ask_enroll_totp", \
	  "Add this key to your authenticator app: {key}. Then enter the code it shows: ") \
	X(ASK_ENROLL_SMS, "ask_enroll_sms", "Set up codes by SMS: enter the code sent to {phone}: ") \
	/* what precedes a question */ \
	X(NOTE_METHODS, "note_methods", "You can type {methods}.") \
	X(NOTE_WRONG_CODE, "note_wrong_code", "That code is not right.") \
	X(NOTE_REPLAYED, "note_replayed", "That code was used before; wait for the next one.") \
	X(NOTE_WRONG_TICKET, "note_wrong_ticket", "That ticket is not valid.") \
	X(NOTE_NOT_AVAILABLE, "note_not_available", "That way is not available.") \
	X(NOTE_PROVIDER_DOWN, "note_provider_down", "That way does not work at the moment.") \
	X(NOTE_TIMEOUT, "note_timeout", "No answer came from your phone.") \
	X(NOTE_SMS_LIMIT, "note_sms_limit", "Too many codes were sent; use another way or wait.") \
	X(NOTE_PUSH_LIMIT, "note_push_limit", "Too many requests were sent to your phone; use another way or wait.") \
	/* refusals; the reply to a wrong password or an unknown account has no text */ \
	X(REFUSE_DISABLED, "refuse_disabled", "This account is disabled.") \
	X(REFUSE_LOCKED, "refuse_locked", "Too many wrong codes. Try again in {minutes|a minute|# minutes}.") \
	X(REFUSE_NO_METHOD, "refuse_no_method", "None of your ways to confirm can be used here. Ask your administrator.") \
	X(REFUSE_ENROLL, "refuse_enroll", "A second factor is needed to log in. Set it up at {url}") \
	X(REFUSE_CODE_MISSING, "refuse_code_missing", "Enter your password, a comma and your code in the password field.") \
	X(REFUSE_WRONG_CODE, "refuse_wrong_code", "That code is not right.") \
	X(REFUSE_REPLAYED, "refuse_replayed", "That code was used before. Log in again with the next one.") \
	X(REFUSE_ATTEMPTS, "refuse_attempts", "Too many wrong codes. Log in again.") \
	X(REFUSE_EXPIRED, "refuse_expired", "The time to answer is over. Log in again.") \
	X(REFUSE_BUSY, "refuse_busy", "Another login waits for your phone. Answer it there, or wait.") \
	X(REFUSE_DENIED, "refuse_denied", "The login was refused on your phone.") \
	X(REFUSE_TIMEOUT, "refuse_timeout", "No answer came from your phone.") \
	X(REFUSE_PUSH_LIMIT, "refuse_push_limit", "Too many requests were sent to your phone. Wait.") \
	X(REFUSE_SMS_LIMIT, "refuse_sms_limit", "Too many codes were sent. Wait.") \
	X(REFUSE_SMS_SENT, "refuse_sms_sent", "A code was sent to {phone}. Log in again with password,code.") \
	X(REFUSE_PROVIDER_DOWN, "refuse_provider_down", "Your way to confirm does not work at the moment. Try again later.") \
	X(REFUSE_ELSEWHERE, "refuse_elsewhere", "A second factor was set up elsewhere meanwhile. Log in again.") \
	X(REFUSE_FULL, "refuse_full", "Too many logins wait for a phone. Try again later.") \
	X(REFUSE_ERROR, "refuse_error", "The login service does not work at the moment. Try again later.") \
	/* texts of an Access-Accept */ \
	X(BANNER, "banner", "From {date} a second factor is needed to log in. Set it up at {url}") \
	X(BANNER_EXEMPT, "banner_exempt", "You are exempt from the second factor for {days|one more day|# more days}. Set it up at {url}") \
	X(RECOVERY_LEFT, "recovery_left", "You have {count|no recovery codes|one recovery code|# recovery codes} left.") \
	/* to a phone; the code is the only run of digits */ \
	X(SMS_CODE, "sms_code", "Your login code is {number}. Never tell it to anybody.") \
	X(PUSH_TITLE, "push_title", "Login of {account}") \
	X(NOTICE_ENROLLED, "notice_enrolled", "A second factor was added to your account. If it was not you, tell your administrator.") \
	X(NOTICE_RECOVERY, "notice_recovery", "A recovery code of your account was used. If it was not you, tell your administrator.") \
	X(NOTICE_DISABLED, "notice_disabled", "A second factor of your account was disabled after too many wrong codes.")

enum wsmfa_text {
	WSMFA_TEXT_NONE = 0,
#define WSMFA_TEXT_ID(id, setting, english) WSMFA_TEXT_##id,
	WSMFA_TEXT_LIST(WSMFA_TEXT_ID)
#undef WSMFA_TEXT_ID
	WSMFA_TEXTS
};

/** The sentences of one language: templates by id, NULL where the language has none (English then stands in). */
struct wsmfa_language {
	char code[WSMFA_LANGUAGE_MAX];
	char const *text[WSMFA_TEXTS];
};

/** Values for placeholders. Pointers are borrowed; NULL is an empty string. */
struct wsmfa_text_args {
	char const *account;
	char const *client;
	char const *date;
	char const *key;
	char const *methods;
	char const *number;
	char const *phone;
	char const *show;
	char const *url;
	int64_t count;
	int64_t days;
	int64_t minutes;
};

/** Name of the setting of a text, and its built-in English. */
char const *wsmfa_text_setting(enum wsmfa_text id);
char const *wsmfa_text_english(enum wsmfa_text id);

/** Is every {placeholder} of a template known, and are its forms whole? If not, *bad points at the first that is not. */
bool wsmfa_text_check(char const *template, char const **bad);

/** What a text has to contain, where a template of it does not; NULL where nothing lacks. */
char const *wsmfa_text_lacks(enum wsmfa_text id, char const *template);

/**
 * Renders one template. Control characters of values become blanks; nothing of a value is taken for a placeholder.
 * @param size of out, with NUL; the rest is cut at a character's boundary.
 * @return octets written, without the NUL.
 */
size_t wsmfa_text_render(char *out, size_t size, char const *template, struct wsmfa_text_args const *args);

/** All languages of the settings. Without "en" among them the built-in English stands in for it. */
struct wsmfa_texts {
	struct wsmfa_language const *list;
	size_t len;
};

/**
 * The template of a text in the language of an account: its own, its own without region ("pt" for "pt-BR"), else English, text
 * by text.
 * @return never NULL
 */
char const *wsmfa_text_template(struct wsmfa_texts const *texts, char const *code, enum wsmfa_text id);

/**
 * Renders sentences one after the other, as one Reply-Message of at most 253 octets.
 * Where the language's text is not ASCII and utf8 is false, English takes its place; what is then still not ASCII
 * becomes '?'. When it is too long, the first sentence gives way, so that a question keeps its ": ".
 * @param ids WSMFA_TEXT_NONE is passed over.
 */
size_t wsmfa_text_reply(char out[WSMFA_REPLY_MAX], struct wsmfa_texts const *texts, char const *code, bool utf8,
			enum wsmfa_text const *ids, size_t len, struct wsmfa_text_args const *args);

#endif
