/*
 * watch.c: what epoll watches for master, and whether connections are accepted.
 * Runs as: root (master).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/master/generation.h"
#include "server/master/master_state.h"

void
master_watch(struct master *m, int fd, enum source source, size_t index, uint32_t id)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.u64 =
	    (uint64_t)source << TAG_SOURCE_SHIFT | (uint64_t)id << TAG_INDEX_BITS | index;
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		fatal("master", "epoll_ctl");
}

void
master_watch_connection(struct master *m, int fd, enum source source, const struct connection *c)
{
	master_watch(m, fd, source, (size_t)(c - m->connections.slot), c->id);
}

void
master_unwatch(struct master *m, int fd)
{
	(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void
master_close_watched(struct master *m, int *fd)
{
	if (*fd == -1)
		return;
	/* A forked child may still have it open, and epoll watches what is open. */
	master_unwatch(m, *fd);
	close(*fd);
	*fd = -1;
}

void
master_set_accepting(struct master *m, bool accepting)
{
	size_t i;

	if (m->accepting == accepting)
		return;
	for (i = 0; i < m->listeners.len; i++)
		if (accepting)
			master_watch(m, m->listeners.list[i].fd, SOURCE_LISTENER, i, 0);
		else
			master_unwatch(m, m->listeners.list[i].fd);
	m->accepting = accepting;
}

/* Whether to accept depends on these alone. */
void
master_settle_accepting(struct master *m)
{
	master_set_accepting(m, !m->stopping && m->resume_at == CLOCK_NEVER && m->now != NULL &&
				    m->now->state == GENERATION_READY);
}

void
master_pause(struct master *m, const char *what)
{
	log_event(LOG_WARN, "master", "pause", "what", what, "error", strerror(errno));
	m->resume_at = clock_in(MASTER_PAUSE);
	master_settle_accepting(m);
}
