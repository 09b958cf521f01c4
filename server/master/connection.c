/*
 * connection.c: master's table of connections.
 * Runs as: root (master).
 */
#include <string.h>
#include <sys/mman.h>

#include "server/master/connection.h"

int
connections_init(struct connections *connections, size_t max)
{
	size_t size = max * (sizeof(struct connection) + sizeof(struct connection *));
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	(void)madvise(memory, size, MADV_DONTFORK);
	connections->slot = memory;
	connections->waiting = (struct connection **)(void *)(connections->slot + max);
	connections->max = max;
	connections->high = connections->used = connections->evicted = 0;
	connections->waiting_len = 0;
	return 0;
}

static bool
before_login(enum connection_state state)
{
	return state == CONNECTION_STRANGER || state == CONNECTION_ASKING;
}

void
connections_change(
    struct connections *connections, struct connection *c, enum connection_state state)
{
	struct connection *last;

	if (!before_login(c->state) && before_login(state)) {
		c->place = connections->waiting_len;
		connections->waiting[connections->waiting_len++] = c;
	} else if (before_login(c->state) && !before_login(state)) {
		last = connections->waiting[--connections->waiting_len];
		connections->waiting[c->place] = last;
		last->place = c->place;
	}
	c->state = state;
}

struct connection *
connections_take(struct connections *connections)
{
	size_t i;

	for (i = 0; i < connections->max; i++) {
		struct connection *c = &connections->slot[i];

		if (c->state != CONNECTION_FREE)
			continue;
		if (i >= connections->high)
			connections->high = i + 1;
		memset(c, 0, sizeof(*c));
		connections_change(connections, c, CONNECTION_STRANGER);
		c->worker = c->reader = -1;
		c->peer = c->ask = c->worker_log = c->reader_log = -1;
		connections->used++;
		return c;
	}
	return NULL;
}

void
connections_release(struct connections *connections, struct connection *c)
{
	connections_change(connections, c, CONNECTION_FREE);
	connections->used--;
	connections->evicted -= c->evicted;
	c->evicted = false;
}

struct connection *
connections_by_id(struct connections *connections, uint32_t id)
{
	size_t i;

	for (i = 0; i < connections->high; i++) {
		struct connection *c = &connections->slot[i];

		if (c->state != CONNECTION_FREE && c->id == id)
			return c;
	}
	return NULL;
}
