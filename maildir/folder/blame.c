/*
 * blame.c: which file stands in the way, when something has failed for lack of rights.
 * Runs as: mail user.
 *
 * It is looked for after the failure, so that no errno needs a name beside it on its way up.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder/blame.h"
#include "maildir/folder/folder.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

const char *const folder_files[] = {UIDLIST_NAME, LETTERED_NAME, NUMBERED_NAME, LOCK_NAME,
    SNAPSHOT_NAME, LOG_NAME, TEXTS_NAME, "subscriptions", "sallyport.special-use",
    "dovecot-uidvalidity", NULL};

static const char *const parts[] = {"", "cur", "new", "tmp", NULL};

/* below: "." and what stands in it, or ".Folder" and that.  false: it is not there. */
static bool
blame_file(
    const struct maildir *md, const char *below, struct maildir_blame *blame_r, mode_t *kind_r)
{
	const char *rest = below[1] == '/' || below[1] == '\0' ? below + 1 : below;
	struct stat st;

	if (fstatat(md->fd, below, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	snprintf(blame_r->path, sizeof(blame_r->path), "%s%s%s", md->path, *rest == '.' ? "/" : "",
	    rest);
	blame_r->owner = st.st_uid;
	blame_r->mode = st.st_mode & 07777;
	blame_r->foreign = st.st_uid != geteuid();
	*kind_r = st.st_mode & S_IFMT;
	return true;
}

static bool
blame_any(const struct maildir *md, const char *folder, const char *const names[],
    struct maildir_blame *blame_r)
{
	char below[NAME_SIZE * 2];
	mode_t kind;

	for (size_t i = 0; names[i] != NULL; i++) {
		snprintf(
		    below, sizeof(below), "%s%s%s", folder, *names[i] != '\0' ? "/" : "", names[i]);
		if (!blame_file(md, below, blame_r, &kind))
			continue;
		if (kind == S_IFDIR && faccessat(md->fd, below, R_OK | W_OK | X_OK, 0) < 0)
			return true;
		if (kind == S_IFREG && faccessat(md->fd, below, R_OK | W_OK, 0) < 0)
			return true;
	}
	return false;
}

/* By what lies there and not by what can be opened: a folder whose cur/ cannot be reached is none to others. */
bool
maildir_blame(struct maildir *md, struct maildir_blame *blame_r)
{
	const struct dirent *entry;
	bool found;
	DIR *dir;

	if (blame_any(md, ".", parts, blame_r) || blame_any(md, ".", folder_files, blame_r))
		return true;
	dir = file_read_dir(md->fd, ".", NULL);
	if (dir == NULL)
		return false;
	for (found = false; !found && (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] == '.' && entry->d_name[strspn(entry->d_name, ".")] != '\0')
			found = blame_any(md, entry->d_name, parts, blame_r) ||
				blame_any(md, entry->d_name, folder_files, blame_r);
	}
	(void)closedir(dir);
	return found;
}

bool
maildir_blame_message(struct maildir_folder *folder, uint32_t uid, struct maildir_blame *blame_r)
{
	struct index_message message;
	char below[NAME_SIZE * 4];
	mode_t kind;

	if (message_find(folder, uid, &message) < 0)
		return false;
	snprintf(below, sizeof(below), "%s/%s/%s", folder->home.path,
	    message.record.dir == ENTRY_NEW ? "new" : "cur", index_name(&message));
	return blame_file(folder->home.md, below, blame_r, &kind);
}
