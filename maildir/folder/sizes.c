/*
 * sizes.c: how many octets a message has on the wire, and its dates.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/ids.h"
#include "maildir/folder/learn.h"
#include "maildir/folder/reader.h"
#include "maildir/index/index.h"

/* How often a message that others rename is looked for before we give up. */
#define OPEN_TRIES 8

/* Reads the message to find its size. */
static int
message_measure(
    struct maildir_folder *folder, struct index_message *message, struct index_learned *learned)
{
	char *buffer = folder->home.md->buffer, last = 0;
	bool after_cr = false;
	uint64_t wire, left;
	struct stat st;
	int fd = message_open(folder, message, &st), saved;

	if (fd < 0)
		return -1;
	wire = left = (uint64_t)st.st_size;
	while (left > 0) {
		ssize_t n = message_read(
		    folder->home.md, fd, buffer, left < READ_SIZE ? (size_t)left : READ_SIZE);

		if (n <= 0) {
			saved = n == 0 ? EIO : errno; /* shortened while we read */
			close(fd);
			errno = saved;
			message_notice(folder, message);
			return -1;
		}
		wire += wire_added(buffer, (size_t)n, &after_cr);
		last = buffer[n - 1];
		left -= (uint64_t)n;
	}
	close(fd);
	learned->size = (uint64_t)st.st_size;
	learned->wire = wire;
	learned->known = INDEX_SIZES | (last == '\n' ? INDEX_LINE_END : 0);
	return 0;
}

/* The size is known, but not from us; and Dovecot does not say whether the last line ended. */
static int
message_look_at_end(struct maildir_folder *folder, struct index_message *message)
{
	struct stat st;
	char last = 0;
	int fd = message_open(folder, message, &st);

	if (fd < 0)
		return -1;
	if ((uint64_t)st.st_size != message->record.size || st.st_size == 0 ||
	    pread(fd, &last, 1, st.st_size - 1) != 1 || last != '\n') {
		close(fd);
		return 1;
	}
	close(fd);
	return 0;
}

/* What the index has of the size; whether that can be given as it is. */
static bool
record_sizes(const struct index_record *record, struct index_learned *learned)
{
	*learned = (struct index_learned){.uid = record->uid,
	    .size = record->size,
	    .wire = record->wire,
	    .known = record->known & (INDEX_SIZES | INDEX_LINE_END)};
	return (record->known & (INDEX_SIZES | INDEX_HEARSAY | INDEX_UNREADABLE)) == INDEX_SIZES;
}

/* Whether what is remembered of the size can be given: 1, it must be read. */
static int
message_remembered(
    struct maildir_folder *folder, struct index_message *message, struct index_learned *learned)
{
	const struct index_record *record = &message->record;
	int r;

	if (record_sizes(record, learned))
		return 0;
	if ((record->known & INDEX_SIZES) == 0 || (record->known & INDEX_UNREADABLE) != 0)
		return 1;
	r = message_look_at_end(folder, message);
	if (r == 0) {
		learned->known |= INDEX_LINE_END;
		learn(folder, learned);
	}
	return r;
}

/* By reading the message, as a whole when all of it will be asked for. */
static int
message_learn_size(
    struct maildir_folder *folder, struct index_message *message, struct index_learned *learned)
{
	int r;

	if (learn_expects_all(folder))
		return learn_all(folder, message->record.uid, learned);
	r = message_measure(folder, message, learned);
	if (r == 0)
		learn(folder, learned);
	return r;
}

int
maildir_size(struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r)
{
	struct index_message message;
	struct index_learned learned;
	int r = 0;

	if (!learn_recall(folder, uid, &learned) || (learned.known & INDEX_SIZES) == 0) {
		r = message_find(folder, uid, &message);
		if (r == 0)
			r = message_remembered(folder, &message, &learned);
		if (r > 0)
			r = message_learn_size(folder, &message, &learned);
	}
	if (r < 0)
		return -1;
	*octets_r = learned.wire;
	*newline_r = (learned.known & INDEX_LINE_END) != 0;
	return 0;
}

time_t
maildir_calendar(int64_t time)
{
	const int64_t first = -62167219200, last = 253402300799; /* of those years, UTC */

	return (time_t)(time < first ? first : time > last ? last : time);
}

/* The file's times are asked for once: what INTERNALDATE was told stays. */
int
maildir_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r)
{
	struct index_message message;
	struct stat st;

	if (message_find(folder, uid, &message) < 0)
		return -1;
	if ((message.record.known & INDEX_DATE) != 0) {
		*date_r = maildir_calendar(message.record.date);
		return 0;
	}
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		int dir = folder_dir(folder, message.record.dir);

		if (dir < 0)
			return -1;
		if (fstatat(dir, index_name(&message), &st, AT_SYMLINK_NOFOLLOW) == 0) {
			const struct index_learned learned = {
			    .uid = uid, .date = st.st_mtime, .known = INDEX_DATE};

			learn(folder, &learned);
			*date_r = maildir_calendar(st.st_mtime);
			return 0;
		}
		if (errno != ENOENT || message_locate(folder, uid, &message) < 0)
			return -1;
	}
	errno = ENOENT;
	return -1;
}

int
maildir_save_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r)
{
	struct index_message message;

	if (message_find(folder, uid, &message) < 0)
		return -1;
	return name_save_date(index_name(&message), date_r) ? 0 : maildir_date(folder, uid, date_r);
}

/* Another file is there than what is remembered was found in. */
static int
measure_anew(struct maildir_folder *folder, uint32_t uid, struct index_learned *learned)
{
	struct index_message message;

	*learned = (struct index_learned){.uid = uid};
	if (message_find(folder, uid, &message) < 0 ||
	    message_measure(folder, &message, learned) < 0)
		return -1;
	learned->known |= INDEX_OTHER;
	learn(folder, learned);
	return 0;
}

/* What is remembered is true of a file of that size: it is opened, and stays so for who reads it. */
int
maildir_exact_size(struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r)
{
	struct index_message message;
	struct index_learned learned;
	struct maildir_reader *reader;

	maildir_reader_close(&folder->ahead);
	if (message_find(folder, uid, &message) < 0)
		return -1;
	if ((!learn_recall(folder, uid, &learned) || (learned.known & INDEX_SIZES) == 0) &&
	    !record_sizes(&message.record, &learned))
		return maildir_size(folder, uid, octets_r, newline_r);
	if (reader_begin(folder, &message, &reader) < 0)
		return -1;
	if (reader_file_size(reader) == learned.size) {
		folder->ahead = reader;
		folder->ahead_uid = uid;
		folder->ahead_validity = maildir_uidvalidity(folder);
	} else {
		maildir_reader_close(&reader);
		if (measure_anew(folder, uid, &learned) < 0)
			return -1;
	}
	*octets_r = learned.wire;
	*newline_r = (learned.known & INDEX_LINE_END) != 0;
	return 0;
}
