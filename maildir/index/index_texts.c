/*
 * index_texts.c: the file sallyport.texts.
 * Runs as: mail user.
 *
 * A head (struct index_head), then records at multiples of 8: a struct texts_record and the texts one
 * after the other.  The seed of the record's checksum is the file's id; those of the texts, whose seed is
 * the UID, are in the record and so go with it to another file.  All that is given to a caller was
 * verified at that moment, on a file that may be damaged at any: nothing is believed for having been right
 * before.  Where a record is, is known from the index
 * alone; what nobody points to any more goes when the file is made anew (index_renew.c).
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
#include "maildir/index/index_head.h"
#include "maildir/index/index_record.h"
#include "maildir/index/index_texts.h"

static const struct index_kind kind = {
    .name = TEXTS_NAME,
    .tmp = TEXTS_TMP,
    .magic = {'s', 'a', 'l', 'l', 'y', 't', 'x', 't'},
    .version = 5,
};

struct texts_record {
	uint32_t check; /* of the fields below */
	uint32_t uid;
	uint32_t size; /* of it all with its texts, a multiple of 8 */
	uint32_t len[MAILDIR_TEXTS];
	uint32_t text_check[MAILDIR_TEXTS];
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
	if (texts->fd >= 0)
		close(texts->fd);
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

/* Whether a record that is the message's is there; of its texts only where they are is verified. */
static bool
texts_at(struct texts *texts, uint64_t at, uint32_t uid, struct texts_record *record_r)
{
	if (at % 8 != 0 || at < sizeof(struct index_head) ||
	    !texts_reach(texts, at + sizeof(*record_r)))
		return false;
	memcpy(record_r, texts->map.at + at, sizeof(*record_r));
	if (record_r->uid != uid || record_r->size < sizeof(*record_r) ||
	    record_r->size > TEXTS_RECORD_MAX || !texts_reach(texts, at + record_r->size))
		return false;
	return record_r->check == index_check(texts->id, record_r, sizeof(*record_r));
}

/* Which text stands for that one: the one before where both are the same. */
static int
text_of(const struct texts_record *record, int text)
{
	return record->len[text] == TEXTS_SAME && text != 0 ? text - 1 : text;
}

/* Where a text is; false: it is not known, or damaged. */
static bool
text_at(struct texts *texts, uint64_t at, const struct texts_record *record, int text,
    const char **text_r, size_t *len_r)
{
	size_t before = sizeof(*record);
	uint32_t len;

	text = text_of(record, text);
	len = record->len[text];
	for (int i = 0; i < text; i++)
		before += record->len[i] < TEXTS_LONG ? record->len[i] : 0;
	if (len >= TEXTS_LONG || before > record->size || len > record->size - before)
		return false;
	*text_r = texts->map.at + at + before;
	*len_r = len;
	return record->text_check[text] == hash32(record->uid, *text_r, len);
}

bool
texts_get(struct texts *texts, uint64_t at, uint32_t uid, enum maildir_text text,
    const char **text_r, size_t *len_r)
{
	struct texts_record record;

	return texts_at(texts, at, uid, &record) &&
	       text_at(texts, at, &record, (int)text, text_r, len_r);
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
texts_find(struct texts *texts, uint64_t at, uint32_t uid, struct texts_found *found_r)
{
	struct texts_record record;

	memset(found_r, 0, sizeof(*found_r));
	if (!texts_at(texts, at, uid, &record))
		return false;
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		if (record.len[text_of(&record, i)] < TEXTS_LONG &&
		    !text_at(texts, at, &record, i, &found_r->text[i], &found_r->len[i]))
			return false;
	return true;
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

/* The checksum has the file's id in it: it is set by texts_append. */
void
texts_put(struct mdtext *batch, uint32_t uid, const char *const text[MAILDIR_TEXTS],
    const uint32_t len[MAILDIR_TEXTS])
{
	static const char none[8];
	struct texts_record record = {.uid = uid, .size = sizeof(record)};
	size_t pad;

	for (int i = 0; i < MAILDIR_TEXTS; i++) {
		record.len[i] = len[i];
		if (len[i] >= TEXTS_LONG)
			continue;
		record.size += len[i];
		record.text_check[i] = hash32(uid, text[i], len[i]);
	}
	pad = -record.size % 8;
	record.size += (uint32_t)pad;
	mdtext_add(batch, &record, sizeof(record));
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		if (len[i] < TEXTS_LONG)
			mdtext_add(batch, text[i], len[i]);
	mdtext_add(batch, none, pad);
}

int
texts_append(struct texts *texts, const struct mdtext *batch, uint64_t *at_r)
{
	struct texts_record record;

	if (batch->failed || texts_measure(texts) < 0)
		return -1;
	for (size_t at = 0; at < batch->len; at += record.size) {
		memcpy(&record, batch->data + at, sizeof(record));
		record.check = index_check(texts->id, &record, sizeof(record));
		memcpy(batch->data + at, &record, sizeof(record));
	}
	if (file_pwrite_all(texts->fd, batch->data, batch->len, (off_t)texts->size) < 0) {
		(void)!ftruncate(texts->fd, (off_t)texts->size);
		return -1;
	}
	*at_r = texts->size;
	texts->size += batch->len;
	return 0;
}
