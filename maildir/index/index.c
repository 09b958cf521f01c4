/*
 * index.c: what all sessions know of a folder together.
 * Runs as: mail user.
 *
 * Three files of ours in the folder: sallyport.index, a snapshot of all messages (index_snapshot.c);
 * sallyport.log, what has changed since (index_log.c); sallyport.texts, what was made of messages for
 * FETCH and SEARCH (index_texts.c).  All that cannot be lost is elsewhere: flags and letters of keywords
 * in file names, UIDs in dovecot-uidlist, other keywords in sallyport.keywords.
 *
 * Reading
 *
 * A session maps the snapshot, which all sessions share and nobody changes, and reads the log from
 * where it was.  What it keeps of its own is small: for a message of which the log speaks, where it does
 * so.  Places (sequence numbers, but for what a client was not told) are counted from the snapshot's
 * order, less those that are gone, then the later ones in the order of the log, which is that of UIDs.
 * Each record is copied and its checksum verified whenever it is looked at; so a file that is damaged
 * underneath gives no wrong answer but none, and the next sync makes it anew.  Which messages the damaged
 * records were of is known from the UIDs beside them; where that is not sure a session must end (index_compare.c).
 *
 * Writing
 *
 * Under the folder's lock, and only by one who has read the log to its end and has the snapshot that
 * lies on the disk (index_is_current).  First the files of messages change, then the log says so, with the
 * state of the folder (times of directories) behind it as the last record.  Who dies between leaves
 * directories that are not as the last state has them, and the next one looks through them.  The log is
 * not fsynced: after a power failure it lacks its end, or is damaged, and again the times differ.
 *
 * When the log has grown a new snapshot is made: written beside, fsynced, renamed, then an empty log in the
 * same way.  Between the two renames the log is another snapshot's, which the id in its head tells:
 * then the list is made anew, and what was learned of messages stays.  Sessions that have the old log
 * open see that it has no name any more; the new snapshot says which log it continues and how
 * far that was read, so that they go on without looking at a single message.
 *
 * When nothing can be written -- a full disk, a file system for reading only -- the session keeps log
 * and snapshot in its own memory, and tries again with the next snapshot.
 *
 * Modification sequences
 *
 * are times (microseconds, about), but always above the last one; so they rise though all of the index is
 * lost, and no client misses a change because a number was given twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/record.h"
#include "maildir/base/root.h"
#include "maildir/index/index.h"
#include "maildir/index/index_compare.h"
#include "maildir/index/index_view.h"

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

/* One of the snapshot's.  What it was may be damaged: then it counts as changed, also when it is whole again. */
static void
take_change(struct index *index, uint32_t place, const struct index_record *now, uint64_t at)
{
	struct index_record was;
	struct index_where where;
	bool back = places_have(&index->gone, place), known;

	index_where_place(index, place, &where);
	known = !back && index_load(index, &where, &was);
	if (known)
		count_record(index, &was, -1);
	if (back)
		places_unset(&index->gone, place);
	count_record(index, now, 1);
	if (!places_set(&index->changed, place, at))
		index->damaged = true;
	else if (back)
		index_tell(index, MAILDIR_BACK, now->uid);
	else if (!known || !index_same_marks(&was, now))
		index_tell(index, MAILDIR_CHANGED, now->uid);
}

/* A later one. */
static void
take_add(struct index *index, const struct index_record *now, uint64_t at)
{
	size_t i = places_find(&index->added, now->uid);
	bool there = places_are(&index->added, i, now->uid), known;
	struct index_record was;
	const struct index_where where = {
	    .in_log = true, .at = there ? index->added.list[i].at : 0, .uid = now->uid};

	/* No writer puts one between others that was not there. */
	if (!there && (i < index->added.count || now->uid < index->state.next)) {
		index->damaged = true;
		return;
	}
	known = there && index_load(index, &where, &was);
	if (known)
		count_record(index, &was, -1);
	count_record(index, now, 1);
	if (!places_set(&index->added, now->uid, at))
		index->damaged = true;
	else if (!there && now->uid < index->known)
		index_tell(index, MAILDIR_BACK, now->uid);
	else if (there && (!known || !index_same_marks(&was, now)))
		index_tell(index, MAILDIR_CHANGED, now->uid);
	if (!there)
		index->state.next = now->uid + 1;
}

