/*
 * random.c: random numbers for everything in tls/.
 * Runs as: worker, key, and whoever makes a certificate.
 */
#include <errno.h>
#include <sys/random.h>

#include <mbedtls/entropy.h>

#include "tls/random.h"

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
