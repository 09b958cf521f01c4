/*
 * file.c: reads and makes the PEM files of tls/.
 * Runs as: root (certificates, at start), key (private keys), whoever makes a certificate.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/error.h"
#include "tls/file.h"

/* A chain of ten certificates with a hundred names each has 60 kB. */
enum { FILE_MAX = 256 * 1024 };

static int
check_file(int fd, const char *path, bool secret, off_t *size_r, struct tls_error *error)
{
	const char *what = secret ? "private key" : "certificate";
	struct stat st;

	if (fstat(fd, &st) != 0)
		return tls_error_set(error, "%s %s: %s", what, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return tls_error_set(error, "%s %s is not a regular file", what, path);
	if (secret && (st.st_mode & 077) != 0)
		return tls_error_set(error, "private key %s can be %s by others: chmod 600 %s",
		    path, (st.st_mode & 044) != 0 ? "read" : "changed", path);
	if (st.st_size > FILE_MAX)
		return tls_error_set(error, "%s %s is larger than %d octets", what, path, FILE_MAX);
	*size_r = st.st_size;
	return 0;
}

/* A file that grows meanwhile is cut at the size it had; parsing will tell. */
static int
read_all(int fd, char *out, size_t size, size_t *len_r)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, out + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*len_r = len;
	return 0;
}

int
tls_file_read(const char *path, bool secret, struct tls_file *file_r, struct tls_error *error)
{
	const char *what = secret ? "private key" : "certificate";
	off_t size = 0;
	int fd, result = -1;

	*file_r = (struct tls_file){NULL, 0};
	/* Not blocking, as the path may name a FIFO. */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
		return tls_error_set(error, "%s %s: %s", what, path, strerror(errno));
	if (check_file(fd, path, secret, &size, error) != 0)
		goto out;
	if ((file_r->text = calloc(1, (size_t)size + 1)) == NULL) {
		tls_error_set(error, "%s %s: no memory", what, path);
		goto out;
	}
	if (read_all(fd, file_r->text, (size_t)size, &file_r->len) != 0) {
		tls_error_set(error, "%s %s: %s", what, path, strerror(errno));
		file_r->len = (size_t)size;
		tls_file_clear(file_r);
		goto out;
	}
	result = 0;
out:
	(void)close(fd);
	return result;
}

void
tls_file_clear(struct tls_file *file)
{
	if (file->text != NULL)
		explicit_bzero(file->text, file->len);
	free(file->text);
	*file = (struct tls_file){NULL, 0};
}

bool
tls_file_has_key(const struct tls_file *file)
{
	static const char mark[] = "PRIVATE KEY-----";

	return memmem(file->text, file->len, mark, sizeof mark - 1) != NULL;
}

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

/* The name is on disk only when its directory is. */
static int
sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, result;

	if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	result = fsync(fd);
	if (close(fd) != 0)
		result = -1;
	return result;
}

int
tls_file_make(const char *path, unsigned mode, const char *text, struct tls_error *error)
{
	int fd, saved;

	/* 0600 until it is whole; the umask has no say in the end. */
	if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0) {
		if (errno == EEXIST)
			return tls_error_set(
			    error, "%s exists already and is not overwritten", path);
		return tls_error_set(error, "%s: %s", path, strerror(errno));
	}
	if (write_all(fd, text) != 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0)
		goto fail;
	if (close(fd) != 0) {
		fd = -1;
		goto fail;
	}
	fd = -1;
	if (sync_directory(path) == 0)
		return 0;
fail:
	saved = errno;
	if (fd >= 0)
		(void)close(fd);
	(void)unlink(path);
	return tls_error_set(error, "%s: %s", path, strerror(saved));
}
