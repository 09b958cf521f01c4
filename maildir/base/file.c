/*
 * file.c: files of ours and Dovecot's that lie beside the messages.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/fnv.h"
#include "maildir/folder/internal.h"

/* How many odd things of one name are kept; the next stays where it is. */
#define ODD_MAX 10

static void
close_quietly(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

int
file_open(int dirfd, const char *name, int flags, struct stat *st_r)
{
	int fd = openat(
	    dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0600);

	if (fd < 0) {
		/* A directory, a symbolic link, a socket, a device without driver. */
		if (errno == EISDIR || errno == ELOOP || errno == ENXIO || errno == ENODEV)
			errno = EINVAL;
		return -1;
	}
	if (fstat(fd, st_r) == 0) {
		/* None: it was replaced at this moment. */
		if (S_ISREG(st_r->st_mode) && st_r->st_nlink <= 1)
			return fd;
		errno = EINVAL;
	}
	close_quietly(fd);
	return -1;
}

/* --- what is in the way --- */

/* The folder's name for notices. */
static const char *
folder_of(const struct maildir *md, int dirfd)
{
	for (const struct maildir_folder *folder = md->folders; folder != NULL;
	     folder = folder->next)
		if (folder->fd == dirfd)
			return folder->name;
	return "INBOX";
}

/* What holds nothing, a link or a FIFO, and may not be renamed: Landlock lets the server make no such thing. */
static int
remove_empty(struct maildir *md, int dirfd, const char *from, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		errno = EACCES;
		return -1;
	}
	if (unlinkat(dirfd, from, 0) < 0)
		return -1;
	maildir_notice(md, "%s: %s is no file, and was removed", folder_of(md, dirfd), name);
	return 0;
}

/* md NULL: without a notice. */
static int
move_aside(struct maildir *md, int dirfd, const char *from, const char *name)
{
	char aside[NAME_SIZE];

	for (int i = 0; i < ODD_MAX; i++) {
		snprintf(aside, sizeof(aside), i == 0 ? "%s.odd" : "%s.odd%d", name, i);
		if (maildir_move(dirfd, from, dirfd, aside) == 0) {
			if (md != NULL)
				maildir_notice(md, "%s: %s cannot be used, and is %s now",
				    folder_of(md, dirfd), name, aside);
			return 0;
		}
		if (errno != EEXIST)
			return errno == EACCES && md != NULL ? remove_empty(md, dirfd, from, name)
							     : -1;
	}
	errno = EPERM;
	return -1;
}

int
file_set_aside(struct maildir *md, int dirfd, const char *name)
{
	return move_aside(md, dirfd, name, name);
}

bool
file_dir_is_ours(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) == 0 && st.st_uid == geteuid();
}

/* --- making and replacing --- */

void
file_clear(int dirfd, const char *tmp)
{
	if (unlinkat(dirfd, tmp, 0) < 0 && (errno == EISDIR || errno == EPERM) &&
	    unlinkat(dirfd, tmp, AT_REMOVEDIR) < 0 && errno == ENOTEMPTY)
		(void)move_aside(NULL, dirfd, tmp, tmp);
}

int
file_make(int dirfd, const char *tmp)
{
	file_clear(dirfd, tmp);
	return openat(dirfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static void
remove_quietly(int dirfd, const char *tmp)
{
	int saved = errno;

	(void)unlinkat(dirfd, tmp, 0);
	errno = saved;
}

/* Who shared the old file by mode or group shares the new one; if we may not, so be it. */
static void
share_like(int fd, int dirfd, const char *like)
{
	struct stat st;

	if (fstatat(dirfd, like, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_nlink > 1)
		return;
	if (st.st_gid != getegid())
		(void)!fchown(fd, (uid_t)-1, st.st_gid);
	if ((st.st_mode & 0666) != 0600 && (st.st_mode & S_IRUSR) != 0)
		(void)!fchmod(fd, st.st_mode & 0666);
}

int
file_write(int dirfd, const char *tmp, const struct mdtext *text, const char *like)
{
	int fd, r;

	if (text->failed) {
		errno = ENOMEM;
		return -1;
	}
	fd = file_make(dirfd, tmp);
	if (fd < 0)
		return -1;
	if (like != NULL)
		share_like(fd, dirfd, like);
	r = maildir_write_all(fd, text->data, text->len);
	if (r == 0)
		r = fsync(fd);
	if (close(fd) < 0)
		r = -1;
	if (r < 0)
		remove_quietly(dirfd, tmp);
	return r;
}

/* The name always has a file, where the file system can exchange two. */
static int
place_and_keep(struct maildir *md, int dirfd, const char *tmp, const char *name)
{
	if (renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE) == 0) {
		if (move_aside(md, dirfd, tmp, name) == 0)
			return 0;
		(void)!renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE);
		return -1;
	}
	if (errno != EINVAL && errno != ENOSYS && errno != ENOENT)
		return -1;
	if (file_set_aside(md, dirfd, name) < 0 && errno != ENOENT)
		return -1;
	return renameat(dirfd, tmp, dirfd, name);
}

int
file_place(struct maildir *md, int dirfd, const char *tmp, const char *name, bool keep)
{
	int r = keep ? -1 : renameat(dirfd, tmp, dirfd, name);

	if (r < 0 && (keep || errno == EISDIR))
		r = place_and_keep(md, dirfd, tmp, name);
	if (r < 0)
		remove_quietly(dirfd, tmp);
	return r;
}

void
file_notice(struct maildir *md, int dirfd, const char *name, int error)
{
	const char *folder = folder_of(md, dirfd);
	uint64_t sum = fnv64(fnv64(FNV_START, folder, strlen(folder) + 1), name, strlen(name));
	struct stat st;
	char rights[48];
	int saved = errno;

	for (size_t i = 0; i < NOTICED_MAX; i++) {
		if (md->noticed[i] == sum)
			return;
		if (md->noticed[i] != 0)
			continue;
		md->noticed[i] = sum;
		rights[0] = '\0';
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			snprintf(rights, sizeof(rights), " (mode %04o, uid %ld)",
			    (unsigned)st.st_mode & 07777, (long)st.st_uid);
		maildir_notice(md, "%s: %s cannot be used: %s%s", folder, name,
		    error == EINVAL ? "it is no file of this folder alone" : strerror(error),
		    rights);
		break;
	}
	errno = saved;
}
