/*
 * dotlock.c: a lock file as Dovecot makes it: taken, recognized as left behind, dropped.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/clock.h"
#include "maildir/base/dir.h"
#include "maildir/base/dotlock.h"
#include "maildir/base/file.h"
#include "maildir/base/number.h"
#include "maildir/base/root.h"

/*
 * Dovecot holds its lock for one sync.  After this time it is stuck, and the client hears so.  If the lock file is as
 * old as that already, a shorter wait does: other processes have waited for it before.
 */
#define DOTLOCK_WAIT_MS	      10000
#define DOTLOCK_WAIT_LEAST_MS 1000

/* Dovecot's own rule: nobody holds a lock file that old. */
#define DOTLOCK_STALE_SECONDS 120

/* A program that makes a lock file writes into it at once, or renames a complete file. */
#define DOTLOCK_EMPTY_SECONDS 1

/*
 * Stands in our lock files after the text that Dovecot reads, which ends at the NUL.  Our process also locks the file
 * (fcntl) while it holds it.  So others see when it is dead, even if another process has its pid now, as happens when
 * a machine or a container starts again.
 */
#define DOTLOCK_MARK "\0locked"

/* Makes the lock file under another name, so that nobody ever sees it empty. */
static int
dotlock_prepare(struct dotlock *lock)
{
	char text[320];
	size_t n =
	    (size_t)snprintf(text, sizeof(text), "%ld:%.255s", (long)getpid(), lock->md->host);
	struct stat st;
	int fd = file_make(lock->dirfd, lock->tmp);

	if (fd < 0)
		return -1;
	/* If files cannot be locked, the pid alone must do. */
	if (file_lock(fd, F_WRLCK, 0) == 0) {
		memcpy(text + n, DOTLOCK_MARK, sizeof(DOTLOCK_MARK));
		n += sizeof(DOTLOCK_MARK);
	}
	if (file_write_all(fd, text, n) == 0 && fstat(fd, &st) == 0) {
		file_stamp_of(&st, &lock->stamp);
		lock->fd = fd;
		return 0;
	}
	close_keeping_errno(fd);
	return -1;
}

/* The pid that a lock file names if it is of this host, or 0. */
static pid_t
dotlock_pid(const char *text, const char *host)
{
	uint64_t pid;
	size_t digits = number_read(text, strlen(text), INT_MAX, &pid);

	return digits > 0 && text[digits] == ':' && strcmp(text + digits + 1, host) == 0
		   ? (pid_t)pid
		   : 0;
}

/* Whether the process that the text names is dead, or not the one that made the file.  Our own pid is that of an
 * earlier process: while we are here, no other handle of this process can hold the lock. */
static bool
dotlock_is_dead(int fd, const char *text, size_t len, const char *host)
{
	const size_t mark = sizeof(DOTLOCK_MARK);
	pid_t pid = dotlock_pid(text, host);

	if (pid > 0 && len > mark && memcmp(text + len - mark, DOTLOCK_MARK, mark) == 0)
		return file_lock(fd, F_RDLCK, 0) == 0;
	return pid > 0 && (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH));
}

/* Whether an unreadable lock file is stale: no program locks by a directory or a FIFO, and a file gets too old. */
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
dotlock_stale(const struct dotlock *lock, time_t now, struct file_stamp *stamp_r)
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
	/* After a power failure a file that was not on the disk yet is empty. */
	if (n == 0 && (age > DOTLOCK_EMPTY_SECONDS || age < -DOTLOCK_EMPTY_SECONDS))
		return true;
	return dead;
}

/*
 * Takes a stale lock file away.  Since we looked, another process may have done so and locked: the file that was moved
 * aside is put back if it is not the one that was stale.  Returns false if a lock file is still there.
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

/* Whether we need not hope any more, after waiting so long, that a lock file is removed soon. */
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
		if (dotlock_stale(lock, now, &found) && dotlock_break(lock, &found))
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

/* Notes that the lock is not ours.  Closing the file unlocks it. */
static void
dotlock_forget(struct dotlock *lock)
{
	close_keeping_errno(lock->fd);
	lock->fd = -1;
	memset(&lock->stamp, 0, sizeof(lock->stamp));
}

int
dotlock_take(struct dotlock *lock)
{
	lock->fd = -1;
	if (dotlock_prepare(lock) == 0 && dotlock_wait(lock) == 0)
		return 0;
	unlink_keeping_errno(lock->dirfd, lock->tmp);
	dotlock_forget(lock);
	return -1;
}

bool
dotlock_held(const struct dotlock *lock)
{
	struct file_stamp now;

	return lock->stamp.ino != 0 && file_stamp_at(lock->dirfd, lock->name, &now) == 0 &&
	       now.ino == lock->stamp.ino && now.dev == lock->stamp.dev;
}

void
dotlock_drop(struct dotlock *lock)
{
	int saved = errno;

	if (dotlock_held(lock))
		(void)unlinkat(lock->dirfd, lock->name, 0);
	errno = saved;
	dotlock_forget(lock);
}
