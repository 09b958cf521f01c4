/*
 * field.h: the small pieces that header fields consist of: blanks and comments, quoted strings, words.
 * RFC 5322 section 3.2, RFC 2045 section 5.1.
 */
#ifndef MAILDIR_MESSAGE_FIELD_H
#define MAILDIR_MESSAGE_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/buf.h"

/* A field's text, unfolded, and how far it is read.  No function reads at end or after it. */
struct field_cursor {
	const char *at, *end;
};

/* The next octet (0 to 255), or -1 at the end. */
int field_peek(const struct field_cursor *cursor);

/*
 * Passes over blanks and comments; true: there were some.  The text of the last comment that is not empty
 * replaces what is in comment, if that is not NULL.  Nested comments cost a counter only.
 */
bool field_cfws(struct field_cursor *cursor, struct mdbuf *comment);

/* At a quotation mark: adds the text without quotes and escapes.  A string that is never closed ends where
 * the field ends. */
void field_quoted(struct field_cursor *cursor, struct mdbuf *out);

/* Adds the octets up to a blank or one of stops; how many. */
size_t field_word(struct field_cursor *cursor, const char *stops, struct mdbuf *out);

#endif
