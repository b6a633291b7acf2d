/* Reads a provider's section, strictly: what is unknown, doubled, missing or out of range is an error that says what to do.
 * Apart from the providers, so that all of them have the same manners. */
#ifndef WSMFA_PROVIDER_SETTINGS_H
#define WSMFA_PROVIDER_SETTINGS_H

#include "provider/provider.h"

enum wsmfa_field_type {
	WSMFA_FIELD_TEXT = 0, //!< into char[size]
	WSMFA_FIELD_SECRET,   //!< the same; `NAME_file` may name a file that holds it in its first line
	WSMFA_FIELD_URL,      //!< the same; http:// only where wsmfa_url_allowed
	WSMFA_FIELD_PATTERN,  //!< the same; a POSIX extended regular expression
	WSMFA_FIELD_LINES,    //!< the same; may be given several times, each line ended by a newline
	WSMFA_FIELD_NUMBER,   //!< into int32_t
	WSMFA_FIELD_SECONDS,  //!< into int32_t as milliseconds, "2" or "0.5"; min and max are milliseconds
	WSMFA_FIELD_FLAG,     //!< yes or no, into bool
};

/** One setting of a section. */
struct wsmfa_field {
	char const *name;
	enum wsmfa_field_type type;
	size_t offset; //!< in the provider's struct
	size_t size;   //!< of a text
	int32_t min, max;
	bool required;
	char const *value; //!< the default, NULL for none
	char const *help;  //!< completes "set it to ..."
};

#define WSMFA_FIELD(_type, _name, _struct, _member)                                                \
	.name = (_name), .type = WSMFA_FIELD_##_type, .offset = offsetof(struct _struct, _member), \
	.size = sizeof(((struct _struct *)0)->_member)

/**
 * Allocates a provider of `size` octets, zeroed, reads its own fields and those that all have, and sets ops and name.
 * `common` is false where the provider sends no HTTP. On error NULL, with one sentence in err.
 */
void *wsmfa_provider_read(struct wsmfa_provider_ops const *ops, size_t size, char const *name,
			  struct wsmfa_field const *fields, size_t fields_len, bool common,
			  struct wsmfa_setting const *settings, size_t n, char *err, size_t errlen);

/** Writes "file[line]: type name: " and the sentence; `setting` may be NULL. Always NULL, to be returned. */
void *wsmfa_setting_error(char *err, size_t errlen, struct wsmfa_provider const *p, struct wsmfa_setting const *setting,
			  char const *fmt, ...) __attribute__((format(printf, 5, 6)));

/** The last setting of that name, NULL for none. */
struct wsmfa_setting const *wsmfa_setting_find(struct wsmfa_setting const *settings, size_t n, char const *name);

/** May the provider be talked to at this URL? https anywhere; http to loopback, or anywhere with insecure_http. */
bool wsmfa_url_allowed(struct wsmfa_provider const *p, char const *url);

/** Wipes and frees what wsmfa_provider_read allocated. */
void wsmfa_provider_release(struct wsmfa_provider *p, size_t size);

#endif
