/*
 * sync_quick.c: a sync that does not read what has not changed.
 * Runs as: mail user.
 *
 * The index says which messages there were, and how cur/, new/ and dovecot-uidlist looked then.  Where
 * dovecot-uidlist is still that file, its lines need not be read: new mail is read from new/, numbered from
 * the next UID on and appended.  Where cur/ is another too it is read once, and compared with the index;
 * flags that others changed are taken in.  Whatever is less plain -- a file is missing, two have one base
 * name, a name is known from a message that vanished -- is for sync.c, which looks twice.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/own.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

enum { NOT_ENOUGH = 1 };

/* Of a file that the index knows: it has a line in dovecot-uidlist, and which one is of no matter here. */
#define KNOWN_LINE 0

/* --- has anything changed? --- */

/* Whether there is no file in new/; read without a lock. */
static bool
new_is_empty(struct maildir_folder *folder)
{
	DIR *dir = file_read_dir(folder->home.fd, "new", NULL);
	struct dirent *entry;
	bool empty = true;

	if (dir == NULL)
		return false;
	while (empty && (errno = 0, entry = readdir(dir)) != NULL)
		empty = entry->d_name[0] == '.';
	empty = empty && errno == 0;
	(void)closedir(dir);
	return empty;
}

/* In times that were read within the same tick as a change, later changes would not show. */
static bool
new_changed(struct maildir_folder *folder, const struct file_stamp *now)
{
	const struct index_state *state = index_state(folder->index);

	if (!file_stamp_same(now, &state->dir[ENTRY_NEW]))
		return true;
	return (state->doubt & INDEX_NEW) != 0 && (stamp_is_settled(now) || !new_is_empty(folder));
}

/* A number's keyword may have got a letter since: then the letter is what messages have. */
static bool
more_changed(struct maildir_folder *folder)
{
	const struct index_state *state = index_state(folder->index);
	struct file_stamp now;

	if (file_stamp_at(folder->home.fd, NUMBERED_NAME, &now) < 0 ||
	    !file_stamp_same(&now, &state->more))
		return true;
	return now.ino != 0 && (file_stamp_at(folder->home.fd, LETTERED_NAME, &now) < 0 ||
				   !file_stamp_same(&now, &state->letters));
}

/* What of the folder is not as the index, which is up to date, says. */
static unsigned
look_at_times(struct maildir_folder *folder)
{
	const struct index_state *state = index_state(folder->index);
	struct file_stamp cur, new, lines;
	unsigned look = 0;

	if (file_stamp_at(folder->home.fd, "cur", &cur) < 0 ||
	    file_stamp_at(folder->home.fd, "new", &new) < 0 ||
	    file_stamp_at(folder->home.fd, UIDLIST_NAME, &lines) < 0)
		return LOOK_ALL;
	if (!file_stamp_same(&cur, &state->dir[ENTRY_CUR]) || (state->doubt & INDEX_CUR) != 0 ||
	    own_change_is_old(state))
		look |= LOOK_CUR;
	if (new_changed(folder, &new))
		look |= LOOK_NEW;
	if (!file_stamp_same(&lines, &state->uidlist))
		look |= LOOK_LINES;
	if (more_changed(folder))
		look |= LOOK_MORE;
	if ((state->doubt & INDEX_WAITS) != 0)
		look |= LOOK_WAITS;
	return look;
}

unsigned
folder_look(struct maildir_folder *folder)
{
	return index_refresh(folder->index) ? look_at_times(folder) : LOOK_ALL;
}

/* --- what is in the directories --- */

/*
 * Compares what a pass over cur/ found with the index, and marks in the scan what is known.  Messages
 * whose names have changed are put, or only counted.  NOT_ENOUGH: something is missing.
 */
