/*
 * casemap.h: UTF-8 as the collation i;unicode-casemap compares it.  RFC 5051.
 */
#ifndef MAILDIR_MESSAGE_CASEMAP_H
#define MAILDIR_MESSAGE_CASEMAP_H

#include <stddef.h>

#include "maildir/base/buf.h"

/*
 * Adds the mapped form of the text: each character's titlecase, decomposed whole (NFKD); octets that
 * are not UTF-8 stay as they are.  Substrings match when the mapped needle is in the mapped text.
 * A piece must end between characters, as those from charset_to_utf8 do.
 */
void casemap_add(const char *utf8, size_t len, struct mdbuf *out);

#endif
