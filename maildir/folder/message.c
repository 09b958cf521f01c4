/*
 * message.c: the octets of a message as they go over the wire, and how many they are.
 * Runs as: mail user.
 *
 * Files hold lines that end in LF or CRLF, or both in one message; the wire has CRLF.  A bare LF
 * becomes CRLF; CRLF and a CR alone stay.  The size that is announced and the octets that are read
 * follow the same rule, and end where the file ended when it was opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/blame.h"
#include "maildir/folder/ids.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/learn.h"
#include "maildir/folder/scan.h"
#include "maildir/index/index.h"
#include "maildir/uids/uidlist.h"

/* How often a message that others rename is looked for before we give up. */
#define OPEN_TRIES 8

/* Octets that are read, or looked at, between two questions whether to stop: a few ms. */
#define STOP_WORK (8 * 1024 * 1024)

struct maildir_reader {
	struct maildir *md;
	int fd;
	uint64_t size;	/* octets of the file */
	uint64_t left;	/* of them not read yet */
	size_t at, len; /* of data */
	bool after_cr;	/* the last octet given was CR */
	bool owe_lf;	/* CR of a bare LF was given, LF is next */
	char data[READ_SIZE];
};

bool
maildir_stopped(struct maildir *md, size_t work)
{
	md->work += work;
	if (md->work >= STOP_WORK && !md->stopped) {
		md->work = 0;
		md->stopped = md->stop != NULL && md->stop(md->stop_ctx);
	}
	if (md->stopped)
		errno = ECANCELED;
	return md->stopped;
}

void
maildir_on_stop(struct maildir *md, bool (*stop)(void *ctx), void *ctx)
{
	md->stop = stop;
	md->stop_ctx = ctx;
	md->work = 0;
	md->stopped = false;
}

/* Tells of a message that cannot be read, once. */
static void
message_notice(struct maildir_folder *folder, const struct index_message *message)
{
	struct index_learned learned;
	struct maildir_blame blame;
	int saved = errno;

	if (errno == ENOENT || errno == ECANCELED ||
	    (message->record.known & INDEX_UNREADABLE) != 0)
		return;
	if (learn_recall(folder, message->record.uid, &learned) &&
	    (learned.known & INDEX_UNREADABLE) != 0)
		return;
	/* Below a directory without rights: the file is not what stands in the way. */
	if (!maildir_blame_message(folder, message->record.uid, &blame)) {
		errno = saved;
		return;
	}
	root_notice(folder->home.md,
	    "%s: message %u (%s) cannot be read: %s; owner %u, mode %04o, path %s",
	    folder->home.name, message->record.uid, index_name(message), strerror(saved),
	    blame.owner, blame.mode, blame.path);
	/* What passes is no fact about the message. */
	if (saved != EMFILE && saved != ENFILE && saved != ENOMEM)
		learn_unreadable(folder, message->record.uid);
	errno = saved;
}

int
message_open(struct maildir_folder *folder, struct index_message *message, struct stat *st_r)
{
	if (maildir_stopped(folder->home.md, 0))
		return -1;
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		int dir = folder_dir(folder, message->record.dir);
		int fd = dir < 0 ? -1 : file_open_regular(dir, index_name(message), st_r);

		if (fd >= 0)
			return fd;
		if (errno != ENOENT) {
			message_notice(folder, message);
			return -1;
		}
		if (message_locate(folder, message->record.uid, message) < 0)
			return -1;
	}
	errno = ENOENT;
	return -1;
}

uint64_t
wire_added(const char *data, size_t len, bool *after_cr)
{
	const char *end = data + len;
	uint64_t count = 0;

	if (len == 0)
		return 0;
	if (data[0] == '\n' && !*after_cr)
		count++;
	for (const char *p = data + 1; p < end; p++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			break;
		count += p[-1] != '\r';
	}
	*after_cr = end[-1] == '\r';
	return count;
}

