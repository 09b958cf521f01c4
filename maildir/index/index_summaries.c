/*
 * index_summaries.c: the file sallyport.texts.
 * Runs as: mail user.
 *
 * A head (struct index_head), then records at multiples of 8: a struct summaries_record and the texts one after the
 * other.  A FETCH of ENVELOPE and BODYSTRUCTURE reads what follows the lengths; a SEARCH reads the last text and the
 * next record's lengths.  Either way the octets lie beside each other.
 * Only the index knows the places of records.  A record that the index no longer points to goes when the file is
 * rewritten (index_change.c).
 *
 * A text is verified each time that it is read: notes of verified texts would cost a session memory for each message.
 * The seed of its checksum is the message's UID and the text's place in the record, so that wrong lengths are found as
 * well.  A damaged text is made from the message again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/hash.h"
#include "maildir/index/index_head.h"
#include "maildir/index/index_summaries.h"

static const struct index_kind kind = {
    .name = SUMMARIES_NAME,
    .tmp = SUMMARIES_TMP,
    .magic = {'s', 'a', 'l', 'l', 'y', 't', 'x', 't'},
    .version = 7,
};

struct summaries_record {
	uint32_t uid;
	uint32_t size; /* of the record with its texts, a multiple of 8 */
	uint32_t len[MAILDIR_TEXTS];
	uint32_t check[MAILDIR_TEXTS];
};

int
summaries_new_id(uint64_t *id_r)
{
	if (getrandom(id_r, sizeof(*id_r), 0) != sizeof(*id_r))
		return -1;
	*id_r |= 1;
	return 0;
}

/* Gets the present size of the file. */
static int
summaries_measure(struct summaries *summaries)
{
	struct stat st;

	if (fstat(summaries->fd, &st) < 0)
		return -1;
	summaries->size = (uint64_t)st.st_size & ~UINT64_C(7);
	return 0;
}

int
summaries_open(int dirfd, uint64_t id, struct summaries *summaries)
{
	*summaries = (struct summaries){.id = id};
	summaries->fd = index_file_open(dirfd, &kind, id, &summaries->size);
	summaries->size &= ~UINT64_C(7);
	return summaries->fd < 0 ? -1 : 0;
}

int
summaries_create(struct maildir *md, int dirfd, uint64_t id, struct summaries *summaries)
{
	*summaries = (struct summaries){.id = id, .size = sizeof(struct index_head)};
	summaries->fd = index_file_create(md, dirfd, &kind, id);
	return summaries->fd < 0 ? -1 : 0;
}

void
summaries_close(struct summaries *summaries)
{
	mapping_close(&summaries->map);
	close_keeping_errno(summaries->fd);
	*summaries = (struct summaries){.fd = -1};
}

/* Maps the file at least up to end, and further than it reaches now, since it grows. */
static bool
summaries_reach(struct summaries *summaries, uint64_t end)
{
	if (summaries->fd < 0)
		return false;
	if (end > summaries->size && (summaries_measure(summaries) < 0 || end > summaries->size))
		return false;
	if (end <= summaries->map.size && !mapping_broken(&summaries->map))
		return true;
	mapping_close(&summaries->map);
	return mapping_open(&summaries->map, summaries->fd,
		   (size_t)(summaries->size + summaries->size / 4)) == 0;
}

/* Copies the message's record, without its texts.  Returns false if there is none.  Its lengths are not verified. */
static bool
summaries_at(
    struct summaries *summaries, uint64_t at, uint32_t uid, struct summaries_record *record_r)
{
	if (at % 8 != 0 || at < sizeof(struct index_head) || at > UINT64_MAX / 2 ||
	    !summaries_reach(summaries, at + sizeof(*record_r)))
		return false;
	memcpy(record_r, summaries->map.at + at, sizeof(*record_r));
	return record_r->uid == uid && record_r->size >= sizeof(*record_r) &&
	       record_r->size % 8 == 0 && record_r->size <= SUMMARIES_RECORD_MAX &&
	       summaries_reach(summaries, at + record_r->size);
}

