/*
 * uidfile.c: dovecot-uidlist as a file: read, appended to, replaced; and the record beside it.
 * Runs as: mail user, holding the folder's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/folder/internal.h"
#include "maildir/uids/uidlist.h"

/* About four million messages; what is larger is not a uidlist, and memory is not for the asking. */
#define UIDLIST_SIZE_MAX (256 * 1024 * 1024)

/* Fixed, for the folder's lock is held: whoever died before us left at most this one behind. */
#define UIDLIST_TMP "sallyport.uidlist"

#define RECORD_FORMAT "V%010u N%010u R%010u M%020llu\n"
#define RECORD_SIZE   58
/* Without M, as it was before there was an index. */
#define RECORD_SIZE_PLAIN 36
/* Without R, as POP3 alone once wrote it. */
#define RECORD_SIZE_OLD 24

/* Opens for appending if we may.  A file that we may only read, or that has a second name, is replaced instead. */
static int
uidfile_open(struct maildir_folder *folder, struct uidfile *file, struct stat *st_r)
{
	file->fd = file_open(folder->fd, UIDLIST_NAME, O_APPEND, st_r);
	file->writable = file->fd >= 0;
	if (file->fd < 0 && (errno == EINVAL || error_bars(errno)))
		file->fd = maildir_open_regular(folder->fd, UIDLIST_NAME, st_r);
	return file->fd;
}

/* Something else of that name: a link, a directory, a giant.  A rename will replace it if it can. */
static int
uidfile_strange(struct uidfile *file, const char *what)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	file->list.state = UIDLIST_DAMAGED;
	file->list.what = what;
	return 0;
}

int
uidfile_load(struct maildir_folder *folder, struct uidfile *file)
{
	struct stat st;
	char *text;
	size_t size;

	memset(file, 0, sizeof(*file));
	file->list.state = UIDLIST_NONE;
	if (uidfile_open(folder, file, &st) < 0) {
		if (errno == EINVAL)
			return uidfile_strange(file, "it is not a regular file");
		if (errno != EACCES && errno != EPERM)
			return errno == ENOENT ? 0 : -1;
		file_notice(folder->md, folder->fd, UIDLIST_NAME, errno);
		if (!file_dir_is_ours(folder->fd))
			return -1;
		(void)!file_stamp_at(folder->fd, UIDLIST_NAME, &file->stamp);
		file->closed = true;
		return uidfile_strange(file, "it cannot be read");
	}
	if (maildir_read_all(file->fd, UIDLIST_SIZE_MAX, &text, &size) < 0) {
		if (errno == EFBIG)
			return uidfile_strange(file, "it is too large");
		goto fail;
	}
	/* What was appended while we read is not in this stamp, and so is found by the next look. */
	file_stamp_of(&st, &file->stamp);
	if (uidlist_parse(&file->list, text, size) == 0)
		return 0;
fail:
	uidfile_close(file);
	return -1;
}

int
uidfile_join(struct maildir_folder *folder, struct uidfile *file)
{
	struct stat st;

	if (uidfile_open(folder, file, &st) < 0)
		return -1;
	file_stamp_of(&st, &file->stamp);
	return 0;
}

void
uidfile_close(struct uidfile *file)
{
	int saved = errno;

	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	uidlist_clear(&file->list);
	errno = saved;
}

static int
uidfile_restamp(struct maildir_folder *folder, struct uidfile *file)
{
	return file_stamp_at(folder->fd, UIDLIST_NAME, &file->stamp);
}

int
uidfile_append(struct maildir_folder *folder, struct uidfile *file, const struct mdtext *text)
{
	ssize_t n;
	int saved;

	do {
		n = write(file->fd, text->data, text->len);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)text->len && fsync(file->fd) == 0)
		return uidfile_restamp(folder, file);
	saved = n >= 0 && (size_t)n < text->len ? ENOSPC : errno;
	/* Half a line would spoil the next one, and UIDs that are not safe on disk were not given. */
	if (n > 0 && ftruncate(file->fd, file->stamp.size) < 0)
		maildir_notice(folder->md, "%s: " UIDLIST_NAME " cannot be cut", folder->name);
	else
		(void)!uidfile_restamp(folder, file);
	errno = saved;
	return -1;
}

int
uidfile_replace(struct maildir_folder *folder, struct uidfile *file, const struct mdtext *text)
{
	if (file_write(folder->fd, UIDLIST_TMP, text, UIDLIST_NAME) < 0)
		return -1;
	if (!dotlock_held(folder)) {
		(void)unlinkat(folder->fd, UIDLIST_TMP, 0);
		errno = ENOLCK;
		return -1;
	}
	/* The one rename that replaces: no message, but our own file. */
	if (file_place(folder->md, folder->fd, UIDLIST_TMP, UIDLIST_NAME, file->closed) < 0 ||
	    fsync(folder->fd) < 0)
		return -1;
	return uidfile_restamp(folder, file);
}

/* A letter and digits; 0 when it is not. */
static uint64_t
record_number(const char *text, char letter, size_t digits)
{
	uint64_t value = 0;

	if (text[0] != letter)
		return 0;
	for (size_t i = 1; i <= digits; i++) {
		if (text[i] < '0' || text[i] > '9' || value > UINT64_MAX / 10 - 1)
			return 0;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	return value;
}

static uint32_t
record_number32(const char *text, char letter)
{
	uint64_t value = record_number(text, letter, 10);

	return value <= UINT32_MAX ? (uint32_t)value : 0;
}

int
uid_record_read(struct maildir_folder *folder, struct uid_record *record_r)
{
	char text[RECORD_SIZE + 1];
	struct stat st;
	int fd = folder->lock_fd >= 0 ? folder->lock_fd
				      : maildir_open_regular(folder->fd, LOCK_NAME, &st);
	ssize_t n = fd >= 0 ? maildir_pread_all(fd, text, RECORD_SIZE, 0) : 0;

	memset(record_r, 0, sizeof(*record_r));
	if (fd >= 0 && fd != folder->lock_fd)
		close(fd);
	if (n < 0)
		return -1;
	if (n < RECORD_SIZE_OLD)
		return 0;
	record_r->validity = record_number32(text, 'V');
	record_r->next = record_number32(text + 12, 'N');
	if (n >= RECORD_SIZE_PLAIN)
		record_r->recent = record_number32(text + 24, 'R');
	if (n == RECORD_SIZE)
		record_r->modseq = record_number(text + 36, 'M', 20);
	/* Who knew nothing of recent messages has shown all that there were. */
	if (record_r->recent == 0)
		record_r->recent = record_r->next;
	return 0;
}

static int
record_put(const struct maildir_folder *folder, const char *text, size_t size, off_t at)
{
	if (folder->unlocked != 0) {
		errno = folder->unlocked;
		return -1;
	}
	return pwrite(folder->lock_fd, text, size, at) == (ssize_t)size ? 0 : -1;
}

int
uid_record_write(struct maildir_folder *folder, const struct uid_record *record)
{
	char text[RECORD_SIZE + 1];

	snprintf(text, sizeof(text), RECORD_FORMAT, record->validity, record->next, record->recent,
	    (unsigned long long)record->modseq);
	return record_put(folder, text, RECORD_SIZE, 0);
}

int
uid_record_modseq(struct maildir_folder *folder, uint64_t modseq)
{
	char text[RECORD_SIZE - RECORD_SIZE_PLAIN + 1];
	const size_t size = sizeof(text) - 1;

	snprintf(text, sizeof(text), "M%020llu\n", (unsigned long long)modseq);
	return record_put(folder, text, size, RECORD_SIZE_PLAIN);
}
