/*
 * index_snapshot.h: the file sallyport.index: all messages of a folder as they were at one moment.
 *
 * It is written whole, beside, and put in its place by rename; what is open stays as it was.  A part of it is verified
 * when it is first touched.  These functions give copies, whose lengths and places were checked.
 */
#ifndef MAILDIR_INDEX_INDEX_SNAPSHOT_H
#define MAILDIR_INDEX_INDEX_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/base/mapping.h"
#include "maildir/index/index_record.h"

struct maildir;

/* Messages that vanished: so many are remembered. */
#define SNAPSHOT_VANISHED_MAX 16384

/* Octets that have a checksum.  A binary search touches some fifteen blocks; a session has a bit for each, which is a
 * kilobyte for a hundred thousand messages. */
#define SNAPSHOT_BLOCK 2048

/* Octets of the id in the head of dovecot-uidlist. */
#define SNAPSHOT_GUID_MAX 32

/* The parts of the file behind its head, in this order. */
enum snapshot_part {
	PART_RECORDS,
	PART_HASH,
	PART_VANISHED,
	PART_HEAP,
	PART_CHECKS,
	SNAPSHOT_PARTS,
};

/* Tells our files from others, from older ones and from those of another kind of machine. */
struct snapshot_kind {
	char magic[8];
	uint32_t version, byte_order, head_size, record_size, vanished_size;
};

struct snapshot_head {
	uint32_t check; /* of all behind it */
	struct snapshot_kind kind;
	uint64_t id;		    /* random; its log has the same */
	uint64_t before, before_at; /* id of the one before, and where its log ended: this one is as
				       that one was there; 0: it is not */
	uint64_t seed;		    /* of the hash table */
	uint64_t count, vanished;   /* messages; those that are gone */
	struct {
		uint64_t at, size;
	} part[SNAPSHOT_PARTS];
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
	struct file_stamp stamp;   /* of the file when it was opened; zero: it never was one */
	uint8_t *verified;	   /* a bit for each block; NULL: memory of this process */
	bool broken;		   /* some of it is not what it was made, or not there any more */
};

/* -1: there is none that can be used (ENOENT, EINVAL: damaged or of another version...). */
int snapshot_open(int dirfd, struct snapshot *snapshot);
void snapshot_close(struct snapshot *snapshot);
/* The file was written to since it was opened: all of it is verified once more. */
void snapshot_doubt(struct snapshot *snapshot);

/* The record at a place.  false: broken. */
bool snapshot_record(struct snapshot *snapshot, size_t place, struct index_record *record_r);
/* Its UID alone; 0: broken. */
uint32_t snapshot_uid(struct snapshot *snapshot, size_t place);
/* Its strings into message, whose record is set.  false: broken. */
bool snapshot_strings(struct snapshot *snapshot, struct index_message *message);
/* The place of the first with that UID or above.  When that is not so it is broken. */
size_t snapshot_find(struct snapshot *snapshot, uint32_t uid);
/* The next place whose base name has the hash; *tried is 0 at first.  false: no more. */
bool snapshot_next_of_hash(
    struct snapshot *snapshot, uint32_t hash, uint64_t *tried, size_t *place_r);
/* A message that vanished, by its number.  false: broken. */
bool snapshot_vanished(struct snapshot *snapshot, size_t number, struct index_vanished *vanished_r);

/* --- making one --- */

struct snapshot_writer {
	struct snapshot_head head; /* what the caller knows is set by him */
	struct mdbuf records, heap, vanished;
};

/* A new id and seed; the rest of the head is zero. */
int snapshot_writer_begin(struct snapshot_writer *writer);
/* By rising UID; the place of its strings is set here. */
void snapshot_writer_add(struct snapshot_writer *writer, const struct index_message *message);
/* By rising modseq. */
void snapshot_writer_vanished(
    struct snapshot_writer *writer, const struct index_vanished *vanished);
/*
 * Makes the file, which is on disk and in its place then, and opens it.  Called under the folder's lock.  dirfd is -1:
 * makes it in memory of this process.  -1: errno.
 */
int snapshot_writer_make(
    struct snapshot_writer *writer, struct maildir *md, int dirfd, struct snapshot *snapshot_r);
void snapshot_writer_end(struct snapshot_writer *writer);

#endif
