/*
 * renew.c: certificates and their key process come, prove themselves, and replace those before.
 * Runs as: root (master).
 */
#include <stdbool.h>
#include <time.h>
#include <sys/wait.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/log.h"
#include "server/master/certificates.h"
#include "server/master/master_state.h"
#include "tls/tls.h"

static void
drop_coming(struct master *m)
{
	if (m->coming != NULL)
		events_close(m, &m->coming->control);
	certificates_free(&m->coming);
}

void
renew_begin(struct master *m)
{
	m->retry_at = CLOCK_NEVER;
	drop_coming(m);
	m->coming = certificates_new(m->conf, &m->roles);
	if (m->coming == NULL)
		fatal("master", "memory");
	else if (m->coming->state == CERTIFICATES_LOADING)
		events_watch(m, m->coming->control, SOURCE_CONTROL, 0, 0);
}

static void
log_certificates(const struct certificates *g)
{
	char text[LOG_VALUE_MAX];
	size_t i;

	for (i = 0; i < tls_server_count(g->tls); i++)
		if (tls_server_describe(g->tls, i, text, sizeof(text)) == 0)
			log_event(LOG_NOTE, "master", "certificate", "is", text);
}

/* At start and then daily, so that somebody who reads the log only now and then sees it in time. */
static void
warn(struct master *m, int64_t now)
{
	struct tls_findings findings;
	size_t i, k;

	m->warn_at = now + MASTER_WARN;
	for (i = 0; i < tls_server_count(m->serving->tls); i++) {
		tls_server_look(m->serving->tls, i, time(NULL), &findings);
		for (k = 0; k < findings.len; k++)
			log_event(findings.list[k].wrong ? LOG_ERROR : LOG_WARN, "master",
			    "certificate-problem", "what", findings.list[k].text);
	}
}

/* The next generation failed: what serves goes on; without one it is tried again. */
static void
give_up_coming(struct master *m)
{
	if (m->serving != NULL && m->serving->state == CERTIFICATES_READY) {
		log_event(LOG_WARN, "master", "keeping", "what", "the certificates in use");
		m->serving->print =
		    m->coming->print; /* these files are known: look when they change again */
	} else {
		m->retry_at = clock_in(MASTER_RETRY);
	}
	drop_coming(m);
}

static void
serve_coming(struct master *m)
{
	certificates_free(&m->serving);
	m->serving = m->coming;
	m->coming = NULL;
	log_certificates(m->serving);
	warn(m, clock_now());
	if (!m->started)
		log_event(LOG_NOTE, "master", "ready", "version", SALLYPORT_VERSION, "tls",
		    tls_library_version());
	m->started = true;
}

void
renew_settle(struct master *m)
{
	if (m->coming != NULL && m->coming->state == CERTIFICATES_READY)
		serve_coming(m);
	else if (m->coming != NULL && m->coming->state == CERTIFICATES_FAILED)
		give_up_coming(m);
	admit_settle(m);
}

void
renew_on_control(struct master *m)
{
	if (m->coming == NULL)
		return;
	events_unwatch(m, m->coming->control);
	certificates_on_control(m->coming, m->conf, &m->roles);
}

bool
renew_on_exit(struct master *m, pid_t pid, int status)
{
	if (m->coming != NULL && certificates_on_exit(m->coming, pid, status))
		return true;
	if (m->serving == NULL || !certificates_on_exit(m->serving, pid, status))
		return false;
	if (m->serving->state == CERTIFICATES_FAILED && !m->stopping) {
		log_event(LOG_ERROR, "master", "key-process-died", "next", "started again");
		m->retry_at = m->coming == NULL ? clock_now() : CLOCK_NEVER;
	}
	return true;
}

void
renew_tick(struct master *m, int64_t now)
{
	if (m->serving != NULL && now >= m->warn_at)
		warn(m, now);
	if (m->coming != NULL)
		return;
	if (m->retry_at != CLOCK_NEVER && now >= m->retry_at) {
		renew_begin(m);
	} else if (now >= m->look_at) {
		m->look_at = now + MASTER_LOOK;
		if (m->serving != NULL && certificates_stale(m->serving, m->conf)) {
			log_event(LOG_NOTE, "master", "certificate-changed");
			renew_begin(m);
		}
	}
}

/* No connection is left, so a key process ends as soon as its control is closed. */
void
renew_end(struct master *m)
{
	pid_t key = m->serving != NULL ? m->serving->key : -1;

	drop_coming(m);
	certificates_free(&m->serving);
	if (key != -1)
		(void)waitpid(key, NULL, 0);
}
