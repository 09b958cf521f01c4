/*
 * sync.c: brings the list of messages up to date with the disk.
 * Runs as: mail user.
 *
 * The stages of a sync
 *
 * The index has all that is known of a folder, and the times that the folder's files had then.  While the times are the
 * same there is nothing to do (times.c).  Else one session takes the folder's lock and goes through these stages.  Each
 * stage reads no more than the times say may have changed.
 *
 * 1. The record, and dovecot-uidlist.  The index stands for dovecot-uidlist while its times are those that the index
 *    has.  Its lines are read when they have changed, when there is no index that can be used, and when a later stage
 *    finds that it needs them: a fresh file may be that of a message that vanished, no UID is left, the file cannot be
 *    appended to, or lines without a message have become many.  The look then goes on with what it has.
 * 2. The directories: new/ alone, or cur/ too, or of cur/ only the names that inotify has told of (look_at_names).
 * 3. Files and messages are matched by base name (sync_match.c).
 * 4. Files in new/ move to cur/.  Fresh files get UIDs, whose lines are on disk before any session hears of them
 *    (sync_uids.c).
 * 5. The result is compared with the index, once.  The difference goes into the log, or all of it into a new snapshot
 *    (sync_index.c).  Each session hears of it by reading the log.
 *
 * A delivery of ours (deliver.c) knows its files, so its sync looks at no directory.
 *
 * Freedoms of other programs
 *
 * Any program may edit a Maildir while we serve it, at any time and without a lock.  A delivery agent
 * links files into new/; mutt moves them to cur/ and renames them as flags change; Dovecot does both;
 * rm, rsync, find -delete and a restored backup do as they like.  We promise, whatever they do:
 *
 * 1. We never lose the file of a message.  No rename replaces a file (RENAME_NOREPLACE, or link and
 *    unlink), and only maildir_remove unlinks a message.
 * 2. A message keeps its UID through all changes of flags, as long as its base name (all up to the colon) and
 *    its line in dovecot-uidlist exist.  A file that vanishes and comes back gets its old UID while its line is
 *    there.  Lines of vanished messages are kept until they are many (DEAD_MIN, a third of the living).  A UID
 *    is never given twice.
 * 3. A UID is on disk (fsync) before maildir_sync returns.  A message whose UID cannot be written waits.
 *
 * Renames
 *
 * readdir(3) promises nothing about a name that is renamed while it runs: it may show the old name,
 * the new one, both or neither.  So:
 *
 * - Neither: the scan looks for a file that a pass misses in another pass.  The file is gone only if a second or
 *   later pass misses it as well, and the directories stood still during that pass.  They stood still if their
 *   times are the same before and after, and older than the clock's tick: a rename within the tick would not
 *   change the times.  A file that any pass has seen counts as there; if it is not, opening it will show that.
 *   In a folder that never stands still (SCAN_PASSES) no message counts as gone: the list keeps it, and the
 *   next sync looks again.
 * - Both: the scan looks at two names of one base with fstatat(2).  A name that does not exist any more was
 *   renamed.  If both names are of the same inode, another program is between link and unlink, or died there:
 *   they are one message.  The second name is not removed: if the other program goes on to unlink the first,
 *   nothing would be left.  But maildir_remove removes all of them.  If the inodes are two, they are two
 *   messages, and both are served: the later one gets a base name of its own.
 * - A known name may be gone when we open, rename or remove it, because another program changed it.  Then the
 *   base name is looked up in both directories, a few times if need be, before ENOENT is believed.
 *
 * Names with an octet below 0x20 cannot be in dovecot-uidlist.  They are passed over with a notice, and so is all
 * that is not a regular file (check_mend.c renames such files).  Names that begin with a dot are not messages.
 *
 * Our own renames, and those that inotify tells of
 *
 * Our own changes of cur/ change its times as well.  Under the lock, a session compares the times just before its
 * changes with the index's, and writes those after to the index with the time of day (own_since).  A rename by another
 * program between the two, or in the same tick of the clock after them, does not show.  So one session has to look at
 * cur/ again some time later (times.c says when).  That look must not cost a reading of the directory each time.
 *
 * A session that idles watches cur/ by inotify.  From a moment at which cur/ was as the index says (watch_verified),
 * the watch remembers each name that came or went, and whether it is there now.  All other names are as they were, in
 * the directory and in the index, since our own sessions rename under the same eyes.  So a sync looks at the names of
 * the watch alone.  If all are what the index says, there was no change but our own.  Else they are taken in like
 * those of a directory.  In both cases cur/'s times are those of the index again, for all sessions.
 *
 * - Renames while the sync looks: times are taken first; they must be older than the tick, so that each later change
 *   gives others.  Then the session waits for the directory's lock in the kernel (wait_for_renames).  A rename holds
 *   that from before it changes the times until its event is queued.  Then the queue is read to its end.  So a change
 *   that the times show is among the names.  A later change gives other times at the next look.
 * - The order of events is that of the changes, since each is queued under that lock.  For each name the last counts.
 * - A base name that has left, that has two names, or whose name in the index inotify did not tell of, leads to the
 *   look at all files.  So does a queue that overflowed, more names than are kept (WATCH_NAMES), and a cur/ that is
 *   no longer the directory that the session watches.
 * - inotify tells of renames that go through this kernel.  A second server on another machine, or a file system in
 *   user space, can rename without its knowledge.  So the names are used on local file systems only (local_systems
 *   in watch.c).  On all others, and without a watch, the sync reads the directory.
 *
 * UIDs and UIDVALIDITY
 *
 * New messages get UIDs in the order of the delivery time in their file names, then of their names.
 * dovecot-uidlist (see uidlist.c) is written under the folder's lock and Dovecot's lock file, after it was
 * read again if it has changed.  Lines are appended if that is all there is to do; else the file is
 * replaced.  A process that was killed may have left lines that are not on disk: fsync is called for all
 * that the record does not know of.
 *
 * The record, in our lock file, is the UIDVALIDITY and next UID that were last given out.  If dovecot-uidlist
 * was cut, or some lines cannot be read, the other lines hold, and its next UID rises above the record's and
 * above all that was lost (uidlist_pass_lost).  It cannot be trusted if it is missing, if its header does not
 * parse, if its UIDs do not rise, if its UIDVALIDITY is older than the record's, or if it is whole and its next
 * UID is below the record's.  (The last case is no harm if its last line is as the index has it: then no
 * program has written to this older file.)  Its UIDs may have been given to other messages since.  So all
 * messages get new UIDs under a higher UIDVALIDITY (validity.c): mail clients fetch all of them again, and
 * all of the mail is served at once.  Lines that can be read still give POP3 UIDLs and ids.
 * The record is not fsynced: after a power failure it may be too low, and then says nothing.  Its
 * third number is for \Recent: the first UID that no IMAP session has told its client.
 *
 * Nothing can be written
 *
 * On a full disk, on a read-only file system and in a tree without rights to write, a sync does what needs no
 * writing (sync->frozen).  Messages with a line in dovecot-uidlist are served.  Files without a line stay where
 * they are and wait.  A dovecot-uidlist that must be replaced waits, too.  INDEX_WAITS makes each later look try
 * again.  If the UIDs themselves are lost, the sync fails.
 *
 * Without a lock file (folder->home.unlocked) a session is like any other program that reads a Maildir.  It writes
 * no file that the lock guards, and its index is in its own memory.  dovecot-uidlist is replaced by rename or
 * appended to: a reader finds it whole, or with an unfinished last line, which it reads again a moment later.
 * The record is read first, since it is written last.  A message is gone only after the second look, as always: a
 * scan never relied on the lock.  Flags and removals are renames and unlinks by name, which other programs do
 * without a lock as well.  Without the rights for them the folder is for reading only.
 *
 * Locks die with their holders, and the next session can go on from any state that is left: files moved to
 * cur/ without a UID get one; a temporary file is overwritten.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/lock.h"
#include "maildir/folder/sync.h"
#include "maildir/folder/times.h"
#include "maildir/folder/watch.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/* Odd names that a scan's notices tell of; more would only bury the log. */
enum { NOTICES_MOST = 3 };

