/*
 * events.c: what epoll watches for master, and whether connections are accepted.
 * Runs as: root (master).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/master/certificates.h"
#include "server/master/master_state.h"

void
events_watch(struct master *m, int fd, enum source source, size_t index, uint32_t id)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.u64 =
	    (uint64_t)source << TAG_SOURCE_SHIFT | (uint64_t)id << TAG_INDEX_BITS | index;
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		fatal("master", "epoll_ctl");
}

void
events_watch_connection(struct master *m, int fd, enum source source, const struct connection *c)
{
	events_watch(m, fd, source, (size_t)(c - m->connections.slot), c->id);
}

void
events_unwatch(struct master *m, int fd)
{
	(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void
events_close(struct master *m, int *fd)
{
	if (*fd == -1)
		return;
	/* A forked child may still have it open, and epoll watches what is open. */
	events_unwatch(m, *fd);
	close(*fd);
	*fd = -1;
}

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

/* Whether to accept depends on these alone. */
void
admit_settle(struct master *m)
{
	admit_set(m, !m->stopping && m->resume_at == CLOCK_NEVER && m->serving != NULL &&
			 m->serving->state == CERTIFICATES_READY);
}

void
admit_pause(struct master *m, const char *what)
{
	log_event(LOG_WARN, "master", "pause", "what", what, "error", strerror(errno));
	m->resume_at = clock_in(MASTER_PAUSE);
	admit_settle(m);
}
