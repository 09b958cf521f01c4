/*
 * search.h: a SEARCH as a program for a stack: what it asks of a message, and how the answers are put
 * together.
 *
 * The keys are in postfix order, so neither parsing nor running needs recursion.  Each question has a
 * price; the cheap ones are asked first, and the dear ones only when those leave the answer open.
 */
#ifndef SERVER_IMAP_SEARCH_H
#define SERVER_IMAP_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/message/match.h"
#include "server/imap/args.h"
#include "server/imap/sequence.h"

struct session;

enum {
	SEARCH_KEYS_MAX = 5000, /* in one command; each is asked of each message */
	SEARCH_TEXTS_MAX = 200, /* of them, those that look for text, in fields or in all */
};

enum search_key {
	/* what the mailbox knows */
	SEARCH_ALL,
	SEARCH_FLAG,	/* any of flags or keywords is set */
	SEARCH_RECENT,	/* value 1: and not seen (NEW) */
	SEARCH_NUMBERS, /* set */
	SEARCH_UIDS,	/* set */
	SEARCH_MODSEQ,	/* value: or above (RFC 7162) */
	SEARCH_NOTHING, /* THREADID, of which there is none */
	/* its dates and its id */
	SEARCH_BEFORE, /* value: a day */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_OLDER, /* value: a time */
	SEARCH_YOUNGER,
	SEARCH_SAVEDBEFORE, /* RFC 8514 */
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE,
	SEARCH_EMAILID, /* id (RFC 8474) */
	/* its size */
	SEARCH_LARGER,
	SEARCH_SMALLER,
	/* what is remembered of its header */
	SEARCH_SENTBEFORE,
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_FIELD, /* value: which of fields */
	/* all of it */
	SEARCH_TEXT, /* value: which of texts */
	/* what is done with the answers before */
	SEARCH_NOT,
	SEARCH_AND,
	SEARCH_OR,
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_OPEN };

struct search_step {
	enum search_key key;
	uint32_t flags;
	uint64_t keywords;
	int64_t value;
	struct sequence set;
	char *id;		   /* owned */
	enum search_answer answer; /* of the present message */
};

struct search_program {
	struct search_step *step;
	size_t steps, room;
	/* What to look for in the whole message, and in fields that are remembered; names and texts are owned. */
	struct match *text, *field;
	size_t texts, fields;
	bool decoded;	 /* all that is asked of fields is in MAILDIR_DECODED */
	bool modseq;	 /* MODSEQ was asked for, and so is told */
	unsigned prices; /* which there are, a bit for each: see search.c */
};

/* RETURN (...): RFC 4731, RFC 5182. */
enum {
	RETURN_MIN = 1 << 0,
	RETURN_MAX = 1 << 1,
	RETURN_ALL = 1 << 2,
	RETURN_COUNT = 1 << 3,
	RETURN_SAVE = 1 << 4,
};

enum search_parsed { SEARCH_PARSED, SEARCH_MALFORMED, SEARCH_BAD_CHARSET, SEARCH_TOO_MUCH };

/*
 * All that stands behind SEARCH.  *extended_r: RETURN was there, with *returns_r.  now: for OLDER and
 * YOUNGER, in seconds.
 */
enum search_parsed search_parse(struct session *session, struct args *args, int64_t now,
    struct search_program *program_r, bool *extended_r, unsigned *returns_r);
void search_clear(struct search_program *program);

#endif