/* --- what is there --- */

/* Gives a notice of an odd name.  A session reports files that are no messages once. */
static void
notice_odd(void *ctx, enum scan_odd odd, int dir, const char *name)
{
	static const struct {
		const char *text;
		bool once;
	} notices[] = {
	    [SCAN_ODD_DOT] = {NULL},
	    [SCAN_ODD_NAME] =
		{"has a name that no message can have; maildir check --repair renames it", true},
	    [SCAN_ODD_TYPE] = {"is not a regular file", true},
	    [SCAN_ODD_TWIN] = {NULL},
	    [SCAN_ODD_MOVED] = {"had the base name of another message: renamed"},
	    [SCAN_ODD_STUCK] = {"has the name of another and cannot be renamed"},
	};
	struct sync *sync = ctx;
	const struct mddir *home = &sync->folder->home;

	if (notices[odd].text == NULL || (notices[odd].once && sync->folder->odd_told) ||
	    sync->notices == NOTICES_MOST)
		return;
	sync->notices++;
	root_notice(home->md, "%s: %s/%s %s%s", home->name, dir == ENTRY_CUR ? "cur" : "new", name,
	    notices[odd].text, sync->notices == NOTICES_MOST ? " (and maybe more like it)" : "");
}

/* Begins the scan again, without the files that it has seen. */
static void
scan_restart(struct sync *sync)
{
	scan_clear(&sync->scan);
	scan_init(&sync->scan, sync->folder, notice_odd, sync);
}

