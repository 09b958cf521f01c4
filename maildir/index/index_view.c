/*
 * index_view.c: the snapshot and what the log says of it, seen as one list.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/index/index.h"
#include "maildir/index/index_view.h"

/* --- where a message is --- */

void
index_where_place(const struct index *index, uint32_t place, struct index_where *where_r)
{
	size_t i = places_find(&index->changed, place);

	*where_r = (struct index_where){.place = place};
	if (places_are(&index->changed, i, place)) {
		where_r->in_log = true;
		where_r->at = index->changed.list[i].at;
		where_r->uid = snapshot_uid(&index->snap, place);
	}
}

/* A search believes the UIDs that it meets, and other octets may have been written over the file. */
bool
index_place(struct index *index, uint32_t uid, uint32_t *place_r)
{
	size_t place = snapshot_find(&index->snap, uid);
	struct index_record record;

	if (place >= index->snap.head.count || snapshot_uid(&index->snap, place) != uid)
		return false;
	*place_r = (uint32_t)place;
	if (snapshot_record(&index->snap, place, &record) && record.uid == uid)
		return true;
	index->damaged = true;
	return false;
}

/* Where that of a later one is. */
static struct index_where
where_added(const struct index *index, size_t i)
{
	const struct index_place *added = &index->added.list[i];

	return (struct index_where){.in_log = true, .at = added->at, .uid = added->place};
}

bool
index_where(struct index *index, uint32_t uid, struct index_where *where_r)
{
	uint32_t place;
	size_t i;

	if (index_place(index, uid, &place)) {
		index_where_place(index, place, where_r);
		return !places_have(&index->gone, place);
	}
	i = places_find(&index->added, uid);
	if (!places_are(&index->added, i, uid))
		return false;
	*where_r = where_added(index, i);
	return true;
}

/*
 * A record of the log, or the message that begins with it.  An older log may have been put back, and others
 * gone on with that: so it may be another message's.
 */
static bool
log_load(const struct index *index, const struct index_where *where, void *out, size_t size)
{
	const struct index_record *record = out;

	return index_log_payload(&index->log, where->at, LOG_PUT, out, size) &&
	       record->uid == where->uid;
}

bool
index_load(struct index *index, const struct index_where *where, struct index_record *record_r)
{
	if (where->in_log ? log_load(index, where, record_r, sizeof(*record_r))
			  : snapshot_record(&index->snap, where->place, record_r))
		return true;
	index->damaged = true;
	return false;
}

static bool
load_message(struct index *index, const struct index_where *where, struct index_message *message_r)
{
	bool good;

	if (where->in_log)
		good = log_load(index, where, message_r, sizeof(*message_r)) &&
		       index_strings_size(&message_r->record) <= sizeof(message_r->strings);
	else
		good = snapshot_record(&index->snap, where->place, &message_r->record) &&
		       snapshot_strings(&index->snap, message_r);
	if (good)
		return true;
	index->damaged = true;
	return false;
}

size_t
index_count(const struct index *index)
{
	return index->open ? index->snap.head.count - index->gone.count + index->added.count : 0;
}

bool
index_record(struct index *index, size_t place, struct index_record *record_r)
{
	size_t living = index->snap.head.count - index->gone.count;
	struct index_where where;

	if (place >= index_count(index))
		return false;
	if (place < living)
		index_where_place(index, places_beside(&index->gone, place), &where);
	else
		where = where_added(index, place - living);
	return index_load(index, &where, record_r);
}

bool
index_message(struct index *index, uint32_t uid, struct index_message *message_r)
{
	struct index_where where;

	if (!index->open || !index_where(index, uid, &where) ||
	    !load_message(index, &where, message_r))
		return false;
	if (message_r->record.uid == uid)
		return true;
	index->damaged = true;
	return false;
}

size_t
index_find(const struct index *index, uint32_t uid)
{
	size_t place;

	if (!index->open)
		return 0;
	place = snapshot_find(&index->snap, uid);
	if (place < index->snap.head.count)
		return place - places_find(&index->gone, (uint32_t)place);
	return index->snap.head.count - index->gone.count + places_find(&index->added, uid);
}

bool
index_find_holds(struct index *index, uint32_t uid)
{
	size_t at = index_find(index, uid);
	struct index_record beside;

	if (at > 0 && (!index_record(index, at - 1, &beside) || beside.uid >= uid))
		return false;
	return at == index_count(index) || (index_record(index, at, &beside) && beside.uid >= uid);
}

struct base_search {
	struct index *index;
	const char *base;
	size_t len;
	uint32_t uid;
};

