/*
 * certificates.c: certificates, their key process and their outer spawner are loaded, tested, replaced and watched.
 * Runs as: root (master).
 *
 * Certificates, the process that holds their keys, and the spawner of the workers that use them start and end together.
 * master starts both processes; after they have loaded their files a self-test proves that signatures come from the key
 * process.  Certificates that pass it replace those in use; the old processes serve the workers that they have, and end
 * with the last of them.  Nothing here waits: events tell what comes next.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/ipc.h"
#include "server/log.h"
#include "server/master/files.h"
#include "server/master/master_state.h"
#include "tls/tls.h"

/* Returns one number for the state of all certificate and key files. */
static uint64_t
fingerprint(const struct conf *conf)
{
	uint64_t print = FILES_PRINT;
	size_t i;

	for (i = 0; i < conf->certificates_len; i++) {
		print = files_print(print, conf->certificates[i].chain);
		print = files_print(print, conf->certificates[i].key);
	}
	return print;
}

/* --- the processes --- */

int
certificates_channel(
    struct certificates *c, unsigned signatures, uint64_t network, uint32_t connection)
{
	struct ipc_message message;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	ipc_begin(&message, IPC_KEY_CHANNEL);
	ipc_put_u8(&message, (uint8_t)signatures);
	ipc_put_u32(&message, (uint32_t)(network >> 32));
	ipc_put_u32(&message, (uint32_t)network);
	ipc_put_u32(&message, connection);
	if (ipc_post(c->control, &message, &pair[1], 1) == 0) {
		c->stuck_at = CLOCK_NEVER;
	} else {
		if (c->stuck_at == CLOCK_NEVER)
			c->stuck_at = clock_now();
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}

static void
fail(struct certificates *c, const char *event, const char *error)
{
	log_event(LOG_ERROR, "master", event, "error", error);
	c->state = CERTIFICATES_FAILED;
}

/* After both processes have loaded their files the self-test begins. */
static void
settle_loading(struct master *m, struct certificates *c)
{
	struct ipc_message message;
	int fd;

	if (!c->key_said || !c->workers_ready)
		return;
	if (c->key_wrong[0] != '\0') {
		fail(c, "key-wrong", c->key_wrong);
		return;
	}
	/* Two handshakes with each certificate: TLS 1.2 and 1.3. */
	fd = certificates_channel(c, 2 * (unsigned)m->conf->certificates_len, 0, 0);
	ipc_begin(&message, IPC_SPAWN_SELFTEST);
	if (fd == -1 || spawner_post(m, c->workers, &message, &fd, 1) == -1)
		fail(c, "self-test-failed", "a process does not take its message");
	else
		c->state = CERTIFICATES_TESTING;
	if (fd != -1)
		close(fd);
}

static void
on_key_message(struct master *m, struct certificates *c, struct ipc_message *message)
{
	unsigned type = ipc_open(message);
	struct connection *connection;

	if (type == IPC_READY && !c->key_said) {
		ipc_get_string(message, c->key_wrong, sizeof(c->key_wrong));
		c->key_said = true;
		settle_loading(m, c);
	} else if (type == IPC_KEY_SIGNED) {
		connection = connections_by_id(&m->connections, ipc_get_u32(message));
		if (connection != NULL && ipc_done(message))
			connection->has_signed = true;
	}
}

static void
read_control(struct master *m, struct certificates *c)
{
	struct ipc_message message;

	/* A limit, so that no key process keeps master here: what is left is another event. */
	for (size_t i = 0; i < MASTER_EVENTS; i++) {
		if (ipc_recv(c->control, &message, 0, NULL) == 0) {
			on_key_message(m, c, &message);
			continue;
		}
		if (errno == ETIMEDOUT || errno == EINTR)
			return;
		events_close(m, &c->control);
		if (c->state == CERTIFICATES_LOADING && !c->key_said) {
			snprintf(c->key_wrong, sizeof(c->key_wrong),
			    "the key process ended without a word");
			c->key_said = true;
			settle_loading(m, c);
		}
		return;
	}
}

void
certificates_on_control(struct master *m)
{
	struct certificates *const both[] = {m->coming, m->serving};

	for (size_t i = 0; i < 2; i++)
		if (both[i] != NULL && both[i]->control != -1)
			read_control(m, both[i]);
}

void
certificates_on_ready(struct master *m, int spawner, const char *wrong)
{
	struct certificates *c = m->coming;

	if (c == NULL || c->workers != spawner || c->state != CERTIFICATES_LOADING)
		return;
	if (wrong[0] != '\0') {
		fail(c, "certificate-wrong", wrong);
		return;
	}
	c->workers_ready = true;
	settle_loading(m, c);
}

void
certificates_on_test(struct master *m, int spawner, uint32_t status)
{
	struct certificates *c = m->coming;

	if (c == NULL || c->workers != spawner || c->state != CERTIFICATES_TESTING)
		return;
	if (status == 0)
		c->state = CERTIFICATES_READY;
	else
		fail(c, "self-test-failed", "signatures do not come from the key process");
}

/* Gives up certificates that are not ready in time: a process was stopped, or waits for a file system. */
static void
give_up_late(struct master *m, struct certificates *c)
{
	fail(c, "certificates-late", "they were not loaded and tested in time");
	/* Neither would end by itself. */
	if (c->key != -1)
		(void)kill(c->key, SIGKILL);
	if (c->workers != -1)
		(void)kill(m->spawner[c->workers].pid, SIGKILL);
}

/* Puts the reason into the log and gives up certificates one of whose processes has ended. */
static void
lose(struct master *m, struct certificates *c, const char *event)
{
	if (c == m->coming) {
		if (c->state != CERTIFICATES_FAILED)
			fail(c, event, "it ended without a word");
		return;
	}
	c->state = CERTIFICATES_FAILED;
	if (m->stopping)
		return;
	log_event(LOG_ERROR, "master", event, "next", "started again");
	m->retry_at = m->coming == NULL ? clock_now() : CLOCK_NEVER;
}

bool
certificates_on_exit(struct master *m, pid_t pid)
{
	struct certificates *const both[] = {m->coming, m->serving};

	for (size_t i = 0; i < 2; i++) {
		struct certificates *c = both[i];

		if (c == NULL || c->key != pid)
			continue;
		c->key = -1;
		/* The last message of a process that was loading is still in control. */
		if (c->state != CERTIFICATES_LOADING)
			lose(m, c, "key-process-died");
		return true;
	}
	return false;
}

bool
certificates_on_spawner_exit(struct master *m, int spawner)
{
	struct certificates *const both[] = {m->coming, m->serving};

	for (size_t i = 0; i < 2; i++) {
		if (both[i] == NULL || both[i]->workers != spawner)
			continue;
		both[i]->workers = -1;
		lose(m, both[i], "spawner-died");
		return true;
	}
	return false;
}

/* --- come, serve, go --- */

static void
drop(struct master *m, struct certificates **certificates)
{
	struct certificates *c = *certificates;

	if (c == NULL)
		return;
	events_close(m, &c->control);
	spawner_retire(m, &c->workers);
	free(c);
	*certificates = NULL;
}

static void
start(struct master *m, struct certificates *c)
{
	m->coming = c;
	c->fingerprint = fingerprint(m->conf);
	c->workers = -1;
	c->stuck_at = CLOCK_NEVER;
	c->begun_at = clock_now();
	c->key = spawners_exec(m, "key", &c->control);
	if (c->key != -1) {
		events_watch(m, c->control, SOURCE_CONTROL, 0, 0);
		c->workers = spawner_start(m, SPAWNER_OUTER);
	}
	if (c->workers == -1)
		c->state = CERTIFICATES_FAILED;
}

void
certificates_begin(struct master *m)
{
	struct certificates *c = calloc(1, sizeof(*c));

	m->retry_at = CLOCK_NEVER;
	drop(m, &m->coming);
	if (c == NULL)
		fatal("master", "memory");
	else
		start(m, c);
}

/* Has the spawner log the problems of certificates.  Once at the start and then daily, so that they are seen in time if
 * the log is read rarely. */
static void
report(struct master *m, bool first, int64_t now)
{
	struct ipc_message message;

	m->warn_at = now + MASTER_WARN;
	ipc_begin(&message, IPC_SPAWN_REPORT);
	ipc_put_u8(&message, first);
	(void)spawner_post(m, m->serving->workers, &message, NULL, 0);
}

static void
log_ready(void)
{
	struct log_line line;

	log_begin(&line, LOG_NOTE, "master", "ready");
	log_text(&line, "version", SALLYPORT_VERSION);
	log_text(&line, "tls", tls_library_version());
	log_number(&line, "landlock", confine_landlock_version());
	log_end(&line);
}

static void
serve_coming(struct master *m)
{
	drop(m, &m->serving);
	m->serving = m->coming;
	m->coming = NULL;
	report(m, true, clock_now());
	if (!m->started)
		log_ready();
	m->started = true;
}

/* Those in use stay; without any, loading is tried again. */
static void
give_up_coming(struct master *m)
{
	if (m->serving != NULL && m->serving->state == CERTIFICATES_READY) {
		log_event(LOG_WARN, "master", "keeping", "what", "the certificates in use");
		m->serving->fingerprint = m->coming->fingerprint; /* until the files change again */
	} else {
		m->retry_at = clock_in(MASTER_RETRY);
	}
	drop(m, &m->coming);
}

void
certificates_settle(struct master *m)
{
	if (m->coming != NULL && m->coming->state == CERTIFICATES_READY)
		serve_coming(m);
	else if (m->coming != NULL && m->coming->state == CERTIFICATES_FAILED)
		give_up_coming(m);
	admit_settle(m);
}

void
certificates_tick(struct master *m, int64_t now)
{
	if (m->serving != NULL && m->serving->workers != -1 && now >= m->warn_at)
		report(m, false, now);
	if (m->coming != NULL) {
		if (now - m->coming->begun_at > MASTER_LOADING &&
		    m->coming->state < CERTIFICATES_READY)
			give_up_late(m, m->coming);
		return;
	}
	if (m->serving != NULL && m->serving->stuck_at != CLOCK_NEVER &&
	    now - m->serving->stuck_at > MASTER_STUCK) {
		log_event(LOG_ERROR, "master", "key-process-stuck", "next", "another is started");
		m->serving->stuck_at = CLOCK_NEVER;
		certificates_begin(m);
	} else if (m->retry_at != CLOCK_NEVER && now >= m->retry_at) {
		certificates_begin(m);
	} else if (now >= m->look_at) {
		m->look_at = now + MASTER_LOOK;
		if (m->serving != NULL && m->serving->fingerprint != fingerprint(m->conf)) {
			log_event(LOG_NOTE, "master", "certificate-changed");
			certificates_begin(m);
		}
	}
}

void
certificates_end(struct master *m)
{
	pid_t key = m->serving != NULL ? m->serving->key : -1;

	drop(m, &m->coming);
	drop(m, &m->serving);
	/* No connection is left.  The process may be stopped, and then would not end by itself. */
	if (key != -1) {
		(void)kill(key, SIGKILL);
		(void)waitpid(key, NULL, 0);
	}
}
