/*
 * flags.c: changes to a message's file: flags, which are its name, and its removal.
 * Runs as: mail user.
 *
 * The folder's lock is held, but other programs take none.  The name that we know may be old, or get
 * old between any two calls; each attempt begins from the present name, and no rename replaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/internal.h"
#include "maildir/lock.h"
#include "maildir/scan.h"

/* How often another program may rename the file between our look and our rename. */
#define RENAME_TRIES 16

/*
 * The name that a message is to get exists already.  The same file: it has both names, as somebody
 * who links and unlinks leaves it, and is called what we wanted.  Another file: a second message of
 * this base name, which must give it up.  0: try again.  1: done.
 */
static int
name_taken(struct maildir_folder *folder, const struct entry *entry, const char *name)
{
	struct stat ours, other;
	int r;

	if (fstatat(folder->dir[entry->dir], entry->name, &ours, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(folder->dir[ENTRY_CUR], name, &other, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (ours.st_ino == other.st_ino && ours.st_dev == other.st_dev)
		return 1;
	r = scan_evict(folder, name);
	return r < 0 && errno != ENOENT ? -1 : 0;
}

/* One attempt.  1: done, and name is its name; 0: the name was old, look again. */
static int
flags_try(struct maildir_folder *folder, struct entry *entry, const struct mdname_change *change,
    char name[NAME_SIZE])
{
	int dir = folder->dir[entry->dir];
	struct stat st;
	int r = mdname_apply(entry->name, change, name);

	if (r < 0)
		return -1;
	if (r > 0 && fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (r == 0 && maildir_move(dir, entry->name, folder->dir[ENTRY_CUR], name) == 0) {
		entry->dir = ENTRY_CUR;
		return 1;
	}
	if (r == 0 && errno == EEXIST) {
		r = name_taken(folder, entry, name);
		if (r > 0)
			entry->dir = ENTRY_CUR;
		return r;
	}
	if (errno != ENOENT)
		return -1;
	return entry_locate(folder, entry);
}

static int
entry_flags(struct maildir_folder *folder, struct entry *entry, const struct mdname_change *change)
{
	char name[NAME_SIZE];
	uint32_t letters;

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int r = flags_try(folder, entry, change, name);

		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		if (entry_rename(folder, entry, entry->dir, name) < 0)
			return -1;
		mdname_flags(name, &entry->pub.flags, &letters);
		entry->pub.keywords = letters;
		return 0;
	}
	errno = EBUSY;
	return -1;
}

/*
 * Removes the other names of a file that is removed: under one of them it would come back.  Only
 * names of the same inode: another file of that base name is another message.
 */
static int
remove_twins(struct maildir_folder *folder, struct entry *entry, const struct stat *gone)
{
	struct stat st;

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		if (entry_locate(folder, entry) < 0)
			return errno == ENOENT ? 0 : -1;
		if (fstatat(folder->dir[entry->dir], entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (st.st_ino != gone->st_ino || st.st_dev != gone->st_dev)
			return 0;
		if (unlinkat(folder->dir[entry->dir], entry->name, 0) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static int
entry_remove(struct maildir_folder *folder, struct entry *entry)
{
	struct stat st;

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int dir = folder->dir[entry->dir];
		bool twin = (entry->known & ENTRY_TWIN) != 0 &&
			    fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) == 0;

		if (unlinkat(dir, entry->name, 0) == 0) {
			folder->changed_cur |= entry->dir == ENTRY_CUR;
			folder->changed_new |= entry->dir == ENTRY_NEW;
			return twin ? remove_twins(folder, entry, &st) : 0;
		}
		if (errno != ENOENT)
			return -1;
		if (entry_locate(folder, entry) < 0)
			return errno == ENOENT ? 0 : -1;
	}
	errno = EBUSY;
	return -1;
}

/* --- batches --- */

int
maildir_change_begin(struct maildir_folder *folder)
{
	if (folder->changing) {
		errno = EBUSY;
		return -1;
	}
	if (mdlock_folder(folder) < 0)
		return -1;
	/* New mail that cannot get UIDs, on a full disk, must not keep anybody from deleting. */
	if (!folder_unchanged(folder))
		(void)!sync_now(folder);
	folder->changing = true;
	return 0;
}

/* Messages that were removed leave the list. */
static void
list_compact(struct maildir_folder *folder)
{
	struct list *list = &folder->list;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct entry *entry = &list->entry[i];

		if (entry->known & ENTRY_REMOVED)
			entry_tell(folder, MAILDIR_GONE, entry->pub.uid);
		else
			list->entry[kept++] = *entry;
	}
	list->count = kept;
}

int
maildir_change_end(struct maildir_folder *folder)
{
	int r = 0;

	if (!folder->changing) {
		errno = EINVAL;
		return -1;
	}
	list_compact(folder);
	if (folder->changed_cur && fsync(folder->dir[ENTRY_CUR]) < 0)
		r = -1;
	if (folder->changed_new && fsync(folder->dir[ENTRY_NEW]) < 0)
		r = -1;
	folder->changed_cur = folder->changed_new = folder->changing = false;
	mdlock_unfolder(folder);
	return r;
}

/* A batch of one: whether it was begun for it.  -1: UIDs do not mean any more what they did. */
static int
begin_alone(struct maildir_folder *folder)
{
	uint32_t validity = folder->list.validity;

	if (folder->changing)
		return 0;
	if (maildir_change_begin(folder) < 0)
		return -1;
	if (validity == 0 || validity == folder->list.validity)
		return 1;
	(void)maildir_change_end(folder);
	errno = ENOENT;
	return -1;
}

static int
end_alone(struct maildir_folder *folder, int alone, int r)
{
	int saved = errno;

	if (alone > 0 && maildir_change_end(folder) < 0)
		return -1;
	errno = saved;
	return r;
}

int
maildir_flags(struct maildir_folder *folder, uint32_t uid, const struct maildir_flag_change *change)
{
	const struct mdname_change name = {change->add, change->remove,
	    (uint32_t)change->add_keywords, (uint32_t)change->remove_keywords};
	int alone = begin_alone(folder), r;
	struct maildir_message before;
	struct entry *entry;

	if (alone < 0)
		return -1;
	entry = entry_find(folder, uid);
	if (entry == NULL)
		return end_alone(folder, alone, -1);
	before = entry->pub;
	r = entry_flags(folder, entry, &name);
	if (before.flags != entry->pub.flags || before.keywords != entry->pub.keywords) {
		entry->pub.modseq = ++folder->list.modseq;
		folder->changed_cur = true;
		entry_tell(folder, MAILDIR_CHANGED, uid);
	}
	return end_alone(folder, alone, r);
}

int
maildir_remove(struct maildir_folder *folder, uint32_t uid)
{
	int alone = begin_alone(folder), r = 0;
	struct entry *entry;

	if (alone < 0)
		return errno == ENOENT ? 0 : -1;
	entry = entry_find(folder, uid);
	if (entry != NULL) {
		r = entry_remove(folder, entry);
		if (r == 0)
			entry->known |= ENTRY_REMOVED;
	}
	return end_alone(folder, alone, r);
}
