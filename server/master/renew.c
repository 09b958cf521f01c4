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
#include "server/master/generation.h"
#include "server/master/master_state.h"
#include "tls/tls.h"

static void
drop_next(struct master *m)
{
	if (m->next != NULL)
		master_close_watched(m, &m->next->control);
	generation_free(&m->next);
}

void
renew_begin(struct master *m)
{
	m->retry_at = CLOCK_NEVER;
	drop_next(m);
	m->next = generation_new(m->conf, &m->roles);
	if (m->next == NULL)
		fatal("master", "memory");
	else if (m->next->state == GENERATION_LOADING)
		master_watch(m, m->next->control, SOURCE_CONTROL, 0, 0);
}

static void
log_certificates(const struct generation *g)
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
	for (i = 0; i < tls_server_count(m->now->tls); i++) {
		tls_server_look(m->now->tls, i, time(NULL), &findings);
		for (k = 0; k < findings.len; k++)
			log_event(findings.list[k].wrong ? LOG_ERROR : LOG_WARN, "master",
			    "certificate-problem", "what", findings.list[k].text);
	}
}

/* The next generation failed: what serves goes on; without one it is tried again. */
static void
give_up_next(struct master *m)
{
	if (m->now != NULL && m->now->state == GENERATION_READY) {
		log_event(LOG_WARN, "master", "keeping", "what", "the certificates in use");
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
	warn(m, clock_now());
	if (!m->started)
		log_event(LOG_NOTE, "master", "ready", "version", SALLYPORT_VERSION, "tls",
		    tls_library_version());
	m->started = true;
}

void
renew_settle(struct master *m)
{
	if (m->next != NULL && m->next->state == GENERATION_READY)
		take_next(m);
	else if (m->next != NULL && m->next->state == GENERATION_FAILED)
		give_up_next(m);
	master_settle_accepting(m);
}

void
renew_on_control(struct master *m)
{
	if (m->next == NULL)
		return;
	master_unwatch(m, m->next->control);
	generation_on_control(m->next, m->conf, &m->roles);
}

bool
renew_on_exit(struct master *m, pid_t pid, int status)
{
	if (m->next != NULL && generation_on_exit(m->next, pid, status))
		return true;
	if (m->now == NULL || !generation_on_exit(m->now, pid, status))
		return false;
	if (m->now->state == GENERATION_FAILED && !m->stopping) {
		log_event(LOG_ERROR, "master", "key-process-died", "next", "started again");
		m->retry_at = m->next == NULL ? clock_now() : CLOCK_NEVER;
	}
	return true;
}

void
renew_tick(struct master *m, int64_t now)
{
	if (m->now != NULL && now >= m->warn_at)
		warn(m, now);
	if (m->next != NULL)
		return;
	if (m->retry_at != CLOCK_NEVER && now >= m->retry_at) {
		renew_begin(m);
	} else if (now >= m->look_at) {
		m->look_at = now + MASTER_LOOK;
		if (m->now != NULL && generation_stale(m->now, m->conf)) {
			log_event(LOG_NOTE, "master", "certificate-changed");
			renew_begin(m);
		}
	}
}

/* No connection is left, so a key process ends as soon as its control is closed. */
void
renew_end(struct master *m)
{
	pid_t key = m->now != NULL ? m->now->key : -1;

	drop_next(m);
	generation_free(&m->now);
	if (key != -1)
		(void)waitpid(key, NULL, 0);
}
