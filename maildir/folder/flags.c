/*
 * flags.c: changes a message's flags, which are part of its file's name, and removes messages.
 * Runs as: mail user.
 *
 * The session holds the folder's lock, but other programs take no lock.  They may rename the file between any two
 * calls.  So each attempt begins from the present name, and no rename replaces a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"
#include "maildir/folder/sync.h"
#include "maildir/folder/times.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/* How often another program may rename the file between our look and our rename. */
#define RENAME_TRIES 16

/*
 * Looks at the file that already has the name which a message is to get.  If it is the same file, another program has
 * linked it and not unlinked it yet: the message has the name.  If it is another file, a second message has this base
 * name, and gets a new one.  Returns 0: try again, or 1: done.
 */
static int
name_taken(struct maildir_folder *folder, const struct index_message *message, const char *name)
{
	struct stat ours, other;
	int r;

	if (fstatat(folder->dir[message->record.dir], index_name(message), &ours,
		AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(folder->dir[ENTRY_CUR], name, &other, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (ours.st_ino == other.st_ino && ours.st_dev == other.st_dev)
		return 1;
	r = scan_evict(folder, name);
	/* Another program has changed cur/ during the batch: its times do not stand for our changes alone. */
	times_change_spoil(folder);
	return r < 0 && errno != ENOENT ? -1 : 0;
}

/* Tries once.  Returns 1: done, and name is the file's name in cur/; 2: the file has that name already; 0: the name was
 * old, and *message is brought up to date. */
static int
flags_try(struct maildir_folder *folder, struct index_message *message,
    const struct mdname_change *change, char name[NAME_SIZE])
{
	int dir = folder->dir[message->record.dir];
	struct stat st;
	int r = mdname_apply(index_name(message), change, name);

	if (r < 0)
		return -1;
	if (r > 0 && fstatat(dir, index_name(message), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 2;
	if (r == 0 && file_move(dir, index_name(message), folder->dir[ENTRY_CUR], name) == 0)
		return 1;
	if (r == 0 && errno == EEXIST)
		return name_taken(folder, message, name);
	if (errno != ENOENT)
		return -1;
	return message_locate(folder, message->record.uid, message);
}

int
message_renamed(
    struct maildir_folder *folder, const struct index_message *message, const char *name)
{
	struct index_message now = {.record = message->record};
	uint32_t flags, letters;

	mdname_flags(name, &flags, &letters);
	now.record.dir = ENTRY_CUR;
	now.record.flags = (uint8_t)flags;
	now.record.keywords = (message->record.keywords & ~LETTERS_MASK) | letters;
	if (!index_same_marks(&now.record, &message->record))
		now.record.modseq = index_modseq(folder->index);
	if (!index_set_strings(&now, name, index_uidl(message), index_guid(message))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return index_put(folder->index, &now);
}

static int
message_flags(struct maildir_folder *folder, struct index_message *message,
    const struct mdname_change *change)
{
	bool was_new = message->record.dir == ENTRY_NEW;
	char name[NAME_SIZE];

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int r = flags_try(folder, message, change, name);

		if (r < 0)
			return -1;
		if (r == 2)
			return 0;
		if (r == 0)
			continue;
		folder->changed_cur = true;
		folder->changed_new |= was_new;
		return message_renamed(folder, message, name);
	}
	errno = EBUSY;
	return -1;
}

/*
 * Removes the other names of a file that was removed, since the message would come back under them.  Removes only names
 * of the same inode: another file of that base name is another message.
 */
static int
remove_twins(struct maildir_folder *folder, struct index_message *message, const struct stat *gone)
{
	struct stat st;

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int dir;

		if (message_locate(folder, message->record.uid, message) < 0)
			return errno == ENOENT ? 0 : -1;
		dir = folder->dir[message->record.dir];
		if (fstatat(dir, index_name(message), &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (st.st_ino != gone->st_ino || st.st_dev != gone->st_dev)
			return 0;
		if (unlinkat(dir, index_name(message), 0) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static int
message_remove(struct maildir_folder *folder, struct index_message *message)
{
	struct stat st;

	for (int tries = 0; tries < RENAME_TRIES; tries++) {
		int dir = folder->dir[message->record.dir];
		bool twin = (message->record.known & INDEX_TWIN) != 0 &&
			    fstatat(dir, index_name(message), &st, AT_SYMLINK_NOFOLLOW) == 0;

		if (unlinkat(dir, index_name(message), 0) == 0) {
			folder->changed_cur |= message->record.dir == ENTRY_CUR;
			folder->changed_new |= message->record.dir == ENTRY_NEW;
			return twin ? remove_twins(folder, message, &st) : 0;
		}
		if (errno != ENOENT)
			return -1;
		if (message_locate(folder, message->record.uid, message) < 0)
			return errno == ENOENT ? 0 : -1;
	}
	errno = EBUSY;
	return -1;
}

/* --- batches --- */

int
maildir_change_begin(struct maildir_folder *folder)
{
	if (folder->home.changing) {
		errno = EBUSY;
		return -1;
	}
	if (folder->home.held) {
		folder->home.held = false;
		folder->home.changing = true;
		return 0;
	}
	if ((errno = maildir_read_only(folder)) != 0 || mdlock_enter(&folder->home, true) < 0)
		return -1;
	/* Messages can be deleted even if this sync fails. */
	folder->synced = sync_now(folder) == 0;
	if (folder_open_dirs(folder) < 0 || keywords_refresh(folder->keywords) < 0 ||
	    times_change_begin(folder) < 0) {
		mdlock_folder_drop(&folder->home);
		return -1;
	}
	folder->home.changing = true;
	return 0;
}

static bool
base_is_live(void *ctx, const char *base, size_t len)
{
	struct maildir_folder *folder = ctx;

	return index_by_base(folder->index, base, len) != 0;
}

/* Writes the batch's changes of sallyport.keywords, which forgets messages that are gone when it has grown. */
static int
more_write(struct maildir_folder *folder)
{
	struct index *index = folder->index;
	bool same;
	int r;

	if (folder->more_changes == 0)
		return 0;
	r = folder_store_keywords(folder, folder->more_change, folder->more_changes);
	folder->more_changes = 0;
	mdarena_clear(&folder->more_bases);
	if (r < 0 || !folder->synced || !index_is_open(index))
		return r;
	same = file_stamp_same(&index_state(index)->more, &folder->keywords->numbers.stamp);
	if (numbered_trim(&folder->home, &folder->keywords->numbers, index_count(index),
		base_is_live, folder) == 0 &&
	    same)
		index_saw_keywords(index, &folder->keywords->numbers.stamp);
	return 0;
}

/* Tells the changes to all sessions, in the log.  A failure is no error, since they find the changes when they look. */
static void
change_tell(struct maildir_folder *folder)
{
	struct index_state state;

	if (!index_is_open(folder->index) || !index_in_batch(folder->index))
		return;
	state = *index_state(folder->index);
	times_change_end(folder, &state);
	if (folder->changed_new)
		state.doubt |= INDEX_NEW;
	(void)!index_commit(folder->index, &state);
}

int
maildir_change_end(struct maildir_folder *folder)
{
	int error = 0;

	if (!folder->home.changing) {
		errno = EINVAL;
		return -1;
	}
	if (folder->hold) {
		folder->home.changing = false;
		folder->home.held = true;
		return 0;
	}
	if ((folder->changed_cur && fsync(folder->dir[ENTRY_CUR]) < 0) ||
	    (folder->changed_new && fsync(folder->dir[ENTRY_NEW]) < 0))
		error = errno;
	if (more_write(folder) < 0)
		error = errno;
	change_tell(folder);
	folder->changed_cur = folder->changed_new = folder->home.changing = false;
	mdlock_folder_drop(&folder->home);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
maildir_change_hold(struct maildir_folder *folder)
{
	folder->hold = true;
}

int
maildir_change_settle(struct maildir_folder *folder)
{
	int error = folder->held_error;

	folder->hold = false;
	folder->held_error = 0;
	if (folder->home.held) {
		folder->home.held = false;
		folder->home.changing = true;
		if (maildir_change_end(folder) < 0)
			return -1;
	}
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

/* Begins a batch for a single change, unless there is one.  Returns 1: begun; 0: there is one; -1: also ESTALE, all
 * messages have new UIDs. */
static int
begin_alone(struct maildir_folder *folder)
{
	uint32_t validity = maildir_uidvalidity(folder);

	if (folder->home.changing)
		return 0;
	if (maildir_change_begin(folder) < 0)
		return -1;
	if (validity == 0 || validity == maildir_uidvalidity(folder))
		return 1;
	(void)maildir_change_end(folder);
	errno = ESTALE;
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

/* Notes what sallyport.keywords is to have of a message; written at the end of the batch. */
static int
more_note(struct maildir_folder *folder, const struct index_message *message, uint64_t keywords)
{
	struct numbered_message *grown = array_grow(
	    folder->more_change, folder->more_changes, &folder->more_room, sizeof(*grown));

	if (grown == NULL)
		return -1;
	folder->more_change = grown;
	grown += folder->more_changes;
	grown->base_len = message->record.base_len;
	grown->base = mdarena_add(&folder->more_bases, index_name(message), grown->base_len);
	if (grown->base == NULL)
		return -1;
	grown->keywords = keywords;
	folder->more_changes++;
	return 0;
}

/* Gives a message these keywords without a letter: in the index now, in sallyport.keywords at the end of the batch. */
static int
message_more(struct maildir_folder *folder, uint32_t uid, uint64_t more)
{
	struct index_message message;

	if (message_find(folder, uid, &message) < 0)
		return -1;
	if (more_note(folder, &message, more) < 0)
		return -1;
	if ((message.record.keywords & NUMBERED_BITS) == more)
		return 0;
	message.record.keywords = (message.record.keywords & ~NUMBERED_BITS) | more;
	message.record.modseq = index_modseq(folder->index);
	return index_put(folder->index, &message);
}

static int
message_change(struct maildir_folder *folder, struct index_message *message,
    const struct maildir_flag_change *change)
{
	uint32_t uid = message->record.uid;
	struct mdname_change name;
	uint64_t more;
	bool save;

	save = keywords_split(folder->keywords, index_name(message), message->record.base_len,
	    message->record.keywords, change, &name, &more);
	if (message_flags(folder, message, &name) < 0)
		return -1;
	return save ? message_more(folder, uid, more) : 0;
}

int
maildir_flags(struct maildir_folder *folder, uint32_t uid, const struct maildir_flag_change *change)
{
	int alone = begin_alone(folder), r;
	struct index_message message;

	if (alone < 0)
		return -1;
	r = message_find(folder, uid, &message);
	if (r == 0)
		r = message_change(folder, &message, change);
	return end_alone(folder, alone, r);
}

int
maildir_remove(struct maildir_folder *folder, uint32_t uid)
{
	int alone = begin_alone(folder), r = 0;
	struct index_message message;

	if (alone < 0)
		return -1;
	if (message_find(folder, uid, &message) == 0) {
		r = message_remove(folder, &message);
		if (r == 0 && index_is_open(folder->index))
			r = index_put_gone(folder->index, uid, index_modseq(folder->index));
	} else if (errno != ENOENT || !folder->synced) {
		errno = EIO; /* the message may still be there */
		r = -1;
	}
	return end_alone(folder, alone, r);
}
