/*
 * index_texts.c: the file sallyport.texts.
 * Runs as: mail user.
 *
 * A head (struct index_head), then records at multiples of 8: a struct texts_record and the texts one
 * after the other, the last kind first: a SEARCH reads that of each message, and it lies beside what it reads to find it.  Only the index knows where a record is; a record to which nothing points any more goes when the
 * file is rewritten (index_change.c).
 *
 * A text is verified each time that it is asked for: to note which were would cost a session memory for each message.
 * The seed of its checksum is the message's UID and where in the record the text is, so that lengths which are not
 * those that were written are found with it.  A damaged text is made from the message again.
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
#include "maildir/index/index_texts.h"

static const struct index_kind kind = {
    .name = TEXTS_NAME,
    .tmp = TEXTS_TMP,
    .magic = {'s', 'a', 'l', 'l', 'y', 't', 'x', 't'},
    .version = 6,
};

struct texts_record {
	uint32_t uid;
	uint32_t size; /* of it all with its texts, a multiple of 8 */
	uint32_t len[MAILDIR_TEXTS];
	uint32_t check[MAILDIR_TEXTS];
};

int
texts_new_id(uint64_t *id_r)
{
	if (getrandom(id_r, sizeof(*id_r), 0) != sizeof(*id_r))
		return -1;
	*id_r |= 1;
	return 0;
}

/* The file's size as it is now. */
static int
texts_measure(struct texts *texts)
{
	struct stat st;

	if (fstat(texts->fd, &st) < 0)
		return -1;
	texts->size = (uint64_t)st.st_size & ~UINT64_C(7);
	return 0;
}

int
texts_open(int dirfd, uint64_t id, struct texts *texts)
{
	bool more;

	memset(texts, 0, sizeof(*texts));
	texts->id = id;
	texts->fd = index_file_open(dirfd, &kind, id, &more);
	if (texts->fd < 0)
		return -1;
	if (texts_measure(texts) == 0)
		return 0;
	texts_close(texts);
	return -1;
}

int
texts_create(struct maildir *md, int dirfd, uint64_t id, struct texts *texts)
{
	memset(texts, 0, sizeof(*texts));
	texts->fd = index_file_create(md, dirfd, &kind, id);
	if (texts->fd < 0)
		return -1;
	texts->id = id;
	texts->size = sizeof(struct index_head);
	return 0;
}

void
texts_close(struct texts *texts)
{
	int saved = errno;

	mapping_close(&texts->map);
	close_keeping_errno(texts->fd);
	memset(texts, 0, sizeof(*texts));
	texts->fd = -1;
	errno = saved;
}

/* Sees to it that the file is in memory to the end, and further than it is: it grows. */
static bool
texts_reach(struct texts *texts, uint64_t end)
{
	if (texts->fd < 0)
		return false;
	if (end > texts->size && (texts_measure(texts) < 0 || end > texts->size))
		return false;
	if (end <= texts->map.size && !mapping_broken(&texts->map))
		return true;
	mapping_close(&texts->map);
	return mapping_open(&texts->map, texts->fd, (size_t)(texts->size + texts->size / 4)) == 0;
}

/* Whether a record that is the message's is there.  Lengths in it are not verified. */
static bool
texts_at(struct texts *texts, uint64_t at, uint32_t uid, struct texts_record *record_r)
{
	if (at % 8 != 0 || at < sizeof(struct index_head) || at > UINT64_MAX / 2 ||
	    !texts_reach(texts, at + sizeof(*record_r)))
		return false;
	memcpy(record_r, texts->map.at + at, sizeof(*record_r));
	return record_r->uid == uid && record_r->size >= sizeof(*record_r) &&
	       record_r->size <= TEXTS_RECORD_MAX && texts_reach(texts, at + record_r->size);
}

static uint32_t
text_check(uint32_t uid, size_t place, const char *text, uint32_t len)
{
	return hash32((uint64_t)uid << 32 | place, text, len);
}

