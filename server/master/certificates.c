/*
 * certificates.c: certificates and their key process are loaded, tested, replaced and watched.
 * Runs as: root (master).
 *
 * Certificates and the process that holds their keys start and end together.  master forks the key process,
 * which reads the keys, and reads the certificates itself; after that a self-test proves that signatures come
 * from the key process.  Certificates that pass it replace those in use; the old key process serves the
 * workers that it has, and ends with the last of them.  Nothing here waits: events tell what comes next.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/ipc.h"
#include "server/key/key.h"
#include "server/log.h"
#include "server/master/files.h"
#include "server/master/master_state.h"
#include "server/master/selftest.h"
#include "server/process.h"
#include "tls/tls.h"

/* --- the files --- */

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

static int
load(struct certificates *c, const struct conf *conf)
{
	struct tls_error error = {.text = "out of memory"};
	size_t i;

	c->tls = tls_server_new();
	for (i = 0; c->tls != NULL && i < conf->certificates_len; i++)
		if (tls_server_add(c->tls, conf->certificates[i].chain, &error) == -1)
			break;
	if (c->tls != NULL && i == conf->certificates_len && tls_server_ready(c->tls, &error) == 0)
		return 0;
	log_event(LOG_ERROR, "master", "certificate-wrong", "error", error.text);
	return -1;
}

/* --- the key process and the self-test --- */

static int
fork_key(struct master *m, struct certificates *c)
{
	c->key = process_fork(SOCK_SEQPACKET, &c->control);
	if (c->key == 0)
		key_main(m->conf, &m->service_users, c->control);
	if (c->key == -1)
		log_event(LOG_ERROR, "master", "no-key-process", "error", strerror(errno));
	return c->key == -1 ? -1 : 0;
}

int
certificates_channel(const struct certificates *c)
{
	struct ipc_message message;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	ipc_begin(&message, IPC_KEY_CHANNEL);
	if (ipc_send(c->control, &message, pair[1]) == -1) {
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}

static void
start_test(struct master *m, struct certificates *c)
{
	struct selftest_channels channels = {.len = 0};
	size_t i;
	int fd;

	for (i = 0; i < 2 * tls_server_count(c->tls); i++)
		if ((fd = certificates_channel(c)) != -1)
			channels.list[channels.len++] = fd;
	c->test = selftest_start(m->conf, &m->service_users, c->tls, &channels);
	c->state = c->test == -1 ? CERTIFICATES_FAILED : CERTIFICATES_TESTING;
}

/* The key process has answered, or ended: its first and only message on control. */
void
certificates_on_control(struct master *m)
{
	char wrong[512] = "the key process ended without a word";
	struct certificates *c = m->coming;
	struct ipc_message message;

	if (c == NULL)
		return;
	events_unwatch(m, c->control);
	if (c->state != CERTIFICATES_LOADING)
		return;
	if (ipc_recv(c->control, &message, 0, NULL) == 0 && ipc_open(&message) == IPC_KEY_READY) {
		ipc_get_string(&message, wrong, sizeof(wrong));
		if (ipc_done(&message) && wrong[0] == '\0') {
			start_test(m, c);
			return;
		}
	}
	log_event(LOG_ERROR, "master", "key-wrong", "error", wrong);
	c->state = CERTIFICATES_FAILED;
}

/* Returns whether pid was a process of c; its state then tells what the end meant. */
static bool
ended(struct certificates *c, pid_t pid, int status)
{
	if (c == NULL || (pid != c->key && pid != c->test))
		return false;
	if (pid == c->key) {
		c->key = -1;
		/* The last message of one that was loading is still in control. */
		if (c->state != CERTIFICATES_LOADING)
			c->state = CERTIFICATES_FAILED;
		return true;
	}
	c->test = -1;
	if (c->state != CERTIFICATES_TESTING)
		return true;
	c->state = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CERTIFICATES_READY
								 : CERTIFICATES_FAILED;
	if (c->state == CERTIFICATES_FAILED)
		log_event(LOG_ERROR, "master", "self-test-failed", "error",
		    "signatures do not come from the key process");
	return true;
}

bool
certificates_on_exit(struct master *m, pid_t pid, int status)
{
	if (ended(m->coming, pid, status))
		return true;
	if (!ended(m->serving, pid, status))
		return false;
	if (m->serving->state == CERTIFICATES_FAILED && !m->stopping) {
		log_event(LOG_ERROR, "master", "key-process-died", "next", "started again");
		m->retry_at = m->coming == NULL ? clock_now() : CLOCK_NEVER;
	}
	return true;
}

/* --- come, serve, go --- */

static void
drop(struct master *m, struct certificates **certificates)
{
	struct certificates *c = *certificates;

	if (c == NULL)
		return;
	events_close(m, &c->control);
	if (c->test != -1)
		(void)kill(c->test, SIGKILL);
	tls_server_free(&c->tls);
	free(c);
	*certificates = NULL;
}

static void
start(struct master *m, struct certificates *c)
{
	m->coming = c;
	c->test = -1;
	c->fingerprint = fingerprint(m->conf);
	/* The key process is forked first, so that it inherits as little as can be. */
	if (fork_key(m, c) == -1 || load(c, m->conf) == -1)
		c->state = CERTIFICATES_FAILED;
	else
		events_watch(m, c->control, SOURCE_CONTROL, 0, 0);
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

/* Once at the start and then daily, so that it is seen in time if the log is read rarely. */
static void
warn(struct master *m, int64_t now)
{
	struct tls_findings findings;
	size_t i, k;

	m->warn_at = now + MASTER_WARN;
	for (i = 0; i < tls_server_count(m->serving->tls); i++) {
		tls_server_findings(m->serving->tls, i, time(NULL), &findings);
		for (k = 0; k < findings.len; k++)
			log_event(findings.list[k].wrong ? LOG_ERROR : LOG_WARN, "master",
			    "certificate-problem", "what", findings.list[k].text);
	}
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
	char text[LOG_VALUE_MAX];
	size_t i;

	drop(m, &m->serving);
	m->serving = m->coming;
	m->coming = NULL;
	for (i = 0; i < tls_server_count(m->serving->tls); i++)
		if (tls_server_describe(m->serving->tls, i, text, sizeof(text)) == 0)
			log_event(LOG_NOTE, "master", "certificate", "is", text);
	warn(m, clock_now());
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
	if (m->serving != NULL && now >= m->warn_at)
		warn(m, now);
	if (m->coming != NULL)
		return;
	if (m->retry_at != CLOCK_NEVER && now >= m->retry_at) {
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
	/* No connection is left, so the key process ends as soon as its control is closed. */
	if (key != -1)
		(void)waitpid(key, NULL, 0);
}
