/*
 * index_private.h: an index as the files of this room share it.
 */
#ifndef MAILDIR_INDEX_INDEX_PRIVATE_H
#define MAILDIR_INDEX_INDEX_PRIVATE_H

#include "maildir/index/index.h"
#include "maildir/index/index_log.h"
#include "maildir/index/index_places.h"
#include "maildir/index/index_snapshot.h"
#include "maildir/index/index_summaries.h"

/* The files on the disk while the log is private. */
enum index_disk {
	DISK_OLD,      /* those that were there before */
	DISK_EMPTY,    /* none: a snapshot that is there was made by another session */
	DISK_UNLOCKED, /* those of other sessions: this one went on without the folder's lock */
};

struct index {
	struct mddir *dir;
	index_tell *tell;
	void *ctx;
	bool quiet;	/* nothing is told */
	uint32_t known; /* UIDs below were in an index that another has replaced */
	struct snapshot snap;
	struct index_log log;
	struct summaries summaries;
	bool open;   /* there is a list */
	bool broken; /* see index_is_broken */
	bool stale;  /* flags may have changed and changed back since: all count as changed */
	enum index_disk disk;
	/* What the log says of the snapshot's messages, and of later ones. */
	struct index_places changed; /* of the snapshot */
	struct index_places added;   /* later ones, by UID */
	struct index_places gone;    /* of the snapshot; the log need not be asked about them */
	struct index_state state;
	uint64_t octets, sized, unseen, deleted;
	uint64_t noted; /* the modification sequence that is in the record */
};

/* Tells the folder's session. */
void index_say(const struct index *index, enum maildir_change change, uint32_t uid);

/* --- index_view.c: where a message is --- */

struct index_where {
	bool
	    in_snapshot; /* it has a place there, whose record counts if the log does not speak of it */
	uint32_t place;
	uint32_t at;  /* in the log, or 0 */
	uint32_t uid; /* whose record must be there; of a place, it need not be known */
};

/* Finds that of a UID.  false: there is none, or it is gone, and may still have a place in the snapshot. */
bool index_where(struct index *index, uint32_t uid, struct index_where *where_r);
/* Reads it.  false: broken. */
bool index_load(
    struct index *index, const struct index_where *where, struct index_record *record_r);
/* A walk through the messages that are remembered as vanished, as they did; also those that came back. */
struct index_walk {
	size_t number; /* the next of the snapshot */
	uint64_t at;   /* and then of the log */
};
/* false: there are no more. */
bool index_next_vanished(
    struct index *index, struct index_walk *walk, struct index_vanished *vanished_r);

/* --- index_read.c --- */

/* Takes in a record of the log: for index_log_put. */
void index_take(void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at);
/* An index without a list, for the same folder as like, and of the same session. */
void index_init(struct index *index, const struct index *like);
/* There is a list: that of its snapshot. */
void index_start(struct index *index);
/* Puts another index, whose log is not read yet, in place of this one, and tells what is different. */
void index_switch(struct index *index, struct index *now);

/* --- index_change.c --- */

/* Writes what was put, or keeps it in memory of this process. */
void index_flush(struct index *index);
/* A new snapshot of what there is and what was learned, by rising UID: the log is empty then. */
int index_compact(struct index *index, const struct index_finding *learned, size_t count);

#endif