/* Some octets of a message, at most size; 0 at its end. */
static ssize_t
read_some(struct maildir *md, int fd, char *buf, size_t size)
{
	ssize_t n;

	if (maildir_stopped(md, size))
		return -1;
	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

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
		ssize_t n = read_some(
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

/* --- reading --- */

static int
reader_begin(
    struct maildir_folder *folder, struct index_message *message, struct maildir_reader **r)
{
	struct maildir_reader *reader;
	struct stat st;
	int fd = message_open(folder, message, &st);

	*r = NULL;
	if (fd < 0)
		return -1;
	reader = malloc(sizeof(*reader));
	if (reader == NULL) {
		close(fd);
		errno = ENOMEM;
		return -1;
	}
	reader->md = folder->home.md;
	reader->fd = fd;
	reader->size = reader->left = (uint64_t)st.st_size;
	reader->at = reader->len = 0;
	reader->after_cr = reader->owe_lf = false;
	*r = reader;
	return 0;
}

int
maildir_reader_open(struct maildir_folder *folder, uint32_t uid, struct maildir_reader **r)
{
	struct index_message message;

	*r = NULL;
	if (folder->ahead != NULL && folder->ahead_uid == uid &&
	    folder->ahead_validity == maildir_uidvalidity(folder)) {
		*r = folder->ahead;
		folder->ahead = NULL;
		return 0;
	}
	if (message_find(folder, uid, &message) < 0)
		return -1;
	return reader_begin(folder, &message, r);
}

void
maildir_reader_close(struct maildir_reader **readerp)
{
	struct maildir_reader *reader = *readerp;

	*readerp = NULL;
	if (reader == NULL)
		return;
	close(reader->fd);
	free(reader);
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
	if (reader->size == learned.size) {
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

uint64_t
reader_file_size(const struct maildir_reader *reader)
{
	return reader->size;
}

/* The next part of the file.  1, 0 at the end, -1. */
static int
reader_fill(struct maildir_reader *reader)
{
	size_t size = sizeof(reader->data);
	ssize_t n;

	if (reader->left == 0)
		return 0;
	if (reader->left < size)
		size = (size_t)reader->left;
	n = read_some(reader->md, reader->fd, reader->data, size);
	if (n <= 0) {
		if (n == 0)
			errno = EIO; /* shortened underneath; what was announced cannot be kept */
		return -1;
	}
	reader->at = 0;
	reader->len = (size_t)n;
	reader->left -= (uint64_t)n;
	return 1;
}

/*
 * Copies what there is and fits, line by line, with CRs where they are missing; the result is how many
 * octets that gave.  Where a CR was the last that fitted its LF is owed.
 */
static size_t
reader_convert(struct maildir_reader *reader, char *out, size_t size)
{
	const char *data = reader->data;
	size_t at = reader->at, n = 0;
	bool after_cr = reader->after_cr;

	while (at < reader->len && n < size) {
		size_t most = reader->len - at < size - n ? reader->len - at : size - n;
		const char *newline = memchr(data + at, '\n', most);
		size_t run = newline != NULL ? (size_t)(newline - data) - at : most;

		if (run > 0) {
			memcpy(out + n, data + at, run);
			n += run;
			at += run;
			after_cr = data[at - 1] == '\r';
		}
		if (newline == NULL)
			break;
		if (!after_cr)
			out[n++] = '\r';
		if (n == size) {
			reader->owe_lf = true;
			break;
		}
		out[n++] = '\n';
		after_cr = false;
		at++;
	}
	reader->at = at;
	reader->after_cr = after_cr;
	return n;
}

ssize_t
maildir_reader_read(struct maildir_reader *reader, void *buf, size_t size)
{
	char *out = buf;
	size_t n = 0;

	while (n < size) {
		if (reader->owe_lf) {
			out[n++] = '\n';
			reader->owe_lf = reader->after_cr = false;
			reader->at++;
			continue;
		}
		if (reader->at == reader->len) {
			/* What there is first; an error is told when asked again. */
			int r = n > 0 ? 0 : reader_fill(reader);

			if (r < 0)
				return -1;
			if (r == 0)
				break;
		}
		n += reader_convert(reader, out + n, size - n);
	}
	return (ssize_t)n;
}

int
maildir_reader_skip(struct maildir_reader *reader, uint64_t octets)
{
	char passed[8 * 1024];

	while (octets > 0) {
		size_t size = octets < sizeof(passed) ? (size_t)octets : sizeof(passed);
		ssize_t n = maildir_reader_read(reader, passed, size);

		if (n <= 0)
			return (int)n;
		octets -= (uint64_t)n;
	}
	return 0;
}
