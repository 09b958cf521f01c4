/*
 * index_record.c: records of messages and their strings.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/index/index_record.h"

/* Copies a string with its NUL, and returns the place after it. */
static char *
put_string(char *to, const char *string, size_t len)
{
	memcpy(to, string, len);
	to[len] = '\0';
	return to + len + 1;
}

bool
index_set_strings(
    struct index_message *message, const char *name, const char *uidl, const char *guid)
{
	struct index_record *record = &message->record;
	size_t name_len = strlen(name), uidl_len, guid_len;
	char *to = message->strings;

	uidl = uidl != NULL ? uidl : "";
	guid = guid != NULL ? guid : "";
	uidl_len = strlen(uidl);
	guid_len = strlen(guid);
	if (name_len >= NAME_SIZE || uidl_len >= MAILDIR_UIDL_SIZE || guid_len >= MAILDIR_ID_SIZE)
		return false;
	to = put_string(to, name, name_len);
	to = put_string(to, uidl, uidl_len);
	(void)put_string(to, guid, guid_len);
	record->name_len = (uint16_t)name_len;
	record->base_len = (uint16_t)mdname_base(name);
	record->uidl_len = (uint16_t)uidl_len;
	record->guid_len = (uint16_t)guid_len;
	return true;
}

bool
index_record_is_sane(const struct index_record *record)
{
	return record->uid != 0 && record->uid != UINT32_MAX && record->dir < INDEX_DIRS &&
	       record->zero == 0 && record->modseq <= INDEX_MODSEQ_MAX &&
	       record->name_len < NAME_SIZE && record->base_len <= record->name_len &&
	       record->uidl_len < MAILDIR_UIDL_SIZE && record->guid_len < MAILDIR_ID_SIZE;
}

bool
index_strings_are_sane(const struct index_message *message)
{
	const struct index_record *record = &message->record;
	const char *name = index_name(message);
	size_t size = index_strings_size(record), controls = 0;

	for (size_t i = 0; i < size; i++)
		controls += (unsigned char)message->strings[i] < 0x20;
	return controls == 3 && name[record->name_len] == '\0' &&
	       index_uidl(message)[record->uidl_len] == '\0' &&
	       index_guid(message)[record->guid_len] == '\0' &&
	       memchr(name, '/', record->name_len) == NULL;
}