/* Adds the files of the set, which their delivery has just put into cur/. */
static int
scan_set(struct sync *sync)
{
	for (size_t i = 0; i < sync->set->count; i++)
		if (scan_add(&sync->scan, ENTRY_CUR, sync->set->message[i].name) < 0)
			return -1;
	return 0;
}

/* Notes in the scan's files which of them belong to the set. */
static int
rank_set(struct sync *sync)
{
	const struct delivery_set *set = sync->set;

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		const struct delivered *message = &set->message[i];
		size_t file = scan_find(&sync->scan, message->name, message->base_len);

		if (file == SCAN_NONE) {
			errno = ENOENT;
			return -1;
		}
		sync->scan.file[file].rank = (uint32_t)i + 1;
	}
	return 0;
}

static int
scan_names(struct scan *scan, void *ctx)
{
	struct sync *sync = ctx;
	struct maildir_watch *watch = sync->folder->watch;
	const char *name;
	bool there;

	sync->by_names = watch_knows(watch, &scan->stamp[ENTRY_CUR]);
	for (size_t i = 0; sync->by_names && (name = watch_name(watch, i, &there)) != NULL; i++)
		if (there && scan_name(scan, ENTRY_CUR, name) < 0)
			return -1;
	return 0;
}

/* Looks only at the files that the watch remembers.  Returns 1 if nothing else has changed, or 0: look at all files. */
static int
look_at_names(struct sync *sync)
{
	if (scan_pass_with(&sync->scan, scan_names, sync) < 0)
		return -1;
	if (sync->by_names && sync_messages_of_names(sync))
		return 1;
	sync->by_names = false;
	scan_restart(sync);
	return 0;
}

/* Looks at the directories, as far as they may have changed. */
static int
look_at_files(struct sync *sync)
{
	struct scan *scan = &sync->scan;
	int r;

	if (sync->whole)
		r = scan_collect(scan, sync_complete, sync, &sync->sure);
	else
		r = sync->set != NULL ? scan_set(sync) : scan_pass_with(scan, NULL, NULL);
	if (r < 0)
		return -1;
	sync->folder->odd_told |= scan->passes > 0;
	if (scan->pairs > 0) {
		sync->unsettled = sync->frozen == 0;
		if (scan_separate(scan, sync->frozen == 0) < 0)
			return -1;
	}
	return rank_set(sync);
}

/* Looks at the files that may have changed.  Facts of all others come from the index, or from dovecot-uidlist. */
static int
look(struct sync *sync)
{
	int r = 0;

	sync->sure = true;
	if (sync->all_keywords && keywords_refresh(sync->folder->keywords) < 0)
		return -1;
	if (sync->by_names && (r = look_at_names(sync)) != 0) {
		sync->whole = false;
		return r < 0 ? -1 : sync_match(sync);
	}
	if (sync->with_lines)
		r = sync_load(sync);
	else if (sync->whole)
		r = sync_messages_of_index(sync);
	return r < 0 || look_at_files(sync) < 0 ? -1 : sync_match(sync);
}

/* The index is not enough: the next look reads all lines of dovecot-uidlist, and all files. */
static void
turn_to_lines(struct sync *sync)
{
	sync->with_lines = sync->whole = sync->all_keywords = true;
	sync->by_names = false;
	if (sync->set != NULL)
		scan_restart(sync);
}

