/*
 * session.h: the halves of POP3 as struct protocol wants them; see protocol.h.
 */
#ifndef SERVER_POP3_SESSION_H
#define SERVER_POP3_SESSION_H

#include "server/protocol.h"

/* prelogin.c: in the worker. */
bool pop3_prelogin(struct worker *worker);
void pop3_refuse(struct worker *worker, enum refusal why);

/* commands.c: in the reader. */
enum ipc_verdict pop3_open(struct reader *reader);
void pop3_serve(struct reader *reader);

#endif
