/*
 * reader.h: the inner door: one login, and the session after it.
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
struct service_users;

/* The login of a new reader, from its spawner; the reader owns the descriptors. */
struct reader_start {
	const struct conf *conf;
	const struct service_users
	    *users; /* worker_user: who need not be root any more becomes it */
	const struct protocol *protocol;
	int worker_fd; /* the login comes over it; after that it is the session's stream */
	int master_fd; /* for questions about the login: see IPC_LOGIN */
	bool suspect; /* ask master before the check, with IPC_LOGIN_TRY, how long that must wait */
	int64_t answer_by; /* the moment by which a login must be answered */
};

/* How a reader without a session ends, for master. */
enum reader_exit {
	READER_DONE = 0,
	READER_DENIED = 10,    /* wrong name or password: counts against the address */
	READER_REFUSED = 11,   /* right, but no session: in use, limits, unreadable mail */
	READER_MALFORMED = 12, /* the worker sent nonsense, or nothing */
};

/* A session, as the protocols see it. */
struct reader {
	struct reader_start start;
	struct auth_account account;
	char maildir_path[PATH_MAX];
	struct maildir *maildir;
	struct channel channel;
	void *session;		/* the protocol's own state */
	unsigned long messages; /* sent whole, for the log */
	unsigned long removed;
	struct trouble trouble; /* failures that were logged */
	const char *reason;	/* why it ended, for the log; NULL: the channel's end says it */
};

_Noreturn void reader_main(const struct reader_start *start);

/* From now on reading messages stops when the client has gone: see maildir_on_stop and channel_gone. */
void reader_stops_when_gone(struct reader *reader);

/*
 * The path that the setting maildir gives an account: a leading ~ is its home, %u its name, %n and %d the parts of
 * that before and after the @.  -1: it is too long for size octets, or another % is in it.
 */
int reader_maildir_path(
    const char *setting, const struct auth_account *account, char *out_r, size_t size);

#endif
