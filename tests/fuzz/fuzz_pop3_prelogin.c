/*
 * fuzz_pop3_prelogin.c: POP3 before login, including STLS.
 */
#include "tests/fuzz/prelogin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return prelogin_run(&protocol_pop3, data, size);
}
