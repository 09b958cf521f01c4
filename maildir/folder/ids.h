/*
 * ids.h: what a message and a folder are known by for ever, whatever becomes of UIDs (RFC 8474).
 */
#ifndef MAILDIR_FOLDER_IDS_H
#define MAILDIR_FOLDER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "maildir/base/name.h"
#include "maildir/maildir.h"

struct index_message;

/*
 * The text that a message's id is made of, as a field of dovecot-uidlist can hold it (G): a copy gets
 * that of its original.  guid: the field that its line has already, or NULL; name: its file's.
 */
enum { GUID_SIZE = NAME_SIZE };
void guid_of(const char *guid, const char *name, char guid_r[GUID_SIZE]);
void message_guid(const struct index_message *message, char guid_r[GUID_SIZE]);

/* The id that is told to clients. */
void id_of_guid(const char *guid, char id_r[MAILDIR_ID_SIZE]);

/* When the message was put into its folder, as far as the name tells; false: it does not. */
bool name_save_date(const char *name, time_t *date_r);

#endif
