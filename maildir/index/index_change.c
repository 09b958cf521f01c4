/*
 * index_change.c: writes records to the log, and makes the snapshot that replaces an older one and its log.
 * Runs as: mail user, holding the folder's lock.
 *
 * A new snapshot takes over from the old one: messages that vanished, the seed of the hashes, the file of texts.  That
 * file is rewritten, too, if most of it belongs to no message any more.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/uid_record.h"
#include "maildir/index/index_private.h"

enum {
	/* Findings about more messages than this at once go into a new snapshot. */
	LEARN_BY_LOG = 256,
	/* Octets of texts without a message that are tolerated, beside as many as messages have. */
	TEXTS_WASTE = 1024 * 1024,
	TEXTS_PIECE = 1024 * 1024, /* octets of texts that are copied at a time */
};

uint64_t
index_modseq(const struct index *index)
{
	struct timespec now;
	uint64_t modseq;

	clock_gettime(CLOCK_REALTIME, &now);
	modseq = (uint64_t)now.tv_sec << 20 | (uint64_t)now.tv_nsec / 1000;
	if (modseq <= index->state.modseq)
		modseq = index->state.modseq + 1;
	return modseq;
}

/*
 * Makes the index private.  The files on the disk are then older than what clients hear, and might still look true to
 * the next session; so they are removed if that is possible.
 */
static void
leave_disk(struct index *index)
{
	int fd = index->dir->fd;

	index_log_leave(&index->log);
	index->disk = DISK_UNLOCKED;
	if (index->dir->unlocked != 0)
		return;
	index->disk =
	    unlinkat(fd, SNAPSHOT_NAME, 0) == 0 || errno == ENOENT ? DISK_EMPTY : DISK_OLD;
	(void)unlinkat(fd, LOG_NAME, 0);
}

void
index_flush(struct index *index)
{
	bool writable = index->dir->unlocked == 0 || index_is_private(index);

	if (!writable || index_log_flush(&index->log) < 0)
		leave_disk(index);
}

/* Writes the modification sequence to the record, by which an old copy of the index is recognized. */
static void
note_modseq(struct index *index)
{
	if (index->state.modseq > index->noted &&
	    uid_record_write_modseq(index->dir, index->state.modseq) == 0)
		index->noted = index->state.modseq;
}

/* --- records of the log --- */

static int
index_add(struct index *index, enum log_type type, const void *payload, size_t size)
{
	/* A very large batch: compact in the middle of it. */
	if (index_log_end(&index->log) > LOG_COMPACT && index_compact(index, NULL, 0) < 0)
		return -1;
	if (index_log_put(&index->log, type, payload, size, index_take, index) == 0)
		return 0;
	index->broken = true;
	return -1;
}

int
index_put(struct index *index, const struct index_message *message)
{
	size_t size = index_strings_size(&message->record);
	struct index_message put;

	put.record = message->record;
	memcpy(put.strings, message->strings, size);
	put.record.base_hash = index_base_hash(index, put.strings, put.record.base_len);
	put.record.strings = 0;
	return index_add(index, LOG_PUT, &put, sizeof(put.record) + size);
}

int
index_put_gone(struct index *index, uint32_t uid, uint64_t modseq)
{
	struct index_vanished vanished = {.uid = uid, .modseq = modseq};
	struct index_record record;
	struct index_where where;

	if (!index_where(index, uid, &where))
		return 0;
	if (index_load(index, &where, &record))
		vanished.base_hash = record.base_hash;
	return index_add(index, LOG_GONE, &vanished, sizeof(vanished));
}

int
index_put_dead(struct index *index, uint32_t uid, const char *base, size_t len)
{
	struct index_vanished vanished = {.uid = uid, .modseq = index->state.modseq};

	vanished.base_hash = index_base_hash(index, base, len);
	return index_add(index, LOG_GONE, &vanished, sizeof(vanished));
}

int
index_commit(struct index *index, const struct index_state *state)
{
	struct index_state put = *state;

	if (put.modseq < index->state.modseq)
		put.modseq = index->state.modseq;
	if (put.next < index->state.next)
		put.next = index->state.next;
	if (index_add(index, LOG_STATE, &put, sizeof(put)) < 0)
		return -1;
	index_flush(index);
	note_modseq(index);
	/* A snapshot that cannot be made now is made after the next change. */
	if (index_log_end(&index->log) > LOG_COMPACT || index->log.records > LOG_COMPACT_RECORDS)
		(void)!index_compact(index, NULL, 0);
	return 0;
}

/* --- a new snapshot --- */

/* Copies the messages that vanished, without the oldest if there are too many. */
static void
writer_vanished(struct index *index, struct snapshot_writer *writer)
{
	struct index_walk count = {0}, walk = {0};
	struct snapshot_head *head = &writer->head;
	struct index_vanished vanished;
	uint64_t all = 0, skip = 0;

	while (index_next_vanished(index, &count, &vanished))
		all++;
	if (all > SNAPSHOT_VANISHED_MAX)
		skip = all - SNAPSHOT_VANISHED_MAX / 2;
	for (uint64_t i = 0; index_next_vanished(index, &walk, &vanished); i++) {
		if (i >= skip) {
			snapshot_writer_vanished(writer, &vanished);
			continue;
		}
		if (vanished.modseq > head->vanished_since)
			head->vanished_since = vanished.modseq;
		head->state.doubt |= INDEX_LINES;
	}
}

