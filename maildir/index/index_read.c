/*
 * index_read.c: opens the index, takes in what others write to it, and replaces it when it was replaced.
 * Runs as: mail user.
 *
 * A folder has three files of ours: sallyport.index, a snapshot of all messages (index_snapshot.c);
 * sallyport.log, the changes since (index_log.c); sallyport.texts, texts that were made from messages for
 * FETCH and SEARCH (index_summaries.c).  Everything that must not be lost is elsewhere: flags and letters of keywords
 * in file names, UIDs in dovecot-uidlist, other keywords in sallyport.keywords.
 *
 * Reading
 *
 * A session maps the snapshot, which all sessions share and no session changes, and reads the log on from where it
 * stopped.  In its own memory it keeps only the places of newer records in the log (index_places.h).  A message's
 * place is its number in the list, from 0.  The list is that of the snapshot, without the messages that are gone, and
 * then the later messages in the order of the log, which is the order of UIDs.  It may have messages that the client
 * does not know yet.
 *
 * Damage
 *
 * A block of the snapshot is verified when it is first touched, and a record of the log when it is taken in; so
 * damage from before is found.  After that only lengths and places are checked, on a copy.  If damage is found, or if
 * a file is cut under the session, the index is broken: functions report an error, the next sync rebuilds the index,
 * and a session that has numbered messages for its client ends.  Octets that somebody overwrites in place may be
 * believed until the next change: before it, the holder of the lock compares the snapshot's times (index_is_current).
 * Before a file gets a UID, or a message counts as gone, it also verifies the log again (index_is_untouched).
 *
 * Writing
 *
 * A session writes under the folder's lock, after it has read the log to its end, and only if its snapshot is the one
 * on the disk (index_is_current).  First it changes the messages' files, then it appends the records to the log, and
 * after them the state of the folder (times of directories) as the last record.  If it dies in between, the
 * directories differ from the last state, and the next session looks through them.  The log is not fsynced: after a
 * power failure it lacks its end, or is damaged, and again the times differ.
 *
 * When the log has grown, a new snapshot is written under another name, fsynced and renamed, then an empty log in the
 * same way.  Between the two renames the log belongs to another snapshot, as the id in its head shows; a session that
 * opens the index then rebuilds the list, but keeps the facts about messages.  Sessions that have the old log open
 * notice that it has no name any more.  The new snapshot says which log it continues and up to which place, so that
 * they go on without looking at a single message.
 *
 * If the disk is full or cannot be written, the index is private: new records stay in the session's memory, and so
 * does a new snapshot.  Each new snapshot tries the disk first.
 *
 * Modification sequences
 *
 * are times in about microseconds, but always above the last one.  So they rise even if the index is lost, and no
 * client misses a change because a number was given twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/root.h"
#include "maildir/base/uid_record.h"
#include "maildir/index/index_private.h"

void
index_say(const struct index *index, enum maildir_change change, uint32_t uid)
{
	if (!index->quiet)
		index->tell(index->ctx, change, uid);
}

bool
index_is_broken(const struct index *index)
{
	return index->broken || index->snap.broken || mapping_broken(&index->log.map);
}

bool
index_is_private(const struct index *index)
{
	return index->open && index_log_is_private(&index->log);
}

void
index_break(struct index *index)
{
	index->broken = true;
}

bool
index_is_open(const struct index *index)
{
	return index->open;
}

bool
index_is_stale(const struct index *index)
{
	return index->stale;
}

bool
index_in_batch(const struct index *index)
{
	return index_log_in_batch(&index->log);
}

uint32_t
index_validity(const struct index *index)
{
	return index->snap.head.validity;
}

const char *
index_folder_guid(const struct index *index)
{
	return index->snap.head.guid;
}

const struct index_state *
index_state(const struct index *index)
{
	return &index->state;
}

void
index_saw_keywords(struct index *index, const struct file_stamp *stamp)
{
	index->state.more = *stamp;
}

void
index_counts(const struct index *index, struct maildir_counts *counts_r)
{
	*counts_r = (struct maildir_counts){
	    .messages = index_count(index),
	    .unseen = index->unseen,
	    .deleted = index->deleted,
	    .octets = index->octets,
	    .octets_known = index->sized == index_count(index),
	};
}

/* --- taking in the log --- */

