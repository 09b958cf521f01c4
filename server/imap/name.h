/*
 * name.h: converts names of mailboxes between clients and the Maildir.
 *
 * The Maildir has a name in modified UTF-7 (maildir/folder/foldername.h).  A client writes the same, or UTF-8
 * when it has switched that on (RFC 6855, RFC 9051), and spells it in any way that means the name.
 */
#ifndef SERVER_IMAP_NAME_H
#define SERVER_IMAP_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { IMAP_NAME_MAX = 1024 }; /* octets of a name in any form; a file name holds fewer */

/*
 * The folder that a client's name means: in normalization form C, INBOX in capitals, without one "/" at its end.
 * Returns NULL, or why the name is refused, for the client.
 */
const char *imap_name_folder(const char *name, size_t len, bool utf8, char folder_r[IMAP_NAME_MAX]);

/* A folder's name for a client: in modified UTF-7, or as UTF-8. */
void imap_name_client(const char *folder, bool utf8, char name_r[IMAP_NAME_MAX]);

/*
 * A client's pattern for names, in UTF-8 and form C.  A pattern in neither encoding stays as it is; a pattern that is
 * too long becomes empty, and matches nothing.
 */
void imap_name_pattern(const char *text, size_t len, bool utf8, char pattern_r[IMAP_NAME_MAX]);

#endif
