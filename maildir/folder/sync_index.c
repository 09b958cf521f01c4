/*
 * sync_index.c: compares what a sync has found with the index, and writes the difference there.
 * Runs as: mail user, holding the folder's lock.
 *
 * Each message gets a fate first.  Then either the log says what is different, or a new snapshot says all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/* More changes than this at once are a new snapshot and not so many records of the log. */
#define TELL_BY_LOG 500

struct telling {
	struct sync *sync;
	struct index *index;
	uint64_t modseq; /* of what changes now */
	bool known;	 /* the index has this UIDVALIDITY, so its facts of messages hold */
	bool log;	 /* the log can express the difference */
	bool tells_dead; /* the index is to remember lines without a file */
	uint32_t next;	 /* the index knows no UID from this on */
	size_t changes;	 /* messages that are new, have changed or are gone */
	struct index_vanished *gone; /* UIDs and hashes of those that are gone */
	size_t gone_count, gone_room;
};

/* --- a message as it is now --- */

/* Copies the value of a field into out, as a string; "" if the line has no value that a client could be told. */
static void
line_field(const struct uidlist_line *line, char key, size_t most, char *out)
{
	size_t len;
	const char *value = uidlist_field(line, key, &len);

	out[0] = '\0';
	if (value == NULL || len > most)
		return;
	memcpy(out, value, len);
	out[len] = '\0';
}

/* RFC 1939 section 7: one to 70 characters from 0x21 to 0x7E. */
static void
line_uidl(const struct uidlist_line *line, char out[71])
{
	line_field(line, 'P', 70, out);
	for (const char *p = out; *p != '\0'; p++)
		if (*p < 0x21 || *p > 0x7e)
			out[0] = '\0';
}

static uint32_t
line_order(const struct uidlist_line *line)
{
	char digits[NAME_SIZE];
	uint32_t order = 0;

	line_field(line, 'O', sizeof(digits) - 1, digits);
	for (size_t i = 0; i < 9 && digits[i] >= '0' && digits[i] <= '9'; i++)
		order = order * 10 + (uint32_t)(digits[i] - '0');
	return order;
}

static void
record_sizes(struct index_record *record, const struct uidlist_sizes *sizes, unsigned known)
{
	record->size = sizes->size;
	record->wire = sizes->wire;
	record->known |= (uint8_t)(INDEX_SIZES | known | (sizes->line_end ? INDEX_LINE_END : 0));
}

/* Takes the facts of the message's line.  Sizes that the index has are better than the line's. */
static bool
message_of_line(struct index_message *message, const char *name, const struct uidlist_line *line)
{
	char uidl[71], guid[MAILDIR_ID_SIZE];
	struct uidlist_sizes sizes;

	if (line->ext_len == 0) {
		message->record.pop3_order = 0;
		return index_set_strings(message, name, NULL, NULL);
	}
	uidlist_sizes(line, &sizes);
	if (sizes.known && (message->record.known & INDEX_SIZES) == 0)
		record_sizes(&message->record, &sizes, INDEX_HEARSAY);
	message->record.pop3_order = line_order(line);
	line_uidl(line, uidl);
	line_field(line, 'G', sizeof(guid) - 1, guid);
	return index_set_strings(message, name, uidl, guid);
}

/* Takes the facts that a message's delivery knows. */
static bool
message_of_delivery(struct index_message *message, const struct delivered *delivered)
{
	if (delivered->sizes.known && (message->record.known & INDEX_SIZES) == 0)
		record_sizes(&message->record, &delivered->sizes, 0);
	return index_set_strings(message, delivered->name, NULL, delivered->guid);
}

static uint64_t
file_keywords(const struct sync *sync, const struct scan_file *file, uint32_t letters,
    const struct index_message *was)
{
	/* Names of keywords are not read for a delivery, which has saved the keywords that have no letter. */
	if (sync->set != NULL && !sync->with_lines)
		return letters | (sync->set->message[file->rank - 1].keywords & NUMBERED_BITS);
	if (was == NULL || sync->all_keywords)
		return keywords_of(sync->folder->keywords, file->name, file->base_len, letters);
	return (was->record.keywords & ~LETTERS_MASK) | letters;
}

