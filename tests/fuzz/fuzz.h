/* What every fuzzer includes: libFuzzer's entry, and a check that ends the program.
 * Apart from the fuzzers, so that each is one file with the properties of one border. */
#ifndef WSMFA_TESTS_FUZZ_H
#define WSMFA_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

/** A property that must hold for every input. Unlike assert it can't be switched off. */
#define FUZZ_CHECK(condition)                                                                                \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			(void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

/** A NUL-terminated copy of the input, exactly as long, so that reading behind it is seen. The caller frees it. */
static inline char *fuzz_text(uint8_t const *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
