/*
 * library.c: mbedTLS itself: its start in a process, its random numbers, its version.
 * Runs as: worker (start, random numbers), key and whoever makes a certificate (random numbers), master
 * (the version, once).
 */
#include <errno.h>
#include <sys/random.h>

#include <mbedtls/entropy.h>
#include <mbedtls/version.h>

#include "tls/compat.h"
#include "tls/random.h"
#include "tls/tls.h"

int
tls_process_init(void)
{
	return compat_process_init();
}

int
tls_random(void *ctx, unsigned char *out, size_t len)
{
	(void)ctx;
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
		out += n;
		len -= (size_t)n;
	}
	return 0;
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
