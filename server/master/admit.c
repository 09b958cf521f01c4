/*
 * admit.c: a connection comes: limits, and a worker for it; and whether to accept at all.
 * Runs as: root (master).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/log.h"
#include "server/master/limits.h"
#include "server/master/master_state.h"
#include "server/process.h"
#include "server/protocol.h"
#include "tls/tls.h"

/* --- whether to accept --- */

void
admit_set(struct master *m, bool accepting)
{
	size_t i;

	if (m->accepting == accepting)
		return;
	for (i = 0; i < m->listeners.len; i++)
		if (accepting)
			events_watch(m, m->listeners.list[i].fd, SOURCE_LISTENER, i, 0);
		else
			events_unwatch(m, m->listeners.list[i].fd);
	m->accepting = accepting;
}

void
admit_settle(struct master *m)
{
	bool held = m->coming != NULL && clock_now() < m->hold_until;

	admit_set(m, !m->stopping && m->resume_at == CLOCK_NEVER && !held && m->serving != NULL &&
			 m->serving->state == CERTIFICATES_READY);
}

void
admit_pause(struct master *m, const char *what)
{
	log_event(LOG_WARN, "master", "pause", "what", what, "error", strerror(errno));
	m->resume_at = clock_in(MASTER_PAUSE);
	admit_settle(m);
}

void
admit_on_death(struct master *m, const struct connection *c)
{
	int64_t now = clock_now(), pause = MASTER_DEATH_PAUSE;
	struct log_line line;

	(void)limits_failed(c->by_network, now, m->conf->failure_delay);
	m->deaths = now - m->died_at > MASTER_DEATHS_QUIET ? 1 : m->deaths + 1;
	m->died_at = now;
	if (m->deaths <= MASTER_DEATHS)
		return;
	for (unsigned i = MASTER_DEATHS + 1; i < m->deaths && pause < MASTER_DEATH_PAUSE_MAX; i++)
		pause *= 2;
	log_begin(&line, LOG_ERROR, "master", "children-die");
	log_number(&line, "count", m->deaths);
	log_number(&line, "pause-ms", pause);
	log_text(&line, "what", "a fault in sallyport, and perhaps somebody who tries to use it");
	log_end(&line);
	m->resume_at = now + pause;
	admit_settle(m);
}

/* --- one connection --- */

/*
 * Whether a line of a kind may be logged: one a minute for an address, if there is one, MASTER_REFUSALS a minute in all.
 * The others are counted.
 */
static bool
may_log(struct log_limit *limit, struct tally *address)
{
	int64_t now = clock_now();

	admit_count_lines(limit, now);
	if (limit->until == CLOCK_NEVER)
		limit->until = now + MASTER_LOG_EVERY;
	if (limit->lines < MASTER_REFUSALS && (address == NULL || address->last_logged == -1 ||
						  now - address->last_logged >= MASTER_LOG_EVERY)) {
		limit->lines++;
		if (address != NULL)
			address->last_logged = now;
		return true;
	}
	limit->more++;
	return false;
}

void
admit_count_lines(struct log_limit *limit, int64_t now)
{
	struct log_line line;

	if (limit->until == CLOCK_NEVER || now < limit->until)
		return;
	if (limit->more > 0) {
		log_begin(&line, LOG_WARN, "master", limit->event);
		log_number(&line, "more", limit->more);
		log_end(&line);
	}
	limit->lines = 0;
	limit->more = 0;
	limit->until = CLOCK_NEVER;
}

/* Writes the address as text, and returns its port. */
static unsigned
name_address(const struct sockaddr_storage *address, char *text_r, socklen_t size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	text_r[0] = '\0';
	if (address->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, text_r, size);
		return ntohs(v4->sin_port);
	}
	(void)inet_ntop(AF_INET6, &v6->sin6_addr, text_r, size);
	return ntohs(v6->sin6_port);
}

/* Returns an id for the log, never 0. */
static uint32_t
new_id(void)
{
	static uint32_t id;

	do
		if (getrandom(&id, sizeof(id), 0) == -1)
			id++;
	while (id == 0);
	return id;
}

/*
 * Turns a connection away: no process, no row, no wait.  The words go out if the socket takes them, as an empty one
 * does; on a port of TLS they would be no answer.
 */
static void
refuse(struct master *m, int fd, const struct conf_listener *listener,
    const struct sockaddr_storage *address, const struct origin *origin, enum refusal why)
{
	static const char *const reasons[REFUSALS] = {
	    [REFUSE_FULL] = "connections in all",
	    [REFUSE_ADDRESS] = "connections of this address",
	};
	const char *words = listener->protocol->refusals[why];
	char text[INET6_ADDRSTRLEN];
	unsigned port;

	if (!listener->tls)
		(void)send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
	if (!may_log(&m->refusals, origin->address))
		return;
	port = name_address(address, text, sizeof(text));
	log_set_connection(new_id(), text, port);
	log_event(LOG_WARN, listener->protocol->name, "refused", "reason", reasons[why]);
	log_set_connection(0, "", 0);
}

