/*
 * file.c: calls on files and directories; files of ours and Dovecot's that lie beside the messages.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/buf.h"
#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/fnv.h"
#include "maildir/base/name.h"
#include "maildir/base/root.h"

/* How many things of one name are set aside; the next stays where it is. */
#define ODD_MAX 10

/* --- opening and closing --- */

void
close_keeping_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

void
unlink_keeping_errno(int dirfd, const char *name)
{
	int saved = errno;

	(void)unlinkat(dirfd, name, 0);
	errno = saved;
}

int
file_open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *
file_read_dir(int dirfd, const char *name, int *fd_r)
{
	int fd = file_open_dir(dirfd, name);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL)
		close_keeping_errno(fd);
	if (fd_r != NULL)
		*fd_r = fd;
	return dir;
}

int
file_each_entry(
    int dirfd, const char *name, int (*each)(void *ctx, const struct dirent *entry), void *ctx)
{
	DIR *dir = file_read_dir(dirfd, name, NULL);
	const struct dirent *entry;
	int r = 0, saved;

	if (dir == NULL)
		return -1;
	while (r == 0 && (errno = 0, (entry = readdir(dir)) != NULL)) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = each(ctx, entry);
	}
	if (r == 0 && errno != 0)
		r = -1;
	saved = errno;
	(void)closedir(dir);
	errno = saved;
	return r;
}

/* Opens a regular file that has at most so many names. */
static int
open_regular(int dirfd, const char *name, int flags, nlink_t links, struct stat *st_r)
{
	int fd = openat(dirfd, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0600);

	if (fd < 0) {
		/* A directory, a symbolic link, a socket, a device without driver. */
		if (errno == EISDIR || errno == ELOOP || errno == ENXIO || errno == ENODEV)
			errno = EINVAL;
		return -1;
	}
	if (fstat(fd, st_r) == 0) {
		if (S_ISREG(st_r->st_mode) && st_r->st_nlink <= links)
			return fd;
		errno = EINVAL;
	}
	close_keeping_errno(fd);
	return -1;
}

int
file_open_regular(int dirfd, const char *name, struct stat *st_r)
{
	return open_regular(dirfd, name, O_RDONLY, (nlink_t)-1, st_r);
}

int
file_open(int dirfd, const char *name, int flags, struct stat *st_r)
{
	/* A file without any name was replaced at this moment; its user looks for the new one. */
	return open_regular(dirfd, name, O_RDWR | flags, 1, st_r);
}

/* --- octets --- */

int
file_read_all(int fd, size_t max, char **data_r, size_t *size_r)
{
	struct stat st;
	size_t size, len = 0;
	char *data, *grown;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -1;
	if ((uintmax_t)st.st_size > max) {
		errno = EFBIG;
		return -1;
	}
	size = (size_t)st.st_size + 1;
	data = malloc(size);
	while (data != NULL) {
		n = read(fd, data + len, size - len);
		if (n == 0) {
			*data_r = data;
			*size_r = len;
			return 0;
		}
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
		if (len < size)
			continue;
		/* The file has grown. */
		if (size > max) {
			errno = EFBIG;
			break;
		}
		grown = realloc(data, size += READ_SIZE);
		if (grown == NULL)
			break;
		data = grown;
	}
	free(data);
	return -1;
}

int
file_read(int dirfd, const char *name, size_t max, char **data_r, size_t *size_r, struct stat *st_r)
{
	int fd = file_open_regular(dirfd, name, st_r), r;

	if (fd < 0)
		return -1;
	r = file_read_all(fd, max, data_r, size_r);
	close_keeping_errno(fd);
	return r;
}

