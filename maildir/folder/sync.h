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
	char *name; /* its file's in cur/; in tmp/ it is the base name alone */
	size_t base_len;
	struct uidlist_sizes sizes;
	char *guid; /* of the message that it is a copy of, or NULL */
	uint64_t keywords;
	bool moved; /* to cur/ */
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
	uint32_t rank;			 /* those of a delivery come last, in its order */
};

/* How a message differs from what the index has of it. */
enum fate {
	FATE_SAME,
	FATE_PUT,  /* it is new, or has changed */
	FATE_KEPT, /* no pass saw its file, but that may be the pass's fault */
	FATE_GONE,
	FATE_DEAD, /* a line without a file, of which the index has never heard */
};

/* A UID, and the file that has it. */
struct sync_message {
	size_t file;			 /* of the scan, or SCAN_NONE */
	const struct uidlist_line *line; /* NULL: it was not read, or there is none yet */
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
	size_t lines;	  /* of dovecot-uidlist, once it is written */
	size_t waits;	  /* files that wait for a UID */
	unsigned notices; /* of odd names */
	uint32_t validity, next;
	char guid[33];
	int frozen;	 /* errno: nothing can be written, and what need not be is done; or 0 */
	bool with_lines; /* dovecot-uidlist was read; else the index stands for it */
	bool whole;	 /* all of cur/ and new/ is looked at */
	bool
	    by_names; /* or only those of cur/ that have changed, as the folder's watch knows them */
	bool all_keywords; /* keywords of all messages may have changed without their names */
	bool locked;	   /* we hold Dovecot's lock file */
	bool sure;	   /* what was not found is gone */
	bool renumber;	   /* the uidlist is lost: everything gets a new UID */
	bool unsettled;	   /* cur/ and new/ are not as they were scanned */
	bool moved;	   /* by us, from new/ to cur/ */
	bool written;	   /* and dovecot-uidlist */
	bool held;	   /* dovecot-uidlist is to be replaced, and cannot be now */
};

/*
 * Brings the list up to date, as maildir_sync; under the folder's lock.  sync_now looks at what the times say may have
 * changed.  sync_again looks for all files, whatever the times of the directories say; sync_all reads dovecot-uidlist
 * besides.
 */
int sync_now(struct maildir_folder *folder);
int sync_again(struct maildir_folder *folder);
int sync_all(struct maildir_folder *folder);

/*
 * Gives the set UIDs that rise in its order; its files are in cur/.  Otherwise as sync_now; called with the folder's
 * lock and dovecot-uidlist.lock held, and both are still held after.  ENOENT: a file of the set is not there any more.
 */
int sync_delivered(struct maildir_folder *folder, struct delivery_set *set);

/* --- sync_uids.c --- */

/* As uidlist_doubt, and if it can be trusted uidlist_pass_lost, with what the folder's open index knows. */
const char *sync_doubt(
    struct maildir_folder *folder, struct uidlist *list, const struct uid_record *record);
/* Reads what was last given out: what another process knows of it, and what this one does. */
int sync_read_record(struct sync *sync);
/* Takes the head of dovecot-uidlist from the index.  false: the index may not stand for dovecot-uidlist. */
bool sync_head_from_index(struct sync *sync);
/* Reads dovecot-uidlist; its lines are the messages then. */
int sync_load(struct sync *sync);
/* Makes sure that fresh files can get UIDs without the lines.  1: yes, and it is locked; 0: no; -1: error. */
int sync_join(struct sync *sync);
/* Locks dovecot-uidlist if it is to be written, and reads it again if it has changed since sync_load. */
int sync_reload(struct sync *sync);
/* Gives fresh files their UIDs, on disk; they are messages then. */
int sync_write(struct sync *sync);
/* The first UID that no IMAP session has told its client. */
uint32_t sync_recent(const struct sync *sync);

/* --- sync_match.c --- */

/* Makes all messages of the index, or as many of dovecot-uidlist's lines, the messages. */
int sync_messages_of_index(struct sync *sync);
int sync_messages_of_lines(struct sync *sync);
/* Looks for the files of messages that have none yet (ctx is a sync).  Whether nothing is missing. */
bool sync_complete(void *ctx);
/* Says which files are whose, and which are fresh. */
int sync_match(struct sync *sync);
/* Makes those messages of the index the messages whose files came or went.  Whether that explains all names. */
bool sync_messages_of_names(struct sync *sync);
/* The fresh files, in the order in which they get UIDs. */
int sync_find_fresh(struct sync *sync);
/* Whether a message has a file: of two with the same base name it is the later. */
bool sync_has_file(const struct sync *sync, const struct sync_message *message);
/* Makes the fresh files messages, with UIDs from the given one on. */
int sync_number_fresh(struct sync *sync, uint32_t uid);

/* --- sync_index.c --- */

/* Compares what is there with the index and writes the difference to it; all sessions have it then. */
int sync_tell(struct sync *sync, struct index_state *state);

#endif
