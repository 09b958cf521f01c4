/*
 * array.h: arrays that grow, and places found in sorted ones.
 */
#ifndef SERVER_ARRAY_H
#define SERVER_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes room behind the count elements, of size octets each, of an array on the heap that has *room of
 * them; a full one is doubled.  Returns the array, which may have moved.  Returns NULL if memory is short:
 * then the array and *room stay as they were.
 */
void *array_grow(void *array, size_t count, size_t *room, size_t size);

/*
 * The first of count places that is not before what is looked for; count if all are.  before must be true
 * for the first places and false for all that follow.  The cost is logarithmic.
 */
size_t array_find(size_t count, bool (*before)(const void *ctx, size_t place), const void *ctx);

#endif
