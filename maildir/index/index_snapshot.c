/*
 * index_snapshot.c: the file sallyport.index.
 * Runs as: mail user.
 *
 * The head (struct snapshot_head) has a checksum and says where the parts are: the records of all messages by rising
 * UID; a hash table from base names to records (a power of two of 32-bit numbers: place + 1, or 0 for a free slot; at
 * most half full); the messages that vanished, by rising modseq; the heap of strings; the checksums.  Each begins at a
 * multiple of 8.
 *
 * Each part but the last is cut into blocks; the last part has their checksums in the same order.  A block is
 * verified when it is first touched, and a bit in the session's memory notes that.  This finds earlier damage.  It
 * does not find a block that is changed later, except that a file that was cut short reads as zeros, and no record is
 * all zero.  So lengths and places are checked at each use, on a copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/bisect.h"
#include "maildir/base/file.h"
#include "maildir/base/hash.h"
#include "maildir/index/index_head.h"
#include "maildir/index/index_snapshot.h"

static const struct snapshot_kind kind = {
    .magic = {'s', 'a', 'l', 'l', 'y', 'i', 'd', 'x'},
    .version = 3,
    .byte_order = 0x01020304,
    .head_size = sizeof(struct snapshot_head),
    .record_size = sizeof(struct index_record),
    .vanished_size = sizeof(struct index_vanished),
};

enum {
	HASH_SLOTS_MIN = 8,
};

/* Octets: reading so few is cheaper than a mapping, and a session has room for them.  Twenty messages. */
#define SNAPSHOT_SMALL 4096

/* Places have 32 bits.  A folder with more messages is served without an index. */
#define SNAPSHOT_COUNT_MAX (UINT32_MAX / 4)

/* --- blocks --- */

static uint64_t
blocks_of(uint64_t size)
{
	return size / SNAPSHOT_BLOCK + (size % SNAPSHOT_BLOCK != 0);
}

/* The number of a part's first block. */
static uint64_t
first_block(const struct snapshot_head *head, int part)
{
	uint64_t blocks = 0;

	for (int i = 0; i < part; i++)
		blocks += blocks_of(head->part[i].size);
	return blocks;
}

/* The checksum of the n-th block of a part, which lies at data; number is that of all parts. */
static uint32_t
block_check(
    const struct snapshot_head *head, int part, const char *data, uint64_t n, uint64_t number)
{
	uint64_t left = head->part[part].size - n * SNAPSHOT_BLOCK;

	return hash32(hash_join(head->id, number), data + n * SNAPSHOT_BLOCK,
	    left < SNAPSHOT_BLOCK ? left : SNAPSHOT_BLOCK);
}

static bool
block_is_good(const struct snapshot *snapshot, int part, uint64_t n, uint64_t number)
{
	const struct snapshot_head *head = &snapshot->head;
	uint32_t check;

	memcpy(&check, snapshot->map.at + head->part[PART_CHECKS].at + number * sizeof(check),
	    sizeof(check));
	return check == block_check(head, part, snapshot->map.at + head->part[part].at, n, number);
}

/* Verifies the blocks of a part that have octets between from and to, as far as that was not done yet. */
static bool
blocks_verify(struct snapshot *snapshot, int part, uint64_t from, uint64_t to)
{
	uint64_t first = first_block(&snapshot->head, part);

	for (uint64_t n = from / SNAPSHOT_BLOCK; n * SNAPSHOT_BLOCK < to; n++) {
		uint64_t number = first + n;
		uint8_t bit = (uint8_t)(1U << number % 8);

		if ((snapshot->verified[number / 8] & bit) != 0)
			continue;
		if (!block_is_good(snapshot, part, n, number))
			return false;
		snapshot->verified[number / 8] |= bit;
	}
	return true;
}

/* Copies octets of a part; every read of a snapshot goes through here.  Returns false if they are broken. */
static bool
part_copy(struct snapshot *snapshot, int part, uint64_t at, void *to, size_t size)
{
	uint64_t all = snapshot->head.part[part].size;

	if (size <= all && at <= all - size &&
	    (snapshot->verified == NULL || blocks_verify(snapshot, part, at, at + size))) {
		memcpy(to, snapshot->map.at + snapshot->head.part[part].at + at, size);
		if (!mapping_broken(&snapshot->map))
			return true;
	}
	snapshot->broken = true;
	return false;
}

