/*
 * folders.c: lists, finds and makes the folders of a Maildir++.
 * Runs as: mail user.
 *
 * All folders lie side by side in the Maildir, as directories ".Sub.Folder"; the Maildir itself is INBOX.  A folder has
 * one name (foldername.h), and the directory that is spelled as that name is its own.  Other programs spell directories
 * otherwise (".Inbox.Sub", ".e\xcc\x81").  Such a directory is the folder of the name that it means, unless another
 * directory is.  If several directories mean one name, the folder's own comes first, then the lowest in byte order.
 * The others are hidden, and a notice says so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/base/file.h"
#include "maildir/base/name.h"
#include "maildir/base/root.h"
#include "maildir/folder/folders.h"
#include "maildir/maildir.h"

#define INBOX "INBOX"

/* Notices of hidden directories in a session; more would only bury the log. */
#define HIDDEN_NOTICES 3

const char *const folder_parts[FOLDER_PARTS] = {"tmp", "new", "cur"};

/* --- names and directories --- */

int
place_of(const char *text, struct place *place_r)
{
	char *path = place_r->path;

	if (foldername_guess(text, place_r->name) != FOLDERNAME_OK) {
		errno = EINVAL;
		return -1;
	}
	if (strcmp(place_r->name, INBOX) == 0) {
		memcpy(path, ".", 2);
		return 0;
	}
	path[0] = '.';
	memcpy(path + 1, place_r->name, strlen(place_r->name) + 1);
	for (; (path = strchr(path, '/')) != NULL;)
		*path = '.';
	return 0;
}

