/*
 * sync.h: what the parts of a sync share: sync.c, which looks at the directories; sync_uids.c, which reads
 * and writes dovecot-uidlist; sync_index.c, which compares what was found with the index and writes it there.
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

/* A message of a delivery (deliver.c). */
struct delivered {
	char *name; /* of its file in cur/; the file in tmp/ has the base name alone */
	size_t base_len;
	struct uidlist_sizes sizes;
	char *guid; /* of the message that it is a copy of, or NULL */
	uint64_t keywords;
	bool moved; /* the file is in cur/ */
	uint32_t uid;
	char *source; /* a file of another folder that is to be linked, or NULL: it is in tmp/ */
	uint8_t source_dir; /* enum entry_dir */
};

struct delivery_set {
	struct delivered *message;
	size_t count;
};

/* A file that has no UID yet. */
struct fresh {
	uint64_t time;
	const char *name;
	size_t file;			 /* of the scan */
	const struct uidlist_line *line; /* its old line when all UIDs are lost, or NULL */
	uint32_t rank;			 /* as in scan_file: a delivery's files come last */
};

/* How a message differs from what the index has of it. */
enum fate {
	FATE_SAME,
	FATE_PUT,  /* the message is new, or has changed */
	FATE_KEPT, /* no pass saw its file, but that may be the pass's fault */
	FATE_GONE,
	FATE_DEAD, /* a line without a file, and the index has no such message */
};

/* A UID, and the file that has it. */
struct sync_message {
	size_t file;			 /* of the scan, or SCAN_NONE */
	const struct uidlist_line *line; /* NULL: no line was read or written for it */
	const char *same; /* the file's name when it was found to be that of the index, or NULL */
	uint32_t uid;
	uint8_t fate; /* enum fate */
};

struct sync {
	struct maildir_folder *folder;
	struct delivery_set *set; /* or NULL */
	struct scan scan;
	struct uidfile uids;
	struct uid_record record;
	/* By rising UID: those of all lines, or all that the index has, or only new ones. */
	struct sync_message *message;
	size_t count;
	struct fresh *fresh;
	size_t fresh_count;
	size_t dead;	  /* of the messages, how many have no file */
	size_t lines;	  /* that dovecot-uidlist has after this sync */
	size_t waits;	  /* files that wait for a UID */
	unsigned notices; /* of odd names, that were given */
	uint32_t validity, next;
	char guid[33];
	int frozen;	 /* errno: why nothing can be written, so that this sync only reads; or 0 */
	bool with_lines; /* dovecot-uidlist was read; else the index stands for it */
	bool whole;	 /* this sync looks at all of cur/ and new/ */
	bool by_names;	 /* or, of cur/, only at the names that the folder's watch remembers */
	bool all_keywords; /* keywords of any message may have changed, though its name has not */
	bool locked;	   /* this process holds dovecot-uidlist.lock */
	bool sure;	   /* a message whose file was not found is gone */
	bool renumber;	   /* the UIDs are lost: all messages get new ones */
	bool unsettled; /* this sync has renamed files since the scan: the next must look again */
	bool moved;	/* new/ had files, which this sync has moved to cur/ if it could */
	bool written;	/* this sync has written dovecot-uidlist */
	bool held;	/* dovecot-uidlist must be replaced, and cannot be written now */
};

/*
 * Bring the list up to date as maildir_sync does, under the folder's lock.  sync_now looks at the parts of the folder
 * that may have changed, as their times tell.  sync_again looks at all files, whatever the times of the directories.
 * sync_all also reads dovecot-uidlist.
 */
int sync_now(struct maildir_folder *folder);
int sync_again(struct maildir_folder *folder);
int sync_all(struct maildir_folder *folder);

/*
 * Gives the messages of the set UIDs, which rise in the order of the set, and brings the rest of the list up to date as
 * sync_now does.  The files of the set are in cur/.  The caller holds the folder's lock and dovecot-uidlist.lock, and
 * keeps both.  ENOENT: a file of the set is gone.
 */
int sync_delivered(struct maildir_folder *folder, struct delivery_set *set);

/* --- sync_uids.c --- */

/* Returns why the list cannot be trusted, as uidlist_doubt does with the index's last message, or NULL.  A list that
 * can be trusted goes through uidlist_pass_lost. */
const char *sync_doubt(
    struct maildir_folder *folder, struct uidlist *list, const struct uid_record *record);
/* Reads the record of the UIDs that were last given out.  If this session knows of later ones, those count. */
int sync_read_record(struct sync *sync);
/* Takes the head of dovecot-uidlist from the index.  Returns false if the index is no substitute for the file. */
bool sync_head_from_index(struct sync *sync);
/* Reads dovecot-uidlist and makes its lines the messages of the sync. */
int sync_load(struct sync *sync);
/* Checks that fresh files can get UIDs though the lines were not read.  1: they can, and dovecot-uidlist is locked if
 * there are any; 0: the lines must be read; -1: error. */
int sync_join(struct sync *sync);
/* Locks dovecot-uidlist if it is to be written, and reads it again if it has changed since sync_load. */
int sync_reload(struct sync *sync);
/* Gives fresh files their UIDs, writes these to the disk, and makes the files messages of the sync. */
int sync_write(struct sync *sync);
/* Returns the first UID that no IMAP session has told its client. */
uint32_t sync_recent(const struct sync *sync);

/* --- sync_match.c --- */

/* Make all messages of the index, or all lines of dovecot-uidlist, the messages of the sync.  None has a file yet. */
int sync_messages_of_index(struct sync *sync);
int sync_messages_of_lines(struct sync *sync);
/*
 * Looks in the scan for the files of messages that have none yet; ctx is a sync.  Returns whether every message has
 * one.
 */
bool sync_complete(void *ctx);
/* Notes in the scan's files which message each belongs to, and finds the fresh files. */
int sync_match(struct sync *sync);
/* Makes the messages whose files came or went, as the watch tells, the messages of the sync.  Returns false if a name
 * needs a look at all files. */
bool sync_messages_of_names(struct sync *sync);
/* Lists the fresh files in sync->fresh, in the order in which they get UIDs. */
int sync_find_fresh(struct sync *sync);
/* Returns whether a message has a file.  If two messages have the same base name, the later one has the file. */
bool sync_has_file(const struct sync *sync, const struct sync_message *message);
/* Makes the fresh files messages of the sync, with UIDs from uid on. */
int sync_number_fresh(struct sync *sync, uint32_t uid);

/* --- sync_index.c --- */

/* Compares the messages of the sync with the index and writes the difference and the state there.  Other sessions read
 * it from the index. */
int sync_tell(struct sync *sync, struct index_state *state);

#endif
