/*
 * fuzz_index.c: changes octets in the three files of a good index, makes all checksums right again, and reads the
 * index as a session does.  The functions of the index may find it broken, but must not read past a record.
 *
 * The input is a row of patches of PATCH octets: file and width, place (three octets), value (four).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/hash.h"
#include "maildir/base/root.h"
#include "maildir/index/index_private.h"

enum {
	PATCH = 8,
	MESSAGES = 40,	 /* in the snapshot: two blocks of records */
	LATER = 5,	 /* that only the log has */
	FILE_MAX = 65536 /* octets of a file of the good index */
};

enum { SNAPSHOT, LOG, TEXTS, FILES };

static const char *const names[FILES] = {SNAPSHOT_NAME, LOG_NAME, SUMMARIES_NAME};

struct file {
	char octets[FILE_MAX];
	size_t size;
};

/* As index_log.c and index_summaries.c have them. */
struct log_head {
	uint32_t check, type, size, used;
};
struct texts_record {
	uint32_t uid, size, len[MAILDIR_TEXTS], check[MAILDIR_TEXTS];
};

static struct maildir md = {.fd = -1};
static struct mddir dir = {.md = &md, .fd = -1, .lock_fd = -1};
static struct file good[FILES];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the good index --- */

static void
ignore(void *ctx, enum maildir_change change, uint32_t uid)
{
	(void)ctx;
	(void)change;
	(void)uid;
}

static void
ignore_uid(void *ctx, uint32_t uid)
{
	(void)ctx;
	(void)uid;
}

static void
make_message(struct index_message *message, uint32_t uid)
{
	char name[40];

	memset(message, 0, sizeof(*message));
	snprintf(name, sizeof(name), "%u.m.h:2,S", uid);
	message->record.uid = uid;
	message->record.modseq = uid;
	assert(index_set_strings(message, name, uid % 2 != 0 ? "uidl" : NULL, "guid"));
}

static void
make_texts(struct index *index)
{
	struct summaries *texts = index_summaries(index, true);
	const char *text[MAILDIR_TEXTS];
	uint32_t len[MAILDIR_TEXTS];
	struct index_finding findings[MESSAGES] = {0};

	assert(texts != NULL);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct mdbuf batch = {0};

		for (int k = 0; k < MAILDIR_TEXTS; k++) {
			text[k] = "some text";
			len[k] = k == 1 && i % 2 != 0 ? TEXT_SAME : (uint32_t)(k + 1);
		}
		summaries_put(&batch, i + 1, text, len);
		findings[i] =
		    (struct index_finding){.uid = i + 1, .text_size = (uint32_t)batch.len};
		assert(summaries_append(texts, &batch, &findings[i].text) == 0);
		mdbuf_clear(&batch);
	}
	assert(index_add_findings(index, findings, MESSAGES) == 0);
	assert(index_compact(index, NULL, 0) == 0);
}

/* Adds to the log what sessions write there: changes, deliveries, expunges and the state. */
static void
make_log(struct index *index)
{
	struct index_message message;
	struct index_state state;

	for (uint32_t uid = 7; uid <= MESSAGES + LATER; uid += uid < MESSAGES ? 9 : 1) {
		make_message(&message, uid);
		message.record.flags = MAILDIR_FLAGGED;
		assert(index_put(index, &message) == 0);
	}
	assert(index_put_gone(index, 3, 100) == 0);
	assert(index_put_gone(index, MESSAGES, 101) == 0);
	state = *index_state(index);
	assert(index_commit(index, &state) == 0);
}

static void
read_good(void)
{
	for (int i = 0; i < FILES; i++) {
		int fd = openat(dir.fd, names[i], O_RDONLY);
		ssize_t n = read(fd, good[i].octets, FILE_MAX);

		assert(n > 0 && n < FILE_MAX);
		good[i].size = (size_t)n;
		close(fd);
	}
}