static void
take_put(struct index *index, const struct index_record *now, uint64_t at)
{
	uint32_t place;

	if (now->modseq > index->state.modseq)
		index->state.modseq = now->modseq;
	if (index_place(index, now->uid, &place))
		take_change(index, place, now, at);
	else
		take_add(index, now, at);
}

static void
take_gone(struct index *index, const struct index_vanished *vanished)
{
	struct index_record was;
	struct index_where where;
	uint32_t place;

	if (vanished->modseq > index->state.modseq)
		index->state.modseq = vanished->modseq;
	if (!index_where(index, vanished->uid, &where)) {
		/* Those that nobody had heard of are above all that were there. */
		index->damaged = index->damaged || vanished->uid < index->state.next;
		return;
	}
	if (index_load(index, &where, &was))
		count_record(index, &was, -1);
	if (index_place(index, vanished->uid, &place)) {
		places_unset(&index->changed, place);
		if (!places_set(&index->gone, place, 0))
			index->damaged = true;
	} else {
		places_unset(&index->added, vanished->uid);
	}
	index_tell(index, MAILDIR_GONE, vanished->uid);
}

static void
take(void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at)
{
	struct index *index = ctx;
	struct index_record record;
	struct index_vanished vanished;

	if (type == LOG_PUT && size >= sizeof(record)) {
		memcpy(&record, payload, sizeof(record));
		take_put(index, &record, at);
	} else if (type == LOG_GONE && size >= sizeof(vanished)) {
		memcpy(&vanished, payload, sizeof(vanished));
		take_gone(index, &vanished);
	} else if (type == LOG_STATE && size >= sizeof(index->state)) {
		memcpy(&index->state, payload, sizeof(index->state));
	} else {
		index->damaged = true;
	}
}

/* --- opening --- */

/* An index without a list, for the same folder as like, and of the same session. */
static void
index_init(struct index *index, const struct index *like)
{
	*index = (struct index){
	    .dir = like->dir,
	    .tell = like->tell,
	    .ctx = like->ctx,
	    .known = like->known,
	    .log = {.fd = -1},
	    .texts = {.fd = -1},
	};
}

void
index_close(struct index *index)
{
	snapshot_close(&index->snap);
	index_log_close(&index->log);
	texts_close(&index->texts);
	places_clear(&index->changed);
	places_clear(&index->added);
	places_clear(&index->gone);
	index_init(index, index);
}

struct index *
index_new(
    struct mddir *dir, void (*tell)(void *ctx, enum maildir_change change, uint32_t uid), void *ctx)
{
	struct index *index = malloc(sizeof(*index));

	if (index == NULL)
		return NULL;
	*index = (struct index){.dir = dir, .tell = tell, .ctx = ctx};
	index_init(index, index);
	return index;
}

void
index_tell(const struct index *index, enum maildir_change change, uint32_t uid)
{
	if (!index->quiet)
		index->tell(index->ctx, change, uid);
}

void
index_free(struct index *index)
{
	int saved = errno;

	if (index != NULL)
		index_close(index);
	free(index);
	errno = saved;
}

static void
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

/* Whether a file was opened.  One that must not be opened is rebuilt like a damaged one; the notice says why. */
static bool
opened(const struct index *index, const char *name, int r)
{
	if (r < 0 && (errno == EACCES || errno == EPERM))
		file_notice(index->dir->md, index->dir->fd, name, errno);
	return r == 0;
}

/* The files as they are now, into an empty index; the log is not read yet. */
static bool
index_read_files(const struct index *like, struct index *index)
{
	index_init(index, like);
	if (!opened(index, SNAPSHOT_NAME, snapshot_open(index->dir->fd, &index->snap)))
		return false;
	index_start(index);
	if (opened(
		index, LOG_NAME, index_log_open(index->dir->fd, index->snap.head.id, &index->log)))
		return true;
	/* Without its log a snapshot is old, but what it knows of messages is true. */
	if (index_log_own(index->snap.head.id, NULL, &index->log) < 0) {
		index_close(index);
		return false;
	}
	index->own = true;
	index_distrust(index);
	return true;
}

bool
index_is_good(const struct index *index)
{
	return index->open && !index->damaged && !mapping_broken(&index->snap.map) &&
	       !mapping_broken(&index->log.map);
}

