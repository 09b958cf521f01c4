/*
 * search.h: looking for text in a message as a person reads it: transfer encodings, RFC 2047 words and
 * charsets decoded, compared as i;unicode-casemap does.  For SEARCH.
 */
#ifndef MAILDIR_MESSAGE_SEARCH_H
#define MAILDIR_MESSAGE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"

struct charset;
struct source;

enum search_where {
	/* A field of the message's header, in which several blanks count as one.  An empty text asks whether
	 * the field is there. */
	SEARCH_IN_HEADER,
	/* The text parts, and the headers of messages inside, without the message's header. */
	SEARCH_IN_BODY,
	/* The header too, and the headers of parts, which name attachments. */
	SEARCH_IN_TEXT,
};

struct search_question {
	enum search_where where;
	const char *field; /* SEARCH_IN_HEADER: its name */
	const char *text;  /* as search_prepare made it of the client's */
	size_t len;
	bool found; /* the answer */
};

/* Adds a client's text to out in the form in which it is looked for; charset NULL: UTF-8. */
void search_prepare(const struct charset *charset, enum search_where where, const char *text,
    size_t len, struct mdbuf *out);

/*
 * Answers all questions about a message, and reads no more of it than they need.  -1: as its source, or ENOMEM.
 * Fields, bodies and the texts looked for may have any length; memory is bounded but for a few times the longest
 * text looked for.
 */
int search_message(const struct source *source, struct search_question *questions, size_t count);

/* --- in the fields that are remembered: remembered.c --- */

/* Whether MAILDIR_DECODED has all fields of that name. */
bool remembered_decoded_has(const char *name);

/* Longer texts of fields are not decoded ahead; so a decoded value has less than 16 MiB, whatever its charset. */
#define REMEMBERED_DECODE_MAX (32 * 1024)

/* Makes MAILDIR_DECODED from MAILDIR_FIELDS. */
void remembered_decode(const char *text, size_t len, struct mdbuf *out);

/*
 * Answers questions about fields, all of them SEARCH_IN_HEADER, from a text of header lines (CRLF, folded or
 * not) such as MAILDIR_FIELDS.  The answers are those of search_message; but it also finds the addresses in
 * Bcc, Cc, From and To as ENVELOPE tells them.  -1: ENOMEM.
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
