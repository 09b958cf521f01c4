/*
 * permanent_ids.h: ids of messages and folders that stay when UIDs do not (RFC 8474).
 */
#ifndef MAILDIR_FOLDER_PERMANENT_IDS_H
#define MAILDIR_FOLDER_PERMANENT_IDS_H

#include "maildir/base/name.h"
#include "maildir/maildir.h"

struct index_message;

/*
 * Gives the text from which a message's id is made, as the field G of dovecot-uidlist can hold it; a copy has that
 * field from its original.  guid: the field that the message's line has, or NULL; name: its file's.
 */
enum { GUID_SIZE = NAME_SIZE };
void guid_of(const char *guid, const char *name, char guid_r[GUID_SIZE]);
void message_guid(const struct index_message *message, char guid_r[GUID_SIZE]);

/* Makes the id that clients see. */
void id_of_guid(const char *guid, char id_r[MAILDIR_ID_SIZE]);

#endif
