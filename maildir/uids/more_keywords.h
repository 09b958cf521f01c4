/*
 * more_keywords.h: the file sallyport.keywords: keywords beyond the letters a to z of file names.
 *
 * The first half is the text, without any file.  The second is the file in its folder.
 */
#ifndef MAILDIR_UIDS_MORE_KEYWORDS_H
#define MAILDIR_UIDS_MORE_KEYWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maildir/base/stamp.h"
#include "maildir/base/text.h"
#include "maildir/maildir.h"

#define MORE_KEYWORDS_NAME "sallyport.keywords"

enum {
	MORE_FIRST = 26, /* numbers from here on; those below are letters */
	MORE_COUNT = MAILDIR_KEYWORDS - MORE_FIRST,
	MORE_TAIL = 64, /* octets of the file's end that are kept, to know it again */
};

/* The bits of a mask of keywords that this file is about. */
#define MORE_BITS (~UINT64_C(0) << MORE_FIRST)

struct more_slot; /* a message by base name, and its mask */

/* What the file says; all zero is an empty one. */
struct more_keywords {
	char *name[MORE_COUNT]; /* of MORE_FIRST + i, or NULL */
	struct more_slot *slot; /* a hash table */
	size_t mask, count;	/* its size less one; messages in it */
	size_t lines;		/* of the file, those that count no more and damaged ones too */
	struct mdarena arena;	/* holds the base names */
	/* The file as far as it was read. */
	struct file_stamp stamp;
	off_t end;   /* behind the last whole line */
	bool closed; /* it cannot be read: nothing is written either */
	char tail[MORE_TAIL];
};

/* Takes in whole lines, as they follow on those before; what is damaged is passed over.  How many
 * octets that were: a line without end is left.  -1: ENOMEM. */
ssize_t more_parse(struct more_keywords *more, const char *text, size_t size);
void more_clear(struct more_keywords *more);

/* All that counts, as a new file; live, where not NULL, says of which messages. */
void more_put(const struct more_keywords *more,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx, struct mdtext *out);

/* The number of a name, without regard to case, or -1. */
int more_find(const struct more_keywords *more, const char *name);
/* A number without a name that no message has, or -1. */
int more_free(const struct more_keywords *more);
/* The keywords of a message: bits MORE_FIRST and up. */
uint64_t more_mask(const struct more_keywords *more, const char *base, size_t len);

/* --- the file --- */

struct mddir;

/* Reads what is new in the file, or all of it; one fstatat(2) if nothing is.  A missing file is an empty
 * one, and so is what is no file.  -1: what was read before stays. */
int more_refresh(struct mddir *dir, struct more_keywords *more);

/* Gives a number its name.  Under the folder's lock; on disk when it returns. */
int more_name(struct mddir *dir, struct more_keywords *more, int number, const char *name);

/* The keywords that messages are to have: those of MORE_BITS. */
struct more_change {
	const char *base;
	size_t base_len;
	uint64_t keywords;
};

/*
 * Writes changes of any number of messages down, in one go; they are on disk when it returns, and in
 * more.  Under the folder's lock, after more_refresh, for what is written are whole masks.  -1: none of
 * them is.
 */
int more_store(
    struct mddir *dir, struct more_keywords *more, const struct more_change *change, size_t count);

/*
 * Makes the file small again when it has grown to no purpose: messages is how many the folder has, and
 * live says of a base name whether one of them has it.  Under the folder's lock, by one who knows all
 * of them.  -1: it is as it was.
 */
int more_trim(struct mddir *dir, struct more_keywords *more, size_t messages,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx);

#endif
