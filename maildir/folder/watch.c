/*
 * watch.c: hears of changes to a folder, by inotify.
 * Runs as: mail user.
 *
 * Three directories are watched: cur and new for messages that come, go and change their flags, and
 * the folder's own for dovecot-uidlist and names of keywords.  inotify knows directories by path only;
 * a path that has come to mean another directory meanwhile is found out and refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/watch.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/uidlist.h"

/* Messages are linked, renamed and unlinked; what is written into a file in place is none yet. */
#define WATCH_MESSAGES (IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF)

/* Files are renamed onto, or appended to.  That one was opened and closed is no change: each of two
 * idle sessions would wake the other for ever. */
#define WATCH_FILES (IN_MOVED_TO | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF)

#define WATCH_DIRECTORY (IN_ONLYDIR | IN_DONT_FOLLOW)

/* What is read at most before we look: while mail pours in there may always be more. */
#define WATCH_READS 64

enum { WATCH_CUR, WATCH_NEW, WATCH_OWN, WATCH_PLACES };

struct maildir_watch {
	int fd;
	int id[WATCH_PLACES]; /* -1: none */
};

/* Watches a directory below the Maildir; its watch, or -1. */
static int
watch_add(const struct maildir_watch *watch, const struct maildir_folder *folder, const char *part,
    int dirfd, uint32_t mask)
{
	char path[PATH_MAX];
	struct stat named, ours;
	int n, id;

	n = snprintf(
	    path, sizeof(path), "%s/%s/%s", folder->home.md->path, folder->home.path, part);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	id = inotify_add_watch(watch->fd, path, mask | WATCH_DIRECTORY);
	if (id < 0)
		return -1;
	if (fstatat(AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(dirfd, &ours) == 0 &&
	    named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
		return id;
	(void)inotify_rm_watch(watch->fd, id);
	errno = ENOENT;
	return -1;
}

/* A new instance that watches nothing; NULL: errno. */
static struct maildir_watch *
watch_new(void)
{
	struct maildir_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	memset(watch->id, -1, sizeof(watch->id));
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		free(watch);
		watch = NULL;
	}
	return watch;
}

int
maildir_watch_open(struct maildir_folder *folder, struct maildir_watch **watchp)
{
	struct maildir_watch *watch = *watchp;
	int saved;

	if (watch == NULL)
		watch = *watchp = watch_new();
	/* The folder may have been made anew since it was opened. */
	if (watch == NULL || folder_open_dirs(folder) < 0)
		return -1;
	watch->id[WATCH_CUR] =
	    watch_add(watch, folder, "cur", folder->dir[ENTRY_CUR], WATCH_MESSAGES);
	if (watch->id[WATCH_CUR] >= 0)
		watch->id[WATCH_NEW] =
		    watch_add(watch, folder, "new", folder->dir[ENTRY_NEW], WATCH_MESSAGES);
	if (watch->id[WATCH_NEW] >= 0)
		watch->id[WATCH_OWN] = watch_add(watch, folder, ".", folder->home.fd, WATCH_FILES);
	if (watch->id[WATCH_OWN] >= 0) {
		(void)maildir_watch_take(watch); /* what was left of before */
		return 0;
	}
	saved = errno;
	maildir_watch_pause(watch);
	errno = saved;
	return -1;
}

void
maildir_watch_pause(struct maildir_watch *watch)
{
	for (int i = 0; i < WATCH_PLACES; i++) {
		if (watch->id[i] >= 0)
			(void)inotify_rm_watch(watch->fd, watch->id[i]);
		watch->id[i] = -1;
	}
}

void
maildir_watch_close(struct maildir_watch **watchp)
{
	struct maildir_watch *watch = *watchp;

	*watchp = NULL;
	if (watch == NULL)
		return;
	close(watch->fd);
	free(watch);
}

int
maildir_watch_fd(const struct maildir_watch *watch)
{
	return watch->fd;
}

/* Whether an event is one of a change; our lock files come and go without meaning anything. */
static bool
event_counts(const struct maildir_watch *watch, const struct inotify_event *event)
{
	if (event->wd != watch->id[WATCH_OWN] || event->len == 0)
		return true;
	return strcmp(event->name, UIDLIST_NAME) == 0 || strcmp(event->name, LETTERED_NAME) == 0 ||
	       strcmp(event->name, NUMBERED_NAME) == 0;
}

bool
maildir_watch_take(struct maildir_watch *watch)
{
	_Alignas(struct inotify_event) char buffer[4096];
	bool changed = false;

	for (int reads = 0; reads < WATCH_READS; reads++) {
		ssize_t n = read(watch->fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (size_t at = 0; at < (size_t)n;) {
			const struct inotify_event *event =
			    (const struct inotify_event *)(const void *)(buffer + at);

			changed |= event_counts(watch, event);
			at += sizeof(*event) + event->len;
		}
	}
	return changed;
}
