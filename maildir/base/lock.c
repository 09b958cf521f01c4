/*
 * lock.c: the folder's lock, the session's, and Dovecot's lock file.
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
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/root.h"

/* Longer than any sync of a folder that a person can use; a client waits about as long, too. */
#define LOCK_WAIT_MS 30000

/*
 * A lock is mostly held for a millisecond, and many may wait for it at once: all who idle in a folder,
 * for each new message.  So who waits looks again soon, but not for ever.
 */
#define LOCK_EAGER_MS 200
#define LOCK_PAUSE_MS 16

/*
 * Dovecot holds its lock for a sync; longer than this and it is stuck, and the client is told so.  Who comes
 * when it has been there for so long need not find that out once more: all others wait behind him.
 */
#define DOTLOCK_WAIT_MS	      10000
#define DOTLOCK_WAIT_LEAST_MS 1000

/* Dovecot's own rule: a lock file that old is nobody's. */
#define DOTLOCK_STALE_SECONDS 120

/* Who makes one writes into it at once, or puts a whole one in its place. */
#define DOTLOCK_EMPTY_SECONDS 1

/*
 * Stands in ours behind what Dovecot reads, which ends at the NUL.  While its process has it the file is locked
 * as well (fcntl): so it is seen when nobody has it any more, though the process could not remove it, or though
 * another has that process's number now, as it is when a machine or a container starts again.
 */
#define DOTLOCK_MARK "\0locked"

#define DOTLOCK_TMP   "sallyport.dotlock"
#define DOTLOCK_STALE "sallyport.stale"

static int
lock_set(int fd, short type, enum lock_byte byte)
{
	struct flock lock = {
	    .l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = byte,
	    .l_len = 1,
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EACCES)
		errno = EAGAIN;
	return -1;
}

/* Whether a process that has it open holds a lock that is soon over. */
static bool
lock_is_busy(int fd)
{
	static const enum lock_byte soon_over[] = {LOCK_FOLDER, LOCK_VALIDITY, LOCK_TREE};

	for (size_t i = 0; i < sizeof(soon_over) / sizeof(soon_over[0]); i++)
		if (lock_set(fd, F_WRLCK, soon_over[i]) < 0 && errno == EAGAIN)
			return true;
	return false;
}

/* Whether the file has another name, and stays when this one goes: a backup made by hard links leaves that daily. */
static bool
is_elsewhere(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1;
}

/* Whether an error of file_open says that a name can have no lock file of ours. */
static bool
is_odd(int error)
{
	return error == EINVAL || error == EACCES || error == EPERM;
}

/*
 * Makes room for a lock file of ours, when what lies there cannot be one: a directory, a file of another user, a
 * second name of some file.  One process does so at a time (flock of the directory), so that none sets aside the
 * file that another has just made.
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
		if (other >= 0)
			close(other);
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	(void)flock(dirfd, LOCK_UN);
	errno = error;
	return r;
}

/* As file_open; what is in the way is set aside. */
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

/* 1: the file was replaced, another try may succeed at once. */
static int
lock_once(struct maildir *md, int dirfd, int *fd, enum lock_byte byte)
{
	if (*fd < 0 && (*fd = lock_open(md, dirfd)) < 0)
		return -1;
	if (lock_set(*fd, F_WRLCK, byte) < 0)
		return -1;
	if (lock_is_current(dirfd, *fd))
		return 0;
	close(*fd);
	*fd = -1;
	return 1;
}

/* Ends all held batches, except that of a folder whose own call takes the lock (locks is above 1 then). */
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
		/* Who does not wait must still come to the file that is there now, or to hear that there is none. */
		if (waited > wait_ms && (r < 0 || waited > LOCK_EAGER_MS)) {
			errno = ENOLCK;
			return -1;
		}
		if (r < 0)
			mdclock_sleep_ms(waited < LOCK_EAGER_MS ? 1 : LOCK_PAUSE_MS);
	}
}

