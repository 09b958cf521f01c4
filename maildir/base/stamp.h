/*
 * stamp.h: whether a file or directory is still as it was.
 */
#ifndef MAILDIR_BASE_STAMP_H
#define MAILDIR_BASE_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* Tells one state of a file from another. */
struct file_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct stat;
void file_stamp_of(const struct stat *st, struct file_stamp *stamp_r);
bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);
/* The stamp of a name in the folder; all zero where there is none.  -1 on other errors. */
int file_stamp_at(int dirfd, const char *name, struct file_stamp *stamp_r);

#endif