static uint32_t
text_check(uint32_t uid, size_t place, const char *text, uint32_t len)
{
	return hash32((uint64_t)uid << 32 | place, text, len);
}

/* Returns the number of the text that stands for this one: the text before it, if both are the same. */
static int
text_of(const struct summaries_record *record, int text)
{
	bool same = record->len[text] == TEXT_SAME && text != 0 &&
		    record->check[text] == record->check[text - 1];

	return same ? text - 1 : text;
}

/* Verifies the copy and not the file, which may be cut after the check. */
bool
summaries_get(struct summaries *summaries, uint64_t at, uint32_t uid, enum maildir_text wanted,
    struct mdbuf *out)
{
	struct summaries_record record;
	size_t place = sizeof(record), before = out->len;
	uint32_t len;
	int text;

	if (!summaries_at(summaries, at, uid, &record))
		return false;
	text = text_of(&record, (int)wanted);
	len = record.len[text];
	for (int i = 0; i < text; i++)
		place += record.len[i] < TEXT_LONG ? record.len[i] : 0;
	if (len >= TEXT_LONG || place > record.size || len > record.size - place)
		return false;
	mdbuf_add(out, summaries->map.at + at + place, len);
	if (out->failed ||
	    record.check[text] == text_check(uid, place, len > 0 ? out->data + before : "", len))
		return true;
	out->len = before;
	return false;
}

uint32_t
summaries_len(struct summaries *summaries, uint64_t at, uint32_t uid, enum maildir_text text)
{
	struct summaries_record record;

	if (!summaries_at(summaries, at, uid, &record))
		return TEXT_UNKNOWN;
	return record.len[text_of(&record, (int)text)];
}

bool
summaries_are_whole(struct summaries *summaries, uint64_t at, uint32_t uid, bool *structure_r)
{
	struct summaries_record record;
	struct mdbuf copy = {0};
	bool whole = summaries_at(summaries, at, uid, &record);

	*structure_r = whole && record.len[MAILDIR_BODYSTRUCTURE] < TEXT_LONG;
	for (int i = 0; i < MAILDIR_TEXTS && whole; i++)
		whole = record.len[text_of(&record, i)] >= TEXT_LONG ||
			summaries_get(summaries, at, uid, (enum maildir_text)i, &copy);
	mdbuf_clear(&copy);
	return whole;
}

bool
summaries_raw(
    struct summaries *summaries, uint64_t at, uint32_t uid, const void **record_r, size_t *size_r)
{
	struct summaries_record record;

	if (!summaries_at(summaries, at, uid, &record))
		return false;
	*record_r = summaries->map.at + at;
	*size_r = record.size;
	return true;
}

void
summaries_put(struct mdbuf *batch, uint32_t uid, const char *const text[MAILDIR_TEXTS],
    const uint32_t len[MAILDIR_TEXTS])
{
	static const char none[8];
	struct summaries_record record = {.uid = uid, .size = sizeof(record)};
	size_t pad;

	for (int i = 0; i < MAILDIR_TEXTS; i++) {
		record.len[i] = len[i];
		if (len[i] >= TEXT_LONG)
			continue;
		record.check[i] = text_check(uid, record.size, text[i], len[i]);
		record.size += len[i];
	}
	for (int i = 1; i < MAILDIR_TEXTS; i++)
		if (len[i] == TEXT_SAME)
			record.check[i] = record.check[i - 1];
	pad = -record.size % 8;
	record.size += (uint32_t)pad;
	mdbuf_add(batch, &record, sizeof(record));
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		if (len[i] < TEXT_LONG)
			mdbuf_add(batch, text[i], len[i]);
	mdbuf_add(batch, none, pad);
}

int
summaries_append(struct summaries *summaries, const struct mdbuf *batch, uint64_t *at_r)
{
	if (batch->failed || summaries_measure(summaries) < 0)
		return -1;
	if (file_pwrite_all(summaries->fd, batch->data, batch->len, (off_t)summaries->size) < 0) {
		(void)!ftruncate(summaries->fd, (off_t)summaries->size);
		return -1;
	}
	*at_r = summaries->size;
	summaries->size += batch->len;
	return 0;
}
