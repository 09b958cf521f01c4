/*
 * command.h: a command being collected from the octets of a client: its lines and the literals
 * between them.  RFC 9051 section 2.2.1, RFC 7888.
 *
 * Pure and incremental: it is fed what has arrived and stops at each thing that somebody must decide.
 * The text keeps literals as they came, "{5}\r\nhello"; args.h reads it.
 */
#ifndef SERVER_IMAP_COMMAND_H
#define SERVER_IMAP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum imap_command_event {
	IMAP_COMMAND_MORE,    /* all octets are used, more are needed */
	IMAP_COMMAND_DONE,    /* text is a whole command without its last line end */
	IMAP_COMMAND_LITERAL, /* one is announced: see literal; accept, stream or refuse it */
	IMAP_COMMAND_LONG,    /* over max; refused already: feed on for IMAP_COMMAND_REFUSED */
	IMAP_COMMAND_REFUSED, /* what was refused is over; its octets are thrown away */
	/* A literal that does not wait for us but has no size that can be: what follows cannot be
	 * told from commands, and the connection must end. */
	IMAP_COMMAND_BROKEN,
};

struct imap_literal {
	uint64_t size;
	bool plus;   /* {n+}: the octets come without being asked for */
	bool binary; /* ~{n} */
	size_t at;   /* of its "{" or "~" in text */
};

struct imap_command {
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
void imap_command_init(struct imap_command *command, char *text, size_t max);
/* Ready for the next command; a large buffer is given back. */
void imap_command_next(struct imap_command *command);
void imap_command_clear(struct imap_command *command);

/* Takes up to len octets; how many it has used.  MORE means all. */
size_t imap_command_feed(
    struct imap_command *command, const char *octets, size_t len, enum imap_command_event *event_r);

/* The decisions on a literal: its octets become part of the text; the caller takes them from the
 * input itself, and the command goes on behind them; or the command is refused. */
void imap_command_accept(struct imap_command *command);
void imap_command_stream(struct imap_command *command);
/*
 * false: nothing more of the command will come (a client that waits to be asked for its literal); the
 * command is over now.  true: octets are on their way; feed on for IMAP_COMMAND_REFUSED.
 */
bool imap_command_refuse(struct imap_command *command);

#endif
