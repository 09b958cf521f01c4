/*
 * sync.c: brings the list of messages up to date with the disk.
 * Runs as: mail user.
 *
 * What others may do
 *
 * Any program may edit a Maildir underneath us, at any time and without a lock: a delivery agent
 * links files into new/, mutt moves them to cur/ and renames them as flags change, Dovecot does both,
 * and rm, rsync, find -delete and a restored backup do as they like.  We promise, whatever they do:
 *
 * 1. No file of a message is ever lost by us.  No rename replaces a file (RENAME_NOREPLACE, or link and
 *    unlink), and only maildir_remove unlinks one.
 * 2. A message keeps its UID as long as its base name (all up to the colon) and the line in
 *    dovecot-uidlist exist, through all changes of flags.  A file that vanishes and comes back gets
 *    its old UID while its line is there; lines of vanished messages are kept until they are many
 *    (DEAD_MIN, a third of the living).  UIDs are never given twice.
 * 3. A UID is on disk (fsync) before maildir_sync returns.  When it cannot be written its message waits.
 *
 * Renames
 *
 * readdir(3) promises nothing about a name that is renamed while it runs: it may show the old name,
 * the new one, both or neither.  So:
 *
 * - Neither: a file that one pass misses is looked for in another.  It is gone only when a second or
 *   later pass misses it as well, and during that pass the directories stood still: their times are
 *   the same before and after, and older than the clock's tick, since a rename within the tick would
 *   not change them.  What any pass has seen counts as there; if it is not, opening it will tell.
 *   When a folder never stands still (SCAN_PASSES) nothing is taken for gone; what was in the list
 *   stays, and the next sync looks again.
 * - Both: two names of one base are looked at with fstatat(2).  If one does not exist any more, it was
 *   renamed.  If both are one inode, somebody is between link and unlink, or died there: it is one
 *   message.  The second name is not removed, for if the other program goes on to unlink the first,
 *   nothing would be left; but maildir_remove takes all of them.  If they are two inodes, they are two
 *   messages, and are both served: the one that came later is renamed to a base name of its own.
 * - A known name that is gone when we open, rename or remove it was changed by another program: the
 *   base name is looked up in both directories, a few times if need be, before ENOENT is believed.
 *
 * Names with an octet below 0x20 cannot be in dovecot-uidlist.  They are passed over with a notice, as is all
 * that is not a regular file (check_mend.c gives them others).  Names that begin with a dot are not messages.
 *
 * UIDs and UIDVALIDITY
 *
 * New messages get UIDs in the order of their delivery time, as the file name has it, then of their
 * names.  dovecot-uidlist (see uidlist.c) is written under the folder's lock and Dovecot's lock file,
 * after it was read again if it has changed; lines are appended where that is all there is to do, or
 * the file is replaced.  Lines that a process wrote that was then killed may not be on disk: fsync is
 * called for what the record does not know of.
 *
 * The record, kept in our lock file, is the UIDVALIDITY and next UID that were last given out.  A
 * uidlist that was cut or has lines that cannot be read keeps what it says in the others, and its next UID
 * rises above the record's and above all that was lost (uidlist_pass_lost).  It is lost or damaged when it is
 * not there, when its header does not parse or its UIDs do not rise, when its UIDVALIDITY is older than the
 * record's, or when it is whole and its next UID is below the record's; unless its last line is as the index
 * has it, since then nobody has written to this older file.  UIDs in it may then have been given to other
 * messages, so all get new UIDs under a higher UIDVALIDITY (validity.c): mail clients fetch anew, and
 * all of the mail is served at once.  What lines could be read still give their POP3 UIDLs and ids.
 * The record is not fsynced: after a power failure it may be too low, and then says nothing.  Its
 * third number is for \Recent: the first UID that no IMAP session was told of.
 *
 * Nothing can be written
 *
 * On a full disk, a read-only file system or in a tree without rights to write a sync does what needs no
 * writing (sync->frozen).  Messages with a line in dovecot-uidlist are served.  Files without one stay where they
 * are and wait.  A list that must be replaced waits, too.  INDEX_WAITS makes each later look try again.  When UIDs
 * themselves are lost the sync fails.
 *
 * Without a lock file (folder->home.unlocked) a session is like any other program that reads a Maildir.  It writes
 * none of the files that the lock guards, and its index is in its own memory.  dovecot-uidlist is replaced by
 * rename or appended to, so a reader finds it whole, or with a last line without end, which it reads again a
 * moment later; the record is read first, as it is written last.  A message is gone only after the second
 * look, as always: a scan never relied on the lock.  Flags and removals are renames and unlinks by name, which
 * other programs do without a lock as well; where rights forbid them the folder is for reading only.
 *
 * Locks die with their holders, and nothing here leaves a state that the next one cannot go on from:
 * files moved to cur/ without a UID get one; a temporary file is overwritten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/own.h"
#include "maildir/folder/scan.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/uidlist.h"
#include "maildir/uids/validity.h"

/* Lines of vanished messages: below this many the file is not rewritten to be rid of them. */
#define DEAD_MIN 100
/* And above this it always is: the index remembers no more of those who vanished. */
#define DEAD_MAX (SNAPSHOT_VANISHED_MAX / 2)

