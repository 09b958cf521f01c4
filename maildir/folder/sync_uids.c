/*
 * sync_uids.c: reads dovecot-uidlist in a sync, decides whether to trust it, and appends to it or replaces it.
 * Runs as: mail user, holding the folder's lock.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"
#include "maildir/uids/validity.h"

/* So many lines of vanished messages may stay in the file: fewer are not worth a rewrite. */
#define DEAD_MIN 100
/* More than these are always removed, since the index remembers no more vanished messages. */
#define DEAD_MAX (SNAPSHOT_VANISHED_MAX / 2)

/* ms to wait before dovecot-uidlist is read again without a lock: longer than another process takes to write it. */
#define LOAD_AGAIN_MS 50

/* After an error of writing: returns whether room or rights are missing.  Then the sync goes on without writing. */
static bool
freeze(struct sync *sync)
{
	if (!error_forbids_writing(errno))
		return false;
	sync->frozen = errno;
	return true;
}

static int
lock_list(struct sync *sync)
{
	if (sync->locked)
		return 0;
	if (sync->frozen != 0) {
		errno = sync->frozen;
		return -1;
	}
	if (uidlist_lock_take(&sync->folder->home) < 0)
		return -1;
	sync->locked = true;
	return 0;
}

/* --- the record --- */

int
sync_read_record(struct sync *sync)
{
	struct index *index = sync->folder->index;
	struct uid_record *record = &sync->record;
	uint32_t validity = maildir_uidvalidity(sync->folder);
	uint32_t next = maildir_uidnext(sync->folder);

	if (uid_record_read(&sync->folder->home, record) < 0)
		return -1;
	/* The index is older than the record: an old copy was put back, or a power failure has cut it. */
	if (index_is_open(index) && record->modseq > index_state(index)->modseq)
		index_distrust(index);
	if (validity > record->validity || (validity == record->validity && next > record->next)) {
		/* The record was lost.  Count all messages that this session knows as told to clients. */
		if (validity > record->validity)
			record->recent = next;
		record->validity = validity;
		record->next = next;
	}
	return 0;
}

uint32_t
sync_recent(const struct sync *sync)
{
	const struct uid_record *record = &sync->record;

	if (sync->renumber)
		return 1;
	if (record->validity == sync->validity)
		return record->recent;
	/* Without a record only Dovecot had the folder open, and has told its UIDs.  Else all UIDs are new. */
	return record->validity == 0 ? sync->uids.list.next : 1;
}

/* --- without its lines --- */

bool
sync_head_from_index(struct sync *sync)
{
	const struct index *index = sync->folder->index;
	struct uidlist *list = &sync->uids.list;

	/* The file must be read if another session knows more than this index. */
	if (index_is_private(index) || index_is_stale(index) ||
	    index_folder_guid(index)[0] == '\0' || sync->record.validity != index_validity(index) ||
	    sync->record.next != index_state(index)->next)
		return false;
	list->state = UIDLIST_GOOD;
	list->version = 3;
	list->validity = index_validity(index);
	list->next = index_state(index)->next;
	memcpy(list->guid, index_folder_guid(index), sizeof(list->guid));
	return true;
}

/* Returns whether a fresh file's base name belongs to a message, or may belong to a message that vanished. */
static bool
fresh_are_known(const struct sync *sync, uint32_t *hashes)
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

/* Returns whether all fresh files can get new UIDs.  A delivery's names always can: they are ours, and new. */
static bool
fresh_are_plain(const struct sync *sync)
{
	const struct index_state *state = index_state(sync->folder->index);
	uint32_t *hashes;
	bool known;

	if (state->next > UIDLIST_UID_MAX || sync->fresh_count > UIDLIST_UID_MAX - state->next + 1)
		return false;
	if (sync->set != NULL)
		return true;
	if ((state->doubt & INDEX_LINES) != 0)
		return false;
	hashes = calloc(sync->fresh_count, sizeof(*hashes));
	if (hashes == NULL)
		return false;
	known = fresh_are_known(sync, hashes);
	free(hashes);
	return !known && !index_is_broken(sync->folder->index);
}

/* Returns whether dead lines without a file, of lines in all, are too many to stay in dovecot-uidlist. */
static bool
too_many_dead(size_t dead, size_t lines)
{
	return dead > DEAD_MIN && (dead > (lines - dead) / 3 || dead > DEAD_MAX);
}

