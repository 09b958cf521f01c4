/*
 * random.h: the only source of random numbers, getrandom(2); private to tls/.  It has no state, so that
 * fork cannot copy it: two workers that inherit a seeded generator would draw the same numbers.
 */
#ifndef TLS_RANDOM_H
#define TLS_RANDOM_H

#include <stddef.h>

/* Fills out: 0 or a negative number.  In the form that mbedTLS wants (f_rng); ctx is not used. */
int tls_random(void *ctx, unsigned char *out, size_t len);

#endif
