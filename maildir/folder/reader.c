/*
 * reader.c: the octets of a message as they go over the wire.
 * Runs as: mail user.
 *
 * Lines of a file end in LF or CRLF, or both in one message; lines on the wire end in CRLF.  A bare LF becomes CRLF;
 * CRLF stays, and so does a CR alone.  The size that is announced (sizes.c) follows the same rule.  Both end where the
 * file ended when it was opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder/findings.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/obstacle.h"
#include "maildir/folder/reader.h"
#include "maildir/index/index.h"
#include "maildir/message/mime.h"
#include "maildir/message/search.h"

/* How often we look for a message that other programs rename before we give up. */
#define OPEN_TRIES 8

/* Octets that are read or looked at between two calls of stop: a few ms. */
#define STOP_WORK (8 * 1024 * 1024)

struct maildir_reader {
	struct maildir *md;
	int fd;
	uint64_t size;	/* octets of the file */
	uint64_t left;	/* octets that were not read yet */
	size_t at, len; /* of data: the next octet, and where it ends */
	bool after_cr;	/* the last octet that was given is CR */
	char data[READ_SIZE];
};

bool
maildir_stopped(struct maildir *md, size_t octets)
{
	md->work += octets;
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

/* --- the file --- */

void
message_notice(struct maildir_folder *folder, const struct index_message *message)
{
	struct index_finding finding;
	struct maildir_obstacle file;
	uint32_t uid = message->record.uid;
	int error = errno;

	if (error == ENOENT || error == ECANCELED ||
	    (message->record.known & INDEX_UNREADABLE) != 0 ||
	    (findings_of(folder, uid, &finding) && (finding.known & INDEX_UNREADABLE) != 0))
		return;
	/* If the file cannot even be found, a directory above it lacks rights, and the file is not to blame. */
	if (maildir_message_file(folder, uid, &file)) {
		root_notice(folder->home.md,
		    "%s: message %u (%s) cannot be read: %s; owner %u, mode %04o, path %s",
		    folder->home.name, uid, index_name(message), strerror(error), file.owner,
		    file.mode, file.path);
		/* An error that passes says nothing about the message. */
		finding = (struct index_finding){.uid = uid, .known = INDEX_UNREADABLE};
		if (error != EMFILE && error != ENFILE && error != ENOMEM)
			findings_add(folder, &finding);
	}
	errno = error;
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

ssize_t
message_read(struct maildir *md, int fd, char *buf, uint64_t left)
{
	if (maildir_stopped(md, left < READ_SIZE ? (size_t)left : READ_SIZE))
		return -1;
	return file_read_piece(fd, buf, left);
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

/* --- a reader --- */

int
reader_new(
    struct maildir_folder *folder, struct index_message *message, struct maildir_reader **reader_r)
{
	struct maildir_reader *reader;
	struct stat st;
	int fd = message_open(folder, message, &st);

	*reader_r = NULL;
	if (fd < 0)
		return -1;
	reader = malloc(sizeof(*reader));
	if (reader == NULL) {
		close_keeping_errno(fd);
		return -1;
	}
	reader->md = folder->home.md;
	reader->fd = fd;
	reader->size = reader->left = (uint64_t)st.st_size;
	reader->at = reader->len = 0;
	reader->after_cr = false;
	*reader_r = reader;
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
	return message_find(folder, uid, &message) < 0 ? -1 : reader_new(folder, &message, r);
}

void
maildir_reader_close(struct maildir_reader **reader)
{
	if (*reader != NULL)
		close_keeping_errno((*reader)->fd);
	free(*reader);
	*reader = NULL;
}

uint64_t
reader_file_size(const struct maildir_reader *reader)
{
	return reader->size;
}

/*
 * Copies what fits of the data, line by line, with CRs where they are missing, and returns how many octets that gave.
 * When a CR was the last octet that fitted, its LF comes next, after a CR like any other.
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
		if (!after_cr) {
			out[n++] = '\r';
			after_cr = true;
			if (n == size)
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
		if (reader->at == reader->len) {
			ssize_t piece;

			/* If there is an error it comes with the next call. */
			if (n > 0 || reader->left == 0)
				break;
			piece = message_read(reader->md, reader->fd, reader->data, reader->left);
			if (piece < 0)
				return -1;
			reader->at = 0;
			reader->len = (size_t)piece;
			reader->left -= (uint64_t)piece;
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

/* --- for message/ --- */

static int
source_open(struct folder_source *source)
{
	if (source->reader != NULL)
		return 0;
	source->position = 0;
	return maildir_reader_open(source->folder, source->uid, &source->reader);
}

static ssize_t
source_read(void *ctx, void *buf, size_t size)
{
	struct folder_source *source = ctx;
	ssize_t n = source_open(source) < 0 ? -1 : maildir_reader_read(source->reader, buf, size);

	if (n > 0)
		source->position += (uint64_t)n;
	return n;
}

static int
source_seek(void *ctx, uint64_t at)
{
	struct folder_source *source = ctx;

	if (source->position > at)
		maildir_reader_close(&source->reader);
	if (source_open(source) < 0 || (source->position < at && maildir_reader_skip(source->reader,
								     at - source->position) < 0))
		return -1;
	source->position = at;
	return 0;
}

static bool
source_stopped(void *ctx, size_t octets)
{
	const struct folder_source *source = ctx;

	return maildir_stopped(source->folder->home.md, octets);
}

void
folder_source_init(struct folder_source *source, struct maildir_folder *folder, uint32_t uid)
{
	*source = (struct folder_source){
	    .source = {source, source_read, source_seek, source_stopped},
	    .folder = folder,
	    .uid = uid,
	};
}

void
folder_source_close(struct folder_source *source)
{
	maildir_reader_close(&source->reader);
}

int
maildir_mime(struct maildir_folder *folder, uint32_t uid, struct mime **mime_r)
{
	struct folder_source source;
	int r;

	folder_source_init(&source, folder, uid);
	r = mime_read(&source.source, mime_r);
	folder_source_close(&source);
	return r;
}

int
maildir_search(
    struct maildir_folder *folder, uint32_t uid, struct search_question *matches, size_t count)
{
	struct folder_source source;
	int r;

	folder_source_init(&source, folder, uid);
	r = search_message(&source.source, matches, count);
	folder_source_close(&source);
	return r;
}
