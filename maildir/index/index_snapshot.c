/*
 * index_snapshot.c: the file sallyport.index.
 * Runs as: mail user.
 *
 * The head (struct snapshot_head), then the records of all messages by rising UID, then a hash table
 * from base names to records (a power of two of 32-bit numbers: index + 1, or 0 for a free slot; at most
 * half full), then the messages that vanished by rising modseq, then the heap of strings.  All begin at
 * a multiple of 8.  The head has a checksum, and so has each record; the table has none, since what it
 * points to is compared anyway.
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
#include "maildir/index/index_snapshot.h"

static const char magic[8] = {'s', 'a', 'l', 'l', 'y', 'i', 'd', 'x'};

enum {
	SNAPSHOT_VERSION = 2,
	BYTE_ORDER_MARK = 0x01020304,
	HEAD_CHECKED = offsetof(struct snapshot_head, version),
};

/* Octets: to read them is cheaper than a mapping, and a session has room for them.  Twenty messages. */
#define SNAPSHOT_SMALL 4096

/* A folder of more is served without an index: places are 32 bits. */
#define SNAPSHOT_COUNT_MAX (UINT32_MAX / 4)

bool
index_set_strings(
    struct index_message *message, const char *name, const char *uidl, const char *guid)
{
	size_t name_len = strlen(name), uidl_len = uidl != NULL ? strlen(uidl) : 0;
	size_t guid_len = guid != NULL ? strlen(guid) : 0;
	char *to = message->strings;

	if (name_len >= NAME_SIZE || uidl_len >= MAILDIR_UIDL_SIZE || guid_len >= MAILDIR_ID_SIZE)
		return false;
	memcpy(to, name, name_len);
	to[name_len] = '\0';
	to += name_len + 1;
	memcpy(to, uidl_len > 0 ? uidl : "", uidl_len);
	to[uidl_len] = '\0';
	to += uidl_len + 1;
	memcpy(to, guid_len > 0 ? guid : "", guid_len);
	to[guid_len] = '\0';
	message->record.name_len = (uint16_t)name_len;
	message->record.base_len = (uint16_t)mdname_base(name);
	message->record.uidl_len = (uint16_t)uidl_len;
	message->record.guid_len = (uint16_t)guid_len;
	return true;
}

/* --- reading --- */

static uint32_t
head_check(const struct snapshot_head *head)
{
	return hash32(0, (const char *)head + HEAD_CHECKED, sizeof(*head) - HEAD_CHECKED);
}

/* Whether count records of size lie between at and end. */
static bool
lies_within(uint64_t at, uint64_t count, uint64_t size, uint64_t end)
{
	return at % 8 == 0 && at <= end && count <= (end - at) / size;
}

static bool
head_is_good(const struct snapshot_head *head, uint64_t size)
{
	if (memcmp(head->magic, magic, sizeof(magic)) != 0 || head->check != head_check(head))
		return false;
	if (head->version != SNAPSHOT_VERSION || head->byte_order != BYTE_ORDER_MARK ||
	    head->head_size != sizeof(*head) || head->record_size != sizeof(struct index_record) ||
	    head->vanished_size != sizeof(struct index_vanished))
		return false;
	return head->count <= SNAPSHOT_COUNT_MAX &&
	       (head->hash_mask & (head->hash_mask + 1)) == 0 &&
	       head->guid[sizeof(head->guid) - 1] == '\0' &&
	       lies_within(head->records_at, head->count, sizeof(struct index_record), size) &&
	       lies_within(head->hash_at, head->hash_mask + 1, sizeof(uint32_t), size) &&
	       lies_within(
		   head->vanished_at, head->vanished, sizeof(struct index_vanished), size) &&
	       lies_within(head->heap_at, head->heap_size, 1, size);
}

/* All of it, into memory of our own. */
static int
snapshot_read(struct snapshot *snapshot, int fd, size_t size)
{
	if (mapping_own(&snapshot->map, size) < 0)
		return -1;
	if (pread(fd, mapping_memory(&snapshot->map), size, 0) == (ssize_t)size)
		return 0;
	snapshot_close(snapshot);
	errno = EINVAL;
	return -1;
}

static int
snapshot_map(struct snapshot *snapshot, int fd, const struct stat *st)
{
	if ((uint64_t)st->st_size < sizeof(snapshot->head) ||
	    (uint64_t)st->st_size > SIZE_MAX / 2) {
		errno = EINVAL;
		return -1;
	}
	if (st->st_size <= SNAPSHOT_SMALL
		? snapshot_read(snapshot, fd, (size_t)st->st_size) < 0
		: mapping_open(&snapshot->map, fd, (size_t)st->st_size) < 0)
		return -1;
	memcpy(&snapshot->head, snapshot->map.at, sizeof(snapshot->head));
	file_stamp_of(st, &snapshot->stamp);
	if (head_is_good(&snapshot->head, (uint64_t)st->st_size) && !mapping_broken(&snapshot->map))
		return 0;
	snapshot_close(snapshot);
	errno = EINVAL;
	return -1;
}

