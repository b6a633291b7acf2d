/* The control of the fuzzers: reads one octet too many when the input is long enough, and must be caught.
 * Apart from the fuzzers, since its success is a failure of them. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	uint8_t volatile octet;

	if (size > 3)
		octet = data[size];
	(void)octet;
	return 0;
}
