/*
 * special.h: which mailbox is for drafts, sent mail and so on.  RFC 6154.
 *
 * What a client said with CREATE ... (USE ...) counts first, then the settings, then the usual names
 * in the usual languages.
 */
#ifndef SERVER_IMAP_SPECIAL_H
#define SERVER_IMAP_SPECIAL_H

#include <stdbool.h>

#include "server/imap/args.h"
#include "server/imap/name.h"

struct conf;
struct session;

enum special {
	SPECIAL_DRAFTS,
	SPECIAL_SENT,
	SPECIAL_TRASH,
	SPECIAL_JUNK,
	SPECIAL_ARCHIVE,
	SPECIAL_USES,
};

/* The folder of each use, NULL where there is none; malloc'd. */
struct special_folders {
	char *folder[SPECIAL_USES];
};

/* folders: every folder that there is; rising by octets. */
void special_find(
    struct session *session, char *const *folders, size_t count, struct special_folders *special_r);
void special_clear(struct special_folders *special);

/* "\Sent" */
const char *special_name(enum special use);
/* SPECIAL_USES: it is none, or not one that a mailbox can be made for. */
enum special special_of(struct word word);

/* Whether a client has given the use to a folder that there is. */
bool special_taken(struct session *session, enum special use);

/* The folder that is to be made for a use when there is none.  false: the setting cannot be one. */
bool special_wanted(const struct conf *conf, enum special use, char folder_r[IMAP_NAME_MAX]);

#endif
