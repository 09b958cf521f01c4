/*
 * watch.c: learns of changes to a folder from inotify.
 * Runs as: mail user.
 *
 * Three directories are watched: cur and new for messages that come, go and change their flags, and
 * the folder's own for dovecot-uidlist and names of keywords.  inotify takes only paths, so watch_add checks
 * that the path still names the directory that the folder has open.
 *
 * The watch remembers the names that came to cur/ or left it since cur/ was last known to be as the index says.  A sync
 * then looks at those names alone (sync.c tells why that is enough).  The kernel queues an event before it gives up its
 * lock of the directory, so events of a name come in the order of its changes, and the last one holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/watch.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/uidlist.h"

/* Messages are linked, renamed and unlinked; a file that is written in place is no message yet. */
#define WATCH_MESSAGES (IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF)

/* Files are replaced by rename, or appended to.  Opening and closing a file is no change: two idle
 * sessions would wake each other for ever. */
#define WATCH_FILES (IN_MOVED_TO | IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF)

#define WATCH_DIRECTORY (IN_ONLYDIR | IN_DONT_FOLLOW)

/* Most reads before the sync looks: while mail pours in there may always be more events. */
#define WATCH_READS 64

/* Most names of cur/ that are remembered.  With more of them, reading the directory is as cheap. */
#define WATCH_NAMES 128

/* File systems on which all renames go through this kernel, so that inotify reports each. */
static const unsigned long local_systems[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
    F2FS_SUPER_MAGIC, TMPFS_MAGIC, 0x2fc12fc1 /* ZFS, which is not in Linux */};

enum { WATCH_CUR, WATCH_NEW, WATCH_OWN, WATCH_PLACES };

struct watch_name {
	const char *name; /* in the arena */
	bool there;
};

struct maildir_watch {
	int fd;
	int id[WATCH_PLACES];	       /* -1: none */
	struct maildir_folder *folder; /* that is watched, or NULL */
	struct stat cur;	       /* the directory that is watched as cur/ */
	bool local, local_known;       /* its file system is one of local_systems */
	bool lost;		       /* cur/ was moved or deleted */
	bool knows;		       /* all names since watch_verified are here */
	bool more;		       /* see watch_has_more */
	struct watch_name *name;       /* room for WATCH_NAMES, or NULL */
	size_t count;
	struct mdarena arena;
};

static void
names_clear(struct maildir_watch *watch)
{
	free(watch->name);
	watch->name = NULL;
	watch->count = 0;
	mdarena_clear(&watch->arena);
}

