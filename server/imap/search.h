/*
 * search.h: a SEARCH as a program for a stack: what it asks of a message, and how the answers are joined.
 *
 * The keys are in postfix order, so neither parsing nor running needs recursion.  Each question has a
 * price.  Cheap questions are asked first; dear ones only if the answer is open after that.
 */
#ifndef SERVER_IMAP_SEARCH_H
#define SERVER_IMAP_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/message/search.h"
#include "server/imap/args.h"
#include "server/imap/sequence.h"

struct session;

enum {
	SEARCH_KEYS_MAX =
	    5000, /* in one command: as many are taken; each is asked of each message */
	SEARCH_STEPS_MAX =
	    3 * SEARCH_KEYS_MAX, /* a key, its NOT, and what joins it to the others */
	SEARCH_TEXTS_MAX = 200,	 /* keys that look for text, in fields or in the whole message */
};

/* Questions about a message, the cheap ones first; then how their answers are joined. */
enum search_key {
	/* what the mailbox knows */
	SEARCH_ALL,
	SEARCH_FLAG,	/* one of flags or keywords is set */
	SEARCH_RECENT,	/* and none of flags is set */
	SEARCH_NUMBERS, /* it is in set */
	SEARCH_UIDS,	/* its UID is in set */
	SEARCH_MODSEQ,	/* a number from low to high, as the next ones (RFC 7162) */
	/* its dates and its id */
	SEARCH_DATE,	/* in seconds */
	SEARCH_SAVED,	/* RFC 8514, in seconds */
	SEARCH_EMAILID, /* id (RFC 8474) */
	SEARCH_SIZE,
	/* what the index holds of its header */
	SEARCH_SENT,  /* its Date field's day, in seconds */
	SEARCH_FIELD, /* a match of fields */
	/* all of it */
	SEARCH_TEXT, /* a match of texts */
	/* the answers before */
	SEARCH_NOT,
	SEARCH_AND,
	SEARCH_OR,
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_OPEN };

struct search_step {
	enum search_key key;
	uint32_t flags;
	uint64_t keywords;
	int64_t low, high;
	size_t match; /* which of the program's */
	struct sequence set;
	char *id;		   /* owned */
	enum search_answer answer; /* of the present message */
};

struct search_program {
	struct search_step *step;
	size_t steps, room;
	size_t bound; /* a step plus 1: nothing is found outside of its set; 0: there is none */
	/* Texts to look for in the whole message, and in fields that the index holds; all are owned. */
	struct search_question *text, *field;
	size_t texts, fields;
	bool decoded;	  /* MAILDIR_DECODED answers all that is asked of fields */
	bool modseq;	  /* MODSEQ was asked for, and so is told */
	unsigned prices;  /* that the keys have, a bit for each: see search.c */
	unsigned returns; /* RETURN_; 0: there was no RETURN */
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
 * Parses all arguments of a SEARCH.  now: seconds, for OLDER and YOUNGER.  search_clear frees what is in
 * *program_r, whatever the result.
 */
enum search_parsed search_parse(
    struct session *session, struct args *args, int64_t now, struct search_program *program_r);
void search_clear(struct search_program *program);

#endif
