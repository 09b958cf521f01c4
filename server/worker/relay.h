/*
 * relay.h: carries octets between the client's TLS stream and the reader, all that a worker does after login.
 */
#ifndef SERVER_WORKER_RELAY_H
#define SERVER_WORKER_RELAY_H

#include "server/channel.h"

/*
 * Carries octets both ways until the reader ends (all that it wrote is delivered first) or the client does (the
 * reader finds its stream closed).  The reader keeps the deadlines: it closes an idle session.  Memory is the
 * channel's two buffers.  Closes reader.
 */
void relay_run(struct channel *channel, int reader);

#endif
