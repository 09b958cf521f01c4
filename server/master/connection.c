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
	size_t size = max * sizeof(struct connection);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	(void)madvise(memory, size, MADV_DONTFORK);
	connections->slot = memory;
	connections->max = max;
	connections->high = connections->used = 0;
	return 0;
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
		c->state = CONNECTION_STRANGER;
		c->worker = c->reader = -1;
		c->peer = c->ask = -1;
		connections->used++;
		return c;
	}
	return NULL;
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

size_t
connections_before_login(struct connections *connections, struct connection **oldest_r)
{
	size_t n = 0, i;

	*oldest_r = NULL;
	for (i = 0; i < connections->high; i++) {
		struct connection *c = &connections->slot[i];

		n += c->state == CONNECTION_STRANGER || c->state == CONNECTION_ASKING;
		if (c->state == CONNECTION_STRANGER &&
		    (*oldest_r == NULL || c->deadline < (*oldest_r)->deadline))
			*oldest_r = c;
	}
	return n;
}