static void
count_record(struct index *index, const struct index_record *record, int sign)
{
	uint64_t one = (uint64_t)(int64_t)sign;

	if ((record->flags & MAILDIR_SEEN) == 0)
		index->unseen += one;
	if ((record->flags & MAILDIR_TRASHED) != 0)
		index->deleted += one;
	if (index_is_sized(record)) {
		index->sized += one;
		index->octets += one * record->wire;
	}
}

/* Subtracts a message of the list from the counts.  Returns false if its record is broken. */
static bool
uncount(struct index *index, const struct index_where *where, struct index_record *was_r)
{
	if (!index_load(index, where, was_r))
		return false;
	count_record(index, was_r, -1);
	return true;
}

static void
take_put(struct index *index, const struct index_record *now, uint64_t at)
{
	struct index_where where;
	struct index_record was = *now;
	bool there = index_where(index, now->uid, &where), set;
	bool back = !there && (where.in_snapshot || now->uid < index->known);

	if (now->modseq > index->state.modseq)
		index->state.modseq = now->modseq;
	/* A UID that is in no list must be above all others: writers give rising UIDs. */
	if (there ? !uncount(index, &where, &was)
		  : !where.in_snapshot && now->uid < index->state.next) {
		index->broken = true;
		return;
	}
	count_record(index, now, 1);
	if (where.in_snapshot) {
		places_unset(&index->gone, where.place);
		set = places_set(&index->changed, where.place, at);
	} else {
		set = places_set(&index->added, now->uid, at);
		if (!there)
			index->state.next = now->uid + 1;
	}
	index->broken = index->broken || !set;
	if (back || !index_same_marks(&was, now))
		index_say(index, back ? MAILDIR_BACK : MAILDIR_CHANGED, now->uid);
}

static void
take_gone(struct index *index, const struct index_vanished *vanished)
{
	struct index_record was;
	struct index_where where;

	if (vanished->modseq > index->state.modseq)
		index->state.modseq = vanished->modseq;
	if (!index_where(index, vanished->uid, &where)) {
		/* Also a message that was never listed has a UID above all that were given: see index_put_dead. */
		index->broken = index->broken || vanished->uid < index->state.next;
		return;
	}
	if (!uncount(index, &where, &was))
		return;
	if (where.in_snapshot) {
		places_unset(&index->changed, where.place);
		if (!places_set(&index->gone, where.place, 0))
			index->broken = true;
	} else {
		places_unset(&index->added, vanished->uid);
	}
	index_say(index, MAILDIR_GONE, vanished->uid);
}

void
index_take(void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at)
{
	struct index *index = ctx;
	struct index_record record;
	struct index_vanished vanished;

	if (type == LOG_PUT && size >= sizeof(record)) {
		memcpy(&record, payload, sizeof(record));
		if (index_record_is_sane(&record))
			take_put(index, &record, at);
		else
			index->broken = true;
	} else if (type == LOG_GONE && size >= sizeof(vanished)) {
		memcpy(&vanished, payload, sizeof(vanished));
		if (vanished.modseq <= INDEX_MODSEQ_MAX)
			take_gone(index, &vanished);
		else
			index->broken = true;
	} else if (type == LOG_STATE && size >= sizeof(index->state)) {
		memcpy(&index->state, payload, sizeof(index->state));
		index->broken = index->broken || index->state.modseq > INDEX_MODSEQ_MAX;
	} else {
		index->broken = true;
	}
}

/* --- opening --- */

