/*
 * index.h: what all sessions know of a folder together: the snapshot and the log, as one list.
 *
 * A cache: whoever finds it damaged, old or missing has sync.c make it anew from the files of the
 * messages and dovecot-uidlist.  How it is read, written and lost is told at the head of index.c.
 */
#ifndef MAILDIR_INDEX_INDEX_H
#define MAILDIR_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/index/index_log.h"
#include "maildir/index/index_places.h"
#include "maildir/index/index_record.h"
#include "maildir/index/index_snapshot.h"
#include "maildir/index/index_texts.h"
#include "maildir/maildir.h"

struct mddir;

struct index {
	struct mddir *dir;
	void (*tell)(void *ctx, enum maildir_change change, uint32_t uid);
	void *ctx;
	bool quiet;	/* nothing is told */
	uint32_t known; /* UIDs below were in an index that another has replaced */
	struct snapshot snap;
	struct index_log log;
	struct texts texts;
	bool open;    /* there is a list */
	bool damaged; /* something did not have its checksum */
	bool own;     /* in memory of this process, since it cannot be written */
	bool left;    /* and nothing of it is on the disk */
	bool apart;   /* and it was made without the folder's lock */
	bool stale;   /* flags may have changed and changed back since: all count as changed */
	/* What the log says of the snapshot's messages, and of later ones. */
	struct index_places changed; /* of the snapshot */
	struct index_places added;   /* later ones, by UID */
	struct index_places gone;    /* of the snapshot; the log need not be asked about them */
	struct index_state state;
	uint64_t octets, sized, unseen, deleted;
	uint64_t noted; /* modification sequence that we have noted in the record */
};

/*
 * The index of a directory, without a list so far; NULL: ENOMEM.  It calls tell for each message that is in the list
 * and changes, leaves, or comes back: see maildir_on_change.
 */
struct index *index_new(struct mddir *dir,
    void (*tell)(void *ctx, enum maildir_change change, uint32_t uid), void *ctx);
void index_free(struct index *index);
/* Without a list again, as index_new made it. */
void index_close(struct index *index);
/* Calls the index's tell. */
void index_tell(const struct index *index, enum maildir_change change, uint32_t uid);

/* Looks for the files.  false: there is no index that can be used; sync.c makes one. */
bool index_open(struct index *index);

/* Takes in what other sessions wrote, by one fstat if nothing.  false: as index_open. */
bool index_refresh(struct index *index);

/* Whether nothing of it was found damaged so far. */
bool index_is_good(const struct index *index);

/* Under the folder's lock: whether what is open is what lies on the disk, read to its end. */
bool index_is_current(struct index *index);

/* It is older than what was told to clients. */
void index_distrust(struct index *index);

/* --- the list --- */

size_t index_count(const struct index *index);
/* false: no such, or damaged. */
bool index_record(struct index *index, size_t place, struct index_record *record_r);
/* By UID, with strings. */
bool index_message(struct index *index, uint32_t uid, struct index_message *message_r);
/* The place of the first with that UID or above.  A search believes what UIDs it meets. */
size_t index_find(const struct index *index, uint32_t uid);
/* Whether that place is right: those on both sides of it are verified. */
bool index_find_holds(struct index *index, uint32_t uid);
/* The UID of the message with that base name, or 0. */
uint32_t index_by_base(struct index *index, const char *base, size_t len);
/* Each that is remembered, as they vanished; also those that came back. */
void index_each_vanished(
    struct index *index, void (*see)(void *ctx, const struct index_vanished *vanished), void *ctx);

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

/* What a message is now, or that it is gone: in the list at once, on the disk with index_commit.
 * -1: ENOMEM. */
int index_put(struct index *index, const struct index_message *message);
int index_put_gone(struct index *index, uint32_t uid, uint64_t modseq);
/* Of one that vanished before this index had heard of it: its base name is taken. */
int index_put_dead(struct index *index, uint32_t uid, const char *base, size_t len);

/*
 * Writes what was put, and the state behind it; all sessions have it then.  When it cannot be written
 * this session goes on in its own memory, and the others find out by themselves.  -1: ENOMEM.
 */
int index_commit(struct index *index, const struct index_state *state);

/* Writes what was put, or keeps it in memory. */
int index_flush(struct index *index);

/* A new snapshot in place of what there is, which is compared: changes are told. */
int index_replace(struct index *index, struct snapshot_writer *writer);

/*
 * Begins a snapshot that goes on from what there is: ids, names' seed, vanished messages.  since: when
 * there is nothing to go on from, who vanished before that modseq is not known.
 */
int index_writer_begin(struct index *index, struct snapshot_writer *writer, uint64_t since);

/* What was learned of a message. */
struct index_learned {
	uint32_t uid;
	uint32_t text_size;
	uint64_t size, wire, text;
	int64_t date;
	uint8_t known; /* enum index_known: what to add */
};
/* A new snapshot of what there is and what was learned, by rising UID: the log is empty then. */
int index_compact(struct index *index, const struct index_learned *learned, size_t count);
/* Adds it to the index, by rising UID; of many messages at once in a new snapshot. */
int index_learn(struct index *index, const struct index_learned *learned, size_t count);

/* The file of texts, opened when needed; NULL: there is none.  make: then there is one, or -- still
 * NULL -- none can be written. */
struct texts *index_texts(struct index *index, bool make);

#endif
