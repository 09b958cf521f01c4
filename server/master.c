/*
 * master.c: accepts, forks, reaps, and counts.
 * Runs as: root, or the user of a demo.  It never reads an octet that the network wrote, and waits
 * for nobody.  Others that run as root: key.c until its keys are loaded, worker.c until worker_main
 * has confined it, reader.c and auth_answer.c until become_user, generation.c's self-test until it
 * is confined; listen.c, connection.c, limits.c are master's own rooms.
 *
 * A connection here is a row of numbers: see connection.h.  Its life: accept_one makes a worker; when
 * the worker's socketpair becomes readable somebody wants to log in, and start_reader makes a reader,
 * which reads it; the reader asks once (on_question) whether its user may come in; when both children
 * have ended (on_exit) the row is free again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/connection.h"
#include "server/generation.h"
#include "server/ipc.h"
#include "server/limits.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/master.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/protocol.h"
#include "server/reader.h"
#include "server/worker.h"
#include "tls/tls.h"

enum {
	/* Connections above max_connections that are only told that we are full. */
	MASTER_REFUSERS = 16,
	MASTER_TICK = 1000,	 /* ms between looks at deadlines */
	MASTER_LOOK = 30 * 1000, /* ms between looks at the certificate files */
	MASTER_PAUSE = 1000, /* ms without accept after it or fork failed for want of something */
	MASTER_PATIENCE = 2 * 1000, /* ms from SIGTERM to SIGKILL, and beyond the login deadline */
	MASTER_REFUSAL =
	    12 * 1000, /* ms for a connection that is only refused: a handshake and a line */
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
	struct generation *now, *next; /* serving; and on its way */
	struct connections connections;
	struct limits *addresses, *users;
	uid_t worker_uid;
	gid_t worker_gid;
	int epoll, signals;
	bool accepting, stopping;
	bool started;	   /* the first generation was ready */
	int64_t resume_at; /* when to accept again, or CLOCK_NEVER */
	int64_t look_at;   /* at the certificate files */
	int64_t retry_at;  /* a generation, or CLOCK_NEVER */
	int64_t stop_at;   /* SIGKILL for all */
	sigset_t mask;
};

/* --- epoll --- */

static void
watch(struct master *m, int fd, enum source source, size_t index, uint32_t id)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.u64 =
	    (uint64_t)source << TAG_SOURCE_SHIFT | (uint64_t)id << TAG_INDEX_BITS | index;
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		fatal("master", "epoll_ctl");
}

static void
watch_connection(struct master *m, int fd, enum source source, const struct connection *c)
{
	watch(m, fd, source, (size_t)(c - m->connections.slot), c->id);
}

