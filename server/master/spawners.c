/*
 * spawners.c: master's ends of the spawners and of the key process: starts them, asks them, and hears of their children.
 * Runs as: root (master).
 *
 * The outer spawner comes and goes with the certificates (certificates.c), the inner one with the configuration.  A
 * spawner that is replaced keeps its children, and ends after the last of them.  Nothing here waits: a spawner that
 * takes no messages is replaced after a while.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/ipc.h"
#include "server/log.h"
#include "server/master/master_state.h"
#include "server/process.h"
#include "server/protocol.h"
#include "server/spawner/spawner.h"

pid_t
spawners_exec(struct master *m, const char *role, int *control_r)
{
	pid_t pid = process_exec(role, control_r);
	struct logs_standing *place = NULL;
	struct ipc_message message;
	int fds[2] = {m->conf->text_fd, -1};

	if (pid == -1) {
		log_event(
		    LOG_ERROR, "master", "no-process", "role", role, "error", strerror(errno));
		return -1;
	}
	if (strcmp(role, "log") != 0)
		fds[1] =
		    logs_standing_channel(m, strcmp(role, "key") == 0 ? "key" : "spawner", &place);
	if (place != NULL)
		place->pid = pid;
	ipc_begin(&message, IPC_START);
	ipc_put_u32(&message, m->service_users.worker_uid);
	ipc_put_u32(&message, m->service_users.worker_gid);
	ipc_put_u32(&message, m->service_users.key_uid);
	ipc_put_u32(&message, m->service_users.key_gid);
	/* If this fails the process ends by itself, and is reaped. */
	(void)ipc_post(*control_r, &message, fds, fds[1] != -1 ? 2 : 1);
	if (fds[1] != -1)
		close(fds[1]);
	return pid;
}

/*
 * Each reload leaves spawners with long sessions.  When their places run short, the sessions of the oldest one end: their
 * clients connect again, but a server without a place would let nobody log in.
 */
static void
make_room(struct master *m)
{
	int oldest = -1, left = 0;

	for (int i = 0; i < SPAWNERS_MAX; i++) {
		const struct spawner *s = &m->spawner[i];

		left += s->pid == 0 || s->ending;
		if (s->pid != 0 && s->leaving && !s->ending &&
		    (oldest == -1 || s->begun_at < m->spawner[oldest].begun_at))
			oldest = i;
	}
	if (left >= SPAWNERS_SPARE || oldest == -1)
		return;
	m->spawner[oldest].ending = true;
	log_event(LOG_WARN, "master", "too-many-reloads", "what",
	    "sessions from before the oldest of them end");
	for (size_t i = 0; i < m->connections.high; i++) {
		struct connection *c = &m->connections.slot[i];

		if (c->state != CONNECTION_FREE && (c->worker == oldest || c->reader == oldest))
			connection_leave(m, c, m->conf->shutdown_wait);
	}
}

int
spawner_start(struct master *m, enum spawner_kind kind)
{
	static const char *const roles[] = {[SPAWNER_OUTER] = "outer", [SPAWNER_INNER] = "inner"};
	int i = 0;

	make_room(m);
	while (i < SPAWNERS_MAX && m->spawner[i].pid != 0)
		i++;
	if (i == SPAWNERS_MAX) {
		log_event(LOG_ERROR, "master", "too-many-spawners", "what",
		    "old sessions keep all places: restart, or let them end");
		return -1;
	}
	m->spawner[i] =
	    (struct spawner){.kind = kind, .stuck_at = CLOCK_NEVER, .begun_at = clock_now()};
	m->spawner[i].pid = spawners_exec(m, roles[kind], &m->spawner[i].control);
	if (m->spawner[i].pid == -1) {
		m->spawner[i].pid = 0;
		return -1;
	}
	events_watch(m, m->spawner[i].control, SOURCE_SPAWNER, (size_t)i, 0);
	return i;
}

int
spawner_post(
    struct master *m, int index, const struct ipc_message *message, const int fds[], size_t n)
{
	struct spawner *s = &m->spawner[index];

	if (s->control != -1 && ipc_post(s->control, message, fds, n) == 0)
		return 0;
	if (s->stuck_at == CLOCK_NEVER)
		s->stuck_at = clock_now();
	return -1;
}

void
spawner_begin_child(struct ipc_message *message, enum ipc_type type, const struct connection *c)
{
	ipc_begin(message, type);
	ipc_put_u32(message, c->id);
	ipc_put_string(message, c->protocol->name);
}

/* A spawner that has been replaced ends when it has no children. */
static void
settle(struct master *m, struct spawner *s)
{
	if (s->leaving && s->children == 0)
		events_close(m, &s->control);
}

void
spawner_retire(struct master *m, int *index)
{
	if (*index == -1)
		return;
	m->spawner[*index].leaving = true;
	settle(m, &m->spawner[*index]);
	*index = -1;
}

void
spawner_forget_child(struct master *m, int index)
{
	struct spawner *s = &m->spawner[index];

	if (s->children > 0)
		s->children--;
	settle(m, s);
}

void
connection_signal(struct master *m, const struct connection *c, int signal)
{
	const int at[] = {c->worker, c->reader};
	struct ipc_message message;

	for (size_t i = 0; i < 2; i++) {
		if (at[i] == -1)
			continue;
		ipc_begin(&message, IPC_SPAWN_SIGNAL);
		ipc_put_u32(&message, c->id);
		ipc_put_u8(&message, (uint8_t)signal);
		(void)spawner_post(m, at[i], &message, NULL, 0);
	}
}