static int
compare_known(struct sync *sync, bool put, size_t *renamed_r)
{
	struct index *index = sync->folder->index;
	struct index_message message;
	struct index_record record;

	*renamed_r = 0;
	for (size_t place = 0; place < index_count(index); place++) {
		struct scan_file *file;
		size_t at;

		if (!index_record(index, place, &record) ||
		    !index_message(index, record.uid, &message))
			return NOT_ENOUGH;
		at = scan_find(&sync->scan, index_name(&message), message.record.base_len);
		if (at == SCAN_NONE)
			return NOT_ENOUGH;
		file = &sync->scan.file[at];
		file->line = KNOWN_LINE;
		if (strcmp(file->name, index_name(&message)) == 0 &&
		    file->dir == message.record.dir &&
		    file->twin == ((message.record.known & INDEX_TWIN) != 0))
			continue;
		if (file->dir != ENTRY_CUR || file->twin)
			return NOT_ENOUGH;
		++*renamed_r;
		if (put && message_renamed(sync->folder, &message, file->name) < 0)
			return -1;
	}
	return 0;
}

/* Whether a fresh file's base name is known, of a message that is there or of one that vanished. */
static bool
fresh_are_known(struct sync *sync, uint32_t *hashes)
{
	struct index *index = sync->folder->index;

	for (size_t i = 0; i < sync->fresh_count; i++) {
		const struct scan_file *file = &sync->scan.file[sync->fresh[i].file];

		if (index_by_base(index, file->name, file->base_len) != 0)
			return true;
		hashes[i] = index_base_hash(index, file->name, file->base_len);
	}
	return index_knew_any(index, hashes, sync->fresh_count);
}

/* Whether all files without a line can simply be numbered. */
static bool
fresh_are_plain(struct sync *sync)
{
	const struct index_state *state = index_state(sync->folder->index);
	uint32_t *hashes;
	bool known;

	if (sync->fresh_count == 0)
		return true;
	hashes = calloc(sync->fresh_count, sizeof(*hashes));
	if (hashes == NULL)
		return false;
	known = fresh_are_known(sync, hashes);
	free(hashes);
	return !known && (state->doubt & INDEX_LINES) == 0 && state->next <= UIDLIST_UID_MAX &&
	       sync->fresh_count <= UIDLIST_UID_MAX - state->next + 1;
}

/* --- writing --- */

/* As sync.c has it after reading the uidlist, but without its lines. */
static int
quick_begin(struct sync *sync)
{
	const struct index *index = sync->folder->index;
	struct uidlist *list = &sync->uids.list;

	list->state = UIDLIST_GOOD;
	list->version = 3;
	list->validity = index_validity(index);
	list->next = index_state(index)->next;
	memcpy(list->guid, index_folder_guid(index), sizeof(list->guid));
	if (sync_read_record(sync) < 0)
		return -1;
	/* Somebody knows of more than this index. */
	return !index_is_stale(index) && sync->record.validity == list->validity &&
		       sync->record.next == list->next
		   ? 0
		   : NOT_ENOUGH;
}

/* Opens dovecot-uidlist for appending, if it is still the one that the index was made of. */
static int
quick_join(struct sync *sync)
{
	if (sync_dotlock(sync) < 0 || uidfile_join(&sync->folder->home, &sync->uids) < 0)
		return -1;
	return sync->uids.writable &&
		       (index_state(sync->folder->index)->doubt & INDEX_WAITS) == 0 &&
		       file_stamp_same(
			   &sync->uids.stamp, &index_state(sync->folder->index)->uidlist)
		   ? 0
		   : NOT_ENOUGH;
}

/* Lines and the record on disk; what follows cannot fail but for memory. */
static int
quick_append(struct sync *sync)
{
	struct uid_record record;

	if (sync_number(sync) < 0 || sync_append(sync) < 0)
		return -1;
	record =
	    (struct uid_record){sync->validity, sync->next, sync_recent(sync), sync->record.modseq};
	(void)!uid_record_write(&sync->folder->home, &record);
	return 0;
}

/* The index's state, with what we have changed. */
static void
quick_state(const struct sync *sync, struct index_state *state)
{
	if (sync->fresh_count == 0)
		return;
	state->uidlist = sync->uids.stamp;
	state->next = sync->next;
	state->lines += (uint32_t)sync->fresh_count;
}