static void
unwatch(struct master *m, int fd)
{
	(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void
close_watched(struct master *m, int *fd)
{
	if (*fd == -1)
		return;
	/* A forked child may still have it open, and epoll watches what is open. */
	unwatch(m, *fd);
	close(*fd);
	*fd = -1;
}

static void
set_accepting(struct master *m, bool accepting)
{
	size_t i;

	if (m->accepting == accepting)
		return;
	for (i = 0; i < m->listeners.len; i++)
		if (accepting)
			watch(m, m->listeners.list[i].fd, SOURCE_LISTENER, i, 0);
		else
			unwatch(m, m->listeners.list[i].fd);
	m->accepting = accepting;
}

/* Whether to accept depends on these alone. */
static void
settle_accepting(struct master *m)
{
	set_accepting(m, !m->stopping && m->resume_at == CLOCK_NEVER && m->now != NULL &&
			     m->now->state == GENERATION_READY);
}

static void
pause_accepting(struct master *m, const char *what)
{
	log_event(LOG_WARN, "master", "pause", "what", what, "error", strerror(errno), NULL);
	m->resume_at = clock_in(MASTER_PAUSE);
	settle_accepting(m);
}

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
leave(struct connection *c, int64_t patience)
{
	c->state = CONNECTION_LEAVING;
	c->kill_at = clock_in(patience);
	if (c->worker != -1)
		(void)kill(c->worker, SIGTERM);
	if (c->reader != -1)
		(void)kill(c->reader, SIGTERM);
}

static void
end_by_force(const struct connection *c)
{
	if (c->worker != -1)
		(void)kill(c->worker, SIGKILL);
	if (c->reader != -1)
		(void)kill(c->reader, SIGKILL);
}

/* Both children are gone. */
static void
release(struct master *m, struct connection *c)
{
	close_watched(m, &c->peer);
	close_watched(m, &c->ask);
	if (c->by_address != NULL)
		limits_leave(c->by_address);
	if (c->by_user != NULL)
		limits_leave(c->by_user);
	connections_release(&m->connections, c);
}

/* --- a new connection --- */

/* Logs a refusal, but not each of a flood. */
static void
log_refusal(struct tally *tally, const struct connection *c, const char *reason)
{
	int64_t now = clock_now();
	struct log_line line;

	if (tally != NULL && tally->last_logged != -1 &&
	    now - tally->last_logged < MASTER_LOG_EVERY) {
		tally->unlogged++;
		return;
	}
	log_begin(&line, LOG_WARN, c->protocol->name, "refused");
	log_text(&line, "rip", c->address);
	log_number(&line, "rport", c->port);
	log_text(&line, "reason", reason);
	if (tally != NULL && tally->unlogged > 0)
		log_number(&line, "more", tally->unlogged);
	log_end(&line);
	if (tally != NULL) {
		tally->last_logged = now;
		tally->unlogged = 0;
	}
}

static void
name_address(struct connection *c, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, c->address, sizeof(c->address));
		c->port = ntohs(v4->sin_port);
	} else {
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, c->address, sizeof(c->address));
		c->port = ntohs(v6->sin6_port);
	}
}

static bool
is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Which limit the new connection c is over.  At the one before login the oldest stranger goes. */
static enum refusal
judge(struct master *m, const struct connection *c)
{
	struct connection *oldest;

	if (c->by_address == NULL || c->by_address->connections > m->conf->max_per_address) {
		log_refusal(c->by_address, c, "connections of this address");
		return REFUSE_ADDRESS;
	}
	if (m->connections.used > (size_t)m->conf->max_connections) {
		log_refusal(c->by_address, c, "connections in all");
		return REFUSE_FULL;
	}
	if (connections_count(&m->connections, CONNECTION_STRANGER) +
		connections_count(&m->connections, CONNECTION_ASKING) >
	    (size_t)m->conf->max_before_login) {
		oldest = connections_oldest_stranger(&m->connections);
		if (oldest != NULL && oldest != c) {
			log_refusal(NULL, oldest, "made room before login");
			leave(oldest, MASTER_PATIENCE);
		}
	}
	return REFUSE_NOTHING;
}

/* Forks the worker.  The client's socket is its own from then on. */
static void
start_worker(struct master *m, struct connection *c, int fd, const struct conf_listener *listener,
    const struct sockaddr_storage *address, enum refusal refusal)
{
	char client[64];
	int pair[2];
	struct worker_start start = {
	    .conf = m->conf,
	    .protocol = listener->protocol,
	    .tls = listener->tls,
	    .loopback = is_loopback(address),
	    .refusal = refusal,
	    .deadline = c->deadline,
	    .client = client,
	    .client_fd = fd,
	    .uid = m->worker_uid,
	    .gid = m->worker_gid,
	    .tls_server = m->now->tls,
	};

	snprintf(client, sizeof(client), "%s %u", c->address, c->port);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		pause_accepting(m, "socketpair");
		return;
	}
	c->peer = pair[0];
	start.reader_fd = pair[1];
	start.key_fd = generation_channel(m->now);
	c->worker = fork();
	if (c->worker == 0)
		worker_main(&start); /* c is zeros there */
	close(pair[1]);
	if (start.key_fd != -1)
		close(start.key_fd);
	if (c->worker == -1) {
		pause_accepting(m, "fork");
		return;
	}
	watch_connection(m, c->peer, SOURCE_PEER, c);
}

