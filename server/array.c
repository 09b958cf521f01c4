/*
 * array.c: arrays that grow, and places found in sorted ones.
 * Runs as: worker, and mail user in the reader.
 */
#include <stdlib.h>

#include "server/array.h"

enum { ROOM_FIRST = 16 }; /* elements that an array begins with */

void *
array_grow(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room == 0 ? ROOM_FIRST : 2 * *room;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (grown != NULL)
		*room = wanted;
	return grown;
}

size_t
array_find(size_t count, bool (*before)(const void *ctx, size_t place), const void *ctx)
{
	size_t low = 0, high = count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (before(ctx, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
