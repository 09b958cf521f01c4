/*
 * numbered.h: the file sallyport.keywords: keywords 26 to 63, which have no letter in file names.
 *
 * The first half of the functions works on the file's text.  The second half reads and writes the file in its folder;
 * call these under the folder's lock, except for numbered_refresh.
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

/* The bits of keywords from NUMBERED_FIRST on. */
#define NUMBERED_BITS (~UINT64_C(0) << NUMBERED_FIRST)

/* A message, and its keywords: bits of NUMBERED_BITS. */
struct numbered_message {
	const char *base; /* not NUL-terminated */
	size_t base_len;
	uint64_t keywords;
};

/* The contents of the file; a struct of zeros is an empty file. */
struct numbered {
	const char *name[NUMBERED_COUNT]; /* of NUMBERED_FIRST + i, or NULL */
	struct numbered_message *message;
	size_t count, room;
	struct mdtable table; /* of message, by base name */
	size_t lines;	      /* of the file, also damaged and outdated ones */
	struct mdarena arena; /* holds the names of both kinds */
	/* The file as far as it was read. */
	struct file_stamp stamp;
	off_t end;   /* of the last whole line */
	bool closed; /* the file cannot be read, and so is not written either */
	char tail[NUMBERED_TAIL];
};

/*
 * Takes in the whole lines of a text that follows what was taken in before; passes over damaged lines.  Returns how
 * many octets it has taken: a last line without an end is left.  -1: ENOMEM.
 */
ssize_t numbered_parse(struct numbered *k, const char *text, size_t size);
void numbered_clear(struct numbered *k);

/* Adds the text of a new file to out.  If live is not NULL, the file gets only messages for which it returns true. */
void numbered_put(const struct numbered *k, bool (*live)(void *ctx, const char *base, size_t len),
    void *ctx, struct mdbuf *out);

/* Returns the number of a name, whose case does not matter, or -1. */
int numbered_find(const struct numbered *k, const char *name);
/* Returns a number that has no name and that no message has, or -1. */
int numbered_free(const struct numbered *k);
/* Returns the keywords of a message: bits of NUMBERED_BITS. */
uint64_t numbered_of(const struct numbered *k, const char *base, size_t len);

/* --- the file --- */

struct mddir;

/*
 * Reads what is new in the file, or all of it; if nothing is new that costs one fstatat(2).  A file that is missing,
 * not regular or not readable counts as empty.  -1: what was read before stays.
 */
int numbered_refresh(struct mddir *dir, struct numbered *k);

/* Gives a number its name, which is on disk when the function returns. */
int numbered_name(struct mddir *dir, struct numbered *k, int number, const char *name);

/*
 * Writes the keywords of messages in one go.  Call numbered_refresh before, since all keywords of a message are
 * written.  They are on disk, and in k, when the function returns.  -1: none of them is.
 */
int numbered_store(
    struct mddir *dir, struct numbered *k, const struct numbered_message *message, size_t count);

/*
 * Replaces the file by a smaller one if most of its lines are outdated.  messages: how many the folder has; live
 * returns whether one of them has that base name.  -1: the file is as it was.
 */
int numbered_trim(struct mddir *dir, struct numbered *k, size_t messages,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx);

#endif
