/*
 * sync_take.c: puts into the index what a sync has found.
 * Runs as: mail user, holding the folder's lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/folder/sync.h"
#include "maildir/index/index.h"

/* More changes than this at once are a new snapshot and not so many records of the log. */
#define TAKE_BY_LOG 500

struct taking {
	struct sync *sync;
	struct index *index;
	uint64_t modseq; /* of what changes now */
	bool same;	 /* the index is of these UIDs: what it knows of messages holds */
};

static void
record_sizes(struct index_record *record, const struct entry *entry)
{
	if ((entry->known & INDEX_SIZES) == 0 || (record->known & INDEX_SIZES) != 0)
		return;
	record->size = entry->size;
	record->wire = entry->wire;
	record->known |= entry->known & (INDEX_SIZES | INDEX_LINE_END | INDEX_HEARSAY);
}

/* The message as it is now, with all that was known of it; was NULL: nothing. */
static bool
message_make(const struct taking *taking, const struct entry *entry,
    const struct index_message *was, struct index_message *now_r)
{
	struct index_record *record = &now_r->record;

	if (was != NULL)
		*record = was->record;
	else
		memset(record, 0, sizeof(*record));
	if (was == NULL || index_is_stale(taking->index) || was->record.flags != entry->flags ||
	    was->record.keywords != entry->keywords)
		record->modseq = taking->modseq;
	record->uid = entry->uid;
	record->flags = (uint8_t)entry->flags;
	record->keywords = entry->keywords;
	record->dir = entry->dir;
	record->pop3_order = entry->pop3_order;
	record->known &= (uint8_t)~INDEX_TWIN;
	record->known |= entry->known & INDEX_TWIN;
	record_sizes(record, entry);
	return index_set_strings(now_r, entry->name, entry->uidl, entry->guid);
}

/* Whether the index has it so already, but for facts. */
static bool
message_same(const struct index_message *a, const struct index_message *b)
{
	const struct index_record *x = &a->record, *y = &b->record;

	return x->flags == y->flags && x->keywords == y->keywords && x->dir == y->dir &&
	       x->known == y->known && x->pop3_order == y->pop3_order &&
	       x->name_len == y->name_len && x->uidl_len == y->uidl_len &&
	       x->guid_len == y->guid_len &&
	       memcmp(a->strings, b->strings, index_strings_size(x)) == 0;
}

static bool
known_message(const struct taking *taking, uint32_t uid, struct index_message *was_r)
{
	return taking->same && index_message(taking->index, uid, was_r);
}

/* --- lines without a file --- */

/*
 * Lines of messages that are not there and that the index has not heard of: should a file of that name
 * come, it gets the line's UID.  each is called for them; false: they are too many to be remembered.
 */
static bool
dead_lines(
    const struct taking *taking, int (*each)(void *ctx, const struct uidlist_line *line), void *ctx)
{
	const struct sync *sync = taking->sync;
	const struct uidlist *uids = &sync->uids.list;
	uint32_t from = taking->same ? index_state(taking->index)->next : 0;

	/* A file that was just written anew has none. */
	if (sync->renumber || sync->lines < uids->count)
		return true;
	if (sync->dead > SNAPSHOT_VANISHED_MAX / 2)
		return false;
	for (size_t i = 0; i < uids->count; i++) {
		if (uids->line[i].uid >= from && sync_line_is_dead(sync, i) &&
		    each(ctx, &uids->line[i]) < 0)
			return false;
	}
	return true;
}

/* --- by the log --- */

static int
put_dead_line(void *ctx, const struct uidlist_line *line)
{
	return index_put_dead(ctx, line->uid, line->base, line->base_len);
}

/* How much differs; SIZE_MAX: more than a log can say. */
static size_t
count_changes(const struct taking *taking, const struct list *list)
{
	size_t places = index_count(taking->index), place = 0, changes = 0;
	struct index_message was, now;
	struct index_record record;

	for (size_t i = 0; i < list->count; i++) {
		const struct entry *entry = &list->entry[i];

		while (place < places && index_record(taking->index, place, &record) &&
		       record.uid < entry->uid) {
			changes++;
			place++;
		}
		if (known_message(taking, entry->uid, &was)) {
			place++;
			changes +=
			    !message_make(taking, entry, &was, &now) || !message_same(&was, &now);
		} else if (entry->uid < index_state(taking->index)->next) {
			return SIZE_MAX; /* one came back that the index has forgotten */
		} else {
			changes++;
		}
	}
	return index_is_broken(taking->index) ? SIZE_MAX : changes + (places - place);
}

static int
put_gone(const struct taking *taking, const struct list *list)
{
	struct maildir_folder *folder = taking->sync->folder;
	size_t place = 0, i = 0, count;
	struct index_record record;

	while (place < (count = index_count(taking->index))) {
		if (!index_record(taking->index, place, &record))
			return -1;
		while (i < list->count && list->entry[i].uid < record.uid)
			i++;
		if (i < list->count && list->entry[i].uid == record.uid)
			place++;
		else if (index_put_gone(folder->index, record.uid, index_modseq(taking->index)) < 0)
			return -1;
		else if (index_count(taking->index) == count)
			index_break(taking->index); /* a search does not find it */
		if (index_is_broken(taking->index))
			return -1;
	}
	return 0;
}

