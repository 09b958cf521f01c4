/*
 * input.h: a command being collected from the octets of a client: its lines and the literals
 * between them.  RFC 9051 section 2.2.1, RFC 7888.
 *
 * Pure and incremental: it is fed what has arrived and stops at each thing that somebody must decide.
 * The text keeps literals as they came, "{5}\r\nhello"; args.h reads it.
 */
#ifndef SERVER_IMAP_INPUT_H
#define SERVER_IMAP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum imap_input_event {
	IMAP_INPUT_MORE,    /* all octets are used, more are needed */
	IMAP_INPUT_DONE,    /* text is a whole command without its last line end */
	IMAP_INPUT_LITERAL, /* one is announced: see literal; accept, stream or refuse it */
	IMAP_INPUT_LONG,    /* over max; refused already: feed on for IMAP_INPUT_REFUSED */
	IMAP_INPUT_REFUSED, /* what was refused is over; its octets are thrown away */
	/* A literal that does not wait for us but has no size that can be: what follows cannot be
	 * told from commands, and the connection must end. */
	IMAP_INPUT_BROKEN,
};

struct imap_literal {
	uint64_t size;
	bool plus;   /* {n+}: the octets come without being asked for */
	bool binary; /* ~{n} */
	size_t at;   /* of its "{" or "~" in text */
};

struct imap_input {
	char *text; /* the caller's or on the heap; NULL with size 0: grows on the heap up to max */
	size_t len, size, max;
	bool fixed;			  /* text is the caller's, of max octets */
	unsigned literals;		  /* so far */
	struct imap_literal literal;	  /* the announced one */
	uint64_t left;			  /* octets of a literal that are still to come */
	size_t line;			  /* where the present line begins */
	bool skipping, announced, failed; /* refused; waits for a decision; memory was short */
	char tail[24];			  /* the last octets of a line that is thrown away */
	size_t tail_len;
};

/* text of size octets for a command of at most that; or NULL for one on the heap of at most max. */
void imap_input_init(struct imap_input *input, char *text, size_t max);
/* Ready for the next command; a large buffer is given back. */
void imap_input_next(struct imap_input *input);
void imap_input_clear(struct imap_input *input);

/* Takes up to len octets; how many it has used.  MORE means all. */
size_t imap_input_feed(
    struct imap_input *input, const char *octets, size_t len, enum imap_input_event *event_r);

/* The decisions on a literal: its octets become part of the text; the caller takes them from the
 * input itself, and the command goes on behind them; or the command is refused. */
void imap_input_accept(struct imap_input *input);
void imap_input_stream(struct imap_input *input);
/*
 * false: nothing more of the command will come (a client that waits to be asked for its literal); the
 * command is over now.  true: octets are on their way; feed on for IMAP_INPUT_REFUSED.
 */
bool imap_input_refuse(struct imap_input *input);

#endif