static void
log_connect(const struct connection *c, const struct conf_listener *listener)
{
	struct log_line line;

	log_begin(&line, LOG_NOTE, c->protocol->name, "connect");
	log_text(&line, "rip", c->address);
	log_number(&line, "rport", c->port);
	log_text(&line, "lip", listener->text);
	log_end(&line);
}

/* Accepts one; false when there is none, or when accepting has to pause. */
static bool
accept_one(struct master *m, int listen_fd, const struct conf_listener *listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	unsigned char key[16];
	enum refusal refusal;
	struct connection *c;
	size_t key_len;
	int fd;

	fd = accept4(listen_fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(m, "accept");
		return errno == ECONNABORTED || errno == EINTR;
	}
	c = m->connections.used < (size_t)m->conf->max_connections + MASTER_REFUSERS
		? connections_take(&m->connections)
		: NULL;
	if (c == NULL) { /* even those that refuse are too many */
		close(fd);
		return true;
	}
	if (getrandom(&c->id, sizeof(c->id), 0) == -1 || c->id == 0)
		c->id = 1;
	c->protocol = listener->protocol;
	c->deadline = clock_in(m->conf->login_timeout);
	name_address(c, &address);
	key_len = limits_address_key(&address, key);
	c->by_address = limits_get(m->addresses, key, key_len);
	if (c->by_address != NULL)
		limits_enter(c->by_address);
	log_set_id(c->id);
	log_connect(c, listener);
	refusal = judge(m, c);
	if (refusal != REFUSE_NOTHING) {
		c->state = CONNECTION_LEAVING;
		c->kill_at = clock_in(MASTER_REFUSAL);
	}
	start_worker(m, c, fd, listener, &address, refusal);
	log_set_id(0);
	close(fd);
	if (c->worker == -1)
		release(m, c);
	return m->accepting;
}

static void
on_listener(struct master *m, size_t index)
{
	int i;

	for (i = 0; i < MASTER_ACCEPTS && index < m->listeners.len; i++)
		if (!accept_one(m, m->listeners.list[index].fd, &m->listeners.list[index].what))
			break;
}

/* --- a login --- */

static void
start_reader(struct master *m, struct connection *c)
{
	struct reader_start start = {
	    .conf = m->conf,
	    .protocol = c->protocol,
	    .port = c->port,
	    .worker_fd = c->peer,
	};
	uint32_t id = c->id;
	char address[sizeof(c->address)];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		log_event(LOG_WARN, "master", "no-reader", "error", strerror(errno), NULL);
		leave(c, MASTER_PATIENCE);
		return;
	}
	memcpy(address, c->address, sizeof(address)); /* the table is not there in the child */
	start.address = address;
	start.master_fd = pair[1];
	c->tried_at = clock_now();
	start.answer_at = limits_answer_at(c->by_address, c->tried_at, m->conf->failure_delay);
	c->reader = fork();
	if (c->reader == 0) {
		log_set_id(id);
		reader_main(&start);
	}
	close(pair[1]);
	if (c->reader == -1) {
		close(pair[0]);
		pause_accepting(m, "fork");
		leave(c, MASTER_PATIENCE);
		return;
	}
	c->ask = pair[0];
	c->state = CONNECTION_ASKING;
	watch_connection(m, c->ask, SOURCE_ASK, c);
}

/* The worker wrote, or ended. */
static void
on_peer(struct master *m, struct connection *c, uint32_t events)
{
	if (c->peer == -1)
		return;
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 || c->state != CONNECTION_STRANGER) {
		close_watched(m, &c->peer);
		return;
	}
	unwatch(m, c->peer); /* the reader's to read, until it has failed */
	start_reader(m, c);
}

