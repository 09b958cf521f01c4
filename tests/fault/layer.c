/*
 * layer.c: the file functions of libc as maildir/ gets them: a call fails if the plan says so.
 * Runs as: whoever runs the tests; in a server built with it, as the mail user.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/fault/layer.h"

/* What a call does, and so which faults can happen to it. */
enum {
	OPENS = 1 << 0,	 /* takes a descriptor: EMFILE */
	GROWS = 1 << 1,	 /* takes room on the disk: ENOSPC */
	READS = 1 << 2,	 /* octets, maybe fewer than asked for */
	WRITES = 1 << 3, /* octets, maybe fewer than given */
	LOCKS = 1 << 4,	 /* ENOLCK */
	MAPS = 1 << 5,	 /* ENOMEM */
	ALLOCATES = 1 << 6,
	OTHER = 0,
};

static struct fault_plan *plan;

static const char *const names[FAULT_KINDS] = {
    "none", "eio", "full", "filled", "files", "short", "torn", "death", "power", "memory"};

const char *
layer_kind(enum fault_kind kind)
{
	return names[kind];
}

void
layer_follow(struct fault_plan *follow)
{
	plan = follow;
}

static bool
applies(enum fault_kind kind, int does)
{
	switch (kind) {
	case FAULT_FULL:
	case FAULT_FILLED:
		return (does & GROWS) != 0;
	case FAULT_FILES:
		return (does & OPENS) != 0;
	case FAULT_SHORT:
		return (does & (READS | WRITES)) != 0;
	case FAULT_TORN:
		return (does & WRITES) != 0;
	case FAULT_MEMORY:
		return (does & ALLOCATES) != 0;
	default:
		return (does & ALLOCATES) == 0;
	}
}

/* Returns the fault of this call, mostly FAULT_NONE. */
static enum fault_kind
happens(const char *call, int does)
{
	uint32_t count;

	if (plan == NULL || !plan->armed || !applies(plan->kind, does))
		return FAULT_NONE;
	count = __atomic_add_fetch(&plan->count, 1, __ATOMIC_RELAXED);
	if (plan->at == 0 || count < plan->at)
		return FAULT_NONE;
	if (count == plan->at) {
		plan->happened = 1;
		snprintf(plan->call, sizeof(plan->call), "%s", call);
	} else if (plan->kind != FAULT_FILLED && plan->kind != FAULT_FILES) {
		return FAULT_NONE;
	}
	return plan->kind;
}

/* --- octets that are not on disk yet --- */

/* More files than a scenario writes before it calls fsync. */
#define DIRTY_MAX 64

static struct dirty {
	dev_t dev;
	ino_t ino;
	int fd;	    /* the layer's own descriptor */
	off_t safe; /* so many octets are on disk */
	bool dirty;
} dirty[DIRTY_MAX];
static unsigned dirty_count;

static struct dirty *
dirty_find(const struct stat *st)
{
	for (unsigned i = 0; i < dirty_count; i++) {
		if (dirty[i].ino == st->st_ino && dirty[i].dev == st->st_dev)
			return &dirty[i];
	}
	return NULL;
}

/*
 * Call before a write.  Ignores lock files: a second descriptor would keep the lock, and the content
 * of a lock file may be lost.
 */
static void
dirty_add(int fd)
{
	char link[64], path[PATH_MAX];
	struct dirty *file;
	struct stat st;
	ssize_t n;

	if (plan == NULL || !plan->armed || plan->kind != FAULT_POWER || fstat(fd, &st) < 0)
		return;
	file = dirty_find(&st);
	if (file != NULL) {
		file->dirty = true;
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 4 || memcmp(path + n - 4, "lock", 4) == 0 || dirty_count == DIRTY_MAX)
		return;
	dirty[dirty_count++] =
	    (struct dirty){st.st_dev, st.st_ino, fcntl(fd, F_DUPFD_CLOEXEC, 100), st.st_size, true};
}

static void
dirty_synced(int fd)
{
	struct dirty *file;
	struct stat st;

	if (dirty_count == 0 || fstat(fd, &st) < 0)
		return;
	file = dirty_find(&st);
	if (file == NULL)
		return;
	file->safe = st.st_size;
	file->dirty = false;
}