void
mdlock_drop(int fd, enum lock_byte byte)
{
	/* Unlocking a file that is open cannot fail; should it, closing the folder unlocks. */
	(void)lock_set(fd, F_UNLCK, byte);
}

static int
lock_folder(struct mddir *dir, unsigned wait_ms)
{
	/* Within a batch of changes we have it, or go without. */
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
	if (!error_bars(errno))
		return -1;
	if (errno != EROFS)
		file_notice(dir->md, dir->fd, LOCK_NAME, errno);
	dir->unlocked = errno;
	dir->locks++;
	return 0;
}

void
mdlock_unfolder(struct mddir *dir)
{
	int saved = errno;

	if (--dir->locks == 0 && dir->unlocked == 0)
		mdlock_drop(dir->lock_fd, LOCK_FOLDER);
	errno = saved;
}

/* The lock file, complete under another name, so that nobody ever sees it empty. */
static int
dotlock_prepare(struct dotlock *lock)
{
	char text[320];
	size_t n =
	    (size_t)snprintf(text, sizeof(text), "%ld:%.255s", (long)getpid(), lock->md->host);
	struct stat st;
	int fd, saved;

	fd = file_make(lock->dirfd, lock->tmp);
	if (fd < 0)
		return -1;
	/* Where files cannot be locked the number alone must do. */
	if (lock_set(fd, F_WRLCK, 0) == 0) {
		memcpy(text + n, DOTLOCK_MARK, sizeof(DOTLOCK_MARK));
		n += sizeof(DOTLOCK_MARK);
	}
	if (file_write_all(fd, text, n) == 0 && fstat(fd, &st) == 0) {
		file_stamp_of(&st, &lock->stamp);
		lock->fd = fd;
		return 0;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* The pid that a lock file names if it is of this host, or 0. */
static pid_t
dotlock_pid(const char *text, const char *host)
{
	long pid = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && pid < 100000000; p++)
		pid = pid * 10 + (*p - '0');
	if (p == text || *p != ':' || strcmp(p + 1, host) != 0)
		return 0;
	return (pid_t)pid;
}

/* Whether whom the text names has the lock no more.  Our own pid is that of an earlier process: one of our
 * locks lets a single one come here. */
static bool
dotlock_is_dead(int fd, const char *text, size_t len, const char *host)
{
	const size_t mark = sizeof(DOTLOCK_MARK);
	pid_t pid = dotlock_pid(text, host);

	if (pid > 0 && len > mark && memcmp(text + len - mark, DOTLOCK_MARK, mark) == 0)
		return lock_set(fd, F_RDLCK, 0) == 0;
	return pid > 0 && (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH));
}

