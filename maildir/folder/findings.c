/*
 * findings.c: keeps facts that were found by reading messages (sizes, dates, texts) and saves them in the index.
 * Runs as: mail user.
 *
 * A session collects its findings in memory while a command runs, and puts them into the index at its end, by one
 * write for all messages.  If the session dies before, the next one reads those messages again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/bisect.h"
#include "maildir/base/lock.h"
#include "maildir/folder/findings.h"
#include "maildir/folder/folder.h"
#include "maildir/index/index.h"

enum {
	SAVE_COUNT = 20000, /* messages: then they are saved in the middle of a command, so that
			       a client that goes away does not cost all of them */
	WAIT_COUNT = 500,   /* messages: for so many it is worth to wait for the lock */
	TEXTS_SAVE = 1024 * 1024, /* octets of texts that are written at once */
	TEXTS_KEEP = 16 * 1024,	  /* octets of memory for texts that a session keeps */
};

/* A finding's text has this bit while its place is in findings->texts, and not in the file. */
#define TEXT_PENDING (UINT64_C(1) << 63)

struct findings {
	struct index_finding *list; /* by rising UID */
	size_t count, room;
	struct mdbuf texts; /* records that are not in the file yet */
	uint32_t validity;  /* the UIDVALIDITY of all these UIDs */
};

/* The folder's findings; those of another UIDVALIDITY are dropped.  NULL: ENOMEM. */
static struct findings *
findings_get(struct maildir_folder *folder)
{
	struct findings *f = folder->findings;

	if (f == NULL)
		f = folder->findings = calloc(1, sizeof(*f));
	if (f != NULL && f->validity != maildir_uidvalidity(folder)) {
		f->count = f->texts.len = 0;
		f->validity = maildir_uidvalidity(folder);
	}
	return f;
}

void
findings_free(struct findings **findings)
{
	struct findings *f = *findings;

	*findings = NULL;
	if (f == NULL)
		return;
	mdbuf_clear(&f->texts);
	free(f->list);
	free(f);
}

/* --- adding --- */

struct wanted {
	const struct index_finding *list;
	uint32_t uid;
};

static bool
is_below(const void *ctx, size_t place)
{
	const struct wanted *wanted = ctx;

	return wanted->list[place].uid < wanted->uid;
}

/* Returns the place of that UID in the list, or the place to insert it.  Most UIDs belong at the end. */
static size_t
findings_place(const struct findings *f, uint32_t uid)
{
	const struct wanted wanted = {f->list, uid};

	if (f->count > 0 && f->list[f->count - 1].uid < uid)
		return f->count;
	return bisect(f->count, is_below, &wanted);
}

