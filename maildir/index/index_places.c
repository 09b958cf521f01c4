/*
 * index_places.c: a sorted list of places.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/bisect.h"
#include "maildir/index/index_places.h"

struct places_search {
	const struct index_place *list;
	size_t wanted;
};

static bool
is_below(const void *ctx, size_t i)
{
	const struct places_search *search = ctx;

	return search->list[i].place < search->wanted;
}

size_t
places_find(const struct index_places *places, uint32_t place)
{
	const struct places_search search = {places->list, place};

	return bisect(places->count, is_below, &search);
}

static struct index_place *
item_at(const struct index_places *places, size_t i, uint32_t place)
{
	return i < places->count && places->list[i].place == place ? &places->list[i] : NULL;
}

const struct index_place *
places_get(const struct index_places *places, uint32_t place)
{
	return item_at(places, places_find(places, place), place);
}

bool
places_set(struct index_places *places, uint32_t place, uint64_t at)
{
	size_t i = places_find(places, place);
	struct index_place *item = item_at(places, i, place);

	if (item != NULL) {
		item->at = (uint32_t)at;
		return true;
	}
	item = array_grow(places->list, places->count, &places->room, sizeof(*item));
	if (item == NULL)
		return false;
	places->list = item;
	item += i;
	memmove(item + 1, item, (places->count - i) * sizeof(*item));
	*item = (struct index_place){place, (uint32_t)at};
	places->count++;
	return true;
}

void
places_unset(struct index_places *places, uint32_t place)
{
	size_t i = places_find(places, place);
	struct index_place *item = item_at(places, i, place);

	if (item == NULL)
		return;
	places->count--;
	memmove(item, item + 1, (places->count - i) * sizeof(*item));
}

void
places_clear(struct index_places *places)
{
	free(places->list);
	memset(places, 0, sizeof(*places));
}

/* Number i of the list has as many places beside the list below it as its place less i. */
static bool
has_few_beside(const void *ctx, size_t i)
{
	const struct places_search *search = ctx;

	return search->list[i].place - i <= search->wanted;
}

uint32_t
places_beside(const struct index_places *places, size_t n)
{
	const struct places_search search = {places->list, n};

	return (uint32_t)(n + bisect(places->count, has_few_beside, &search));
}