/* Whether a new snapshot is what the old one was when its log, which was read to its end, ended. */
static bool
index_follows(const struct index *old, const struct index *now)
{
	const struct snapshot_head *head = &now->snap.head;

	return index_is_good(old) && old->log.pending.len == 0 &&
	       head->before == old->snap.head.id && head->before_at == old->log.end;
}

/* Puts another index, whose log is not read yet, in the place of the folder's, and tells what is
 * different: as its log is read, when it goes on from the old one, or else by comparing the two. */
static void
index_switch(struct index *index, struct index *now)
{
	struct index old = *index;
	bool follows = index_follows(&old, now);

	if (old.open && old.state.next > now->known)
		now->known = old.state.next;
	*index = *now;
	index->quiet = !follows;
	(void)!index_log_read_on(&index->log, take, index);
	index->quiet = false;
	if (!follows)
		index_compare(&old, index);
	index_close(&old);
}

bool
index_open(struct index *index)
{
	if (!index->open) {
		if (!index_read_files(index, index))
			return false;
		(void)!index_log_read_on(&index->log, take, index);
	}
	return index_is_good(index);
}

/*
 * What lies on the disk is going to be older than what is told from our own memory, and might still look
 * true to the next session: away with it, if that at least is possible.
 */
static bool
index_leave_disk(const struct index *index)
{
	bool left;

	if (index->dir->unlocked != 0)
		return false;
	left = unlinkat(index->dir->fd, SNAPSHOT_NAME, 0) == 0 || errno == ENOENT;

	(void)unlinkat(index->dir->fd, LOG_NAME, 0);
	return left;
}