/* Longer than another's write of dovecot-uidlist takes, where its lock file cannot be made. */
#define LOAD_AGAIN_MS 50

static void
list_clear(struct list *list)
{
	free(list->entry);
	mdarena_clear(&list->arena);
	memset(list, 0, sizeof(*list));
}

/* --- reading dovecot-uidlist --- */

/* A folder that nobody but another server, from which one may import, has opened so far. */
static bool
uids_none(const struct sync *sync)
{
	return sync->uids.list.state == UIDLIST_NONE && sync->record.validity == 0;
}

static void
put_known_line(struct mdtext *text, const struct index_message *message)
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

/* The lines of a dovecot-uidlist that lies there and cannot be read, as far as the index has them. */
static int
uids_from_index(struct sync *sync)
{
	struct index *index = sync->folder->index;
	const struct uid_record *given = &sync->record;
	const struct uidlist none = {.version = 3};
	struct index_message message;
	struct index_record record;
	struct mdtext text = {0};

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
		mdtext_clear(&text);
		return 0;
	}
	uidlist_clear(&sync->uids.list);
	if (uidlist_parse(&sync->uids.list, text.data, text.len) < 0)
		return -1;
	/* To be written whole. */
	sync->uids.list.state = UIDLIST_TORN;
	return 0;
}

static int
uids_import(struct sync *sync)
{
	const struct maildir_import *import = sync->folder->home.md->import;
	int r = import != NULL ? import->folder(sync->folder) : 0;

	if (r <= 0)
		return r;
	uidfile_close(&sync->uids);
	return uidfile_load(&sync->folder->home, &sync->uids);
}

