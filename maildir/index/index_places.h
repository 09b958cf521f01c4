/*
 * index_places.h: a sorted list of messages, each with where the log speaks of it.
 */
#ifndef MAILDIR_INDEX_INDEX_PLACES_H
#define MAILDIR_INDEX_INDEX_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_place {
	uint32_t place; /* in the snapshot, or the UID of a later message */
	uint32_t at;	/* in the log */
};

struct index_places {
	struct index_place *list; /* by rising place, each once */
	size_t count, room;
};

/* Returns how many items of the list are below the place. */
size_t places_find(const struct index_places *places, uint32_t place);
/* Returns the item of that place, or NULL. */
const struct index_place *places_get(const struct index_places *places, uint32_t place);
/* Adds an item, or changes its at.  Returns false on ENOMEM. */
bool places_set(struct index_places *places, uint32_t place, uint64_t at);
void places_unset(struct index_places *places, uint32_t place);
void places_clear(struct index_places *places);

/* Returns the n-th, from 0, of all places that are not in the list. */
uint32_t places_beside(const struct index_places *places, size_t n);

#endif
