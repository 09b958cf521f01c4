/*
 * open.c: opens and closes a folder and its directories.
 * Runs as: mail user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder/findings.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/folders.h"
#include "maildir/folder/sync.h"
#include "maildir/folder/texts.h"
#include "maildir/folder/watch.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/* Returns whether the path still names this directory.  Another process may have renamed or deleted the folder. */
static bool
is_in_place(const struct maildir_folder *folder)
{
	struct stat ours, named;

	return fstat(folder->home.fd, &ours) == 0 &&
	       fstatat(folder->home.md->fd, folder->home.path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* A part may be missing: some backups, git and rsync leave out empty directories. */
int
folder_open_part(struct maildir_folder *folder, const char *part)
{
	int fd = file_open_dir(folder->home.fd, part);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (!is_in_place(folder)) {
		errno = ENOENT;
		return -1;
	}
	if (mkdirat(folder->home.fd, part, 0700) < 0 && errno != EEXIST)
		return -1;
	return file_open_dir(folder->home.fd, part);
}

/* After an error: whether the part is missing and cannot be made, so that it is empty.  errno stays as it was. */
static bool
is_absent(const struct maildir_folder *folder, const char *part)
{
	int error = errno;
	struct stat st;
	bool absent = error_forbids_writing(error) &&
		      fstatat(folder->home.fd, part, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		      errno == ENOENT;

	errno = error;
	return absent;
}

int
folder_open_dirs(struct maildir_folder *folder)
{
	int fresh[ENTRY_DIRS];

	/* If cur/ was there before, and is missing now, somebody removes the folder: do not make it again. */
	fresh[ENTRY_CUR] = folder->dir[ENTRY_CUR] < 0 ? folder_open_part(folder, "cur")
						      : file_open_dir(folder->home.fd, "cur");
	if (fresh[ENTRY_CUR] < 0 && !is_absent(folder, "cur"))
		return -1;
	fresh[ENTRY_NEW] = folder_open_part(folder, "new");
	if (fresh[ENTRY_NEW] < 0 && (fresh[ENTRY_CUR] < 0 || !is_absent(folder, "new"))) {
		close_keeping_errno(fresh[ENTRY_CUR]);
		return -1;
	}
	for (int i = 0; i < ENTRY_DIRS; i++) {
		close_keeping_errno(folder->dir[i]);
		folder->dir[i] = fresh[i];
	}
	return 0;
}

int
folder_dir(struct maildir_folder *folder, unsigned dir)
{
	if (folder->dir[dir] < 0 && folder_open_dirs(folder) < 0)
		return -1;
	if (folder->dir[dir] < 0)
		errno = ENOENT;
	return folder->dir[dir];
}

/* Ends the held batch, since another handle of this process takes a lock (mdlock_take). */
static void
folder_settle(struct mddir *dir)
{
	struct maildir_folder *folder = (struct maildir_folder *)dir; /* home comes first */

	if (maildir_change_settle(folder) < 0)
		folder->held_error = errno;
}

static void
folder_tell(void *ctx, enum maildir_change change, uint32_t uid)
{
	const struct maildir_folder *folder = ctx;

	if (folder->change != NULL)
		folder->change(folder->change_ctx, change, uid);
}

int
maildir_folder_open(struct maildir *md, const char *name, struct maildir_folder **folder_r)
{
	struct maildir_folder *folder = NULL;
	struct place place;
	int fd = place_find(md, name, &place);

	*folder_r = NULL;
	if (fd < 0)
		return -1;
	folder = calloc(1, sizeof(*folder));
	if (folder == NULL) {
		close_keeping_errno(fd);
		return -1;
	}
	/* The directories are opened when they are needed: STATUS mostly needs the index alone. */
	folder->dir[ENTRY_CUR] = folder->dir[ENTRY_NEW] = folder->session_fd = -1;
	folder->home = (struct mddir){
	    .md = md,
	    .next = md->dirs,
	    .name = strdup(place.name),
	    .path = strdup(place.path),
	    .fd = fd,
	    .lock_fd = -1,
	    .settle = folder_settle,
	};
	md->dirs = &folder->home;
	folder->keywords = keywords_new(&folder->home);
	folder->index = index_new(&folder->home, folder_tell, folder);
	if (folder->home.name == NULL || folder->home.path == NULL || folder->keywords == NULL ||
	    folder->index == NULL) {
		maildir_folder_close(&folder);
		errno = ENOMEM;
		return -1;
	}
	*folder_r = folder;
	return 0;
}

/* A session that found the index damaged rebuilds it before it closes. */
static void
folder_mend(struct maildir_folder *folder)
{
	folder->change = NULL;
	if (!index_is_broken(folder->index) || mdlock_folder_try(&folder->home) < 0)
		return;
	(void)!sync_now(folder);
	mdlock_folder_drop(&folder->home);
}

void
maildir_folder_close(struct maildir_folder **folderp)
{
	struct maildir_folder *folder = *folderp;
	struct mddir **at;

	*folderp = NULL;
	if (folder == NULL)
		return;
	if (folder->index != NULL) {
		maildir_reader_close(&folder->ahead);
		(void)!maildir_change_settle(folder);
		maildir_save_findings(folder);
		folder_mend(folder);
	}
	if (folder->watch != NULL)
		maildir_watch_pause(folder->watch);
	for (at = &folder->home.md->dirs; *at != &folder->home; at = &(*at)->next)
		;
	*at = folder->home.next;
	close_keeping_errno(folder->dir[ENTRY_CUR]);
	close_keeping_errno(folder->dir[ENTRY_NEW]);
	close_keeping_errno(folder->home.lock_fd);
	close_keeping_errno(folder->session_fd);
	close_keeping_errno(folder->home.fd);
	index_free(folder->index);
	findings_free(&folder->findings);
	folder_texts_free(folder);
	keywords_free(folder->keywords);
	free(folder->more_change);
	mdarena_clear(&folder->more_bases);
	free(folder->home.name);
	free(folder->home.path);
	free(folder);
}

int
maildir_session_lock(struct maildir_folder *folder)
{
	if (folder->session_fd < 0)
		folder->session_fd = mdlock_open(folder->home.md, folder->home.fd, LOCK_SESSION, 0);
	/* If no session can have the lock, no session is locked out. */
	return folder->session_fd >= 0 || error_forbids_writing(errno) ? 0 : -1;
}