static int
uids_read(struct sync *sync)
{
	size_t count;

	uidfile_close(&sync->uids);
	if (uidfile_load(&sync->folder->home, &sync->uids) < 0)
		return -1;
	if (sync->uids.closed && uids_from_index(sync) < 0)
		return -1;
	if (sync->locked && uids_none(sync) && uids_import(sync) < 0)
		return -1;
	count = sync->uids.list.count;
	free(sync->file_of);
	sync->file_of = calloc(count + 1, sizeof(*sync->file_of));
	if (sync->file_of == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		sync->file_of[i] = SCAN_NONE;
	return 0;
}

int
sync_dotlock(struct sync *sync)
{
	if (sync->locked)
		return 0;
	if (sync->frozen != 0) {
		errno = sync->frozen;
		return -1;
	}
	if (dotlock_take(&sync->folder->home) < 0)
		return -1;
	sync->locked = true;
	return 0;
}

/* What another process knows is in the record; what this one does is in its list. */
int
sync_read_record(struct sync *sync)
{
	uint32_t validity = maildir_uidvalidity(sync->folder);
	uint32_t next = maildir_uidnext(sync->folder);

	struct index *index = sync->folder->index;

	if (uid_record_read(&sync->folder->home, &sync->record) < 0)
		return -1;
	/* An old index that was put back, or the rest of one after a power failure. */
	if (index_is_open(index) && sync->record.modseq > index_state(index)->modseq)
		index_distrust(index);
	if (validity > sync->record.validity ||
	    (validity == sync->record.validity && next > sync->record.next)) {
		/* The record was lost; what we knew then was told. */
		if (validity > sync->record.validity)
			sync->record.recent = next;
		sync->record.validity = validity;
		sync->record.next = next;
	}
	return 0;
}

/* Whether it fails for want of room or rights: then the sync goes on without writing. */
static bool
sync_freeze(struct sync *sync)
{
	if (!error_bars(errno))
		return false;
	sync->frozen = errno;
	return true;
}

/* Whether nobody has written to it who did not know what the index knows: that would be its last line. */
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

/* Dovecot may be writing just now: what looks wrong is read again under its lock, or a moment later. */
static int
sync_load(struct sync *sync)
{
	struct maildir_folder *folder = sync->folder;
	struct uidlist *list = &sync->uids.list;
	const char *doubt;

	if (uids_read(sync) < 0)
		return -1;
	doubt = sync_doubt(folder, list, &sync->record);
	if (doubt == NULL && list->state == UIDLIST_GOOD)
		return 0;
	if (sync_dotlock(sync) < 0) {
		if (!sync_freeze(sync))
			return -1;
		mdclock_sleep_ms(LOAD_AGAIN_MS);
	}
	if (uids_read(sync) < 0)
		return -1;
	doubt = sync_doubt(folder, list, &sync->record);
	sync->renumber = doubt != NULL;
	if (sync->frozen != 0)
		return 0;
	/* A folder that nobody has opened before has lost nothing. */
	if (doubt == NULL ? list->state == UIDLIST_GOOD
			  : list->state == UIDLIST_NONE && sync->record.validity == 0)
		return 0;
	root_notice(folder->home.md, "%s: " UIDLIST_NAME ": %s; %s messages get new UIDs",
	    folder->home.name, doubt != NULL ? doubt : list->what, doubt != NULL ? "all" : "some");
	return 0;
}

/* --- matching lines and files --- */

static size_t
set_missing(const struct sync *sync)
{
	const struct delivery_set *set = sync->set;
	size_t missing = 0;

	for (size_t i = 0; set != NULL && i < set->count; i++)
		missing += scan_find(&sync->scan, set->message[i].name, set->message[i].base_len) ==
			   SCAN_NONE;
	return missing;
}

/* Looks for the files of lines that have none yet.  Whether all have one, and the set too. */
static bool
sync_complete(void *ctx)
{
	struct sync *sync = ctx;
	const struct uidlist *list = &sync->uids.list;
	size_t missing = set_missing(sync);

	for (size_t i = 0; i < list->count; i++) {
		if (sync->file_of[i] == SCAN_NONE)
			sync->file_of[i] =
			    scan_find(&sync->scan, list->line[i].base, list->line[i].base_len);
		missing += sync->file_of[i] == SCAN_NONE;
	}
	return missing == 0;
}

/* Whether the line is the one that its file goes by: of two with the same name it is the later. */
static bool
line_has_file(const struct sync *sync, size_t line)
{
	size_t file = sync->file_of[line];

	return file != SCAN_NONE && sync->scan.file[file].line == line;
}

bool
sync_line_is_dead(const struct sync *sync, size_t line)
{
	return !line_has_file(sync, line);
}

static void
sync_claim(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	for (size_t i = 0; i < sync->scan.count; i++)
		sync->scan.file[i].line = SCAN_NONE;
	for (size_t i = 0; i < list->count; i++) {
		if (sync->file_of[i] != SCAN_NONE)
			sync->scan.file[sync->file_of[i]].line = i;
	}
	sync->dead = 0;
	for (size_t i = 0; i < list->count; i++)
		sync->dead += !line_has_file(sync, i);
}

static int
fresh_compare(const void *a, const void *b)
{
	const struct fresh *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The files without a UID, in the order in which they get them. */
int
sync_find_fresh(struct sync *sync)
{
	const struct scan *scan = &sync->scan;
	size_t count = 0;

	for (size_t i = 0; i < scan->count; i++)
		count += sync->renumber || scan->file[i].line == SCAN_NONE;
	free(sync->fresh);
	sync->fresh_count = 0;
	sync->fresh = calloc(count + 1, sizeof(*sync->fresh));
	if (sync->fresh == NULL)
		return -1;
	for (size_t i = 0; i < scan->count; i++) {
		struct fresh *fresh = &sync->fresh[sync->fresh_count];

		if (!sync->renumber && scan->file[i].line != SCAN_NONE)
			continue;
		fresh->file = i;
		fresh->rank = scan->file[i].rank;
		fresh->name = scan->file[i].name;
		fresh->time = mdname_time(fresh->name);
		sync->fresh_count++;
	}
	qsort(sync->fresh, sync->fresh_count, sizeof(*sync->fresh), fresh_compare);
	return 0;
}

static int
sync_match(struct sync *sync)
{
	sync_claim(sync);
	return sync_find_fresh(sync);
}

/* Says in the scan's files which are of the set. */
static int
sync_rank(struct sync *sync)
{
	const struct delivery_set *set = sync->set;

	if (set_missing(sync) > 0) {
		errno = ENOENT;
		return -1;
	}
	for (size_t i = 0; set != NULL && i < set->count; i++) {
		const struct delivered *message = &set->message[i];

		sync->scan.file[scan_find(&sync->scan, message->name, message->base_len)].rank =
		    (uint32_t)i + 1;
	}
	return 0;
}

/* --- writing dovecot-uidlist --- */

/* Whether lines can be appended to it as it is. */
static bool
list_can_grow(const struct uidlist *list)
{
	return list->state == UIDLIST_GOOD && list->version == 3 && list->guid[0] != '\0';
}

static bool
sync_wants_rewrite(const struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;
	size_t alive = list->count - sync->dead;

	return sync->renumber || !list_can_grow(list) ||
	       (sync->sure && sync->dead > DEAD_MIN &&
		   (sync->dead > alive / 3 || sync->dead > DEAD_MAX));
}

/* Under both locks: what Dovecot wrote since we read is read, and counts. */
static int
sync_reload(struct sync *sync)
{
	struct file_stamp now;

	if (sync->locked || sync->frozen != 0)
		return 0;
	if (sync_dotlock(sync) < 0)
		return sync_freeze(sync) ? 0 : -1;
	if (file_stamp_at(sync->folder->home.fd, UIDLIST_NAME, &now) < 0)
		return -1;
	if (file_stamp_same(&now, &sync->uids.stamp))
		return 0;
	/* Its new lines may be of files that we have not seen yet. */
	sync->sure = false;
	if (sync_load(sync) < 0)
		return -1;
	(void)sync_complete(sync);
	return sync_match(sync);
}

/* UIDs for the fresh files, from next on. */
int
sync_number(struct sync *sync)
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
	for (size_t i = 0; i < sync->fresh_count; i++)
		sync->fresh[i].uid = sync->next++;
	return 0;
}

/* One of the set: its sizes are known from the start. */
static void
put_delivered(const struct fresh *fresh, const struct delivered *message, struct mdtext *text)
{
	char ext[1 + NAME_SIZE] = "";
	struct uidlist_line line = {
	    .ext = ext, .base = message->name, .base_len = message->base_len};

	/* Dovecot gives copies the id of what they are copies of in the same way. */
	if (message->guid != NULL)
		line.ext_len = (uint32_t)snprintf(ext, sizeof(ext), "G%s", message->guid);
	uidlist_put_line(text, &line, fresh->uid, message->sizes.known ? &message->sizes : NULL);
}

static void
put_fresh(const struct sync *sync, struct mdtext *text)
{
	for (size_t i = 0; i < sync->fresh_count; i++) {
		const struct fresh *fresh = &sync->fresh[i];
		const struct scan_file *file = &sync->scan.file[fresh->file];

		if (file->line != SCAN_NONE)
			uidlist_put_line(text, &sync->uids.list.line[file->line], fresh->uid, NULL);
		else if (fresh->rank > 0)
			put_delivered(fresh, &sync->set->message[fresh->rank - 1], text);
		else
			uidlist_put_new(text, fresh->uid, file->name, file->base_len);
	}
}

static int
sync_guid(const struct uidlist *list, char guid[33])
{
	unsigned char random[16];

	memcpy(guid, list->guid, 33);
	if (guid[0] != '\0')
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	for (size_t i = 0; i < sizeof(random); i++) {
		guid[i * 2] = "0123456789abcdef"[random[i] >> 4];
		guid[i * 2 + 1] = "0123456789abcdef"[random[i] & 15];
	}
	guid[32] = '\0';
	return 0;
}

static int
sync_rewrite(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;
	struct mdtext text = {0};
	int r;

	if (sync_guid(list, sync->guid) < 0)
		return -1;
	uidlist_put_header(&text, list, sync->validity, sync->next, sync->guid);
	for (size_t i = 0; !sync->renumber && i < list->count; i++) {
		if (!sync->sure || line_has_file(sync, i))
			uidlist_put_line(&text, &list->line[i], list->line[i].uid, NULL);
	}
	put_fresh(sync, &text);
	if (text.failed) {
		errno = ENOMEM;
		r = -1;
	} else {
		r = uidfile_replace(&sync->folder->home, &sync->uids, &text);
	}
	mdtext_clear(&text);
	return r;
}

int
sync_append(struct sync *sync)
{
	struct mdtext text = {0};
	int r;

	put_fresh(sync, &text);
	if (text.failed) {
		errno = ENOMEM;
		r = -1;
	} else if (!dotlock_held(&sync->folder->home)) {
		errno = ENOLCK;
		r = -1;
	} else {
		r = uidfile_append(&sync->folder->home, &sync->uids, &text);
	}
	mdtext_clear(&text);
	return r;
}

/* Lines that nobody told us are on disk. */
static int
sync_settle_foreign(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;

	if (list->validity == sync->record.validity && list->next == sync->record.next)
		return 0;
	return fsync(sync->uids.fd);
}

/* How many lines the file will have. */
static size_t
sync_lines_after(const struct sync *sync, bool rewrite)
{
	size_t lines = sync->uids.list.count;

	if (sync->renumber)
		lines = 0;
	else if (rewrite && sync->sure)
		lines -= sync->dead;
	return lines + sync->fresh_count;
}

/*
 * Nothing can be written: the list is what the disk has of it, and files without a UID wait.  Where no UID is
 * left a list of nothing would be a lie, on which a client forgets what it has of the messages.
 */
static int
sync_keep(struct sync *sync)
{
	const struct uidlist *list = &sync->uids.list;
	bool foreign = list->validity != sync->record.validity || list->next != sync->record.next;

	if (sync->renumber && sync->scan.count > 0) {
		errno = sync->frozen;
		return -1;
	}
	if (foreign && sync->uids.fd >= 0)
		(void)!fsync(sync->uids.fd);
	sync->waits = sync->fresh_count;
	sync->fresh_count = 0;
	sync->validity = list->validity > 0 ? list->validity : 1;
	sync->next = list->next > 0 ? list->next : 1;
	if (sync->validity == sync->record.validity && sync->next < sync->record.next)
		sync->next = sync->record.next;
	sync->lines = list->count;
	sync->written = false;
	memcpy(sync->guid, list->guid, sizeof(sync->guid));
	return 0;
}

static int
sync_write(struct sync *sync)
{
	bool rewrite = sync_wants_rewrite(sync) || (sync->fresh_count > 0 && !sync->uids.writable);

	if (sync->frozen != 0)
		return sync_keep(sync);
	if (sync_number(sync) < 0)
		return -1;
	rewrite = rewrite || sync->renumber;
	memcpy(sync->guid, sync->uids.list.guid, sizeof(sync->guid));
	sync->lines = sync_lines_after(sync, rewrite);
	if (!rewrite && sync->fresh_count == 0)
		return sync_settle_foreign(sync);
	sync->written = true;
	if ((rewrite ? sync_rewrite(sync) : sync_append(sync)) == 0)
		return 0;
	return sync->set == NULL && !sync->renumber && sync_freeze(sync) ? sync_keep(sync) : -1;
}

/* --- the list in memory --- */

static char *
sync_uidl(struct list *list, const struct uidlist_line *line)
{
	size_t len;
	const char *value = uidlist_field(line, 'P', &len);

	/* RFC 1939 section 7: one to 70 characters from 0x21 to 0x7E. */
	if (value == NULL || len == 0 || len > 70)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < 0x21 || value[i] > 0x7e)
			return NULL;
	}
	return mdarena_add(&list->arena, value, len);
}