/* Makes the message as it is now, with the facts that the index had.  was: as the index had it, or NULL. */
static bool
message_make(const struct telling *telling, const struct sync_message *message,
    const struct index_message *was, struct index_message *now_r)
{
	const struct sync *sync = telling->sync;
	const struct scan_file *file = &sync->scan.file[message->file];
	struct index_record *record = &now_r->record;
	uint32_t flags, letters;

	*record = was != NULL ? was->record : (struct index_record){.uid = message->uid};
	mdname_flags(file->name, &flags, &letters);
	record->flags = (uint8_t)flags;
	record->keywords = file_keywords(sync, file, letters, was);
	record->dir = file->dir;
	record->known &= (uint8_t)~INDEX_TWIN;
	record->known |= file->twin ? INDEX_TWIN : 0;
	if (was == NULL || index_is_stale(telling->index) ||
	    !index_same_marks(record, &was->record))
		record->modseq = telling->modseq;
	/* A delivery's message may have a line already: a program that knows no locks has written it. */
	if (file->rank > 0)
		return message_of_delivery(now_r, &sync->set->message[file->rank - 1]);
	if (message->line != NULL)
		return message_of_line(now_r, file->name, message->line);
	return was != NULL ? index_set_strings(now_r, file->name, index_uidl(was), index_guid(was))
			   : index_set_strings(now_r, file->name, NULL, NULL);
}

/* Returns whether two states of a message are the same, apart from findings. */
static bool
message_same(const struct index_message *a, const struct index_message *b)
{
	const struct index_record *x = &a->record, *y = &b->record;

	return index_same_marks(x, y) && x->dir == y->dir && x->known == y->known &&
	       x->pop3_order == y->pop3_order && x->name_len == y->name_len &&
	       x->uidl_len == y->uidl_len && x->guid_len == y->guid_len &&
	       memcmp(a->strings, b->strings, index_strings_size(x)) == 0;
}

static bool
known_message(const struct telling *telling, uint32_t uid, struct index_message *was_r)
{
	return telling->known && index_message(telling->index, uid, was_r);
}

/* --- comparing --- */

static int
gone_add(struct telling *telling, const struct index_record *record)
{
	struct index_vanished *gone =
	    array_grow(telling->gone, telling->gone_count, &telling->gone_room, sizeof(*gone));

	if (gone == NULL)
		return -1;
	telling->gone = gone;
	telling->gone[telling->gone_count++] =
	    (struct index_vanished){.uid = record->uid, .base_hash = record->base_hash};
	telling->changes++;
	return 0;
}

/* Returns whether the look has found the file under the name that the index has. */
static bool
is_as_known(const struct sync *sync, const struct sync_message *message)
{
	const struct scan_file *file;

	if (sync->all_keywords || message->same == NULL)
		return false;
	file = &sync->scan.file[message->file];
	return message->same == file->name && !file->twin;
}

static int
set_fate(struct telling *telling, struct sync_message *message, size_t *known)
{
	struct sync *sync = telling->sync;
	struct index_message was, now;
	bool was_known = known_message(telling, message->uid, &was);

	*known += was_known;
	if (!sync_has_file(sync, message)) {
		message->fate = FATE_DEAD;
		if (was_known && message->file == SCAN_NONE && !sync->sure)
			message->fate = FATE_KEPT;
		else if (was_known)
			message->fate = FATE_GONE;
		return message->fate == FATE_GONE ? gone_add(telling, &was.record) : 0;
	}
	if (!message_make(telling, message, was_known ? &was : NULL, &now)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	message->fate = was_known && message_same(&was, &now) ? FATE_SAME : FATE_PUT;
	telling->changes += message->fate == FATE_PUT;
	/* A message has come back that the index has forgotten: a log cannot put it between others. */
	if (!was_known && telling->known && message->uid < telling->next)
		telling->log = false;
	return 0;
}

static int
uid_compare(const void *key, const void *element)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct sync_message *)element)->uid;

	return (x > y) - (x < y);
}

