/*
 * check_tree.c: looks at what is not of one folder: the Maildir itself, its folders' names, files about
 * all of them.  Changes nothing.
 * Runs as: mail user.
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

#include "maildir/base/lock.h"
#include "maildir/check/check.h"
#include "maildir/check/check_internal.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"

#define VALIDITY_PREFIX "dovecot-uidvalidity."
#define DELETED_PREFIX	"sallyport.deleted."

static const char *const parts[] = {"cur", "new", "tmp"};

enum {
	PARTS = sizeof(parts) / sizeof(parts[0]),
	DEPTH = 4, /* of directories that are looked into; a tree of folders is hardly deeper */
};

struct tree_look {
	struct maildir *md;
	const struct maildir_check *check;
	uint64_t validities;
};

static void
tell(const struct tree_look *look, enum maildir_odd odd, const char *folder, const char *name,
    const char *detail)
{
	const struct maildir_finding finding = {
	    .odd = odd, .folder = folder, .name = name, .detail = detail};

	look->check->tell(look->check->ctx, &finding);
}

static bool
is_part(const char *name)
{
	for (int i = 0; i < PARTS; i++) {
		if (strcmp(name, parts[i]) == 0)
			return true;
	}
	return false;
}

/* How many of cur, new and tmp a directory has. */
static int
count_parts(int dirfd, const char *directory, int flags)
{
	char path[PATH_MAX + 8];
	struct stat st;
	int count = 0;

	for (int i = 0; i < PARTS; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, parts[i]);
		count += fstatat(dirfd, path, &st, flags) == 0 && S_ISDIR(st.st_mode);
	}
	return count;
}

static bool
has_parts(int fd)
{
	errno = ENOENT;
	return count_parts(fd, ".", AT_SYMLINK_NOFOLLOW) > 0;
}

int
maildir_check_open(const char *path, const char *host, struct maildir **md_r)
{
	return maildir_open_if(path, host, has_parts, md_r);
}

/* Directories inside of others, which only other layouts than Maildir++ have. */
static void
look_below(const struct tree_look *look, const char *path, int depth)
{
	DIR *dir = file_read_dir(look->md->fd, path, NULL);
	const struct dirent *entry;
	char below[PATH_MAX];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
		    is_part(entry->d_name) || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    (size_t)snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >=
			sizeof(below))
			continue;
		if (count_parts(look->md->fd, below, AT_SYMLINK_NOFOLLOW) > 0)
			tell(look, ODD_NO_FOLDER, NULL, below, "it lies in another directory");
		else if (depth > 1)
			look_below(look, below, depth - 1);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* Folders are looked at by themselves; what else has messages is odd. */
static void
look_at_directory(const struct tree_look *look, const char *entry)
{
	char name[NAME_SIZE];

	if (is_part(entry))
		return;
	if (strncmp(entry, DELETED_PREFIX, strlen(DELETED_PREFIX)) == 0) {
		tell(look, ODD_DELETED, NULL, entry, NULL);
		return;
	}
	if (!foldername_of_entry(entry, name) &&
	    count_parts(look->md->fd, entry, AT_SYMLINK_NOFOLLOW) > 0)
		tell(look, ODD_NO_FOLDER, NULL, entry,
		    entry[0] == '.' ? "its name" : "its name does not begin with a dot");
	look_below(look, entry, DEPTH);
}

static int
look_at_entry(void *ctx, const struct dirent *dirent)
{
	struct tree_look *look = ctx;
	const char *entry = dirent->d_name;
	struct stat st;

	if (fstatat(look->md->fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		look_at_directory(look, entry);
	else if (S_ISLNK(st.st_mode) && entry[0] == '.')
		tell(look, ODD_LINK, NULL, entry, NULL);
	else if (strncmp(entry, VALIDITY_PREFIX, strlen(VALIDITY_PREFIX)) == 0)
		look->validities++;
	else if (strcmp(entry, "maildirsize") == 0)
		tell(look, ODD_QUOTA, NULL, entry, NULL);
	return 0;
}

/* Directories that mean the name of another. */
static int
look_at_hidden(const struct tree_look *look)
{
	struct folder_list list;

	if (folder_list_read(look->md, &list) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		if (list.entry[i].hidden)
			tell(look, ODD_HIDDEN, NULL, list.entry[i].path, list.entry[i].name);
	}
	folder_list_clear(&list);
	return 0;
}

static bool
look_at_subscription(void *ctx, const char *name)
{
	const struct tree_look *look = ctx;

	if (!maildir_folder_exists(look->md, name))
		tell(look, ODD_SUBSCRIPTION, NULL, name, NULL);
	return true;
}

int
maildir_check_tree(struct maildir *md, const struct maildir_check *check)
{
	static const char *const temporary[] = {"sallyport.subscriptions", "sallyport.subs-stale",
	    "sallyport.subs-lock", "sallyport.special-use.tmp", "sallyport.uidvalidity", NULL};
	struct tree_look look = {.md = md, .check = check};
	struct stat st;

	if (file_each_entry(md->fd, ".", look_at_entry, &look) < 0 || look_at_hidden(&look) < 0)
		return -1;
	if (look.validities > 1) {
		const struct maildir_finding finding = {.odd = ODD_VALIDITY_NAMES,
		    .name = VALIDITY_PREFIX "*",
		    .number = look.validities};

		check->tell(check->ctx, &finding);
	}
	check_left(
	    check, md, &(struct check_place){md->fd, NULL, SUBSCRIPTIONS_LOCK_NAME, temporary});
	/* Where there is none, to ask for it would take over Courier's. */
	if (fstatat(md->fd, "subscriptions", &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)!maildir_subscriptions(md, look_at_subscription, &look);
	return 0;
}
