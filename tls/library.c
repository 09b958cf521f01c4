/*
 * library.c: mbedTLS itself: random numbers for it, its hash, its version.
 * Runs as: worker, key, whoever makes a certificate; root (the version, once).
 */
#include <errno.h>
#include <sys/random.h>

#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/version.h>

#include "tls/library.h"
#include "tls/tls.h"

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

int
tls_sha256(const void *data, size_t len, unsigned char hash_r[TLS_SHA256_LEN])
{
	return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data, len, hash_r);
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