static void
dirty_lose(void)
{
	for (unsigned i = 0; i < dirty_count; i++) {
		if (dirty[i].dirty)
			(void)!ftruncate(dirty[i].fd, dirty[i].safe);
	}
}

/* At its end a scenario closes the descriptors that the layer kept. */
void
layer_forget(void)
{
	for (unsigned i = 0; i < dirty_count; i++)
		(void)close(dirty[i].fd);
	dirty_count = 0;
}

static _Noreturn void
die(void)
{
	if (plan->kind == FAULT_POWER)
		dirty_lose();
	if (plan->confined)
		__builtin_trap();
	(void)kill(getpid(), SIGKILL);
	_exit(1);
}

/* Returns true, with errno set, if the call must fail. */
static bool
fails(const char *call, int does)
{
	switch (happens(call, does)) {
	case FAULT_EIO:
		errno = does & LOCKS ? ENOLCK : does & MAPS ? ENOMEM : EIO;
		return true;
	case FAULT_FULL:
	case FAULT_FILLED:
		errno = ENOSPC;
		return true;
	case FAULT_FILES:
		errno = EMFILE;
		return true;
	case FAULT_MEMORY:
		errno = ENOMEM;
		return true;
	case FAULT_DEATH:
	case FAULT_POWER:
		die();
	default:
		return false;
	}
}

/* Half of the octets, one octet, or all but one. */
static size_t
fewer(size_t size)
{
	switch (plan->at % 3) {
	case 0:
		return size / 2;
	case 1:
		return 1;
	default:
		return size - 1;
	}
}

/* The same as fails() for a read or write of *size octets, which may become fewer. */
static bool
fails_part(const char *call, int does, size_t *size, bool *dies_after)
{
	enum fault_kind kind;

	*dies_after = false;
	kind = happens(call, does);
	if (kind == FAULT_SHORT || kind == FAULT_TORN) {
		/* A read of one octet cannot be shorter: no octet would mean the end of the file. */
		*size = *size > 1 ? fewer(*size) : *size;
		*dies_after = kind == FAULT_TORN;
		return false;
	}
	if (kind == FAULT_DEATH || kind == FAULT_POWER)
		die();
	if (kind == FAULT_NONE)
		return false;
	errno = kind == FAULT_EIO ? EIO : ENOSPC;
	return true;
}

