/*
 * charset.h: text of any charset as UTF-8, by iconv(3).
 *
 * glibc's converters are shared objects, which a process that is confined to a Maildir can neither
 * find nor map.  So the common ones are opened early, in the process that later forks into all the
 * others; a charset that was not is as good as unknown.  Charsets of single octets are tables, made by
 * charset.sh at build time, and need none of that; nor do the forms of Unicode, but for UTF-7.
 */
#ifndef MAILDIR_MESSAGE_CHARSET_H
#define MAILDIR_MESSAGE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/text.h"

/* Opens the converters; to be called once, before any confinement.  Costs some milliseconds.  What the
 * system does not have (glibc's modules may be another package) is unknown, and nothing else. */
void charset_load(void);

struct charset;

/* By its name in MIME (an alias too), without case, as mail writes it: "utf8", "ISO_8859-1:1987",
 * "x-cp1250".  NULL: unknown. */
const struct charset *charset_find(const char *name, size_t len);

/*
 * For text that does not say what it is, or says what nobody knows; it is us-ascii's too.  Octets that
 * are well-formed UTF-8 are that, others windows-1252.  Never NULL.
 */
const struct charset *charset_unmarked(void);

/* Each name that charset_find knows in its usual form, for [BADCHARSET (...)]; NULL behind the last. */
const char *charset_name(size_t n);

/* Whether octets mean something else after a shift or an escape: then each text starts anew, and only
 * one at a time can be converted. */
bool charset_stateful(const struct charset *charset);

/*
 * A piece of text to UTF-8, added to out.  carry holds what of a character was cut off at the end of
 * the piece before (zeroed at the start); what is malformed becomes U+FFFD.  last: the text ends here,
 * and carry is as at the start.  What is added are whole characters.
 */
enum { CHARSET_CARRY = 16 };

struct charset_carry {
	char octets[CHARSET_CARRY];
	size_t len;
	bool begun;
	bool little; /* UTF-16 and UTF-32: the order of octets that its mark told */
};
void charset_to_utf8(const struct charset *charset, struct charset_carry *carry, const char *in,
    size_t len, bool last, struct mdtext *out);

/* --- UTF-8 --- */

/* Whether the octets are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool utf8_valid(const char *octets, size_t len);

/* --- Unicode's normalization form C, which names of folders are in --- */

/* The longest text, in octets.  Marks are sorted one by one, so that time is its square. */
enum { NFC_MAX = 1024 };

/* The text in form C, with a NUL at its end.  -1: it is not UTF-8 or too long, or does not fit. */
int nfc_text(const char *utf8, size_t len, char *utf8_r, size_t size);

/* --- modified UTF-7 (RFC 3501 section 5.1.3), from and to UTF-8 --- */

enum utf7 {
	UTF7_OK,
	UTF7_WRONG,   /* not well-formed; of modified UTF-7 also what is not its canonical form */
	UTF7_CONTROL, /* a character that no name may have: RFC 6855 section 3 */
	UTF7_LONG,    /* it does not fit */
};

/* The text in the other encoding, with a NUL at its end; part of it when it is not UTF7_OK. */
enum utf7 utf7_decode(const char *utf7, size_t len, char *utf8_r, size_t size);
enum utf7 utf7_encode(const char *utf8, size_t len, char *utf7_r, size_t size);

#endif
