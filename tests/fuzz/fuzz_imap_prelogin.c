/*
 * fuzz_imap_prelogin.c: IMAP before login, including STARTTLS.
 */
#include "tests/fuzz/prelogin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return prelogin_run(&protocol_imap, data, size);
}
