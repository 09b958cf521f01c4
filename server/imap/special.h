/*
 * special.h: which mailbox is for drafts, sent mail and so on.  RFC 6154.
 *
 * A client's CREATE ... (USE ...) counts first, then the settings, then the usual names in the usual
 * languages.
 */
#ifndef SERVER_IMAP_SPECIAL_H
#define SERVER_IMAP_SPECIAL_H

#include <stdbool.h>

#include "server/imap/args.h"

struct mailboxes;
struct session;

enum special {
	SPECIAL_NONE,
	SPECIAL_DRAFTS,
	SPECIAL_SENT,
	SPECIAL_TRASH,
	SPECIAL_JUNK,
	SPECIAL_ARCHIVE,
	SPECIAL_USES,
};

/* Marks the folder of each use. */
void special_mark(struct session *session, struct mailboxes *all);

/* Makes the folders that are missing, where the settings say so. */
void special_make(struct session *session);

/* "\Sent" */
const char *special_name(enum special use);
/* SPECIAL_NONE: the word is no use for which a mailbox can be made. */
enum special special_of(struct word word);

/* Whether a client has given the use to a folder that exists. */
bool special_taken(struct session *session, enum special use);

#endif
