/*
 * keywords.h: the file dovecot-keywords, which names the letters a to z of file names; and which
 * keywords a message has, those that are no letters too (more_keywords.h).
 */
#ifndef MAILDIR_UIDS_KEYWORDS_H
#define MAILDIR_UIDS_KEYWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/stamp.h"
#include "maildir/base/text.h"
#include "maildir/maildir.h"

#define KEYWORDS_NAME "dovecot-keywords"

/* A keyword's length; Dovecot's default limit is 50, and names of others are kept as they are. */
#define KEYWORD_MAX 200

enum { KEYWORD_LETTERS = 26 }; /* a to z */
#define KEYWORD_LETTERS_MASK ((UINT64_C(1) << KEYWORD_LETTERS) - 1)

struct keywords {
	char name[KEYWORD_LETTERS][KEYWORD_MAX + 1]; /* "" where there is none */
	struct file_stamp stamp;		     /* of the file they are from */
	bool closed;				     /* which cannot be read */
};

/* Takes what can be read; lines that cannot are passed over. */
void keywords_parse(struct keywords *keywords, const char *text, size_t size);
void keywords_put(const struct keywords *keywords, struct mdtext *out);

/* The letter of a name, without regard to case, or -1. */
int keywords_find(const struct keywords *keywords, const char *name);

/* Whether it can be a keyword: an IMAP atom (RFC 3501 section 9, flag-keyword). */
bool keyword_valid(const char *name);

/* --- a folder's --- */

struct maildir_folder;

/* As maildir_keyword_make, with the folder's lock and dovecot-uidlist.lock held. */
int keywords_make_locked(struct maildir_folder *folder, const char *name);

/* Reads what has changed in both files.  -1: what was read before stays. */
int keywords_refresh(struct maildir_folder *folder);

/*
 * All keywords of a message: the letters of its name, and what sallyport.keywords has of it, as last
 * read.  One that has got a letter since (by Dovecot) is told as that.
 */
uint64_t keywords_of(
    const struct maildir_folder *folder, const char *base, size_t base_len, uint32_t letters);

/*
 * What a change is to a message's name, and the keywords that sallyport.keywords is to have of it then.
 * now: its keywords, what the batch has changed already with them.  Whether they must be written
 * (by more_store, for a batch at once).  Under the folder's lock.
 */
struct mdname_change;
bool keywords_split(const struct maildir_folder *folder, const char *base, size_t base_len,
    uint64_t now, const struct maildir_flag_change *change, struct mdname_change *name_r,
    uint64_t *more_r);

/*
 * Writes keywords of messages down, as more_store.  What the index says of the file goes along, if it
 * was the same before.
 */
struct more_change;
int keywords_save(struct maildir_folder *folder, const struct more_change *change, size_t count);

void keywords_forget(struct maildir_folder *folder);

#endif
