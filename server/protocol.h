/*
 * protocol.h: what the processes need to know of a protocol.  Each protocol has a row in its own protocol.c.
 */
#ifndef SERVER_PROTOCOL_H
#define SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc.h"

struct conf;
struct worker;
struct reader;

/* Why the server turns a connection away, or ends it before login; each protocol has its own words. */
enum refusal {
	REFUSE_NOTHING,
	REFUSE_FULL,	/* connections in all */
	REFUSE_ADDRESS, /* connections of this address */
	REFUSE_EVICTED, /* it makes room for another before its login, or the server shuts down */
	REFUSALS,
};

/* In ms. */
struct protocol_times {
	int64_t idle;	     /* that a session may be silent */
	int64_t login_delay; /* between two logins of a user; 0: none */
};

struct protocol {
	const char *name; /* in the log; with "s" for implicit TLS */
	const char *alpn; /* RFC 7301 identifier */
	struct protocol_times (*times)(const struct conf *conf);

	/*
	 * worker: the dialogue from the greeting to the login or the end.  Returns true when the user is
	 * logged in, and false when the connection is over (worker->channel.end says why).
	 */
	bool (*prelogin)(struct worker *worker);
	/* One line, whole, that tells the client why there is no service. */
	const char *refusals[REFUSALS];

	/*
	 * reader, already confined as the mail user: open makes the mail ready and returns whether the
	 * session may begin; serve runs the session to its end.
	 */
	enum ipc_verdict (*open)(struct reader *reader);
	void (*serve)(struct reader *reader);
};

extern const struct protocol protocol_pop3, protocol_imap;

#endif
