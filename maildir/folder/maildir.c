/*
 * maildir.c: the Maildir itself: made, opened, closed.
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

#include "maildir/folder/folder.h"

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
	md->aliases = calloc(1, sizeof(*md->aliases));
	if (md->host == NULL || md->path == NULL || md->buffer == NULL || md->aliases == NULL)
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
	if (md->aliases != NULL)
		folder_list_clear(md->aliases);
	free(md->aliases);
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
