/*
 * search.h: looking for text in a message as a person reads it: transfer encodings, RFC 2047 words and
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

enum search_where {
	SEARCH_IN_HEADER, /* a field of the message's header, in which any number of blanks is one; an
			 empty text asks for its presence */
	SEARCH_IN_BODY, /* the text parts, and the headers of messages inside, but not its header */
	SEARCH_IN_TEXT, /* the header too, and the headers of parts, which name attachments */
};

/* One question. */
struct search_question {
	enum search_where where;
	const char *field; /* SEARCH_IN_HEADER: its name */
	const char *text;  /* as search_prepare made it of the client's */
	size_t len;
	bool found; /* the answer */
};

/* Adds a client's text as it is looked for there; charset NULL: it is UTF-8. */
void search_prepare(const struct charset *charset, enum search_where where, const char *text,
    size_t len, struct mdtext *out);

/*
 * Answers all questions about a message in one reading of it, or as little of it as is needed.  -1: as its
 * source, or ENOMEM.  Fields, bodies and what is looked for may be of any length; memory is bounded
 * but for a few times the longest text.
 */
int search_message(const struct source *source, struct search_question *questions, size_t count);

/* --- in the fields that are remembered: remembered.c --- */

/* Whether MAILDIR_DECODED has all fields of that name. */
bool remembered_decoded_has(const char *name);

/* No longer text of fields is decoded ahead: then a value has less than 16 MiB, in whatever characters. */
#define REMEMBERED_DECODE_MAX (32 * 1024)

/* Makes MAILDIR_DECODED of MAILDIR_FIELDS. */
void remembered_decode(const char *text, size_t len, struct mdtext *out);

/*
 * Answers questions about fields, all of them SEARCH_IN_HEADER, from a text of header lines (CRLF, folded or
 * not) such as MAILDIR_FIELDS; as maildir_search would, and Bcc, Cc, From and To also by their addresses as
 * ENVELOPE tells them.  -1: ENOMEM.
 */
int remembered_search(
    const char *text, size_t len, struct search_question *questions, size_t count);
/* The same from MAILDIR_DECODED, about fields that remembered_decoded_has. */
void remembered_search_decoded(
    const char *text, size_t len, struct search_question *questions, size_t count);

/*
 * The day of a Date field's text as it is written, without regard to its zone: days since 1970-01-01, for
 * SENTBEFORE and its kin.  false: there is no such date.
 */
bool date_day(const char *text, size_t len, int64_t *day_r);
/* The day of the first Date field of a text of header lines. */
bool remembered_sent_day(const char *text, size_t len, int64_t *day_r);

#endif