/* --- what becomes of it --- */

/* Gives the state for the index: the times of the files as this sync has seen them, and its doubts. */
static void
state_after(struct sync *sync, struct index_state *state)
{
	const struct scan *scan = &sync->scan;
	bool cur = sync->whole || sync->by_names;
	unsigned read = cur ? INDEX_CUR | INDEX_NEW : INDEX_NEW;

	memset(state, 0, sizeof(*state));
	if (!sync->with_lines)
		*state = *index_state(sync->folder->index);
	if (scan->passes > 0) {
		state->dir[ENTRY_NEW] = scan->stamp[ENTRY_NEW];
		if (cur) {
			state->dir[ENTRY_CUR] = scan->stamp[ENTRY_CUR];
			state->own_since = 0;
		}
		state->doubt &= ~read;
		/* A file that only an earlier pass saw may be gone: then the next sync must look again. */
		if (!scan->still || sync->unsettled || (!sync->sure && sync->dead > 0) ||
		    !scan_saw_all(scan))
			state->doubt |= read;
	}
	if (sync->with_lines || sync->fresh_count > 0)
		state->uidlist = sync->uids.stamp;
	if (sync->all_keywords) {
		state->more = sync->folder->keywords->numbers.stamp;
		state->letters = sync->folder->keywords->letters.stamp;
	}
	state->next = sync->next;
	state->lines = (uint32_t)(sync->lines < UINT32_MAX ? sync->lines : UINT32_MAX);
	if (sync->waits > 0 || sync->held)
		state->doubt |= INDEX_WAITS;
	if (sync->moved || scan->passes == 0)
		times_change_end(sync->folder, state);
	if (sync->moved)
		state->doubt |= INDEX_NEW;
}

/* Gives one notice if messages wait for a UID, until no message waits any more. */
static void
notice_waits(const struct sync *sync)
{
	struct maildir_folder *folder = sync->folder;

	if (sync->waits > 0 && !folder->waits_told)
		root_notice(folder->home.md,
		    "%s: %zu new messages are not shown yet: no UID can be written: %s",
		    folder->home.name, sync->waits, strerror(sync->frozen));
	folder->waits_told = sync->waits > 0;
}

/* Writes the UIDs to the disk, and then the index. */
static int
write_all(struct sync *sync)
{
	struct uid_record record;
	struct index_state state;

	if (sync_write(sync) < 0)
		return -1;
	notice_waits(sync);
	record =
	    (struct uid_record){sync->validity, sync->next, sync_recent(sync), sync->record.modseq};
	/* A record that cannot be written costs only a check: the older one is below what is true. */
	if (sync->frozen == 0 && (record.validity != sync->record.validity ||
				     record.next != sync->record.next || sync->written))
		(void)!uid_record_write(&sync->folder->home, &record);
	for (size_t i = sync->set != NULL ? 0 : sync->count; i < sync->count; i++) {
		struct sync_message *message = &sync->message[i];
		uint32_t rank =
		    message->file != SCAN_NONE ? sync->scan.file[message->file].rank : 0;

		if (rank > 0)
			sync->set->message[rank - 1].uid = message->uid;
	}
	state_after(sync, &state);
	return sync_tell(sync, &state);
}

/* --- the stages --- */

/*
 * Looks without the lines of dovecot-uidlist if that is enough.  Then dovecot-uidlist is locked if it is to be
 * written.
 */
static int
look_enough(struct sync *sync)
{
	int enough = 0;

	if (sync_read_record(sync) < 0)
		return -1;
	if (!sync->with_lines && !sync_head_from_index(sync))
		turn_to_lines(sync);
	while (!sync->with_lines) {
		if (look(sync) < 0 || (enough = sync_join(sync)) < 0)
			return -1;
		if (enough > 0)
			return 0;
		turn_to_lines(sync);
	}
	if (look(sync) < 0)
		return -1;
	return sync_reload(sync);
}

