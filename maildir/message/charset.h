/*
 * charset.h: text of any charset as UTF-8, by iconv(3).
 *
 * glibc's converters are shared objects, and a process that is confined to a Maildir can neither find nor map
 * them.  So the process that later forks into all others opens the common converters early; a charset whose
 * converter is not open is unknown.  Charsets of single octets need no converter: charset.sh makes tables of them
 * at build time.  The forms of Unicode need none either, except UTF-7.
 */
#ifndef MAILDIR_MESSAGE_CHARSET_H
#define MAILDIR_MESSAGE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/buf.h"
#include "maildir/message/utf8.h"

/* Opens the converters; to be called before any confinement.  Costs some milliseconds.  A charset that the system
 * does not have (glibc's modules may be another package) is unknown; that is no error. */
void charset_load(void);

struct charset;

/* By its name in MIME (an alias too), without case, as mail writes it: "utf8", "ISO_8859-1:1987",
 * "x-cp1250".  NULL: unknown. */
const struct charset *charset_find(const char *name, size_t len);

/*
 * For text without a charset, or with an unknown one; us-ascii is treated so, too.  Octets that are well-formed
 * UTF-8 are read as UTF-8, others as windows-1252.  Never NULL.
 */
const struct charset *charset_unmarked(void);

/* Each name that charset_find knows in its usual form, for [BADCHARSET (...)]; NULL after the last. */
const char *charset_name(size_t n);

/* Whether octets mean something else after a shift or an escape.  Such a text cannot continue another, and only
 * one at a time can be converted. */
bool charset_stateful(const struct charset *charset);

/*
 * Converts a piece of text to UTF-8 and adds whole characters to out; malformed octets become U+FFFD.  carry is
 * zeroed at the start of a text; it holds the beginning of a character that was cut at the end of a piece.
 * last: the text ends here, and carry is zeroed again.
 */
enum { CHARSET_CARRY = 16 };

struct charset_carry {
	char octets[CHARSET_CARRY];
	size_t len;
	bool begun;
	bool little; /* UTF-16 and UTF-32: the order of octets that its mark told */
};
void charset_to_utf8(const struct charset *charset, struct charset_carry *carry, const char *in,
    size_t len, bool last, struct mdbuf *out);

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
