/*
 * connection.h: master's table of connections: what it knows of each, but no octet of its data.
 */
#ifndef SERVER_MASTER_CONNECTION_H
#define SERVER_MASTER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

enum {
	/*
	 * Connections that make room for others, and may still tell their clients so.  Those beyond are killed at
	 * once.  So no flood fills the table with connections that are about to leave.
	 */
	CONNECTIONS_EVICTED_MAX = 64,
	/* All that make room and have not ended.  A machine that cannot end more of them takes no new connection. */
	CONNECTIONS_GOING_MAX = 2 * CONNECTIONS_EVICTED_MAX,
	/* ms before its deadline in which a login has been answered: at the deadline the worker ends. */
	CONNECTION_MARGIN = 1000,
};

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_STRANGER, /* a worker, no login yet */
	CONNECTION_ASKING,   /* a reader checks a login */
	CONNECTION_USER,     /* logged in */
	CONNECTION_LEAVING,  /* was asked to end, or is over */
};

struct connection {
	enum connection_state state; /* only connections_change writes it */
	uint32_t id;		     /* in the log */
	int worker, reader;	     /* the spawners that have these children, -1: none */
	int peer; /* master's end of the worker's socketpair until a login succeeds, or -1 */
	int ask;  /* to the reader, until it asked IPC_LOGIN, or -1 */
	int worker_log, reader_log; /* their channels to the log, see logs.c; or -1 */
	char *user;		    /* of the reader's lines, or NULL */
	const struct protocol *protocol;
	char address[48];
	unsigned port;
	int64_t deadline; /* to be logged in by */
	int64_t kill_at;  /* LEAVING: when patience ends */
	unsigned tries;	  /* logins that did not become sessions */
	size_t place;	  /* STRANGER, ASKING: in waiting[] */
	bool evicted;	  /* LEAVING: makes room for another */
	bool exempt;	  /* ASKING: did not have to wait, see policy_wait */
	bool has_signed;  /* its worker got a signature of the key process */
	bool judged;	  /* a login was right or wrong, and its reader has logged that */
	struct tally *by_address, *by_network, *by_user;
};

struct connections {
	size_t max, high, used; /* slots, those ever taken (the first ones), and those not free */
	size_t evicted;		/* of those used */
	struct connection *slot;
	struct connection **waiting; /* those before their login, in no order */
	size_t waiting_len;
};

/*
 * Makes room for max rows; memory is used as it is needed.  Children do not inherit the table, so that they
 * hold no addresses and users of others: in a child every row is an invalid address.  Returns 0 or -1.
 */
int connections_init(struct connections *connections, size_t max);

/* Changes the state of a row that is taken. */
void connections_change(
    struct connections *connections, struct connection *connection, enum connection_state state);

/* Returns a free row, zeroed except for descriptors and pids, which are -1; NULL if none is left. */
struct connection *connections_take(struct connections *connections);

/* Returns the connection with that id, or NULL. */
struct connection *connections_by_id(struct connections *connections, uint32_t id);

/* Gives a row back; its descriptors and tallies must be gone. */
void connections_release(struct connections *connections, struct connection *connection);

#endif
