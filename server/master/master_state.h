/*
 * master_state.h: what master's rooms share: its state, and what epoll watches.
 *
 *   master.c   the loop, signals, settings, time
 *   admit.c    a connection comes: limits, a worker
 *   login.c    somebody wants to log in: a reader; and how connections end
 *   renew.c    certificates and key processes come and go
 *   events.c    epoll, and whether to accept
 */
#ifndef SERVER_MASTER_MASTER_STATE_H
#define SERVER_MASTER_MASTER_STATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/master/connection.h"
#include "server/master/listen.h"
#include "server/roles.h"

struct conf;
struct certificates;
struct limits;

enum {
	/* Connections above max_connections that are only told that we are full. */
	MASTER_REFUSERS = 16,
	MASTER_TICK = 1000,	 /* ms between looks at deadlines */
	MASTER_LOOK = 30 * 1000, /* ms between looks at the certificate files */
	MASTER_PAUSE = 1000, /* ms without accept after it or fork failed for want of something */
	MASTER_PATIENCE = 2 * 1000, /* ms from SIGTERM to SIGKILL, and beyond the login deadline */
	MASTER_REFUSAL =
	    12 * 1000, /* ms for a connection that is only refused: a handshake and a line */
	MASTER_WARN = 24 * 60 * 60 * 1000, /* ms between warnings about certificates */
	MASTER_RETRY = 5 * 1000,      /* ms until the key process is tried again after a failure */
	MASTER_LOG_EVERY = 60 * 1000, /* ms between lines about one address's refusals */
	MASTER_EVENTS = 64,	      /* taken from epoll at a time */
	MASTER_ACCEPTS = 16, /* connections taken at a time, so that exits are seen between */
};

/* What an epoll event is about, in epoll's 64 bits: its kind, an index, and a connection's id. */
enum source { SOURCE_SIGNAL, SOURCE_LISTENER, SOURCE_CONTROL, SOURCE_PEER, SOURCE_ASK };
enum { TAG_INDEX_BITS = 24, TAG_SOURCE_SHIFT = 56 };

struct master {
	const char *path; /* of the configuration */
	bool to_stderr;	  /* whatever the configuration says */
	struct conf *conf;
	struct listeners listeners;
	struct certificates *serving, *coming;
	struct connections connections;
	struct limits *addresses, *users;
	struct roles roles;
	int epoll, signals;
	bool accepting, stopping;
	bool started;	   /* the first generation was ready */
	int64_t resume_at; /* when to accept again, or CLOCK_NEVER */
	int64_t look_at;   /* at the certificate files */
	int64_t warn_at;   /* of what clients do not like about the certificates */
	int64_t retry_at;  /* a generation, or CLOCK_NEVER */
	int64_t stop_at;   /* SIGKILL for all */
	sigset_t mask;
};

/* --- events.c --- */

/* Has epoll tell of fd: which source, and an index or a connection. */
void events_watch(struct master *m, int fd, enum source source, size_t index, uint32_t id);
void events_watch_connection(
    struct master *m, int fd, enum source source, const struct connection *c);
void events_unwatch(struct master *m, int fd);
/* Closes *fd, if it is open, and leaves -1. */
void events_close(struct master *m, int *fd);

/* Accepts or not: by what the state says, or for the moment. */
void admit_settle(struct master *m);
void admit_set(struct master *m, bool accepting);
/* Something (what; errno) ran out: no accept for MASTER_PAUSE. */
void admit_pause(struct master *m, const char *what);

/* --- admit.c --- */

/* A listener is readable: takes some connections, with a worker each. */
void admit_on_listener(struct master *m, size_t index);

/* --- login.c --- */

/* The worker wrote, or ended. */
void login_on_peer(struct master *m, struct connection *c, uint32_t events);
/* The reader asks IPC_LOGIN: its credentials were right. */
void login_on_question(struct master *m, struct connection *c);
/* A worker or reader ended. */
void login_on_exit(struct master *m, struct connection *c, pid_t pid, int status);
/* Both children are gone, or there never was one: frees the row. */
void admit_release(struct master *m, struct connection *c);

/* --- renew.c --- */

/* Begins a generation of certificates and keys, by the configuration. */
void renew_begin(struct master *m);
/* The next one's key process has something to say. */
void renew_on_control(struct master *m);
/* Takes the next one if it is ready; to be called after every event. */
void renew_settle(struct master *m);
/* A key process or self-test ended: whether it was one. */
bool renew_on_exit(struct master *m, pid_t pid, int status);
/* Looks whether a file has changed, or a failed one is to be tried again; and warns daily. */
void renew_tick(struct master *m, int64_t now);
/* At the end: lets the key process go. */
void renew_end(struct master *m);

#endif
