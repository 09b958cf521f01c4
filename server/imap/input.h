/*
 * input.h: a command being collected from the octets of a client: its lines and the literals
 * between them.  RFC 9051 section 2.2.1, RFC 7888.
 *
 * Pure and incremental: it is fed what has arrived, and stops where its caller must decide.  The text
 * keeps literals as they came, "{5}\r\nhello"; args.h reads it.
 */
#ifndef SERVER_IMAP_INPUT_H
#define SERVER_IMAP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum imap_input_event {
	IMAP_INPUT_MORE,    /* all octets are used, more are needed */
	IMAP_INPUT_DONE,    /* text is a whole command without its last line end */
	IMAP_INPUT_LITERAL, /* a literal is announced: accept, stream or refuse it */
	IMAP_INPUT_LONG,    /* over max, and refused: feed on for IMAP_INPUT_REFUSED */
	IMAP_INPUT_REFUSED, /* the refused command is over; its octets are thrown away */
	/* A literal that comes without waiting has an impossible size.  Its octets cannot be told
	 * from commands, so the connection must end. */
	IMAP_INPUT_BROKEN,
};

struct imap_literal {
	uint64_t size;
	bool plus;   /* {n+}: the client does not wait to be asked for the octets */
	bool binary; /* ~{n} */
	size_t at;   /* where its "{" or "~" is in text */
};

struct imap_input {
	char *text; /* of size octets; on the heap, where it grows up to max, or the caller's */
	size_t len, size, max;
	bool fixed;		     /* text is the caller's, of max octets */
	unsigned literals;	     /* so far */
	struct imap_literal literal; /* the announced one */
	uint64_t left;		     /* octets of a literal that are still to come */
	size_t line;		     /* where the present line begins */
	bool skipping;		     /* the command is refused, and thrown away */
	char tail[24];		     /* the last octets of a line that is thrown away */
	size_t tail_len;
};

/* A command has at most max octets: in the caller's text, or with NULL on the heap. */
void imap_input_init(struct imap_input *input, char *text, size_t max);
/* Forgets the command, to be fed the next; frees a large buffer. */
void imap_input_next(struct imap_input *input);
void imap_input_clear(struct imap_input *input);

/* Returns how many of the octets were used: all of them with IMAP_INPUT_MORE. */
size_t imap_input_feed(
    struct imap_input *input, const char *octets, size_t len, enum imap_input_event *event_r);

/* Decisions on a literal.  Accept: its octets become part of the text.  Stream: the caller takes the octets from
 * the client itself, and feeds what comes after them. */
void imap_input_accept(struct imap_input *input);
void imap_input_stream(struct imap_input *input);
/*
 * Refuse.  true: the octets are on their way; feed on for IMAP_INPUT_REFUSED.  false: the client waits to be asked for
 * them, so nothing more comes and the command is over.
 */
bool imap_input_refuse(struct imap_input *input);

#endif
