/*
 * sasl.h: the server side of SASL PLAIN (RFC 4616) and LOGIN, and base64 (RFC 4648).
 *
 * Pure parsing, no files and no privilege: for the worker.  A mechanism is fed one line of the
 * client at a time and says whether it wants more.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/account.h"

enum { SASL_LINE_MAX = 1368 }; /* base64 of authzid NUL name NUL password at their longest */

enum sasl_result {
	SASL_MORE,   /* send the challenge (already base64, may be empty), feed the next line */
	SASL_DONE,   /* name and password are known */
	SASL_WRONG,  /* bad base64, NUL inside, trailing data, too long, foreign authzid */
	SASL_CANCEL, /* the client sent "*" */
};

struct sasl {
	const struct sasl_mechanism *mechanism;
	int step;
	char name[AUTH_NAME_MAX + 1];
	char password[AUTH_PASSWORD_MAX + 1];
	const char *challenge; /* base64 text to send after SASL_MORE; constant */
};

/* The names of the mechanisms, separated by spaces: "PLAIN LOGIN". */
extern const char SASL_MECHANISMS[];

/* Begins the mechanism (name in any case): 0, or -1 if there is none of that name. */
int sasl_start(struct sasl *sasl, const char *mechanism);

/* Sets the first challenge for a client that sent no initial response.  Always SASL_MORE. */
enum sasl_result sasl_begin(struct sasl *sasl);

/*
 * Feeds a line without its line end.  initial: it is an initial response, where "=" is the empty one
 * (RFC 5034, section 4).
 */
enum sasl_result sasl_feed(struct sasl *sasl, const char *line, size_t len, bool initial);

/* Wipes name and password; SASL_WRONG and SASL_CANCEL have done so already. */
void sasl_clear(struct sasl *sasl);

/*
 * Strict base64 (RFC 4648 section 4: padding required, no white space, zero pad bits).  Returns the
 * octets written to out_r, or -1 (malformed, or more than size).
 */
long base64_decode(const char *in, size_t len, unsigned char *out_r, size_t size);

#endif