/* Watches a directory below the Maildir; its watch, or -1. */
static int
watch_add(const struct maildir_watch *watch, const struct maildir_folder *folder, const char *part,
    int dirfd, uint32_t mask, struct stat *dir_r)
{
	char path[PATH_MAX];
	struct stat named;
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
	if (fstatat(AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(dirfd, dir_r) == 0 &&
	    named.st_ino == dir_r->st_ino && named.st_dev == dir_r->st_dev)
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
	struct stat dir;
	int saved;

	if (watch == NULL)
		watch = *watchp = watch_new();
	/* The folder may have been deleted and made again since it was opened. */
	if (watch == NULL || folder_open_dirs(folder) < 0)
		return -1;
	watch->id[WATCH_CUR] =
	    watch_add(watch, folder, "cur", folder->dir[ENTRY_CUR], WATCH_MESSAGES, &watch->cur);
	if (watch->id[WATCH_CUR] >= 0)
		watch->id[WATCH_NEW] =
		    watch_add(watch, folder, "new", folder->dir[ENTRY_NEW], WATCH_MESSAGES, &dir);
	if (watch->id[WATCH_NEW] >= 0)
		watch->id[WATCH_OWN] =
		    watch_add(watch, folder, ".", folder->home.fd, WATCH_FILES, &dir);
	if (watch->id[WATCH_OWN] >= 0) {
		(void)maildir_watch_take(watch); /* what was left of before */
		watch->lost = watch->knows = watch->local_known = false;
		watch->folder = folder;
		folder->watch = watch;
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
	if (watch->folder != NULL)
		watch->folder->watch = NULL;
	watch->folder = NULL;
	watch->knows = watch->more = false;
	names_clear(watch);
}

void
maildir_watch_close(struct maildir_watch **watchp)
{
	struct maildir_watch *watch = *watchp;

	*watchp = NULL;
	if (watch == NULL)
		return;
	if (watch->folder != NULL)
		watch->folder->watch = NULL;
	names_clear(watch);
	close(watch->fd);
	free(watch);
}

int
maildir_watch_fd(const struct maildir_watch *watch)
{
	return watch->fd;
}

/* Returns whether an event tells of a change.  Our lock files, index and temporary files are no change. */
static bool
event_counts(const struct maildir_watch *watch, const struct inotify_event *event)
{
	if (event->wd != watch->id[WATCH_OWN] || event->len == 0)
		return true;
	return strcmp(event->name, UIDLIST_NAME) == 0 || strcmp(event->name, LETTERED_NAME) == 0 ||
	       strcmp(event->name, NUMBERED_NAME) == 0;
}

/* Remembers that a name has come to cur/ or left it.  false: no more can be remembered. */
static bool
names_set(struct maildir_watch *watch, const char *name, bool there)
{
	struct watch_name *last;

	for (size_t i = 0; i < watch->count; i++) {
		if (strcmp(watch->name[i].name, name) == 0) {
			watch->name[i].there = there;
			return true;
		}
	}
	if (watch->name == NULL)
		watch->name = calloc(WATCH_NAMES, sizeof(*watch->name));
	if (watch->name == NULL || watch->count == WATCH_NAMES)
		return false;
	last = &watch->name[watch->count];
	last->name = mdarena_add(&watch->arena, name, strlen(name));
	last->there = there;
	watch->count += last->name != NULL;
	return last->name != NULL;
}

static void
event_remember(struct maildir_watch *watch, const struct inotify_event *event)
{
	if ((event->mask & IN_Q_OVERFLOW) != 0)
		watch->knows = false;
	if (event->wd != watch->id[WATCH_CUR])
		return;
	if ((event->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF)) != 0)
		watch->lost = true;
	/* Names that begin with a dot are not messages. */
	else if (watch->knows && event->len > 0 && event->name[0] != '.')
		watch->knows =
		    names_set(watch, event->name, (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0);
}

/* Reads the events that wait, and returns whether they tell of a change.  *other_r: of one outside cur/. */
static bool
watch_read(struct maildir_watch *watch, bool *other_r)
{
	_Alignas(struct inotify_event) char buffer[4096];
	bool changed = false, all = false;

	*other_r = false;
	for (int reads = 0; reads < WATCH_READS && !all; reads++) {
		ssize_t n = read(watch->fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		all = n <= 0;
		for (size_t at = 0; n > 0 && at < (size_t)n;) {
			const struct inotify_event *event =
			    (const struct inotify_event *)(const void *)(buffer + at);

			if (event_counts(watch, event)) {
				changed = true;
				*other_r |= event->wd != watch->id[WATCH_CUR];
			}
			event_remember(watch, event);
			at += sizeof(*event) + event->len;
		}
	}
	/* If events still wait, the names are not complete. */
	watch->knows &= all;
	if (!watch->knows)
		names_clear(watch);
	return changed;
}

bool
maildir_watch_take(struct maildir_watch *watch)
{
	bool other, more = watch->more;

	watch->more = false;
	return watch_read(watch, &other) || more;
}

/* Returns whether cur/ is still the directory that is watched.  inotify does not report a mount over it. */
static bool
is_watched(const struct maildir_watch *watch, const struct file_stamp *cur)
{
	return !watch->lost && cur->ino == watch->cur.st_ino && cur->dev == watch->cur.st_dev;
}

void
watch_verified(struct maildir_watch *watch, const struct file_stamp *cur)
{
	names_clear(watch);
	watch->knows = is_watched(watch, cur);
}

/* Returns whether inotify reports every change of cur/. */
static bool
is_local(struct maildir_watch *watch)
{
	struct statfs fs;

	if (!watch->local_known) {
		watch->local_known = true;
		watch->local = false;
		if (fstatfs(watch->folder->dir[ENTRY_CUR], &fs) < 0)
			return false;
		for (size_t i = 0; i < sizeof(local_systems) / sizeof(local_systems[0]); i++)
			watch->local |= (unsigned long)fs.f_type == local_systems[i];
	}
	return watch->local;
}

/*
 * Waits until the events of all renames are queued that have changed the times of cur/ already.  Such a rename holds
 * the kernel's lock of the directory until its event is queued, and the lookup of an uncached name waits for that
 * lock.
 */
static bool
wait_for_renames(const struct maildir_watch *watch)
{
	struct maildir *md = watch->folder->home.md;
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), ".sallyport.%llx.%llu", (unsigned long long)md->seed,
	    (unsigned long long)++md->unique);
	return fstatat(watch->folder->dir[ENTRY_CUR], name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT;
}

bool
watch_knows(struct maildir_watch *watch, const struct file_stamp *cur)
{
	bool other;

	if (!watch->knows || !is_local(watch) || !wait_for_renames(watch))
		return false;
	(void)watch_read(watch, &other);
	watch->more |= other;
	return watch->knows && is_watched(watch, cur);
}

const char *
watch_name(const struct maildir_watch *watch, size_t n, bool *there_r)
{
	if (n >= watch->count)
		return NULL;
	*there_r = watch->name[n].there;
	return watch->name[n].name;
}

void
watch_look_begins(struct maildir_watch *watch)
{
	watch->more = false;
}

bool
watch_has_more(const struct maildir_watch *watch)
{
	return watch->more;
}
