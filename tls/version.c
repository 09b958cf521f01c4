/*
 * version.c: which library is linked, and what a process must do before it uses it.
 * Runs as: master (the versions, once), worker (the start).
 */
#include <mbedtls/version.h>

#include "tls/compat.h"
#include "tls/tls.h"

int
tls_process_init(void)
{
	return compat_process_init();
}

const char *
tls_library_version(void)
{
	static char text[32]; /* the library wants 18 */

	mbedtls_version_get_string_full(text);
	return text;
}

/* The run-time version counts, as the shared library changes without us. */
const char *
tls_library_warning(void)
{
	unsigned version = mbedtls_version_get_number();

	if (version >= 0x03000000 && version < 0x03060600)
		return "mbedTLS before 3.6.6 has known security faults: install the distribution's "
		       "security updates";
	return NULL;
}
