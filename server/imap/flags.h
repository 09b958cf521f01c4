/*
 * flags.h: IMAP's flags and keywords, and the numbers that a folder has for keywords.
 */
#ifndef SERVER_IMAP_FLAGS_H
#define SERVER_IMAP_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/maildir.h"
#include "server/imap/args.h"

struct maildir_folder;

enum {
	FLAGS_KEYWORD_MAX = 200, /* octets of a keyword, as maildir/ has it */
	FLAGS_NAMED_MAX = 64,	 /* keywords in one command */
};

/* Names of a folder's keywords, as few folders have many.  Zeroed: none. */
struct flag_names {
	struct mdbuf text;	       /* the names, each terminated */
	uint16_t at[MAILDIR_KEYWORDS]; /* where in text, counted from 1; 0: no such keyword */
	size_t count;
};

/* Reads the names again.  Returns whether they have changed. */
bool flag_names_load(struct maildir_folder *folder, struct flag_names *names);
void flag_names_clear(struct flag_names *names);
/* The name of a keyword; "" where it has none. */
const char *flag_name(const struct flag_names *names, unsigned number);

/* Flags as a client wrote them, before keywords become a folder's numbers. */
struct flag_list {
	uint32_t flags; /* enum maildir_flag */
	size_t count;
	struct word keyword[FLAGS_NAMED_MAX];
};

/*
 * "(\Seen $Junk)"; bare: the flags may also stand without parentheses, to the end (STORE).  false:
 * malformed, \Recent, an unknown system flag, more than FLAGS_NAMED_MAX keywords.
 */
bool flags_parse(struct args *args, bool bare, struct flag_list *list_r);

/*
 * The list's keywords in a folder: a bit for each, at its number.  make: a new keyword gets a number; -1, errno: that
 * failed.  Without make new keywords are left out.
 */
int flags_keywords(
    struct maildir_folder *folder, const struct flag_list *list, bool make, uint64_t *keywords_r);

/* "\Seen $Forwarded": without parentheses. */
void flags_put(struct mdbuf *out, const struct flag_names *names, uint32_t flags, uint64_t keywords,
    bool recent);

#endif