/* Returns the finding of that UID, and makes it if there is none.  NULL: ENOMEM. */
static struct index_finding *
findings_entry(struct findings *f, uint32_t uid)
{
	size_t at = findings_place(f, uid);
	struct index_finding *grown;

	if (at < f->count && f->list[at].uid == uid)
		return &f->list[at];
	grown = array_grow(f->list, f->count, &f->room, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	f->list = grown;
	memmove(&f->list[at + 1], &f->list[at], (f->count - at) * sizeof(f->list[0]));
	f->list[at] = (struct index_finding){.uid = uid};
	f->count++;
	return &f->list[at];
}

void
findings_add(struct maildir_folder *folder, const struct index_finding *finding)
{
	struct findings *f = findings_get(folder);
	struct index_finding *entry = f != NULL ? findings_entry(f, finding->uid) : NULL;

	if (entry == NULL)
		return;
	if ((finding->known & INDEX_OTHER) != 0)
		*entry = (struct index_finding){.uid = finding->uid};
	if ((finding->known & INDEX_SIZES) != 0) {
		entry->size = finding->size;
		entry->wire = finding->wire;
		entry->known &= (uint8_t)~INDEX_LINE_END;
	}
	if ((finding->known & INDEX_DATE) != 0)
		entry->date = finding->date;
	if (finding->text != 0) {
		entry->text = finding->text;
		entry->text_size = finding->text_size;
	}
	entry->known |= finding->known;
}

bool
findings_of(const struct maildir_folder *folder, uint32_t uid, struct index_finding *finding_r)
{
	const struct findings *f = folder->findings;
	size_t at;

	if (f == NULL || f->count == 0 || f->validity != maildir_uidvalidity(folder))
		return false;
	at = findings_place(f, uid);
	if (at == f->count || f->list[at].uid != uid)
		return false;
	*finding_r = f->list[at];
	return true;
}

/* --- saving --- */

/* Forgets texts that cannot be saved.  They are made again when a client asks for them. */
static void
texts_drop(struct findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		if ((f->list[i].text & TEXT_PENDING) != 0)
			f->list[i].text = f->list[i].text_size = 0;
	f->texts.len = 0;
	f->texts.failed = false;
}

/* Writes the texts to their file, under the lock, when the index is the one on the disk. */
static void
texts_write(struct maildir_folder *folder, struct findings *f)
{
	struct summaries *texts = f->texts.len > 0 ? index_summaries(folder->index, true) : NULL;
	uint64_t at;

	if (texts == NULL || summaries_append(texts, &f->texts, &at) < 0) {
		texts_drop(f);
		return;
	}
	for (size_t i = 0; i < f->count; i++)
		if ((f->list[i].text & TEXT_PENDING) != 0)
			f->list[i].text = at + (f->list[i].text & ~TEXT_PENDING);
	f->texts.len = 0;
}

/* Writes the texts in the middle of a command, since they have become many. */
static void
texts_save(struct maildir_folder *folder, struct findings *f)
{
	if (mdlock_folder(&folder->home) < 0) {
		texts_drop(f);
		return;
	}
	if (index_is_current(folder->index))
		texts_write(folder, f);
	else
		texts_drop(f);
	mdlock_folder_drop(&folder->home);
}

/* Gives back the memory that a burst of findings needed. */
static void
findings_shrink(struct findings *f)
{
	if (f->room > WAIT_COUNT) {
		free(f->list);
		f->list = NULL;
		f->room = 0;
	}
	if (f->texts.size > TEXTS_KEEP)
		mdbuf_clear(&f->texts);
}

bool
maildir_has_findings(const struct maildir_folder *folder)
{
	return folder->findings != NULL && folder->findings->count > 0;
}

void
findings_add_texts(struct maildir_folder *folder, struct index_finding *finding,
    const char *const text[MAILDIR_TEXTS], const uint32_t len[MAILDIR_TEXTS])
{
	struct findings *f = findings_get(folder);
	size_t before;

	if (f == NULL)
		return;
	before = f->texts.len;
	summaries_put(&f->texts, finding->uid, text, len);
	finding->text = TEXT_PENDING | before;
	finding->text_size = (uint32_t)(f->texts.len - before);
	findings_add(folder, finding);
	if (f->texts.failed)
		texts_drop(f);
	else if (f->texts.len > TEXTS_SAVE)
		texts_save(folder, f);
}

bool
findings_are_many(const struct maildir_folder *folder)
{
	return folder->findings != NULL && folder->findings->count >= SAVE_COUNT;
}

bool
findings_save(struct maildir_folder *folder)
{
	struct findings *f = folder->findings;
	int r;

	if (f == NULL || f->count == 0)
		return true;
	if (mddir_in_batch(&folder->home))
		return false;
	if (f->validity != maildir_uidvalidity(folder)) {
		f->count = f->texts.len = 0;
		return true;
	}
	r = f->count < WAIT_COUNT ? mdlock_folder_try(&folder->home) : mdlock_folder(&folder->home);
	if (r < 0)
		return false;
	/* If the index is old the next sync comes first, and the next call saves. */
	if (index_is_current(folder->index) && f->validity == maildir_uidvalidity(folder)) {
		texts_write(folder, f);
		(void)!index_add_findings(folder->index, f->list, f->count);
		f->count = 0;
	}
	mdlock_folder_drop(&folder->home);
	if (f->count == 0)
		findings_shrink(f);
	return f->count == 0;
}
