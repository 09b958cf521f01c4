/*
 * fetch.h: what FETCH was asked for, and the content of messages that answers it.
 */
#ifndef SERVER_IMAP_FETCH_H
#define SERVER_IMAP_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/message/message.h"
#include "maildir/message/mime.h"
#include "server/imap/args.h"

struct session;

enum {
	FETCH_SECTIONS_MAX = 256, /* in one command; a webmail asks for each part of a message */
	FETCH_FIELDS_MAX = 256,	  /* names in one HEADER.FIELDS */
};

enum fetch_item {
	FETCH_UID = 1 << 0,
	FETCH_FLAGS = 1 << 1,
	FETCH_INTERNALDATE = 1 << 2,
	FETCH_SIZE = 1 << 3,
	FETCH_ENVELOPE = 1 << 4,
	FETCH_BODY = 1 << 5,
	FETCH_BODYSTRUCTURE = 1 << 6,
	FETCH_MODSEQ = 1 << 7,	/* RFC 7162 */
	FETCH_EMAILID = 1 << 8, /* RFC 8474 */
	FETCH_THREADID = 1 << 9,
	FETCH_SAVEDATE = 1 << 10, /* RFC 8514 */
	FETCH_LAST = FETCH_SAVEDATE,
	FETCH_FAST = FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE,
};

enum section_kind { SECTION_BODY, SECTION_BINARY, SECTION_BINARY_SIZE };
enum section_part {
	SECTION_WHOLE,
	SECTION_HEADER,
	SECTION_FIELDS,
	SECTION_TEXT,
	SECTION_MIME,
};

/* A BODY[...], BINARY[...] or RFC822... that was asked for. */
struct section {
	enum section_kind kind;
	enum section_part part;
	bool peek;
	uint32_t number[MIME_DEPTH_MAX];
	size_t numbers;
	struct header_names fields; /* SECTION_FIELDS; its names are owned */
	bool indexed;		    /* MAILDIR_FIELDS has all of them */
	struct mdbuf label;	    /* its name in the answer, without a partial's origin */
	bool partial;
	uint64_t origin, length;
};

struct fetch_plan {
	unsigned items;
	uint64_t changed_since;	 /* only of messages with a higher modseq; 0: all */
	bool vanished;		 /* expunges since then are told, too */
	struct section *section; /* on the heap */
	size_t sections, room;
};

/* Parses "(UID BODY[]) (CHANGEDSINCE 12345)" or "FAST", to the end of the command.  Returns false if that is
 * malformed; fetch_clear frees the plan in any case. */
bool fetch_parse(struct args *args, struct fetch_plan *plan_r);
void fetch_clear(struct fetch_plan *plan);

/* --- content: section.c --- */

/* A message while its answer is made: what was read of it is kept until then. */
struct fetched {
	struct session *session;
	uint32_t uid;
	struct mdbuf fields; /* MAILDIR_FIELDS */
	bool fields_read;
	struct mdbuf head; /* its header, to MIME_HEADER_MAX */
	bool head_read;
	struct mime *mime;
};

/* The content of a section: where it is, or itself. */
struct content {
	bool missing;	   /* there is no such part: NIL */
	uint64_t at, size; /* octets of the message on the wire */
	struct mdbuf text; /* the octets themselves, if owned; mdbuf_clear frees them */
	bool owned;
	int decode;	  /* enum transfer_encoding */
	bool nul;	  /* a NUL is in it once it is decoded */
	uint64_t decoded; /* octets once it is decoded */
};

/*
 * Finds the content and its size; sends nothing.  -1: errno as maildir_reader_open, or ENOTSUP for an unknown
 * encoding.
 */
int section_find(struct fetched *message, const struct section *section, struct content *content_r);

/*
 * Sends "BODY[...] {5}" and the octets.  -1: the message could not be read as it was announced, so the session
 * must end.
 */
int section_put(
    struct fetched *message, const struct section *section, const struct content *content);

/* The message's structure.  NULL: errno. */
const struct mime *fetched_mime(struct fetched *message);
void fetched_clear(struct fetched *message);

#endif
