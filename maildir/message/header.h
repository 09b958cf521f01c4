/*
 * header.h: the lines of a header, taken apart as they come or where they all are; and choosing fields
 * for HEADER.FIELDS.  RFC 5322 section 2.2.
 *
 * A line that begins with a blank belongs to the field before it.  A line without a colon counts as a field without
 * a name; so does a first line that begins with a blank.  Only an empty line ends a header.
 */
#ifndef MAILDIR_MESSAGE_HEADER_H
#define MAILDIR_MESSAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/buf.h"

enum {
	HEADER_NAME_MAX = 1000
}; /* octets with the colon: no line is longer, RFC 5322 section 2.1.1 */

enum header_event {
	HEADER_MORE,  /* all octets were taken */
	HEADER_FIELD, /* a field begins: its octets through the colon; without a name, no octets */
	HEADER_TEXT,  /* octets of its lines as they are, of one line at a time */
	HEADER_END,   /* the empty line; nothing comes after it */
};

/* A zeroed reader is at the start of a header. */
struct header_reader {
	const char *octets; /* of the last event, until the next call */
	size_t len;
	size_t name_len; /* HEADER_FIELD: octets of the name itself */
	bool folded;	 /* HEADER_TEXT: it begins a line, which goes on with a field */
	bool begun;	 /* a field has */
	enum { HEADER_AT_LINE, HEADER_IN_NAME, HEADER_NAMELESS, HEADER_IN_TEXT, HEADER_OVER } state;
	size_t held_len;
	char held[HEADER_NAME_MAX]; /* of a line whose name was cut */
};

/* For the next header: as if zeroed. */
void header_begin(struct header_reader *reader);
/* Takes octets from *at on, which moves, and gives what comes next. */
enum header_event header_next(struct header_reader *reader, const char **at, const char *end);
/* No octets follow.  true: the last line has neither colon nor end.  Then this was HEADER_FIELD for a field without a
 * name, and header_next gives its text. */
bool header_cut(struct header_reader *reader);

/* Adds the text of HEADER_TEXT without the end of its line. */
void header_unfold(struct mdbuf *text, const char *octets, size_t len);

/* A field in a row of whole lines. */
struct header_field {
	const char *name, *value, *end; /* value: after the colon; end: after its last line */
	size_t name_len;		/* 0: it has no name */
};
/* The first field of the lines, which are not empty. */
void header_field(const char *lines, const char *end, struct header_field *field_r);

/* Names to choose fields by; compared without case. */
struct header_names {
	const char *const *name;
	size_t count;
	bool except; /* HEADER.FIELDS.NOT */
};

/* A zeroed filter with names is at the start of a header. */
struct header_filter {
	const struct header_names *names;
	struct header_reader reader;
	bool keep; /* the present field was chosen */
};

/*
 * Adds to out what of the next octets belongs to the chosen fields: their lines as they are, folded
 * lines too, in the order of the message, and the empty line that ends a header, if the header has it (RFC 9051
 * section 6.4.5).  Only except chooses fields without a name.
 */
void header_filter(struct header_filter *filter, const char *octets, size_t len, struct mdbuf *out);

#endif
