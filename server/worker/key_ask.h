/*
 * key_ask.h: a worker's questions to the key process, over its own channel; see key.h.
 */
#ifndef SERVER_WORKER_KEY_ASK_H
#define SERVER_WORKER_KEY_ASK_H

#include "tls/tls.h"

/* The service that tls_stream_new wants; channel (borrowed) must outlive it. */
struct tls_key_service key_ask_service(const int *channel);

#endif
