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

#endif
