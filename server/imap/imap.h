/*
 * imap.h: what both halves of IMAP share: limits, tags, names of commands, capabilities; and the
 * functions of protocol_imap.
 * RFC 9051 and RFC 3501, and the extensions that imap_capabilities names.
 */
#ifndef SERVER_IMAP_IMAP_H
#define SERVER_IMAP_IMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "server/channel.h"
#include "server/command.h"
#include "server/imap/args.h"
#include "server/imap/input.h"
#include "server/protocol.h"

enum {
	IMAP_TAG_MAX = 128, /* octets; clients use a dozen */

	/* Before login a stranger may send no more than a login needs. */
	IMAP_PRELOGIN_MAX = 8192,	  /* octets of a command, its literals included */
	IMAP_PRELOGIN_LITERAL_MAX = 1000, /* octets of a literal */
	IMAP_PRELOGIN_WORD_MAX = 1024,	  /* octets of an argument in any form */
	IMAP_PRELOGIN_LITERALS = 4,	  /* in a command; LOGIN has two */
	IMAP_NONSENSE_MAX = 10,		  /* lines without a command; a browser is cut off */

	/* After login: sets of numbers and searches can be long. */
	IMAP_COMMAND_MAX = 1024 * 1024, /* octets of a command, but for APPEND's messages */
	IMAP_LITERALS_MAX = 100,	/* in a command */
	IMAP_DEPTH_MAX = 50,		/* parentheses in parentheses */
	IMAP_BAD_MAX = 50, /* commands in a row that are BAD; a client that is lost is cut off */
};

/* Decides which capabilities are told. */
struct imap_state {
	bool logged_in, tls, may_login;
	int64_t append_limit;
};

/* "IMAP4rev1 ...", without CAPABILITY in front and without a line end. */
void imap_capabilities(struct channel *channel, const struct imap_state *state);

/* The part of a command that has come, up to all of it. */
struct args imap_args(const struct imap_input *input);

/*
 * Takes the tag of a command and the blank after it.  false: malformed; then tag_r is "" when no answer can
 * carry the tag.
 */
bool imap_tag(struct args *args, char tag_r[IMAP_TAG_MAX + 1]);

/* Takes the tag of a command that is not whole, for its refusal: "" if it has none. */
void imap_tag_of_part(const struct imap_input *input, char tag_r[IMAP_TAG_MAX + 1]);

/*
 * The command at the cursor, which moves past its name.  "UID" and the word after it are one name.
 */
const struct command *imap_command(const struct command *table, struct args *args);

/* Whether the command may have the arguments that are there, or none; the cursor moves to the first. */
bool imap_arguments(const struct command *command, struct args *args);

/* A client, as it calls itself (RFC 2971); at is NULL where it does not tell. */
struct imap_client {
	struct word name, version;
};

/* The arguments of ID, to their end; false: malformed. */
bool imap_id_arguments(struct args *args, struct imap_client *client_r);
/* Says ID's untagged answer. */
void imap_id(struct channel *channel, bool logged_in);

/* --- for protocol_imap --- */

bool imap_prelogin(struct worker *worker);	   /* prelogin.c */
enum ipc_verdict imap_open(struct reader *reader); /* serve.c */
void imap_serve(struct reader *reader);		   /* serve.c */

#endif