void
snapshot_doubt(struct snapshot *snapshot)
{
	snapshot->broken = true;
	if (snapshot->verified != NULL)
		memset(snapshot->verified, 0, first_block(&snapshot->head, PART_CHECKS) / 8 + 1);
}

/* --- opening --- */

static uint32_t
head_check(const struct snapshot_head *head)
{
	return hash32(
	    0, (const char *)head + sizeof(head->check), sizeof(*head) - sizeof(head->check));
}

/* Returns whether the parts lie in a file of that size, and have the sizes that the counts in the head require. */
static bool
parts_are_good(const struct snapshot_head *head, uint64_t size)
{
	uint64_t slots = head->part[PART_HASH].size / sizeof(uint32_t);

	for (int i = 0; i < SNAPSHOT_PARTS; i++) {
		uint64_t at = head->part[i].at;

		if (at % 8 != 0 || at > size || head->part[i].size > size - at)
			return false;
	}
	return head->count <= SNAPSHOT_COUNT_MAX && head->first_unseen <= head->count &&
	       head->state.modseq <= INDEX_MODSEQ_MAX &&
	       head->part[PART_RECORDS].size == head->count * sizeof(struct index_record) &&
	       slots > 0 && (slots & (slots - 1)) == 0 &&
	       head->vanished <= size / sizeof(struct index_vanished) &&
	       head->part[PART_VANISHED].size == head->vanished * sizeof(struct index_vanished) &&
	       head->part[PART_CHECKS].size / sizeof(uint32_t) >= first_block(head, PART_CHECKS);
}

static bool
head_is_good(const struct snapshot_head *head, uint64_t size)
{
	return memcmp(&head->kind, &kind, sizeof(kind)) == 0 && head->check == head_check(head) &&
	       head->guid[SNAPSHOT_GUID_MAX] == '\0' && parts_are_good(head, size);
}

/* Reads a small file into this process's memory. */
static int
snapshot_read(struct snapshot *snapshot, int fd, size_t size)
{
	char *memory = malloc(size);

	if (memory == NULL)
		return -1;
	mapping_hold(&snapshot->map, memory, size);
	errno = EINVAL;
	return pread(fd, memory, size, 0) == (ssize_t)size ? 0 : -1;
}

/* Verifies the head; and all of a small file, which was read into this process's memory. */
static bool
snapshot_begin(struct snapshot *snapshot, size_t size)
{
	struct snapshot_head *head = &snapshot->head;

	memcpy(head, snapshot->map.at, sizeof(*head));
	errno = EINVAL;
	if (!head_is_good(head, size) || mapping_broken(&snapshot->map))
		return false;
	snapshot->verified = calloc(first_block(head, PART_CHECKS) / 8 + 1, 1);
	if (snapshot->verified == NULL || size > SNAPSHOT_SMALL)
		return snapshot->verified != NULL;
	for (int i = 0; i < PART_CHECKS; i++)
		if (!blocks_verify(snapshot, i, 0, head->part[i].size))
			return false;
	free(snapshot->verified);
	snapshot->verified = NULL;
	return true;
}

static int
snapshot_load(struct snapshot *snapshot, int fd, const struct stat *st)
{
	size_t size = (size_t)st->st_size;

	errno = EINVAL;
	if (size < sizeof(snapshot->head) || size > SIZE_MAX / 2)
		return -1;
	if (size <= SNAPSHOT_SMALL ? snapshot_read(snapshot, fd, size) < 0
				   : mapping_open(&snapshot->map, fd, size) < 0)
		return -1;
	file_stamp_of(st, &snapshot->stamp);
	return snapshot_begin(snapshot, size) ? 0 : -1;
}

int
snapshot_open(int dirfd, struct snapshot *snapshot)
{
	struct stat st;
	int fd, r;

	memset(snapshot, 0, sizeof(*snapshot));
	fd = file_open_regular(dirfd, SNAPSHOT_NAME, &st);
	if (fd < 0)
		return -1;
	r = snapshot_load(snapshot, fd, &st);
	close_keeping_errno(fd);
	if (r < 0)
		snapshot_close(snapshot);
	return r;
}

void
snapshot_close(struct snapshot *snapshot)
{
	mapping_close(&snapshot->map);
	free(snapshot->verified);
	memset(snapshot, 0, sizeof(*snapshot));
}

/* --- reading --- */

bool
snapshot_record(struct snapshot *snapshot, size_t place, struct index_record *record_r)
{
	if (!part_copy(
		snapshot, PART_RECORDS, place * sizeof(*record_r), record_r, sizeof(*record_r)))
		return false;
	snapshot->broken = snapshot->broken || !index_record_is_sane(record_r);
	return index_record_is_sane(record_r);
}

