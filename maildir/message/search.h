/*
 * match.h: looking for text in a message as a person reads it: transfer encodings, RFC 2047 words and
 * charsets decoded, compared as i;unicode-casemap does.  For SEARCH.
 */
#ifndef MAILDIR_MESSAGE_MATCH_H
#define MAILDIR_MESSAGE_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/text.h"

struct charset;
struct source;

enum match_where {
	MATCH_HEADER, /* a field of the message's header, in which any number of blanks is one; an
			 empty text asks for its presence */
	MATCH_BODY,   /* the text parts, and the headers of messages inside, but not its header */
	MATCH_TEXT,   /* the header too, and the headers of parts, which name attachments */
};

/* One question. */
struct match {
	enum match_where where;
	const char *field; /* MATCH_HEADER: its name */
	const char *text;  /* as match_prepare made it of the client's */
	size_t len;
	bool found; /* the answer */
};

/* Adds a client's text as it is looked for there; charset NULL: it is UTF-8. */
void match_prepare(const struct charset *charset, enum match_where where, const char *text,
    size_t len, struct mdtext *out);

/*
 * Answers all questions about a message in one reading of it, or as little of it as is needed.  -1: as its
 * source, or ENOMEM.  Fields, bodies and what is looked for may be of any length; memory is bounded
 * but for a few times the longest text.
 */
int match(const struct source *source, struct match *matches, size_t count);

/* --- in the fields that are remembered: remembered.c --- */

/* Whether MAILDIR_DECODED has all fields of that name. */
bool fields_decoded_has(const char *name);

/* No longer text of fields is decoded ahead: then a value has less than 16 MiB, in whatever characters. */
#define FIELDS_DECODE_MAX (32 * 1024)

/* Makes MAILDIR_DECODED of MAILDIR_FIELDS. */
void fields_decode(const char *text, size_t len, struct mdtext *out);

/*
 * Answers questions about fields, all of them MATCH_HEADER, from a text of header lines (CRLF, folded or
 * not) such as MAILDIR_FIELDS; as maildir_match would, and Bcc, Cc, From and To also by their addresses as
 * ENVELOPE tells them.  -1: ENOMEM.
 */
int fields_match(const char *text, size_t len, struct match *matches, size_t count);
/* The same from MAILDIR_DECODED, about fields that fields_decoded_has. */
void fields_match_decoded(const char *text, size_t len, struct match *matches, size_t count);

/*
 * The day of a Date field's text as it is written, without regard to its zone: days since 1970-01-01, for
 * SENTBEFORE and its kin.  false: there is no such date.
 */
bool date_day(const char *text, size_t len, int64_t *day_r);
/* The day of the first Date field of a text of header lines. */
bool fields_sent_day(const char *text, size_t len, int64_t *day_r);

#endif