/* May this user have another session?  name comes from the reader, which is still root. */
static enum ipc_verdict
judge_user(struct master *m, struct connection *c, const char *name)
{
	struct tally *user = limits_get(m->users, name, strlen(name));
	int64_t now = clock_now();

	if (user == NULL || user->connections >= m->conf->max_per_user)
		return IPC_TOO_MANY;
	if (m->conf->pop3_login_delay > 0 && user->last_login != -1 &&
	    now - user->last_login < m->conf->pop3_login_delay)
		return IPC_TOO_SOON;
	user->last_login = m->conf->pop3_login_delay > 0 ? now : -1;
	limits_enter(user);
	c->by_user = user;
	return IPC_ACCEPTED;
}

/* The reader asks IPC_LOGIN; its credentials were right. */
static void
on_question(struct master *m, struct connection *c)
{
	char name[LIMITS_KEY_MAX + 1];
	struct ipc_message message;
	enum ipc_verdict verdict = IPC_UNAVAILABLE;

	if (c->ask == -1)
		return;
	if (ipc_recv(c->ask, &message, 0, NULL) == 0 && ipc_open(&message) == IPC_LOGIN) {
		ipc_get_string(&message, name, sizeof(name));
		if (ipc_done(&message) && c->state == CONNECTION_ASKING)
			verdict = judge_user(m, c, name);
		ipc_begin(&message, IPC_LOGIN_RESULT);
		ipc_put_u8(&message, (uint8_t)verdict);
		(void)ipc_send(c->ask, &message, -1);
	}
	close_watched(m, &c->ask);
	limits_succeeded(c->by_address, c->tried_at);
	if (verdict == IPC_ACCEPTED)
		c->state = CONNECTION_USER;
}

/* --- ends --- */

static void
log_death(const struct connection *c, const char *what, int status)
{
	char text[64];

	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM)
		snprintf(text, sizeof(text), "killed by signal %d%s", WTERMSIG(status),
		    WTERMSIG(status) == SIGSYS ? " (a forbidden system call)" : "");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE)
		snprintf(text, sizeof(text), "failed");
	else
		return;
	log_set_id(c->id);
	log_event(LOG_ERROR, what, "died", "how", text, NULL);
	log_set_id(0);
}

/*
 * A reader ended.  Without a session the worker may try again, as often as the settings say: a
 * hostile one must not make us fork without end.
 */
static void
reader_ended(struct master *m, struct connection *c, int status)
{
	bool denied = WIFEXITED(status) && WEXITSTATUS(status) == READER_DENIED;
	bool session = WIFEXITED(status) && WEXITSTATUS(status) == READER_DONE;
	bool nonsense = !WIFEXITED(status) || WEXITSTATUS(status) == READER_MALFORMED;

	c->reader = -1;
	close_watched(m, &c->ask);
	if (c->by_user != NULL)
		limits_leave(c->by_user);
	c->by_user = NULL;
	if (denied)
		limits_failed(c->by_address, clock_now());
	if (c->state == CONNECTION_LEAVING)
		return;
	c->tries++;
	if (session || nonsense || c->peer == -1 || c->worker == -1 ||
	    c->tries >= (unsigned)m->conf->login_failures) {
		/* The worker delivers what is left, and then has its end. */
		close_watched(m, &c->peer);
		c->state = CONNECTION_LEAVING;
		c->kill_at = clock_in(session ? m->conf->pop3_idle_timeout : MASTER_PATIENCE);
		return;
	}
	c->state = CONNECTION_STRANGER;
	watch_connection(m, c->peer, SOURCE_PEER, c);
}