static bool
is_base(struct base_search *search, const struct index_where *where)
{
	struct index_message message;

	if (!load_message(search->index, where, &message) ||
	    message.record.base_len != search->len ||
	    memcmp(message.strings, search->base, search->len) != 0)
		return false;
	search->uid = message.record.uid;
	return true;
}

static bool
try_place(void *ctx, size_t place)
{
	struct base_search *search = ctx;
	struct index_where where;

	index_where_place(search->index, (uint32_t)place, &where);
	return places_have(&search->index->gone, (uint32_t)place) || !is_base(search, &where);
}

uint32_t
index_by_base(struct index *index, const char *base, size_t len)
{
	uint32_t hash = index_base_hash(index, base, len);
	struct base_search search = {index, base, len, 0};
	struct index_record record;

	if (!index->open)
		return 0;
	snapshot_by_hash(&index->snap, hash, try_place, &search);
	for (size_t i = 0; i < index->added.count && search.uid == 0; i++) {
		const struct index_where where = where_added(index, i);

		if (index_load(index, &where, &record) && record.base_hash == hash)
			(void)is_base(&search, &where);
	}
	return search.uid;
}

size_t
index_first_unseen(struct index *index)
{
	const struct index_place *changed = index->changed.list;
	size_t count = index_count(index), place;
	struct index_record record;
	struct index_where where;

	if (index->unseen == 0)
		return count;
	place =
	    index->snap.head.unseen > 0 ? index->snap.head.first_unseen : index->snap.head.count;
	for (size_t i = 0; i < index->changed.count && changed[i].place < place; i++) {
		index_where_place(index, changed[i].place, &where);
		if (index_load(index, &where, &record) && (record.flags & MAILDIR_SEEN) == 0)
			place = changed[i].place;
	}
	place -= places_find(&index->gone, (uint32_t)place);
	for (; place < count; place++)
		if (index_record(index, place, &record) && (record.flags & MAILDIR_SEEN) == 0)
			break;
	return place;
}

/* --- who vanished --- */

/* What is done with each of them, as they vanished. */
struct vanish_walk {
	void (*see)(void *ctx, const struct index_vanished *vanished);
	void *ctx;
};

static void
vanish_take(void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at)
{
	const struct vanish_walk *walk = ctx;
	struct index_vanished vanished;

	(void)at;
	if (type != LOG_GONE || size < sizeof(vanished))
		return;
	memcpy(&vanished, payload, sizeof(vanished));
	walk->see(walk->ctx, &vanished);
}

void
index_each_vanished(
    struct index *index, void (*see)(void *ctx, const struct index_vanished *vanished), void *ctx)
{
	struct vanish_walk walk = {see, ctx};
	struct index_vanished vanished;

	for (size_t i = 0; i < index->snap.head.vanished; i++) {
		if (snapshot_vanished(&index->snap, i, &vanished))
			see(ctx, &vanished);
		else
			index->damaged = true;
	}
	if (!index_log_walk(&index->log, vanish_take, &walk))
		index->damaged = true;
}

uint32_t
index_base_hash(const struct index *index, const char *base, size_t len)
{
	return hash32(index->snap.head.seed, base, len);
}

static int
hash_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct hash_search {
	const uint32_t *hashes; /* sorted */
	size_t count;
	bool found;
};

static void
see_hash(void *ctx, const struct index_vanished *vanished)
{
	struct hash_search *search = ctx;

	search->found =
	    search->found || bsearch(&vanished->base_hash, search->hashes, search->count,
				 sizeof(*search->hashes), hash_compare) != NULL;
}

bool
index_knew_any(struct index *index, uint32_t *hashes, size_t count)
{
	struct hash_search search = {hashes, count, false};

	if (count == 0)
		return false;
	qsort(hashes, count, sizeof(*hashes), hash_compare);
	index_each_vanished(index, see_hash, &search);
	return search.found;
}

struct vanished_since {
	struct index *index;
	uint64_t since;
	void (*each)(void *ctx, uint32_t uid);
	void *ctx;
};

static void
see_since(void *ctx, const struct index_vanished *vanished)
{
	const struct vanished_since *since = ctx;
	struct index_where where;

	if (vanished->modseq > since->since && !index_where(since->index, vanished->uid, &where))
		since->each(since->ctx, vanished->uid);
}

bool
index_vanished(
    struct index *index, uint64_t since, void (*each)(void *ctx, uint32_t uid), void *ctx)
{
	struct vanished_since see = {index, since, each, ctx};

	if (!index->open || since < index->snap.head.vanished_since)
		return false;
	index_each_vanished(index, see_since, &see);
	return true;
}