static void
make_good(void)
{
	struct index *index = index_new(&dir, ignore, NULL);
	struct snapshot_writer writer;
	struct index_message message;

	assert(index != NULL && index_writer_begin(index, &writer, 0) == 0);
	writer.head.validity = 1;
	writer.head.state.next = MESSAGES + 1;
	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		make_message(&message, uid);
		snapshot_writer_add(&writer, &message);
	}
	snapshot_writer_vanished(&writer, &(struct index_vanished){.uid = 5, .modseq = 5});
	assert(index_replace(index, &writer) == 0);
	snapshot_writer_end(&writer);
	make_texts(index);
	make_log(index);
	index_free(index);
	read_good();
}

static void
remove_all(void)
{
	static const char *const made[] = {SNAPSHOT_NAME, LOG_NAME, SUMMARIES_NAME};

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		(void)unlinkat(dir.fd, made[i], 0);
	(void)rmdir(md.path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char path[] = "/tmp/fuzz_index.XXXXXX";

	(void)argc;
	(void)argv;
	assert(mkdtemp(path) != NULL);
	md.path = path;
	dir.name = dir.path = path;
	dir.fd = open(path, O_RDONLY | O_DIRECTORY);
	assert(dir.fd >= 0 && atexit(remove_all) == 0);
	make_good();
	dir.unlocked = EROFS; /* a session writes to its own memory: no fsync, and the files stay */
	return 0;
}

/* --- right checksums --- */

static void
mend_snapshot(struct file *file)
{
	struct snapshot_head head;
	uint64_t number = 0, room;

	memcpy(&head, file->octets, sizeof(head));
	room = head.part[PART_CHECKS].at < file->size ? file->size - head.part[PART_CHECKS].at : 0;
	for (int i = 0; i < PART_CHECKS; i++) {
		uint64_t at = head.part[i].at, size = head.part[i].size;

		if (at > file->size || size > file->size - at)
			break;
		for (uint64_t n = 0; n < size; n += SNAPSHOT_BLOCK, number++) {
			uint64_t left = size - n < SNAPSHOT_BLOCK ? size - n : SNAPSHOT_BLOCK;
			uint32_t check =
			    hash32(hash_join(head.id, number), file->octets + at + n, (size_t)left);

			if ((number + 1) * sizeof(check) <= room)
				memcpy(file->octets + head.part[PART_CHECKS].at +
					   number * sizeof(check),
				    &check, sizeof(check));
		}
	}
	head.check =
	    hash32(0, (const char *)&head + sizeof(head.check), sizeof(head) - sizeof(head.check));
	memcpy(file->octets, &head.check, sizeof(head.check));
}

static void
mend_head(struct file *file, const struct file *like, uint64_t id)
{
	struct index_head head;

	memcpy(&head, like->octets, sizeof(head));
	head.id = id;
	head.check = hash64(id, &head, offsetof(struct index_head, check));
	memcpy(file->octets, &head, sizeof(head));
}

static void
mend_log(struct file *file, uint64_t id)
{
	struct log_head head;
	size_t at = sizeof(struct index_head);

	for (; at + sizeof(head) <= file->size; at += head.size) {
		char *record = file->octets + at;

		memcpy(&head, record, sizeof(head));
		if (head.size < sizeof(head) || head.size > file->size - at || head.size % 8 != 0)
			return;
		head.check = hash32(hash_join(id ^ at * HASH_FACTOR, head.type),
		    record + offsetof(struct log_head, size),
		    head.size - offsetof(struct log_head, size));
		memcpy(record, &head, sizeof(head));
	}
}

static void
mend_texts(struct file *file)
{
	struct texts_record record;
	size_t at = sizeof(struct index_head);

	for (; at + sizeof(record) <= file->size; at += record.size) {
		uint64_t place = sizeof(record);

		memcpy(&record, file->octets + at, sizeof(record));
		for (int i = 0; i < MAILDIR_TEXTS; i++) {
			uint32_t len = record.len[i];

			if (len >= TEXT_LONG || place > file->size - at ||
			    len > file->size - at - place)
				continue;
			record.check[i] = hash32(
			    (uint64_t)record.uid << 32 | place, file->octets + at + place, len);
			place += len;
		}
		memcpy(file->octets + at, &record, sizeof(record));
		if (record.size < sizeof(record) || record.size % 8 != 0)
			return;
	}
}

/* --- one run --- */

static void
patch(struct file file[FILES], const uint8_t *data)
{
	static const size_t widths[] = {1, 2, 4, 8};
	struct file *to = &file[data[0] % FILES];
	size_t width = widths[data[0] / FILES % 4];
	size_t at = ((size_t)data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16) %
		    (to->size - sizeof(uint64_t));
	int32_t value;
	int64_t wide;

	memcpy(&value, data + 4, sizeof(value));
	wide = value;
	memcpy(to->octets + at, &wide, width);
}

static void
store(const struct file *file, const char *name)
{
	int fd = openat(dir.fd, name, O_WRONLY);

	assert(fd >= 0 && pwrite(fd, file->octets, file->size, 0) == (ssize_t)file->size);
	close(fd);
}

static void
check_message(struct index *index, size_t place)
{
	struct index_message message, same;
	struct index_record record;
	struct summaries *texts = index_summaries(index, false);
	struct mdbuf out = {0};

	(void)index_record(index, place, &record);
	if (!index_message_at(index, place, &message))
		return;
	assert(index_record_is_sane(&message.record) && index_strings_are_sane(&message));
	(void)index_message(index, message.record.uid, &same);
	(void)index_by_base(index, index_name(&message), message.record.base_len);
	for (int i = 0; i < MAILDIR_TEXTS && texts != NULL; i++) {
		const enum maildir_text text = (enum maildir_text)i;

		(void)summaries_get(texts, message.record.text, message.record.uid, text, &out);
		(void)summaries_len(texts, message.record.text, message.record.uid, text);
	}
	mdbuf_clear(&out);
}

static void
check_index(struct index *index)
{
	struct maildir_counts counts;
	uint32_t hashes[] = {1, 0};
	struct index_message message;
	size_t structures;

	for (size_t place = 0; place < index_count(index); place++)
		check_message(index, place);
	for (uint32_t uid = 0; uid <= MESSAGES + LATER + 1; uid++)
		(void)index_find(index, uid);
	(void)index_find(index, UINT32_MAX);
	(void)index_vanished(index, 0, ignore_uid, NULL);
	(void)index_knew_any(index, hashes, sizeof(hashes) / sizeof(hashes[0]));
	assert(index_first_unseen(index) <= index_count(index));
	index_counts(index, &counts);
	(void)index_verify(index, &structures);
	make_message(&message, MESSAGES + LATER + 1);
	(void)!index_put(index, &message);
	(void)!index_put_gone(index, 1, 200);
	(void)!index_compact(index, NULL, 0);
	(void)index_verify(index, &structures);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct file file[FILES];
	struct index *index = index_new(&dir, ignore, NULL);
	struct snapshot_head head;

	assert(index != NULL);
	memcpy(file, good, sizeof(file));
	for (; size >= PATCH; data += PATCH, size -= PATCH)
		patch(file, data);
	mend_snapshot(&file[SNAPSHOT]);
	memcpy(&head, file[SNAPSHOT].octets, sizeof(head));
	mend_head(&file[LOG], &good[LOG], head.id);
	mend_log(&file[LOG], head.id);
	mend_head(&file[TEXTS], &good[TEXTS], head.texts);
	mend_texts(&file[TEXTS]);
	for (int i = 0; i < FILES; i++)
		store(&file[i], names[i]);
	(void)index_refresh(index);
	if (index_is_open(index))
		check_index(index);
	index_free(index);
	return 0;
}
