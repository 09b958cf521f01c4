/*
 * index.h: what all sessions know of a folder together: the snapshot and the log, as one list.
 *
 * A cache: when it is missing, old or broken, sync.c rebuilds it from the files of the messages and dovecot-uidlist.
 * The head of index_read.c tells how it is read, written and lost.
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

/* Hears of each message of the list that changes, leaves or comes back: see maildir_on_change. */
typedef void index_tell(void *ctx, enum maildir_change change, uint32_t uid);

/* The index of a directory, without a list so far; NULL: ENOMEM. */
struct index *index_new(struct mddir *dir, index_tell *tell, void *ctx);
void index_free(struct index *index);
/* Without a list again, as index_new made it. */
void index_close(struct index *index);

/* Opens the files, or takes in what other sessions wrote since, by one fstat if nothing.  false: there is no index that
 * can be used; sync.c rebuilds it. */
bool index_refresh(struct index *index);

/* Under the folder's lock: whether what is open is what lies on the disk, read to its end. */
bool index_is_current(struct index *index);

/* --- what it is --- */

/* Whether there is a list. */
bool index_is_open(const struct index *index);

/* Whether some of what is open was found damaged or cut: what was said of it since the last change may be wrong, and a
 * session that has told its client of it must end.  Until it is rebuilt index_refresh gives false. */
bool index_is_broken(const struct index *index);
/* It contradicts itself, as its user has found. */
void index_break(struct index *index);

/* Whether it is in memory of this process, since it cannot be written. */
bool index_is_private(const struct index *index);

/* It is older than what was told to clients: all flags count as changed. */
void index_distrust(struct index *index);
bool index_is_stale(const struct index *index);

/* Whether something was put and is not committed yet. */
bool index_in_batch(const struct index *index);

/* The UIDVALIDITY, and the id of dovecot-uidlist's head; 0 and "" when there is no list. */
uint32_t index_validity(const struct index *index);
const char *index_folder_guid(const struct index *index);
/* How the folder was when all of it was known. */
const struct index_state *index_state(const struct index *index);
/* sallyport.keywords has that stamp now, and messages have what it says. */
void index_saw_keywords(struct index *index, const struct file_stamp *stamp);
void index_counts(const struct index *index, struct maildir_counts *counts_r);

/* Reads all of it.  false: some of it is damaged.  *structures_r: messages whose BODYSTRUCTURE is known. */
bool index_verify(struct index *index, size_t *structures_r);

/* --- the list --- */

size_t index_count(const struct index *index);
/* false: no such, or broken. */
bool index_record(struct index *index, size_t place, struct index_record *record_r);
/* With strings; or by UID. */
bool index_message_at(struct index *index, size_t place, struct index_message *message_r);
bool index_message(struct index *index, uint32_t uid, struct index_message *message_r);
/* The place of the first with that UID or above. */
size_t index_find(struct index *index, uint32_t uid);
/* The UID of the message with that base name, or 0. */
uint32_t index_by_base(struct index *index, const char *base, size_t len);

/* How the index knows base names. */
uint32_t index_base_hash(const struct index *index, const char *base, size_t len);
/* Whether a message with one of these hashes may have vanished.  They are sorted here. */
bool index_knew_any(struct index *index, uint32_t *hashes, size_t count);
size_t index_first_unseen(struct index *index);
/* As maildir_vanished. */
bool index_vanished(
    struct index *index, uint64_t since, void (*each)(void *ctx, uint32_t uid), void *ctx);

/* --- changes, under the folder's lock --- */

/* Above all that were given: the time since 1970 in 2^-20 s, or one more than the last. */
uint64_t index_modseq(const struct index *index);

/* Notes how a message is now, or that it is gone: in the list at once, on the disk with index_commit.  -1: ENOMEM. */
int index_put(struct index *index, const struct index_message *message);
int index_put_gone(struct index *index, uint32_t uid, uint64_t modseq);
/* Notes a message that vanished before this index had heard of it: its base name is taken. */
int index_put_dead(struct index *index, uint32_t uid, const char *base, size_t len);

/*
 * Writes what was put, and the state behind it; all sessions have it then.  When it cannot be written
 * this session goes on in its own memory, and the others find out by themselves.  -1: ENOMEM.
 */
int index_commit(struct index *index, const struct index_state *state);

/*
 * Begins a snapshot that goes on from what there is: ids, names' seed, vanished messages.  since: when
 * there is nothing to go on from, messages that vanished before that modseq are not known.
 */
int index_writer_begin(struct index *index, struct snapshot_writer *writer, uint64_t since);
/* Replaces the list by a new snapshot, and tells how the two differ. */
int index_replace(struct index *index, struct snapshot_writer *writer);

/* What was learned of a message. */
struct index_finding {
	uint32_t uid;
	uint32_t text_size;
	uint64_t size, wire, text;
	int64_t date;
	uint8_t known; /* enum index_known: what to add */
};
/* Adds it to the index, by rising UID; of many messages at once in a new snapshot. */
int index_add_findings(struct index *index, const struct index_finding *learned, size_t count);

/* The file of texts, opened when needed; NULL: there is none.  make: then there is one, or -- still
 * NULL -- none can be written. */
struct summaries *index_summaries(struct index *index, bool make);

#endif
