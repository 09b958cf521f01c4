/*
 * master_state.h: master's state, and what its files call of each other.
 *
 *   master.c        the loop, signals, settings, time
 *   admit.c         a connection comes: limits, a worker; whether to accept at all
 *   policy.c        admission, eviction, and the delays of failed logins
 *   login.c         a client wants to log in: a reader; and how workers and readers end
 *   spawners.c      the processes that fork workers and readers
 *   logs.c          the log process, and the channels of all others to it
 *   certificates.c  certificates, key processes and outer spawners come and go
 *   users.c         wrong lines of the users file, into the log
 *   events.c        what epoll watches
 */
#ifndef SERVER_MASTER_MASTER_STATE_H
#define SERVER_MASTER_MASTER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/ipc.h"
#include "server/master/connection.h"
#include "server/master/listen.h"
#include "server/master/policy.h"
#include "server/privdrop.h"

struct conf;
struct limits;
struct ipc_message;

enum {
	MASTER_TICK = 1000,	 /* ms between looks at deadlines */
	MASTER_LOOK = 30 * 1000, /* ms between looks at the certificates and the users file */
	MASTER_PAUSE = 1000, /* ms without accept after it or fork failed for want of something */
	MASTER_STUCK =
	    5 * 1000, /* ms for a process to take its messages, before another is started */
	MASTER_LOADING = 30 * 1000, /* ms for new certificates to be loaded and tested */
	MASTER_PATIENCE = 2 * 1000, /* ms from SIGTERM to SIGKILL, and beyond the login deadline */
	/* Processes that may die of a fault without more than a line, until a minute is quiet.  Each further death is perhaps
	 * a guess of somebody at a canary: the pause without accept doubles up to the last. */
	MASTER_DEATHS = 5,
	MASTER_DEATHS_QUIET = 60 * 1000, /* ms */
	MASTER_DEATH_PAUSE = 250,	 /* ms */
	MASTER_DEATH_PAUSE_MAX = 8 * 1000,
	MASTER_WARN = 24 * 60 * 60 * 1000, /* ms between warnings about certificates */
	MASTER_RETRY = 5 * 1000,	   /* ms until certificates that failed are loaded again */
	MASTER_LOG_EVERY = 60 * 1000,	   /* ms between lines about one address's refusals */
	MASTER_REFUSALS = 20,		   /* such lines in that time about all addresses */
	/* ms that the log process has at the end to write what is left; LOGGER_FAREWELL is part of it */
	LOGS_PATIENCE = 3 * 1000,
	LOGS_STANDING =
	    2 * 64 + 4,	     /* places for processes of no connection that have a log channel */
	MASTER_EVENTS = 64,  /* taken from epoll at a time */
	MASTER_ACCEPTS = 16, /* connections taken at a time, so that exits are seen between */
};

/* The subject of an epoll event, in epoll's 64 bits: its kind, an index, and a connection's id. */
enum event_source {
	SOURCE_SIGNAL,
	SOURCE_LISTENER,
	SOURCE_CONTROL,
	SOURCE_SPAWNER,
	SOURCE_PEER,
	SOURCE_ASK,
};
enum { EVENT_INDEX_BITS = 24, EVENT_SOURCE_SHIFT = 56 };

enum certificates_state {
	CERTIFICATES_LOADING, /* the processes read their files */
	CERTIFICATES_TESTING,
	CERTIFICATES_READY,
	CERTIFICATES_FAILED, /* the reason is logged */
};

/* All certificates of the configuration, and the process that holds their keys. */
struct certificates {
	enum certificates_state state;
	int control; /* to the key process, or -1: it has ended */
	pid_t key;   /* -1: it has ended */
	int64_t begun_at;
	int64_t stuck_at; /* the key process has not taken a channel since; or CLOCK_NEVER */
	int workers;	  /* the outer spawner, or -1 */
	/* A wrong chain is wrong for both processes; so the key process's word waits for the spawner's. */
	bool key_said, workers_ready;
	char key_wrong[512];  /* "": the key process has its keys */
	uint64_t fingerprint; /* of the files before they were read: see files.h */
};

