/*
 * index_places.c: a sorted list of places.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/index/index_places.h"

size_t
places_find(const struct index_places *places, uint32_t place)
{
	size_t low = 0, high = places->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (places->list[middle].place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
places_are(const struct index_places *places, size_t i, uint32_t place)
{
	return i < places->count && places->list[i].place == place;
}

bool
places_have(const struct index_places *places, uint32_t place)
{
	return places_are(places, places_find(places, place), place);
}

bool
places_set(struct index_places *places, uint32_t place, uint64_t at)
{
	size_t i = places_find(places, place);

	if (places_are(places, i, place)) {
		places->list[i].at = (uint32_t)at;
		return true;
	}
	if (places->count == places->room) {
		size_t room = places->room == 0 ? 16 : places->room * 2;
		struct index_place *grown = reallocarray(places->list, room, sizeof(*grown));

		if (grown == NULL)
			return false;
		places->list = grown;
		places->room = room;
	}
	memmove(
	    &places->list[i + 1], &places->list[i], (places->count - i) * sizeof(places->list[0]));
	places->list[i] = (struct index_place){place, (uint32_t)at};
	places->count++;
	return true;
}

void
places_unset(struct index_places *places, uint32_t place)
{
	size_t i = places_find(places, place);

	if (!places_are(places, i, place))
		return;
	places->count--;
	memmove(
	    &places->list[i], &places->list[i + 1], (places->count - i) * sizeof(places->list[0]));
}

void
places_clear(struct index_places *places)
{
	free(places->list);
	memset(places, 0, sizeof(*places));
}

uint32_t
places_beside(const struct index_places *places, size_t n)
{
	size_t low = 0, high = places->count;

	/* Number k of the list has k of it below. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (places->list[middle].place - middle <= n)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)(n + low);
}
