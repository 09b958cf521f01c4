/*
 * index_log.h: the file sallyport.log: what has changed in a folder since its snapshot was made.
 *
 * Only ever appended to, under the folder's lock; every session reads it, without the lock.  A record counts when its
 * checksum is right, which is verified when it is taken in: octets that a dying writer left count for nothing, and are
 * written over.  If nothing can be written, the log goes on in memory of this process, as records that wait.
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
	LOG_COMPACT = 1024 * 1024,  /* octets: then a new snapshot takes its place; a session reads
					   so much at most to catch up */
	LOG_COMPACT_RECORDS = 2048, /* a session keeps some 12 octets of its own for each */
	LOG_MAP = 4 * 1024 * 1024,  /* address space for one; its pages are there when written */
};

enum log_type {
	LOG_PUT = 1, /* struct index_record and strings: the message is so now */
	LOG_GONE,    /* struct index_vanished */
	LOG_STATE,   /* struct index_state */
};

struct index_log {
	int fd; /* or -1: it is private, and nothing more is read or written */
	struct mapping map;
	uint64_t id;
	uint64_t end;	      /* of what is in the file and was taken in */
	uint64_t records;     /* in it, and pending */
	struct mdbuf pending; /* put, and not in the file */
	size_t
	    settled; /* so much of it need not be written: in a private log, batches that are over */
	uint64_t last; /* where the last record in the file is, or 0; and its checksum */
	uint32_t last_check;
	bool empty; /* nothing was behind its head when it was opened, which was just now */
};

/* -1: there is none (ENOENT), or it is another's or damaged (EINVAL). */
int index_log_open(int dirfd, uint64_t id, struct index_log *log);
/* Makes an empty one in place of any other; under the folder's lock. */
int index_log_create(struct maildir *md, int dirfd, uint64_t id, struct index_log *log);
/* An empty one that is private. */
void index_log_begin(uint64_t id, struct index_log *log);
/* From now on it is private: what was put is in it all the same. */
void index_log_leave(struct index_log *log);
void index_log_close(struct index_log *log);

static inline bool
index_log_is_private(const struct index_log *log)
{
	return log->fd < 0;
}

/* Whether something was put since the last flush. */
static inline bool
index_log_in_batch(const struct index_log *log)
{
	return log->pending.len > log->settled;
}

/* The place of the next record. */
static inline uint64_t
index_log_end(const struct index_log *log)
{
	return log->end + log->pending.len;
}

/* Whether something may have been appended.  *replaced_r: it is not the folder's log any more. */
bool index_log_grew(const struct index_log *log, bool *replaced_r);

/* Hears of a record; at is where it is in the log, for index_log_payload. */
typedef void index_log_take(
    void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at);

/* Calls take for each record behind what was read, and counts it as read.  -1: it cannot be read, or what
 * was read is not there any more. */
int index_log_read_on(struct index_log *log, index_log_take *take, void *ctx);
/* Copies size octets of the first record of that type at *at or behind, which is moved on; at first it is 0.  1: there
 * was one.  0: no more.  -1: broken. */
int index_log_next(
    const struct index_log *log, uint64_t *at, enum log_type type, void *payload, size_t size);

/* Copies a record's payload, at most room octets, again; *size_r is how many.  false: broken, or not of that type. */
bool index_log_payload(const struct index_log *log, uint64_t at, enum log_type type, void *payload,
    size_t room, size_t *size_r);

/*
 * Puts a record behind all that was read, under the folder's lock: take hears of it and index_log_payload has it
 * at once, and index_log_flush writes all that was put in one go.  -1: ENOMEM, or the log is full (EFBIG).
 */
int index_log_put(struct index_log *log, enum log_type type, const void *payload, size_t size,
    index_log_take *take, void *ctx);
int index_log_flush(struct index_log *log);

#endif
