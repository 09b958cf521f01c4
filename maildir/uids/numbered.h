/*
 * numbered.h: the file sallyport.keywords: keywords 26 to 63, which have no letter in file names.
 *
 * The first half is the text, without any file.  The second is the file in its folder; its functions are called
 * under the folder's lock, but for numbered_refresh.
 */
#ifndef MAILDIR_UIDS_NUMBERED_H
#define MAILDIR_UIDS_NUMBERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maildir/base/buf.h"
#include "maildir/base/stamp.h"
#include "maildir/base/table.h"
#include "maildir/maildir.h"

#define NUMBERED_NAME "sallyport.keywords"

enum {
	NUMBERED_FIRST = 26, /* lower numbers are letters */
	NUMBERED_COUNT = MAILDIR_KEYWORDS - NUMBERED_FIRST,
	NUMBERED_TAIL = 64, /* octets of the file's end that are kept, to recognize the file */
};

/* The bits of a mask of keywords that this file is about. */
#define NUMBERED_BITS (~UINT64_C(0) << NUMBERED_FIRST)

/* A message, and its keywords: bits of NUMBERED_BITS. */
struct numbered_message {
	const char *base; /* not NUL-terminated */
	size_t base_len;
	uint64_t keywords;
};

/* The contents of the file; all zero is an empty file. */
struct numbered {
	const char *name[NUMBERED_COUNT]; /* of NUMBERED_FIRST + i, or NULL */
	struct numbered_message *message;
	size_t count, room;
	struct mdtable table; /* of message, by base name */
	size_t lines;	      /* of the file, with those that count no more and damaged ones */
	struct mdarena arena; /* holds the names of both kinds */
	/* The file as far as it was read. */
	struct file_stamp stamp;
	off_t end;   /* of the last whole line */
	bool closed; /* it cannot be read: nothing is written either */
	char tail[NUMBERED_TAIL];
};

/*
 * Takes in whole lines, which follow those before; a damaged line is passed over.  Returns how many octets that were:
 * a line without end is left.  -1: ENOMEM.
 */
ssize_t numbered_parse(struct numbered *k, const char *text, size_t size);
void numbered_clear(struct numbered *k);

/* Writes the text of a new file.  live, if not NULL, says which messages it is to have. */
void numbered_put(const struct numbered *k, bool (*live)(void *ctx, const char *base, size_t len),
    void *ctx, struct mdbuf *out);

/* The number of a name, without regard to case, or -1. */
int numbered_find(const struct numbered *k, const char *name);
/* A number without a name that no message has, or -1. */
int numbered_free(const struct numbered *k);
/* The keywords of a message: bits of NUMBERED_BITS. */
uint64_t numbered_of(const struct numbered *k, const char *base, size_t len);

/* --- the file --- */

struct mddir;

/*
 * Reads what is new in the file, or all of it; it costs one fstatat(2) if nothing is new.  A missing file, a
 * non-file and an unreadable file are treated as empty.  -1: what was read before stays.
 */
int numbered_refresh(struct mddir *dir, struct numbered *k);

/* Gives a number its name; it is on disk when this returns. */
int numbered_name(struct mddir *dir, struct numbered *k, int number, const char *name);

/*
 * Writes the keywords of messages in one go, after numbered_refresh, since what is written are whole masks.  They are
 * on disk, and in k, when this returns.  -1: none of them is.
 */
int numbered_store(
    struct mddir *dir, struct numbered *k, const struct numbered_message *message, size_t count);

/*
 * Makes the file small again when most of its lines count no more.  messages: how many the folder has; live says of a
 * base name whether one of them has it.  -1: the file is as it was.
 */
int numbered_trim(struct mddir *dir, struct numbered *k, size_t messages,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx);

#endif
