/*
 * uidlist.h: the file dovecot-uidlist, which says what UID each message has.
 *
 * The first half is the text: parsing and writing it, without any file.  The second is the file in
 * its folder; its functions are called under the folder's lock.
 */
#ifndef MAILDIR_UIDS_UIDLIST_H
#define MAILDIR_UIDS_UIDLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maildir/base/buf.h"
#include "maildir/base/stamp.h"

#define UIDLIST_NAME "dovecot-uidlist"

/* The highest UID that is given; Dovecot takes 2^32 - 1 for a broken file. */
#define UIDLIST_UID_MAX (UINT32_MAX - 1)

enum uidlist_state {
	UIDLIST_GOOD,
	UIDLIST_TORN, /* good, but for lines that cannot be read: a crash has cut or emptied them */
	UIDLIST_DAMAGED, /* what it says of UIDs cannot be trusted */
	UIDLIST_NONE,	 /* there is no file */
};

struct uidlist_line {
	uint32_t uid;
	uint32_t ext_len;
	const char *ext; /* "S123 W130", without NUL */
	const char *base;
	size_t base_len;
};

struct uidlist {
	enum uidlist_state state;
	const char *what;  /* what is wrong with a torn or damaged one */
	uint32_t version;  /* 1 or 3 */
	uint32_t validity; /* 0: the header cannot be read */
	uint32_t next;	   /* above N and every UID, also of lines of which no more can be read */
	size_t lost;	   /* octets that cannot be read after the last good line */
	char guid[33];	   /* 32 hex digits, or "" */
	const char *extra; /* header fields that we do not know, as they stand */
	size_t extra_len;
	struct uidlist_line *line; /* by rising UID, but for a damaged one */
	size_t count;
	char *text; /* what the pointers above point into */
	size_t size;
};

/* Takes over text (malloc'd).  -1: ENOMEM, and text is freed. */
int uidlist_parse(struct uidlist *list, char *text, size_t size);
void uidlist_clear(struct uidlist *list);

/* The value of a field, not NUL-terminated, or NULL. */
const char *uidlist_field(const struct uidlist_line *line, char key, size_t *len_r);

/* The message's size as a line gives it. */
struct uidlist_sizes {
	uint64_t size, wire; /* S and W */
	bool known;	     /* both are there and possible */
	bool line_end;	     /* it ends in a line end (L) */
};
void uidlist_sizes(const struct uidlist_line *line, struct uidlist_sizes *sizes_r);

void uidlist_put_header(struct mdbuf *out, const struct uidlist *list, uint32_t validity,
    uint32_t next, const char *guid);
/* A line under the given uid; sizes, where not NULL, replace those that the line has. */
void uidlist_put_line(struct mdbuf *out, const struct uidlist_line *line, uint32_t uid,
    const struct uidlist_sizes *sizes);
void uidlist_put_new(struct mdbuf *out, uint32_t uid, const char *base, size_t base_len);

/* --- the file --- */

struct mddir;
struct uid_record; /* base/record.h */

/* A uidlist that was read, and its file. */
struct uidfile {
	int fd; /* open for appending, or -1 */
	bool writable;
	bool closed; /* it is there and cannot be read: what replaces it keeps it aside */
	struct file_stamp stamp;
	struct uidlist list;
};

/* Reads the file; a missing file is UIDLIST_NONE, not an error. */
int uidfile_load(struct mddir *dir, struct uidfile *file);
/* Opens the file for appending without reading it, and takes its stamp. */
int uidfile_join(struct mddir *dir, struct uidfile *file);
void uidfile_close(struct uidfile *file);

/* Both return when it is on disk.  Called with dovecot-uidlist.lock held. */
int uidfile_append(struct mddir *dir, struct uidfile *file, const struct mdbuf *text);
int uidfile_replace(struct mddir *dir, struct uidfile *file, const struct mdbuf *text);

/*
 * Why a uidlist cannot be trusted, so that all messages get new UIDs; NULL if it can be.  unwritten: its last line is
 * known to be older than what was given out last.
 */
const char *uidlist_doubt(
    const struct uidlist *list, const struct uid_record *record, bool unwritten);
/* Raises the next UID of a list that can be trusted above all that its lost lines can have given. */
void uidlist_pass_lost(struct uidlist *list, const struct uid_record *record);

#endif
