/*
 * keywords.h: the file dovecot-keywords, which names the letters a to z of file names.
 */
#ifndef MAILDIR_KEYWORDS_H
#define MAILDIR_KEYWORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/maildir.h"
#include "maildir/stamp.h"
#include "maildir/text.h"

#define KEYWORDS_NAME "dovecot-keywords"

/* A keyword's length; Dovecot's default limit is 50, and names of others are kept as they are. */
#define KEYWORD_MAX 200

struct keywords {
	char name[MAILDIR_KEYWORDS][KEYWORD_MAX + 1]; /* "" where there is none */
	struct file_stamp stamp;		      /* of the file they are from */
};

/* Takes what can be read; lines that cannot are passed over. */
void keywords_parse(struct keywords *keywords, const char *text, size_t size);
void keywords_put(const struct keywords *keywords, struct mdtext *out);

/* The letter of a name, without regard to case, or -1. */
int keywords_find(const struct keywords *keywords, const char *name);

struct maildir_folder;

/* As maildir_keyword_letter, with the folder's lock and dovecot-uidlist.lock held. */
int keywords_letter_locked(struct maildir_folder *folder, const char *name);

/* Whether it can be a keyword: an IMAP atom (RFC 3501 section 9, flag-keyword). */
bool keyword_valid(const char *name);

#endif
