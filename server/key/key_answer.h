/*
 * key_answer.h: answers one question of a worker.  It is apart from the process around it, so that it can be
 * fuzzed and tested.
 */
#ifndef SERVER_KEY_KEY_ANSWER_H
#define SERVER_KEY_KEY_ANSWER_H

#include <stdint.h>

#include "server/ipc.h"
#include "tls/tls.h"

/* The requests that are left to a channel; it starts with KEY_QUOTA. */
struct key_quota {
	uint8_t signatures, seals, opens;
	uint64_t network;    /* the client's, as master knows it: tickets are bound to it */
	uint32_t connection; /* its id, or 0: master does not want to know of its signatures */
};
#define KEY_QUOTA                                                                                  \
	{                                                                                          \
		TLS_SIGNATURES, TLS_SEALS, TLS_OPENS, 0, 0                                         \
	}

/*
 * Turns a question into its answer, in place.  now: monotonic seconds.  Returns NULL, or what is wrong with the question,
 * as a constant for the log: no worker of ours asks that, so close the channel.
 */
const char *key_answer(struct tls_keys *keys, struct tls_tickets *tickets, int64_t now,
    struct key_quota *quota, struct ipc_message *message);

#endif
