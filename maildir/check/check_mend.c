/*
 * check_mend.c: mends what can be mended without loss.
 * Runs as: mail user.
 *
 * Each finding of a look is mended at once, under the lock of the folder or the tree.  A sync mends what is about
 * messages: it separates, numbers and writes by its own rules.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dotlock.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/check/check.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"

struct mending {
	struct maildir *md;
	struct maildir_folder *folder; /* NULL: the Maildir itself is mended */
	const struct maildir_check *check;
	int fd;			     /* of the folder, or the Maildir */
	const char *name;	     /* of the folder, or NULL */
	uint64_t for_sync[ODDITIES]; /* counts what the sync is to mend */
};

static void
tell_mended(const struct mending *mending, enum maildir_odd odd, const char *name, uint64_t number)
{
	const struct maildir_finding finding = {
	    .odd = odd, .mended = true, .folder = mending->name, .name = name, .number = number};

	mending->check->tell(mending->check->ctx, &finding);
}

/* Takes the lock as a session does that wants it: that takes it over from the dead process. */
static void
break_lock(const struct mending *mending)
{
	struct dotlock subscriptions = {
	    .md = mending->md,
	    .dirfd = mending->fd,
	    .folder = "subscriptions",
	    .name = SUBSCRIPTIONS_LOCK_NAME,
	    .tmp = "sallyport.subs-lock",
	    .aside = "sallyport.subs-stale",
	};
	struct dotlock *lock = &subscriptions;
	int r;

	if (mending->folder == NULL) {
		r = dotlock_take(lock);
	} else {
		r = uidlist_lock_take(&mending->folder->home);
		lock = &mending->folder->home.dotlock;
	}
	if (r < 0)
		return;
	dotlock_drop(lock);
	tell_mended(mending, ODD_LOCK, lock->name, 0);
}

/*
 * Gives a file a name that a message can have, and keeps its info.  The new name is not like the old one, because
 * dovecot-uidlist may keep a line for a message of a similar name.
 */
static void
mend_name(const struct mending *mending, const char *odd)
{
	const char *old = strchr(odd, '/') + 1;
	char info[NAME_SIZE], name[NAME_SIZE], path[NAME_SIZE * 2];
	size_t n = 0;

	for (const char *p = old; *p != '\0' && n < sizeof(info) - 1; p++)
		if ((unsigned char)*p >= 0x20)
			info[n++] = *p;
	info[n] = '\0';
	if (mdname_unique(mending->md->host, ++mending->md->unique, info, name) < 0 &&
	    mdname_unique(mending->md->host, mending->md->unique, "", name) < 0)
		return;
	snprintf(path, sizeof(path), "%.*s%s", (int)(old - odd), odd, name);
	if (file_move(mending->fd, odd, mending->fd, path) == 0)
		tell_mended(mending, ODD_NAME, odd, 0);
}

static void
mend(void *ctx, const struct maildir_finding *finding)
{
	struct mending *mending = ctx;

	switch (finding->odd) {
	case ODD_TEMPORARY:
	case ODD_OLD:
		if (unlinkat(mending->fd, finding->name, 0) == 0)
			tell_mended(mending, finding->odd, finding->name, 0);
		break;
	case ODD_LOCK:
		break_lock(mending);
		break;
	case ODD_NAME:
		mend_name(mending, finding->name);
		break;
	default:
		mending->for_sync[finding->odd]++;
		break;
	}
}

int
maildir_mend_tree(struct maildir *md, const struct maildir_check *check)
{
	struct mending mending = {.md = md, .check = check, .fd = md->fd};
	const struct maildir_check look = {check->now, mend, &mending};
	int lock = mdlock_tree(md), r;

	if (lock < 0)
		return -1;
	r = maildir_check_tree(md, &look);
	close_keeping_errno(lock);
	return r;
}

/* --- a folder --- */

/* Makes cur, new and tmp: without them a folder cannot even be opened to be locked. */
static int
make_parts(struct maildir *md, const char *folder, const struct maildir_check *check)
{
	struct place place;
	struct mending mending = {
	    .md = md, .check = check, .name = folder, .fd = place_find(md, folder, &place)};

	if (mending.fd < 0)
		return -1;
	for (size_t i = 0; i < FOLDER_PARTS; i++)
		if (mkdirat(mending.fd, folder_parts[i], 0700) == 0 && fsync(mending.fd) == 0)
			tell_mended(&mending, ODD_MISSING, folder_parts[i], 0);
	close(mending.fd);
	return 0;
}

/* A sync rebuilds it. */
static void
remove_index(const struct mending *mending)
{
	(void)unlinkat(mending->fd, SNAPSHOT_NAME, 0);
	(void)unlinkat(mending->fd, LOG_NAME, 0);
	(void)unlinkat(mending->fd, SUMMARIES_NAME, 0);
}

/* Compares the folder before the sync with the folder after. */
static void
tell_synced(const struct mending *mending, const struct maildir_report *before,
    const struct maildir_report *after)
{
	const uint64_t *found = mending->for_sync;

	if (found[ODD_UIDLIST_LOST] > 0 && after->validity != before->validity)
		tell_mended(mending, ODD_UIDLIST_LOST, UIDLIST_NAME, after->validity);
	if (found[ODD_UIDLIST_TORN] > 0)
		tell_mended(mending, ODD_UIDLIST_TORN, UIDLIST_NAME, 0);
	if (found[ODD_DOUBLED] > 0)
		tell_mended(mending, ODD_DOUBLED, NULL, found[ODD_DOUBLED]);
	if (before->without_uid > after->without_uid)
		tell_mended(mending, ODD_NO_UID, NULL, before->without_uid - after->without_uid);
	if (after->index == MAILDIR_INDEX_NONE || after->index == MAILDIR_INDEX_DAMAGED)
		return;
	if (found[ODD_INDEX] > 0)
		tell_mended(mending, ODD_INDEX, SNAPSHOT_NAME, 0);
	else if (before->index == MAILDIR_INDEX_NONE)
		tell_mended(mending, ODD_NO_INDEX, SNAPSHOT_NAME, 0);
}

static void
ignore(void *ctx, const struct maildir_finding *finding)
{
	(void)ctx;
	(void)finding;
}

/* Under the folder's lock. */
static int
mend_locked(struct mending *mending, struct maildir_report report[2])
{
	const struct maildir_check look = {mending->check->now, mend, mending};
	const struct maildir_check again = {mending->check->now, ignore, NULL};

	if (maildir_check_folder(mending->md, mending->name, &look, &report[0]) < 0)
		return -1;
	if (mending->for_sync[ODD_INDEX] > 0)
		remove_index(mending);
	if (sync_all(mending->folder) < 0 ||
	    maildir_check_folder(mending->md, mending->name, &again, &report[1]) < 0)
		return -1;
	tell_synced(mending, &report[0], &report[1]);
	return 0;
}

int
maildir_mend_folder(struct maildir *md, const char *name, const struct maildir_check *check)
{
	struct mending mending = {.md = md, .check = check, .name = name};
	struct maildir_report *report;
	int r = -1, saved;

	if (make_parts(md, name, check) < 0 || maildir_folder_open(md, name, &mending.folder) < 0)
		return -1;
	mending.fd = mending.folder->home.fd;
	report = calloc(2, sizeof(*report));
	if (report != NULL && mdlock_folder(&mending.folder->home) == 0) {
		r = mend_locked(&mending, report);
		mdlock_folder_drop(&mending.folder->home);
	}
	saved = errno;
	free(report);
	maildir_folder_close(&mending.folder);
	errno = saved;
	return r;
}
