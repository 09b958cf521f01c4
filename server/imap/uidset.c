/*
 * uidset.c: a few UIDs of many, in a sorted array.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/bisect.h"
#include "server/imap/uidset.h"

struct finding {
	const struct uidset *set;
	uint32_t uid;
};

static bool
is_below(const void *ctx, size_t place)
{
	const struct finding *f = ctx;

	return f->set->uid[place] < f->uid;
}

size_t
uidset_below(const struct uidset *set, uint32_t uid)
{
	struct finding f = {set, uid};

	/* Most UIDs are added in rising order. */
	if (set->count > 0 && set->uid[set->count - 1] < uid)
		return set->count;
	return bisect(set->count, is_below, &f);
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
	size_t at = uidset_below(set, uid);
	uint32_t *grown;

	if (at < set->count && set->uid[at] == uid)
		return 0;
	grown = array_grow(set->uid, set->count, &set->room, sizeof(*grown));
	if (grown == NULL)
		return -1;
	set->uid = grown;
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