static char *
sync_entry_guid(struct list *list, const struct uidlist_line *line)
{
	size_t len;
	const char *value = uidlist_field(line, 'G', &len);

	/* One that no client could be told is none. */
	return value != NULL && len > 0 && len < MAILDIR_ID_SIZE
		   ? mdarena_add(&list->arena, value, len)
		   : NULL;
}

static void
entry_fields(struct list *list, struct entry *entry, const struct uidlist_line *line)
{
	struct uidlist_sizes sizes;
	const char *order;
	size_t len;

	if (line->ext_len == 0)
		return;
	uidlist_sizes(line, &sizes);
	if (sizes.known) {
		entry->size = sizes.size;
		entry->wire = sizes.wire;
		entry->known |= INDEX_SIZES | INDEX_HEARSAY | (sizes.line_end ? INDEX_LINE_END : 0);
	}
	entry->uidl = sync_uidl(list, line);
	entry->guid = sync_entry_guid(list, line);
	order = uidlist_field(line, 'O', &len);
	for (size_t i = 0; order != NULL && i < len && i < 9; i++) {
		if (order[i] < '0' || order[i] > '9')
			break;
		entry->pop3_order = entry->pop3_order * 10 + (uint32_t)(order[i] - '0');
	}
}

static void
entry_fill(const struct sync *sync, struct list *list, const struct scan_file *file, uint32_t uid,
    const struct uidlist_line *line)
{
	struct entry *entry = &list->entry[list->count++];
	uint32_t letters;

	memset(entry, 0, sizeof(*entry));
	entry->uid = uid;
	entry->name = file->name;
	entry->dir = file->dir;
	entry->known = file->twin ? INDEX_TWIN : 0;
	mdname_flags(file->name, &entry->flags, &letters);
	entry->keywords = keywords_of(sync->folder->keywords, file->name, file->base_len, letters);
	if (line != NULL)
		entry_fields(list, entry, line);
}