/* A binary search asks some fifteen times, so it does not look at the rest of each record. */
uint32_t
snapshot_uid(struct snapshot *snapshot, size_t place)
{
	const uint64_t at =
	    place * sizeof(struct index_record) + offsetof(struct index_record, uid);
	uint32_t uid;

	if (!part_copy(snapshot, PART_RECORDS, at, &uid, sizeof(uid)))
		return 0;
	snapshot->broken = snapshot->broken || uid == 0 || uid == UINT32_MAX;
	return uid;
}

bool
snapshot_strings(struct snapshot *snapshot, struct index_message *message)
{
	const struct index_record *record = &message->record;

	if (part_copy(snapshot, PART_HEAP, record->strings, message->strings,
		index_strings_size(record)) &&
	    index_strings_are_sane(message))
		return true;
	snapshot->broken = true;
	return false;
}

struct uid_search {
	struct snapshot *snapshot;
	uint32_t uid;
};

static bool
uid_is_below(const void *ctx, size_t place)
{
	const struct uid_search *search = ctx;

	return snapshot_uid(search->snapshot, place) < search->uid;
}

/* Marks the snapshot as broken if a record beside that place cannot be one. */
static void
judge_neighbours(struct snapshot *snapshot, size_t place)
{
	struct index_record record;

	if (place < snapshot->head.count)
		(void)snapshot_record(snapshot, place, &record);
	if (place > 0)
		(void)snapshot_record(snapshot, place - 1, &record);
}

size_t
snapshot_find(struct snapshot *snapshot, uint32_t uid)
{
	const struct uid_search search = {snapshot, uid};
	size_t count = snapshot->head.count, high = count;

	/* The place is never above UID - 1; in a folder without gaps it is UID - 1. */
	if (uid <= 1)
		return 0;
	if (high > uid - 1)
		high = uid - 1;
	if (high < count && snapshot_uid(snapshot, high) == uid)
		return high;
	/* A new message has a UID above all others. */
	if (high < count || count == 0 || snapshot_uid(snapshot, count - 1) >= uid)
		high = bisect(high, uid_is_below, &search);
	/* A damaged list must not make a message that is there look gone. */
	if (high == count || snapshot_uid(snapshot, high) != uid)
		judge_neighbours(snapshot, high);
	return high;
}

bool
snapshot_next_of_hash(struct snapshot *snapshot, uint32_t hash, uint64_t *tried, size_t *place_r)
{
	uint64_t slots = snapshot->head.part[PART_HASH].size / sizeof(uint32_t);
	struct index_record record;
	uint32_t number;

	while (*tried < slots) {
		uint64_t slot = (hash + (*tried)++) & (slots - 1);

		if (!part_copy(
			snapshot, PART_HASH, slot * sizeof(number), &number, sizeof(number)) ||
		    number == 0 || !snapshot_record(snapshot, number - 1, &record))
			return false;
		*place_r = number - 1;
		if (record.base_hash == hash)
			return true;
	}
	return false;
}

bool
snapshot_vanished(struct snapshot *snapshot, size_t number, struct index_vanished *vanished_r)
{
	return part_copy(
	    snapshot, PART_VANISHED, number * sizeof(*vanished_r), vanished_r, sizeof(*vanished_r));
}

/* --- making one --- */

int
snapshot_writer_begin(struct snapshot_writer *writer)
{
	uint64_t random[2];

	memset(writer, 0, sizeof(*writer));
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	writer->head.kind = kind;
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

	if (writer->heap.len > UINT32_MAX - INDEX_STRINGS_MAX ||
	    writer->head.count == SNAPSHOT_COUNT_MAX) {
		writer->heap.failed = true;
		return;
	}
	record.base_hash = hash32(writer->head.seed, message->strings, record.base_len);
	record.strings = (uint32_t)writer->heap.len;
	mdbuf_add(&writer->heap, message->strings, index_strings_size(&record));
	mdbuf_add(&writer->records, &record, sizeof(record));
	writer_count(&writer->head, &record);
}

void
snapshot_writer_vanished(struct snapshot_writer *writer, const struct index_vanished *vanished)
{
	mdbuf_add(&writer->vanished, vanished, sizeof(*vanished));
	writer->head.vanished++;
}

