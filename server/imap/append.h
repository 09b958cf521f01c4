/*
 * append.h: APPEND's messages, which go from the client to the disk as they come.
 *
 * Other commands are collected whole before they run.  At each literal that a client announces append_wants says
 * whether it is a message, and append_literal takes it.
 */
#ifndef SERVER_IMAP_APPEND_H
#define SERVER_IMAP_APPEND_H

#include <stdbool.h>

#include "server/imap/input.h"
#include "server/imap/session.h"

/* Whether the announced literal is a message of an APPEND. */
bool append_wants(struct session *session);

/*
 * Takes the message, or refuses it: then *result_r is the answer.  Returns the event with which the loop goes on: MORE,
 * or REFUSED when the command is over.
 */
enum imap_input_event append_literal(struct session *session, enum command_result *result_r);

/* Forgets an APPEND that did not come to its end; no message of it stays. */
void append_abandon(void);

#endif