/* One that no pass found, and of which it is not sure that it is gone: it stays as it was. */
static int
entry_keep(struct list *list, const struct index_message *was, const struct uidlist_line *line)
{
	struct entry *entry = &list->entry[list->count];

	memset(entry, 0, sizeof(*entry));
	entry->uid = was->record.uid;
	entry->flags = was->record.flags;
	entry->keywords = was->record.keywords;
	entry->dir = was->record.dir;
	entry->known = was->record.known & INDEX_TWIN;
	if (line->ext_len > 0)
		entry_fields(list, entry, line);
	entry->name = mdarena_add(&list->arena, index_name(was), was->record.name_len);
	if (entry->name == NULL)
		return -1;
	list->count++;
	return 0;
}

static void
build_delivered(struct list *list, struct delivered *message)
{
	struct entry *entry = &list->entry[list->count - 1];

	message->uid = entry->uid;
	if (message->guid != NULL && entry->guid == NULL)
		entry->guid = mdarena_add(&list->arena, message->guid, strlen(message->guid));
	if (!message->sizes.known)
		return;
	entry->size = message->sizes.size;
	entry->wire = message->sizes.wire;
	entry->known &= (uint8_t)~INDEX_HEARSAY;
	entry->known |= INDEX_SIZES | (message->sizes.line_end ? INDEX_LINE_END : 0);
}