int
sync_join(struct sync *sync)
{
	struct index *index = sync->folder->index;
	size_t lines = index_state(index)->lines, alive = sync->count - sync->dead;

	if (index_is_broken(index) ||
	    (sync->dead > 0 && sync->sure && lines > alive && too_many_dead(lines - alive, lines)))
		return 0;
	if (sync->fresh_count == 0)
		return sync->dead == 0 || index_is_untouched(index);
	/*
	 * A file that the index does not know gets a UID: it must not be unknown because somebody overwrote the index.  A
	 * delivery's files were not looked up.
	 */
	if (!fresh_are_plain(sync) || (sync->set == NULL && !index_is_untouched(index)))
		return 0;
	if (lock_list(sync) < 0 || uidfile_join(&sync->folder->home, &sync->uids) < 0)
		return error_forbids_writing(errno) ? 0 : -1;
	return sync->uids.writable && (index_state(index)->doubt & INDEX_WAITS) == 0 &&
	       file_stamp_same(&sync->uids.stamp, &index_state(index)->uidlist);
}

/* --- reading --- */

/*
 * Returns whether no session of ours and no Dovecot has opened the folder yet.  Then another server's UIDs may be
 * imported.
 */
static bool
uids_none(const struct sync *sync)
{
	return sync->uids.list.state == UIDLIST_NONE && sync->record.validity == 0;
}

static void
put_known_line(struct mdbuf *text, const struct index_message *message)
{
	const struct index_record *record = &message->record;
	char ext[MAILDIR_UIDL_SIZE + MAILDIR_ID_SIZE + 24] = "";
	struct uidlist_line line = {
	    .ext = ext, .base = index_name(message), .base_len = record->base_len};
	int n;

	n = snprintf(ext, sizeof(ext), "%s%s%s%s", record->uidl_len > 0 ? " P" : "",
	    index_uidl(message), record->guid_len > 0 ? " G" : "", index_guid(message));
	if (record->pop3_order > 0)
		n += snprintf(ext + n, sizeof(ext) - (size_t)n, " O%u", record->pop3_order);
	line.ext_len = (uint32_t)n;
	uidlist_put_line(text, &line, record->uid, NULL);
}

/* Makes the lines from the index, since dovecot-uidlist exists and cannot be read. */
static int
uids_of_index(struct sync *sync)
{
	struct index *index = sync->folder->index;
	const struct uid_record *given = &sync->record;
	const struct uidlist none = {.version = 3};
	struct index_message message;
	struct index_record record;
	struct mdbuf text = {0};

	if (!index_is_open(index) || index_folder_guid(index)[0] == '\0' ||
	    (given->validity != 0 && (given->validity != index_validity(index) ||
					 given->next > index_state(index)->next)))
		return 0;
	uidlist_put_header(&text, &none, index_validity(index), index_state(index)->next,
	    index_folder_guid(index));
	for (size_t i = 0; i < index_count(index); i++)
		if (index_record(index, i, &record) && index_message(index, record.uid, &message))
			put_known_line(&text, &message);
	if (text.failed || index_is_broken(index)) {
		mdbuf_clear(&text);
		return 0;
	}
	uidlist_clear(&sync->uids.list);
	if (uidlist_parse(&sync->uids.list, text.data, text.len) < 0)
		return -1;
	/* The file has to be written whole. */
	sync->uids.list.state = UIDLIST_TORN;
	return 0;
}

/*
 * Returns whether the list's last line is as the index has it.  Then no program that knew less has written to the
 * list.
 */
static bool
ends_as_known(struct maildir_folder *folder, const struct uidlist *list)
{
	const struct uidlist_line *last;
	struct index_message message;

	if (list->count == 0)
		return true;
	last = &list->line[list->count - 1];
	return maildir_uidvalidity(folder) == list->validity &&
	       message_find(folder, last->uid, &message) == 0 &&
	       message.record.base_len == last->base_len &&
	       memcmp(index_name(&message), last->base, last->base_len) == 0;
}

const char *
sync_doubt(struct maildir_folder *folder, struct uidlist *list, const struct uid_record *record)
{
	const char *doubt = uidlist_doubt(list, record, ends_as_known(folder, list));

	if (doubt == NULL)
		uidlist_pass_lost(list, record);
	return doubt;
}

/* Imports another server's UIDs into dovecot-uidlist, and reads the file again. */
static int
import_list(struct sync *sync)
{
	const struct maildir_import *import = sync->folder->home.md->import;
	int r = import != NULL ? import->folder(sync->folder) : 0;

	if (r <= 0)
		return r;
	uidfile_close(&sync->uids);
	return uidfile_load(&sync->folder->home, &sync->uids);
}