#define CALL(does, type, failed, name, parameters, arguments)                                      \
	type fault_##name parameters;                                                              \
	type fault_##name parameters                                                               \
	{                                                                                          \
		return fails(#name, does) ? (failed) : name arguments;                             \
	}
/* The same function under its name for offsets of 64 bits. */
#define CALL64(does, type, failed, name, parameters, arguments)                                    \
	CALL(does, type, failed, name, parameters, arguments)                                      \
	type fault_##name##64 parameters __attribute__((alias("fault_" #name)));

#define PART(does, name, parameters, arguments)                                                    \
	ssize_t fault_##name parameters;                                                           \
	ssize_t fault_##name parameters                                                            \
	{                                                                                          \
		bool dies;                                                                         \
		ssize_t n;                                                                         \
                                                                                                   \
		if (fails_part(#name, does, &size, &dies))                                         \
			return -1;                                                                 \
		if ((does)&WRITES)                                                                 \
			dirty_add(fd);                                                             \
		n = name arguments;                                                                \
		if (dies)                                                                          \
			die();                                                                     \
		return n;                                                                          \
	}

/* Octets that the file has already can be overwritten in place even on a full disk. */
static int
pwrite_does(int fd, off_t end)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= end ? WRITES : WRITES | GROWS;
}

PART(READS, read, (int fd, void *buf, size_t size), (fd, buf, size))
PART(READS, pread, (int fd, void *buf, size_t size, off_t at), (fd, buf, size, at))
PART(WRITES | GROWS, write, (int fd, const void *buf, size_t size), (fd, buf, size))
PART(pwrite_does(fd, at + (off_t)size), pwrite, (int fd, const void *buf, size_t size, off_t at),
    (fd, buf, size, at))
ssize_t fault_pread64(int fd, void *buf, size_t size, off_t at)
    __attribute__((alias("fault_pread")));
ssize_t fault_pwrite64(int fd, const void *buf, size_t size, off_t at)
    __attribute__((alias("fault_pwrite")));

CALL(GROWS, ssize_t, -1, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
CALL64(
    GROWS, ssize_t, -1, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
CALL64(GROWS, ssize_t, -1, sendfile, (int to, int from, off_t *at, size_t n), (to, from, at, n))
CALL(GROWS, ssize_t, -1, copy_file_range,
    (int from, off_t *at, int to, off_t *to_at, size_t n, unsigned flags),
    (from, at, to, to_at, n, flags))
CALL64(GROWS, int, -1, ftruncate, (int fd, off_t size), (fd, size))
CALL64(GROWS, int, -1, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
CALL(GROWS, int, -1, rename, (const char *old, const char *new), (old, new))
CALL(GROWS, int, -1, renameat, (int from, const char *old, int to, const char *new),
    (from, old, to, new))
CALL(GROWS, int, -1, renameat2,
    (int from, const char *old, int to, const char *new, unsigned flags),
    (from, old, to, new, flags))
CALL(GROWS, int, -1, link, (const char *old, const char *new), (old, new))
CALL(GROWS, int, -1, linkat, (int from, const char *old, int to, const char *new, int flags),
    (from, old, to, new, flags))
CALL(GROWS, int, -1, symlinkat, (const char *target, int fd, const char *path), (target, fd, path))
CALL(OTHER, int, -1, unlink, (const char *path), (path))
CALL(OTHER, int, -1, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
CALL(OTHER, int, -1, rmdir, (const char *path), (path))
CALL(GROWS, int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(GROWS, int, -1, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
CALL64(OTHER, int, -1, stat, (const char *path, struct stat *st), (path, st))
CALL64(OTHER, int, -1, lstat, (const char *path, struct stat *st), (path, st))
CALL64(OTHER, int, -1, fstat, (int fd, struct stat *st), (fd, st))
CALL64(OTHER, int, -1, fstatat, (int fd, const char *path, struct stat *st, int flags),
    (fd, path, st, flags))
CALL(OTHER, int, -1, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *st),
    (fd, path, flags, mask, st))
CALL64(OTHER, int, -1, fstatfs, (int fd, struct statfs *st), (fd, st))
CALL64(OTHER, int, -1, fstatvfs, (int fd, struct statvfs *st), (fd, st))
CALL(OTHER, ssize_t, -1, readlinkat, (int fd, const char *path, char *buf, size_t size),
    (fd, path, buf, size))
CALL(OTHER, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
CALL(OTHER, int, -1, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
CALL(OTHER, int, -1, futimens, (int fd, const struct timespec times[2]), (fd, times))
CALL(OTHER, int, -1, utimensat,
    (int fd, const char *path, const struct timespec times[2], int flags), (fd, path, times, flags))
CALL(OTHER, int, -1, faccessat, (int fd, const char *path, int mode, int flags),
    (fd, path, mode, flags))
CALL(LOCKS, int, -1, flock, (int fd, int what), (fd, what))
CALL(OPENS, int, -1, dup, (int fd), (fd))
CALL(OPENS, DIR *, NULL, opendir, (const char *path), (path))
CALL(MAPS, DIR *, NULL, fdopendir, (int fd), (fd))
CALL(OPENS, int, -1, inotify_init1, (int flags), (flags))
CALL(GROWS, int, -1, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))
CALL(OTHER, int, -1, inotify_rm_watch, (int fd, int id), (fd, id))
CALL64(MAPS, void *, MAP_FAILED, mmap,
    (void *where, size_t size, int protection, int flags, int fd, off_t at),
    (where, size, protection, flags, fd, at))
CALL64(OTHER, struct dirent *, NULL, readdir, (DIR * dir), (dir))

/* --- functions that need more than a call --- */

int fault_fsync(int fd);
int
fault_fsync(int fd)
{
	int r = fails("fsync", GROWS) ? -1 : fsync(fd);

	if (r == 0)
		dirty_synced(fd);
	return r;
}
int fault_fdatasync(int fd) __attribute__((alias("fault_fsync")));

#define ALLOCATE(name, parameters, arguments)                                                      \
	CALL(ALLOCATES, void *, NULL, name, parameters, arguments)
ALLOCATE(malloc, (size_t size), (size))
ALLOCATE(calloc, (size_t n, size_t size), (n, size))
ALLOCATE(realloc, (void *old, size_t size), (old, size))
ALLOCATE(reallocarray, (void *old, size_t n, size_t size), (old, n, size))
CALL(ALLOCATES, char *, NULL, strdup, (const char *text), (text))
CALL(ALLOCATES, char *, NULL, strndup, (const char *text, size_t n), (text, n))

/* The descriptor is closed whatever close returns. */
int fault_close(int fd);
int
fault_close(int fd)
{
	bool failed = fails("close", OTHER);
	int saved = errno, r = close(fd);

	if (!failed)
		return r;
	errno = saved;
	return -1;
}

int fault_closedir(DIR *dir);
int
fault_closedir(DIR *dir)
{
	bool failed = fails("closedir", OTHER);
	int saved = errno, r = closedir(dir);

	if (!failed)
		return r;
	errno = saved;
	return -1;
}

static int
open_with(const char *call, int dirfd, const char *path, int flags, mode_t mode)
{
	if (fails(call, OPENS | (flags & (O_CREAT | O_TRUNC) ? GROWS : 0)))
		return -1;
	return openat(dirfd, path, flags, mode);
}

/* The caller passes a mode only if the call may make a file. */
#define OPEN(name, parameters, dirfd)                                                              \
	int fault_##name parameters;                                                               \
	int fault_##name parameters                                                                \
	{                                                                                          \
		mode_t mode = 0;                                                                   \
                                                                                                   \
		if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                         \
			va_list ap;                                                                \
                                                                                                   \
			va_start(ap, flags);                                                       \
			mode = va_arg(ap, mode_t);                                                 \
			va_end(ap);                                                                \
		}                                                                                  \
		return open_with(#name, dirfd, path, flags, mode);                                 \
	}
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int fd, const char *path, int flags, ...), fd)
OPEN(openat64, (int fd, const char *path, int flags, ...), fd)

/* The names that _FORTIFY_SOURCE gives them. */
int fault___open64_2(const char *path, int flags);
int
fault___open64_2(const char *path, int flags)
{
	return open_with("open", AT_FDCWD, path, flags, 0);
}

int fault___openat64_2(int fd, const char *path, int flags);
int
fault___openat64_2(int fd, const char *path, int flags)
{
	return open_with("openat", fd, path, flags, 0);
}

static void
check_room(size_t size, size_t room)
{
	if (size > room)
		abort();
}

ssize_t fault___read_chk(int fd, void *buf, size_t size, size_t room);
ssize_t
fault___read_chk(int fd, void *buf, size_t size, size_t room)
{
	check_room(size, room);
	return fault_read(fd, buf, size);
}

ssize_t fault___pread64_chk(int fd, void *buf, size_t size, off_t at, size_t room);
ssize_t
fault___pread64_chk(int fd, void *buf, size_t size, off_t at, size_t room)
{
	check_room(size, room);
	return fault_pread(fd, buf, size, at);
}

int fault_fcntl(int fd, int what, ...);
int
fault_fcntl(int fd, int what, ...)
{
	bool lock = what == F_OFD_SETLK || what == F_OFD_SETLKW || what == F_SETLK;
	va_list ap;
	void *argument;

	va_start(ap, what);
	argument = va_arg(ap, void *);
	va_end(ap);
	/* Unlocking never fails here: only a broken kernel could refuse it. */
	if (lock && ((const struct flock *)argument)->l_type != F_UNLCK && fails("fcntl", LOCKS))
		return -1;
	return fcntl(fd, what, argument);
}
int fault_fcntl64(int fd, int what, ...) __attribute__((alias("fault_fcntl")));
