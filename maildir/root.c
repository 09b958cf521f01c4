/*
 * root.c: what the Maildir itself holds for all of its folders: a lock of the tree, and small files that
 * are read and replaced whole.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/internal.h"
#include "maildir/lock.h"

/* As long as a client waits; an INBOX of many messages may be on its way to a folder. */
#define ROOT_WAIT_MS 30000

int
root_lock(struct maildir *md)
{
	int fd = -1, saved;

	if (mdlock_take(md, md->fd, &fd, LOCK_TREE, ROOT_WAIT_MS) == 0)
		return fd;
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

void
root_unlock(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

int
root_read(struct maildir *md, const char *name, size_t max, char **text_r, size_t *size_r)
{
	struct stat st;
	int fd = maildir_open_regular(md->fd, name, &st), r, saved;

	*size_r = 0;
	if (fd < 0) {
		*text_r = errno == ENOENT ? calloc(1, 1) : NULL;
		return *text_r != NULL ? 0 : -1;
	}
	r = maildir_read_all(fd, max, text_r, size_r);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
root_replace(struct maildir *md, const char *name, const char *tmp, const struct mdtext *text)
{
	int fd, r, saved;

	if (text->failed) {
		errno = ENOMEM;
		return -1;
	}
	if (unlinkat(md->fd, tmp, 0) < 0 && errno != ENOENT)
		return -1;
	fd = openat(md->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	r = maildir_write_all(fd, text->data, text->len);
	if (r == 0)
		r = fsync(fd);
	if (close(fd) < 0)
		r = -1;
	if (r == 0 && renameat(md->fd, tmp, md->fd, name) == 0)
		return fsync(md->fd);
	saved = errno;
	(void)unlinkat(md->fd, tmp, 0);
	errno = saved;
	return -1;
}
