/*
 * worker.h: the outer door: a connection before its login, and the relay after it.
 */
#ifndef SERVER_WORKER_WORKER_H
#define SERVER_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/channel.h"
#include "server/ipc.h"
#include "server/protocol.h"
#include "server/worker/key_ask.h"
#include "tls/tls.h"

struct conf;

/* The connection of a new worker, from its spawner; the worker owns the descriptors. */
struct worker_start {
	const struct conf *conf;
	const struct protocol *protocol;
	bool tls;	  /* implicit TLS */
	bool loopback;	  /* the client is on this machine */
	int64_t deadline; /* the moment by which the client must log in */
	int client_fd;	  /* the connection */
	int reader_fd;	  /* logins are asked there; after one it is the reader's stream */
	int key_fd;	  /* a channel to the key process */
	struct tls_server *tls_server;
};

/* A connection's state before login; the protocols' prelogin dialogue works on it. */
struct worker {
	struct worker_start start;
	struct channel channel;
	struct tls_key_service keys;
	struct key_link link; /* for them */
	unsigned failures;    /* of logins */
	const char *reason;   /* why no login came, for the log; NULL: see the channel's end */
	bool confined;	      /* by lock_in; a fuzzer has many workers in one process */
	bool in_clear;	      /* a login without TLS was refused, and that was logged */
};

_Noreturn void worker_main(const struct worker_start *start);

/* --- for the protocols --- */

/* Whether the connection is safe enough for a password now. */
bool worker_may_login(const struct worker *worker);

/* The same, for a client that tries to log in: logs the first refusal of a connection. */
bool worker_login_begins(struct worker *worker);

/* Begins TLS with the next octet.  Returns false if that failed, and then the channel has ended. */
bool worker_start_tls(struct worker *worker);

/*
 * Asks for a login, and counts those that fail.  The caller answers the client, and ends the connection if
 * worker_exhausted then.
 */
enum ipc_verdict worker_login(struct worker *worker, const char *name, const char *password);
bool worker_exhausted(const struct worker *worker);

#endif
