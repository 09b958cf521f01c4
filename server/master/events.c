/*
 * events.c: what epoll watches for master.
 * Runs as: root (master).
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "server/log.h"
#include "server/master/master_state.h"

void
events_watch(struct master *m, int fd, enum event_source source, size_t index, uint32_t id)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.u64 =
	    (uint64_t)source << EVENT_SOURCE_SHIFT | (uint64_t)id << EVENT_INDEX_BITS | index;
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		fatal("master", "epoll_ctl");
}

void
events_watch_connection(
    struct master *m, int fd, enum event_source source, const struct connection *c)
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
	/* A forked child may still have it open, and epoll watches until the last copy is closed. */
	events_unwatch(m, *fd);
	close(*fd);
	*fd = -1;
}
