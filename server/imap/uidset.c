/*
 * uidset.c: a few UIDs of many, in a sorted array.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "server/imap/uidset.h"

size_t
uidset_below(const struct uidset *set, uint32_t uid)
{
	size_t low = 0, high = set->count;

	/* Most come in rising order. */
	if (high > 0 && set->uid[high - 1] < uid)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->uid[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
uidset_has(const struct uidset *set, uint32_t uid)
{
	size_t at = uidset_below(set, uid);

	return at < set->count && set->uid[at] == uid;
}

int
uidset_add(struct uidset *set, uint32_t uid)
{
	size_t at = uidset_below(set, uid), room;
	uint32_t *grown;

	if (at < set->count && set->uid[at] == uid)
		return 0;
	if (set->count == set->room) {
		room = set->room * 2 + 16;
		grown = reallocarray(set->uid, room, sizeof(*grown));
		if (grown == NULL)
			return -1;
		set->uid = grown;
		set->room = room;
	}
	memmove(set->uid + at + 1, set->uid + at, (set->count - at) * sizeof(*set->uid));
	set->uid[at] = uid;
	set->count++;
	return 0;
}

void
uidset_remove(struct uidset *set, uint32_t uid)
{
	size_t at = uidset_below(set, uid);

	if (at == set->count || set->uid[at] != uid)
		return;
	set->count--;
	memmove(set->uid + at, set->uid + at + 1, (set->count - at) * sizeof(*set->uid));
}

void
uidset_clear(struct uidset *set)
{
	free(set->uid);
	*set = (struct uidset){0};
}
