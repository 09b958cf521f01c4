/*
 * master_state.h: master's state, and what its files call of each other.
 *
 *   master.c        the loop, signals, settings, time
 *   admit.c         a connection comes: limits, a worker; whether to accept at all
 *   login.c         a client wants to log in: a reader; and how workers and readers end
 *   certificates.c  certificates and key processes come and go
 *   users.c         wrong lines of the users file, into the log
 *   events.c        what epoll watches
 */
#ifndef SERVER_MASTER_MASTER_STATE_H
#define SERVER_MASTER_MASTER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/master/connection.h"
#include "server/master/listen.h"
#include "server/privdrop.h"

struct conf;
struct limits;
struct tls_server;

enum {
	/* Connections above max_connections that get only the answer that the server is full. */
	MASTER_REFUSERS = 16,
	MASTER_TICK = 1000,	 /* ms between looks at deadlines */
	MASTER_LOOK = 30 * 1000, /* ms between looks at the certificates and the users file */
	MASTER_PAUSE = 1000, /* ms without accept after it or fork failed for want of something */
	MASTER_PATIENCE = 2 * 1000, /* ms from SIGTERM to SIGKILL, and beyond the login deadline */
	/* ms for a connection that is only refused: a handshake and a line */
	MASTER_REFUSAL = 12 * 1000,
	MASTER_WARN = 24 * 60 * 60 * 1000, /* ms between warnings about certificates */
	MASTER_RETRY = 5 * 1000,	   /* ms until certificates that failed are loaded again */
	MASTER_LOG_EVERY = 60 * 1000,	   /* ms between lines about one address's refusals */
	MASTER_EVENTS = 64,		   /* taken from epoll at a time */
	MASTER_ACCEPTS = 16, /* connections taken at a time, so that exits are seen between */
};

/* The subject of an epoll event, in epoll's 64 bits: its kind, an index, and a connection's id. */
enum event_source { SOURCE_SIGNAL, SOURCE_LISTENER, SOURCE_CONTROL, SOURCE_PEER, SOURCE_ASK };
enum { EVENT_INDEX_BITS = 24, EVENT_SOURCE_SHIFT = 56 };

enum certificates_state {
	CERTIFICATES_LOADING, /* the key process reads the keys */
	CERTIFICATES_TESTING,
	CERTIFICATES_READY,
	CERTIFICATES_FAILED, /* the reason is logged */
};

/* All certificates of the configuration, and the process that holds their keys. */
struct certificates {
	enum certificates_state state;
	struct tls_server *tls;
	int control;	      /* to the key process; readable once: IPC_KEY_READY */
	pid_t key, test;      /* the key process and the self-test, or -1 */
	uint64_t fingerprint; /* of the files before they were read: see files.h */
};

struct master {
	const char *path; /* of the configuration */
	bool to_stderr;	  /* whatever the configuration says */
	struct conf *conf;
	struct listeners listeners;
	struct certificates *serving, *coming; /* in use; loading or in its self-test */
	struct connections connections;
	struct limits *addresses, *users;
	struct service_users service_users;
	int epoll, signals;
	bool accepting, stopping;
	bool started;	       /* the first certificates were ready */
	int64_t resume_at;     /* when to accept again, or CLOCK_NEVER */
	int64_t look_at;       /* at the certificate files */
	int64_t warn_at;       /* about certificates that clients refuse, or will refuse soon */
	int64_t retry_at;      /* when to load certificates again, or CLOCK_NEVER */
	int64_t stop_at;       /* SIGKILL for all */
	int64_t users_look_at; /* at the users file */
	uint64_t users_print;  /* of the file that was read last, see files.h; 0: none */
};

/* --- events.c --- */

/* epoll reports when fd is readable, with the source, and an index or a connection. */
void events_watch(struct master *m, int fd, enum event_source source, size_t index, uint32_t id);
void events_watch_connection(
    struct master *m, int fd, enum event_source source, const struct connection *c);
void events_unwatch(struct master *m, int fd);
/* Closes *fd if it is open, and leaves -1. */
void events_close(struct master *m, int *fd);

/* --- admit.c --- */

/* A listener is readable: takes some connections, with a worker each. */
void admit_on_listener(struct master *m, size_t index);
/* Both children are gone, or there never was one: frees the row. */
void admit_release(struct master *m, struct connection *c);
/* Starts or stops accepting, as the state says; or as accepting says, for the moment. */
void admit_settle(struct master *m);
void admit_set(struct master *m, bool accepting);
/* Something (what; errno) ran out: no accept for MASTER_PAUSE. */
void admit_pause(struct master *m, const char *what);

/* --- login.c --- */

/* The worker wrote, or ended. */
void login_on_peer(struct master *m, struct connection *c, uint32_t events);
/* The reader sent IPC_LOGIN: its credentials were right. */
void login_on_question(struct master *m, struct connection *c);
/* A worker or reader ended. */
void login_on_exit(struct master *m, struct connection *c, pid_t pid, int status);

/* --- certificates.c --- */

/* Starts to load the certificates and keys of the configuration. */
void certificates_begin(struct master *m);
/* The key process has sent its only message on control, or ended. */
void certificates_on_control(struct master *m);
/* A child ended: returns whether it was a key process or self-test. */
bool certificates_on_exit(struct master *m, pid_t pid, int status);
/* Puts certificates that are ready in use, and gives up those that failed.  Call it after every event. */
void certificates_settle(struct master *m);
/* Loads changed files, retries after a failure, and warns daily. */
void certificates_tick(struct master *m, int64_t now);
/* Returns a channel to the key process for a new worker, or -1. */
int certificates_channel(const struct certificates *certificates);
/* At the end: lets the key process go. */
void certificates_end(struct master *m);

/* --- users.c --- */

/* Has a child look at a users file that has changed since the last look, or was not looked at yet. */
void users_tick(struct master *m, int64_t now);

#endif
