/*
 * foldername.h: the one name of a folder: modified UTF-7 of text in normalization form C, "/" between its
 * parts, and INBOX in capitals.
 */
#ifndef MAILDIR_FOLDER_FOLDERNAME_H
#define MAILDIR_FOLDER_FOLDERNAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { FOLDERNAME_SIZE = NAME_MAX + 1 };

enum foldername {
	FOLDERNAME_OK,
	FOLDERNAME_WRONG,   /* it is not in that encoding */
	FOLDERNAME_CONTROL, /* a character that no name may have: RFC 6855 section 3 */
	FOLDERNAME_LONG,    /* a part has over 200 octets on disk, or all of it has over 254 */
	FOLDERNAME_EMPTY,   /* it, or a part of it */
	FOLDERNAME_DOT,	    /* Maildir++ has a dot between parts */
};

/* The name that a text means, in UTF-8 or in modified UTF-7.  What name_r holds otherwise is undefined. */
enum foldername foldername_of(
    const char *text, size_t len, bool utf8, char name_r[FOLDERNAME_SIZE]);

/*
 * The same of a text that another program may have written: modified UTF-7, else UTF-8 as Courier 5 has it,
 * else Latin-1.
 */
enum foldername foldername_guess(const char *text, char name_r[FOLDERNAME_SIZE]);

/* The name that the directory ".Sub.Folder" means.  false: none. */
bool foldername_of_entry(const char *entry, char name_r[FOLDERNAME_SIZE]);

#endif