/* One that cannot be read: no program locks by a directory or a FIFO, and a file gets old. */
static bool
dotlock_is_odd(const struct dotlock *lock, time_t now, struct file_stamp *stamp_r)
{
	struct stat st;

	if (fstatat(lock->dirfd, lock->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	file_stamp_of(&st, stamp_r);
	return !S_ISREG(st.st_mode) || now - st.st_mtime > DOTLOCK_STALE_SECONDS;
}

bool
dotlock_file_stale(const struct dotlock *lock, time_t now, struct file_stamp *stamp_r)
{
	char text[320];
	struct stat st;
	ssize_t n;
	time_t age;
	bool dead;
	int fd = file_open_regular(lock->dirfd, lock->name, &st);

	if (fd < 0)
		return dotlock_is_odd(lock, now, stamp_r);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	dead = n > 0 && dotlock_is_dead(fd, text, (size_t)n, lock->md->host);
	close(fd);
	file_stamp_of(&st, stamp_r);
	age = now - st.st_mtime;
	if (age > DOTLOCK_STALE_SECONDS || age < -DOTLOCK_STALE_SECONDS)
		return true;
	/* Of nobody: after a power failure a file that was not on disk yet is empty. */
	if (n == 0 && (age > DOTLOCK_EMPTY_SECONDS || age < -DOTLOCK_EMPTY_SECONDS))
		return true;
	return dead;
}

/*
 * Takes a stale lock away.  Between the look and now another may have done so and locked: what is
 * moved aside is looked at again, and put back if it is not what was found stale.  false: it is still there.
 */
static bool
dotlock_break(const struct dotlock *lock, const struct file_stamp *stale)
{
	struct stat st;

	if (fstatat(lock->dirfd, lock->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		return file_set_aside(lock->md, lock->dirfd, lock->name) == 0;
	file_clear(lock->dirfd, lock->aside);
	if (file_move(lock->dirfd, lock->name, lock->dirfd, lock->aside) < 0)
		return false;
	if (fstatat(lock->dirfd, lock->aside, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_ino != stale->ino || st.st_dev != stale->dev)) {
		(void)file_move(lock->dirfd, lock->aside, lock->dirfd, lock->name);
		return false;
	}
	file_clear(lock->dirfd, lock->aside);
	root_notice(lock->md, "%s: took over the stale lock %s", lock->folder, lock->name);
	return true;
}

/* Whether one that was found after so long will not be given back soon. */
static bool
dotlock_is_stuck(uint64_t waited, time_t now, const struct file_stamp *found)
{
	return waited > DOTLOCK_WAIT_MS || (waited > DOTLOCK_WAIT_LEAST_MS && found->ino != 0 &&
					       now - found->mtime.tv_sec > DOTLOCK_WAIT_MS / 1000);
}

static int
dotlock_wait(struct dotlock *lock)
{
	uint64_t begun = mdclock_now_ms();
	unsigned pause = 1;

	for (;;) {
		struct file_stamp found = {0};
		time_t now = time(NULL);

		if (file_move(lock->dirfd, lock->tmp, lock->dirfd, lock->name) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
		if (dotlock_file_stale(lock, now, &found) && dotlock_break(lock, &found))
			continue;
		if (dotlock_is_stuck(mdclock_now_ms() - begun, now, &found)) {
			root_notice(
			    lock->md, "%s: %s is held by another", lock->folder, lock->name);
			errno = ENOLCK;
			return -1;
		}
		mdclock_sleep_ms(pause);
		pause = pause < 32 ? pause * 2 : 32;
	}
}

/* It is not ours, or not any more.  Closing the file unlocks it. */
static void
dotlock_forget(struct dotlock *lock)
{
	int saved = errno;

	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
	memset(&lock->stamp, 0, sizeof(lock->stamp));
	errno = saved;
}

int
dotlock_file_take(struct dotlock *lock)
{
	int saved;

	lock->fd = -1;
	if (dotlock_prepare(lock) == 0 && dotlock_wait(lock) == 0)
		return 0;
	saved = errno;
	(void)unlinkat(lock->dirfd, lock->tmp, 0);
	errno = saved;
	dotlock_forget(lock);
	return -1;
}

bool
dotlock_file_held(const struct dotlock *lock)
{
	struct file_stamp now;

	return lock->stamp.ino != 0 && file_stamp_at(lock->dirfd, lock->name, &now) == 0 &&
	       now.ino == lock->stamp.ino && now.dev == lock->stamp.dev;
}

void
dotlock_file_drop(struct dotlock *lock)
{
	int saved = errno;

	if (dotlock_file_held(lock))
		(void)unlinkat(lock->dirfd, lock->name, 0);
	errno = saved;
	dotlock_forget(lock);
}

/* --- dovecot-uidlist.lock --- */

int
dotlock_take(struct mddir *dir)
{
	dir->dotlock = (struct dotlock){
	    .md = dir->md,
	    .dirfd = dir->fd,
	    .folder = dir->name,
	    .name = UIDLIST_LOCK_NAME,
	    .tmp = DOTLOCK_TMP,
	    .aside = DOTLOCK_STALE,
	};
	return dotlock_file_take(&dir->dotlock);
}

bool
dotlock_held(const struct mddir *dir)
{
	return dotlock_file_held(&dir->dotlock);
}

void
dotlock_drop(struct mddir *dir)
{
	dotlock_file_drop(&dir->dotlock);
}
