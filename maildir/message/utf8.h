/*
 * utf8.h: characters of UTF-8.  RFC 3629.
 */
#ifndef MAILDIR_MESSAGE_UTF8_H
#define MAILDIR_MESSAGE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"

/* The character that begins the octets, which are at least one: its length, and what it is.  0: they
 * end within it; -1: it is not well-formed. */
int utf8_next(const char *octets, size_t len, uint32_t *code_r);

/* Whether the octets are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool utf8_valid(const char *octets, size_t len);

/* Writes a character; how many octets it has. */
enum { UTF8_MAX = 4 };
static inline size_t
utf8_put(uint32_t code, char octets_r[UTF8_MAX])
{
	char *at = octets_r;

	if (code < 0x80) {
		*at++ = (char)code;
		return 1;
	}
	if (code < 0x800) {
		*at++ = (char)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		*at++ = (char)(0xe0 | code >> 12);
		*at++ = (char)(0x80 | (code >> 6 & 0x3f));
	} else {
		*at++ = (char)(0xf0 | code >> 18);
		*at++ = (char)(0x80 | (code >> 12 & 0x3f));
		*at++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*at++ = (char)(0x80 | (code & 0x3f));
	return (size_t)(at - octets_r);
}

/* The same at the end of a text. */
static inline void
utf8_add(uint32_t code, struct mdbuf *out)
{
	char *to = mdbuf_room(out, UTF8_MAX);

	if (to != NULL)
		out->len += utf8_put(code, to);
}

/* How many octets of ASCII are at the start. */
size_t utf8_ascii(const char *octets, size_t len);

/* Hangul syllables, which are taken apart and put together by arithmetic.  Unicode, section 3.12. */
enum {
	HANGUL_FIRST = 0xac00,
	HANGUL_LAST = 0xd7a3,
	HANGUL_LEADING = 0x1100,
	HANGUL_VOWEL = 0x1161,
	HANGUL_TRAILING = 0x11a7,
	HANGUL_LEADINGS = 19,
	HANGUL_VOWELS = 21,
	HANGUL_TRAILINGS = 28, /* the first of them is no character */
};

#endif
