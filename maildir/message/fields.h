/*
 * fields.h: the header fields of a message that are remembered, as they stand and decoded: looking for text
 * in them, and for a day.
 */
#ifndef MAILDIR_MESSAGE_FIELDS_H
#define MAILDIR_MESSAGE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/text.h"
#include "maildir/message/header.h"

struct match;

/* Those of MAILDIR_FIELDS. */
extern const struct header_names fields_remembered;

/* Whether MAILDIR_FIELDS has all fields of that name (in any case of letters) that a message has. */
bool fields_has(const char *name, size_t len);
/* Whether MAILDIR_DECODED has. */
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
