/*
 * index_view.h: where the index has a message; for index.c, which reads the log into it.
 */
#ifndef MAILDIR_INDEX_INDEX_VIEW_H
#define MAILDIR_INDEX_INDEX_VIEW_H

#include "maildir/index/index.h"

/* A record of the snapshot, at a place, or of the log, at an offset, where it must be that UID's. */
struct index_where {
	bool in_log;
	uint32_t place;
	uint32_t at;
	uint32_t uid;
};

/* The place in the snapshot of a UID, gone or not; verified.  false: it has none. */
bool index_place(struct index *index, uint32_t uid, uint32_t *place_r);
/* Where the record is that counts for a place of the snapshot. */
void index_where_place(const struct index *index, uint32_t place, struct index_where *where_r);
/* Where that of a UID is.  false: there is none, or it is gone. */
bool index_where(struct index *index, uint32_t uid, struct index_where *where_r);
/* Reads it, verified.  false: the index is damaged, and marked so. */
bool index_load(
    struct index *index, const struct index_where *where, struct index_record *record_r);

#endif