static int
take_by_log(struct taking *taking, const struct list *list, struct index_state *state)
{
	struct maildir_folder *folder = taking->sync->folder;
	struct index_message was, now;

	if (!dead_lines(taking, put_dead_line, taking->index))
		state->doubt |= INDEX_LINES;

	for (size_t i = 0; i < list->count; i++) {
		bool known = known_message(taking, list->entry[i].uid, &was);

		/* Each its own: who reads the log while it is written must not miss the rest. */
		taking->modseq = index_modseq(taking->index);
		if (!message_make(taking, &list->entry[i], known ? &was : NULL, &now))
			return -1;
		if ((!known || !message_same(&was, &now)) && index_put(folder->index, &now) < 0)
			return -1;
	}
	if (put_gone(taking, list) < 0)
		return -1;
	return index_commit(folder->index, state);
}

/* --- by a new snapshot --- */

/* Those that were there and are not any more. */
static void
writer_gone(const struct taking *taking, const struct list *list, struct snapshot_writer *writer)
{
	struct index_record record;
	size_t i = 0;

	for (size_t place = 0; taking->same && place < index_count(taking->index); place++) {
		struct index_vanished vanished = {.modseq = taking->modseq};

		if (!index_record(taking->index, place, &record))
			break;
		while (i < list->count && list->entry[i].uid < record.uid)
			i++;
		if (i < list->count && list->entry[i].uid == record.uid)
			continue;
		vanished.uid = record.uid;
		vanished.base_hash = record.base_hash;
		snapshot_writer_vanished(writer, &vanished);
		writer->head.state.modseq = taking->modseq;
	}
}

static int
writer_dead_line(void *ctx, const struct uidlist_line *line)
{
	struct snapshot_writer *writer = ctx;
	struct index_vanished vanished = {.uid = line->uid, .modseq = writer->head.vanished_since};

	vanished.base_hash = hash32(writer->head.seed, line->base, line->base_len);
	snapshot_writer_vanished(writer, &vanished);
	return 0;
}

static void
writer_messages(
    const struct taking *taking, const struct list *list, struct snapshot_writer *writer)
{
	struct index_message was, now;

	for (size_t i = 0; i < list->count; i++) {
		bool known = known_message(taking, list->entry[i].uid, &was);

		if (!message_make(taking, &list->entry[i], known ? &was : NULL, &now)) {
			writer->heap.failed = true;
			return;
		}
		if (now.record.modseq > writer->head.state.modseq)
			writer->head.state.modseq = now.record.modseq;
		snapshot_writer_add(writer, &now);
	}
}

static int
take_by_snapshot(
    const struct taking *taking, const struct list *list, const struct index_state *state)
{
	struct maildir_folder *folder = taking->sync->folder;
	struct snapshot_writer writer;
	uint64_t modseq;
	int r;

	if (index_writer_begin(taking->same ? taking->index : NULL, &writer, taking->modseq) < 0)
		return -1;
	modseq = writer.head.state.modseq;
	writer.head.state = *state;
	writer.head.state.modseq = modseq > 0 ? modseq : taking->modseq;
	writer.head.validity = list->validity;
	memcpy(writer.head.guid, list->guid, sizeof(list->guid));
	if (taking->same && (index_is_broken(taking->index) || index_is_stale(taking->index)))
		writer.head.vanished_since = taking->modseq;
	writer_gone(taking, list, &writer);
	if (taking->same)
		writer.head.state.doubt |= index_state(taking->index)->doubt & INDEX_LINES;
	if (!dead_lines(taking, writer_dead_line, &writer))
		writer.head.state.doubt |= INDEX_LINES;
	writer_messages(taking, list, &writer);
	r = index_replace(folder->index, &writer);
	snapshot_writer_end(&writer);
	return r;
}

int
sync_take(struct sync *sync, const struct list *list, const struct index_state *state)
{
	struct index *index = sync->folder->index;
	struct taking taking = {.sync = sync, .index = index};
	bool usable;

	taking.modseq = index_modseq(index);
	if (taking.modseq <= sync->record.modseq)
		taking.modseq = sync->record.modseq + 1;
	taking.same = index_is_open(index) && index_validity(index) == list->validity;
	usable = taking.same && !index_is_private(index) && !index_is_stale(index) &&
		 index_is_current(sync->folder->index) &&
		 strcmp(index_folder_guid(index), list->guid) == 0;
	if (usable && count_changes(&taking, list) <= TAKE_BY_LOG) {
		struct index_state now = *state;

		now.modseq = 0; /* what is put says */
		now.doubt |= index_state(index)->doubt & INDEX_LINES;
		if (take_by_log(&taking, list, &now) == 0)
			return 0;
		if (!index_is_broken(index))
			return -1;
	}
	return take_by_snapshot(&taking, list, state);
}
