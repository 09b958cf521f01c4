/*
 * permanent_ids.c: ids of messages and folders that stay when UIDs do not; names for POP3 by other servers' rules.
 * Runs as: mail user.
 *
 * The id of a message is its base name, which the program that made the file chose so that no other file has it.  A
 * copy has a base name of its own; the field G of its line in dovecot-uidlist has the name of its original, as Dovecot
 * writes it too.  So the Maildir has all that the id needs.  The id of a folder is at the head of dovecot-uidlist.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "maildir/base/fnv.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/permanent_ids.h"
#include "maildir/index/index.h"

/* Digits of two hashes of 64 bits each, which must never change. */
enum { HASH_DIGITS = 32 };
#define FNV_OTHER UINT64_C(0x9ae16a3b2f90404f)

/* text may lie in digits_r. */
static void
hash_digits(const char *text, char *digits_r)
{
	snprintf(digits_r, HASH_DIGITS + 1, "%016llx%016llx",
	    (unsigned long long)fnv64(FNV_START, text, strlen(text)),
	    (unsigned long long)fnv64(FNV_OTHER, text, strlen(text)));
}

/* Returns whether the text can be a field of a line: it is not empty, and has no space or control character. */
static bool
is_word(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= 0x20)
			return false;
	}
	return true;
}

void
guid_of(const char *guid, const char *name, char guid_r[GUID_SIZE])
{
	size_t len = guid != NULL ? strlen(guid) : mdname_base(name);
	const char *text = guid != NULL ? guid : name;

	if (len < GUID_SIZE) {
		memcpy(guid_r, text, len);
		guid_r[len] = '\0';
		if (is_word(guid_r))
			return;
		text = guid_r;
	}
	hash_digits(text, guid_r);
}

void
message_guid(const struct index_message *message, char guid_r[GUID_SIZE])
{
	const char *guid = index_guid(message);

	guid_of(*guid != '\0' ? guid : NULL, index_name(message), guid_r);
}

static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*
 * RFC 8474 section 4: an id has 1 to 255 letters, digits, "_" and "-".  Dots are common in names, so a dot becomes "_";
 * other characters, "_" and "-" among them, become "-" and two hexadecimal digits.
 */
void
id_of_guid(const char *guid, char id_r[MAILDIR_ID_SIZE])
{
	size_t n = 0;

	for (const char *p = guid; *p != '\0'; p++) {
		bool plain = is_plain(*p) || *p == '.';

		if (n + (plain ? 1 : 3) >= MAILDIR_ID_SIZE) {
			n = 0;
			break;
		}
		if (plain)
			id_r[n++] = *p == '.' ? '_' : *p;
		else
			n += (size_t)snprintf(
			    id_r + n, MAILDIR_ID_SIZE - n, "-%02x", (unsigned)(unsigned char)*p);
	}
	id_r[n] = '\0';
	/* The text is empty, or too long. */
	if (n == 0)
		hash_digits(guid, id_r);
}

int
maildir_message_id(struct maildir_folder *folder, uint32_t uid, char id_r[MAILDIR_ID_SIZE])
{
	struct index_message message;
	char guid[GUID_SIZE];

	if (message_find(folder, uid, &message) < 0)
		return -1;
	message_guid(&message, guid);
	id_of_guid(guid, id_r);
	return 0;
}

int
maildir_folder_id(struct maildir_folder *folder, char id_r[MAILDIR_ID_SIZE])
{
	if (!index_is_open(folder->index) && maildir_sync(folder) < 0)
		return -1;
	/* dovecot-uidlist has no id if it is of Dovecot's version 1 and cannot be written. */
	if (index_folder_guid(folder->index)[0] == '\0') {
		errno = ENOENT;
		return -1;
	}
	id_of_guid(index_folder_guid(folder->index), id_r);
	return 0;
}

bool
maildir_pop3_uidl(struct maildir_folder *folder, uint32_t uid, char uidl_r[MAILDIR_UIDL_SIZE])
{
	struct index_message message;

	if (message_find(folder, uid, &message) < 0 || message.record.uidl_len == 0)
		return false;
	memcpy(uidl_r, index_uidl(&message), (size_t)message.record.uidl_len + 1);
	return true;
}

bool
maildir_name_uidl(
    struct maildir_folder *folder, uint32_t uid, bool guid, char uidl_r[MAILDIR_UIDL_SIZE])
{
	struct index_message message;
	char name[GUID_SIZE];
	size_t len = 0;

	if (message_find(folder, uid, &message) < 0)
		return false;
	if (guid)
		message_guid(&message, name);
	else
		guid_of(NULL, index_name(&message), name);
	/* RFC 1939 section 7. */
	while (name[len] >= 0x21 && name[len] <= 0x7e)
		len++;
	if (name[len] != '\0' || len == 0 || len >= MAILDIR_UIDL_SIZE)
		return false;
	memcpy(uidl_r, name, len + 1);
	return true;
}
