/*
 * lettered.h: the file dovecot-keywords, which names the letters a to z of file names: keywords 0 to 25.
 */
#ifndef MAILDIR_UIDS_LETTERED_H
#define MAILDIR_UIDS_LETTERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/base/stamp.h"
#include "maildir/uids/keyword.h"

struct mddir;

#define LETTERED_NAME "dovecot-keywords"

enum { LETTERS = 26 };
#define LETTERS_MASK ((UINT64_C(1) << LETTERS) - 1)

struct lettered {
	char name[LETTERS][KEYWORD_MAX + 1]; /* "" where a letter has none */
	struct file_stamp stamp;	     /* of the file that they were read from */
	bool closed;			     /* it cannot be read */
};

/* Takes what can be read; other lines are passed over. */
void lettered_parse(struct lettered *letters, const char *text, size_t size);
void lettered_put(const struct lettered *letters, struct mdbuf *out);

/* The letter of a name, without regard to case, or -1. */
int lettered_find(const struct lettered *letters, const char *name);
/* A letter without a name that is not in the mask used, or -1. */
int lettered_free(const struct lettered *letters, uint32_t used);

/* A missing file, a non-file, an oversized file and an unreadable file all mean: no names. */
int lettered_load(struct mddir *dir, struct lettered *letters);
/* Gives a letter its name, on disk and in letters.  Under dovecot-uidlist.lock; ENOLCK: it is not ours any more. */
int lettered_name(struct mddir *dir, struct lettered *letters, int letter, const char *name);

#endif
