/*
 * command.h: a table of commands, as POP3 and IMAP have one before the login and one after it.
 *
 * A row says everything that a loop must know of a command before it runs: in which states a client may
 * give it, and whether it has arguments.  So a handler only does its work, and a new command is a new
 * row and a function.
 */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* Each protocol has its own, and its own of each for the time before the login. */
struct session;
struct args;

/* How a command ended.  The loop makes an answer of it. */
enum command_result {
	COMMAND_OK,
	COMMAND_NO,
	COMMAND_BAD,
	COMMAND_ANSWERED,  /* the handler has said everything, or the client is gone */
	COMMAND_LOGGED_IN, /* answered; the worker's part is over */
	COMMAND_END,	   /* answered; so is the connection */
};

typedef enum command_result command_run(struct session *session, struct args *args);

enum command_arguments {
	COMMAND_ALONE,	   /* none */
	COMMAND_OPTIONAL,  /* some or none */
	COMMAND_ARGUMENTS, /* some */
};

struct command {
	const char *name; /* in capitals; NULL: the last row, for all other names */
	unsigned states;  /* bits: where the command is allowed; the protocol's */
	unsigned flags;	  /* bits: what it does to the session; the protocol's */
	enum command_arguments arguments;
	command_run *run;
};

/* The row for a name of len octets, in any case; the table's last row if there is no such command. */
const struct command *command_find(const struct command *table, const char *name, size_t len);

/* Whether the command may have arguments, or have none. */
bool command_fits(const struct command *command, bool arguments);

#endif
