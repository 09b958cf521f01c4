/*
 * sync_match.c: finds which file belongs to which message, and which files have no UID yet.
 * Runs as: mail user, holding the folder's lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/folder/sync.h"
#include "maildir/folder/watch.h"
#include "maildir/index/index.h"

/* Makes room for count messages, none of which has a file yet. */
static int
messages_begin(struct sync *sync, size_t count)
{
	free(sync->message);
	sync->count = 0;
	sync->message = calloc(count + 1, sizeof(*sync->message));
	if (sync->message == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		sync->message[i].file = SCAN_NONE;
	sync->count = count;
	return 0;
}

int
sync_messages_of_lines(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	if (messages_begin(sync, list->count) < 0)
		return -1;
	for (size_t i = 0; i < list->count; i++) {
		sync->message[i].line = &list->line[i];
		sync->message[i].uid = list->line[i].uid;
	}
	return 0;
}

int
sync_messages_of_index(struct sync *sync)
{
	struct index *index = sync->folder->index;
	struct index_record record;

	if (messages_begin(sync, index_count(index)) < 0)
		return -1;
	for (size_t i = 0; i < sync->count; i++) {
		if (!index_record(index, i, &record)) {
			errno = EIO;
			return -1;
		}
		sync->message[i].uid = record.uid;
	}
	return 0;
}

static int
message_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct sync_message *)a)->uid,
		 y = ((const struct sync_message *)b)->uid;

	return (x > y) - (x < y);
}

/* Returns whether the watch remembers that a name is in cur/ (there), or that it is not. */
static bool
heard_of(const struct maildir_watch *watch, const char *name, bool there)
{
	const char *heard;
	bool is_there;

	for (size_t i = 0; (heard = watch_name(watch, i, &is_there)) != NULL; i++)
		if (strcmp(heard, name) == 0)
			return is_there == there;
	return false;
}

/*
 * Makes the message whose name came or went a message of the sync.  Returns false if that takes a look at all files:
 * the message is gone, or another file has the base name, too.
 */
static bool
message_of_name(struct sync *sync, const char *name)
{
	struct index *index = sync->folder->index;
	size_t base_len = mdname_base(name), file = scan_find(&sync->scan, name, base_len);
	uint32_t uid = index_by_base(index, name, base_len);
	struct index_message known;
	const struct scan_file *found;

	if (uid == 0)
		return true; /* a fresh file, or a file that came and went */
	if (file == SCAN_NONE || !index_message(index, uid, &known))
		return false;
	found = &sync->scan.file[file];
	if (found->message != SCAN_NONE)
		return true; /* another name of the watch has led to this message */
	if (found->dir != ENTRY_CUR || (known.record.known & INDEX_TWIN) != 0)
		return false;
	if (strcmp(found->name, index_name(&known)) != 0 && known.record.dir == ENTRY_CUR &&
	    !heard_of(sync->folder->watch, index_name(&known), false))
		return false;
	sync->scan.file[file].message = sync->count;
	sync->message[sync->count++] = (struct sync_message){.uid = uid, .file = file};
	return true;
}

bool
sync_messages_of_names(struct sync *sync)
{
	const struct maildir_watch *watch = sync->folder->watch;
	const char *name;
	bool there;
	size_t count = 0;

	while (watch_name(watch, count, &there) != NULL)
		count++;
	if (sync->scan.pairs > 0 || messages_begin(sync, count) < 0)
		return false;
	sync->count = 0;
	for (size_t i = 0; (name = watch_name(watch, i, &there)) != NULL; i++)
		if (!message_of_name(sync, name))
			return false;
	qsort(sync->message, sync->count, sizeof(*sync->message), message_compare);
	return true;
}

