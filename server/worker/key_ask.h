/*
 * key_ask.h: a worker asks the key process, over a channel of its own; see key.h.
 */
#ifndef SERVER_WORKER_KEY_ASK_H
#define SERVER_WORKER_KEY_ASK_H

#include "tls/tls.h"

/* A worker's channel to the key process, and its client: if that goes, nobody needs an answer any more.  -1: none. */
struct key_link {
	int channel, client;
};

/* The service that tls_stream_new needs.  link is borrowed and must outlive it. */
struct tls_key_service key_ask_service(const struct key_link *link);

#endif
