/*
 * protocol.h: what the processes need to know of a protocol.  One row each in protocol.c.
 */
#ifndef SERVER_PROTOCOL_H
#define SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc.h"

struct conf;
struct worker;
struct reader;

/* Why a connection is turned away, or ends from our side before login; each protocol has words. */
enum refusal {
	REFUSE_NOTHING,
	REFUSE_FULL,	/* connections in all */
	REFUSE_ADDRESS, /* connections of this address */
	REFUSE_EVICTED, /* the oldest not logged in makes room */
	REFUSE_SHUTDOWN,
};

/* How long, in ms. */
struct protocol_times {
	int64_t idle;	     /* a session may be silent */
	int64_t login_delay; /* between two logins of a user; 0: none */
};

struct protocol {
	const char *name; /* in the log; with "s" for implicit TLS */
	const char *alpn; /* RFC 7301 identifier */
	struct protocol_times (*times)(const struct conf *conf);

	/*
	 * worker: the dialogue from the greeting to the login or the end.  Returns when the user is
	 * logged in (true: relay) or the connection is over (false: worker->end says why).
	 */
	bool (*prelogin)(struct worker *worker);
	/* worker: one line that says why there is no service. */
	void (*refuse)(struct worker *worker, enum refusal why);

	/*
	 * reader, already confined as the mail user: makes the mail ready and says whether the
	 * session may begin; then serve runs it to its end.
	 */
	enum ipc_verdict (*open)(struct reader *reader);
	void (*serve)(struct reader *reader);
};

extern const struct protocol protocol_pop3, protocol_imap;

/* By name, or NULL. */
const struct protocol *protocol_find(const char *name);

#endif
