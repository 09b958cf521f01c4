/*
 * format.h: the texts of Courier's files, without any file: UIDs, POP3 UIDLs, keywords.
 */
#ifndef MAILDIR_COURIER_FORMAT_H
#define MAILDIR_COURIER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/uids/uidlist.h"

/* The length of the base of a file name; 0 if a message cannot have it. */
size_t courier_base(const char *name, size_t len);

/* A message that Courier's POP3 server had told of; base points into the text that was parsed. */
struct courier_uidl {
	const char *base;
	size_t base_len;
	uint64_t number, validity; /* see courier_put_uidl */
	size_t place;		   /* its line: Courier wrote them in the order of delivery */
	bool written;		   /* by courier_put_uids */
};

struct courier_uidls {
	struct courier_uidl *list; /* by base name, each once */
	size_t count;
	const char *what; /* is wrong with the text, or NULL; the good lines are in the list */
};

/* Reads a courierpop3dsizelist.  -1: ENOMEM. */
int courier_uidls_parse(struct courier_uidls *uidls, const char *text, size_t size);
void courier_uidls_clear(struct courier_uidls *uidls);
/* Writes the UIDL that Courier told; nothing when POP3 does not allow it. */
void courier_put_uidl(struct mdbuf *out, const struct courier_uidl *uidl);

/* Whether db, which uidlist_parse made of a courierimapuiddb, tells for sure what UIDs were given. */
bool courier_uids_known(const struct uidlist *db);

/*
 * Writes a dovecot-uidlist (without an id of the folder): the lines of db with their POP3 UIDLs, and after them what
 * only the POP3 server knew.  validity: 0 keeps UIDVALIDITY and UIDs of db; else all are numbered from 1.  The list of
 * uidls is used up: it is in another order afterwards.  -1: ENOMEM.
 */
int courier_put_uids(
    struct mdbuf *out, const struct uidlist *db, struct courier_uidls *uidls, uint32_t validity);

/* A message has a keyword, or (COURIER_OWN) a file of its own, and then the list does not count. */
struct courier_mark {
	const char *base;
	uint16_t name; /* index of names, or COURIER_OWN */
};

/* More than anybody tells apart; what comes after them is left out. */
enum { COURIER_NAMES_MAX = 1000, COURIER_OWN = UINT16_MAX };

struct courier_keywords {
	const char *name[COURIER_NAMES_MAX];
	size_t names;
	struct courier_mark *mark; /* by base name, once courier_keywords_list was called */
	size_t marks, room;
	struct mdarena arena; /* of both kinds of names */
	const char *what;     /* is wrong with the texts, or NULL */
};

/*
 * Whether that is the name of a message's own file in courierimapkeywords/: its base name (in name),
 * and a rank: of several the highest counts.
 */
bool courier_keywords_file(const char *name, const char **base_r, uint64_t *rank_r);
/* Adds a message's own file.  -1: ENOMEM. */
int courier_keywords_own(
    struct courier_keywords *keywords, const char *base, const char *text, size_t size);
/* Adds what its file :list says of all others; called once, and last.  -1: ENOMEM. */
int courier_keywords_list(struct courier_keywords *keywords, const char *text, size_t size);
void courier_keywords_clear(struct courier_keywords *keywords);
/* The first mark of a message, marks where it has none. */
size_t courier_keywords_find(const struct courier_keywords *keywords, const char *base, size_t len);

#endif
