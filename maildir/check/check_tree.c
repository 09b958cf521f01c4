/*
 * check_tree.c: looks at what is not of one folder: all directories and links of the Maildir, the names of its
 * folders, and the files about all of them.  Changes nothing.
 * Runs as: mail user.
 *
 * Folders lie side by side in a Maildir.  Other servers can be told to lay them into each other, as directories of a
 * file system (Archive/2025/cur), and users make symbolic links.  The mail in those is not shown.  So one walk goes
 * through the whole tree, but not into cur/, new/ and tmp/, and never through a link.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/check/check.h"
#include "maildir/check/check_internal.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"

#define VALIDITY_PREFIX "dovecot-uidvalidity."
#define DELETED_PREFIX	"sallyport.deleted."

enum {
	/* No folder's name has more parts: each takes an octet and a dot.  Each level holds a descriptor open. */
	WALK_DEPTH = FOLDERNAME_SIZE / 2,
	/* The kernel takes no longer path, with "/cur" after it. */
	WALK_PATH = PATH_MAX - 4,
};

struct walk {
	struct maildir *md;
	const struct maildir_check *check;
	uint64_t validities;
	int depth;	      /* 0: in the Maildir itself */
	char path[WALK_PATH]; /* of the present entry, from the Maildir */
	size_t len;
};

/*
 * Gives a directory that clients would see as a folder, with a name like the path's: ".Archive.2025" for
 * "Archive/2025".  false: no folder can have that name, or something has it already.
 */
