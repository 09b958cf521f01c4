/*
 * key_ask.h: a worker asks the key process, over a channel of its own; see key.h.
 */
#ifndef SERVER_WORKER_KEY_ASK_H
#define SERVER_WORKER_KEY_ASK_H

#include "tls/tls.h"

/* The service that tls_stream_new needs.  channel is borrowed and must outlive it. */
struct tls_key_service key_ask_service(const int *channel);

#endif
