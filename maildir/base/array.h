/*
 * array.h: arrays that grow.
 */
#ifndef MAILDIR_BASE_ARRAY_H
#define MAILDIR_BASE_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/*
 * Makes room for one more element, of size octets, in an array on the heap that holds count of them and has room for
 * *room.  Returns the array, which may have moved; NULL: ENOMEM, and the array is as it was.
 */
static inline void *
array_grow(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room == 0 ? 32 : *room * 2;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (grown != NULL)
		*room = wanted;
	return grown;
}

#endif