ssize_t
file_read_piece(int fd, void *buf, uint64_t left)
{
	ssize_t n;

	do {
		n = read(fd, buf, left < READ_SIZE ? (size_t)left : READ_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n == 0)
		errno = EIO;
	return -1;
}

/* at: -1 writes where the descriptor is. */
static int
write_all(int fd, const char *data, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = at < 0 ? write(fd, data + done, size - done)
				   : pwrite(fd, data + done, size - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

int
file_write_all(int fd, const void *data, size_t size)
{
	return write_all(fd, data, size, -1);
}

int
file_pwrite_all(int fd, const void *data, size_t size, off_t at)
{
	return write_all(fd, data, size, at);
}

ssize_t
file_pread_all(int fd, void *buf, size_t size, off_t at)
{
	char *to = buf;
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, to + done, size - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

bool
error_forbids_writing(int error)
{
	return error == EROFS || error == EACCES || error == EPERM || error == ENOSPC ||
	       error == EDQUOT;
}

static int
move_by_link(int from, const char *old, int to, const char *new)
{
	if (linkat(from, old, to, new, 0) < 0)
		return -1;
	/* Another program has renamed the old name meanwhile; the new name is there all the same. */
	if (unlinkat(from, old, 0) < 0 && errno != ENOENT)
		return -1;
	return 0;
}

int
file_move(int from, const char *old, int to, const char *new)
{
	if (renameat2(from, old, to, new, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return move_by_link(from, old, to, new);
}

int
file_lock(int fd, short type, off_t octet)
{
	struct flock lock = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = octet,
	    .l_len = 1,
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EACCES)
		errno = EAGAIN;
	return -1;
}

/* --- what is in the way --- */

/* The folder's name, for notices. */
static const char *
folder_of(const struct maildir *md, int dirfd)
{
	for (const struct mddir *dir = md->dirs; dir != NULL; dir = dir->next)
		if (dir->fd == dirfd)
			return dir->name;
	return "INBOX";
}

/* Removes a link, a FIFO or the like, which holds nothing.  Landlock forbids the server to rename those. */
static int
remove_empty(struct maildir *md, int dirfd, const char *from, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		errno = EACCES;
		return -1;
	}
	if (unlinkat(dirfd, from, 0) < 0)
		return -1;
	root_notice(md, "%s: %s is no file, and was removed", folder_of(md, dirfd), name);
	return 0;
}

/* Gives a notice unless md is NULL. */
static int
move_aside(struct maildir *md, int dirfd, const char *from, const char *name)
{
	char aside[NAME_SIZE];

	for (int i = 0; i < ODD_MAX; i++) {
		snprintf(aside, sizeof(aside), i == 0 ? "%s.odd" : "%s.odd%d", name, i);
		if (file_move(dirfd, from, dirfd, aside) == 0) {
			if (md != NULL)
				root_notice(md, "%s: %s cannot be used, and is %s now",
				    folder_of(md, dirfd), name, aside);
			return 0;
		}
		if (errno != EEXIST)
			return errno == EACCES && md != NULL ? remove_empty(md, dirfd, from, name)
							     : -1;
	}
	errno = EPERM;
	return -1;
}

int
file_set_aside(struct maildir *md, int dirfd, const char *name)
{
	return move_aside(md, dirfd, name, name);
}

bool
file_dir_is_ours(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) == 0 && st.st_uid == geteuid();
}

/* --- making and replacing --- */

void
file_clear(int dirfd, const char *tmp)
{
	if (unlinkat(dirfd, tmp, 0) < 0 && (errno == EISDIR || errno == EPERM) &&
	    unlinkat(dirfd, tmp, AT_REMOVEDIR) < 0 && errno == ENOTEMPTY)
		(void)move_aside(NULL, dirfd, tmp, tmp);
}

int
file_make(int dirfd, const char *tmp)
{
	file_clear(dirfd, tmp);
	return openat(dirfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Gives the new file the mode and the group by which others share the old one.  Ignores that we may not. */
static void
share_like(int fd, int dirfd, const char *like)
{
	struct stat st;

	if (fstatat(dirfd, like, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_nlink > 1)
		return;
	if (st.st_gid != getegid())
		(void)!fchown(fd, (uid_t)-1, st.st_gid);
	if ((st.st_mode & 0666) != 0600 && (st.st_mode & S_IRUSR) != 0)
		(void)!fchmod(fd, st.st_mode & 0666);
}

int
file_write(int dirfd, const char *tmp, const char *name, const struct mdbuf *text)
{
	int fd, r;

	if (text->failed) {
		errno = ENOMEM;
		return -1;
	}
	fd = file_make(dirfd, tmp);
	if (fd < 0)
		return -1;
	share_like(fd, dirfd, name);
	r = file_write_all(fd, text->data, text->len);
	if (r == 0)
		r = fsync(fd);
	if (close(fd) < 0)
		r = -1;
	if (r < 0)
		unlink_keeping_errno(dirfd, tmp);
	return r;
}

/* If the file system can exchange two names, there is a file under name at every moment. */
static int
place_and_keep(struct maildir *md, int dirfd, const char *tmp, const char *name)
{
	if (renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE) == 0) {
		if (move_aside(md, dirfd, tmp, name) == 0)
			return 0;
		(void)!renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE);
		return -1;
	}
	if (errno != EINVAL && errno != ENOSYS && errno != ENOENT)
		return -1;
	if (file_set_aside(md, dirfd, name) < 0 && errno != ENOENT)
		return -1;
	return renameat(dirfd, tmp, dirfd, name);
}

int
file_place(struct maildir *md, int dirfd, const char *tmp, const char *name, bool keep)
{
	int r = keep ? -1 : renameat(dirfd, tmp, dirfd, name);

	if (r < 0 && (keep || errno == EISDIR))
		r = place_and_keep(md, dirfd, tmp, name);
	if (r < 0)
		unlink_keeping_errno(dirfd, tmp);
	return r;
}

int
file_replace(
    struct maildir *md, int dirfd, const char *tmp, const char *name, const struct mdbuf *text)
{
	if (file_write(dirfd, tmp, name, text) < 0 || file_place(md, dirfd, tmp, name, false) < 0)
		return -1;
	return fsync(dirfd);
}

int
file_append(const struct mddir *dir, const char *name, int fd, off_t size, const struct mdbuf *text)
{
	int saved;

	if (text->failed) {
		errno = ENOMEM;
		return -1;
	}
	if (file_write_all(fd, text->data, text->len) == 0 && fsync(fd) == 0)
		return 0;
	saved = errno;
	if (ftruncate(fd, size) < 0)
		root_notice(dir->md, "%s: %s cannot be cut", dir->name, name);
	errno = saved;
	return -1;
}

void
file_notice(struct maildir *md, int dirfd, const char *name, int error)
{
	const char *folder = folder_of(md, dirfd);
	uint64_t sum = fnv64(fnv64(FNV_START, folder, strlen(folder) + 1), name, strlen(name));
	struct stat st;
	char rights[48];
	int saved = errno;

	for (size_t i = 0; i < NOTICED_MAX; i++) {
		if (md->noticed[i] == sum)
			return;
		if (md->noticed[i] != 0)
			continue;
		md->noticed[i] = sum;
		rights[0] = '\0';
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			snprintf(rights, sizeof(rights), " (mode %04o, uid %ld)",
			    (unsigned)st.st_mode & 07777, (long)st.st_uid);
		root_notice(md, "%s: %s cannot be used: %s%s", folder, name,
		    error == EINVAL ? "it is no file of this folder alone" : strerror(error),
		    rights);
		break;
	}
	errno = saved;
}

int
file_read_root(struct maildir *md, const char *name, size_t max, char **text_r, size_t *size_r)
{
	struct stat st;

	*size_r = 0;
	if (file_read(md->fd, name, max, text_r, size_r, &st) == 0)
		return 0;
	*text_r = errno == ENOENT ? calloc(1, 1) : NULL;
	if (*text_r != NULL)
		return 0;
	file_notice(md, md->fd, name, errno);
	if (errno == EINVAL || errno == EFBIG)
		errno = EIO;
	return -1;
}
