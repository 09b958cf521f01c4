/*
 * table.h: a hash table, with open addressing, of places in an array of the caller.
 */
#ifndef MAILDIR_BASE_TABLE_H
#define MAILDIR_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NONE SIZE_MAX

/* A table of zeros is empty. */
struct mdtable {
	struct mdtable_slot *slot;
	size_t mask, count;
};

/* Returns the place with that hash for which is(ctx, place) returns true, or TABLE_NONE. */
size_t mdtable_find(const struct mdtable *table, uint32_t hash,
    bool (*is)(const void *ctx, size_t place), const void *ctx);

/* Adds a place; the caller has looked for it.  -1: ENOMEM, or EOVERFLOW above 2^30 places. */
int mdtable_add(struct mdtable *table, uint32_t hash, size_t place);

void mdtable_clear(struct mdtable *table);

#endif
