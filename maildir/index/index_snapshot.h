/*
 * index_snapshot.h: the file sallyport.index: all messages of a folder as they were at one moment.
 *
 * It is written whole, beside, and put in its place by rename; what is open stays as it was.  Whoever
 * reads it must expect any octet of it to change or vanish: what is given here was verified.
 */
#ifndef MAILDIR_INDEX_INDEX_SNAPSHOT_H
#define MAILDIR_INDEX_INDEX_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/mapping.h"
#include "maildir/base/text.h"
#include "maildir/index/index_record.h"

struct maildir;

#define SNAPSHOT_NAME "sallyport.index"
#define SNAPSHOT_TMP  "sallyport.index.tmp"

/* Messages that vanished: so many are remembered. */
#define SNAPSHOT_VANISHED_MAX 16384

struct snapshot_head {
	char magic[8];
	uint32_t check; /* of the head from version on */
	uint32_t version;
	uint32_t byte_order, head_size, record_size, vanished_size;
	uint64_t id;		    /* random; its log has the same */
	uint64_t before, before_at; /* id of the one before, and where its log ended: this one is as
				       that one was there; 0: it is not */
	uint64_t seed;		    /* of the hash table */
	uint64_t count;
	uint64_t records_at, hash_at, hash_mask, vanished_at, vanished, heap_at, heap_size;
	uint64_t texts;		 /* id of the file of texts that records point into */
	uint64_t vanished_since; /* who vanished after that modseq is remembered */
	uint64_t octets, sized;	 /* on the wire, of how many messages */
	uint64_t unseen, deleted, first_unseen;
	uint32_t validity, zero;
	char guid[40];
	struct index_state state;
};

struct snapshot {
	struct mapping map;
	struct snapshot_head head; /* a copy, verified */
	struct file_stamp stamp;
};

/* -1: there is none that can be used (ENOENT, EINVAL: damaged or of another version...). */
int snapshot_open(int dirfd, struct snapshot *snapshot);
void snapshot_close(struct snapshot *snapshot);

/* The record at an index.  false: damaged. */
bool snapshot_record(const struct snapshot *snapshot, size_t index, struct index_record *record_r);
/* Its UID alone, not verified: for searching. */
uint32_t snapshot_uid(const struct snapshot *snapshot, size_t index);
/* Its strings into message, whose record is set.  false: damaged. */
bool snapshot_strings(const struct snapshot *snapshot, struct index_message *message);
/* The index of the first with that UID or above. */
size_t snapshot_find(const struct snapshot *snapshot, uint32_t uid);
/* Calls each for the indexes whose base name has the hash, until it gives false. */
void snapshot_by_hash(const struct snapshot *snapshot, uint32_t hash,
    bool (*each)(void *ctx, size_t index), void *ctx);
bool snapshot_vanished(
    const struct snapshot *snapshot, size_t index, struct index_vanished *vanished_r);

/* --- making one --- */

struct snapshot_writer {
	struct snapshot_head head; /* what the caller knows is set by him */
	struct mdtext records, heap, vanished;
};

/* A new id and seed; the rest of the head is zero. */
int snapshot_writer_begin(struct snapshot_writer *writer);
/* By rising UID; the record's check and place are set here. */
void snapshot_writer_add(struct snapshot_writer *writer, const struct index_message *message);
/* By rising modseq. */
void snapshot_writer_vanished(
    struct snapshot_writer *writer, const struct index_vanished *vanished);
/*
 * Writes the file; it is on disk and in its place then.  Called under the folder's lock.  When that
 * fails (-1), snapshot_writer_keep can still make one in memory.
 */
int snapshot_writer_store(struct snapshot_writer *writer, struct maildir *md, int dirfd);
int snapshot_writer_keep(struct snapshot_writer *writer, struct snapshot *snapshot);
void snapshot_writer_end(struct snapshot_writer *writer);

#endif
