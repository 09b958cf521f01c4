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

/* The files that lie on the disk while this session's index is private. */
enum index_disk {
	DISK_OLD,      /* the old files, which could not be removed */
	DISK_EMPTY,    /* none: if a snapshot appears, another session has made it */
	DISK_UNLOCKED, /* other sessions' files: this session has no lock, and left them alone */
};

struct index {
	struct mddir *dir;
	index_tell *tell;
	void *ctx;
	bool quiet;	/* do not call tell */
	uint32_t known; /* UIDs below this one were in an index that was replaced */
	struct snapshot snap;
	struct index_log log;
	struct summaries summaries;
	bool open;   /* there is a list */
	bool broken; /* see index_is_broken */
	bool stale;  /* see index_distrust */
	enum index_disk disk;
	/* The places of newer records in the log. */
	struct index_places changed; /* messages of the snapshot, by place */
	struct index_places added;   /* later messages, by UID */
	struct index_places gone; /* places of the snapshot whose messages are gone; at is unused */
	struct index_state state;
	uint64_t octets, sized, unseen, deleted;
	uint64_t
	    noted; /* the modification sequence that was last written to the record (uid_record.h) */
};

/* Calls tell, unless the index is quiet. */
void index_say(const struct index *index, enum maildir_change change, uint32_t uid);

/* --- index_view.c: where a message's record lies --- */

struct index_where {
	bool in_snapshot; /* it has a place in the snapshot */
	uint32_t place;
	uint32_t at;  /* of a newer record in the log; 0: the snapshot's record counts */
	uint32_t uid; /* that the record must have; 0: not known */
};

/* Finds the record of a UID.  Returns false if there is no such message, or if it is gone; where_r->in_snapshot tells
 * whether it has a place in the snapshot all the same. */
bool index_where(struct index *index, uint32_t uid, struct index_where *where_r);
/* Copies the record.  Returns false, and marks the index as broken, if it cannot be that message's. */
bool index_load(
    struct index *index, const struct index_where *where, struct index_record *record_r);
/* A walk through the messages that are remembered as vanished, by rising modseq.  Some may have come back. */
struct index_walk {
	size_t number; /* the next vanished message of the snapshot */
	uint64_t at;   /* the next record of the log, after the snapshot's are used up */
};
/* Returns false at the end of the walk. */
bool index_next_vanished(
    struct index *index, struct index_walk *walk, struct index_vanished *vanished_r);

/* --- index_read.c --- */

/* Takes a record of the log into the list; an index_log_take. */
void index_take(void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at);
/* Makes an index without a list, with the directory and the callback of like. */
void index_init(struct index *index, const struct index *like);
/* Makes the snapshot, which is open, the list. */
void index_start(struct index *index);
/* Replaces this index by now, whose log is not read yet, and calls tell for each difference. */
void index_switch(struct index *index, struct index *now);

/* --- index_change.c --- */

/* Writes the records that were put; if that fails, keeps them in this process's memory. */
void index_flush(struct index *index);
/* Makes a new snapshot, with an empty log, of the list and of findings, which are sorted by UID. */
int index_compact(struct index *index, const struct index_finding *learned, size_t count);

#endif