static void
on_exit_of(struct master *m, pid_t pid, int status)
{
	struct connection *c = connections_by_pid(&m->connections, pid);

	if (m->now != NULL && generation_on_exit(m->now, pid, status)) {
		if (m->now->state == GENERATION_FAILED && !m->stopping) {
			log_event(
			    LOG_ERROR, "master", "key-process-died", "next", "started again", NULL);
			m->retry_at = m->next == NULL ? clock_now() : CLOCK_NEVER;
		}
		return;
	}
	if (m->next != NULL && generation_on_exit(m->next, pid, status))
		return;
	if (c == NULL)
		return; /* an old key process */
	log_death(c, c->worker == pid ? "worker" : "reader", status);
	if (c->worker == pid)
		c->worker = -1;
	else
		reader_ended(m, c, status);
	if (c->worker == -1 && c->reader == -1)
		release(m, c);
}

static void
reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_exit_of(m, pid, status);
}

/* --- generations --- */

static void
drop_next(struct master *m)
{
	if (m->next != NULL)
		close_watched(m, &m->next->control);
	generation_free(&m->next);
}

static void
begin_generation(struct master *m)
{
	m->retry_at = CLOCK_NEVER;
	drop_next(m);
	m->next = generation_new(m->conf);
	if (m->next == NULL)
		fatal("master", "memory");
	else if (m->next->state == GENERATION_LOADING)
		watch(m, m->next->control, SOURCE_CONTROL, 0, 0);
}

static void
log_certificates(const struct generation *g)
{
	char text[LOG_VALUE_MAX];
	size_t i;

	for (i = 0; i < tls_server_count(g->tls); i++)
		if (tls_server_describe(g->tls, i, text, sizeof(text)) == 0)
			log_event(LOG_NOTE, "master", "certificate", "is", text, NULL);
}

/* The next generation failed: what serves goes on; without one it is tried again. */
static void
give_up_next(struct master *m)
{
	if (m->now != NULL && m->now->state == GENERATION_READY) {
		log_event(LOG_WARN, "master", "keeping", "what", "the certificates in use", NULL);
		m->now->print =
		    m->next->print; /* these files are known: look when they change again */
	} else {
		m->retry_at = clock_in(MASTER_RETRY);
	}
	drop_next(m);
}

static void
take_next(struct master *m)
{
	generation_free(&m->now);
	m->now = m->next;
	m->next = NULL;
	log_certificates(m->now);
	if (!m->started)
		log_event(LOG_NOTE, "master", "ready", "version", SALLYPORT_VERSION, "tls",
		    tls_library_version(), NULL);
	m->started = true;
}

static void
settle_generation(struct master *m)
{
	if (m->next != NULL && m->next->state == GENERATION_READY)
		take_next(m);
	else if (m->next != NULL && m->next->state == GENERATION_FAILED)
		give_up_next(m);
	settle_accepting(m);
}

/* --- settings --- */

static int
find_users(struct master *m, const struct conf *conf)
{
	uid_t uid;
	gid_t gid;

	if (!privdrop_possible())
		return 0;
	if (privdrop_lookup(conf->worker_user, &m->worker_uid, &m->worker_gid) == -1) {
		log_event(LOG_ERROR, "master", "no-user", "worker_user", conf->worker_user, "type",
		    "useradd -r -M -d /nonexistent -s /usr/sbin/nologin NAME", NULL);
		return -1;
	}
	if (privdrop_lookup(conf->key_user, &uid, &gid) == -1) {
		log_event(LOG_ERROR, "master", "no-user", "key_user", conf->key_user, "type",
		    "useradd -r -M -d /nonexistent -s /usr/sbin/nologin NAME", NULL);
		return -1;
	}
	if (uid == m->worker_uid || uid == 0 || m->worker_uid == 0) {
		log_event(LOG_ERROR, "master", "bad-users", "reason",
		    "worker_user and key_user must be two different users, and not root", NULL);
		return -1;
	}
	return 0;
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
		    strerror(errno), NULL);
}