static int
build_lines(struct sync *sync, struct list *list)
{
	const struct uidlist *uids = &sync->uids.list;
	struct index_message was;

	for (size_t i = 0; i < uids->count; i++) {
		const struct uidlist_line *line = &uids->line[i];

		if (line_has_file(sync, i)) {
			const struct scan_file *file = &sync->scan.file[sync->file_of[i]];

			entry_fill(sync, list, file, line->uid, line);
			/* A line for it already: somebody who knows no locks has written it. */
			if (file->rank > 0)
				build_delivered(list, &sync->set->message[file->rank - 1]);
		} else if (sync->file_of[i] == SCAN_NONE && !sync->sure &&
			   maildir_uidvalidity(sync->folder) == sync->validity &&
			   message_find(sync->folder, line->uid, &was) == 0) {
			if (entry_keep(list, &was, line) < 0)
				return -1;
		}
	}
	return 0;
}

static int
sync_build(struct sync *sync, struct list *list)
{
	const struct uidlist *uids = &sync->uids.list;
	size_t room = (sync->renumber ? 0 : uids->count) + sync->fresh_count + 1;

	list->entry = calloc(room, sizeof(*list->entry));
	if (list->entry == NULL)
		return -1;
	/* The names are in the scan's arena, which is the list's from now on. */
	list->arena = sync->scan.arena;
	memset(&sync->scan.arena, 0, sizeof(sync->scan.arena));
	if (!sync->renumber && build_lines(sync, list) < 0)
		return -1;
	for (size_t i = 0; i < sync->fresh_count; i++) {
		const struct scan_file *file = &sync->scan.file[sync->fresh[i].file];

		entry_fill(sync, list, file, sync->fresh[i].uid,
		    file->line != SCAN_NONE ? &uids->line[file->line] : NULL);
		if (file->rank > 0)
			build_delivered(list, &sync->set->message[file->rank - 1]);
	}
	list->validity = sync->validity;
	list->next = sync->next;
	memcpy(list->guid, sync->guid, sizeof(list->guid));
	return 0;
}

