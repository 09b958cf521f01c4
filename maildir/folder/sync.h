/*
 * sync.h: what the parts of a sync share: sync.c, which looks at everything; sync_quick.c, which does
 * with less where that is enough; sync_take.c, which puts what was found into the index.
 */
#ifndef MAILDIR_FOLDER_SYNC_H
#define MAILDIR_FOLDER_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"
#include "maildir/index/index_record.h"
#include "maildir/uids/uidlist.h"

/* A file that has no UID yet. */
struct fresh {
	uint64_t time;
	const char *name;
	size_t file;
	uint32_t rank; /* those of a delivery come last, in its order */
	uint32_t uid;
};

struct sync {
	struct maildir_folder *folder;
	struct delivery_set *set; /* or NULL */
	struct scan scan;
	struct uidfile uids;
	struct uid_record record;
	size_t *file_of; /* for each line of the uidlist the file of its name, or SCAN_NONE */
	struct fresh *fresh;
	size_t fresh_count;
	size_t dead;  /* lines without a file */
	size_t lines; /* of dovecot-uidlist, once it is written */
	size_t waits; /* files that wait for a UID */
	uint32_t validity, next;
	char guid[33];
	int frozen;	/* errno: nothing can be written, and what need not be is done; or 0 */
	bool locked;	/* we hold Dovecot's lock file */
	bool sure;	/* what was not found is gone */
	bool renumber;	/* the uidlist is lost: everything gets a new UID */
	bool unsettled; /* cur/ and new/ are not as they were scanned */
	bool moved;	/* by us, from new/ to cur/ */
	bool written;	/* and dovecot-uidlist */
};

/* As uidlist_doubt, and if it can be trusted uidlist_pass_lost, with what the folder's open index knows. */
const char *sync_doubt(
    struct maildir_folder *folder, struct uidlist *list, const struct uid_record *record);
/* Another program's lock file, unless we have it already. */
int sync_dotlock(struct sync *sync);
/* What was last given out, of what another process knows and of what this one does. */
int sync_read_record(struct sync *sync);
/* The first UID that no IMAP session was told of. */
uint32_t sync_recent(const struct sync *sync);
/* The files that no line of the uidlist has, in the order in which they get UIDs. */
int sync_find_fresh(struct sync *sync);
/* UIDs for them, from the uidlist's next on. */
int sync_number(struct sync *sync);
/* Their lines behind the others, on disk. */
int sync_append(struct sync *sync);

/* Whether a line of the uidlist is one without a file. */
bool sync_line_is_dead(const struct sync *sync, size_t line);

/* What is there, all of it, into the index. */
int sync_take(struct sync *sync, const struct list *list, const struct index_state *state);

/*
 * Takes in what folder_look (look) says may have changed, without dovecot-uidlist's old lines.  1: that
 * is not enough, and nothing was done; else as maildir_sync.
 */
int sync_quick(struct maildir_folder *folder, unsigned look);
/* The same for a delivery, whose files are in cur/; cur/ was as the index has it before that. */
int sync_quick_delivered(struct maildir_folder *folder, struct delivery_set *set);

#endif
