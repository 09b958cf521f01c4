/*
 * login.c: a client wants to log in: a reader for it; and how readers and workers end.
 * Runs as: root (master).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/account.h"
#include "server/clock.h"
#include "server/conf.h"
#include "server/ipc.h"
#include "server/log.h"
#include "server/master/limits.h"
#include "server/master/master_state.h"
#include "server/protocol.h"
#include "server/reader/reader.h"
#include "server/spawner/spawner.h"

/* No process will answer the worker: it notices that at once, since its socketpair ends. */
static void
give_up(struct master *m, struct connection *c, int64_t patience)
{
	events_close(m, &c->peer);
	connections_change(&m->connections, c, CONNECTION_LEAVING);
	c->kill_at = clock_in(patience);
}

static void
start_reader(struct master *m, struct connection *c)
{
	struct ipc_message message;
	int pair[2] = {-1, -1}, log, r = -1;

	if (m->readers != -1 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
		spawner_begin_child(&message, IPC_SPAWN_READER, c);
		ipc_put_u8(&message, policy_suspects(&m->policy, m->conf, clock_now()));
		ipc_put_u32(&message, (uint32_t)clock_left(c->deadline - CONNECTION_MARGIN));
		log = logs_channel(m, c, true);
		r = spawner_post(m, m->readers, &message, (const int[]){c->peer, pair[1], log},
		    log != -1 ? 3 : 2);
		close(pair[1]);
		if (log != -1)
			close(log);
	}
	c->ask = pair[0];
	if (r == -1) {
		admit_pause(m, "reader");
		give_up(m, c, MASTER_PATIENCE);
		return;
	}
	c->reader = m->readers;
	m->spawner[c->reader].children++;
	connections_change(&m->connections, c, CONNECTION_ASKING);
	events_watch_connection(m, c->ask, SOURCE_ASK, c);
}

void
login_on_peer(struct master *m, struct connection *c, uint32_t events)
{
	if (c->peer == -1)
		return;
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 || c->state != CONNECTION_STRANGER) {
		events_close(m, &c->peer);
		return;
	}
	events_unwatch(m, c->peer); /* only the reader reads it, until it has failed */
	start_reader(m, c);
}

/* Decides whether this user may have another session.  name comes from the reader, which is still root. */
static enum ipc_verdict
judge_user(struct master *m, struct connection *c, const char *name)
{
	struct tally *user = limits_get(m->users, name, strlen(name));
	int64_t now = clock_now(), delay = c->protocol->times(m->conf).login_delay;

	if (user == NULL)
		return IPC_UNAVAILABLE;
	if (user->connections >= m->conf->max_per_user)
		return IPC_TOO_MANY;
	if (delay > 0 && user->last_login != -1 && now - user->last_login < delay)
		return IPC_TOO_SOON;
	if (delay > 0)
		user->last_login = now;
	limits_enter(m->users, user);
	c->by_user = user;
	return IPC_ACCEPTED;
}

static void
answer_wait(const struct connection *c, int64_t ms)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_LOGIN_WAIT);
	ipc_put_u32(&message, ms > 0 ? (uint32_t)ms : 0);
	(void)ipc_send(c->ask, &message, -1);
}

/* The credentials were right. */
static void
answer_login(struct master *m, struct connection *c, const char *name)
{
	enum ipc_verdict verdict = judge_user(m, c, name);
	struct ipc_message message;

	policy_succeeded(&m->policy, c, name, clock_now());
	if (verdict == IPC_ACCEPTED)
		logs_user(m, c, name);
	ipc_begin(&message, IPC_LOGIN_RESULT);
	ipc_put_u8(&message, (uint8_t)verdict);
	(void)ipc_send(c->ask, &message, -1);
	if (verdict == IPC_ACCEPTED)
		connections_change(&m->connections, c, CONNECTION_USER);
}

void
login_on_question(struct master *m, struct connection *c)
{
	int64_t now = clock_now();
	char name[AUTH_NAME_MAX + 1];
	struct ipc_message message;
	unsigned type = 0;

	if (c->ask == -1)
		return;
	if (ipc_recv(c->ask, &message, 0, NULL) == 0) {
		type = ipc_open(&message);
		ipc_get_string(&message, name, sizeof(name));
		if (!ipc_done(&message) || c->state != CONNECTION_ASKING)
			type = 0;
	}
	if (type == IPC_LOGIN_TRY) {
		answer_wait(c, policy_wait(&m->policy, m->conf, c, name, now));
		return; /* a second question follows */
	}
	c->judged = c->judged || type == IPC_LOGIN_FAILED || type == IPC_LOGIN;
	if (type == IPC_LOGIN_FAILED)
		answer_wait(c, policy_failed(&m->policy, m->conf, c, name, now) - now);
	else if (type == IPC_LOGIN)
		answer_login(m, c, name);
	events_close(m, &c->ask);
}

/* Whether a child died of a fault, and not by our own signals. */
static bool
is_fault(uint32_t status)
{
	int signal = WTERMSIG((int)status);

	return status != SPAWN_FAILED && WIFSIGNALED((int)status) && signal != SIGKILL &&
	       signal != SIGTERM;
}

static void
log_death(const struct connection *c, const char *what, uint32_t status)
{
	char text[64];

	if (is_fault(status))
		snprintf(text, sizeof(text), "killed by signal %d%s", WTERMSIG((int)status),
		    WTERMSIG((int)status) == SIGSYS ? " (a forbidden system call)" : "");
	else if (status != SPAWN_FAILED && WIFEXITED((int)status) &&
		 WEXITSTATUS((int)status) == EXIT_FAILURE)
		snprintf(text, sizeof(text), "failed");
	else
		return;
	log_set_connection(c->id, c->address, c->port);
	log_event(LOG_ERROR, what, "died", "how", text);
	log_set_connection(0, "", 0);
}

/*
 * A reader ended.  If it has told the worker why there is no session, the worker may try again, but only
 * login_failures times: a hostile worker must not make master fork without end.
 */
static void
reader_ended(struct master *m, struct connection *c, uint32_t status)
{
	int result = status != SPAWN_FAILED && WIFEXITED((int)status) ? WEXITSTATUS((int)status)
								      : READER_MALFORMED;
	bool answered = result == READER_DENIED || result == READER_REFUSED;

	c->reader = -1;
	events_close(m, &c->ask);
	logs_forget_reader(c);
	if (c->by_user != NULL)
		limits_leave(m->users, c->by_user);
	c->by_user = NULL;
	if (c->state == CONNECTION_LEAVING) {
		/* A worker that waits for an answer must not wait any longer. */
		events_close(m, &c->peer);
		return;
	}
	c->tries++;
	if (!answered || c->peer == -1 || c->worker == -1 ||
	    c->tries >= (unsigned)m->conf->login_failures) {
		/* The worker delivers what is left, and then ends. */
		give_up(m, c,
		    result == READER_DONE ? c->protocol->times(m->conf).idle : MASTER_PATIENCE);
		return;
	}
	connections_change(&m->connections, c, CONNECTION_STRANGER);
	events_watch_connection(m, c->peer, SOURCE_PEER, c);
}

void
login_on_exit(struct master *m, struct connection *c, bool worker, uint32_t status)
{
	log_death(c, worker ? "worker" : "reader", status);
	if (is_fault(status))
		admit_on_death(m, c);
	if (status == SPAWN_FAILED) {
		errno = EAGAIN;
		admit_pause(m, "fork");
	}
	if (worker)
		c->worker = -1;
	else
		reader_ended(m, c, status);
	if (c->worker == -1 && c->reader == -1)
		admit_release(m, c);
}
