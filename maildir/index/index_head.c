/*
 * index_head.c: the beginning of the index's files that grow.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/hash.h"
#include "maildir/index/index_head.h"

enum { BYTE_ORDER_MARK = 0x01020304 };

static void
head_make(const struct index_kind *kind, uint64_t id, struct index_head *head_r)
{
	memset(head_r, 0, sizeof(*head_r));
	memcpy(head_r->magic, kind->magic, sizeof(head_r->magic));
	head_r->version = kind->version;
	head_r->byte_order = BYTE_ORDER_MARK;
	head_r->id = id;
	head_r->check = hash64(id, head_r, offsetof(struct index_head, check));
}

int
index_file_open(int dirfd, const struct index_kind *kind, uint64_t id, uint64_t *size_r)
{
	struct index_head head, wanted;
	struct stat st;
	int fd = file_open(dirfd, kind->name, 0, &st);

	/* Later a write fails, and the writer goes on in its own memory (index_change.c). */
	if (fd < 0 && (errno == EINVAL || error_forbids_writing(errno)))
		fd = file_open_regular(dirfd, kind->name, &st);
	if (fd < 0)
		return -1;
	head_make(kind, id, &wanted);
	*size_r = (uint64_t)st.st_size;
	if (pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	    memcmp(&head, &wanted, sizeof(head)) == 0)
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

int
index_file_create(struct maildir *md, int dirfd, const struct index_kind *kind, uint64_t id)
{
	struct index_head head;
	int fd = file_make(dirfd, kind->tmp);

	if (fd < 0)
		return -1;
	head_make(kind, id, &head);
	if (file_write_all(fd, &head, sizeof(head)) == 0 &&
	    file_place(md, dirfd, kind->tmp, kind->name, false) == 0)
		return fd;
	unlink_keeping_errno(dirfd, kind->tmp);
	close_keeping_errno(fd);
	return -1;
}
