/*
 * rootfile.c: small files that the Maildir holds for all of its folders, read and replaced whole; and the lock of the
 * tree of folders.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/root.h"
#include "maildir/base/rootfile.h"

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

/* What lies there cannot be read; EIO, if it is no file that can be one of these. */
static int
root_closed(struct maildir *md, const char *name)
{
	file_notice(md, md->fd, name, errno);
	if (errno == EINVAL || errno == EFBIG)
		errno = EIO;
	return -1;
}

int
root_read(struct maildir *md, const char *name, size_t max, char **text_r, size_t *size_r)
{
	struct stat st;

	*size_r = 0;
	if (file_read(md->fd, name, max, text_r, size_r, &st) == 0)
		return 0;
	*text_r = errno == ENOENT ? calloc(1, 1) : NULL;
	return *text_r != NULL ? 0 : root_closed(md, name);
}

int
root_replace(struct maildir *md, const char *name, const char *tmp, const struct mdtext *text)
{
	return file_replace(md, md->fd, tmp, name, text);
}
