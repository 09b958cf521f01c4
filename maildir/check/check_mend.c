/*
 * check_mend.c: mends what can be mended without loss.
 * Runs as: mail user.
 *
 * What a look finds odd is mended as it is told, under the lock that those who use it hold; what is about
 * messages is left to a sync, which separates, numbers and writes anew by its own rules.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dotfile.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/check/check.h"
#include "maildir/check/check_internal.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"

struct mending {
	struct maildir *md;
	struct maildir_folder
	    *folder; /* NULL: the Maildir itself is mended, or a folder's directories */
	const struct maildir_check *check;
	int fd; /* of the folder, or the Maildir */
	/* What the sync is to mend. */
	bool lost, torn, index;
	uint64_t doubled;
};

static void
tell_mended(const struct mending *mending, enum maildir_odd odd, const char *name, uint64_t number)
{
	const struct maildir_finding finding = {.odd = odd,
	    .mended = true,
	    .folder = mending->folder != NULL ? mending->folder->home.name : NULL,
	    .name = name,
	    .number = number};

	mending->check->tell(mending->check->ctx, &finding);
}

static void
mend_unlink(const struct mending *mending, const struct maildir_finding *finding)
{
	if (unlinkat(mending->fd, finding->name, 0) == 0)
		tell_mended(mending, finding->odd, finding->name, 0);
}

/* --- the tree --- */

static void
make_part(const struct mending *mending, const struct maildir_finding *finding)
{
	struct maildir_finding made = *finding;

	if (mkdirat(mending->fd, finding->name, 0700) < 0 || fsync(mending->fd) < 0)
		return;
	made.mended = true;
	mending->check->tell(mending->check->ctx, &made);
}

/* Taken as one who wants it, which takes it over when it is dead. */
static void
break_subscriptions_lock(const struct mending *mending)
{
	struct dotlock lock = {
	    .md = mending->md,
	    .dirfd = mending->fd,
	    .folder = "subscriptions",
	    .name = SUBSCRIPTIONS_LOCK_NAME,
	    .tmp = "sallyport.subs-lock",
	    .aside = "sallyport.subs-stale",
	};

	if (dotfile_take(&lock) < 0)
		return;
	dotfile_drop(&lock);
	tell_mended(mending, ODD_LOCK, SUBSCRIPTIONS_LOCK_NAME, 0);
}

static void
mend_of_tree(void *ctx, const struct maildir_finding *finding)
{
	const struct mending *mending = ctx;

	if (finding->odd == ODD_LOCK)
		break_subscriptions_lock(mending);
	else if (finding->odd == ODD_TEMPORARY)
		mend_unlink(mending, finding);
}

int
maildir_mend_tree(struct maildir *md, const struct maildir_check *check)
{
	struct mending mending = {.md = md, .check = check, .fd = md->fd};
	const struct maildir_check look = {check->now, mend_of_tree, &mending};
	int lock = mdlock_tree(md), r;

	if (lock < 0)
		return -1;
	r = maildir_check_tree(md, &look);
	close_keeping_errno(lock);
	return r;
}

/* --- a folder --- */

static void
mend_parts(void *ctx, const struct maildir_finding *finding)
{
	const struct mending *mending = ctx;

	if (finding->odd == ODD_MISSING)
		make_part(mending, finding);
}

/* cur, new and tmp: without them a folder cannot even be opened to be locked. */
static int
mend_directories(struct maildir *md, const char *name, const struct maildir_check *check)
{
	struct mending mending = {.md = md, .check = check};
	const struct maildir_check look = {check->now, mend_parts, &mending};
	struct maildir_facts *facts = malloc(sizeof(*facts));
	struct place place;
	int r = -1;

	if (facts != NULL && (mending.fd = place_find(md, name, &place)) >= 0) {
		r = maildir_check_folder(md, name, &look, facts);
		close(mending.fd);
	}
	free(facts);
	return r;
}

static void
break_lock(const struct mending *mending)
{
	if (dotlock_take(&mending->folder->home) < 0)
		return;
	dotlock_drop(&mending->folder->home);
	tell_mended(mending, ODD_LOCK, UIDLIST_LOCK_NAME, 0);
}

/*
 * Gives a file a name that a message can have, and keeps its info.  The new name is not like the old one, because
 * dovecot-uidlist may keep a line for a message of a similar name.
 */
