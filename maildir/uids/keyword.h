/*
 * keyword.h: what can be a keyword.
 */
#ifndef MAILDIR_UIDS_KEYWORD_H
#define MAILDIR_UIDS_KEYWORD_H

#include <stdbool.h>
#include <string.h>

/* A keyword's length; Dovecot's default limit is 50, and longer names that others have given stay. */
#define KEYWORD_MAX 200

/* Whether it can be a keyword: an IMAP atom (RFC 3501 section 9, flag-keyword). */
static inline bool
keyword_valid(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= 0x20 || c >= 0x7f || strchr("(){%*\"\\]", c) != NULL)
			return false;
	}
	return len > 0 && len <= KEYWORD_MAX;
}

#endif