static bool
propose_directory(const struct walk *walk, char directory_r[FOLDERNAME_SIZE])
{
	char name[FOLDERNAME_SIZE];
	struct stat st;
	size_t len = 0;

	for (const char *part = walk->path; *part != '\0';) {
		size_t n;

		part += strspn(part, "/.");
		n = strcspn(part, "/");
		if (len + 1 + n >= FOLDERNAME_SIZE)
			return false;
		directory_r[len++] = '.';
		memcpy(directory_r + len, part, n);
		len += n;
		part += n;
	}
	directory_r[len] = '\0';
	if (!foldername_of_entry(directory_r, name) || strcmp(name, "INBOX") == 0)
		return false;
	return strcmp(directory_r, walk->path) == 0 ||
	       (fstatat(walk->md->fd, directory_r, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		   errno == ENOENT);
}

static void
tell(const struct walk *walk, enum maildir_odd odd, const char *name, const char *detail)
{
	char directory[FOLDERNAME_SIZE];
	struct maildir_finding finding = {.odd = odd, .name = name, .detail = detail};

	if ((odd == ODD_NO_FOLDER || odd == ODD_LINK) && propose_directory(walk, directory))
		finding.directory = directory;
	walk->check->tell(walk->check->ctx, &finding);
}

static bool
is_part(const char *name)
{
	for (int i = 0; i < FOLDER_PARTS; i++) {
		if (strcmp(name, folder_parts[i]) == 0)
			return true;
	}
	return false;
}

/* Whether a path has cur, new or tmp below it.  errno is ENOENT if it has none. */
static bool
has_parts(int dirfd, const char *path)
{
	char part[PATH_MAX];
	struct stat st;

	for (int i = 0; i < FOLDER_PARTS; i++) {
		snprintf(part, sizeof(part), "%s/%s", path, folder_parts[i]);
		if (fstatat(dirfd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	errno = ENOENT;
	return false;
}

static bool
is_like_maildir(int fd)
{
	return has_parts(fd, ".");
}

int
maildir_check_open(const char *path, const char *host, struct maildir **md_r)
{
	return maildir_open_if(path, host, is_like_maildir, md_r);
}

/* --- the walk --- */

static int walk_entry(void *ctx, const struct dirent *entry);

/*
 * Directories inside come before the directory itself, so that the commands that move them can be typed in the order in
 * which they are printed.  Folders are looked at by themselves.
 */
static void
look_at_directory(struct walk *walk)
{
	const char *path = walk->path;
	char name[FOLDERNAME_SIZE];
	int r = 1;

	if (walk->depth == 0 && strncmp(path, DELETED_PREFIX, strlen(DELETED_PREFIX)) == 0) {
		tell(walk, ODD_DELETED, path, NULL);
		return;
	}
	/* Root's, where the Maildir is a file system of its own. */
	if (walk->depth == 0 && strcmp(path, "lost+found") == 0)
		return;
	if (walk->depth++ < WALK_DEPTH)
		r = file_each_entry(walk->md->fd, path, walk_entry, walk);
	walk->depth--;
	if (r > 0)
		tell(walk, ODD_CLOSED, path, "it lies too deep");
	else if (r < 0 && errno != ENOENT)
		tell(walk, ODD_CLOSED, path, strerror(errno));
	if ((walk->depth == 0 && foldername_of_entry(path, name)) || !has_parts(walk->md->fd, path))
		return;
	if (walk->depth > 0)
		tell(walk, ODD_NO_FOLDER, path, "it lies in another directory");
	else
		tell(walk, ODD_NO_FOLDER, path,
		    path[0] == '.' ? "its name" : "its name does not begin with a dot");
}

/* A link may be meant as a folder if it has a folder's name, or leads to a directory with cur. */
static bool
look_at_link(const struct walk *walk)
{
	char cur[PATH_MAX], target[PATH_MAX];
	struct stat st;
	ssize_t n;

	snprintf(cur, sizeof(cur), "%s/cur", walk->path);
	if ((walk->depth > 0 || walk->path[0] != '.') &&
	    (fstatat(walk->md->fd, cur, &st, 0) < 0 || !S_ISDIR(st.st_mode)))
		return false;
	n = readlinkat(walk->md->fd, walk->path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	tell(walk, ODD_LINK, walk->path, target);
	return true;
}

static void
look_at_entry(struct walk *walk, unsigned char type)
{
	struct stat st;

	if (type == DT_UNKNOWN && fstatat(walk->md->fd, walk->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		type = IFTODT(st.st_mode);
	if (type == DT_DIR)
		look_at_directory(walk);
	else if ((type == DT_LNK && look_at_link(walk)) || walk->depth > 0)
		return;
	else if (strncmp(walk->path, VALIDITY_PREFIX, strlen(VALIDITY_PREFIX)) == 0)
		walk->validities++;
	else if (strcmp(walk->path, "maildirsize") == 0)
		tell(walk, ODD_QUOTA, walk->path, NULL);
}

/* 1: the path is too long. */
static int
walk_entry(void *ctx, const struct dirent *entry)
{
	struct walk *walk = ctx;
	size_t len = walk->len, room = sizeof(walk->path) - len, n;

	if (is_part(entry->d_name))
		return 0;
	n = (size_t)snprintf(
	    walk->path + len, room, "%s%s", walk->depth > 0 ? "/" : "", entry->d_name);
	if (n < room) {
		walk->len += n;
		look_at_entry(walk, entry->d_type);
		walk->len = len;
	}
	walk->path[len] = '\0';
	return n < room ? 0 : 1;
}

/* --- the whole --- */

/* Directories that mean the name of another. */
static int
look_at_hidden(const struct walk *walk)
{
	struct folder_list list;

	if (folder_list_read(walk->md, &list) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		if (list.entry[i].hidden)
			tell(walk, ODD_HIDDEN, list.entry[i].path, list.entry[i].name);
	}
	folder_list_clear(&list);
	return 0;
}

static bool
look_at_subscription(void *ctx, const char *name)
{
	const struct walk *walk = ctx;

	if (!maildir_folder_exists(walk->md, name))
		tell(walk, ODD_SUBSCRIPTION, name, NULL);
	return true;
}

int
maildir_check_tree(struct maildir *md, const struct maildir_check *check)
{
	static const char *const temporary[] = {"sallyport.subscriptions", "sallyport.subs-stale",
	    "sallyport.subs-lock", "sallyport.special-use.tmp", "sallyport.uidvalidity", NULL};
	struct walk walk = {.md = md, .check = check};
	struct stat st;

	if (file_each_entry(md->fd, ".", walk_entry, &walk) < 0 || look_at_hidden(&walk) < 0)
		return -1;
	if (walk.validities > 1) {
		const struct maildir_finding finding = {.odd = ODD_VALIDITY_NAMES,
		    .name = VALIDITY_PREFIX "*",
		    .number = walk.validities};

		check->tell(check->ctx, &finding);
	}
	check_left(
	    check, md, &(struct check_place){md->fd, NULL, SUBSCRIPTIONS_LOCK_NAME, temporary});
	/* If there is no file, asking for it would import Courier's. */
	if (fstatat(md->fd, "subscriptions", &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)!maildir_subscriptions(md, look_at_subscription, &walk);
	return 0;
}
