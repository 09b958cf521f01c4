/*
 * bisect.h: the one binary search.
 */
#ifndef MAILDIR_BASE_BISECT_H
#define MAILDIR_BASE_BISECT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Gives the first of count places that is not before what is looked for, or count.  The places are sorted:
 * before(ctx, place) returns true for those up to some place, and false for the rest.
 */
static inline size_t
bisect(size_t count, bool (*before)(const void *ctx, size_t place), const void *ctx)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (before(ctx, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
