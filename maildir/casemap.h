/*
 * casemap.h: UTF-8 as the collation i;unicode-casemap compares it.  RFC 5051.
 */
#ifndef MAILDIR_CASEMAP_H
#define MAILDIR_CASEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/text.h"

/*
 * Adds the mapped form of the text: each character's titlecase, decomposed whole (NFKD); octets that
 * are not UTF-8 stay as they are.  Substrings match when the mapped needle is in the mapped text.
 * A piece must end between characters, as those from charset_to_utf8 do.
 */
void casemap_add(const char *utf8, size_t len, struct mdtext *out);

/* Whether the octets are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool utf8_valid(const char *octets, size_t len);

/* The character that begins the octets, which are at least one: its length, and what it is.  0: they
 * end within it; -1: it is not well-formed. */
int utf8_next(const char *octets, size_t len, uint32_t *code_r);

/* How many octets of ASCII are at the start. */
size_t utf8_ascii(const char *octets, size_t len);

#endif