int
index_writer_begin(struct index *index, struct snapshot_writer *writer, uint64_t since)
{
	struct snapshot_head *head = &writer->head;

	if (snapshot_writer_begin(writer) < 0 || summaries_new_id(&head->texts) < 0)
		return -1;
	head->vanished_since = since;
	if (index == NULL || !index->open)
		return 0;
	head->texts = index->snap.head.texts;
	head->seed = index->snap.head.seed;
	if (index_is_broken(index))
		return 0;
	head->validity = index->snap.head.validity;
	memcpy(head->guid, index->snap.head.guid, sizeof(head->guid));
	head->state = index->state;
	head->vanished_since = index->snap.head.vanished_since;
	writer_vanished(index, writer);
	return 0;
}

/* Makes the writer's snapshot and an empty log on the disk or, if that fails, in this process's memory. */
static int
make_files(struct index *index, struct snapshot_writer *writer, struct index *now)
{
	struct mddir *dir = index->dir;

	index_init(now, index);
	if (dir->unlocked == 0 && snapshot_writer_make(writer, dir->md, dir->fd, &now->snap) == 0) {
		index_start(now);
		if (index_log_create(dir->md, dir->fd, writer->head.id, &now->log) == 0)
			return 0;
		snapshot_close(&now->snap);
	}
	if (snapshot_writer_make(writer, dir->md, -1, &now->snap) < 0)
		return -1;
	index_start(now);
	index_log_begin(writer->head.id, &now->log);
	leave_disk(now);
	return 0;
}

int
index_replace(struct index *index, struct snapshot_writer *writer)
{
	struct index now;

	if (make_files(index, writer, &now) < 0)
		return -1;
	index_switch(index, &now);
	note_modseq(index);
	return 0;
}

/* --- the file of texts --- */

/* Copies the texts that messages still have to a new file, if most of the old file is waste. */
struct move_texts {
	struct summaries *from, to;
	struct mdbuf batch;
	bool active, failed;
};

static void
move_flush(struct move_texts *move)
{
	uint64_t at;

	if (move->batch.len > 0 && summaries_append(&move->to, &move->batch, &at) < 0)
		move->failed = true;
	move->batch.len = 0;
}

static void
move_one(struct move_texts *move, struct index_record *record)
{
	const void *octets;
	size_t size;

	if (!move->active || record->text == 0)
		return;
	if (move->failed || !summaries_raw(move->from, record->text, record->uid, &octets, &size)) {
		record->text = 0;
		record->text_size = 0;
		return;
	}
	record->text = move->to.size + move->batch.len;
	mdbuf_add(&move->batch, octets, size);
	if (move->batch.len >= TEXTS_PIECE)
		move_flush(move);
}

static void
move_begin(struct index *index, struct snapshot_writer *writer, struct move_texts *move)
{
	uint64_t used = 0, id;
	struct index_record record;

	memset(move, 0, sizeof(*move));
	move->to.fd = -1;
	move->from = index_summaries(index, false);
	if (move->from == NULL || move->from->size < TEXTS_WASTE || index->dir->unlocked != 0)
		return;
	for (size_t i = 0; i < index_count(index); i++)
		if (index_record(index, i, &record))
			used += record.text_size;
	if (move->from->size < used * 2 + TEXTS_WASTE || summaries_new_id(&id) < 0 ||
	    summaries_create(index->dir->md, index->dir->fd, id, &move->to) < 0)
		return;
	move->active = true;
	writer->head.texts = id;
}

static void
move_end(struct move_texts *move)
{
	if (move->active)
		move_flush(move);
	summaries_close(&move->to);
	mdbuf_clear(&move->batch);
}

/* --- findings --- */

static void
message_add_finding(struct index_message *message, const struct index_finding *learned)
{
	struct index_record *record = &message->record;

	if ((learned->known & INDEX_OTHER) != 0) {
		record->text = record->text_size = 0;
		record->known &= INDEX_TWIN;
	}
	if ((learned->known & INDEX_SIZES) != 0) {
		record->size = learned->size;
		record->wire = learned->wire;
		record->known &= (uint8_t) ~(INDEX_LINE_END | INDEX_HEARSAY | INDEX_UNREADABLE);
	}
	if ((learned->known & INDEX_DATE) != 0)
		record->date = learned->date;
	if (learned->text != 0) {
		record->text = learned->text;
		record->text_size = learned->text_size;
	}
	record->known |= learned->known & (uint8_t)~INDEX_OTHER;
}

int
index_compact(struct index *index, const struct index_finding *learned, size_t count)
{
	struct snapshot_writer writer;
	struct index_message message;
	struct move_texts move;
	int r = -1;

	if (index_writer_begin(index, &writer, 0) < 0)
		return -1;
	index_flush(index);
	/* A private log is no other session's. */
	writer.head.before = index_is_private(index) ? 0 : index->snap.head.id;
	writer.head.before_at = index->log.end;
	move_begin(index, &writer, &move);
	for (size_t i = 0; i < index_count(index); i++) {
		if (!index_message_at(index, i, &message))
			break;
		while (count > 0 && learned->uid < message.record.uid) {
			learned++;
			count--;
		}
		if (count > 0 && learned->uid == message.record.uid)
			message_add_finding(&message, learned);
		move_one(&move, &message.record);
		snapshot_writer_add(&writer, &message);
	}
	move_end(&move);
	if (index_is_broken(index))
		errno = EINVAL;
	else
		r = index_replace(index, &writer);
	snapshot_writer_end(&writer);
	return r;
}

int
index_add_findings(struct index *index, const struct index_finding *learned, size_t count)
{
	struct index_message message;

	if (count > LEARN_BY_LOG)
		return index_compact(index, learned, count);
	for (size_t i = 0; i < count; i++) {
		if (!index_message(index, learned[i].uid, &message))
			continue;
		message_add_finding(&message, &learned[i]);
		if (index_put(index, &message) < 0)
			return -1;
	}
	index_flush(index);
	return 0;
}
