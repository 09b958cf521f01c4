/*
 * index_snapshot.h: the file sallyport.index: all messages of a folder as they were at one moment.
 *
 * It is written whole under another name and renamed, so an open snapshot never changes.  A block of it is verified
 * when it is first touched.  These functions return copies, whose lengths and places were checked.
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

/* The most messages that are remembered as vanished. */
#define SNAPSHOT_VANISHED_MAX 16384

/* Octets that have a checksum.  A binary search touches some fifteen blocks; a session has a bit for each, which is a
 * kilobyte for a hundred thousand messages. */
#define SNAPSHOT_BLOCK 2048

/* Octets of the id in the head of dovecot-uidlist. */
#define SNAPSHOT_GUID_MAX 32

/* The parts of the file after its head, in this order. */
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
	uint32_t check; /* of all that follows */
	struct snapshot_kind kind;
	uint64_t id; /* random; its log has the same */
	uint64_t before,
	    before_at; /* id of the snapshot that this one continues, and the place in its
				       log up to which it does; 0: of none */
	uint64_t seed; /* of the hash table */
	uint64_t count, vanished; /* messages; those that are gone */
	struct {
		uint64_t at, size;
	} part[SNAPSHOT_PARTS];
	uint64_t texts;		 /* id of the file of texts that records point into */
	uint64_t vanished_since; /* messages that vanished after that modseq are all remembered */
	uint64_t octets, sized;	 /* on the wire, of how many messages */
	uint64_t unseen, deleted, first_unseen;
	uint32_t validity, zero;
	char guid[40];
	struct index_state state;
};

struct snapshot {
	struct mapping map;
	struct snapshot_head head; /* a copy, verified */
	struct file_stamp stamp;   /* of the file when it was opened; zero: there is no file */
	uint8_t *verified;	   /* a bit for each block; NULL: all is in this process's memory */
	bool broken;		   /* a part is damaged or was cut off */
};

/* -1: there is no usable file (ENOENT; EINVAL: it is damaged or of another version). */
int snapshot_open(int dirfd, struct snapshot *snapshot);
void snapshot_close(struct snapshot *snapshot);
/* Marks the snapshot as broken, since its file was written to after it was opened. */
void snapshot_doubt(struct snapshot *snapshot);

/* Copies the record at a place.  Returns false if it is broken. */
bool snapshot_record(struct snapshot *snapshot, size_t place, struct index_record *record_r);
/* Returns its UID alone; 0: broken. */
uint32_t snapshot_uid(struct snapshot *snapshot, size_t place);
/* Copies the strings of message->record into message.  Returns false if they are broken. */
bool snapshot_strings(struct snapshot *snapshot, struct index_message *message);
/* Returns the place of the first message with that UID or a higher one; head.count if there is none. */
size_t snapshot_find(struct snapshot *snapshot, uint32_t uid);
/* Finds the next place whose base name has that hash; *tried is 0 at first.  Returns false if there are no more. */
bool snapshot_next_of_hash(
    struct snapshot *snapshot, uint32_t hash, uint64_t *tried, size_t *place_r);
/* Copies a message that vanished, by its number from 0.  Returns false if it is broken. */
bool snapshot_vanished(struct snapshot *snapshot, size_t number, struct index_vanished *vanished_r);

/* --- making one --- */

struct snapshot_writer {
	struct snapshot_head
	    head; /* the caller sets texts, vanished_since, validity, guid, state, before */
	struct mdbuf records, heap, vanished;
};

/* Begins with a new id and seed; the rest of the head is zero.  -1: errno. */
int snapshot_writer_begin(struct snapshot_writer *writer);
/* Adds a message; call it by rising UID.  An error is reported by snapshot_writer_make. */
void snapshot_writer_add(struct snapshot_writer *writer, const struct index_message *message);
/* Adds a message that vanished; call it by rising modseq. */
void snapshot_writer_vanished(
    struct snapshot_writer *writer, const struct index_vanished *vanished);
/*
 * Makes the file, which is then fsynced and in its place, and opens it; call it under the folder's lock.  If dirfd is
 * -1, makes it in this process's memory.  -1: errno.
 */
int snapshot_writer_make(
    struct snapshot_writer *writer, struct maildir *md, int dirfd, struct snapshot *snapshot_r);
void snapshot_writer_end(struct snapshot_writer *writer);

#endif
