/*
 * obstacle.c: finds the file or directory that this process has no right to use, after something has failed for it.
 * Runs as: mail user.
 *
 * It looks after the failure, so that functions need not pass a file's name up with errno.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/obstacle.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

const char *const folder_files[] = {UIDLIST_NAME, LETTERED_NAME, NUMBERED_NAME, LOCK_NAME,
    SNAPSHOT_NAME, LOG_NAME, SUMMARIES_NAME, "subscriptions", "sallyport.special-use",
    "dovecot-uidvalidity", NULL};

static const char *const parts[] = {"", "cur", "new", "tmp", NULL};

struct search {
	const struct maildir *md;
	struct maildir_obstacle *found;
};

/* Describes a file or directory; path is its path from the Maildir.  Returns its type, or 0 if it is not there. */
static mode_t
describe(const struct maildir *md, const char *path, struct maildir_obstacle *file_r)
{
	const char *rest = path[1] == '/' || path[1] == '\0' ? path + 1 : path; /* INBOX is "." */
	struct stat st;

	if (fstatat(md->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	snprintf(file_r->path, sizeof(file_r->path), "%s%s%s",
	    md->known_as != NULL ? md->known_as : md->path, *rest == '.' ? "/" : "", rest);
	file_r->owner = st.st_uid;
	file_r->mode = st.st_mode & 07777;
	file_r->foreign = st.st_uid != geteuid();
	return st.st_mode & S_IFMT;
}

/* Returns whether one of the names in a folder's directory is an obstacle. */
static bool
is_one_of(const struct search *search, const char *folder, const char *const names[])
{
	char path[NAME_SIZE * 2];

	for (size_t i = 0; names[i] != NULL; i++) {
		mode_t type;
		int rights = R_OK | W_OK;

		snprintf(
		    path, sizeof(path), "%s%s%s", folder, *names[i] != '\0' ? "/" : "", names[i]);
		type = describe(search->md, path, search->found);
		if (type == S_IFDIR)
			rights |= X_OK;
		if ((type == S_IFDIR || type == S_IFREG) &&
		    faccessat(search->md->fd, path, rights, 0) < 0)
			return true;
	}
	return false;
}

static int
look_at_folder(void *ctx, const struct dirent *entry)
{
	const struct search *search = ctx;
	const char *folder = entry->d_name;

	return folder[0] == '.' &&
	       (is_one_of(search, folder, parts) || is_one_of(search, folder, folder_files));
}

/* Looks at all directories, since one that cannot be read counts as no folder elsewhere. */
bool
maildir_obstacle(struct maildir *md, struct maildir_obstacle *obstacle_r)
{
	struct search search = {md, obstacle_r};

	return is_one_of(&search, ".", parts) || is_one_of(&search, ".", folder_files) ||
	       file_each_entry(md->fd, ".", look_at_folder, &search) > 0;
}

bool
maildir_message_file(struct maildir_folder *folder, uint32_t uid, struct maildir_obstacle *file_r)
{
	struct index_message message;
	char path[NAME_SIZE * 4];

	if (message_find(folder, uid, &message) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s/%s", folder->home.path,
	    message.record.dir == ENTRY_NEW ? "new" : "cur", index_name(&message));
	return describe(folder->home.md, path, file_r) != 0;
}
