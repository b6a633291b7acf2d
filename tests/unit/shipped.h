/* The configuration that is shipped, as tests read it: settings with their defaults, and the texts of a language.
 * Apart from the tests that hold the code against it, since both read the same files. */
#ifndef WSMFA_TESTS_SHIPPED_H
#define WSMFA_TESTS_SHIPPED_H

#include "core/text.h"

struct shipped_texts {
	char text[WSMFA_TEXTS][256];
	struct wsmfa_language language; //!< points into text
};

/** A file of the source tree, opened to read. Fails the test without it. */
FILE *shipped_open(char const *path);

/** Value of `name = value` in raddb/mods-available/wsmfa, where one that is commented out shows its default. */
void shipped_setting(char const *name, char value[64]);

/** Lines `name = "text"` of raddb/mods-config/wsmfa/texts-CODE.conf, those that are commented out too. */
void shipped_texts_read(char const *code, struct shipped_texts *out);

#endif
