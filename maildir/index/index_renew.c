/*
 * index_renew.c: a new snapshot in place of an old one and its log.
 * Runs as: mail user, holding the folder's lock.
 *
 * It goes on from the old one: who vanished, the seed of the hashes, the file of texts.  That is made anew
 * as well when most of it belongs to nobody any more.
 */
#include <errno.h>
#include <string.h>

#include "maildir/base/dir.h"
#include "maildir/index/index.h"

enum {
	/* What is learned of more messages than this at once goes into a new snapshot. */
	LEARN_BY_LOG = 256,
	/* Octets of texts that nobody points to: so many, and as many as are pointed to, may be. */
	TEXTS_WASTE = 1024 * 1024,
	TEXTS_PIECE = 1024 * 1024, /* octets of texts that are copied at once */
};

struct vanish_list {
	struct snapshot_writer *writer;
	uint64_t count, skip;
};

static void
count_vanished(void *ctx, const struct index_vanished *vanished)
{
	(void)vanished;
	((struct vanish_list *)ctx)->count++;
}

static void
keep_vanished(void *ctx, const struct index_vanished *vanished)
{
	struct vanish_list *list = ctx;

	if (list->skip == 0) {
		snapshot_writer_vanished(list->writer, vanished);
		return;
	}
	list->skip--;
	if (vanished->modseq > list->writer->head.vanished_since)
		list->writer->head.vanished_since = vanished->modseq;
	list->writer->head.state.doubt |= INDEX_LINES;
}

static void
writer_vanished(struct index *index, struct snapshot_writer *writer)
{
	struct vanish_list list = {.writer = writer};

	index_each_vanished(index, count_vanished, &list);
	if (list.count > SNAPSHOT_VANISHED_MAX)
		list.skip = list.count - SNAPSHOT_VANISHED_MAX / 2;
	index_each_vanished(index, keep_vanished, &list);
}

int
index_writer_begin(struct index *index, struct snapshot_writer *writer, uint64_t since)
{
	if (snapshot_writer_begin(writer) < 0 || texts_new_id(&writer->head.texts) < 0)
		return -1;
	writer->head.vanished_since = since;
	if (index == NULL || !index->open)
		return 0;
	writer->head.texts = index->snap.head.texts;
	writer->head.seed = index->snap.head.seed;
	if (index->damaged)
		return 0;
	writer->head.validity = index->snap.head.validity;
	memcpy(writer->head.guid, index->snap.head.guid, sizeof(writer->head.guid));
	writer->head.state = index->state;
	writer->head.vanished_since = index->snap.head.vanished_since;
	writer_vanished(index, writer);
	return 0;
}

/* The texts that messages still have, in a new file, when the old one is mostly waste. */
struct move_texts {
	struct texts *from, to;
	struct mdtext batch;
	bool active, failed;
};

static void
texts_move_flush(struct move_texts *move)
{
	uint64_t at;

	if (move->batch.len > 0 && texts_append(&move->to, &move->batch, &at) < 0)
		move->failed = true;
	move->batch.len = 0;
}

static void
texts_move_one(struct move_texts *move, struct index_record *record)
{
	const void *octets;
	size_t size;

	if (!move->active || record->text == 0)
		return;
	if (move->failed || !texts_raw(move->from, record->text, record->uid, &octets, &size)) {
		record->text = 0;
		record->text_size = 0;
		return;
	}
	record->text = move->to.size + move->batch.len;
	mdtext_add(&move->batch, octets, size);
	if (move->batch.len >= TEXTS_PIECE)
		texts_move_flush(move);
}

static void
texts_move_begin(struct index *index, struct snapshot_writer *writer, struct move_texts *move)
{
	uint64_t used = 0, id;
	struct index_record record;

	memset(move, 0, sizeof(*move));
	move->to.fd = -1;
	move->from = index_texts(index, false);
	if (move->from == NULL || move->from->size < TEXTS_WASTE || index->dir->unlocked != 0)
		return;
	for (size_t i = 0; i < index_count(index); i++)
		if (index_record(index, i, &record))
			used += record.text_size;
	if (move->from->size < used * 2 + TEXTS_WASTE || texts_new_id(&id) < 0 ||
	    texts_create(index->dir->md, index->dir->fd, id, &move->to) < 0)
		return;
	move->active = true;
	writer->head.texts = id;
}

static void
texts_move_end(struct move_texts *move)
{
	if (move->active)
		texts_move_flush(move);
	texts_close(&move->to);
	mdtext_clear(&move->batch);
}

static void
message_learn(struct index_message *message, const struct index_learned *learned)
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
index_compact(struct index *index, const struct index_learned *learned, size_t count)
{
	struct snapshot_writer writer;
	struct index_message message;
	struct index_record record;
	struct move_texts move;
	int r = -1;

	if (index_writer_begin(index, &writer, 0) < 0)
		return -1;
	if (index_flush(index) < 0) {
		snapshot_writer_end(&writer);
		return -1;
	}
	/* A log of our own memory is nobody else's. */
	writer.head.before = index->own ? 0 : index->snap.head.id;
	writer.head.before_at = index->log.end;
	texts_move_begin(index, &writer, &move);
	for (size_t i = 0; i < index_count(index); i++) {
		if (!index_record(index, i, &record) || !index_message(index, record.uid, &message))
			break;
		while (count > 0 && learned->uid < record.uid) {
			learned++;
			count--;
		}
		if (count > 0 && learned->uid == record.uid)
			message_learn(&message, learned);
		texts_move_one(&move, &message.record);
		snapshot_writer_add(&writer, &message);
	}
	texts_move_end(&move);
	if (index->damaged)
		errno = EINVAL;
	else
		r = index_replace(index, &writer);
	snapshot_writer_end(&writer);
	return r;
}

/* --- what is learned --- */

int
index_learn(struct index *index, const struct index_learned *learned, size_t count)
{
	struct index_message message;

	if (count > LEARN_BY_LOG)
		return index_compact(index, learned, count);
	for (size_t i = 0; i < count; i++) {
		if (!index_message(index, learned[i].uid, &message))
			continue;
		message_learn(&message, &learned[i]);
		if (index_put(index, &message) < 0)
			return -1;
	}
	return index_flush(index);
}
