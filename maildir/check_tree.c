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

#include "maildir/check.h"
#include "maildir/check_internal.h"
#include "maildir/internal.h"
#include "maildir/lock.h"
#include "maildir/tree.h"

#define VALIDITY_PREFIX "dovecot-uidvalidity."
#define DELETED_PREFIX	"sallyport.deleted."

static const char *const parts[] = {"cur", "new", "tmp"};

enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

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

/* How many of cur, new and tmp a directory has. */
static int
count_parts(int dirfd, const char *directory, int flags)
{
	char path[NAME_SIZE + 8];
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

/* The folder's name as clients see it; false: it can be none. */
static bool
name_of(const char *entry, char name_r[NAME_SIZE])
{
	char path[NAME_SIZE];

	snprintf(name_r, NAME_SIZE, "%s", entry + 1);
	for (char *p = name_r; (p = strchr(p, '.')) != NULL;)
		*p = '/';
	return strcasecmp(name_r, "INBOX") != 0 && folder_path(name_r, path) == 0;
}

/* A directory of a good name that lacks cur/, and was a folder: it has something of one. */
static void
look_at_half(const struct tree_look *look, const char *entry, const char *name)
{
	char mark[NAME_SIZE + 16];
	struct stat st;

	snprintf(mark, sizeof(mark), "%s/cur", entry);
	if (fstatat(look->md->fd, mark, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	snprintf(mark, sizeof(mark), "%s/maildirfolder", entry);
	if (count_parts(look->md->fd, entry, AT_SYMLINK_NOFOLLOW) > 0 ||
	    fstatat(look->md->fd, mark, &st, AT_SYMLINK_NOFOLLOW) == 0)
		tell(look, ODD_MISSING, name, "cur", NULL);
}

static void
look_at_directory(const struct tree_look *look, const char *entry)
{
	char name[NAME_SIZE];

	if (entry[0] == '.' && name_of(entry, name)) {
		look_at_half(look, entry, name);
		return;
	}
	if (strncmp(entry, DELETED_PREFIX, strlen(DELETED_PREFIX)) == 0)
		tell(look, ODD_DELETED, NULL, entry, NULL);
	else if (count_parts(look->md->fd, entry, AT_SYMLINK_NOFOLLOW) == PARTS)
		tell(look, ODD_NO_FOLDER, NULL, entry,
		    entry[0] == '.' ? "its name" : "its name does not begin with a dot");
}

static void
look_at_entry(struct tree_look *look, const char *entry)
{
	struct stat st;

	if (strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0 ||
	    fstatat(look->md->fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		look_at_directory(look, entry);
	else if (S_ISLNK(st.st_mode) && entry[0] == '.')
		tell(look, ODD_NO_FOLDER, NULL, entry, check_kind(st.st_mode));
	else if (strncmp(entry, VALIDITY_PREFIX, strlen(VALIDITY_PREFIX)) == 0)
		look->validities++;
	else if (strcmp(entry, "maildirsize") == 0)
		tell(look, ODD_QUOTA, NULL, entry, NULL);
}

static int
look_at_entries(struct tree_look *look)
{
	DIR *dir = maildir_read_dir(look->md->fd, ".", NULL);
	const struct dirent *entry;

	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL)
		look_at_entry(look, entry->d_name);
	(void)closedir(dir);
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
	    "sallyport.subs-lock", "sallyport.special-use.tmp", "sallyport.uidvalidity"};
	struct tree_look look = {.md = md, .check = check};
	struct stat st;

	if (look_at_entries(&look) < 0)
		return -1;
	if (look.validities > 1) {
		const struct maildir_finding finding = {.odd = ODD_VALIDITY_NAMES,
		    .name = VALIDITY_PREFIX "*",
		    .number = look.validities};

		check->tell(check->ctx, &finding);
	}
	if (check_lock_is_left(md, md->fd, SUBSCRIPTIONS_LOCK_NAME, check->now))
		tell(&look, ODD_LOCK, NULL, SUBSCRIPTIONS_LOCK_NAME, NULL);
	for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++)
		if (check_is_left(md->fd, temporary[i], check->now))
			tell(&look, ODD_TEMPORARY, NULL, temporary[i], NULL);
	/* Where there is none, to ask for it would take over Courier's. */
	if (fstatat(md->fd, "subscriptions", &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)!maildir_subscriptions(md, look_at_subscription, &look);
	return 0;
}