/* Gives each part its place.  Returns the size of the file. */
static size_t
writer_lay_out(struct snapshot_writer *writer)
{
	struct snapshot_head *head = &writer->head;
	uint64_t slots = HASH_SLOTS_MIN, at = sizeof(*head);

	while (slots < head->count * 2)
		slots *= 2;
	head->part[PART_RECORDS].size = writer->records.len;
	head->part[PART_HASH].size = slots * sizeof(uint32_t);
	head->part[PART_VANISHED].size = writer->vanished.len;
	head->part[PART_HEAP].size = writer->heap.len;
	head->part[PART_CHECKS].size = first_block(head, PART_CHECKS) * sizeof(uint32_t);
	for (int i = 0; i < SNAPSHOT_PARTS; i++) {
		head->part[i].at = at;
		at += (head->part[i].size + 7) & ~UINT64_C(7);
	}
	head->check = head_check(head);
	return at;
}

/* Fills the table of base names in a file that has its records already. */
static void
fill_hash(const struct snapshot_head *head, char *file)
{
	uint64_t slots = head->part[PART_HASH].size / sizeof(uint32_t);
	uint32_t *table = (uint32_t *)(void *)(file + head->part[PART_HASH].at);
	struct index_record record;

	for (uint64_t i = 0; i < head->count; i++) {
		uint64_t slot;

		memcpy(&record, file + head->part[PART_RECORDS].at + i * sizeof(record),
		    sizeof(record));
		slot = record.base_hash & (slots - 1);
		while (table[slot] != 0)
			slot = (slot + 1) & (slots - 1);
		table[slot] = (uint32_t)i + 1;
	}
}

static void
fill_checks(const struct snapshot_head *head, char *file)
{
	uint32_t *checks = (uint32_t *)(void *)(file + head->part[PART_CHECKS].at);
	uint64_t number = 0;

	for (int i = 0; i < PART_CHECKS; i++) {
		uint64_t blocks = blocks_of(head->part[i].size);

		for (uint64_t n = 0; n < blocks; n++, number++)
			checks[number] = block_check(head, i, file + head->part[i].at, n, number);
	}
}

static void
fill_part(const struct snapshot_head *head, char *file, int part, const struct mdbuf *text)
{
	if (text->len > 0)
		memcpy(file + head->part[part].at, text->data, text->len);
}

/* Returns the whole file in memory, which the caller frees; NULL: ENOMEM. */
static char *
writer_file(struct snapshot_writer *writer, size_t *size_r)
{
	char *file = NULL;

	if (!writer->heap.failed && !writer->records.failed && !writer->vanished.failed) {
		*size_r = writer_lay_out(writer);
		file = calloc(*size_r, 1);
	}
	if (file == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	memcpy(file, &writer->head, sizeof(writer->head));
	fill_part(&writer->head, file, PART_RECORDS, &writer->records);
	fill_part(&writer->head, file, PART_VANISHED, &writer->vanished);
	fill_part(&writer->head, file, PART_HEAP, &writer->heap);
	fill_hash(&writer->head, file);
	fill_checks(&writer->head, file);
	return file;
}

static int
file_store(struct maildir *md, int dirfd, const char *file, size_t size)
{
	int fd = file_make(dirfd, SNAPSHOT_TMP), r;

	if (fd < 0)
		return -1;
	r = file_write_all(fd, file, size);
	if (r == 0)
		r = fsync(fd);
	if (close(fd) < 0)
		r = -1;
	if (r == 0)
		return file_place(md, dirfd, SNAPSHOT_TMP, SNAPSHOT_NAME, false);
	unlink_keeping_errno(dirfd, SNAPSHOT_TMP);
	return -1;
}

int
snapshot_writer_make(
    struct snapshot_writer *writer, struct maildir *md, int dirfd, struct snapshot *snapshot_r)
{
	size_t size;
	char *file = writer_file(writer, &size);
	int r;

	memset(snapshot_r, 0, sizeof(*snapshot_r));
	if (file == NULL)
		return -1;
	if (dirfd < 0) {
		mapping_hold(&snapshot_r->map, file, size);
		snapshot_r->head = writer->head;
		return 0;
	}
	r = file_store(md, dirfd, file, size);
	free(file);
	return r < 0 ? -1 : snapshot_open(dirfd, snapshot_r);
}

void
snapshot_writer_end(struct snapshot_writer *writer)
{
	mdbuf_clear(&writer->records);
	mdbuf_clear(&writer->heap);
	mdbuf_clear(&writer->vanished);
}
