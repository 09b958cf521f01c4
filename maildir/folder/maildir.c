/*
 * maildir.c: the Maildir itself, and the few calls on files that all of the library shares.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/folder/internal.h"

static const char *const parts[] = {"cur", "new", "tmp"};

/* cur, new and tmp are directories, or are not there; but one that may have messages is.  Keeps errno. */
static bool
maildir_is_one(int fd)
{
	int found = 0, error = errno, why = ENOENT;
	struct stat st;

	for (int n = 0; n < 3; n++) {
		if (fstatat(fd, parts[n], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			why = errno;
		} else if (!S_ISDIR(st.st_mode)) {
			errno = ENOENT;
			return false;
		} else {
			found += n < 2;
		}
	}
	errno = found > 0 ? error : why;
	return found > 0;
}

int
maildir_create(const char *path)
{
	bool made = false;
	int fd, r = 0, saved;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < 3 && r == 0; i++) {
		if (mkdirat(fd, parts[i], 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			r = -1;
	}
	if (r == 0 && made)
		r = fsync(fd);
	/* It can be read as it is. */
	if (r < 0 && error_bars(errno) && maildir_is_one(fd))
		r = 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
maildir_open_if(const char *path, const char *host, bool (*usable)(int fd), struct maildir **md_r)
{
	struct maildir *md = calloc(1, sizeof(*md));
	int saved;

	*md_r = NULL;
	if (md == NULL)
		return -1;
	md->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (md->fd < 0 || !usable(md->fd))
		goto fail;
	md->host = strdup(host);
	md->path = strdup(path);
	md->buffer = malloc(READ_SIZE);
	if (md->host == NULL || md->path == NULL || md->buffer == NULL)
		goto fail;
	/* Without random numbers at boot the time will do: nobody else chooses base names. */
	if (getrandom(&md->seed, sizeof(md->seed), GRND_NONBLOCK) != sizeof(md->seed))
		md->seed = (uint64_t)time(NULL);
	*md_r = md;
	return 0;
fail:
	saved = errno;
	maildir_close(&md);
	errno = saved;
	return -1;
}

int
maildir_open(const char *path, const char *host, struct maildir **md_r)
{
	return maildir_open_if(path, host, maildir_is_one, md_r);
}

void
maildir_close(struct maildir **mdp)
{
	struct maildir *md = *mdp;

	*mdp = NULL;
	if (md == NULL)
		return;
	if (md->fd >= 0)
		close(md->fd);
	folder_list_clear(&md->aliases);
	free(md->host);
	free(md->path);
	free(md->buffer);
	free(md);
}

void
maildir_on_notice(struct maildir *md, void (*notice)(void *ctx, const char *text), void *ctx)
{
	md->notice = notice;
	md->ctx = ctx;
}

void
maildir_notice(struct maildir *md, const char *format, ...)
{
	char text[768]; /* a folder's name and a file's, and some words */
	int saved = errno;
	va_list args;

	if (md->notice == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *p = text; (p = strpbrk(p, "\r\n")) != NULL;)
		*p = '?';
	md->notice(md->ctx, text);
	errno = saved;
}

int
maildir_open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *
maildir_read_dir(int dirfd, const char *name, int *fd_r)
{
	int fd = maildir_open_dir(dirfd, name), saved;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL && fd >= 0) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	if (fd_r != NULL)
		*fd_r = fd;
	return dir;
}

int
maildir_open_regular(int dirfd, const char *name, struct stat *st_r)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int saved;

	if (fd < 0) {
		/* A symbolic link, a socket, a device without driver. */
		if (errno == ELOOP || errno == ENXIO || errno == ENODEV)
			errno = EINVAL;
		return -1;
	}
	if (fstat(fd, st_r) == 0) {
		if (S_ISREG(st_r->st_mode))
			return fd;
		errno = EINVAL;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
maildir_read_all(int fd, size_t max, char **data_r, size_t *size_r)
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
		/* It grows while we read. */
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
maildir_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int
maildir_pwrite_all(int fd, const void *data, size_t size, off_t at)
{
	const char *from = data;
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, from + done, size - done, at + (off_t)done);

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

ssize_t
maildir_pread_all(int fd, void *buf, size_t size, off_t at)
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
error_bars(int error)
{
	return error == EROFS || error == EACCES || error == EPERM || error == ENOSPC ||
	       error == EDQUOT;
}

void
maildir_sleep_ms(unsigned ms)
{
	struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&pause, NULL);
}

uint64_t
maildir_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int
move_by_link(int from, const char *old, int to, const char *new)
{
	if (linkat(from, old, to, new, 0) < 0)
		return -1;
	/* Gone already: another has renamed it meanwhile; the new name is there all the same. */
	if (unlinkat(from, old, 0) < 0 && errno != ENOENT)
		return -1;
	return 0;
}

int
maildir_move(int from, const char *old, int to, const char *new)
{
	if (renameat2(from, old, to, new, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return move_by_link(from, old, to, new);
}