/* --- the whole --- */

/* How the folder looks now that all of it is known. */
static void
sync_state(struct sync *sync, struct index_state *state)
{
	memset(state, 0, sizeof(*state));
	memcpy(state->dir, sync->scan.stamp, sizeof(state->dir));
	state->uidlist = sync->uids.stamp;
	state->more = sync->folder->keywords->numbers.stamp;
	state->letters = sync->folder->keywords->letters.stamp;
	state->next = sync->next;
	state->lines = (uint32_t)(sync->lines < UINT32_MAX ? sync->lines : UINT32_MAX);
	/* What only an earlier pass saw may be gone: then the next sync must look again. */
	if (!sync->scan.still || sync->unsettled || (!sync->sure && sync->dead > 0) ||
	    !scan_saw_all(&sync->scan))
		state->doubt |= INDEX_CUR | INDEX_NEW;
	if (sync->waits > 0 || (sync->frozen != 0 && !list_can_grow(&sync->uids.list)))
		state->doubt |= INDEX_WAITS;
	if (sync->moved) {
		own_change_end(sync->folder, state);
		state->doubt |= INDEX_NEW;
	}
}

/* The first UID that no IMAP session was told of. */
uint32_t
sync_recent(const struct sync *sync)
{
	const struct uid_record *record = &sync->record;

	if (sync->renumber)
		return 1;
	if (record->validity == sync->validity)
		return record->recent;
	/* A folder that only Dovecot had open: it told of its UIDs.  Or it has just renumbered. */
	return record->validity == 0 ? sync->uids.list.next : 1;
}