enum spawner_kind { SPAWNER_OUTER, SPAWNER_INNER };

/* Places: for the two spawners in use, for those that are starting, and for old ones that still have sessions. */
enum {
	SPAWNERS_MAX = 64,
	SPAWNERS_SPARE = 6, /* free places below which the oldest of those must end */
};

struct spawner {
	enum spawner_kind kind;
	pid_t pid;    /* 0: the place is free */
	int control;  /* or -1: it is about to end */
	bool leaving; /* gets no new child, and ends after the last */
	bool ending;  /* leaving, and its children were asked to end */
	int64_t begun_at;
	size_t children;  /* of connections */
	int64_t stuck_at; /* it has not taken a message since; or CLOCK_NEVER */
	int signal;	  /* that all children get as soon as it takes the message; 0: none */
};

/* The channel of a standing process to the log.  Master keeps the log process's end, for a log process that is started
 * later. */
struct logs_standing {
	pid_t pid; /* 0: the place is free */
	int log;
	const char *role;
};

/* Lines of one kind that strangers can cause: so many a minute; the others are counted. */
struct log_limit {
	const char *event;    /* of the line that counts */
	int64_t until;	      /* when the count begins again, or CLOCK_NEVER */
	unsigned lines, more; /* logged, and left out */
};

struct master {
	const char *path; /* of the configuration */
	bool to_stderr;	  /* whatever the configuration says */
	struct conf *conf;
	struct listeners listeners;
	struct certificates *serving, *coming; /* in use; loading or in its self-test */
	struct spawner spawner[SPAWNERS_MAX];
	pid_t log;	 /* the log process, or -1 */
	int log_control; /* to it, or -1 */
	int64_t logs_at; /* when it was started; while there is none: when to start another */
	struct logs_standing standing[LOGS_STANDING];
	int readers;	    /* the inner spawner, or -1 */
	int64_t readers_at; /* when to start another */
	struct connections connections;
	struct policy policy;
	struct limits *users; /* their sessions */
	struct log_limit refusals, signatures;
	struct service_users service_users;
	int epoll, signals;
	bool accepting, stopping;
	bool started;	   /* the first certificates were ready */
	int64_t resume_at; /* when to accept again, or CLOCK_NEVER */
	int64_t
	    hold_until;	  /* no accept before, unless the new configuration's processes are there */
	int64_t died_at;  /* when a child last died of a fault */
	unsigned deaths;  /* of faults, since a minute was quiet */
	int64_t look_at;  /* at the certificate files */
	int64_t warn_at;  /* about certificates that clients refuse, or will refuse soon */
	int64_t retry_at; /* when to load certificates again, or CLOCK_NEVER */
	int64_t stop_at;  /* SIGKILL for all */
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
/* Logs how many lines were left out, and begins a new count, if it is time. */
void admit_count_lines(struct log_limit *limit, int64_t now);
/* Both children are gone, or there never was one: frees the row. */
void admit_release(struct master *m, struct connection *c);
/* Starts or stops accepting, as the state says; or as accepting says, for the moment. */
void admit_settle(struct master *m);
void admit_set(struct master *m, bool accepting);
/* A child of this connection died of a fault: a penalty for its network, and perhaps a pause for all. */
void admit_on_death(struct master *m, const struct connection *c);
/* Something (what; errno) ran out: no accept for MASTER_PAUSE. */
void admit_pause(struct master *m, const char *what);

/* --- login.c --- */

/* The worker wrote, or ended. */
void login_on_peer(struct master *m, struct connection *c, uint32_t events);
/* The reader sent IPC_LOGIN: its credentials were right. */
void login_on_question(struct master *m, struct connection *c);
/* The worker, or else the reader, ended; status is as of wait(2), or SPAWN_FAILED. */
void login_on_exit(struct master *m, struct connection *c, bool worker, uint32_t status);

/* --- spawners.c --- */

/* Starts a process in a role, with the configuration.  Returns its pid, or -1. */
pid_t spawners_exec(struct master *m, const char *role, int *control_r);
/* Starts a spawner.  Returns its index, or -1. */
int spawner_start(struct master *m, enum spawner_kind kind);
/* Sends a message without waiting.  -1: it did not take it. */
int spawner_post(
    struct master *m, int index, const struct ipc_message *message, const int fds[], size_t n);
/* Begins a message that asks for a child of a connection. */
void spawner_begin_child(
    struct ipc_message *message, enum ipc_type type, const struct connection *c);
/* A child that was counted in children is gone. */
void spawner_forget_child(struct master *m, int index);
/* Lets a spawner end after its last child, and leaves -1. */
void spawner_retire(struct master *m, int *index);
/* Has every spawner signal all its children: one message, since a socket does not hold one for each of a thousand. */
void spawners_signal_all(struct master *m, int signal);
/* Signals both children of a connection. */
void connection_signal(struct master *m, const struct connection *c, int signal);
/* Asks both children to end, and expects that in patience ms. */
void connection_leave(struct master *m, struct connection *c, int64_t patience);
/* The same, after the children were asked. */
void connection_expect_end(struct master *m, struct connection *c, int64_t patience);
/* A spawner has written, or ended. */
void spawners_on_message(struct master *m, size_t index);
/* A child of master ended: returns whether it was a spawner. */
bool spawners_on_exit(struct master *m, pid_t pid);
/* Replaces a spawner that takes no messages, and starts a missing one. */
void spawners_tick(struct master *m, int64_t now);
void spawners_end(struct master *m);

/* --- logs.c --- */

/* Starts the log process; from then on this process's lines go there. */
void logs_start(struct master *m);
/* Tells it where lines go, as the configuration says. */
void logs_target(struct master *m);
/* Returns the log channel of a new child of that connection, its reader or its worker; -1: the child has none. */
int logs_channel(struct master *m, struct connection *c, bool reader);
/* The reader of the connection has ended; both of its children have. */
void logs_forget_reader(struct connection *c);
void logs_forget(struct connection *c);
/* The same for a process of no connection.  *place_r: set its pid after it has been started, if not NULL. */
int logs_standing_channel(struct master *m, const char *role, struct logs_standing **place_r);
/* From now on the log process puts this user into the lines of the connection's reader. */
void logs_user(struct master *m, struct connection *c, const char *user);
/* A child of master ended: returns whether it was the log process. */
bool logs_on_exit(struct master *m, pid_t pid);
/* Starts a missing log process, and tells it of lines that were lost. */
void logs_tick(struct master *m, int64_t now);
/* At the end: lets the log process write what is left, for a while. */
void logs_end(struct master *m);

/* --- certificates.c --- */

/* Starts to load the certificates and keys of the configuration. */
void certificates_begin(struct master *m);
/* Key processes have sent messages on control, or ended. */
void certificates_on_control(struct master *m);
/* An outer spawner has loaded the certificates, or says what is wrong. */
void certificates_on_ready(struct master *m, int spawner, const char *wrong);
/* Its self-test ended. */
void certificates_on_test(struct master *m, int spawner, uint32_t status);
/* A child of master ended: returns whether it was a key process in use. */
bool certificates_on_exit(struct master *m, pid_t pid);
/* A spawner ended: returns whether it was of certificates in use, and then that is logged. */
bool certificates_on_spawner_exit(struct master *m, int spawner);
/* Puts certificates that are ready in use, and gives up those that failed.  Call it after every event. */
void certificates_settle(struct master *m);
/* Loads changed files, retries after a failure, and warns daily. */
void certificates_tick(struct master *m, int64_t now);
/*
 * Returns a channel to the key process for that many signatures of a client in that network, or -1.  connection: the id
 * of the one whose signatures are noted, or 0.
 */
int certificates_channel(
    struct certificates *certificates, unsigned signatures, uint64_t network, uint32_t connection);
/* At the end: lets the key process go. */
void certificates_end(struct master *m);

/* --- users.c --- */

/* Has a process look at a users file that has changed since the last look, or was not looked at yet. */
void users_tick(struct master *m, int64_t now);

#endif
