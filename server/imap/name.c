/*
 * name.c: converts names of mailboxes between the encodings of clients and of the Maildir.
 * Runs as: mail user.
 */
#include <stdio.h>
#include <string.h>

#include "maildir/folder/foldername.h"
#include "maildir/message/charset.h"
#include "server/imap/name.h"

const char *
imap_name_folder(const char *name, size_t len, bool utf8, char folder_r[IMAP_NAME_MAX])
{
	/* RFC 3501 section 6.3.3: the separator only says that names below will come. */
	if (len > 0 && name[len - 1] == '/')
		len--;
	switch (foldername_of(name, len, utf8, folder_r)) {
	case FOLDERNAME_OK:
		break;
	case FOLDERNAME_WRONG:
		return utf8 ? "The name is not UTF-8" : "The name is not modified UTF-7";
	case FOLDERNAME_CONTROL:
		return "A name cannot hold control characters";
	case FOLDERNAME_LONG:
		return "The name is too long";
	case FOLDERNAME_EMPTY:
		return "A folder's name cannot be empty";
	case FOLDERNAME_DOT:
		return "A dot cannot be part of a folder's name";
	}
	return NULL;
}

void
imap_name_client(const char *folder, bool utf8, char name_r[IMAP_NAME_MAX])
{
	if (!utf8 || utf7_decode(folder, strlen(folder), name_r, IMAP_NAME_MAX) != UTF7_OK)
		(void)snprintf(name_r, IMAP_NAME_MAX, "%s", folder);
}

void
imap_name_pattern(const char *text, size_t len, bool utf8, char pattern_r[IMAP_NAME_MAX])
{
	char decoded[IMAP_NAME_MAX];

	if (len >= IMAP_NAME_MAX)
		len = 0;
	if (utf8 && nfc_text(text, len, pattern_r, IMAP_NAME_MAX) == 0)
		return;
	if (!utf8 && utf7_decode(text, len, decoded, sizeof(decoded)) == UTF7_OK &&
	    nfc_text(decoded, strlen(decoded), pattern_r, IMAP_NAME_MAX) == 0)
		return;
	memcpy(pattern_r, text, len);
	pattern_r[len] = '\0';
}
