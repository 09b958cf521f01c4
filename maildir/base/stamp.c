/*
 * stamp.c: compares states of files.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "maildir/base/stamp.h"

void
file_stamp_of(const struct stat *st, struct file_stamp *stamp_r)
{
	stamp_r->dev = st->st_dev;
	stamp_r->ino = st->st_ino;
	stamp_r->size = st->st_size;
	stamp_r->mtime = st->st_mtim;
	stamp_r->ctime = st->st_ctim;
}

static bool
time_same(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
file_stamp_same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       time_same(&a->mtime, &b->mtime) && time_same(&a->ctime, &b->ctime);
}

int
file_stamp_at(int dirfd, const char *name, struct file_stamp *stamp_r)
{
	struct stat st;

	memset(stamp_r, 0, sizeof(*stamp_r));
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		file_stamp_of(&st, stamp_r);
		return 0;
	}
	return errno == ENOENT ? 0 : -1;
}
