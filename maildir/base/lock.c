/*
 * lock.c: the locks on a folder and on the Maildir.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/clock.h"
#include "maildir/base/dir.h"
#include "maildir/base/dotlock.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/root.h"

#define DOTLOCK_TMP   "sallyport.dotlock"
#define DOTLOCK_STALE "sallyport.stale"

/* Longer than any sync of a folder that a person can use, and about as long as a client waits. */
#define LOCK_WAIT_MS 30000

/*
 * A lock is mostly held for a millisecond, and many sessions may wait for it at once: all that idle in a folder, for
 * each new message.  So a session tries again after a millisecond at first, and less often later.
 */
#define LOCK_EAGER_MS 200
#define LOCK_PAUSE_MS 16

/* Whether a process holds a lock on the file that it gives back soon. */
static bool
lock_is_busy(int fd)
{
	static const enum lock_byte soon_over[] = {LOCK_FOLDER, LOCK_VALIDITY, LOCK_TREE};

	for (size_t i = 0; i < sizeof(soon_over) / sizeof(soon_over[0]); i++)
		if (file_lock(fd, F_WRLCK, soon_over[i]) < 0 && errno == EAGAIN)
			return true;
	return false;
}

/* Whether the file has another name, and stays when this one goes, as after a daily backup by hard links. */
static bool
is_elsewhere(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1;
}

/* Whether an error of file_open means that what has the name can be no lock file of ours. */
static bool
is_odd(int error)
{
	return error == EINVAL || error == EACCES || error == EPERM;
}

/*
 * Makes room for a lock file of ours when what lies there cannot be one: a directory, a file of another user, a
 * second name of some file.  A single process does so at a time (flock of the directory), so that no process sets aside
 * the file that another has just made.
 */