/* Messages of the index whose lines another program has taken away. */
static int
compare_lost(struct telling *telling)
{
	const struct sync *sync = telling->sync;
	struct index_record record;

	for (size_t place = 0; place < index_count(telling->index); place++) {
		if (!index_record(telling->index, place, &record))
			break;
		if (bsearch(&record.uid, sync->message, sync->count, sizeof(*sync->message),
			uid_compare) == NULL &&
		    gone_add(telling, &record) < 0)
			return -1;
	}
	return 0;
}

static int
compare(struct telling *telling)
{
	struct sync *sync = telling->sync;
	size_t known = 0;

	for (size_t i = 0; i < sync->count; i++) {
		struct sync_message *message = &sync->message[i];

		if (is_as_known(sync, message))
			known++;
		else if (set_fate(telling, message, &known) < 0)
			return -1;
	}
	if (telling->known && sync->with_lines && known < index_count(telling->index) &&
	    compare_lost(telling) < 0)
		return -1;
	/* If no lines were read, only the index tells what messages there are: fail, and read the lines. */
	if (!sync->with_lines && (!telling->log || index_is_broken(telling->index))) {
		errno = EIO;
		return -1;
	}
	return 0;
}

/*
 * Returns whether the index is to remember a line without a file that it does not know yet.  If a file of that name
 * comes, it gets the line's UID.
 */
static bool
is_dead_line(const struct telling *telling, const struct sync_message *message)
{
	return telling->tells_dead && message->fate == FATE_DEAD &&
	       (!telling->known || message->uid >= telling->next);
}

/* --- by the log --- */

static int
put_gone(struct index *index, const struct index_vanished *gone)
{
	size_t count = index_count(index);

	if (index_put_gone(index, gone->uid, index_modseq(index)) < 0)
		return -1;
	/* The index listed the message before, and now a search does not find it: the index is damaged. */
	if (index_count(index) == count)
		index_break(index);
	return !index_is_broken(index) ? 0 : -1;
}

static int
tell_by_log(struct telling *telling, struct index_state state)
{
	const struct sync *sync = telling->sync;
	struct index *index = telling->index;
	struct index_message was, now;

	state.modseq = 0; /* the records that follow raise it */
	state.doubt |= index_state(index)->doubt & INDEX_LINES;
	for (size_t i = 0; i < sync->count; i++) {
		const struct sync_message *message = &sync->message[i];
		const struct uidlist_line *line = message->line;

		if (is_dead_line(telling, message) &&
		    index_put_dead(index, line->uid, line->base, line->base_len) < 0)
			return -1;
	}
	for (size_t i = 0; i < sync->count; i++) {
		const struct sync_message *message = &sync->message[i];
		bool known;

		if (message->fate != FATE_PUT)
			continue;
		known = known_message(telling, message->uid, &was);
		/* Each message gets its own: a session may read the log while it is written, and must not miss the rest. */
		telling->modseq = index_modseq(index);
		if (!message_make(telling, message, known ? &was : NULL, &now) ||
		    index_put(index, &now) < 0)
			return -1;
	}
	for (size_t i = 0; i < telling->gone_count; i++)
		if (put_gone(index, &telling->gone[i]) < 0)
			return -1;
	return index_commit(index, &state);
}

/* --- by a new snapshot --- */

static void
writer_gone(const struct telling *telling, struct snapshot_writer *writer)
{
	for (size_t i = 0; i < telling->gone_count; i++) {
		struct index_vanished vanished = telling->gone[i];

		vanished.modseq = telling->modseq;
		snapshot_writer_vanished(writer, &vanished);
		writer->head.state.modseq = telling->modseq;
	}
}

static void
writer_dead(const struct telling *telling, struct snapshot_writer *writer)
{
	const struct sync *sync = telling->sync;

	for (size_t i = 0; i < sync->count; i++) {
		const struct uidlist_line *line = sync->message[i].line;
		struct index_vanished vanished = {.modseq = writer->head.vanished_since};

		if (!is_dead_line(telling, &sync->message[i]))
			continue;
		vanished.uid = line->uid;
		vanished.base_hash = hash32(writer->head.seed, line->base, line->base_len);
		snapshot_writer_vanished(writer, &vanished);
	}
}

