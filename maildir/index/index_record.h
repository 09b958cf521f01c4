/*
 * index_record.h: a message, and the state of a folder, as they lie in the files of the index.
 *
 * Records are in the machine's own byte order and layout; the heads of the files say which, and a file of another
 * kind of machine is not used.
 */
#ifndef MAILDIR_INDEX_INDEX_RECORD_H
#define MAILDIR_INDEX_INDEX_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/hash.h"
#include "maildir/base/name.h"
#include "maildir/base/stamp.h"
#include "maildir/maildir.h"

/* The directories that a message's file may be in: enum entry_dir. */
#define INDEX_DIRS 2

/* The highest modification sequence that a client can be told (RFC 7162, section 7: mod-sequence-value, 63 bits). */
#define INDEX_MODSEQ_MAX ((uint64_t)INT64_MAX)

enum index_known {
	INDEX_SIZES = 1 << 0,	   /* size and wire are known */
	INDEX_LINE_END = 1 << 1,   /* and the message ends in a line end */
	INDEX_DATE = 1 << 2,	   /* date is known */
	INDEX_TWIN = 1 << 3,	   /* its file has a second name with the same base */
	INDEX_UNREADABLE = 1 << 4, /* a notice has reported that it cannot be read */
	INDEX_OTHER = 1 << 5,	/* in findings: the file was replaced, and older facts are void */
	INDEX_HEARSAY = 1 << 6, /* another program gave the sizes: compare them with the file */
};

/*
 * A record is followed by its strings, each with a NUL: the file's name, the UIDL that POP3 clients know, and the id of
 * the message that this one is a copy of.
 */
struct index_record {
	uint64_t modseq;
	uint64_t keywords;
	uint64_t size, wire; /* octets of the file, and of the message on the wire */
	int64_t date;	     /* INTERNALDATE, seconds since 1970 */
	uint64_t text;	     /* where its texts are in the file of texts; 0: nowhere yet */
	uint32_t text_size;  /* octets of its texts in their file */
	uint32_t uid;
	uint32_t strings;   /* in a snapshot: where they are in its heap */
	uint32_t base_hash; /* of the base name */
	uint32_t pop3_order;
	uint16_t name_len, base_len, uidl_len, guid_len;
	uint8_t flags; /* enum maildir_flag */
	uint8_t dir;   /* enum entry_dir */
	uint8_t known; /* enum index_known */
	uint8_t zero;
};

_Static_assert(sizeof(struct index_record) == 80, "no holes in a record");

/* The most octets that a message's strings can have. */
#define INDEX_STRINGS_MAX (NAME_SIZE + MAILDIR_UIDL_SIZE + MAILDIR_ID_SIZE)

/* A message with its strings. */
struct index_message {
	struct index_record record;
	char strings[INDEX_STRINGS_MAX];
};

static inline const char *
index_name(const struct index_message *message)
{
	return message->strings;
}

static inline const char *
index_uidl(const struct index_message *message)
{
	return message->strings + message->record.name_len + 1;
}

static inline const char *
index_guid(const struct index_message *message)
{
	return index_uidl(message) + message->record.uidl_len + 1;
}

static inline size_t
index_strings_size(const struct index_record *record)
{
	return (size_t)record->name_len + record->uidl_len + record->guid_len + 3;
}

/* Whether the sizes are known, and not only claimed by another program. */
static inline bool
index_is_sized(const struct index_record *record)
{
	return (record->known & (INDEX_SIZES | INDEX_HEARSAY)) == INDEX_SIZES;
}

/* Whether a client would see no difference in flags and keywords. */
static inline bool
index_same_marks(const struct index_record *a, const struct index_record *b)
{
	return a->flags == b->flags && a->keywords == b->keywords;
}

/* Sets the strings, where NULL is "".  Returns false if one is too long. */
bool index_set_strings(
    struct index_message *message, const char *name, const char *uidl, const char *guid);

/*
 * Returns whether a record can be a message's: it has a UID, and its lengths are within their bounds.  Ask this of
 * each copy of a record before using it: somebody who can write into the Maildir can write a record with a right
 * checksum, and can write over a record after its checksum was verified.
 */
bool index_record_is_sane(const struct index_record *record);
/* Returns whether the strings of a sane record end where the record says, have no controls, and the name is no path. */
bool index_strings_are_sane(const struct index_message *message);

/* A message that was expunged.  Its base name is remembered by its hash: it may come back. */
struct index_vanished {
	uint64_t modseq;
	uint32_t uid;
	uint32_t base_hash;
};

enum index_doubt {
	INDEX_CUR = 1 << 0,   /* cur/ may have changed since without a change of its times */
	INDEX_NEW = 1 << 1,   /* and new/ */
	INDEX_LINES = 1 << 2, /* dovecot-uidlist may have lines of messages that vanished, and that
			   are not in the list of those */
	INDEX_WAITS = 1 << 3, /* UIDs, or all of dovecot-uidlist, are still to be written */
};

/* The state of the folder at a moment when all of it was known. */
struct index_state {
	struct file_stamp dir[INDEX_DIRS], uidlist;
	struct file_stamp more;	   /* sallyport.keywords */
	struct file_stamp letters; /* dovecot-keywords, which matters when there is the former */
	uint64_t own_since; /* ms since 1970: from then on sessions themselves changed cur/; or 0 */
	uint64_t modseq;    /* the highest */
	uint32_t next;	    /* UID */
	uint32_t lines;	    /* in dovecot-uidlist */
	uint32_t doubt;	    /* enum index_doubt */
	uint32_t zero;
};

#endif
