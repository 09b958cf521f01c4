/*
 * list.c: the messages of a folder, as maildir.h describes them and the index has them.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"
#include "maildir/uids/uidlist.h"

size_t
maildir_count(const struct maildir_folder *folder)
{
	return index_count(folder->index);
}

bool
maildir_message(struct maildir_folder *folder, size_t place, struct maildir_message *message_r)
{
	const unsigned plain = INDEX_SIZES | INDEX_HEARSAY | INDEX_UNREADABLE;
	struct index_record record;

	if (!index_record(folder->index, place, &record))
		return false;
	*message_r = (struct maildir_message){
	    .uid = record.uid,
	    .flags = record.flags,
	    .keywords = record.keywords,
	    .modseq = record.modseq,
	    .pop3_order = record.pop3_order,
	    .has_pop3_uidl = record.uidl_len > 0,
	    .octets_known = (record.known & plain) == INDEX_SIZES,
	    .newline = (record.known & INDEX_LINE_END) != 0,
	    .octets = record.wire,
	};
	return true;
}

bool
maildir_lookup(struct maildir_folder *folder, uint32_t uid, struct maildir_message *message_r)
{
	size_t place = maildir_find(folder, uid);

	return maildir_message(folder, place, message_r) && message_r->uid == uid;
}

int
message_find(struct maildir_folder *folder, uint32_t uid, struct index_message *message_r)
{
	if (index_message(folder->index, uid, message_r))
		return 0;
	errno = index_is_broken(folder->index) ? EIO : ENOENT;
	return -1;
}

int
message_locate(struct maildir_folder *folder, uint32_t uid, struct index_message *message_r)
{
	uint32_t validity = maildir_uidvalidity(folder);
	int r;

	if (mdlock_enter(&folder->home, true) < 0)
		return -1;
	r = sync_again(folder);
	mdlock_folder_drop(&folder->home);
	if (r < 0)
		return -1;
	/* Under another UIDVALIDITY this UID may be another message's. */
	if (maildir_uidvalidity(folder) != validity) {
		errno = ESTALE;
		return -1;
	}
	return message_find(folder, uid, message_r);
}

bool
maildir_broken(const struct maildir_folder *folder)
{
	return index_is_broken(folder->index);
}

void
maildir_counts(struct maildir_folder *folder, struct maildir_counts *counts_r)
{
	index_counts(folder->index, counts_r);
}

size_t
maildir_first_unseen(struct maildir_folder *folder)
{
	return index_first_unseen(folder->index);
}

void
maildir_on_change(struct maildir_folder *folder,
    void (*change)(void *ctx, enum maildir_change change, uint32_t uid), void *ctx)
{
	folder->change = change;
	folder->change_ctx = ctx;
}

uint64_t
maildir_highest_modseq(const struct maildir_folder *folder)
{
	return index_state(folder->index)->modseq;
}

bool
maildir_vanished(
    struct maildir_folder *folder, uint64_t since, void (*each)(void *ctx, uint32_t uid), void *ctx)
{
	return index_vanished(folder->index, since, each, ctx);
}

int
maildir_read_only(const struct maildir_folder *folder)
{
	if (faccessat(folder->home.fd, "cur", W_OK | X_OK, 0) == 0)
		return 0;
	/* It is made when it is needed, where that is possible. */
	return errno != ENOENT || faccessat(folder->home.fd, ".", W_OK | X_OK, 0) < 0 ? errno : 0;
}

uint32_t
maildir_uidvalidity(const struct maildir_folder *folder)
{
	return index_validity(folder->index);
}

uint32_t
maildir_uidnext(const struct maildir_folder *folder)
{
	return index_state(folder->index)->next;
}

size_t
maildir_find(const struct maildir_folder *folder, uint32_t uid)
{
	return index_find(folder->index, uid);
}

/*
 * Reads the record as far as it is of this list.  After another session renumbered, and when the record is lost,
 * no message of the list is new.
 */
static int
recent_read(struct maildir_folder *folder, struct uid_record *record)
{
	if (uid_record_read(&folder->home, record) < 0)
		return -1;
	if (record->validity != maildir_uidvalidity(folder))
		record->recent = maildir_uidnext(folder);
	return 0;
}

/*
 * The record is read without the lock: when many sessions hear of a message at once, the first claims it and the others
 * only look.  A session that reads a half-written number may find that it is too late, which it is.
 */
int
maildir_recent(struct maildir_folder *folder, uint32_t *from_r)
{
	struct uid_record record = {0};
	int r = recent_read(folder, &record);

	*from_r = record.recent;
	return r;
}

int
maildir_claim_recent(struct maildir_folder *folder, uint32_t *from_r)
{
	uint32_t next = maildir_uidnext(folder);
	struct uid_record record = {0};
	int r;

	if (maildir_recent(folder, from_r) < 0)
		return -1;
	/* Claim only what is in this session's list: others may know of more. */
	if (*from_r >= next)
		return 0;
	/* If it cannot be noted, the next session tells them as recent, too. */
	if (mdlock_folder(&folder->home) < 0)
		return error_forbids_writing(errno) ? 0 : -1;
	r = recent_read(folder, &record);
	*from_r = record.recent;
	if (r == 0 && record.recent < next) {
		record.recent = next;
		r = uid_record_write(&folder->home, &record);
	}
	mdlock_folder_drop(&folder->home);
	return r;
}
