/*
 * flags.c: changes to a message's file: flags, which are its name, and its removal.
 * Runs as: mail user.
 *
 * No lock is held: other programs take none either.  The name that we know may be old, or get old
 * between any two calls; each attempt begins from the present name, and no rename replaces.
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
	if (mdlock_folder(folder) < 0)
		return -1;
	r = scan_evict(folder, name);
	mdlock_unfolder(folder);
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

int
maildir_flags(struct maildir_folder *folder, size_t index, uint32_t add, uint32_t remove,
    uint32_t add_keywords, uint32_t remove_keywords)
{
	struct mdname_change change = {add, remove, add_keywords, remove_keywords};
	struct entry *entry = &folder->list.entry[index];
	char name[NAME_SIZE];

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int r = flags_try(folder, entry, &change, name);

		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		if (entry_rename(folder, entry, entry->dir, name) < 0)
			return -1;
		mdname_flags(name, &entry->pub.flags, &entry->pub.keywords);
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

int
maildir_remove(struct maildir_folder *folder, size_t index)
{
	struct entry *entry = &folder->list.entry[index];
	struct stat st;

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int dir = folder->dir[entry->dir];
		bool twin = (entry->known & ENTRY_TWIN) != 0 &&
			    fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) == 0;

		if (unlinkat(dir, entry->name, 0) == 0) {
			folder->removed_new |= entry->dir == ENTRY_NEW;
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

int
maildir_settle(struct maildir_folder *folder)
{
	if (fsync(folder->dir[ENTRY_CUR]) < 0)
		return -1;
	if (folder->removed_new && fsync(folder->dir[ENTRY_NEW]) < 0)
		return -1;
	folder->removed_new = false;
	return 0;
}