static void
log_missing(void)
{
	const char *missing = confine_missing(), *warning = tls_library_warning();

	if (!privdrop_possible())
		log_event(LOG_WARN, "master", "not-root", "missing",
		    "changes of uid and chroot: for development only", NULL);
	if (missing != NULL)
		log_event(LOG_WARN, "master", "weaker", "missing", missing, NULL);
	if (warning != NULL)
		log_event(LOG_WARN, "master", "tls-library", "warning", warning, NULL);
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

	if (conf == NULL || find_users(m, conf) == -1) {
		for (i = 0; conf == NULL && i < complaints.len; i++) {
			snprintf(line, sizeof(line), "%u", complaints.list[i].line);
			log_event(LOG_ERROR, "master", "configuration-wrong", "file", m->path,
			    "line", line, "text", complaints.list[i].text, NULL);
		}
		log_event(LOG_WARN, "master", "keeping", "what", "the configuration in use", NULL);
		conf_free(&conf);
		return;
	}
	set_accepting(m, false);
	conf_free(&m->conf);
	m->conf = conf;
	open_log(m);
	listeners_set(&m->listeners, conf);
	set_accepting(m, was_accepting);
	log_event(LOG_NOTE, "master", "configuration", "file", m->path, NULL);
	begin_generation(m);
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
	settle_accepting(m);
	listeners_close(&m->listeners);
	log_event(LOG_NOTE, "master", "stopping", NULL);
	for (i = 0; i < m->connections.high; i++)
		if (m->connections.slot[i].state != CONNECTION_FREE)
			leave(&m->connections.slot[i], m->conf->shutdown_wait);
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
			end_by_force(c);
	}
}

static void
tick(struct master *m)
{
	int64_t now = clock_now();

	look_at_deadlines(m, now);
	if (m->resume_at != CLOCK_NEVER && now >= m->resume_at) {
		m->resume_at = CLOCK_NEVER;
		settle_accepting(m);
	}
	if (m->stopping)
		return;
	if (m->retry_at != CLOCK_NEVER && now >= m->retry_at && m->next == NULL) {
		begin_generation(m);
	} else if (now >= m->look_at) {
		m->look_at = now + MASTER_LOOK;
		if (m->now != NULL && m->next == NULL && generation_stale(m->now, m->conf)) {
			log_event(LOG_NOTE, "master", "certificate-changed", NULL);
			begin_generation(m);
		}
	}
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
			on_listener(m, event->data.u64 & ((1 << TAG_INDEX_BITS) - 1));
		break;
	case SOURCE_CONTROL:
		if (m->next != NULL) {
			unwatch(m, m->next->control);
			generation_on_control(m->next, m->conf);
		}
		break;
	case SOURCE_PEER:
		on_peer(m, c, event->events);
		break;
	case SOURCE_ASK:
		on_question(m, c);
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
		settle_generation(m);
		/* A first generation that fails is a failed start. */
		if (!m->started && m->now == NULL && m->next == NULL)
			return;
		if (m->stopping && clock_left(m->stop_at) == 0)
			for (i = 0; (size_t)i < m->connections.high; i++)
				if (m->connections.slot[i].state != CONNECTION_FREE)
					end_by_force(&m->connections.slot[i]);
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
	watch(m, m->signals, SOURCE_SIGNAL, 0, 0);
	m->resume_at = m->retry_at = CLOCK_NEVER;
	m->look_at = clock_in(MASTER_LOOK);
}

/* No connection is left, so a key process ends as soon as its control is closed. */
static void
end_generations(struct master *m)
{
	pid_t key = m->now != NULL ? m->now->key : -1;

	drop_next(m);
	generation_free(&m->now);
	if (key != -1)
		(void)waitpid(key, NULL, 0);
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
	if (find_users(&m, conf) == -1)
		return EXIT_FAILURE;
	begin(&m);
	begin_generation(&m); /* forks the key process before anything is open */
	if (listeners_set(&m.listeners, conf) > 0)
		return EXIT_FAILURE;
	loop(&m);
	end_generations(&m);
	listeners_close(&m.listeners);
	if (!m.started)
		return EXIT_FAILURE;
	log_event(LOG_NOTE, "master", "stopped", NULL);
	return EXIT_SUCCESS;
}
