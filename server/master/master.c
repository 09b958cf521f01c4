/*
 * master.c: the loop: accepts, starts, reaps, and counts; master_state.h lists the files of its parts.
 * Runs as: root, or the user of a demo.  It never reads an octet that the network wrote, and waits
 * for no process.  Other code that runs as root: the files of this folder; spawner.c as the inner spawner; key.c until its
 * keys are loaded; users_file.c; reader.c and auth_answer.c until become_user.
 *
 * A connection is only a row of numbers here: see connection.h.  admit.c asks the outer spawner for a worker.  When the
 * worker's socketpair becomes readable the client wants to log in, and login.c asks the inner spawner for a
 * reader, which reads the request.  The reader asks once whether its user may have a session.  When both children have ended the
 * row is free again.
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

static void
block_signals(struct master *m)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	m->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals == -1 || sigprocmask(SIG_BLOCK, &mask, NULL) == -1 ||
	    signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		fatal("master", "signals");
	events_watch(m, m->signals, SOURCE_SIGNAL, 0, 0);
}

static void
reap(struct master *m)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (!logs_on_exit(m, pid) && !spawners_on_exit(m, pid))
			(void)certificates_on_exit(m, pid); /* else an old key process */
}

/* --- settings --- */

static int
find_users(struct service_users *users_r, const struct conf *conf)
{
	char wrong[256];

	if (!privdrop_possible() || privdrop_find_users(conf, users_r, wrong, sizeof(wrong)) == 0)
		return 0;
	log_event(LOG_ERROR, "master", "configuration-wrong", "text", wrong);
	return -1;
}

/* The empty directory is usually below /run, which is empty after a boot. */
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
use_conf(struct master *m, struct conf *conf)
{
	conf_free(&m->conf);
	m->conf = conf;
}

static void
reload(struct master *m)
{
	struct conf_complaints complaints;
	struct conf *conf = conf_load(m->path, &complaints);
	char line[16];
	size_t i;

	if (conf == NULL || find_users(&m->service_users, conf) == -1) {
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
	use_conf(m, conf);
	logs_target(m);
	listeners_set(&m->listeners, conf);
	log_event(LOG_NOTE, "master", "configuration", "file", m->path);
	m->users_print = 0;
	m->users_look_at = m->readers_at = clock_now();
	spawner_retire(m, &m->readers);
	/* A connection that comes now is for the new workers. */
	m->hold_until = clock_in(MASTER_STUCK);
	certificates_begin(m);
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
			connection_expect_end(m, &m->connections.slot[i], m->conf->shutdown_wait);
	spawners_signal_all(m, SIGTERM);
}

/* Kills children that are over their deadline; when the whole shutdown is over its own, all of them. */
static void
kill_late(struct master *m, int64_t now)
{
	size_t i;

	if (m->stopping && now >= m->stop_at) {
		spawners_signal_all(m, SIGKILL);
		return;
	}
	for (i = 0; i < m->connections.high; i++) {
		struct connection *c = &m->connections.slot[i];
		bool before_login =
		    c->state == CONNECTION_STRANGER || c->state == CONNECTION_ASKING;

		if ((before_login && now > c->deadline + MASTER_PATIENCE) ||
		    (c->state == CONNECTION_LEAVING && now > c->kill_at))
			connection_signal(m, c, SIGKILL);
	}
}

static void
tick(struct master *m)
{
	int64_t now = clock_now();

	kill_late(m, now);
	admit_count_lines(&m->refusals, now);
	admit_count_lines(&m->signatures, now);
	if (m->resume_at != CLOCK_NEVER && now >= m->resume_at) {
		m->resume_at = CLOCK_NEVER;
		admit_settle(m);
	}
	logs_tick(m, now);
	spawners_tick(m, now);
	if (!m->stopping) {
		certificates_tick(m, now);
		users_tick(m, now);
	}
}

static void
on_signal(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !m->stopping)
			reload(m);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop(m);
	}
	reap(m);
}

static void
on_event(struct master *m, const struct epoll_event *event)
{
	enum event_source source = (enum event_source)(event->data.u64 >> EVENT_SOURCE_SHIFT);
	uint32_t id = (uint32_t)(event->data.u64 >> EVENT_INDEX_BITS);
	size_t index = event->data.u64 & ((1 << EVENT_INDEX_BITS) - 1);
	struct connection *c = &m->connections.slot[index];

	/* The event's connection may have ended in this round, and another have taken its slot. */
	if ((source == SOURCE_PEER || source == SOURCE_ASK) &&
	    (c->state == CONNECTION_FREE || c->id != id))
		return;
	switch (source) {
	case SOURCE_SIGNAL:
		on_signal(m);
		break;
	case SOURCE_LISTENER:
		if (m->accepting)
			admit_on_listener(m, index);
		break;
	case SOURCE_CONTROL:
		certificates_on_control(m);
		break;
	case SOURCE_SPAWNER:
		spawners_on_message(m, index);
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

	while (
	    !m->stopping || (m->connections.used > 0 && clock_now() < m->stop_at + MASTER_STUCK)) {
		n = epoll_wait(m->epoll, events, MASTER_EVENTS, MASTER_TICK);
		if (n == -1 && errno != EINTR)
			fatal("master", "epoll_wait");
		for (i = 0; i < n; i++)
			on_event(m, &events[i]);
		tick(m);
		certificates_settle(m);
		/* If the first certificates fail, the start has failed. */
		if (!m->started && m->serving == NULL && m->coming == NULL)
			return;
	}
}

/* A connection takes three descriptors while it logs in, and master needs some itself. */
static void
raise_files(const struct conf *conf)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)(conf->max_connections + CONNECTIONS_GOING_MAX) * 5 + 64;

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
	m->users = limits_new();
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (policy_init(&m->policy) == -1 || m->users == NULL || m->epoll == -1 ||
	    connections_init(&m->connections, CONF_CONNECTIONS_MAX + CONNECTIONS_GOING_MAX) == -1)
		fatal("master", "start");
	block_signals(m);
	m->readers = -1;
	m->resume_at = m->retry_at = CLOCK_NEVER;
	m->refusals = (struct log_limit){.event = "refused", .until = CLOCK_NEVER};
	m->signatures = (struct log_limit){.event = "signed-without-login", .until = CLOCK_NEVER};
	m->look_at = clock_in(MASTER_LOOK);
}

int
master_run(const char *path, struct conf *conf, bool to_stderr)
{
	static struct master m;

	m.path = path;
	m.to_stderr = to_stderr;
	use_conf(&m, conf);
	if (find_users(&m.service_users, conf) == -1)
		return EXIT_FAILURE;
	begin(&m);
	logs_start(&m);
	log_missing();
	certificates_begin(&m);
	m.readers = spawner_start(&m, SPAWNER_INNER);
	listeners_inherit(&m.listeners);
	if (listeners_set(&m.listeners, conf) == 0)
		loop(&m);
	admit_count_lines(&m.refusals, INT64_MAX);
	admit_count_lines(&m.signatures, INT64_MAX);
	certificates_end(&m);
	spawners_end(&m);
	listeners_close(&m.listeners);
	if (m.started)
		log_event(LOG_NOTE, "master", "stopped");
	logs_end(&m);
	return m.started ? EXIT_SUCCESS : EXIT_FAILURE;
}
