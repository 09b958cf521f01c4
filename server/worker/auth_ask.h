/*
 * auth_ask.h: a worker asks for a login.  The other end is auth_answer.h.
 */
#ifndef SERVER_WORKER_AUTH_ASK_H
#define SERVER_WORKER_AUTH_ASK_H

#include <stddef.h>

#include "server/channel.h"
#include "server/ipc.h"

/*
 * Sends name and password, with what is known of TLS, and waits for the verdict.  The worker's deadline does not
 * run meanwhile (master's does).  Returns IPC_UNAVAILABLE if no answer comes.  If the client has gone, or SIGTERM has
 * come, the channel has ended then.  The caller wipes its password.
 */
enum ipc_verdict auth_ask_password(
    int reader, struct channel *channel, const char *name, const char *password);

/*
 * Hands the client's socket over to the reader, with the input that came after the login; after IPC_ACCEPTED on a
 * connection without TLS.  Returns 0 or -1.
 */
int auth_ask_hand_over(int reader, const struct channel *channel);

#endif