/* Whether another session could write, and has made one for all. */
static bool
index_is_back(const struct index *index)
{
	struct stat st;

	return index->own && index->left &&
	       fstatat(index->dir->fd, SNAPSHOT_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The files are others than those that are open. */
static bool
index_reload(struct index *index)
{
	struct index now;

	if (!index_read_files(index, &now))
		return false;
	index_switch(index, &now);
	return index_is_good(index);
}

/* Sessions that have each their own in memory tell no lower modification sequence than the others. */
static void
index_rise(struct index *index)
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

	if (!index->open)
		return index_open(index);
	if (!index_is_good(index))
		return false;
	if (index->log.pending.len > 0)
		return true; /* in the middle of a batch, under the lock */
	if (index_is_back(index))
		return index_reload(index);
	if (index->own)
		index_rise(index);
	if (!index_log_grew(&index->log, &replaced))
		return true;
	if (index_log_read_on(&index->log, take, index) < 0)
		return false;
	if (!replaced)
		return index_is_good(index);
	return index_reload(index);
}

bool
index_is_current(struct index *index)
{
	struct file_stamp disk;

	if (!index_refresh(index))
		return false;
	/* A log that was missing may have been about to be put in its place; and with the lock we go on from what all
	 * sessions have. */
	if (index->own && (index->stale || (index->apart && index->dir->unlocked == 0)) &&
	    !index_reload(index))
		return false;
	if (index->own)
		return true;
	return file_stamp_at(index->dir->fd, SNAPSHOT_NAME, &disk) == 0 &&
	       disk.ino == index->snap.stamp.ino && disk.dev == index->snap.stamp.dev;
}

/* --- changes --- */

uint64_t
index_modseq(const struct index *index)
{
	struct timespec now;
	uint64_t modseq;

	clock_gettime(CLOCK_REALTIME, &now);
	modseq = (uint64_t)now.tv_sec << 20 | (uint64_t)now.tv_nsec / 1000;
	if (modseq <= index->state.modseq)
		modseq = index->state.modseq + 1;
	return modseq;
}

/* From now on this process's own. */
static int
index_turn_own(struct index *index)
{
	struct index_log own;

	if (index->own || index_log_own(index->log.id, &index->log, &own) < 0)
		return -1;
	index_log_close(&index->log);
	index->log = own;
	index->own = true;
	index->apart = index->dir->unlocked != 0;
	index->left = index_leave_disk(index);
	return 0;
}

/* In the record, which tells an old index that was put back from the one that was last used. */
static void
index_note_modseq(struct index *index)
{
	if (index->state.modseq > index->noted &&
	    uid_record_modseq(index->dir, index->state.modseq) == 0)
		index->noted = index->state.modseq;
}

int
index_flush(struct index *index)
{
	if ((index->dir->unlocked == 0 || index->own) && index_log_flush(&index->log) == 0)
		return 0;
	return index_turn_own(index);
}

static int
index_add(struct index *index, enum log_type type, const void *payload, size_t size)
{
	/* A batch of very many: what is in the list so far is a snapshot as good as any. */
	if (index->log.end + index->log.pending.len > LOG_COMPACT &&
	    index_compact(index, NULL, 0) < 0)
		return -1;
	if (index_log_put(&index->log, type, payload, size, take, index) == 0)
		return 0;
	index->damaged = true;
	return -1;
}

int
index_put(struct index *index, const struct index_message *message)
{
	size_t size = index_strings_size(&message->record);
	struct index_message put;

	put.record = message->record;
	memcpy(put.strings, message->strings, size);
	put.record.base_hash = index_base_hash(index, put.strings, put.record.base_len);
	put.record.strings = put.record.strings_check = 0; /* the log's own checksum is of all */
	put.record.check = 0;
	return index_add(index, LOG_PUT, &put, sizeof(put.record) + size);
}

int
index_put_gone(struct index *index, uint32_t uid, uint64_t modseq)
{
	struct index_vanished vanished = {.uid = uid, .modseq = modseq};
	struct index_record record;
	struct index_where where;

	if (!index_where(index, uid, &where))
		return 0;
	if (index_load(index, &where, &record))
		vanished.base_hash = record.base_hash;
	return index_add(index, LOG_GONE, &vanished, sizeof(vanished));
}

int
index_put_dead(struct index *index, uint32_t uid, const char *base, size_t len)
{
	struct index_vanished vanished = {.uid = uid, .modseq = index->state.modseq};

	vanished.base_hash = index_base_hash(index, base, len);
	return index_add(index, LOG_GONE, &vanished, sizeof(vanished));
}

int
index_commit(struct index *index, const struct index_state *state)
{
	struct index_state put = *state;

	if (put.modseq < index->state.modseq)
		put.modseq = index->state.modseq;
	if (put.next < index->state.next)
		put.next = index->state.next;
	if (index_add(index, LOG_STATE, &put, sizeof(put)) < 0 || index_flush(index) < 0)
		return -1;
	index_note_modseq(index);
	/* A snapshot that cannot be made now is made after the next change. */
	if (index->log.end > LOG_COMPACT || index->log.records > LOG_COMPACT_RECORDS)
		(void)!index_compact(index, NULL, 0);
	return 0;
}

/* Opens what the writer has just put on the disk; or keeps it, when that failed. */
static int
index_reopen(struct index *index, struct snapshot_writer *writer, struct index *now)
{
	index_init(now, index);
	if (index->dir->unlocked == 0 &&
	    snapshot_writer_store(writer, index->dir->md, index->dir->fd) == 0 &&
	    snapshot_open(index->dir->fd, &now->snap) == 0) {
		if (index_log_create(index->dir->md, index->dir->fd, writer->head.id, &now->log) ==
		    0) {
			index_start(now);
			return 0;
		}
		snapshot_close(&now->snap);
	}
	if (snapshot_writer_keep(writer, &now->snap) < 0)
		return -1;
	if (index_log_own(writer->head.id, NULL, &now->log) < 0) {
		snapshot_close(&now->snap);
		return -1;
	}
	now->own = true;
	now->apart = index->dir->unlocked != 0;
	now->left = index_leave_disk(index);
	index_start(now);
	return 0;
}

int
index_replace(struct index *index, struct snapshot_writer *writer)
{
	struct index now;

	if (index_reopen(index, writer, &now) < 0)
		return -1;
	index_switch(index, &now);
	index_note_modseq(index);
	return 0;
}

/* --- texts --- */

struct texts *
index_texts(struct index *index, bool make)
{
	uint64_t id = index->snap.head.texts;

	if (!index->open)
		return NULL;
	if (index->texts.fd >= 0 && index->texts.id == id)
		return &index->texts;
	texts_close(&index->texts);
	if (opened(index, TEXTS_NAME, texts_open(index->dir->fd, id, &index->texts)))
		return &index->texts;
	if (make && !index->own && index->dir->unlocked == 0 &&
	    texts_create(index->dir->md, index->dir->fd, id, &index->texts) == 0)
		return &index->texts;
	return NULL;
}
