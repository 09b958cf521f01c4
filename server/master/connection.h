/*
 * connection.h: master's table of connections: what it knows of each, but no octet of its data.
 */
#ifndef SERVER_MASTER_CONNECTION_H
#define SERVER_MASTER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_STRANGER, /* a worker, no login yet */
	CONNECTION_ASKING,   /* a reader checks a login */
	CONNECTION_USER,     /* logged in */
	CONNECTION_LEAVING,  /* was asked to end, or is over */
};

struct connection {
	enum connection_state state;
	uint32_t id;	    /* in the log */
	int worker, reader; /* the spawners that have these children, -1: none */
	int peer; /* master's end of the worker's socketpair until a login succeeds, or -1 */
	int ask;  /* to the reader, until it asked IPC_LOGIN, or -1 */
	const struct protocol *protocol;
	char address[48];
	unsigned port;
	int64_t deadline; /* to be logged in by */
	int64_t kill_at;  /* LEAVING: when patience ends */
	int64_t tried_at;
	unsigned tries; /* logins that did not become sessions */
	struct tally *by_address, *by_user;
};

struct connections {
	size_t max, high, used; /* slots, those ever taken (the first ones), and those not free */
	struct connection *slot;
};

/*
 * Makes room for max rows; memory is used as it is needed.  Children do not inherit the table, so that they
 * hold no addresses and users of others: in a child every row is an invalid address.  Returns 0 or -1.
 */
int connections_init(struct connections *connections, size_t max);

/* Returns a free row, zeroed except for descriptors and pids, which are -1; NULL if none is left. */
struct connection *connections_take(struct connections *connections);

/* Returns the connection with that id, or NULL. */
struct connection *connections_by_id(struct connections *connections, uint32_t id);

/* Returns how many are not logged in; *oldest_r is the CONNECTION_STRANGER that came first, or NULL. */
size_t connections_before_login(struct connections *connections, struct connection **oldest_r);

#endif