/* Reads the list.  *doubt_r: why it cannot be trusted, or NULL. */
static int
read_list(struct sync *sync, const char **doubt_r)
{
	struct uidfile *uids = &sync->uids;

	uidfile_close(uids);
	if (uidfile_load(&sync->folder->home, uids) < 0 ||
	    (uids->closed && uids_of_index(sync) < 0) ||
	    (sync->locked && uids_none(sync) && import_list(sync) < 0))
		return -1;
	*doubt_r = sync_doubt(sync->folder, &uids->list, &sync->record);
	return 0;
}

/* Reads a list that looks wrong again under Dovecot's lock, or a moment later: Dovecot may have been writing it. */
static int
read_list_again(struct sync *sync)
{
	const struct maildir_folder *folder = sync->folder;
	const struct uidlist *list = &sync->uids.list;
	const char *doubt;

	if (lock_list(sync) < 0) {
		if (!freeze(sync))
			return -1;
		mdclock_sleep_ms(LOAD_AGAIN_MS);
	}
	if (read_list(sync, &doubt) < 0)
		return -1;
	sync->renumber = doubt != NULL;
	if (sync->frozen != 0)
		return 0;
	/* A folder that no program has opened before has lost nothing. */
	if (doubt != NULL ? !uids_none(sync) : list->state != UIDLIST_GOOD)
		root_notice(folder->home.md, "%s: " UIDLIST_NAME ": %s; %s messages get new UIDs",
		    folder->home.name, doubt != NULL ? doubt : list->what,
		    doubt != NULL ? "all" : "some");
	return 0;
}

int
sync_load(struct sync *sync)
{
	const char *doubt;

	if (read_list(sync, &doubt) < 0)
		return -1;
	if ((doubt != NULL || sync->uids.list.state != UIDLIST_GOOD) && read_list_again(sync) < 0)
		return -1;
	return sync_messages_of_lines(sync);
}

/* Returns whether lines can be appended to the file as it is. */
static bool
list_can_grow(const struct uidlist *list)
{
	return list->state == UIDLIST_GOOD && list->version == 3 && list->guid[0] != '\0';
}

static bool
wants_rewrite(const struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	return sync->renumber || !list_can_grow(list) ||
	       (sync->sure && sync->with_lines && too_many_dead(sync->dead, list->count));
}

int
sync_reload(struct sync *sync)
{
	struct file_stamp now;

	if (sync->locked || sync->frozen != 0 || (!wants_rewrite(sync) && sync->fresh_count == 0))
		return 0;
	if (lock_list(sync) < 0)
		return freeze(sync) ? 0 : -1;
	if (file_stamp_at(sync->folder->home.fd, UIDLIST_NAME, &now) < 0)
		return -1;
	if (file_stamp_same(&now, &sync->uids.stamp))
		return 0;
	/* The new lines may belong to files that the scan has not seen. */
	sync->sure = false;
	if (sync_load(sync) < 0)
		return -1;
	(void)sync_complete(sync);
	return sync_match(sync);
}

/* --- writing --- */

/* Gives the fresh files UIDs, from next on, and makes them messages of the sync. */
static int
number(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	if (!sync->renumber && sync->fresh_count > 0 &&
	    (list->next > UIDLIST_UID_MAX ||
		sync->fresh_count > UIDLIST_UID_MAX - list->next + 1)) {
		sync->renumber = true;
		if (sync_find_fresh(sync) < 0)
			return -1;
	}
	sync->validity = list->validity;
	sync->next = list->next;
	if (sync->renumber) {
		uint32_t above = list->validity;

		if (sync->record.validity > above)
			above = sync->record.validity;
		if (validity_next(sync->folder->home.md, above, &sync->validity) < 0)
			return -1;
		sync->next = 1;
	}
	if (sync_number_fresh(sync, sync->next) < 0)
		return -1;
	sync->next += (uint32_t)sync->fresh_count;
	return 0;
}