/* A message that has just been numbered.  delivered: what its delivery knows of it, or NULL. */
static int
put_fresh(struct sync *sync, const struct fresh *fresh, const struct delivered *delivered)
{
	const struct scan_file *file = &sync->scan.file[fresh->file];
	struct index_message message;
	struct index_record *record = &message.record;
	uint32_t letters, flags;

	mdname_flags(file->name, &flags, &letters);
	*record = (struct index_record){
	    .uid = fresh->uid,
	    .modseq = index_modseq(sync->folder->index),
	    .dir = file->dir,
	    .flags = (uint8_t)flags,
	};
	if (delivered == NULL) {
		record->keywords =
		    keywords_of(sync->folder->keywords, file->name, file->base_len, letters);
	} else {
		record->keywords = letters | (delivered->keywords & NUMBERED_BITS);
		if (delivered->sizes.known) {
			record->size = delivered->sizes.size;
			record->wire = delivered->sizes.wire;
			record->known =
			    INDEX_SIZES | (delivered->sizes.line_end ? INDEX_LINE_END : 0);
		}
	}
	if (!index_set_strings(
		&message, file->name, NULL, delivered != NULL ? delivered->guid : NULL))
		return -1;
	return index_put(sync->folder->index, &message);
}

static int
put_all_fresh(struct sync *sync)
{
	for (size_t i = 0; i < sync->fresh_count; i++)
		if (put_fresh(sync, &sync->fresh[i], NULL) < 0)
			return -1;
	return 0;
}

/* --- new mail, and what others did in cur/ --- */

/* The directories as they were read, and as we have left them. */
static void
directories_state(const struct sync *sync, unsigned look, struct index_state *state)
{
	const struct scan *scan = &sync->scan;
	unsigned read = INDEX_NEW;

	state->dir[ENTRY_NEW] = scan->stamp[ENTRY_NEW];
	if ((look & LOOK_CUR) != 0) {
		state->dir[ENTRY_CUR] = scan->stamp[ENTRY_CUR];
		state->own_since = 0;
		read |= INDEX_CUR;
	}
	state->doubt &= ~read;
	if (!scan->still || !scan_saw_all(scan))
		state->doubt |= read;
	if (sync->moved) {
		own_change_end(sync->folder, state);
		state->doubt |= INDEX_NEW;
	}
}

static int
quick_locked(struct sync *sync, unsigned look)
{
	struct maildir_folder *folder = sync->folder;
	struct index_state state;
	size_t renamed = 0;
	int r = quick_begin(sync);

	if (r != 0 || folder_open_dirs(folder) < 0)
		return r != 0 ? r : -1;
	if (((look & LOOK_CUR) != 0 ? scan_pass(&sync->scan) : scan_pass_new(&sync->scan)) < 0)
		return -1;
	folder->odd_told = true;
	if (sync->scan.pairs > 0)
		return NOT_ENOUGH;
	if ((look & LOOK_CUR) != 0 && (r = compare_known(sync, false, &renamed)) != 0)
		return r;
	if (sync_find_fresh(sync) < 0 ||
	    (sync->fresh_count > 0 && keywords_refresh(folder->keywords) < 0))
		return -1;
	if (!fresh_are_plain(sync))
		return NOT_ENOUGH;
	/* What cannot be written is left out by sync.c. */
	if (sync->fresh_count > 0 && (r = quick_join(sync)) != 0)
		return r < 0 && error_bars(errno) ? NOT_ENOUGH : r;
	if (own_change_begin(folder) < 0 || scan_move_new(&sync->scan, &sync->moved) < 0)
		return -1;
	if (sync->fresh_count > 0 && quick_append(sync) < 0)
		return error_bars(errno) ? NOT_ENOUGH : -1;
	/* What lay in new/ has another name now, too. */
	if ((look & LOOK_CUR) != 0 && (renamed > 0 || sync->moved) &&
	    compare_known(sync, true, &renamed) < 0)
		return -1;
	if (put_all_fresh(sync) < 0)
		return -1;
	state = *index_state(folder->index);
	quick_state(sync, &state);
	directories_state(sync, look, &state);
	return index_commit(folder->index, &state);
}

static int
quick_end(struct sync *sync, int r)
{
	int saved = errno;

	if (sync->locked && sync->set == NULL)
		dotlock_drop(&sync->folder->home);
	uidfile_close(&sync->uids);
	scan_clear(&sync->scan);
	free(sync->fresh);
	errno = saved;
	return r;
}

