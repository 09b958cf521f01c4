/*
 * admit.c: a connection comes: limits, and a worker for it; and whether to accept at all.
 * Runs as: root (master).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

	if (c->by_address != NULL)
		limits_failed(c->by_address, now);
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

/* Logs a refusal, but not each one of a flood: an address has a line a minute. */
static void
log_refusal(struct tally *tally, const struct connection *c, const char *reason)
{
	struct tally once = {.last_logged = -1};
	int64_t now = clock_now();
	struct log_line line;

	if (tally == NULL)
		tally = &once;
	if (tally->last_logged != -1 && now - tally->last_logged < MASTER_LOG_EVERY) {
		tally->unlogged++;
		return;
	}
	log_begin(&line, LOG_WARN, c->protocol->name, "refused");
	log_text(&line, "reason", reason);
	if (tally->unlogged > 0)
		log_number(&line, "more", tally->unlogged);
	log_end(&line);
	tally->last_logged = now;
	tally->unlogged = 0;
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

/* Returns which limit the new connection c is over.  At the limit before login the oldest stranger goes. */
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
	if (connections_before_login(&m->connections, &oldest) <= (size_t)m->conf->max_before_login)
		return REFUSE_NOTHING;
	if (oldest != NULL && oldest != c) {
		log_set_connection(oldest->id, oldest->address, oldest->port);
		log_refusal(NULL, oldest, "made room before login");
		log_set_connection(c->id, c->address, c->port);
		connection_leave(m, oldest, MASTER_PATIENCE);
	}
	return REFUSE_NOTHING;
}

/* Asks for a worker, which from then on is the only process that uses the client's socket.  false: there is none. */
static bool
start_worker(struct master *m, struct connection *c, int fd, const struct conf_listener *listener,
    enum refusal refusal)
{
	const bool loopback = strncmp(c->address, "127.", 4) == 0 || strcmp(c->address, "::1") == 0;
	struct ipc_message message;
	int key = certificates_channel(m->serving, TLS_SIGNATURES), pair[2], r;

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
	ipc_put_u8(&message, (uint8_t)refusal);
	ipc_put_u32(&message, (uint32_t)clock_left(c->deadline));
	r = spawner_post(m, m->serving->workers, &message, (const int[]){fd, pair[1], key}, 3);
	if (r == -1)
		admit_pause(m, "worker");
	close(pair[1]);
	close(key);
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

/* Fills in a new row, and counts it against its address. */
static void
begin_connection(struct master *m, struct connection *c, const struct conf_listener *listener,
    const struct sockaddr_storage *address)
{
	unsigned char key[16];
	uint32_t id = 0;

	/* An id is not 0, and names one connection. */
	do
		if (getrandom(&id, sizeof(id), 0) == -1)
			id++;
	while (id == 0 || connections_by_id(&m->connections, id) != NULL);
	c->id = id;
	c->protocol = listener->protocol;
	c->deadline = clock_in(m->conf->login_timeout);
	c->port = name_address(address, c->address, sizeof(c->address));
	c->by_address = limits_get(m->addresses, key, limits_address_key(address, key));
	if (c->by_address != NULL)
		limits_enter(c->by_address);
}

void
admit_release(struct master *m, struct connection *c)
{
	events_close(m, &c->peer);
	events_close(m, &c->ask);
	if (c->by_address != NULL)
		limits_leave(c->by_address);
	if (c->by_user != NULL)
		limits_leave(c->by_user);
	c->state = CONNECTION_FREE;
	m->connections.used--;
}

/* Accepts one connection; false if there is none, or if accepting has to pause. */
static bool
accept_one(struct master *m, int listen_fd, const struct conf_listener *listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	enum refusal refusal;
	struct connection *c = NULL;
	int fd;

	memset(&address, 0, sizeof(address));
	fd = accept4(listen_fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			admit_pause(m, "accept");
		return errno == ECONNABORTED || errno == EINTR;
	}
	if (m->connections.used < (size_t)m->conf->max_connections + MASTER_REFUSERS)
		c = connections_take(&m->connections);
	if (c == NULL) { /* even those that are only refused are too many */
		close(fd);
		return true;
	}
	begin_connection(m, c, listener, &address);
	log_set_connection(c->id, c->address, c->port);
	log_connect(c, fd, listener);
	refusal = judge(m, c);
	if (refusal != REFUSE_NOTHING) {
		c->state = CONNECTION_LEAVING;
		c->kill_at = clock_in(MASTER_REFUSAL);
	}
	if (!start_worker(m, c, fd, listener, refusal))
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
