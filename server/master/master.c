/*
 * master.c: the loop: accepts, forks, reaps, and counts; master_state.h lists its rooms.
 * Runs as: root, or the user of a demo.  It never reads an octet that the network wrote, and waits
 * for nobody.  Others that run as root: admit.c, login.c, renew.c, events.c, listen.c, connection.c,
 * limits.c, which are master's too; key.c until its keys are loaded; certificates.c's self-test and
 * worker.c until they are confined; reader.c and auth_answer.c until become_user.
 *
 * A connection here is a row of numbers: see connection.h.  Its life: admit.c makes a worker; when the
 * worker's socketpair becomes readable somebody wants to log in, and login.c makes a reader, which
 * reads it; the reader asks once whether its user may come in; when both children have ended the row
 * is free again.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/log.h"
#include "server/master/limits.h"
#include "server/master/master.h"
#include "server/master/master_state.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "tls/tls.h"

/* --- children --- */

static void
block_signals(struct master *m)
{
	sigemptyset(&m->mask);
	sigaddset(&m->mask, SIGCHLD);
	sigaddset(&m->mask, SIGHUP);
	sigaddset(&m->mask, SIGTERM);
	sigaddset(&m->mask, SIGINT);
	if (sigprocmask(SIG_BLOCK, &m->mask, NULL) == -1 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		fatal("master", "signals");
	m->signals = signalfd(-1, &m->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals == -1)
		fatal("master", "signalfd");
}

static void
reap(struct master *m)
{
	struct connection *c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (renew_on_exit(m, pid, status))
			continue;
		c = connections_by_pid(&m->connections, pid);
		if (c != NULL) /* else an old key process */
			login_on_exit(m, c, pid, status);
	}
}

/* --- settings --- */

static int
find_roles(struct roles *roles_r, const struct conf *conf)
{
	char wrong[256];

	if (!privdrop_possible() || roles_find(conf, roles_r, wrong, sizeof(wrong)) == 0)
		return 0;
	log_event(LOG_ERROR, "master", "configuration-wrong", "text", wrong);
	return -1;
}

/* The empty directory usually lies in /run, which is empty after a boot. */
static void
make_empty_dir(const struct conf *conf)
{
	char parent[PATH_MAX], *slash;

	if (!privdrop_possible())
		return;
	snprintf(parent, sizeof(parent), "%s", conf->empty_dir);
	slash = strrchr(parent, '/');
	if (slash != NULL && slash != parent) {
		*slash = '\0';
		(void)mkdir(parent, 0755);
	}
	if (mkdir(conf->empty_dir, 0555) == -1 && errno != EEXIST)
		log_event(LOG_ERROR, "master", "no-empty-dir", "path", conf->empty_dir, "error",
		    strerror(errno));
}

static void
log_missing(void)
{
	const char *missing = confine_missing(), *warning = tls_library_warning();

	if (!privdrop_possible())
		log_event(LOG_WARN, "master", "not-root", "missing",
		    "changes of uid and chroot: for development only");
	if (missing != NULL)
		log_event(LOG_WARN, "master", "weaker", "missing", missing);
	if (warning != NULL)
		log_event(LOG_WARN, "master", "tls-library", "warning", warning);
}

static void
open_log(const struct master *m)
{
	log_open(m->to_stderr ? LOG_TO_STDERR : (enum log_target)m->conf->log);
}

static void
read_again(struct master *m)
{
	struct conf_complaints complaints;
	struct conf *conf = conf_load(m->path, &complaints);
	bool was_accepting = m->accepting;
	char line[16];
	size_t i;

	if (conf == NULL || find_roles(&m->roles, conf) == -1) {
		for (i = 0; conf == NULL && i < complaints.len; i++) {
			snprintf(line, sizeof(line), "%u", complaints.list[i].line);
			log_event(LOG_ERROR, "master", "configuration-wrong", "file", m->path,
			    "line", line, "text", complaints.list[i].text);
		}
		log_event(LOG_WARN, "master", "keeping", "what", "the configuration in use");
		conf_free(&conf);
		return;
	}
	admit_set(m, false);
	conf_free(&m->conf);
	m->conf = conf;
	open_log(m);
	listeners_set(&m->listeners, conf);
	admit_set(m, was_accepting);
	log_event(LOG_NOTE, "master", "configuration", "file", m->path);
	renew_begin(m);
}

/* --- time --- */

static void
stop(struct master *m)
{
	size_t i;

	if (m->stopping)
		return;
	m->stopping = true;
	m->stop_at = clock_in(m->conf->shutdown_wait);
	admit_settle(m);
	listeners_close(&m->listeners);
	log_event(LOG_NOTE, "master", "stopping");
	for (i = 0; i < m->connections.high; i++)
		if (m->connections.slot[i].state != CONNECTION_FREE)
			connection_leave(&m->connections.slot[i], m->conf->shutdown_wait);
}

