/*
 * maildir.c: makes, opens and closes the Maildir itself.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/folder/folder.h"

/*
 * Returns whether the directory is a Maildir: cur or new is a directory, and cur, new and tmp are missing or
 * directories. true: errno stays as it was; false: errno tells why.
 */
static bool
is_maildir(int fd)
{
	int error = errno, why = ENOENT;
	bool found = false;
	struct stat st;

	for (size_t i = 0; i < FOLDER_PARTS; i++) {
		if (fstatat(fd, folder_parts[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			why = errno;
		} else if (!S_ISDIR(st.st_mode)) {
			errno = ENOENT;
			return false;
		} else if (strcmp(folder_parts[i], "tmp") != 0) {
			found = true;
		}
	}
	errno = found ? error : why;
	return found;
}

int
maildir_create(const char *path)
{
	int fd, r;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	r = folder_make_parts(fd);
	if (r > 0)
		r = fsync(fd);
	/* A Maildir that cannot be written can still be read. */
	if (r < 0 && error_forbids_writing(errno) && is_maildir(fd))
		r = 0;
	close_keeping_errno(fd);
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
	md->aliases = calloc(1, sizeof(*md->aliases));
	if (md->host == NULL || md->path == NULL || md->buffer == NULL || md->aliases == NULL)
		goto fail;
	/* Use the time if the kernel has no random numbers yet: only local programs choose the base names that are hashed. */
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
	return maildir_open_if(path, host, is_maildir, md_r);
}

int
maildir_known_as(struct maildir *md, const char *path)
{
	free(md->known_as);
	md->known_as = strdup(path);
	return md->known_as == NULL ? -1 : 0;
}

void
maildir_close(struct maildir **mdp)
{
	struct maildir *md = *mdp;

	*mdp = NULL;
	if (md == NULL)
		return;
	close_keeping_errno(md->fd);
	if (md->aliases != NULL)
		folder_list_clear(md->aliases);
	free(md->aliases);
	free(md->host);
	free(md->path);
	free(md->known_as);
	free(md->buffer);
	free(md);
}

void
maildir_on_notice(struct maildir *md, void (*notice)(void *ctx, const char *text), void *ctx)
{
	md->notice = notice;
	md->ctx = ctx;
}