static void
evict(struct master *m, struct connection *c)
{
	if (may_log(&m->refusals, c->by_address)) {
		log_set_connection(c->id, c->address, c->port);
		log_event(
		    LOG_WARN, c->protocol->name, "refused", "reason", "made room before login");
		log_set_connection(0, "", 0);
	}
	connection_leave(m, c, MASTER_PATIENCE);
	c->evicted = true;
	if (m->connections.evicted++ >= CONNECTIONS_EVICTED_MAX)
		connection_signal(m, c, SIGKILL);
}

/* Asks for a worker, which from then on is the only process that uses the client's socket.  false: there is none. */
static bool
start_worker(struct master *m, struct connection *c, int fd, const struct conf_listener *listener)
{
	const bool loopback = strncmp(c->address, "127.", 4) == 0 || strcmp(c->address, "::1") == 0;
	struct ipc_message message;
	int key = certificates_channel(m->serving, TLS_SIGNATURES, c->by_network->key, c->id),
	    pair[2], log, r;

	if (key == -1) {
		admit_pause(m, "channel to the key process");
		return false;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		admit_pause(m, "socketpair");
		close(key);
		return false;
	}
	spawner_begin_child(&message, IPC_SPAWN_WORKER, c);
	ipc_put_u8(&message, listener->tls);
	ipc_put_u8(&message, loopback);
	ipc_put_u32(&message, (uint32_t)clock_left(c->deadline));
	log = logs_channel(m, c, false);
	r = spawner_post(m, m->serving->workers, &message, (const int[]){fd, pair[1], key, log},
	    log != -1 ? 4 : 3);
	if (r == -1)
		admit_pause(m, "worker");
	close(pair[1]);
	close(key);
	if (log != -1)
		close(log);
	c->peer = pair[0];
	if (r == -1)
		return false;
	c->worker = m->serving->workers;
	m->spawner[c->worker].children++;
	events_watch_connection(m, c->peer, SOURCE_PEER, c);
	return true;
}

/* The log names the address that the client reached, as lip: a listener's own may be any. */
static void
log_connect(const struct connection *c, int fd, const struct conf_listener *listener)
{
	char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	unsigned port;

	memset(&local, 0, sizeof(local));
	if (getsockname(fd, (struct sockaddr *)&local, &len) == -1)
		local = listener->address;
	port = name_address(&local, address, sizeof(address));
	snprintf(
	    text, sizeof(text), local.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", address, port);
	log_event(LOG_NOTE, c->protocol->name, "connect", "lip", text);
}

/* Fills in a new row, and counts it for its origin. */
static void
begin_connection(struct master *m, struct connection *c, const struct conf_listener *listener,
    const struct sockaddr_storage *address, const struct origin *origin)
{
	uint32_t id;

	do /* an id names one connection */
		id = new_id();
	while (connections_by_id(&m->connections, id) != NULL);
	c->id = id;
	c->protocol = listener->protocol;
	c->deadline = clock_in(m->conf->login_timeout);
	c->port = name_address(address, c->address, sizeof(c->address));
	policy_enter(&m->policy, c, origin);
}

/*
 * A signature that was not for a handshake is what an attacker in a worker wants, and in TLS 1.3 the key process cannot tell.
 * So each one leaves a line that no worker writes: of a login, right or wrong, or this one.
 */
static void
log_signature(struct master *m, const struct connection *c)
{
	if (c->judged)
		return;
	certificates_on_control(m); /* what the key process has said before the worker ended */
	if (!c->has_signed || !may_log(&m->signatures, NULL))
		return;
	log_set_connection(c->id, c->address, c->port);
	log_event(LOG_NOTE, c->protocol->name, m->signatures.event);
	log_set_connection(0, "", 0);
}

void
admit_release(struct master *m, struct connection *c)
{
	log_signature(m, c);
	events_close(m, &c->peer);
	events_close(m, &c->ask);
	logs_forget(c);
	policy_leave(&m->policy, c);
	if (c->by_user != NULL)
		limits_leave(m->users, c->by_user);
	connections_release(&m->connections, c);
}

/* Accepts one connection; false if there is none, or if accepting has to pause. */
static bool
accept_one(struct master *m, int listen_fd, const struct conf_listener *listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct connection *c = NULL, *leaves;
	struct origin origin;
	enum refusal why;
	int fd;

	memset(&address, 0, sizeof(address));
	fd = accept4(listen_fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			admit_pause(m, "accept");
		return errno == ECONNABORTED || errno == EINTR;
	}
	origin = policy_origin(&m->policy, &address);
	why = policy_judge(m->conf, &m->connections, &origin, &leaves);
	if (why == REFUSE_NOTHING && (c = connections_take(&m->connections)) == NULL)
		why = REFUSE_FULL; /* those that make room have not left */
	if (c == NULL) {
		refuse(m, fd, listener, &address, &origin, why);
		return true;
	}
	if (leaves != NULL)
		evict(m, leaves);
	begin_connection(m, c, listener, &address, &origin);
	log_set_connection(c->id, c->address, c->port);
	log_connect(c, fd, listener);
	if (!start_worker(m, c, fd, listener))
		admit_release(m, c);
	log_set_connection(0, "", 0);
	close(fd);
	return m->accepting;
}

void
admit_on_listener(struct master *m, size_t index)
{
	int i;

	for (i = 0; i < MASTER_ACCEPTS && index < m->listeners.len; i++)
		if (!accept_one(m, m->listeners.list[index].fd, &m->listeners.list[index].what))
			break;
}