/* Sends what spawners_signal_all has left, if the spawner takes it. */
static void
signal_all(struct master *m, int index)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_SPAWN_SIGNAL);
	ipc_put_u32(&message, 0);
	ipc_put_u8(&message, (uint8_t)m->spawner[index].signal);
	if (spawner_post(m, index, &message, NULL, 0) == 0)
		m->spawner[index].signal = 0;
}

void
spawners_signal_all(struct master *m, int signal)
{
	for (int i = 0; i < SPAWNERS_MAX; i++)
		if (m->spawner[i].pid != 0) {
			m->spawner[i].signal = signal;
			signal_all(m, i);
		}
}

void
connection_expect_end(struct master *m, struct connection *c, int64_t patience)
{
	connections_change(&m->connections, c, CONNECTION_LEAVING);
	c->kill_at = clock_in(patience);
}

void
connection_leave(struct master *m, struct connection *c, int64_t patience)
{
	connection_expect_end(m, c, patience);
	connection_signal(m, c, SIGTERM);
}

/* --- what they say --- */

static void
child_ended(struct master *m, int index, struct ipc_message *message)
{
	uint32_t id = ipc_get_u32(message), status = ipc_get_u32(message);
	struct connection *c;
	bool outer = m->spawner[index].kind == SPAWNER_OUTER;

	if (!ipc_done(message))
		return;
	if (id == 0) {
		if (outer)
			certificates_on_test(m, index, status);
		return;
	}
	c = connections_by_id(&m->connections, id);
	if (c == NULL || (outer ? c->worker : c->reader) != index)
		return;
	spawner_forget_child(m, index);
	login_on_exit(m, c, outer, status);
}

void
spawners_on_message(struct master *m, size_t index)
{
	struct spawner *s = &m->spawner[index];
	struct ipc_message message;
	char wrong[512];

	while (s->control != -1 && ipc_recv(s->control, &message, 0, NULL) == 0) {
		s->stuck_at = CLOCK_NEVER;
		switch (ipc_open(&message)) {
		case IPC_READY:
			ipc_get_string(&message, wrong, sizeof(wrong));
			if (s->kind == SPAWNER_OUTER && ipc_done(&message))
				certificates_on_ready(m, (int)index, wrong);
			break;
		case IPC_SPAWN_ENDED:
			child_ended(m, (int)index, &message);
			break;
		default:
			break;
		}
	}
	/* It has ended, and is reaped soon. */
	if (s->control != -1 && errno != ETIMEDOUT && errno != EINTR)
		events_close(m, &s->control);
}

/* Its children got SIGTERM.  None of them is reported any more. */
static void
forget_children(struct master *m, int index)
{
	for (size_t i = 0; i < m->connections.high; i++) {
		struct connection *c = &m->connections.slot[i];

		if (c->state != CONNECTION_FREE && c->worker == index)
			login_on_exit(m, c, true, SIGTERM);
		if (c->state != CONNECTION_FREE && c->reader == index)
			login_on_exit(m, c, false, SIGTERM);
	}
}

bool
spawners_on_exit(struct master *m, pid_t pid)
{
	int i = 0;
	bool expected;

	while (i < SPAWNERS_MAX && m->spawner[i].pid != pid)
		i++;
	if (i == SPAWNERS_MAX)
		return false;
	spawners_on_message(m, (size_t)i); /* what it said last */
	expected = m->spawner[i].leaving || m->stopping;
	forget_children(m, i);
	events_close(m, &m->spawner[i].control);
	m->spawner[i].pid = 0;
	if (m->readers == i) {
		m->readers = -1;
		m->readers_at = clock_in(MASTER_PAUSE);
	}
	if (certificates_on_spawner_exit(m, i) || expected)
		return true;
	log_event(LOG_ERROR, "master", "spawner-died", "next", "started again");
	return true;
}

static void
replace(struct master *m, int index)
{
	struct spawner *s = &m->spawner[index];

	log_event(LOG_ERROR, "master", "spawner-stuck", "next", "another is started");
	s->stuck_at = CLOCK_NEVER;
	if (m->readers == index)
		spawner_retire(m, &m->readers);
	else if (m->serving != NULL && m->serving->workers == index && m->coming == NULL)
		certificates_begin(m);
}

void
spawners_tick(struct master *m, int64_t now)
{
	for (int i = 0; i < SPAWNERS_MAX; i++) {
		struct spawner *s = &m->spawner[i];

		if (s->pid == 0)
			continue;
		if (s->signal != 0)
			signal_all(m, i);
		if (s->stuck_at != CLOCK_NEVER && now - s->stuck_at > MASTER_STUCK)
			replace(m, i);
	}
	if (m->readers == -1 && !m->stopping && now >= m->readers_at) {
		m->readers = spawner_start(m, SPAWNER_INNER);
		m->readers_at = now + MASTER_PAUSE;
	}
}

void
spawners_end(struct master *m)
{
	for (int i = 0; i < SPAWNERS_MAX; i++)
		if (m->spawner[i].pid != 0) {
			events_close(m, &m->spawner[i].control);
			/* It may be stopped, and then would not end by itself. */
			(void)kill(m->spawner[i].pid, SIGKILL);
			(void)waitpid(m->spawner[i].pid, NULL, 0);
		}
}