/* Returns whether a directory is a folder: it has cur, new or tmp, or the file maildirfolder.  A .cache has none. */
static bool
is_folder(int fd, const char *path)
{
	char part[NAME_SIZE + 16];
	struct stat st;

	if (fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return false;
	for (size_t i = 0; i < FOLDER_PARTS; i++) {
		snprintf(part, sizeof(part), "%s/%s", path, folder_parts[i]);
		if (fstatat(fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	snprintf(part, sizeof(part), "%s/maildirfolder", path);
	return fstatat(fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Opens a directory that is a folder.  ENOENT: it is no folder. */
static int
place_open(int dirfd, const char *path)
{
	int fd = file_open_dir(dirfd, path);

	if (fd < 0) {
		errno = errno == ENOTDIR || errno == ELOOP ? ENOENT : errno;
		return -1;
	}
	if (is_folder(fd, "."))
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

static int
compare_name(const void *key, const void *member)
{
	return strcmp(key, ((const struct folder_entry *)member)->name);
}

/* Opens a folder whose directory is spelled otherwise than its name, by the list of such folders that was read last. */
static int
alias_open(struct maildir *md, struct place *place)
{
	const struct folder_list *aliases = md->aliases;
	const struct folder_entry *alias =
	    aliases->count == 0 ? NULL
				: bsearch(place->name, aliases->entry, aliases->count,
				      sizeof(aliases->entry[0]), compare_name);
	int fd;

	errno = ENOENT;
	fd = alias != NULL ? place_open(md->fd, alias->path) : -1;
	if (fd >= 0)
		memcpy(place->path, alias->path, strlen(alias->path) + 1);
	return fd;
}

int
place_find(struct maildir *md, const char *text, struct place *place_r)
{
	struct folder_list list;
	int fd;

	if (place_of(text, place_r) < 0)
		return -1;
	fd = place_open(md->fd, place_r->path);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = alias_open(md, place_r);
	if (fd >= 0 || errno != ENOENT || folder_list_read(md, &list) < 0)
		return fd;
	folder_list_clear(&list);
	return alias_open(md, place_r);
}

/* --- the list --- */

void
folder_list_clear(struct folder_list *list)
{
	int saved = errno;

	for (size_t i = 0; i < list->count; i++)
		free(list->entry[i].name);
	free(list->entry);
	memset(list, 0, sizeof(*list));
	errno = saved;
}

/* The name and the path are one piece of memory, which begins with the name. */
static int
list_add(struct folder_list *list, const char *name, const char *path, bool own)
{
	size_t name_size = strlen(name) + 1, path_size = strlen(path) + 1;
	struct folder_entry *entry;
	char *both;

	entry = array_grow(list->entry, list->count, &list->room, sizeof(*entry));
	if (entry == NULL)
		return -1;
	list->entry = entry;
	both = malloc(name_size + path_size);
	if (both == NULL)
		return -1;
	memcpy(both, name, name_size);
	memcpy(both + name_size, path, path_size);
	list->entry[list->count++] =
	    (struct folder_entry){.name = both, .path = both + name_size, .own = own};
	return 0;
}

static void
notice_hidden(struct maildir *md, const char *path, const char *name)
{
	if (md->hidden_told >= HIDDEN_NOTICES)
		return;
	md->hidden_told++;
	if (name == NULL)
		root_notice(md, "%s: no folder can have that name: its mail is not shown", path);
	else
		root_notice(md,
		    "%s: another directory has the name %s: the mail of this one is not shown",
		    path, name);
}

struct list_read {
	struct maildir *md;
	struct folder_list *list;
};

/* Adds a directory of the Maildir, if it is a folder. */
static int
list_add_entry(void *ctx, const struct dirent *entry)
{
	const struct list_read *read = ctx;
	const char *path = entry->d_name;
	char name[NAME_SIZE];
	struct place own;

	if (path[0] != '.' || !is_folder(read->md->fd, path))
		return 0;
	if (!foldername_of_entry(path, name)) {
		notice_hidden(read->md, path, NULL);
		return 0;
	}
	if (place_of(name, &own) < 0)
		return -1;
	return list_add(read->list, name, path, strcmp(own.path, path) == 0);
}

/* Sorts by name, INBOX first; directories of one name so that the folder comes first. */
static int
compare_entries(const void *a, const void *b)
{
	const struct folder_entry *x = a, *y = b;
	bool x_inbox = strcmp(x->name, INBOX) == 0, y_inbox = strcmp(y->name, INBOX) == 0;
	int r = strcmp(x->name, y->name);

	if (x_inbox != y_inbox)
		return x_inbox ? -1 : 1;
	if (r != 0)
		return r;
	if (x->own != y->own)
		return x->own ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* Keeps the folders that are spelled otherwise, for alias_open. */
static int
aliases_keep(struct maildir *md, const struct folder_list *list)
{
	int r = 0;

	folder_list_clear(md->aliases);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		const struct folder_entry *entry = &list->entry[i];

		if (!entry->own && !entry->hidden)
			r = list_add(md->aliases, entry->name, entry->path, false);
	}
	return r;
}

int
folder_list_read(struct maildir *md, struct folder_list *list_r)
{
	struct list_read read = {md, list_r};

	memset(list_r, 0, sizeof(*list_r));
	if (list_add(list_r, INBOX, ".", true) < 0 ||
	    file_each_entry(md->fd, ".", list_add_entry, &read) < 0) {
		folder_list_clear(list_r);
		return -1;
	}
	qsort(list_r->entry, list_r->count, sizeof(list_r->entry[0]), compare_entries);
	for (size_t i = 1; i < list_r->count; i++) {
		struct folder_entry *entry = &list_r->entry[i];

		entry->hidden = strcmp(entry->name, list_r->entry[i - 1].name) == 0;
		if (entry->hidden)
			notice_hidden(md, entry->path, entry->name);
	}
	if (aliases_keep(md, list_r) == 0)
		return 0;
	folder_list_clear(list_r);
	return -1;
}

int
maildir_folders(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx)
{
	struct folder_list list;

	if (folder_list_read(md, &list) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		if (!list.entry[i].hidden && !each(ctx, list.entry[i].name))
			break;
	}
	folder_list_clear(&list);
	return 0;
}

/* --- a new folder --- */

int
folder_make_parts(int fd)
{
	int made = 0;

	for (size_t i = 0; i < FOLDER_PARTS; i++) {
		if (mkdirat(fd, folder_parts[i], 0700) == 0)
			made++;
		else if (errno != EEXIST)
			return -1;
	}
	return made;
}

/* Makes the files and directories of a new folder. */
static int
folder_fill(int fd)
{
	int mark = openat(fd, "maildirfolder",
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (mark < 0 || close(mark) < 0 || folder_make_parts(fd) < 0)
		return -1;
	return fsync(fd);
}

/* Removes a folder that could not be made whole, unless mail has come into it.  errno stays as it was. */
static void
folder_unfill(struct maildir *md, const char *path, int fd)
{
	int saved = errno;

	if ((unlinkat(fd, "cur", AT_REMOVEDIR) == 0 || errno == ENOENT) &&
	    (unlinkat(fd, "new", AT_REMOVEDIR) == 0 || errno == ENOENT)) {
		(void)unlinkat(fd, "tmp", AT_REMOVEDIR);
		(void)unlinkat(fd, "maildirfolder", 0);
		(void)unlinkat(md->fd, path, AT_REMOVEDIR);
	}
	errno = saved;
}

int
maildir_folder_create(struct maildir *md, const char *name)
{
	struct place place;
	int fd = place_find(md, name, &place), r;
	bool made;

	if (fd >= 0) {
		close(fd);
		errno = EEXIST;
		return -1;
	}
	if (errno != ENOENT)
		return -1;
	made = mkdirat(md->fd, place.path, 0700) == 0;
	if (!made && errno != EEXIST)
		return -1;
	fd = file_open_dir(md->fd, place.path);
	if (fd < 0) {
		/* A file or a link has that name. */
		errno = errno == ENOTDIR || errno == ELOOP ? EEXIST : errno;
		return -1;
	}
	r = folder_fill(fd);
	if (r == 0)
		r = fsync(md->fd);
	if (r < 0 && made)
		folder_unfill(md, place.path, fd);
	close_keeping_errno(fd);
	return r;
}
