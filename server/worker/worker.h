/*
 * worker.h: the outer door: one connection before login, and its relay afterwards.
 */
#ifndef SERVER_WORKER_WORKER_H
#define SERVER_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/channel.h"
#include "server/ipc.h"
#include "server/protocol.h"
#include "tls/tls.h"

struct conf;

/* What master tells a new worker about its connection; descriptors become the worker's. */
struct worker_start {
	const struct conf *conf;
	const struct protocol *protocol;
	bool tls;	      /* implicit TLS */
	bool loopback;	      /* the client is on this machine */
	enum refusal refusal; /* say only this */
	int64_t deadline;     /* to log in by */
	int client_fd;	      /* the connection */
	int reader_fd;	      /* where logins are asked, and the reader's stream after one */
	int key_fd;	      /* a channel to the key process */
	uid_t uid;
	gid_t gid;
	struct tls_server *tls_server;
};

/* A connection's state before login; the protocols' prelogin dialogue works on it. */
struct worker {
	struct worker_start start;
	struct channel channel;
	struct tls_key_service keys;
	unsigned failures;  /* of logins */
	const char *reason; /* why it ended without login, for the log; NULL: the channel's */
	bool in_clear;	    /* a login without TLS was refused, and logged */
};

_Noreturn void worker_main(const struct worker_start *start);

/* --- for the protocols --- */

/* Whether a password may be taken on this connection now. */
bool worker_may_login(const struct worker *worker);

/* The same for a client that tries to log in: the first refusal of a connection is logged. */
bool worker_login_begins(struct worker *worker);

/* TLS from the next octet on.  false: it failed, the channel has ended. */
bool worker_start_tls(struct worker *worker);

/*
 * Asks for a login.  After IPC_DENIED it counts; the caller says so and ends the connection when
 * worker_exhausted.
 */
enum ipc_verdict worker_login(struct worker *worker, const char *name, const char *password);
bool worker_exhausted(const struct worker *worker);

#endif
