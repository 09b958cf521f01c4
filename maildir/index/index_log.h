/*
 * index_log.h: the file sallyport.log: what has changed in a folder since its snapshot was made.
 *
 * Writers only append to it, under the folder's lock; every session reads it without the lock.  A reader verifies the
 * checksum of each record when it takes the record in.  Octets of a writer that died have no right checksum, and the
 * next writer overwrites them.  If nothing can be written, the log is private: its records stay pending in memory.
 */
#ifndef MAILDIR_INDEX_INDEX_LOG_H
#define MAILDIR_INDEX_INDEX_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/base/mapping.h"
#include "maildir/index/index_record.h"

struct maildir;

enum {
	LOG_COMPACT = 1024 * 1024,  /* octets after which a new snapshot replaces the log; so a
					   session reads no more than this to catch up */
	LOG_COMPACT_RECORDS = 2048, /* or records: a session keeps some 12 octets for each */
	LOG_MAP = 4 * 1024 * 1024,  /* octets of address space for a log, and its greatest size */
};

enum log_type {
	LOG_PUT = 1, /* struct index_record and strings: how the message is now */
	LOG_GONE,    /* struct index_vanished */
	LOG_STATE,   /* struct index_state */
};

struct index_log {
	int fd; /* or -1: it is private, and its file is not read or written */
	struct mapping map;
	uint64_t id;
	uint64_t end;	      /* of the records in the file that were taken in */
	uint64_t records;     /* in the file and pending */
	struct mdbuf pending; /* records that were put and are not in the file */
	size_t settled;	      /* octets of pending from batches that are over, in a private log */
	uint64_t last;	      /* the place of the last record in the file, or 0; and its checksum */
	uint32_t last_check;
	bool empty; /* the file was opened just now, and had nothing after its head */
};

/* Opens the log with that id; nothing of it is read yet.  -1: there is none (ENOENT), or its id or head is wrong
 * (EINVAL). */
int index_log_open(int dirfd, uint64_t id, struct index_log *log);
/* Makes an empty log in place of any other, under the folder's lock. */
int index_log_create(struct maildir *md, int dirfd, uint64_t id, struct index_log *log);
/* Makes an empty private log. */
void index_log_begin(uint64_t id, struct index_log *log);
/* Makes the log private; it keeps its records. */
void index_log_leave(struct index_log *log);
void index_log_close(struct index_log *log);

static inline bool
index_log_is_private(const struct index_log *log)
{
	return log->fd < 0;
}

/* Returns whether a record was put since the last flush. */
static inline bool
index_log_in_batch(const struct index_log *log)
{
	return log->pending.len > log->settled;
}

/* Returns the place of the next record. */
static inline uint64_t
index_log_end(const struct index_log *log)
{
	return log->end + log->pending.len;
}

/* Returns whether records may have been appended.  *replaced_r: the file is no longer the folder's log. */
bool index_log_grew(const struct index_log *log, bool *replaced_r);

/* Called for a record; at is its place in the log, for index_log_payload. */
typedef void index_log_take(
    void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at);

/* Calls take for each record after those that were read, and counts it as read.  -1: the file cannot be read, or the
 * records that were read are no longer in it. */
int index_log_read_on(struct index_log *log, index_log_take *take, void *ctx);
/* Copies size octets of the first record of that type at *at or after it, and moves *at past that record.  *at is 0 at
 * first.  1: copied.  0: there are no more.  -1: broken. */
int index_log_next(
    const struct index_log *log, uint64_t *at, enum log_type type, void *payload, size_t size);

/* Returns whether all records that were taken in still have their checksums. */
bool index_log_verify(const struct index_log *log);

/* Copies the payload of a record that was taken in, at most room octets; *size_r is how many.  Returns false if
 * the record is broken or not of that type. */
bool index_log_payload(const struct index_log *log, uint64_t at, enum log_type type, void *payload,
    size_t room, size_t *size_r);

/*
 * Puts a record after all others, under the folder's lock.  take is called for it, and index_log_payload finds it, at
 * once; index_log_flush writes all that were put in one go.  -1: ENOMEM, or the log is full (EFBIG).
 */
int index_log_put(struct index_log *log, enum log_type type, const void *payload, size_t size,
    index_log_take *take, void *ctx);
int index_log_flush(struct index_log *log);

#endif
