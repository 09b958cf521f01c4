/*
 * deliver.c: puts a set of new messages into a folder: all of them or none.
 * Runs as: mail user.
 *
 * A message is complete and on the disk (fsync) in tmp/ before it gets a name in cur/.  So other programs see it whole
 * or not at all, wherever this process dies; files that stay in tmp/ then are no mail.  The set gets its names in cur/
 * under the folder's lock and Dovecot's lock file.  The session holds both until the UIDs are on the disk, so that no
 * other session gives UIDs to a part of the set.  If the commit fails every file of the set is removed.
 *
 * A link to the file of another message is complete as soon as it is made, and is on the disk when the directory is.
 * It needs no tmp/, so commit makes links straight in cur/, by one call each.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/deliver.h"
#include "maildir/folder/delivery.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"
#include "maildir/folder/sync.h"
#include "maildir/folder/times.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

int
maildir_delivery_begin(struct maildir_folder *folder, struct maildir_delivery **delivery_r)
{
	struct maildir_delivery *d = calloc(1, sizeof(*d));

	*delivery_r = NULL;
	if (d == NULL)
		return -1;
	d->folder = folder;
	d->fd = -1;
	d->tmp = folder_open_part(folder, "tmp");
	if (d->tmp < 0) {
		free(d);
		return -1;
	}
	*delivery_r = d;
	return 0;
}

/* --- undoing --- */

/* Removes a message of the set that another program has renamed. */
static void
remove_by_base(struct maildir_folder *folder, const struct delivered *message)
{
	struct scan scan;
	size_t file;

	scan_init(&scan, folder, NULL, NULL);
	if (scan_pass(&scan) == 0) {
		file = scan_find(&scan, message->name, message->base_len);
		if (file != SCAN_NONE)
			(void)unlinkat(folder->dir[scan.file[file].dir], scan.file[file].name, 0);
	}
	scan_clear(&scan);
}

/* Removes the messages of the set from the folder.  errno stays as it was. */
static void
set_remove(struct maildir_delivery *d)
{
	struct maildir_folder *folder = d->folder;
	int saved = errno;

	for (size_t i = 0; i < d->set.count; i++) {
		struct delivered *message = &d->set.message[i];

		if (message->moved && unlinkat(folder->dir[ENTRY_CUR], message->name, 0) < 0 &&
		    errno == ENOENT)
			remove_by_base(folder, message);
	}
	(void)fsync(folder->dir[ENTRY_CUR]);
	errno = saved;
}

/* --- committing --- */

/* Links a message into cur/.  ESTALE: maildir_delivery_copy may succeed, which searches for the original.  That takes
 * too long under the locks. */
static int
delivered_link(struct maildir_delivery *d, const struct delivered *message)
{
	int from = folder_dir(d->from, message->source_dir);

	if (from >= 0 &&
	    linkat(from, message->source, d->folder->dir[ENTRY_CUR], message->name, 0) == 0)
		return 0;
	if (from < 0 || errno == ENOENT || errno == EEXIST || link_impossible(errno))
		errno = ESTALE;
	return -1;
}

/* Puts all files into cur/, and that on the disk. */
static int
set_move(struct maildir_delivery *d)
{
	int cur = d->folder->dir[ENTRY_CUR], r = 0;
	char base[NAME_SIZE];

	for (size_t i = 0; i < d->set.count; i++) {
		struct delivered *message = &d->set.message[i];

		delivered_base(message, base);
		r = message->source != NULL ? delivered_link(d, message)
					    : file_move(d->tmp, base, cur, message->name);
		if (r < 0)
			return -1;
		message->moved = true;
	}
	return fsync(cur);
}

/* Writes the keywords without a letter to the disk, before the messages get UIDs. */
static int
set_keywords(struct maildir_delivery *d)
{
	struct numbered_message *change = calloc(d->set.count + 1, sizeof(*change));
	size_t count = 0;
	int r = 0;

	if (change == NULL)
		return -1;
	for (size_t i = 0; i < d->set.count; i++) {
		const struct delivered *message = &d->set.message[i];

		if (message->keywords & NUMBERED_BITS)
			change[count++] = (struct numbered_message){
			    message->name, message->base_len, message->keywords};
	}
	if (count > 0)
		r = folder_store_keywords(d->folder, change, count);
	free(change);
	return r;
}

/* Commits under both locks. */
static int
commit_locked(struct maildir_delivery *d)
{
	int r;

	if (folder_open_dirs(d->folder) < 0 || times_change_begin(d->folder) < 0)
		return delivery_fail(d);
	r = set_keywords(d);
	if (r == 0)
		r = set_move(d);
	if (r == 0)
		r = sync_delivered(d->folder, &d->set);
	if (r == 0)
		return 0;
	set_remove(d);
	return delivery_fail(d);
}

int
maildir_delivery_commit(
    struct maildir_delivery *d, uint32_t *uidvalidity_r, const uint32_t **uids_r)
{
	struct maildir_folder *folder = d->folder;
	int r;

	if (delivery_finish(d) < 0)
		return -1;
	free(d->uids);
	d->uids = calloc(d->set.count + 1, sizeof(*d->uids));
	if (d->uids == NULL || mdlock_folder(&folder->home) < 0)
		return -1;
	r = uidlist_lock_take(&folder->home);
	if (r == 0) {
		r = commit_locked(d);
		uidlist_lock_drop(&folder->home);
	}
	mdlock_folder_drop(&folder->home);
	if (r < 0)
		return -1;
	for (size_t i = 0; i < d->set.count; i++)
		d->uids[i] = d->set.message[i].uid;
	*uidvalidity_r = maildir_uidvalidity(folder);
	*uids_r = d->uids;
	return 0;
}

bool
maildir_delivery_dates_kept(const struct maildir_delivery *d)
{
	return !d->date_lost;
}

void
maildir_delivery_end(struct maildir_delivery **delivery)
{
	struct maildir_delivery *d = *delivery;
	char base[NAME_SIZE];

	*delivery = NULL;
	if (d == NULL)
		return;
	close_keeping_errno(d->fd);
	for (size_t i = 0; i < d->set.count; i++) {
		struct delivered *message = &d->set.message[i];

		delivered_base(message, base);
		if (!message->moved && message->source == NULL)
			unlink_keeping_errno(d->tmp, base);
		delivered_clear(message);
	}
	close_keeping_errno(d->tmp);
	free(d->set.message);
	free(d->uids);
	free(d);
}
