/*
 * ids.c: ids of messages and folders that stay.
 * Runs as: mail user.
 *
 * A message is known by its base name, which whoever made it took care that nobody else uses.  A copy
 * has a base name of its own and, as Dovecot writes it too, the field G in its line of
 * dovecot-uidlist with the name of its original.  So the id needs no memory but the Maildir.  A
 * folder's id is the one at the head of dovecot-uidlist.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "maildir/base/fnv.h"
#include "maildir/folder/ids.h"
#include "maildir/folder/folder.h"
#include "maildir/index/index.h"

/* Two hashes of 64 bits that will not change. */
enum { HASH_DIGITS = 32 };
#define FNV_OTHER UINT64_C(0x9ae16a3b2f90404f)

/* 2001, when clocks got ten digits: what is below is no time. */
#define SAVE_DATE_MIN 1000000000

/* A name may come from a machine whose clock is a bit ahead. */
#define SAVE_DATE_AHEAD (24 * 60 * 60)

static void
hash_digits(const char *text, char digits_r[HASH_DIGITS + 1])
{
	snprintf(digits_r, HASH_DIGITS + 1, "%016llx%016llx",
	    (unsigned long long)fnv64(FNV_START, text, strlen(text)),
	    (unsigned long long)fnv64(FNV_OTHER, text, strlen(text)));
}

/* A field of dovecot-uidlist is a word, and Dovecot's lines are text. */
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
	char digits[HASH_DIGITS + 1];

	if (len >= GUID_SIZE) {
		hash_digits(text, digits);
		memcpy(guid_r, digits, sizeof(digits));
		return;
	}
	memcpy(guid_r, text, len);
	guid_r[len] = '\0';
	if (is_word(guid_r))
		return;
	hash_digits(guid_r, digits);
	memcpy(guid_r, digits, sizeof(digits));
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
 * RFC 8474 section 4: 1 to 255 of letters, digits, "_" and "-".  Names have mostly dots besides,
 * which get the short way.
 */
void
id_of_guid(const char *guid, char id_r[MAILDIR_ID_SIZE])
{
	char id[MAILDIR_ID_SIZE] = "";
	size_t n = 0;

	for (const char *p = guid; *p != '\0'; p++) {
		bool plain = is_plain(*p) || *p == '.';

		if (n + (plain ? 1 : 3) >= sizeof(id)) {
			n = 0;
			break;
		}
		if (plain)
			id[n++] = *p == '.' ? '_' : *p;
		else
			n += (size_t)snprintf(
			    id + n, sizeof(id) - n, "-%02x", (unsigned)(unsigned char)*p);
	}
	id[n] = '\0';
	/* Empty, or too long. */
	if (n == 0)
		hash_digits(guid, id);
	memcpy(id_r, id, sizeof(id));
}

bool
name_save_date(const char *name, time_t *date_r)
{
	uint64_t seconds = mdname_time(name);

	if (seconds < SAVE_DATE_MIN || seconds > (uint64_t)time(NULL) + SAVE_DATE_AHEAD)
		return false;
	*date_r = (time_t)seconds;
	return true;
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
	/* A list of Dovecot's version 1, which cannot be written. */
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
	size_t len;

	if (message_find(folder, uid, &message) < 0)
		return false;
	if (guid)
		message_guid(&message, name);
	else
		guid_of(NULL, index_name(&message), name);
	len = strlen(name);
	if (len == 0 || len >= MAILDIR_UIDL_SIZE)
		return false;
	/* RFC 1939 section 7. */
	for (size_t i = 0; i < len; i++) {
		if (name[i] < 0x21 || name[i] > 0x7e)
			return false;
	}
	memcpy(uidl_r, name, len + 1);
	return true;
}
