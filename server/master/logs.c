/*
 * logs.c: master's end of the log process: starts it, names channels to it, and starts another if it dies.
 * Runs as: root (master).
 *
 * Nothing here waits but the end.  The log process may be stopped, or wait for a reader of standard error: then lines are
 * counted, and a process may begin without a channel.  Master keeps the log process's end of each channel, and gives it to
 * a log process that is started later, with the lines that wait there.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/ipc.h"
#include "server/log.h"
#include "server/master/master_state.h"

/* Octets of messages that may wait for the log process; the kernel may allow less. */
enum { LOGS_ROOM = 1 << 20 };

/* Tells the log process whose the lines of that channel are. */
static int
name_channel(const struct master *m, int fd, uint32_t id, const char *role, const char *address,
    unsigned port)
{
	struct ipc_message message;

	if (m->log_control == -1)
		return -1;
	ipc_begin(&message, IPC_LOG_CHANNEL);
	ipc_put_u32(&message, id);
	ipc_put_string(&message, role);
	ipc_put_string(&message, address);
	ipc_put_u16(&message, (uint16_t)port);
	return ipc_post(m->log_control, &message, &fd, 1);
}

static void
name_user(const struct master *m, uint32_t id, const char *user)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_LOG_USER);
	ipc_put_u32(&message, id);
	ipc_put_string(&message, user);
	if (m->log_control != -1)
		(void)ipc_post(m->log_control, &message, NULL, 0);
}

/* Tells a new log process of the channels of a connection. */
static void
name_connection(const struct master *m, const struct connection *c)
{
	if (c->state == CONNECTION_FREE)
		return;
	if (c->worker_log != -1)
		(void)name_channel(m, c->worker_log, c->id, "worker", c->address, c->port);
	if (c->reader_log != -1)
		(void)name_channel(m, c->reader_log, c->id, "reader", c->address, c->port);
	if (c->user != NULL)
		name_user(m, c->id, c->user);
}

void
logs_target(struct master *m)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_LOG_TARGET);
	ipc_put_u8(&message, !m->to_stderr && m->conf->log == LOG_TO_SYSLOG);
	if (m->log_control != -1)
		(void)ipc_post(m->log_control, &message, NULL, 0);
}

void
logs_start(struct master *m)
{
	const int room = LOGS_ROOM;

	m->log = spawners_exec(m, "log", &m->log_control);
	if (m->log == -1)
		m->logs_at = clock_in(MASTER_PAUSE);
	else
		(void)setsockopt(m->log_control, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	log_use_channel(m->log_control);
	logs_target(m);
	for (size_t i = 0; i < LOGS_STANDING; i++)
		if (m->standing[i].pid != 0)
			(void)name_channel(m, m->standing[i].log, 0, m->standing[i].role, "", 0);
	for (size_t i = 0; i < m->connections.high; i++)
		name_connection(m, &m->connections.slot[i]);
}

/* --- channels --- */

/* A new channel: *ours_r is the end of the process that will write. */
static int
make_channel(int *ours_r)
{
	int pair[2];

	*ours_r = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	*ours_r = pair[0];
	return pair[1];
}

static void
forget(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

int
logs_channel(struct master *m, struct connection *c, bool reader)
{
	int *theirs = reader ? &c->reader_log : &c->worker_log, ours;

	forget(theirs);
	*theirs = make_channel(&ours);
	if (m->log_control != -1 && *theirs != -1 &&
	    name_channel(m, *theirs, c->id, reader ? "reader" : "worker", c->address, c->port) ==
		-1) {
		forget(theirs);
		forget(&ours);
	}
	if (ours == -1)
		log_count_lost();
	return ours;
}

void
logs_forget_reader(struct connection *c)
{
	forget(&c->reader_log);
	free(c->user);
	c->user = NULL;
}

void
logs_forget(struct connection *c)
{
	forget(&c->worker_log);
	logs_forget_reader(c);
}

int
logs_standing_channel(struct master *m, const char *role, struct logs_standing **place_r)
{
	int ours;

	*place_r = NULL;
	for (size_t i = 0; i < LOGS_STANDING; i++) {
		struct logs_standing *s = &m->standing[i];

		if (s->pid != 0)
			continue;
		s->log = make_channel(&ours);
		s->role = role;
		if (s->log == -1)
			return -1;
		(void)name_channel(m, s->log, 0, role, "", 0);
		*place_r = s;
		return ours;
	}
	return -1;
}

void
logs_user(struct master *m, struct connection *c, const char *user)
{
	free(c->user);
	c->user = strdup(user);
	name_user(m, c->id, user);
}

bool
logs_on_exit(struct master *m, pid_t pid)
{
	for (size_t i = 0; i < LOGS_STANDING; i++)
		if (m->standing[i].pid == pid) {
			close(m->standing[i].log);
			m->standing[i].pid = 0;
		}
	if (m->log != pid)
		return false;
	close(m->log_control);
	m->log_control = m->log = -1;
	/* At once, unless it has just been started: then something is wrong with it. */
	m->logs_at = clock_in(clock_now() < m->logs_at + MASTER_PAUSE ? MASTER_PAUSE : 0);
	log_use_channel(-1);
	return true;
}

void
logs_tick(struct master *m, int64_t now)
{
	log_tell_lost();
	if (m->log != -1 || now < m->logs_at)
		return;
	m->logs_at = now;
	logs_start(m);
	log_event(LOG_ERROR, "master", "log-died", "next", "started again");
}

void
logs_end(struct master *m)
{
	struct pollfd end = {.fd = m->log_control, .events = POLLIN};

	if (m->log == -1)
		return;
	/* The log process writes what is left, and ends; but nobody may read standard error. */
	(void)shutdown(m->log_control, SHUT_WR);
	(void)poll(&end, 1, LOGS_PATIENCE);
	(void)kill(m->log, SIGKILL);
	(void)waitpid(m->log, NULL, 0);
	m->log = -1;
}
