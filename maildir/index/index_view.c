/*
 * index_view.c: the snapshot and what the log says of it, seen as one list.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/base/hash.h"
#include "maildir/index/index_private.h"

/* --- where a message is --- */

/* Returns where the record for a place of the snapshot lies; uid: of that message, or 0 if it is not known. */
static struct index_where
where_place(struct index *index, size_t place, uint32_t uid)
{
	const struct index_place *changed = places_get(&index->changed, (uint32_t)place);

	if (uid == 0 && changed != NULL)
		uid = snapshot_uid(&index->snap, place);
	return (struct index_where){
	    .in_snapshot = true,
	    .place = (uint32_t)place,
	    .at = changed != NULL ? changed->at : 0,
	    .uid = uid,
	};
}

/* The same for a message that came after the snapshot. */
static struct index_where
where_added(const struct index_place *added)
{
	return (struct index_where){.at = added->at, .uid = added->place};
}

/* The same for a place of the list. */
static struct index_where
where_listed(struct index *index, size_t place)
{
	size_t living = index->snap.head.count - index->gone.count;

	return place < living ? where_place(index, places_beside(&index->gone, place), 0)
			      : where_added(&index->added.list[place - living]);
}

bool
index_where(struct index *index, uint32_t uid, struct index_where *where_r)
{
	size_t place = snapshot_find(&index->snap, uid);
	const struct index_place *added;

	if (place < index->snap.head.count && snapshot_uid(&index->snap, place) == uid) {
		*where_r = where_place(index, place, uid);
		return places_get(&index->gone, (uint32_t)place) == NULL;
	}
	added = places_get(&index->added, uid);
	*where_r = added != NULL ? where_added(added) : (struct index_where){.uid = uid};
	return added != NULL;
}

/* Copies a record to out, and from the log its strings as well, as far as they fit.  *size_r is how many octets. */
static bool
load_record(
    struct index *index, const struct index_where *where, void *out, size_t room, size_t *size_r)
{
	const struct index_record *record = out;

	*size_r = sizeof(*record);
	return (where->at == 0
		       ? snapshot_record(&index->snap, where->place, out)
		       : index_log_payload(&index->log, where->at, LOG_PUT, out, room, size_r) &&
			     *size_r >= sizeof(*record) && index_record_is_sane(record)) &&
	       (record->uid == where->uid || where->uid == 0);
}

bool
index_load(struct index *index, const struct index_where *where, struct index_record *record_r)
{
	size_t size;

	if (load_record(index, where, record_r, sizeof(*record_r), &size))
		return true;
	index->broken = true;
	return false;
}

static bool
load_message(struct index *index, const struct index_where *where, struct index_message *message_r)
{
	const struct index_record *record = &message_r->record;
	size_t size;

	if (load_record(index, where, message_r, sizeof(*message_r), &size) &&
	    (where->at == 0 ? snapshot_strings(&index->snap, message_r)
			    : size >= sizeof(*record) + index_strings_size(record) &&
				  index_strings_are_sane(message_r)))
		return true;
	index->broken = true;
	return false;
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
	struct index_where where;

	if (place >= index_count(index))
		return false;
	where = where_listed(index, place);
	return index_load(index, &where, record_r);
}

bool
index_message_at(struct index *index, size_t place, struct index_message *message_r)
{
	struct index_where where;

	if (place >= index_count(index))
		return false;
	where = where_listed(index, place);
	return load_message(index, &where, message_r);
}

bool
index_message(struct index *index, uint32_t uid, struct index_message *message_r)
{
	struct index_where where;

	return index->open && index_where(index, uid, &where) &&
	       load_message(index, &where, message_r);
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

/* The UID of the message at where, if it has that base name; or 0. */
static uint32_t
uid_of_base(struct index *index, const struct index_where *where, const char *base, size_t len)
{
	struct index_message message;
	bool same = load_message(index, where, &message) && message.record.base_len == len &&
		    memcmp(message.strings, base, len) == 0;

	return same ? message.record.uid : 0;
}

uint32_t
index_by_base(struct index *index, const char *base, size_t len)
{
	uint32_t hash = index_base_hash(index, base, len), uid = 0;
	struct index_record record;
	struct index_where where;
	uint64_t tried = 0;
	size_t place;

	if (!index->open)
		return 0;
	while (uid == 0 && snapshot_next_of_hash(&index->snap, hash, &tried, &place)) {
		where = where_place(index, place, 0);
		if (places_get(&index->gone, (uint32_t)place) == NULL)
			uid = uid_of_base(index, &where, base, len);
	}
	for (size_t i = 0; i < index->added.count && uid == 0; i++) {
		where = where_added(&index->added.list[i]);
		if (index_load(index, &where, &record) && record.base_hash == hash)
			uid = uid_of_base(index, &where, base, len);
	}
	return uid;
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
	/* Below the snapshot's first unseen message only the log can have unseen ones. */
	place = head->unseen > 0 ? head->first_unseen : head->count;
	for (size_t i = 0; i < index->changed.count && changed[i].place < place; i++) {
		where = where_place(index, changed[i].place, 0);
		if (index_load(index, &where, &record) && (record.flags & MAILDIR_SEEN) == 0)
			place = changed[i].place;
	}
	place -= places_find(&index->gone, (uint32_t)place);
	while (place < count && index_record(index, place, &record) &&
	       (record.flags & MAILDIR_SEEN) != 0)
		place++;
	return place;
}

/* --- messages that vanished --- */

bool
index_next_vanished(struct index *index, struct index_walk *walk, struct index_vanished *vanished_r)
{
	int r;

	while (walk->number < index->snap.head.vanished)
		if (snapshot_vanished(&index->snap, walk->number++, vanished_r))
			return true;
	r = index_log_next(&index->log, &walk->at, LOG_GONE, vanished_r, sizeof(*vanished_r));
	index->broken = index->broken || r < 0;
	return r > 0;
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

bool
index_knew_any(struct index *index, uint32_t *hashes, size_t count)
{
	struct index_walk walk = {0};
	struct index_vanished vanished;

	if (count == 0)
		return false;
	qsort(hashes, count, sizeof(*hashes), hash_compare);
	while (index_next_vanished(index, &walk, &vanished))
		if (bsearch(&vanished.base_hash, hashes, count, sizeof(*hashes), hash_compare) !=
		    NULL)
			return true;
	return false;
}

bool
index_vanished(
    struct index *index, uint64_t since, void (*each)(void *ctx, uint32_t uid), void *ctx)
{
	struct index_walk walk = {0};
	struct index_vanished vanished;
	struct index_where where;

	if (!index->open || since < index->snap.head.vanished_since)
		return false;
	while (index_next_vanished(index, &walk, &vanished))
		if (vanished.modseq > since && !index_where(index, vanished.uid, &where))
			each(ctx, vanished.uid);
	return true;
}

/* --- verifying --- */

bool
index_verify(struct index *index, size_t *structures_r)
{
	struct summaries *summaries = index_summaries(index, false);
	struct index_walk walk = {0};
	struct index_vanished vanished;
	struct index_message message;
	bool structure;

	*structures_r = 0;
	for (size_t i = 0; i < index_count(index); i++) {
		if (!index_message_at(index, i, &message))
			return false;
		if (summaries == NULL || message.record.text == 0)
			continue;
		if (!summaries_are_whole(
			summaries, message.record.text, message.record.uid, &structure))
			return false;
		*structures_r += structure;
	}
	while (index_next_vanished(index, &walk, &vanished))
		;
	return !index_is_broken(index);
}
