/*
 * header.h: the lines of a header, taken apart as they come: for HEADER.FIELDS, and for whoever looks
 * for a field.  RFC 5322 section 2.2.
 */
#ifndef MAILDIR_MESSAGE_HEADER_H
#define MAILDIR_MESSAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/text.h"

/* Names to choose fields by; compared without case. */
struct header_names {
	const char *const *name;
	size_t count;
	bool except; /* HEADER.FIELDS.NOT */
};

enum { HEADER_NAME_MAX = 256 }; /* octets; a longer name is no name that somebody asked for */

/* A zeroed one is at the start of a header. */
struct header_filter {
	const struct header_names *names;
	char line[HEADER_NAME_MAX]; /* the name's octets so far */
	size_t len;
	bool begun;		  /* something came */
	bool inside, keep, ended; /* a line whose fate is known; it is kept; the blank line came */
};

/*
 * Adds to out what of the next octets belongs to the chosen fields: their lines as they are, folded
 * ones too, in the order of the message, and the blank line that ends a header (none where the header
 * has none: RFC 9051 section 6.4.5).  A line that is no field has no name: it is chosen by except only.
 */
void header_filter(
    struct header_filter *filter, const char *octets, size_t len, struct mdtext *out);

#endif