/* Looks in the scan for a message's file, and notes whether the file is as the index has it. */
static void
find_file(const struct sync *sync, struct sync_message *message)
{
	struct index_message known;
	const struct scan_file *file;

	if (message->line != NULL) {
		message->file =
		    scan_find(&sync->scan, message->line->base, message->line->base_len);
		return;
	}
	if (!index_message(sync->folder->index, message->uid, &known))
		return;
	message->file = scan_find(&sync->scan, index_name(&known), known.record.base_len);
	if (message->file == SCAN_NONE)
		return;
	file = &sync->scan.file[message->file];
	if (strcmp(file->name, index_name(&known)) == 0 && file->dir == known.record.dir &&
	    (known.record.known & INDEX_TWIN) == 0)
		message->same = file->name;
}

static size_t
set_missing(const struct sync *sync)
{
	const struct delivery_set *set = sync->set;
	size_t missing = 0;

	for (size_t i = 0; set != NULL && i < set->count; i++)
		missing += scan_find(&sync->scan, set->message[i].name, set->message[i].base_len) ==
			   SCAN_NONE;
	return missing;
}

bool
sync_complete(void *ctx)
{
	struct sync *sync = ctx;
	size_t missing = set_missing(sync);

	for (size_t i = 0; i < sync->count; i++) {
		struct sync_message *message = &sync->message[i];

		if (message->file == SCAN_NONE)
			find_file(sync, message);
		missing += message->file == SCAN_NONE;
	}
	return missing == 0;
}

bool
sync_has_file(const struct sync *sync, const struct sync_message *message)
{
	return message->file != SCAN_NONE &&
	       sync->scan.file[message->file].message == (size_t)(message - sync->message);
}

static int
fresh_compare(const void *a, const void *b)
{
	const struct fresh *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return strcmp(x->name, y->name);
}

int
sync_find_fresh(struct sync *sync)
{
	const struct scan *scan = &sync->scan;
	size_t count = 0;

	for (size_t i = 0; i < scan->count; i++)
		count += sync->renumber || scan->file[i].message == SCAN_NONE;
	free(sync->fresh);
	sync->fresh_count = 0;
	sync->fresh = calloc(count + 1, sizeof(*sync->fresh));
	if (sync->fresh == NULL)
		return -1;
	for (size_t i = 0; i < scan->count; i++) {
		const struct scan_file *file = &scan->file[i];

		if (!sync->renumber && file->message != SCAN_NONE)
			continue;
		sync->fresh[sync->fresh_count++] = (struct fresh){
		    .file = i,
		    .rank = file->rank,
		    .name = file->name,
		    .time = mdname_time(file->name),
		    .line = file->message != SCAN_NONE ? sync->message[file->message].line : NULL,
		};
	}
	qsort(sync->fresh, sync->fresh_count, sizeof(*sync->fresh), fresh_compare);
	return 0;
}

int
sync_match(struct sync *sync)
{
	for (size_t i = 0; i < sync->scan.count; i++)
		sync->scan.file[i].message = SCAN_NONE;
	for (size_t i = 0; i < sync->count; i++) {
		if (sync->message[i].file != SCAN_NONE)
			sync->scan.file[sync->message[i].file].message = i;
	}
	sync->dead = 0;
	for (size_t i = 0; i < sync->count; i++)
		sync->dead += !sync_has_file(sync, &sync->message[i]);
	return sync_find_fresh(sync);
}

int
sync_number_fresh(struct sync *sync, uint32_t uid)
{
	size_t known = sync->renumber ? 0 : sync->count;
	struct sync_message *grown =
	    reallocarray(sync->message, known + sync->fresh_count + 1, sizeof(*grown));

	if (grown == NULL)
		return -1;
	sync->message = grown;
	sync->count = known + sync->fresh_count;
	for (size_t i = 0; i < sync->fresh_count; i++) {
		const struct fresh *fresh = &sync->fresh[i];

		grown[known + i] =
		    (struct sync_message){.file = fresh->file, .line = fresh->line, .uid = uid};
		sync->scan.file[fresh->file].message = known + i;
		uid++;
	}
	return 0;
}
