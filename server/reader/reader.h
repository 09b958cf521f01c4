/*
 * reader.h: the inner door: one login, and the session of the user who got in.
 */
#ifndef SERVER_READER_READER_H
#define SERVER_READER_READER_H

#include <limits.h>
#include <stdint.h>

#include "auth/account.h"
#include "server/channel.h"
#include "server/protocol.h"
#include "server/reader/trouble.h"

struct conf;
struct maildir;

/* What master tells a new reader; descriptors become the reader's. */
struct reader_start {
	const struct conf *conf;
	const struct protocol *protocol;
	int worker_fd;	   /* the login comes over it, and the session's stream after it */
	int master_fd;	   /* one question: may this user have another session */
	int64_t answer_at; /* a failure is answered no earlier */
};

/* How a reader without a session ends, for master. */
enum reader_exit {
	READER_DONE = 0,
	READER_DENIED = 10,    /* wrong name or password: counts against the address */
	READER_REFUSED = 11,   /* right, but no session: in use, limits, mail not readable */
	READER_MALFORMED = 12, /* the worker wrote nonsense, or nothing */
};

/* A session; the protocols work on it. */
struct reader {
	struct reader_start start;
	struct auth_account account;
	char maildir_path[PATH_MAX];
	struct maildir *maildir;
	struct channel channel;
	void *session;		/* the protocol's own state */
	unsigned long messages; /* sent whole, for the log */
	unsigned long removed;
	struct trouble trouble; /* that was logged */
	const char *reason;	/* why it ended, for the log; NULL: the channel's */
};

_Noreturn void reader_main(const struct reader_start *start);

/* Reading messages is given up when the client has gone: see maildir_on_stop and channel_gone. */
void reader_stops_when_gone(struct reader *reader);

/* An error for the log; one that a setting of ours has caused is told with its name. */
const char *reader_error(int error);

/* maildir (setting) for an account: ~ is its home, %u its name, %n and %d name and domain.  -1: too
 * long, or a % that means nothing. */
int reader_maildir_path(
    const char *setting, const struct auth_account *account, char *out_r, size_t size);

#endif