static int
lock_make_room(struct maildir *md, int dirfd)
{
	int error = errno, r = -1, fd;
	struct stat st;

	if (!file_dir_is_ours(dirfd) || flock(dirfd, LOCK_EX | LOCK_NB) < 0) {
		errno = errno == EWOULDBLOCK ? EAGAIN : error == EINVAL ? EPERM : error;
		return -1;
	}
	fd = file_open(dirfd, LOCK_NAME, 0, &st);
	if (fd >= 0 || errno == ENOENT) {
		r = 0;
	} else if (is_odd(errno)) {
		int other = openat(dirfd, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		errno = EAGAIN;
		if (other < 0 || !lock_is_busy(other))
			r = is_elsewhere(other) ? unlinkat(dirfd, LOCK_NAME, 0)
						: file_set_aside(md, dirfd, LOCK_NAME);
		close_keeping_errno(other);
	}
	close_keeping_errno(fd);
	error = errno;
	(void)flock(dirfd, LOCK_UN);
	errno = error;
	return r;
}

/* As file_open; sets aside what is in the way. */
static int
lock_open(struct maildir *md, int dirfd)
{
	struct stat st;
	int fd = file_open(dirfd, LOCK_NAME, 0, &st);

	if (fd < 0 && is_odd(errno) && lock_make_room(md, dirfd) < 0)
		return -1;
	return fd >= 0 ? fd : file_open(dirfd, LOCK_NAME, O_CREAT, &st);
}

/* A lock on a file that was unlinked meanwhile would keep out nobody. */
static bool
lock_is_current(int dirfd, int fd)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	       fstatat(dirfd, LOCK_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Tries once.  1: the file was replaced meanwhile, and another try may succeed at once. */
static int
lock_once(struct maildir *md, int dirfd, int *fd, enum lock_byte byte)
{
	if (*fd < 0 && (*fd = lock_open(md, dirfd)) < 0)
		return -1;
	if (file_lock(*fd, F_WRLCK, byte) < 0)
		return -1;
	if (lock_is_current(dirfd, *fd))
		return 0;
	close(*fd);
	*fd = -1;
	return 1;
}

/* Ends all held batches, except that of the folder that takes the lock itself: its locks is above 1. */
static void
settle_held(const struct maildir *md)
{
	for (struct mddir *dir = md->dirs; dir != NULL; dir = dir->next)
		if (dir->held && dir->locks == 1)
			dir->settle(dir);
}

/* Whether another open folder of this Maildir has the lock: this process would wait for itself. */
static bool
lock_is_our_own(const struct maildir *md, int fd, enum lock_byte byte)
{
	struct stat wanted, held;

	if (byte != LOCK_FOLDER || fd < 0 || fstat(fd, &wanted) < 0)
		return false;
	for (const struct mddir *dir = md->dirs; dir != NULL; dir = dir->next)
		if (dir->locks > 0 && dir->lock_fd >= 0 && fstat(dir->lock_fd, &held) == 0 &&
		    held.st_ino == wanted.st_ino && held.st_dev == wanted.st_dev)
			return true;
	return false;
}

int
mdlock_take(struct maildir *md, int dirfd, int *fd, enum lock_byte byte, unsigned wait_ms)
{
	uint64_t begun = mdclock_now_ms(), waited;

	settle_held(md);
	for (;;) {
		int r = lock_once(md, dirfd, fd, byte);

		if (r == 0 || (r < 0 && errno != EAGAIN))
			return r;
		if (r < 0 && lock_is_our_own(md, *fd, byte)) {
			errno = EDEADLK;
			return -1;
		}
		if (r < 0 && wait_ms == 0) {
			errno = EAGAIN;
			return -1;
		}
		waited = mdclock_now_ms() - begun;
		/* A caller that does not wait gets some tries all the same if the file is replaced. */
		if (waited > wait_ms && (r < 0 || waited > LOCK_EAGER_MS)) {
			errno = ENOLCK;
			return -1;
		}
		if (r < 0)
			mdclock_sleep_ms(waited < LOCK_EAGER_MS ? 1 : LOCK_PAUSE_MS);
	}
}

int
mdlock_open(struct maildir *md, int dirfd, enum lock_byte byte, unsigned wait_ms)
{
	int fd = -1;

	if (mdlock_take(md, dirfd, &fd, byte, wait_ms) == 0)
		return fd;
	close_keeping_errno(fd);
	return -1;
}

int
mdlock_tree(struct maildir *md)
{
	return mdlock_open(md, md->fd, LOCK_TREE, LOCK_WAIT_MS);
}

static int
lock_folder(struct mddir *dir, unsigned wait_ms)
{
	/* Within a batch of changes we have the lock, or go without. */
	if (dir->locks > 0 && dir->unlocked != 0) {
		errno = dir->unlocked;
		return -1;
	}
	if (dir->locks == 0 &&
	    mdlock_take(dir->md, dir->fd, &dir->lock_fd, LOCK_FOLDER, wait_ms) < 0)
		return -1;
	dir->unlocked = 0;
	dir->locks++;
	return 0;
}

int
mdlock_folder(struct mddir *dir)
{
	return lock_folder(dir, LOCK_WAIT_MS);
}

int
mdlock_folder_try(struct mddir *dir)
{
	return lock_folder(dir, 0);
}

int
mdlock_enter(struct mddir *dir, bool wait)
{
	if (lock_folder(dir, wait ? LOCK_WAIT_MS : 0) == 0)
		return 0;
	if (!error_forbids_writing(errno))
		return -1;
	if (errno != EROFS)
		file_notice(dir->md, dir->fd, LOCK_NAME, errno);
	dir->unlocked = errno;
	dir->locks++;
	return 0;
}

void
mdlock_folder_drop(struct mddir *dir)
{
	int saved = errno;

	/* To unlock an open file cannot fail; if it did, closing the folder would unlock. */
	if (--dir->locks == 0 && dir->unlocked == 0)
		(void)file_lock(dir->lock_fd, F_UNLCK, LOCK_FOLDER);
	errno = saved;
}

/* --- dovecot-uidlist.lock --- */

int
uidlist_lock_take(struct mddir *dir)
{
	dir->dotlock = (struct dotlock){
	    .md = dir->md,
	    .dirfd = dir->fd,
	    .folder = dir->name,
	    .name = UIDLIST_LOCK_NAME,
	    .tmp = DOTLOCK_TMP,
	    .aside = DOTLOCK_STALE,
	};
	return dotlock_take(&dir->dotlock);
}

bool
uidlist_lock_held(const struct mddir *dir)
{
	return dotlock_held(&dir->dotlock);
}

void
uidlist_lock_drop(struct mddir *dir)
{
	dotlock_drop(&dir->dotlock);
}

int
uidlist_lock_replace(
    struct mddir *dir, const char *tmp, const char *name, const struct mdbuf *text, bool keep)
{
	if (file_write(dir->fd, tmp, name, text) < 0)
		return -1;
	if (!uidlist_lock_held(dir)) {
		(void)unlinkat(dir->fd, tmp, 0);
		errno = ENOLCK;
		return -1;
	}
	if (file_place(dir->md, dir->fd, tmp, name, keep) < 0)
		return -1;
	return fsync(dir->fd);
}