static void
writer_messages(const struct telling *telling, struct snapshot_writer *writer)
{
	const struct sync *sync = telling->sync;
	struct index_message was, now;

	for (size_t i = 0; i < sync->count; i++) {
		const struct sync_message *message = &sync->message[i];
		bool known;

		if (message->fate == FATE_GONE || message->fate == FATE_DEAD)
			continue;
		known = known_message(telling, message->uid, &was);
		if (message->fate == FATE_KEPT) {
			if (!known)
				continue;
			now = was;
		} else if (!message_make(telling, message, known ? &was : NULL, &now)) {
			writer->heap.failed = true;
			return;
		}
		if (now.record.modseq > writer->head.state.modseq)
			writer->head.state.modseq = now.record.modseq;
		snapshot_writer_add(writer, &now);
	}
}

static int
tell_by_snapshot(const struct telling *telling, const struct index_state *state)
{
	const struct sync *sync = telling->sync;
	struct index *index = telling->index;
	struct snapshot_writer writer;
	uint64_t modseq;
	int r;

	if (index_writer_begin(telling->known ? index : NULL, &writer, telling->modseq) < 0)
		return -1;
	modseq = writer.head.state.modseq;
	writer.head.state = *state;
	writer.head.state.modseq = modseq > 0 ? modseq : telling->modseq;
	writer.head.validity = sync->validity;
	memcpy(writer.head.guid, sync->guid, sizeof(sync->guid));
	if (telling->known && (index_is_broken(index) || index_is_stale(index)))
		writer.head.vanished_since = telling->modseq;
	writer_gone(telling, &writer);
	if (telling->known)
		writer.head.state.doubt |= index_state(index)->doubt & INDEX_LINES;
	writer_dead(telling, &writer);
	writer_messages(telling, &writer);
	r = index_replace(index, &writer);
	snapshot_writer_end(&writer);
	return r;
}

/* --- the whole --- */

/* Returns whether the log can continue from the index as it is. */
static bool
has_log(const struct telling *telling)
{
	const struct sync *sync = telling->sync;
	struct index *index = telling->index;

	if (!sync->with_lines)
		return true;
	return telling->known && !index_is_private(index) && !index_is_stale(index) &&
	       index_is_current(index) && strcmp(index_folder_guid(index), sync->guid) == 0;
}

static int
tell(struct telling *telling, struct index_state *state)
{
	const struct sync *sync = telling->sync;

	telling->log = has_log(telling);
	telling->next = index_state(telling->index)->next;
	/* A file that this sync has replaced has no lines without a message. */
	telling->tells_dead =
	    sync->with_lines && !sync->renumber && sync->lines >= sync->uids.list.count;
	if (telling->tells_dead && sync->dead > SNAPSHOT_VANISHED_MAX / 2) {
		telling->tells_dead = false;
		state->doubt |= INDEX_LINES;
	}
	if (compare(telling) < 0)
		return -1;
	if (telling->log && !index_is_broken(telling->index) &&
	    (!sync->with_lines || telling->changes <= TELL_BY_LOG)) {
		if (tell_by_log(telling, *state) == 0)
			return 0;
		if (!sync->with_lines || !index_is_broken(telling->index))
			return -1;
	}
	return tell_by_snapshot(telling, state);
}

int
sync_tell(struct sync *sync, struct index_state *state)
{
	struct index *index = sync->folder->index;
	struct telling telling = {
	    .sync = sync,
	    .index = index,
	    .modseq = index_modseq(index),
	    .known = index_is_open(index) && index_validity(index) == sync->validity,
	};
	int r;

	if (telling.modseq <= sync->record.modseq)
		telling.modseq = sync->record.modseq + 1;
	r = tell(&telling, state);
	free(telling.gone);
	return r;
}
