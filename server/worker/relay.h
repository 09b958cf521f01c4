/*
 * relay.h: after login the worker only carries octets between the client's TLS and the reader.
 */
#ifndef SERVER_WORKER_RELAY_H
#define SERVER_WORKER_RELAY_H

#include "server/channel.h"

/*
 * Carries octets both ways until the reader ends (then what it wrote is delivered first) or the
 * client does (then the reader finds its stream closed).  Deadlines are the reader's: it closes an
 * idle session.  Memory is the channel's two buffers.
 */
void relay_run(struct channel *channel, int reader);

#endif