/* Adds the line of a delivery's message, whose sizes are known from the start. */
static void
put_delivered(struct mdbuf *text, uint32_t uid, const struct delivered *delivered)
{
	char ext[1 + NAME_SIZE] = "";
	struct uidlist_line line = {
	    .ext = ext, .base = delivered->name, .base_len = delivered->base_len};

	/* Dovecot gives copies the id of what they are copies of in the same way. */
	if (delivered->guid != NULL)
		line.ext_len = (uint32_t)snprintf(ext, sizeof(ext), "G%s", delivered->guid);
	uidlist_put_line(text, &line, uid, delivered->sizes.known ? &delivered->sizes : NULL);
}

/* Adds the lines of all messages from that place on.  A message that is certainly gone gets no line. */
static void
put_lines(const struct sync *sync, size_t from, struct mdbuf *text)
{
	for (size_t i = from; i < sync->count; i++) {
		const struct sync_message *message = &sync->message[i];
		const struct scan_file *file;

		if (sync->sure && !sync_has_file(sync, message))
			continue;
		if (message->line != NULL) {
			uidlist_put_line(text, message->line, message->uid, NULL);
			continue;
		}
		file = &sync->scan.file[message->file];
		if (file->rank > 0)
			put_delivered(text, message->uid, &sync->set->message[file->rank - 1]);
		else
			uidlist_put_new(text, message->uid, file->name, file->base_len);
	}
}

static int
make_guid(char guid[33])
{
	uint64_t random[2];

	if (guid[0] != '\0')
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	snprintf(guid, 33, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	return 0;
}

/* Replaces the whole file, or appends the lines of fresh messages. */
static int
write_lines(struct sync *sync, bool rewrite)
{
	struct mddir *home = &sync->folder->home;
	struct mdbuf text = {0};
	int r = -1;

	if (rewrite) {
		if (make_guid(sync->guid) < 0)
			return -1;
		uidlist_put_header(&text, &sync->uids.list, sync->validity, sync->next, sync->guid);
	}
	put_lines(sync, rewrite ? 0 : sync->count - sync->fresh_count, &text);
	if (text.failed)
		errno = ENOMEM;
	else if (rewrite)
		r = uidfile_replace(home, &sync->uids, &text);
	else if (!uidlist_lock_held(home))
		errno = ENOLCK;
	else
		r = uidfile_append(home, &sync->uids, &text);
	mdbuf_clear(&text);
	return r;
}

/* Returns whether another program has written lines, which may not be on the disk yet. */
static bool
is_foreign(const struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	return list->validity != sync->record.validity || list->next != sync->record.next;
}

/* Returns how many lines the file has before this sync writes. */
static size_t
lines_before(const struct sync *sync)
{
	return sync->with_lines ? sync->uids.list.count : index_state(sync->folder->index)->lines;
}

/*
 * Nothing can be written: the list has the messages whose UIDs are on the disk, and the other files wait.  If all UIDs
 * are lost this fails: on an empty list a client would forget what it has of the messages.
 */
static int
keep_list(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	if (sync->renumber && sync->scan.count > 0) {
		errno = sync->frozen;
		return -1;
	}
	if (is_foreign(sync) && sync->uids.fd >= 0)
		(void)!fsync(sync->uids.fd);
	sync->held = !list_can_grow(list);
	sync->waits = sync->fresh_count;
	sync->fresh_count = 0;
	sync->validity = list->validity > 0 ? list->validity : 1;
	sync->next = list->next > 0 ? list->next : 1;
	if (sync->validity == sync->record.validity && sync->next < sync->record.next)
		sync->next = sync->record.next;
	sync->lines = lines_before(sync);
	sync->written = false;
	memcpy(sync->guid, list->guid, sizeof(sync->guid));
	return 0;
}

int
sync_write(struct sync *sync)
{
	bool rewrite = wants_rewrite(sync) || (sync->fresh_count > 0 && !sync->uids.writable);

	if (sync->frozen != 0)
		return keep_list(sync);
	if (number(sync) < 0)
		return -1;
	rewrite = rewrite || sync->renumber;
	memcpy(sync->guid, sync->uids.list.guid, sizeof(sync->guid));
	sync->lines = sync->renumber ? 0 : lines_before(sync);
	if (rewrite && sync->sure && !sync->renumber)
		sync->lines -= sync->dead;
	sync->lines += sync->fresh_count;
	if (!rewrite && sync->fresh_count == 0)
		return is_foreign(sync) ? fsync(sync->uids.fd) : 0;
	sync->written = true;
	if (write_lines(sync, rewrite) == 0)
		return 0;
	if (sync->set != NULL || sync->renumber || !freeze(sync))
		return -1;
	sync->count -= sync->fresh_count;
	return keep_list(sync);
}