static int
sync_finish(struct sync *sync)
{
	struct maildir_folder *folder = sync->folder;
	struct uid_record record = {
	    sync->validity, sync->next, sync_recent(sync), sync->record.modseq};
	struct list list = {0};
	struct index_state state;
	int r;

	if (sync_build(sync, &list) < 0) {
		list_clear(&list);
		return -1;
	}
	/* That it cannot be written costs only a check: an older record is below what is true. */
	if (sync->frozen == 0 && (record.validity != sync->record.validity ||
				     record.next != sync->record.next || sync->written))
		(void)!uid_record_write(&folder->home, &record);
	sync_state(sync, &state);
	r = sync_take(sync, &list, &state);
	list_clear(&list);
	return r;
}

/* Moves new mail to cur/ if it can get UIDs.  Mail that waits for a UID stays in new/, where a look costs least. */
static int
sync_move(struct sync *sync)
{
	if (sync_match(sync) < 0)
		return -1;
	if ((sync_wants_rewrite(sync) || sync->fresh_count > 0) && sync_reload(sync) < 0)
		return -1;
	if (sync->frozen != 0)
		return 0;
	if (scan_move_new(&sync->scan, &sync->moved) < 0)
		return -1;
	/* They have other names now. */
	return sync->moved ? sync_find_fresh(sync) : 0;
}

/* Once, until there are none. */
static void
sync_tell_waits(struct sync *sync)
{
	struct maildir_folder *folder = sync->folder;

	if (sync->waits > 0 && !folder->waits_told)
		root_notice(folder->home.md,
		    "%s: %zu new messages are not shown yet: no UID can be written: %s",
		    folder->home.name, sync->waits, strerror(sync->frozen));
	folder->waits_told = sync->waits > 0;
}

static int
sync_locked(struct sync *sync)
{
	if (folder_open_dirs(sync->folder) < 0 || keywords_refresh(sync->folder->keywords) < 0 ||
	    sync_read_record(sync) < 0 || sync_load(sync) < 0)
		return -1;
	if (scan_collect(&sync->scan, sync_complete, sync, &sync->sure) < 0)
		return -1;
	sync->folder->odd_told = true;
	if (sync->scan.pairs > 0) {
		sync->unsettled = sync->frozen == 0;
		if (scan_separate(&sync->scan, sync->frozen == 0) < 0)
			return -1;
	}
	if (sync_rank(sync) < 0 || own_change_begin(sync->folder) < 0 || sync_move(sync) < 0 ||
	    sync_write(sync) < 0)
		return -1;
	sync_tell_waits(sync);
	return sync_finish(sync);
}

/* Under the folder's lock. */
static int
sync_run(struct sync *sync)
{
	int r, saved;

	sync->uids.fd = -1;
	scan_init(&sync->scan, sync->folder);
	r = sync_locked(sync);
	saved = errno;
	if (sync->locked && sync->set == NULL)
		dotlock_drop(&sync->folder->home);
	uidfile_close(&sync->uids);
	scan_clear(&sync->scan);
	free(sync->file_of);
	free(sync->fresh);
	errno = saved;
	return r;
}

int
sync_all(struct maildir_folder *folder)
{
	struct sync sync = {.folder = folder, .frozen = folder->home.unlocked};

	(void)index_is_current(folder->index);
	return sync_run(&sync);
}

int
sync_delivered(struct maildir_folder *folder, struct delivery_set *set)
{
	struct sync sync = {.folder = folder, .set = set, .locked = true};

	(void)index_is_current(folder->index);
	return sync_run(&sync);
}
