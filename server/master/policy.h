/*
 * policy.h: which connection goes when there are too many.  They are counted by address and by network.
 */
#ifndef SERVER_MASTER_POLICY_H
#define SERVER_MASTER_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/protocol.h"

struct conf;
struct connection;
struct connections;
struct limits;
struct tally;

struct policy {
	struct limits *addresses, *networks; /* their connections */
};

/* Where a connection comes from.  NULL: the table is full. */
struct origin {
	struct tally *address, *network;
};

int policy_init(struct policy *policy); /* 0, or -1: no memory */
void policy_clear(struct policy *policy);

/* --- connections --- */

struct origin policy_origin(struct policy *policy, const struct sockaddr_storage *address);

/*
 * Judges a connection that comes from origin and has no row yet.  *leaves_r: the connection that must make room for
 * it, or NULL.  At the limit before login that is the oldest of the address with the most, in the network with the
 * most; the only connection of a network goes last.  At the limit in all, such a connection makes room for one
 * whose network or address has fewer, and otherwise the new one is refused.
 */
enum refusal policy_judge(const struct conf *conf, const struct connections *connections,
    const struct origin *origin, struct connection **leaves_r);

/* Counts a connection for its origin, until policy_leave. */
void policy_enter(
    struct policy *policy, struct connection *connection, const struct origin *origin);
void policy_leave(struct policy *policy, struct connection *connection);

#endif
