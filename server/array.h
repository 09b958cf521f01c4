/*
 * array.h: arrays that grow, and places found in sorted ones.
 */
#ifndef SERVER_ARRAY_H
#define SERVER_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes room for one more element, of size octets, in an array on the heap that holds count of them and has
 * room for *room.  A full array is doubled.  Returns the array, which may have moved.  Returns NULL if memory
 * is short: then the array and *room stay as they were.
 */
void *array_grow(void *array, size_t count, size_t *room, size_t size);

/*
 * Finds the first of count places for which before returns false; returns count if it is true for all.  before
 * must be true for some first places and false for all that follow.  The cost is logarithmic.
 */
size_t array_find(size_t count, bool (*before)(const void *ctx, size_t place), const void *ctx);

#endif
