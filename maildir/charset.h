/*
 * charset.h: text of any charset as UTF-8, by iconv(3).
 *
 * glibc's converters are shared objects, which a process that is confined to a Maildir can neither
 * find nor map.  So the common ones are opened early, in the process that later forks into all the
 * others; a charset that was not is as good as unknown.
 */
#ifndef MAILDIR_CHARSET_H
#define MAILDIR_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/text.h"

/* Opens the converters; to be called once, before any confinement.  Costs some milliseconds. */
void charset_load(void);

struct charset;

/* By its name in MIME (an alias too), without case.  NULL: unknown. */
const struct charset *charset_find(const char *name, size_t len);

/* Each name that charset_find knows in its usual form, for [BADCHARSET (...)]; NULL behind the last. */
const char *charset_name(size_t n);

/*
 * A piece of text to UTF-8, added to out.  carry holds what of a character was cut off at the end of
 * the piece before (zeroed at the start); what is malformed becomes U+FFFD.  last: the text ends here.
 */
struct charset_carry {
	char octets[16];
	size_t len;
	bool begun;
};
void charset_to_utf8(const struct charset *charset, struct charset_carry *carry, const char *in,
    size_t len, bool last, struct mdtext *out);

#endif