int
sync_quick(struct maildir_folder *folder, unsigned look)
{
	struct sync sync = {.folder = folder, .uids = {.fd = -1}};

	if ((look & (LOOK_ALL | LOOK_LINES | LOOK_MORE | LOOK_WAITS)) != 0 ||
	    index_is_private(folder->index) || folder->home.unlocked != 0)
		return NOT_ENOUGH;
	scan_init(&sync.scan, folder);
	return quick_end(&sync, quick_locked(&sync, look));
}

/* --- deliveries --- */

/* The set as sync.c's fresh files; their names are the set's. */
static int
fresh_of_set(struct sync *sync)
{
	const struct delivery_set *set = sync->set;

	sync->fresh = calloc(set->count + 1, sizeof(*sync->fresh));
	sync->scan.file = calloc(set->count + 1, sizeof(*sync->scan.file));
	if (sync->fresh == NULL || sync->scan.file == NULL)
		return -1;
	for (size_t i = 0; i < set->count; i++) {
		sync->scan.file[i].name = set->message[i].name;
		sync->scan.file[i].base_len = (uint16_t)set->message[i].base_len;
		sync->scan.file[i].line = SCAN_NONE;
		sync->scan.file[i].dir = ENTRY_CUR;
		sync->fresh[i] = (struct fresh){
		    .name = set->message[i].name, .file = i, .rank = (uint32_t)i + 1};
	}
	sync->scan.count = sync->fresh_count = set->count;
	return 0;
}

static int
put_delivered(struct sync *sync)
{
	for (size_t i = 0; i < sync->set->count; i++) {
		struct delivered *delivered = &sync->set->message[i];

		delivered->uid = sync->fresh[i].uid;
		if (put_fresh(sync, &sync->fresh[i], delivered) < 0)
			return -1;
	}
	return 0;
}

static int
delivered_locked(struct sync *sync)
{
	struct maildir_folder *folder = sync->folder;
	struct index_state state;
	int r;

	if (!index_is_current(folder->index) || index_is_private(folder->index))
		return NOT_ENOUGH;
	if ((r = quick_begin(sync)) != 0 || (r = quick_join(sync)) != 0)
		return r;
	if (index_state(folder->index)->next > UIDLIST_UID_MAX ||
	    sync->set->count > UIDLIST_UID_MAX - index_state(folder->index)->next + 1)
		return NOT_ENOUGH;
	if (fresh_of_set(sync) < 0 || quick_append(sync) < 0 || put_delivered(sync) < 0)
		return -1;
	state = *index_state(folder->index);
	quick_state(sync, &state);
	own_change_end(folder, &state);
	return index_commit(folder->index, &state);
}

int
sync_quick_delivered(struct maildir_folder *folder, struct delivery_set *set)
{
	struct sync sync = {.folder = folder, .set = set, .locked = true, .uids = {.fd = -1}};

	scan_init(&sync.scan, folder);
	return quick_end(&sync, delivered_locked(&sync));
}

/* --- the whole --- */

/* Whether a UID might be written now. */
static bool
can_number(struct maildir_folder *folder)
{
	if (folder->home.unlocked != 0 || dotlock_take(&folder->home) < 0)
		return false;
	dotlock_drop(&folder->home);
	return true;
}

int
sync_now(struct maildir_folder *folder)
{
	unsigned look;
	int r = 1;

	if (index_is_current(folder->index)) {
		look = look_at_times(folder);
		if (look == 0 || (look == LOOK_WAITS && !can_number(folder)))
			return 0;
		r = sync_quick(folder, look);
	}
	return r > 0 ? sync_all(folder) : r;
}

/* While another looks at the folder we need not: when he is done we see what he saw. */
enum { WAIT_FIRST_MS = 2, WAIT_MOST_MS = 20, WAIT_ALL_MS = 30 * 1000 };

int
maildir_sync(struct maildir_folder *folder)
{
	uint64_t begun = mdclock_now_ms();
	unsigned wait = WAIT_FIRST_MS;
	int r;

	/* Within a batch, which began with a sync; nobody else of ours can have changed anything. */
	if (mddir_in_batch(&folder->home))
		return 0;

	for (;;) {
		if (folder_look(folder) == 0)
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
	mdlock_unfolder(&folder->home);
	return r;
}
