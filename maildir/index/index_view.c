/*
 * index_view.c: the snapshot and what the log says of it, seen as one list.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/base/hash.h"
#include "maildir/index/index_private.h"

/* --- where a message is --- */

bool
index_place(struct index *index, uint32_t uid, uint32_t *place_r)
{
	size_t place = snapshot_find(&index->snap, uid);

	*place_r = (uint32_t)place;
	return place < index->snap.head.count && snapshot_uid(&index->snap, place) == uid;
}

void
index_where_place(struct index *index, uint32_t place, struct index_where *where_r)
{
	const struct index_place *changed = places_get(&index->changed, place);

	*where_r = (struct index_where){.place = place};
	if (changed != NULL) {
		where_r->at = changed->at;
		where_r->uid = snapshot_uid(&index->snap, place);
	}
}

/* Where that of a later one is. */
static struct index_where
where_added(const struct index_place *added)
{
	return (struct index_where){.at = added->at, .uid = added->place};
}

bool
index_where(struct index *index, uint32_t uid, struct index_where *where_r)
{
	const struct index_place *added;
	uint32_t place;

	if (index_place(index, uid, &place)) {
		index_where_place(index, place, where_r);
		return places_get(&index->gone, place) == NULL;
	}
	added = places_get(&index->added, uid);
	if (added != NULL)
		*where_r = where_added(added);
	return added != NULL;
}

/* A record of the log, or the message that begins with it; *size_r: how much there was of what was asked for. */
static bool
load_from_log(const struct index *index, const struct index_where *where, void *out, size_t room,
    size_t *size_r)
{
	const struct index_record *record = out;

	return index_log_payload(&index->log, where->at, LOG_PUT, out, room, size_r) &&
	       *size_r >= sizeof(*record) && index_record_is_sane(record) &&
	       record->uid == where->uid;
}

bool
index_load(struct index *index, const struct index_where *where, struct index_record *record_r)
{
	size_t size;

	if (where->at != 0 ? load_from_log(index, where, record_r, sizeof(*record_r), &size)
			   : snapshot_record(&index->snap, where->place, record_r))
		return true;
	index->broken = true;
	return false;
}

static bool
load_message(struct index *index, const struct index_where *where, struct index_message *message_r)
{
	struct index_record *record = &message_r->record;
	size_t size;
	bool good;

	if (where->at != 0)
		good = load_from_log(index, where, message_r, sizeof(*message_r), &size) &&
		       size >= sizeof(*record) + index_strings_size(record) &&
		       index_strings_are_sane(message_r);
	else
		good = snapshot_record(&index->snap, where->place, record) &&
		       snapshot_strings(&index->snap, message_r);
	index->broken = index->broken || !good;
	return good;
}

/* --- the list --- */

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
		where = where_added(&index->added.list[place - living]);
	return index_load(index, &where, record_r);
}

bool
index_message(struct index *index, uint32_t uid, struct index_message *message_r)
{
	struct index_where where;

	return index->open && index_where(index, uid, &where) &&
	       load_message(index, &where, message_r) && message_r->record.uid == uid;
}

size_t
index_find(struct index *index, uint32_t uid)
{
	size_t count = index->snap.head.count, place;

	if (!index->open)
		return 0;
	place = snapshot_find(&index->snap, uid);
	if (place < count)
		return place - places_find(&index->gone, (uint32_t)place);
	return count - index->gone.count + places_find(&index->added, uid);
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
	return places_get(&search->index->gone, (uint32_t)place) != NULL ||
	       !is_base(search, &where);
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
		const struct index_where where = where_added(&index->added.list[i]);

		if (index_load(index, &where, &record) && record.base_hash == hash)
			(void)is_base(&search, &where);
	}
	return search.uid;
}

static bool
is_unseen(struct index *index, const struct index_where *where)
{
	struct index_record record;

	return index_load(index, where, &record) && (record.flags & MAILDIR_SEEN) == 0;
}

size_t
index_first_unseen(struct index *index)
{
	const struct snapshot_head *head = &index->snap.head;
	const struct index_place *changed = index->changed.list;
	size_t count = index_count(index), place;
	struct index_record record;
	struct index_where where;

	if (index->unseen == 0)
		return count;
	/* Nothing below the snapshot's first is unseen, but what the log says. */
	place = head->unseen > 0 ? head->first_unseen : head->count;
	for (size_t i = 0; i < index->changed.count && changed[i].place < place; i++) {
		index_where_place(index, changed[i].place, &where);
		if (is_unseen(index, &where))
			place = changed[i].place;
	}
	place -= places_find(&index->gone, (uint32_t)place);
	while (place < count && index_record(index, place, &record) &&
	       (record.flags & MAILDIR_SEEN) != 0)
		place++;
	return place;
}

/* --- messages that vanished --- */

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

	for (size_t i = 0; i < index->snap.head.vanished; i++)
		if (snapshot_vanished(&index->snap, i, &vanished))
			see(ctx, &vanished);
	if (!index_log_walk(&index->log, vanish_take, &walk))
		index->broken = true;
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

/* --- all of it --- */

static void
see_nothing(void *ctx, const struct index_vanished *vanished)
{
	(void)ctx;
	(void)vanished;
}

bool
index_verify(struct index *index, size_t *structures_r)
{
	struct texts *texts = index_texts(index, false);
	struct index_message message;
	struct index_record record;
	bool structure;

	*structures_r = 0;
	for (size_t i = 0; i < index_count(index); i++) {
		if (!index_record(index, i, &record) || !index_message(index, record.uid, &message))
			return false;
		if (texts == NULL || record.text == 0)
			continue;
		if (!texts_are_whole(texts, record.text, record.uid, &structure))
			return false;
		*structures_r += structure;
	}
	index_each_vanished(index, see_nothing, NULL);
	return !index_is_broken(index);
}