static int
run_stages(struct sync *sync)
{
	struct maildir_folder *folder = sync->folder;

	/* A delivery has opened them already. */
	if (sync->set == NULL && folder_open_dirs(folder) < 0)
		return -1;
	if (look_enough(sync) < 0)
		return -1;
	if (sync->set == NULL && sync->fresh_count > 0 && !sync->all_keywords &&
	    keywords_refresh(folder->keywords) < 0)
		return -1;
	if (sync->scan.passes > 0 && times_change_begin(folder) < 0)
		return -1;
	/* Mail that waits for a UID stays in new/, where a look costs least. */
	if (sync->frozen == 0 && sync->scan.passes > 0 &&
	    scan_move_new(&sync->scan, &sync->moved) < 0)
		return -1;
	return write_all(sync);
}

/* Runs a sync under the folder's lock.  look: LOOK_* bits of times.h. */
static int
sync_folder(struct maildir_folder *folder, unsigned look, struct delivery_set *set)
{
	const unsigned lines = LOOK_ALL | LOOK_LINES | LOOK_WAITS;
	struct sync sync = {
	    .folder = folder,
	    .set = set,
	    .locked = set != NULL,
	    .uids = {.fd = -1},
	    .frozen = folder->home.unlocked,
	    .with_lines = (look & lines) != 0 || folder->home.unlocked != 0,
	    .all_keywords = (look & (lines | LOOK_MORE)) != 0,
	};
	int r, saved;

	sync.all_keywords |= sync.with_lines;
	sync.whole = sync.all_keywords || (look & (LOOK_CUR | LOOK_EACH)) != 0;
	sync.by_names =
	    sync.whole && !sync.all_keywords && (look & LOOK_EACH) == 0 && folder->watch != NULL;
	scan_init(&sync.scan, folder, notice_odd, &sync);
	r = run_stages(&sync);
	saved = errno;
	if (sync.locked && set == NULL)
		uidlist_lock_drop(&folder->home);
	uidfile_close(&sync.uids);
	scan_clear(&sync.scan);
	free(sync.message);
	free(sync.fresh);
	/* The index was found damaged: rebuild it. */
	if (r < 0 && !sync.with_lines && index_is_broken(folder->index))
		return sync_folder(folder, LOOK_ALL, set);
	errno = saved;
	return r;
}

/* Returns whether a UID can perhaps be written now. */
static bool
can_number(struct maildir_folder *folder)
{
	if (folder->home.unlocked != 0 || uidlist_lock_take(&folder->home) < 0)
		return false;
	uidlist_lock_drop(&folder->home);
	return true;
}

int
sync_now(struct maildir_folder *folder)
{
	unsigned look = LOOK_ALL;

	if (index_is_current(folder->index))
		look = times_compare(folder);
	if (look == 0 || (look == LOOK_WAITS && !can_number(folder)))
		return 0;
	return sync_folder(folder, look, NULL);
}

int
sync_again(struct maildir_folder *folder)
{
	unsigned look = LOOK_ALL;

	if (index_is_current(folder->index))
		look = LOOK_EACH | times_compare(folder);
	return sync_folder(folder, look, NULL);
}

int
sync_all(struct maildir_folder *folder)
{
	(void)index_is_current(folder->index);
	return sync_folder(folder, LOOK_ALL, NULL);
}

int
sync_delivered(struct maildir_folder *folder, struct delivery_set *set)
{
	return sync_folder(folder, index_is_current(folder->index) ? 0 : LOOK_ALL, set);
}

/* While another session has the lock, wait: after its look this session reads the result from the index. */
enum { WAIT_FIRST_MS = 2, WAIT_MOST_MS = 20, WAIT_ALL_MS = 30 * 1000 };

int
maildir_sync(struct maildir_folder *folder)
{
	uint64_t begun = mdclock_now_ms();
	unsigned wait = WAIT_FIRST_MS;
	int r;

	/* Within a batch, which began with a sync, no other session of ours can have changed anything. */
	if (mddir_in_batch(&folder->home))
		return 0;

	if (folder->watch != NULL)
		watch_look_begins(folder->watch);
	for (;;) {
		if (times_look(folder) == 0)
			return 0;
		if (mdlock_enter(&folder->home, false) == 0)
			break;
		if (errno != EAGAIN)
			return -1;
		if (mdclock_now_ms() - begun > WAIT_ALL_MS) {
			errno = ENOLCK;
			return -1;
		}
		mdclock_sleep_ms(wait);
		wait = wait * 2 < WAIT_MOST_MS ? wait * 2 : WAIT_MOST_MS;
	}
	r = sync_now(folder);
	mdlock_folder_drop(&folder->home);
	return r;
}
