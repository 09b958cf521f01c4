/*
 * foldername.h: the one name of a folder: modified UTF-7 of text in normalization form C, with "/" between its
 * parts and INBOX in capitals.
 */
#ifndef MAILDIR_FOLDER_FOLDERNAME_H
#define MAILDIR_FOLDER_FOLDERNAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { FOLDERNAME_SIZE = NAME_MAX + 1 };

enum foldername {
	FOLDERNAME_OK,
	FOLDERNAME_WRONG,   /* the text is not in that encoding */
	FOLDERNAME_CONTROL, /* it has a character that no name may have: RFC 6855 section 3 */
	FOLDERNAME_LONG,    /* a part has over 200 octets on disk, or the name over 254 */
	FOLDERNAME_EMPTY,   /* the text, or a part of it, is empty */
	FOLDERNAME_DOT,	    /* it has a dot, which Maildir++ puts between parts */
};

/* Gives the name that a text means, in UTF-8 or in modified UTF-7.  After a fault name_r has no meaning. */
enum foldername foldername_of(
    const char *text, size_t len, bool utf8, char name_r[FOLDERNAME_SIZE]);

/*
 * The same for a text that another program may have written: in modified UTF-7, else in UTF-8 as Courier 5 writes it,
 * else in Latin-1.
 */
enum foldername foldername_guess(const char *text, char name_r[FOLDERNAME_SIZE]);

/* Gives the name that a directory such as ".Sub.Folder" means.  false: it means none. */
bool foldername_of_entry(const char *entry, char name_r[FOLDERNAME_SIZE]);

#endif
