/*
 * list.c: the list of messages in memory, and finding a message's file again.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/internal.h"
#include "maildir/lock.h"
#include "maildir/scan.h"
#include "maildir/uidlist.h"

/* A file system that counts in seconds shows a change after the next one. */
#define LOOK_AGAIN_MS 1100

void
list_clear(struct list *list)
{
	free(list->entry);
	mdarena_clear(&list->arena);
	memset(list, 0, sizeof(*list));
}

size_t
maildir_count(const struct maildir_folder *folder)
{
	return folder->list.count;
}

bool
maildir_message(struct maildir_folder *folder, size_t place, struct maildir_message *message_r)
{
	if (place >= folder->list.count)
		return false;
	*message_r = folder->list.entry[place].pub;
	return true;
}

struct entry *
entry_find(struct maildir_folder *folder, uint32_t uid)
{
	size_t place = maildir_find(folder, uid);

	if (place < folder->list.count && folder->list.entry[place].pub.uid == uid)
		return &folder->list.entry[place];
	errno = ENOENT;
	return NULL;
}

bool
maildir_lookup(struct maildir_folder *folder, uint32_t uid, struct maildir_message *message_r)
{
	const struct entry *entry = entry_find(folder, uid);

	if (entry != NULL)
		*message_r = entry->pub;
	return entry != NULL;
}

void
maildir_counts(struct maildir_folder *folder, struct maildir_counts *counts_r)
{
	const struct list *list = &folder->list;

	memset(counts_r, 0, sizeof(*counts_r));
	counts_r->messages = list->count;
	counts_r->octets_known = true;
	for (size_t i = 0; i < list->count; i++) {
		const struct entry *entry = &list->entry[i];

		counts_r->unseen += !(entry->pub.flags & MAILDIR_SEEN);
		counts_r->deleted += (entry->pub.flags & MAILDIR_TRASHED) != 0;
		counts_r->octets += entry->wire;
		counts_r->octets_known &= (entry->known & ENTRY_SIZES) != 0;
	}
}

size_t
maildir_first_unseen(struct maildir_folder *folder)
{
	const struct list *list = &folder->list;
	size_t place = 0;

	while (place < list->count && (list->entry[place].pub.flags & MAILDIR_SEEN))
		place++;
	return place;
}

void
maildir_on_change(struct maildir_folder *folder,
    void (*change)(void *ctx, enum maildir_change change, uint32_t uid), void *ctx)
{
	folder->change = change;
	folder->change_ctx = ctx;
}

void
entry_tell(const struct maildir_folder *folder, enum maildir_change change, uint32_t uid)
{
	if (folder->change != NULL)
		folder->change(folder->change_ctx, change, uid);
}

uint64_t
maildir_highest_modseq(const struct maildir_folder *folder)
{
	return folder->list.modseq;
}

/* What was expunged is not remembered yet. */
bool
maildir_vanished(
    struct maildir_folder *folder, uint64_t since, void (*each)(void *ctx, uint32_t uid), void *ctx)
{
	(void)folder;
	(void)since;
	(void)each;
	(void)ctx;
	return false;
}

int
maildir_look_again(const struct maildir_folder *folder)
{
	return folder->seen.valid ? -1 : LOOK_AGAIN_MS;
}

/* Nor is what was learned. */
void
maildir_remember(struct maildir_folder *folder)
{
	(void)folder;
}

ssize_t
maildir_learn(struct maildir_folder *folder, size_t count)
{
	(void)folder;
	(void)count;
	return 0;
}

uint32_t
maildir_uidvalidity(const struct maildir_folder *folder)
{
	return folder->list.validity;
}

uint32_t
maildir_uidnext(const struct maildir_folder *folder)
{
	return folder->list.next;
}

size_t
maildir_find(const struct maildir_folder *folder, uint32_t uid)
{
	const struct list *list = &folder->list;
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->entry[middle].pub.uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The record as far as it is of this list: after another session renumbered, or when it is lost,
 * nothing of the list is new.
 */
static int
recent_read(struct maildir_folder *folder, struct uid_record *record)
{
	const struct list *list = &folder->list;

	if (uid_record_read(folder, record) < 0)
		return -1;
	if (record->validity != list->validity)
		record->recent = list->next;
	return 0;
}

int
maildir_recent(struct maildir_folder *folder, uint32_t *from_r)
{
	struct uid_record record;
	int r;

	if (mdlock_folder(folder) < 0)
		return -1;
	r = recent_read(folder, &record);
	mdlock_unfolder(folder);
	*from_r = record.recent;
	return r;
}

int
maildir_claim_recent(struct maildir_folder *folder, uint32_t *from_r)
{
	struct uid_record record;
	int r;

	if (mdlock_folder(folder) < 0)
		return -1;
	r = recent_read(folder, &record);
	*from_r = record.recent;
	/* Only what this session has in its list: others may know of more. */
	if (r == 0 && record.recent < folder->list.next) {
		record.recent = folder->list.next;
		r = uid_record_write(folder, &record);
	}
	mdlock_unfolder(folder);
	return r;
}

int
entry_rename(struct maildir_folder *folder, struct entry *entry, int dir, const char *name)
{
	size_t len = strlen(name);
	char *copy;

	entry->dir = (uint8_t)dir;
	entry->known &= (uint8_t)~ENTRY_GONE;
	if (strcmp(entry->name, name) == 0)
		return 0;
	copy = mdarena_add(&folder->list.arena, name, len);
	if (copy == NULL)
		return -1;
	entry->name = copy;
	return 0;
}

struct search {
	struct scan scan;
	const struct entry *entry;
};

static bool
search_complete(void *ctx)
{
	const struct search *search = ctx;

	return scan_find(&search->scan, search->entry->name, search->entry->base_len) != SCAN_NONE;
}

/*
 * All names at once: where one file was renamed a program may have renamed them all, and a look
 * through the directory for each would take a square of the time.
 */
static int
search_apply(struct maildir_folder *folder, const struct scan *scan, bool sure)
{
	struct list *list = &folder->list;

	for (size_t i = 0; i < list->count; i++) {
		struct entry *entry = &list->entry[i];
		size_t at = scan_find(scan, entry->name, entry->base_len);

		if (at == SCAN_NONE) {
			if (sure)
				entry->known |= ENTRY_GONE;
			continue;
		}
		if (entry_rename(folder, entry, scan->file[at].dir, scan->file[at].name) < 0)
			return -1;
	}
	return 0;
}

int
entry_locate(struct maildir_folder *folder, struct entry *entry)
{
	struct search search = {.entry = entry};
	bool sure;
	int r;

	if (entry->known & ENTRY_GONE) {
		errno = ENOENT;
		return -1;
	}
	scan_init(&search.scan, folder);
	search.scan.notices = UINT32_MAX / 2; /* maildir_sync tells of odd names */
	r = scan_collect(&search.scan, search_complete, &search, &sure);
	if (r == 0) {
		bool found = search_complete(&search);

		/* Found early is not sure for the others: one pass may have missed them. */
		r = search_apply(folder, &search.scan, sure && !found);
		if (r == 0 && !found) {
			errno = ENOENT;
			r = -1;
		}
	}
	scan_clear(&search.scan);
	return r;
}
