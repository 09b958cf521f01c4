/*
 * index.h: what all sessions know of a folder together: the snapshot and the log, as one list of messages.
 *
 * It is a cache.  If it is missing, old or broken, sync.c rebuilds it from the messages' files and dovecot-uidlist.
 * The head of index_read.c explains how it is read and written, and how damage is met.
 */
#ifndef MAILDIR_INDEX_INDEX_H
#define MAILDIR_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/index/index_head.h"
#include "maildir/index/index_record.h"
#include "maildir/index/index_snapshot.h"
#include "maildir/index/index_summaries.h"
#include "maildir/maildir.h"

struct index;
struct mddir;

/* Called for each message of the list that changes, leaves or comes back: see maildir_on_change. */
typedef void index_tell(void *ctx, enum maildir_change change, uint32_t uid);

/* Makes an index for a directory; it has no list until index_refresh or index_replace.  NULL: ENOMEM.  dir and ctx
 * are borrowed until index_free. */
struct index *index_new(struct mddir *dir, index_tell *tell, void *ctx);
void index_free(struct index *index);
/* Closes the files and drops the list: the index is as index_new made it. */
void index_close(struct index *index);

/* Opens the files, or takes in what other sessions have written since; if they wrote nothing, that costs one fstat.
 * Returns false if there is no usable index; sync.c then rebuilds it. */
bool index_refresh(struct index *index);

/* Returns whether the open files are those on the disk, read to their end.  Call it under the folder's lock. */
bool index_is_current(struct index *index);

/* Returns whether nobody has written into the snapshot since it was opened, nor over records of the log since they were
 * read; if somebody has, the index is broken.  Call it under the folder's lock, after a decision that lookups were the
 * ground for, and before that is written.  It reads the whole log. */
bool index_is_untouched(struct index *index);

/* --- its state --- */

/* Returns whether there is a list. */
bool index_is_open(const struct index *index);

/* Returns whether a part of the open files was found damaged or cut.  Answers since the last change may then be
 * wrong, so a session that has numbered messages for its client must end.  index_refresh returns false until the
 * index is rebuilt. */
bool index_is_broken(const struct index *index);
/* Marks the index as broken: its user found a contradiction in it. */
void index_break(struct index *index);

/* Returns whether new records stay in this process's memory, because the files cannot be written. */
bool index_is_private(const struct index *index);

/* Declares the index older than what clients were told: the next sync treats all flags as changed. */
void index_distrust(struct index *index);
bool index_is_stale(const struct index *index);

/* Returns whether records were put that index_commit has not written yet. */
bool index_in_batch(const struct index *index);

/* Return the UIDVALIDITY, and the folder's id from the head of dovecot-uidlist; 0 and "" if there is no list. */
uint32_t index_validity(const struct index *index);
const char *index_folder_guid(const struct index *index);
/* Returns the folder's state at the last moment when all of it was known. */
const struct index_state *index_state(const struct index *index);
/* Notes the stamp of sallyport.keywords, whose keywords the messages have now. */
void index_saw_keywords(struct index *index, const struct file_stamp *stamp);
void index_counts(const struct index *index, struct maildir_counts *counts_r);

/* Reads and verifies all of the index.  Returns false if a part is damaged.  *structures_r is the number of messages
 * whose BODYSTRUCTURE is known. */
bool index_verify(struct index *index, size_t *structures_r);

/* --- the list --- */

size_t index_count(const struct index *index);
/* Copies the record at a place, counted from 0 by rising UID.  Returns false if there is none, or if it is broken. */
bool index_record(struct index *index, size_t place, struct index_record *record_r);
/* The same with its strings; and by UID. */
bool index_message_at(struct index *index, size_t place, struct index_message *message_r);
bool index_message(struct index *index, uint32_t uid, struct index_message *message_r);
/* Returns the place of the first message with that UID or a higher one; index_count if there is none. */
size_t index_find(struct index *index, uint32_t uid);
/* Returns the UID of the message whose file has that base name, or 0. */
uint32_t index_by_base(struct index *index, const char *base, size_t len);

/* Returns the hash by which the index looks up base names. */
uint32_t index_base_hash(const struct index *index, const char *base, size_t len);
/* Returns whether a message that vanished may have had one of these base name hashes.  Sorts the hashes. */
bool index_knew_any(struct index *index, uint32_t *hashes, size_t count);
/* Returns the place of the first message without \Seen; index_count if there is none. */
size_t index_first_unseen(struct index *index);
/* As maildir_vanished. */
bool index_vanished(
    struct index *index, uint64_t since, void (*each)(void *ctx, uint32_t uid), void *ctx);

/* --- changes, under the folder's lock --- */

/* Returns a new modification sequence: the time since 1970 in 2^-20 s, or one more than the last if that is higher. */
uint64_t index_modseq(const struct index *index);

/* Note how a message is now, or that it is gone.  The list has the change at once, the disk after index_commit.
 * -1: ENOMEM. */
int index_put(struct index *index, const struct index_message *message);
int index_put_gone(struct index *index, uint32_t uid, uint64_t modseq);
/* Notes a message that vanished before it was in this index, so that its base name is recognized if it comes back. */
int index_put_dead(struct index *index, uint32_t uid, const char *base, size_t len);

/*
 * Writes the records that were put, and the state after them; from then on all sessions can read them.  If they
 * cannot be written, this session keeps them in its own memory, and the others look at the folder themselves.  -1:
 * ENOMEM.
 */
int index_commit(struct index *index, const struct index_state *state);

/*
 * Begins a snapshot that continues this index: its ids, its hash seed, the messages that vanished.  If there is no
 * index to continue, messages that vanished up to modseq since are not known.
 */
int index_writer_begin(struct index *index, struct snapshot_writer *writer, uint64_t since);
/* Replaces the list by the writer's snapshot, and calls tell for each difference. */
int index_replace(struct index *index, struct snapshot_writer *writer);

/* Facts that a session has found by reading a message. */
struct index_finding {
	uint32_t uid;
	uint32_t text_size;
	uint64_t size, wire, text;
	int64_t date;
	uint8_t known; /* enum index_known: what to add */
};
/* Adds findings, by rising UID: a few to the log, many by a new snapshot. */
int index_add_findings(struct index *index, const struct index_finding *learned, size_t count);

/* Returns the file of texts, which it opens when that is needed; NULL if there is none.  make: creates a missing
 * file; NULL then means that none can be written. */
struct summaries *index_summaries(struct index *index, bool make);

#endif
