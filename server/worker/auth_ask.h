/*
 * auth_ask.h: a worker asks for a login; the other end is auth_answer.h.
 */
#ifndef SERVER_WORKER_AUTH_ASK_H
#define SERVER_WORKER_AUTH_ASK_H

#include <stddef.h>

#include "server/channel.h"
#include "server/ipc.h"

/*
 * Sends name and password, with what is known of TLS, and waits for the verdict; the worker's
 * deadline does not run meanwhile (master's does).  IPC_UNAVAILABLE when nobody answers, and when the client goes, with
 * which the channel ends.  The caller wipes its password.
 */
enum ipc_verdict auth_ask_password(
    int reader, struct channel *channel, const char *name, const char *password);

/*
 * After IPC_ACCEPTED on a connection without TLS: hands the client's socket over with the input that
 * came behind the login and was not used.  0 or -1.
 */
int auth_ask_take_socket(int reader, const struct channel *channel);

#endif