/* Which text stands for that one: the one before where both are the same, and have the same checksum. */
static int
text_of(const struct texts_record *record, int text)
{
	bool same = record->len[text] == TEXTS_SAME && text != 0 &&
		    record->check[text] == record->check[text - 1];

	return same ? text - 1 : text;
}

/* The copy is verified: the file may be cut after that. */
bool
texts_get(
    struct texts *texts, uint64_t at, uint32_t uid, enum maildir_text wanted, struct mdtext *out)
{
	struct texts_record record;
	size_t place = sizeof(record), before = out->len;
	uint32_t len;
	int text;

	if (!texts_at(texts, at, uid, &record))
		return false;
	text = text_of(&record, (int)wanted);
	len = record.len[text];
	for (int i = MAILDIR_TEXTS - 1; i > text; i--)
		place += record.len[i] < TEXTS_LONG ? record.len[i] : 0;
	if (len >= TEXTS_LONG || place > record.size || len > record.size - place)
		return false;
	mdtext_add(out, texts->map.at + at + place, len);
	if (out->failed ||
	    record.check[text] == text_check(uid, place, len > 0 ? out->data + before : "", len))
		return true;
	out->len = before;
	return false;
}

uint32_t
texts_len(struct texts *texts, uint64_t at, uint32_t uid, enum maildir_text text)
{
	struct texts_record record;

	if (!texts_at(texts, at, uid, &record))
		return TEXTS_UNKNOWN;
	return record.len[text_of(&record, (int)text)];
}

bool
texts_are_whole(struct texts *texts, uint64_t at, uint32_t uid, bool *structure_r)
{
	struct texts_record record;
	struct mdtext copy = {0};
	bool whole = texts_at(texts, at, uid, &record);

	*structure_r = whole && record.len[MAILDIR_BODYSTRUCTURE] < TEXTS_LONG;
	for (int i = 0; i < MAILDIR_TEXTS && whole; i++)
		whole = record.len[text_of(&record, i)] >= TEXTS_LONG ||
			texts_get(texts, at, uid, (enum maildir_text)i, &copy);
	mdtext_clear(&copy);
	return whole;
}

bool
texts_raw(struct texts *texts, uint64_t at, uint32_t uid, const void **record_r, size_t *size_r)
{
	struct texts_record record;

	if (!texts_at(texts, at, uid, &record))
		return false;
	*record_r = texts->map.at + at;
	*size_r = record.size;
	return true;
}

void
texts_put(struct mdtext *batch, uint32_t uid, const char *const text[MAILDIR_TEXTS],
    const uint32_t len[MAILDIR_TEXTS])
{
	static const char none[8];
	struct texts_record record = {.uid = uid, .size = sizeof(record)};
	size_t pad;

	for (int i = MAILDIR_TEXTS - 1; i >= 0; i--) {
		record.len[i] = len[i];
		if (len[i] >= TEXTS_LONG)
			continue;
		record.check[i] = text_check(uid, record.size, text[i], len[i]);
		record.size += len[i];
	}
	for (int i = 1; i < MAILDIR_TEXTS; i++)
		if (len[i] == TEXTS_SAME)
			record.check[i] = record.check[i - 1];
	pad = -record.size % 8;
	record.size += (uint32_t)pad;
	mdtext_add(batch, &record, sizeof(record));
	for (int i = MAILDIR_TEXTS - 1; i >= 0; i--)
		if (len[i] < TEXTS_LONG)
			mdtext_add(batch, text[i], len[i]);
	mdtext_add(batch, none, pad);
}

int
texts_append(struct texts *texts, const struct mdtext *batch, uint64_t *at_r)
{
	if (batch->failed || texts_measure(texts) < 0)
		return -1;
	if (file_pwrite_all(texts->fd, batch->data, batch->len, (off_t)texts->size) < 0) {
		(void)!ftruncate(texts->fd, (off_t)texts->size);
		return -1;
	}
	*at_r = texts->size;
	texts->size += batch->len;
	return 0;
}
