/*
 * folders.c: the folders of a Maildir++: listed, opened, made.
 * Runs as: mail user.
 *
 * All folders lie side by side in the Maildir, as directories ".Sub.Folder"; the Maildir itself is
 * INBOX.  Names come from clients: each is checked, and becomes exactly one name of a directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/index.h"
#include "maildir/internal.h"
#include "maildir/keywords.h"
#include "maildir/learn.h"
#include "maildir/lock.h"

#define INBOX "INBOX"

/* A part of a name; leaves room for what programs append to file names, and for a second part. */
#define PART_MAX 200

static bool
part_valid(const char *part, size_t len)
{
	if (len == 0 || len > PART_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)part[i];

		if (c < 0x20 || c == 0x7f || c == '.')
			return false;
	}
	return true;
}

int
folder_path(const char *name, char path_r[NAME_SIZE])
{
	size_t len = strlen(name);
	const char *p = name;

	if (strcasecmp(name, INBOX) == 0) {
		memcpy(path_r, ".", 2);
		return 0;
	}
	errno = EINVAL;
	if (len + 1 > NAME_MAX)
		return -1;
	for (;;) {
		size_t part = strcspn(p, "/");

		if (!part_valid(p, part))
			return -1;
		if (p[part] == '\0')
			break;
		p += part + 1;
	}
	path_r[0] = '.';
	for (size_t i = 0; i <= len; i++)
		path_r[i + 1] = name[i] == '/' ? '.' : name[i];
	return 0;
}

/* The name of the folder behind a directory entry, malloc'd; NULL when it cannot be one. */
static char *
folder_name(const char *entry)
{
	char path[NAME_SIZE];
	char *name;

	if (entry[0] != '.' || strlen(entry) > NAME_MAX)
		return NULL;
	name = strdup(entry + 1);
	if (name == NULL)
		return NULL;
	for (char *p = name; (p = strchr(p, '.')) != NULL;)
		*p = '/';
	if (strcasecmp(name, INBOX) == 0 || folder_path(name, path) < 0) {
		free(name);
		return NULL;
	}
	return name;
}

