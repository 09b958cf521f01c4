/*
 * name.h: names of mailboxes as clients write them, and as the Maildir has them.
 *
 * On disk a name is in modified UTF-7 (RFC 3501 section 5.1.3), "/" between its parts.  A client
 * writes the same, or UTF-8 when it has switched that on (RFC 6855, RFC 9051).
 */
#ifndef SERVER_IMAP_NAME_H
#define SERVER_IMAP_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { IMAP_NAME_MAX = 1024 }; /* octets of a name in any form; what a file name holds is less */

/*
 * The name of a folder for a client's: INBOX in any case (also as first part) is "INBOX", one "/" at
 * the end is not part of it.  NULL when it is good, else why it is refused, for the client: empty
 * parts, "." or "..", a dot inside a part (Maildir++ separates with it), controls, malformed modified
 * UTF-7 or UTF-8, parts over 200 octets, too long.
 */
const char *imap_name_folder(const char *name, size_t len, bool utf8, char folder_r[IMAP_NAME_MAX]);

/* A folder's name for a client: in modified UTF-7, or as UTF-8.  One on disk that is neither stays as it
 * is. */
void imap_name_client(const char *folder, bool utf8, char name_r[IMAP_NAME_MAX]);

/* The two encodings, written with a NUL behind.  -1: malformed (controls are, in both, and any but the
 * canonical form of modified UTF-7), or it does not fit. */
int imap_utf7_to_utf8(const char *utf7, size_t len, char *utf8_r, size_t size);
int imap_utf8_to_utf7(const char *utf8, size_t len, char *utf7_r, size_t size);

#endif