void
index_init(struct index *index, const struct index *like)
{
	*index = (struct index){
	    .dir = like->dir,
	    .tell = like->tell,
	    .ctx = like->ctx,
	    .known = like->known,
	    .summaries = {.fd = -1},
	};
	index_log_begin(0, &index->log);
}

struct index *
index_new(struct mddir *dir, index_tell *tell, void *ctx)
{
	const struct index like = {.dir = dir, .tell = tell, .ctx = ctx};
	struct index *index = malloc(sizeof(*index));

	if (index != NULL)
		index_init(index, &like);
	return index;
}

void
index_close(struct index *index)
{
	snapshot_close(&index->snap);
	index_log_close(&index->log);
	summaries_close(&index->summaries);
	places_clear(&index->changed);
	places_clear(&index->added);
	places_clear(&index->gone);
	index_init(index, index);
}

void
index_free(struct index *index)
{
	if (index != NULL)
		index_close(index);
	free(index);
}

void
index_start(struct index *index)
{
	const struct snapshot_head *head = &index->snap.head;

	index->state = head->state;
	index->octets = head->octets;
	index->sized = head->sized;
	index->unseen = head->unseen;
	index->deleted = head->deleted;
	index->open = true;
}

void
index_distrust(struct index *index)
{
	index->stale = true;
	memset(&index->state.uidlist, 0, sizeof(index->state.uidlist));
	index->state.doubt |= INDEX_CUR | INDEX_NEW | INDEX_LINES;
}

/* Returns whether a file was opened.  A forbidden file is rebuilt like a damaged one, and a notice reports it. */
static bool
opened(const struct index *index, const char *name, int r)
{
	if (r < 0 && (errno == EACCES || errno == EPERM))
		file_notice(index->dir->md, index->dir->fd, name, errno);
	return r == 0;
}

/* Opens the files as they are now.  The log is not read yet. */
static bool
read_files(const struct index *like, struct index *index)
{
	index_init(index, like);
	if (!opened(index, SNAPSHOT_NAME, snapshot_open(index->dir->fd, &index->snap)))
		return false;
	index_start(index);
	/* Without its log the snapshot's list is old, but its facts about messages are true. */
	if (!opened(
		index, LOG_NAME, index_log_open(index->dir->fd, index->snap.head.id, &index->log)))
		index_distrust(index);
	return true;
}

struct summaries *
index_summaries(struct index *index, bool make)
{
	uint64_t id = index->snap.head.texts;

	if (!index->open)
		return NULL;
	if (index->summaries.fd >= 0 && index->summaries.id == id)
		return &index->summaries;
	summaries_close(&index->summaries);
	if (opened(index, SUMMARIES_NAME, summaries_open(index->dir->fd, id, &index->summaries)))
		return &index->summaries;
	if (make && !index_is_private(index) && index->dir->unlocked == 0 &&
	    summaries_create(index->dir->md, index->dir->fd, id, &index->summaries) == 0)
		return &index->summaries;
	return NULL;
}

/* --- replacing it --- */

/* Calls tell for each difference between two lists.  Returns false if one of them is broken. */
static bool
compare_lists(struct index *old, struct index *now)
{
	size_t olds = index_count(old), news = index_count(now), i = 0, j = 0;
	struct index_record was = {0}, is = {0};

	while (i < olds || j < news) {
		if ((i < olds && !index_record(old, i, &was)) ||
		    (j < news && !index_record(now, j, &is)))
			return false;
		if (j == news || (i < olds && was.uid < is.uid)) {
			index_say(now, MAILDIR_GONE, was.uid);
			i++;
		} else if (i == olds || is.uid < was.uid) {
			if (is.uid < now->known)
				index_say(now, MAILDIR_BACK, is.uid);
			j++;
		} else {
			if (!index_same_marks(&was, &is))
				index_say(now, MAILDIR_CHANGED, is.uid);
			i++;
			j++;
		}
	}
	return true;
}

