/*
 * foldername.c: finds the folder's name that a text means: of a client, a directory or a file.
 * Runs as: mail user.
 *
 * Several spellings mean one name: decomposed characters, INBOX in any case, "&" where "&-" belongs, UTF-8 and Latin-1
 * on disk.  All functions that take a name call this file, so that a client never sees two names for one folder, nor a
 * name that opens nothing.
 */
#include <string.h>
#include <strings.h>

#include "maildir/folder/foldername.h"
#include "maildir/message/charset.h"
#include "maildir/message/utf8.h"

enum {
	PART_MAX = 200,		  /* octets; leaves room for what programs append to file names */
	WHOLE_MAX = NAME_MAX - 1, /* octets; a dot and the name are the name of a directory */
};

#define INBOX "INBOX"

static enum foldername
parts_fault(const char *name)
{
	size_t len;

	if (strlen(name) > WHOLE_MAX)
		return FOLDERNAME_LONG;
	for (;; name += len + 1) {
		len = strcspn(name, "/");
		if (len == 0)
			return FOLDERNAME_EMPTY;
		if (memchr(name, '.', len) != NULL)
			return FOLDERNAME_DOT;
		if (len > PART_MAX)
			return FOLDERNAME_LONG;
		if (name[len] == '\0')
			return FOLDERNAME_OK;
	}
}

/* RFC 9051 section 5.1: INBOX in any case is INBOX, also as the first part of a name. */
static void
raise_inbox(char *name)
{
	const size_t inbox = strlen(INBOX);

	if (strncasecmp(name, INBOX, inbox) == 0 && (name[inbox] == '/' || name[inbox] == '\0'))
		memcpy(name, INBOX, inbox);
}

enum foldername
foldername_of(const char *text, size_t len, bool utf8, char name_r[FOLDERNAME_SIZE])
{
	static const enum foldername faults[] = {
	    [UTF7_OK] = FOLDERNAME_OK,
	    [UTF7_WRONG] = FOLDERNAME_WRONG,
	    [UTF7_CONTROL] = FOLDERNAME_CONTROL,
	    [UTF7_LONG] = FOLDERNAME_LONG,
	};
	char decoded[NFC_MAX + 1], normal[NFC_MAX + 1];
	enum foldername fault;

	if (len > NFC_MAX)
		return FOLDERNAME_LONG;
	if (memchr(text, '\0', len) != NULL)
		return FOLDERNAME_CONTROL;
	if (!utf8) {
		fault = faults[utf7_decode(text, len, decoded, sizeof(decoded))];
		if (fault != FOLDERNAME_OK)
			return fault;
		text = decoded;
		len = strlen(decoded);
	} else if (!utf8_valid(text, len)) {
		return FOLDERNAME_WRONG;
	}
	if (nfc_text(text, len, normal, sizeof(normal)) < 0)
		return FOLDERNAME_LONG;
	fault = faults[utf7_encode(normal, strlen(normal), name_r, FOLDERNAME_SIZE)];
	if (fault == FOLDERNAME_OK)
		fault = parts_fault(name_r);
	if (fault == FOLDERNAME_OK)
		raise_inbox(name_r);
	return fault;
}

/* Takes each octet as a character. */
static enum foldername
foldername_of_latin1(const char *text, char name_r[FOLDERNAME_SIZE])
{
	char utf8[2 * FOLDERNAME_SIZE] = "";
	size_t len = 0;

	for (; *text != '\0'; text++) {
		if (len + UTF8_MAX > sizeof(utf8))
			return FOLDERNAME_LONG;
		len += utf8_put((unsigned char)*text, utf8 + len);
	}
	return foldername_of(utf8, len, true, name_r);
}

enum foldername
foldername_guess(const char *text, char name_r[FOLDERNAME_SIZE])
{
	size_t len = strlen(text);
	enum foldername fault = foldername_of(text, len, false, name_r);

	if (fault == FOLDERNAME_WRONG)
		fault = foldername_of(text, len, true, name_r);
	if (fault == FOLDERNAME_WRONG)
		fault = foldername_of_latin1(text, name_r);
	return fault;
}

bool
foldername_of_entry(const char *entry, char name_r[FOLDERNAME_SIZE])
{
	char text[FOLDERNAME_SIZE];
	size_t len = strlen(entry);

	if (entry[0] != '.' || len > NAME_MAX)
		return false;
	memcpy(text, entry + 1, len);
	for (char *p = text; (p = strchr(p, '.')) != NULL;)
		*p = '/';
	return foldername_guess(text, name_r) == FOLDERNAME_OK;
}
