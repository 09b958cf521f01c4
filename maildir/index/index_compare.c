/*
 * index_compare.c: what has become of the messages of a list that was replaced.
 * Runs as: mail user.
 *
 * A session has told its client of messages by their places in the old list; what is different in the new one it
 * must hear of, or else that nothing holds any more.
 */
#include "maildir/index/index.h"
#include "maildir/index/index_compare.h"

struct between {
	uint32_t low, high;
	bool found;
};

static void
see_between(void *ctx, const struct index_vanished *vanished)
{
	struct between *between = ctx;

	between->found =
	    between->found || (vanished->uid > between->low && vanished->uid < between->high);
}

/* Whether none that vanished, and might be back, is between two UIDs. */
static bool
none_vanished(struct index *old, uint32_t low, uint32_t high)
{
	struct between between = {.low = low, .high = high};
	bool damaged = old->damaged;

	old->damaged = false;
	index_each_vanished(old, see_between, &between);
	if (old->damaged)
		between.found = true;
	old->damaged = old->damaged || damaged;
	return !between.found;
}

/*
 * Messages of the old list from *i on cannot be read, after the UID low.  If there are as many in the new one up to
 * the next that can be read, they are the same; what has become of their flags is not known.  false: it cannot be
 * told who they were.
 */
static bool
compare_damaged(struct index *old, struct index *now, uint32_t low, size_t *i, size_t *j)
{
	size_t olds = index_count(old), first = *j, count = 0;
	uint32_t high = old->state.next;
	struct index_record record;

	while (*i < olds && !index_record(old, *i, &record)) {
		++*i;
		count++;
	}
	if (*i < olds)
		high = record.uid;
	*j = index_find(now, high);
	if (*j < first || *j - first != count || !none_vanished(old, low, high))
		return false;
	for (size_t place = first; place < *j; place++) {
		if (!index_record(now, place, &record) || record.uid <= low || record.uid >= high)
			return false;
		index_tell(now, MAILDIR_CHANGED, record.uid);
	}
	return true;
}

/* Compares two lists and tells what has become of the messages of the first.  false: that cannot be told. */
static bool
compare_lists(struct index *old, struct index *now)
{
	size_t olds = index_count(old), news = index_count(now), i = 0, j = 0;
	struct index_record was = {0}, is = {0};

	while (i < olds || j < news) {
		uint32_t low = was.uid;

		if (i < olds && !index_record(old, i, &was)) {
			was.uid = low;
			if (!compare_damaged(old, now, low, &i, &j))
				return false;
			continue;
		}
		if (j < news && !index_record(now, j, &is))
			return false;
		if (j == news || (i < olds && was.uid < is.uid)) {
			index_tell(now, MAILDIR_GONE, was.uid);
			i++;
		} else if (i == olds || is.uid < was.uid) {
			if (is.uid < now->known)
				index_tell(now, MAILDIR_BACK, is.uid);
			j++;
		} else {
			if (!index_same_marks(&was, &is))
				index_tell(now, MAILDIR_CHANGED, is.uid);
			i++;
			j++;
		}
	}
	return true;
}

void
index_compare(struct index *old, struct index *now)
{
	if (old->open &&
	    (old->snap.head.validity != now->snap.head.validity || !compare_lists(old, now)))
		index_tell(now, MAILDIR_ANEW, 0);
}