/* Returns whether the new snapshot is exactly the old list: the old snapshot with all of its log, read to its end. */
static bool
follows(const struct index *old, const struct index *now)
{
	const struct snapshot_head *head = &now->snap.head;

	return old->open && !index_is_broken(old) && !index_log_in_batch(&old->log) &&
	       head->before == old->snap.head.id && head->before_at == old->log.end;
}

/* If the new index continues the old one, reading its log reports the changes; else comparing the two lists does. */
void
index_switch(struct index *index, struct index *now)
{
	struct index old = *index;
	bool goes_on = follows(&old, now);

	if (old.open && old.state.next > now->known)
		now->known = old.state.next;
	*index = *now;
	index->quiet = !goes_on;
	(void)!index_log_read_on(&index->log, index_take, index);
	index->quiet = false;
	if (!goes_on && old.open &&
	    (index_is_broken(&old) || old.snap.head.validity != index->snap.head.validity ||
		!compare_lists(&old, index)))
		index_say(index, MAILDIR_REPLACED, 0);
	index_close(&old);
}

/* Opens the files again: they were replaced. */
static bool
reload(struct index *index)
{
	struct index now;

	if (!read_files(index, &now))
		return false;
	index_switch(index, &now);
	return !index_is_broken(index);
}

/* --- looking --- */

/* Returns whether another session has made an index on a disk where this session had left none. */
static bool
is_back(const struct index *index)
{
	struct stat st;

	return index_is_private(index) && index->disk == DISK_EMPTY &&
	       fstatat(index->dir->fd, SNAPSHOT_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Raises a private index's modification sequence to the highest that other sessions have told their clients. */
static void
rise(struct index *index)
{
	struct uid_record record;

	if (index->dir->lock_fd >= 0 && uid_record_read(index->dir, &record) == 0 &&
	    record.validity == index->snap.head.validity && record.modseq > index->state.modseq)
		index->state.modseq = record.modseq;
}

bool
index_refresh(struct index *index)
{
	bool replaced;

	if (!index->open) {
		if (!read_files(index, index))
			return false;
		(void)!index_log_read_on(&index->log, index_take, index);
		return !index_is_broken(index);
	}
	if (index_is_broken(index))
		return false;
	if (index_log_in_batch(&index->log))
		return true; /* under the lock */
	if (is_back(index))
		return reload(index);
	if (index_is_private(index))
		rise(index);
	if (!index_log_grew(&index->log, &replaced))
		return true;
	if (index_log_read_on(&index->log, index_take, index) < 0)
		return false;
	return replaced ? reload(index) : !index_is_broken(index);
}

/* Returns whether the open file was not written to since.  A new name or mode does not matter. */
static bool
is_untouched(const struct file_stamp *opened, const struct file_stamp *now)
{
	return opened->size == now->size && opened->mtime.tv_sec == now->mtime.tv_sec &&
	       opened->mtime.tv_nsec == now->mtime.tv_nsec;
}

/* Returns whether nobody has written into the snapshot since it was opened. */
static bool
snapshot_is_untouched(struct index *index)
{
	struct file_stamp disk;

	if (index_is_private(index))
		return true;
	if (file_stamp_at(index->dir->fd, SNAPSHOT_NAME, &disk) < 0 ||
	    disk.ino != index->snap.stamp.ino || disk.dev != index->snap.stamp.dev)
		return false;
	if (is_untouched(&index->snap.stamp, &disk))
		return true;
	snapshot_doubt(&index->snap);
	return false;
}

bool
index_is_untouched(struct index *index)
{
	index->broken = index->broken || !index_log_verify(&index->log);
	return !index_is_broken(index) && snapshot_is_untouched(index);
}

bool
index_is_current(struct index *index)
{
	if (!index_refresh(index))
		return false;
	/* The missing log may be in its place by now; and a session that has the lock again continues the common
	 * files. */
	if (index_is_private(index) &&
	    (index->stale || (index->disk == DISK_UNLOCKED && index->dir->unlocked == 0)) &&
	    !reload(index))
		return false;
	return snapshot_is_untouched(index);
}