bool
folder_is_one(int fd, const char *path)
{
	struct stat st;
	char cur[NAME_SIZE + 4];

	snprintf(cur, sizeof(cur), "%s/cur", path);
	return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       fstatat(fd, cur, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

struct names {
	char **name;
	size_t count, room;
};

static void
names_free(struct names *names)
{
	int saved = errno;

	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	errno = saved;
}

static int
names_add(struct names *names, char *name)
{
	if (names->count == names->room) {
		size_t room = names->room == 0 ? 32 : names->room * 2;
		char **grown = reallocarray(names->name, room, sizeof(*grown));

		if (grown == NULL) {
			free(name);
			return -1;
		}
		names->name = grown;
		names->room = room;
	}
	names->name[names->count++] = name;
	return 0;
}

static int
names_read(struct maildir *md, DIR *dir, struct names *names)
{
	struct dirent *entry;

	while (errno = 0, (entry = readdir(dir)) != NULL) {
		char *name = folder_name(entry->d_name);

		if (name == NULL)
			continue;
		if (!folder_is_one(md->fd, entry->d_name))
			free(name);
		else if (names_add(names, name) < 0)
			return -1;
	}
	return errno == 0 ? 0 : -1;
}

static int
names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
maildir_folders(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx)
{
	struct names names = {0};
	DIR *dir = maildir_read_dir(md->fd, ".", NULL);
	int r;

	if (dir == NULL)
		return -1;
	r = names_read(md, dir, &names);
	(void)closedir(dir);
	if (r == 0) {
		if (names.count > 0)
			qsort(names.name, names.count, sizeof(*names.name), names_compare);
		if (each(ctx, INBOX)) {
			for (size_t i = 0; i < names.count; i++) {
				if (!each(ctx, names.name[i]))
					break;
			}
		}
	}
	names_free(&names);
	return r;
}

int
folder_open_dirs(struct maildir_folder *folder)
{
	int fresh[ENTRY_DIRS], saved;

	fresh[ENTRY_CUR] = maildir_open_dir(folder->fd, "cur");
	if (fresh[ENTRY_CUR] < 0)
		return -1;
	fresh[ENTRY_NEW] = maildir_open_dir(folder->fd, "new");
	/* Backups leave out empty directories. */
	if (fresh[ENTRY_NEW] < 0 && errno == ENOENT && mkdirat(folder->fd, "new", 0700) == 0)
		fresh[ENTRY_NEW] = maildir_open_dir(folder->fd, "new");
	if (fresh[ENTRY_NEW] < 0) {
		saved = errno;
		close(fresh[ENTRY_CUR]);
		errno = saved;
		return -1;
	}
	for (int i = 0; i < ENTRY_DIRS; i++) {
		if (folder->dir[i] >= 0)
			close(folder->dir[i]);
		folder->dir[i] = fresh[i];
	}
	return 0;
}

int
folder_dir(struct maildir_folder *folder, unsigned dir)
{
	if (folder->dir[dir] < 0 && folder_open_dirs(folder) < 0)
		return -1;
	return folder->dir[dir];
}

int
maildir_folder_open(struct maildir *md, const char *name, struct maildir_folder **folder_r)
{
	struct maildir_folder *folder = NULL;
	char path[NAME_SIZE];
	struct stat st;
	int saved;

	*folder_r = NULL;
	if (folder_path(name, path) < 0 || (folder = calloc(1, sizeof(*folder))) == NULL)
		return -1;
	folder->md = md;
	folder->dir[ENTRY_CUR] = folder->dir[ENTRY_NEW] = -1;
	folder->lock_fd = folder->session_fd = -1;
	folder->fd = maildir_open_dir(md->fd, path);
	folder->name = strdup(name);
	/* Its directories are opened when they are needed: for STATUS the index mostly does. */
	if (folder->fd < 0 || folder->name == NULL ||
	    fstatat(folder->fd, "cur", &st, AT_SYMLINK_NOFOLLOW) < 0)
		goto fail;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		goto fail;
	}
	folder->next = md->folders;
	md->folders = folder;
	*folder_r = folder;
	return 0;
fail:
	saved = errno == ENOTDIR || errno == ELOOP ? ENOENT : errno;
	maildir_folder_close(&folder);
	errno = saved;
	return -1;
}

static void
close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Who found the index damaged leaves a whole one to those that come. */
static void
folder_mend(struct maildir_folder *folder)
{
	folder->change = NULL;
	if (folder->index == NULL || !folder->index->open || index_is_good(folder->index) ||
	    mdlock_folder_try(folder) < 0)
		return;
	(void)!sync_now(folder);
	mdlock_unfolder(folder);
}

void
maildir_folder_close(struct maildir_folder **folderp)
{
	struct maildir_folder *folder = *folderp, **at;

	*folderp = NULL;
	if (folder == NULL)
		return;
	maildir_reader_close(&folder->ahead);
	(void)!maildir_change_settle(folder);
	maildir_remember(folder);
	folder_mend(folder);
	for (at = &folder->md->folders; *at != NULL; at = &(*at)->next) {
		if (*at == folder) {
			*at = folder->next;
			break;
		}
	}
	close_if_open(folder->dir[ENTRY_CUR]);
	close_if_open(folder->dir[ENTRY_NEW]);
	close_if_open(folder->lock_fd);
	close_if_open(folder->session_fd);
	close_if_open(folder->fd);
	index_close(folder);
	learning_free(&folder->learning);
	keywords_forget(folder);
	free(folder->more_change);
	mdarena_clear(&folder->more_bases);
	free(folder->name);
	free(folder);
}

static int
folder_fill(int fd)
{
	static const char *const part[] = {"tmp", "new", "cur"};
	int mark = openat(fd, "maildirfolder",
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (mark < 0 || close(mark) < 0)
		return -1;
	/* cur last: a directory without it is no folder yet, and is completed by the next try. */
	for (size_t i = 0; i < 3; i++) {
		if (mkdirat(fd, part[i], 0700) < 0 && errno != EEXIST)
			return -1;
	}
	return fsync(fd);
}

int
maildir_folder_create(struct maildir *md, const char *name)
{
	char path[NAME_SIZE];
	int fd, r, saved;

	if (folder_path(name, path) < 0)
		return -1;
	if (strcmp(path, ".") == 0 || folder_is_one(md->fd, path)) {
		errno = EEXIST;
		return -1;
	}
	if (mkdirat(md->fd, path, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = maildir_open_dir(md->fd, path);
	if (fd < 0) {
		/* A file or a link has that name. */
		errno = errno == ENOTDIR || errno == ELOOP ? EEXIST : errno;
		return -1;
	}
	r = folder_fill(fd);
	if (r == 0)
		r = fsync(md->fd);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}