static void
look_at_deadlines(struct master *m, int64_t now)
{
	size_t i;

	for (i = 0; i < m->connections.high; i++) {
		struct connection *c = &m->connections.slot[i];
		bool late = now > c->deadline + MASTER_PATIENCE;

		if (((c->state == CONNECTION_STRANGER || c->state == CONNECTION_ASKING) && late) ||
		    (c->state == CONNECTION_LEAVING && now > c->kill_at))
			connection_kill(c);
	}
}

static void
tick(struct master *m)
{
	int64_t now = clock_now();

	look_at_deadlines(m, now);
	if (m->resume_at != CLOCK_NEVER && now >= m->resume_at) {
		m->resume_at = CLOCK_NEVER;
		admit_settle(m);
	}
	if (!m->stopping)
		renew_tick(m, now);
}

static void
on_signal(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !m->stopping)
			read_again(m);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop(m);
	}
	reap(m);
}

/* An event may be of a connection that ended in the same round, with its slot taken anew. */
static struct connection *
connection_of(struct master *m, uint64_t event)
{
	struct connection *c = &m->connections.slot[event & ((1 << TAG_INDEX_BITS) - 1)];

	return c->state != CONNECTION_FREE && c->id == (uint32_t)(event >> TAG_INDEX_BITS) ? c
											   : NULL;
}

static void
on_event(struct master *m, const struct epoll_event *event)
{
	enum source source = (enum source)(event->data.u64 >> TAG_SOURCE_SHIFT);
	struct connection *c = NULL;

	if (source == SOURCE_PEER || source == SOURCE_ASK) {
		c = connection_of(m, event->data.u64);
		if (c == NULL)
			return;
	}
	switch (source) {
	case SOURCE_SIGNAL:
		on_signal(m);
		break;
	case SOURCE_LISTENER:
		if (m->accepting)
			admit_on_listener(m, event->data.u64 & ((1 << TAG_INDEX_BITS) - 1));
		break;
	case SOURCE_CONTROL:
		renew_on_control(m);
		break;
	case SOURCE_PEER:
		login_on_peer(m, c, event->events);
		break;
	case SOURCE_ASK:
		login_on_question(m, c);
		break;
	}
}

static void
loop(struct master *m)
{
	struct epoll_event events[MASTER_EVENTS];
	int n, i;

	while (!m->stopping || m->connections.used > 0) {
		n = epoll_wait(m->epoll, events, MASTER_EVENTS, MASTER_TICK);
		if (n == -1 && errno != EINTR)
			fatal("master", "epoll_wait");
		for (i = 0; i < n; i++)
			on_event(m, &events[i]);
		tick(m);
		renew_settle(m);
		/* A first generation that fails is a failed start. */
		if (!m->started && m->serving == NULL && m->coming == NULL)
			return;
		if (m->stopping && clock_left(m->stop_at) == 0)
			for (i = 0; (size_t)i < m->connections.high; i++)
				if (m->connections.slot[i].state != CONNECTION_FREE)
					connection_kill(&m->connections.slot[i]);
	}
}

/* Three descriptors a connection while it logs in, and some of our own. */
static void
raise_files(const struct conf *conf)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)(conf->max_connections + MASTER_REFUSERS) * 3 + 64;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted && geteuid() == 0)
		limit.rlim_max = wanted;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
begin(struct master *m)
{
	process_title("master");
	raise_files(m->conf);
	make_empty_dir(m->conf);
	m->addresses = limits_new();
	m->users = limits_new();
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (m->addresses == NULL || m->users == NULL || m->epoll == -1 ||
	    connections_init(&m->connections, CONF_CONNECTIONS_MAX + MASTER_REFUSERS) == -1)
		fatal("master", "start");
	block_signals(m);
	events_watch(m, m->signals, SOURCE_SIGNAL, 0, 0);
	m->resume_at = m->retry_at = CLOCK_NEVER;
	m->look_at = clock_in(MASTER_LOOK);
}

int
master_run(const char *path, struct conf *conf, bool to_stderr)
{
	static struct master m;

	m.path = path;
	m.conf = conf;
	m.to_stderr = to_stderr;
	open_log(&m);
	log_missing();
	if (find_roles(&m.roles, conf) == -1)
		return EXIT_FAILURE;
	begin(&m);
	renew_begin(&m); /* forks the key process before anything is open */
	if (listeners_set(&m.listeners, conf) > 0)
		return EXIT_FAILURE;
	loop(&m);
	renew_end(&m);
	listeners_close(&m.listeners);
	if (!m.started)
		return EXIT_FAILURE;
	log_event(LOG_NOTE, "master", "stopped");
	return EXIT_SUCCESS;
}
