/*
 * library.h: random numbers and a hash; private to tls/.
 *
 * The only source of random numbers is getrandom(2).  It has no state, so that fork cannot copy it: two
 * workers that inherit a seeded generator would draw the same numbers.
 */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include <stddef.h>

enum { TLS_SHA256_LEN = 32 }; /* octets */

/* Fills out: 0 or a negative number.  In the form that mbedTLS wants (f_rng); ctx is not used. */
int tls_random(void *ctx, unsigned char *out, size_t len);

/* SHA-256 of len octets.  0, or mbedTLS's error. */
int tls_sha256(const void *data, size_t len, unsigned char hash_r[TLS_SHA256_LEN]);

#endif
