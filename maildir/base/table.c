/*
 * table.c: a hash table of places in somebody's array.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/table.h"

enum {
	TABLE_FIRST = 128, /* slots of the smallest table */
	TABLE_MAX = 1 << 30,
};

struct mdtable_slot {
	uint32_t hash;
	uint32_t place; /* place + 1; 0: the slot is free */
};

size_t
mdtable_find(const struct mdtable *table, uint32_t hash, bool (*is)(const void *ctx, size_t place),
    const void *ctx)
{
	if (table->slot == NULL)
		return TABLE_NONE;
	for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
		const struct mdtable_slot *slot = &table->slot[i];

		if (slot->place == 0)
			return TABLE_NONE;
		if (slot->hash == hash && is(ctx, slot->place - 1))
			return slot->place - 1;
	}
}

static void
put(struct mdtable_slot *slots, size_t mask, struct mdtable_slot slot)
{
	size_t i = slot.hash & mask;

	while (slots[i].place != 0)
		i = (i + 1) & mask;
	slots[i] = slot;
}

/* The table stays at most half full. */
static int
grow(struct mdtable *table)
{
	size_t size = table->slot == NULL ? TABLE_FIRST : (table->mask + 1) * 2;
	struct mdtable_slot *slots;

	if (table->slot != NULL && table->count * 2 <= table->mask)
		return 0;
	if (table->count >= TABLE_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	slots = calloc(size, sizeof(*slots));
	if (slots == NULL)
		return -1;
	for (size_t i = 0; table->slot != NULL && i <= table->mask; i++)
		if (table->slot[i].place != 0)
			put(slots, size - 1, table->slot[i]);
	free(table->slot);
	table->slot = slots;
	table->mask = size - 1;
	return 0;
}

int
mdtable_add(struct mdtable *table, uint32_t hash, size_t place)
{
	if (grow(table) < 0)
		return -1;
	put(table->slot, table->mask, (struct mdtable_slot){hash, (uint32_t)place + 1});
	table->count++;
	return 0;
}

void
mdtable_clear(struct mdtable *table)
{
	free(table->slot);
	memset(table, 0, sizeof(*table));
}
