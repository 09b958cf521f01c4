/*
 * keywords.h: the keywords of a folder's messages: names, numbers, and which a message has.
 *
 * Numbers 0 to 25 are letters of file names (lettered.h), the others are in a file of ours (numbered.h).
 */
#ifndef MAILDIR_UIDS_KEYWORDS_H
#define MAILDIR_UIDS_KEYWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/maildir.h"
#include "maildir/uids/lettered.h"
#include "maildir/uids/numbered.h"

struct mddir;
struct mdname_change;

struct keywords {
	struct mddir *dir;
	struct lettered letters;
	struct numbered numbers;
	bool known; /* both files were read, once at least */
};

struct keywords *keywords_new(struct mddir *dir);
void keywords_free(struct keywords *k);

/*
 * Reads what has changed in both files; in a batch of changes it reads nothing again.  -1: what was read before
 * stays.
 */
int keywords_refresh(struct keywords *k);

/*
 * All keywords of a message, as the files were last read: the letters of its name, and what sallyport.keywords says of
 * its base name.  A numbered keyword whose name has got a letter since (from Dovecot) is that letter.
 */
uint64_t keywords_of(const struct keywords *k, const char *base, size_t base_len, uint32_t letters);

/*
 * Splits a change of a message's keywords into the change of its name, and the keywords that sallyport.keywords must
 * have of it after that.  now: its keywords, with what the batch has changed already.  Returns true if that file must
 * be written (numbered_store).  Under the folder's lock.
 */
bool keywords_split(const struct keywords *k, const char *base, size_t base_len, uint64_t now,
    const struct maildir_flag_change *change, struct mdname_change *name_r, uint64_t *numbered_r);

/* The number that a name has, or -1. */
int keywords_number(const struct keywords *k, const char *name);
/* The names of all numbers, NULL where there is none, until the files are read again. */
void keywords_names(const struct keywords *k, const char *names_r[MAILDIR_KEYWORDS]);

/*
 * Whether a name without a number could get a letter.  If so the caller finds out which letters are in use: a message
 * that has a letter without name would get the keyword by that name.
 */
bool keywords_want_letter(const struct keywords *k);
/*
 * Gives a name without a number one.  used: the letters in file names.  Under the folder's lock; locked: with
 * dovecot-uidlist.lock held already.  -1: ERANGE when all numbers are taken.
 */
int keywords_add(struct keywords *k, const char *name, uint32_t used, bool locked);

#endif