static void
mend_name(const struct mending *mending, const struct maildir_finding *finding)
{
	const char *old = strchr(finding->name, '/') + 1;
	char info[NAME_SIZE], name[NAME_SIZE], path[NAME_SIZE * 2];
	size_t n = 0;

	for (const char *p = old; *p != '\0' && n < sizeof(info) - 1; p++)
		if ((unsigned char)*p >= 0x20)
			info[n++] = *p;
	info[n] = '\0';
	if (mdname_unique(mending->md->host, ++mending->md->unique, info, name) < 0 &&
	    mdname_unique(mending->md->host, mending->md->unique, "", name) < 0)
		return;
	snprintf(path, sizeof(path), "%.*s%s", (int)(old - finding->name), finding->name, name);
	if (file_move(mending->fd, finding->name, mending->fd, path) == 0)
		tell_mended(mending, ODD_NAME, finding->name, 0);
}

static void
mend_of_folder(void *ctx, const struct maildir_finding *finding)
{
	struct mending *mending = ctx;

	switch (finding->odd) {
	case ODD_TEMPORARY:
	case ODD_OLD:
		mend_unlink(mending, finding);
		break;
	case ODD_LOCK:
		break_lock(mending);
		break;
	case ODD_NAME:
		mend_name(mending, finding);
		break;
	case ODD_DOUBLED:
		mending->doubled++;
		break;
	case ODD_UIDLIST_LOST:
		mending->lost = true;
		break;
	case ODD_UIDLIST_TORN:
		mending->torn = true;
		break;
	case ODD_INDEX:
		mending->index = true;
		break;
	default:
		break;
	}
}

/* A sync makes it anew. */
static void
remove_index(const struct mending *mending)
{
	(void)unlinkat(mending->fd, SNAPSHOT_NAME, 0);
	(void)unlinkat(mending->fd, LOG_NAME, 0);
	(void)unlinkat(mending->fd, SUMMARIES_NAME, 0);
}

static void
tell_synced(const struct mending *mending, const struct maildir_facts *before,
    const struct maildir_facts *after)
{
	if (mending->lost && after->validity != before->validity)
		tell_mended(mending, ODD_UIDLIST_LOST, UIDLIST_NAME, after->validity);
	if (mending->torn)
		tell_mended(mending, ODD_UIDLIST_TORN, UIDLIST_NAME, 0);
	if (mending->doubled > 0)
		tell_mended(mending, ODD_DOUBLED, NULL, mending->doubled);
	if (before->without_uid > after->without_uid)
		tell_mended(mending, ODD_NO_UID, NULL, before->without_uid - after->without_uid);
	if (after->index != MAILDIR_INDEX_NONE && after->index != MAILDIR_INDEX_DAMAGED &&
	    (mending->index || before->index == MAILDIR_INDEX_NONE))
		tell_mended(mending, mending->index ? ODD_INDEX : ODD_NO_INDEX, SNAPSHOT_NAME, 0);
}

static void
ignore(void *ctx, const struct maildir_finding *finding)
{
	(void)ctx;
	(void)finding;
}

/* Under the folder's lock. */
static int
mend_locked(struct mending *mending, struct maildir_facts facts[2])
{
	const char *name = mending->folder->home.name;
	const struct maildir_check look = {mending->check->now, mend_of_folder, mending};
	const struct maildir_check again = {mending->check->now, ignore, NULL};

	if (maildir_check_folder(mending->md, name, &look, &facts[0]) < 0)
		return -1;
	if (mending->index)
		remove_index(mending);
	if (sync_all(mending->folder) < 0 ||
	    maildir_check_folder(mending->md, name, &again, &facts[1]) < 0)
		return -1;
	tell_synced(mending, &facts[0], &facts[1]);
	return 0;
}

int
maildir_mend_folder(struct maildir *md, const char *name, const struct maildir_check *check)
{
	struct mending mending = {.md = md, .check = check};
	struct maildir_facts *facts;
	int r = -1, saved;

	if (mend_directories(md, name, check) < 0 ||
	    maildir_folder_open(md, name, &mending.folder) < 0)
		return -1;
	mending.fd = mending.folder->home.fd;
	facts = calloc(2, sizeof(*facts));
	if (facts != NULL && mdlock_folder(&mending.folder->home) == 0) {
		r = mend_locked(&mending, facts);
		mdlock_unfolder(&mending.folder->home);
	}
	saved = errno;
	free(facts);
	maildir_folder_close(&mending.folder);
	errno = saved;
	return r;
}
