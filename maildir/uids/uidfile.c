/*
 * uidfile.c: dovecot-uidlist as a file: read, appended to, replaced.
 * Runs as: mail user, holding the folder's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/root.h"
#include "maildir/uids/uidlist.h"

/* About four million messages.  A larger file is not a uidlist, and must not exhaust memory. */
#define UIDLIST_SIZE_MAX (256 * 1024 * 1024)

/* A single name is enough, since the folder's lock is held: dead processes leave no other file. */
#define UIDLIST_TMP "sallyport.uidlist"

/* Opens for appending if we may.  A file that we may only read, or that has a second name, is replaced instead. */
static int
uidfile_open(struct mddir *dir, struct uidfile *file, struct stat *st_r)
{
	file->fd = file_open(dir->fd, UIDLIST_NAME, O_APPEND, st_r);
	file->writable = file->fd >= 0;
	if (file->fd < 0 && (errno == EINVAL || error_forbids_writing(errno)))
		file->fd = file_open_regular(dir->fd, UIDLIST_NAME, st_r);
	return file->fd;
}

/* The file is a link, a directory or a giant, or cannot be read.  A rename replaces it if that is possible. */
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
uidfile_load(struct mddir *dir, struct uidfile *file)
{
	struct stat st;
	char *text;
	size_t size;

	memset(file, 0, sizeof(*file));
	file->list.state = UIDLIST_NONE;
	if (uidfile_open(dir, file, &st) < 0) {
		if (errno == EINVAL)
			return uidfile_strange(file, "it is not a regular file");
		if (errno != EACCES && errno != EPERM)
			return errno == ENOENT ? 0 : -1;
		file_notice(dir->md, dir->fd, UIDLIST_NAME, errno);
		if (!file_dir_is_ours(dir->fd))
			return -1;
		(void)!file_stamp_at(dir->fd, UIDLIST_NAME, &file->stamp);
		file->closed = true;
		return uidfile_strange(file, "it cannot be read");
	}
	if (file_read_all(file->fd, UIDLIST_SIZE_MAX, &text, &size) < 0) {
		if (errno == EFBIG)
			return uidfile_strange(file, "it is too large");
		goto fail;
	}
	/* Lines that were appended while we read are not in this stamp, and so the next look finds them. */
	file_stamp_of(&st, &file->stamp);
	if (uidlist_parse(&file->list, text, size) == 0)
		return 0;
fail:
	uidfile_close(file);
	return -1;
}

int
uidfile_join(struct mddir *dir, struct uidfile *file)
{
	struct stat st;

	if (uidfile_open(dir, file, &st) < 0)
		return -1;
	file_stamp_of(&st, &file->stamp);
	return 0;
}

void
uidfile_close(struct uidfile *file)
{
	close_keeping_errno(file->fd);
	file->fd = -1;
	uidlist_clear(&file->list);
}

int
uidfile_append(struct mddir *dir, struct uidfile *file, const struct mdbuf *text)
{
	/* Half a line would spoil the next one, and UIDs that are not safe on disk were not given. */
	if (file_append(dir, UIDLIST_NAME, file->fd, file->stamp.size, text) < 0)
		return -1;
	return file_stamp_at(dir->fd, UIDLIST_NAME, &file->stamp);
}

int
uidfile_replace(struct mddir *dir, struct uidfile *file, const struct mdbuf *text)
{
	if (uidlist_lock_replace(dir, UIDLIST_TMP, UIDLIST_NAME, text, file->closed) < 0)
		return -1;
	return file_stamp_at(dir->fd, UIDLIST_NAME, &file->stamp);
}