int
snapshot_open(int dirfd, struct snapshot *snapshot)
{
	struct stat st;
	int fd, r, saved;

	memset(snapshot, 0, sizeof(*snapshot));
	fd = file_open_regular(dirfd, SNAPSHOT_NAME, &st);
	if (fd < 0)
		return -1;
	r = snapshot_map(snapshot, fd, &st);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

void
snapshot_close(struct snapshot *snapshot)
{
	mapping_close(&snapshot->map);
	memset(snapshot, 0, sizeof(*snapshot));
}

static const char *
record_at(const struct snapshot *snapshot, size_t index)
{
	return snapshot->map.at + snapshot->head.records_at + index * sizeof(struct index_record);
}

bool
snapshot_record(const struct snapshot *snapshot, size_t index, struct index_record *record_r)
{
	memcpy(record_r, record_at(snapshot, index), sizeof(*record_r));
	return record_r->check == index_check(snapshot->head.id, record_r, sizeof(*record_r));
}

uint32_t
snapshot_uid(const struct snapshot *snapshot, size_t index)
{
	uint32_t uid;

	memcpy(&uid, record_at(snapshot, index) + offsetof(struct index_record, uid), sizeof(uid));
	return uid;
}

bool
snapshot_strings(const struct snapshot *snapshot, struct index_message *message)
{
	const struct snapshot_head *head = &snapshot->head;
	const struct index_record *record = &message->record;
	size_t size = index_strings_size(record);

	if (size > sizeof(message->strings) || record->strings > head->heap_size ||
	    size > head->heap_size - record->strings)
		return false;
	memcpy(message->strings, snapshot->map.at + head->heap_at + record->strings, size);
	return hash32(head->id, message->strings, size) == record->strings_check;
}

size_t
snapshot_find(const struct snapshot *snapshot, uint32_t uid)
{
	size_t low = 0, high = snapshot->head.count;

	/* Most folders have few gaps: the place is often near, and never above UID - 1. */
	if (uid > 0 && high > uid - 1)
		high = uid - 1;
	if (high < snapshot->head.count && snapshot_uid(snapshot, high) == uid)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (snapshot_uid(snapshot, middle) < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
snapshot_by_hash(const struct snapshot *snapshot, uint32_t hash,
    bool (*each)(void *ctx, size_t index), void *ctx)
{
	const struct snapshot_head *head = &snapshot->head;
	const char *table = snapshot->map.at + head->hash_at;
	uint64_t at = hash & head->hash_mask;
	struct index_record record;
	uint32_t index;

	for (uint64_t tries = 0; tries <= head->hash_mask; tries++) {
		memcpy(&index, table + at * sizeof(index), sizeof(index));
		if (index == 0)
			return;
		at = (at + 1) & head->hash_mask;
		if (index > head->count)
			continue;
		memcpy(&record, record_at(snapshot, index - 1), sizeof(record));
		if (record.base_hash == hash && !each(ctx, index - 1))
			return;
	}
}

bool
snapshot_vanished(const struct snapshot *snapshot, size_t index, struct index_vanished *vanished_r)
{
	memcpy(vanished_r,
	    snapshot->map.at + snapshot->head.vanished_at + index * sizeof(*vanished_r),
	    sizeof(*vanished_r));
	return vanished_r->check == index_check(snapshot->head.id, vanished_r, sizeof(*vanished_r));
}

/* --- making one --- */

int
snapshot_writer_begin(struct snapshot_writer *writer)
{
	uint64_t random[2];

	memset(writer, 0, sizeof(*writer));
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	memcpy(writer->head.magic, magic, sizeof(magic));
	writer->head.version = SNAPSHOT_VERSION;
	writer->head.byte_order = BYTE_ORDER_MARK;
	writer->head.head_size = sizeof(writer->head);
	writer->head.record_size = sizeof(struct index_record);
	writer->head.vanished_size = sizeof(struct index_vanished);
	writer->head.id = random[0] | 1; /* 0 is none */
	writer->head.seed = random[1];
	return 0;
}

static void
writer_count(struct snapshot_head *head, const struct index_record *record)
{
	if ((record->flags & MAILDIR_SEEN) == 0 && head->unseen++ == 0)
		head->first_unseen = head->count;
	head->deleted += (record->flags & MAILDIR_TRASHED) != 0;
	if (index_is_sized(record)) {
		head->sized++;
		head->octets += record->wire;
	}
	head->count++;
}

void
snapshot_writer_add(struct snapshot_writer *writer, const struct index_message *message)
{
	struct index_record record = message->record;
	size_t size = index_strings_size(&record);

	if (writer->heap.len > UINT32_MAX - INDEX_STRINGS_MAX ||
	    writer->head.count == SNAPSHOT_COUNT_MAX) {
		writer->heap.failed = true;
		return;
	}
	record.base_hash = hash32(writer->head.seed, message->strings, record.base_len);
	record.strings = (uint32_t)writer->heap.len;
	record.strings_check = hash32(writer->head.id, message->strings, size);
	record.check = index_check(writer->head.id, &record, sizeof(record));
	mdtext_add(&writer->heap, message->strings, size);
	mdtext_add(&writer->records, &record, sizeof(record));
	writer_count(&writer->head, &record);
}

void
snapshot_writer_vanished(struct snapshot_writer *writer, const struct index_vanished *vanished)
{
	struct index_vanished record = *vanished;

	record.check = index_check(writer->head.id, &record, sizeof(record));
	mdtext_add(&writer->vanished, &record, sizeof(record));
	writer->head.vanished++;
}

/* The table of base names; its caller frees it. */
static uint32_t *
writer_hash(struct snapshot_writer *writer)
{
	uint64_t size = 8;
	uint32_t *table;

	while (size < writer->head.count * 2)
		size *= 2;
	table = calloc(size, sizeof(*table));
	if (table == NULL)
		return NULL;
	writer->head.hash_mask = size - 1;
	for (uint64_t i = 0; i < writer->head.count; i++) {
		struct index_record record;
		uint64_t at;

		memcpy(&record, writer->records.data + i * sizeof(record), sizeof(record));
		at = record.base_hash & writer->head.hash_mask;
		while (table[at] != 0)
			at = (at + 1) & writer->head.hash_mask;
		table[at] = (uint32_t)i + 1;
	}
	return table;
}

struct piece {
	const void *data;
	size_t size;
};

enum { PIECES = 5 };

/* Where everything goes.  The first piece is the head, checked; *table_r is to be freed. */
static int
writer_lay_out(struct snapshot_writer *writer, struct piece piece[PIECES], uint32_t **table_r)
{
	struct snapshot_head *head = &writer->head;
	static const char none[8];

	while (writer->heap.len % 8 != 0)
		mdtext_add(&writer->heap, none, 1);
	*table_r = NULL;
	if (!writer->heap.failed && !writer->records.failed && !writer->vanished.failed)
		*table_r = writer_hash(writer);
	if (*table_r == NULL) {
		errno = ENOMEM;
		return -1;
	}
	head->heap_size = writer->heap.len;
	head->records_at = sizeof(*head);
	head->hash_at = head->records_at + writer->records.len;
	head->vanished_at = head->hash_at + (head->hash_mask + 1) * sizeof(uint32_t);
	head->heap_at = head->vanished_at + writer->vanished.len;
	head->check = head_check(head);
	piece[0] = (struct piece){head, sizeof(*head)};
	piece[1] = (struct piece){writer->records.data, writer->records.len};
	piece[2] = (struct piece){*table_r, (head->hash_mask + 1) * sizeof(uint32_t)};
	piece[3] = (struct piece){writer->vanished.data, writer->vanished.len};
	piece[4] = (struct piece){writer->heap.data, writer->heap.len};
	return 0;
}

static int
pieces_write(struct maildir *md, int dirfd, const struct piece piece[PIECES])
{
	int fd = file_make(dirfd, SNAPSHOT_TMP), r = 0, saved;

	if (fd < 0)
		return -1;
	for (int i = 0; i < PIECES && r == 0; i++)
		r = file_write_all(fd, piece[i].data, piece[i].size);
	if (r == 0)
		r = fsync(fd);
	if (close(fd) < 0)
		r = -1;
	if (r == 0)
		return file_place(md, dirfd, SNAPSHOT_TMP, SNAPSHOT_NAME, false);
	saved = errno;
	(void)unlinkat(dirfd, SNAPSHOT_TMP, 0);
	errno = saved;
	return -1;
}

int
snapshot_writer_store(struct snapshot_writer *writer, struct maildir *md, int dirfd)
{
	struct piece piece[PIECES];
	uint32_t *table;
	int r, saved;

	r = writer_lay_out(writer, piece, &table);
	if (r == 0)
		r = pieces_write(md, dirfd, piece);
	saved = errno;
	free(table);
	errno = saved;
	return r;
}

int
snapshot_writer_keep(struct snapshot_writer *writer, struct snapshot *snapshot)
{
	struct piece piece[PIECES];
	size_t size = 0;
	uint32_t *table;
	char *to;

	memset(snapshot, 0, sizeof(*snapshot));
	if (writer_lay_out(writer, piece, &table) < 0) {
		free(table);
		return -1;
	}
	for (int i = 0; i < PIECES; i++)
		size += piece[i].size;
	if (mapping_own(&snapshot->map, size) < 0) {
		free(table);
		return -1;
	}
	snapshot->head = writer->head;
	to = mapping_memory(&snapshot->map);
	for (int i = 0; i < PIECES; i++) {
		if (piece[i].size > 0)
			memcpy(to, piece[i].data, piece[i].size);
		to += piece[i].size;
	}
	free(table);
	return 0;
}

void
snapshot_writer_end(struct snapshot_writer *writer)
{
	int saved = errno;

	mdtext_clear(&writer->records);
	mdtext_clear(&writer->heap);
	mdtext_clear(&writer->vanished);
	errno = saved;
}
