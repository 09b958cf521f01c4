/*
 * findings.c: what was found out about messages by reading them: sizes, dates, texts.
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
#include "maildir/folder/reader.h"
#include "maildir/index/index.h"
#include "maildir/message/message.h"

enum {
	SAVE_COUNT = 20000, /* messages: then they are saved in the middle of a command, so that
			       a client that goes away does not cost all of them */
	WAIT_COUNT = 500,   /* messages: for so many it is worth to wait for the lock */
	AHEAD_LOOK = 1000,  /* messages that a step of reading ahead looks at, within a ms */
	TEXTS_SAVE = 1024 * 1024, /* octets of texts that are written at once */
	TEXTS_KEEP = 16 * 1024,	  /* octets of memory for texts that a session keeps */
};

/* A finding's text has this bit while its place is one in findings->texts, and not in the file. */
#define TEXT_PENDING (UINT64_C(1) << 63)

struct findings {
	struct index_finding *list; /* by rising UID */
	size_t count, room;
	struct mdtext texts; /* records that are not in the file yet */
	struct summary last; /* of the message that was read last */
	uint32_t last_uid;   /* its UID; 0: none was read */
	uint64_t last_size;  /* octets of its file */
	uint32_t validity;   /* the UIDVALIDITY of all these UIDs */
	uint32_t ahead;	     /* maildir_learn has looked at the messages below this UID */
	bool expect_all;
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
		f->last_uid = f->ahead = 0;
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
	summary_clear(&f->last);
	mdtext_clear(&f->texts);
	free(f->list);
	free(f);
}

void
maildir_expect(struct maildir_folder *folder, bool all)
{
	struct findings *f = findings_get(folder);

	if (f != NULL)
		f->expect_all = all;
}

bool
findings_expect_all(const struct maildir_folder *folder)
{
	return folder->findings != NULL && folder->findings->expect_all;
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

/* The place of that UID in the list, or where it belongs; most UIDs belong at the end. */
static size_t
findings_place(const struct findings *f, uint32_t uid)
{
	const struct wanted wanted = {f->list, uid};

	if (f->count > 0 && f->list[f->count - 1].uid < uid)
		return f->count;
	return bisect(f->count, is_below, &wanted);
}

/* The finding of that UID, which is made if there is none.  NULL: ENOMEM. */
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
	if ((finding->known & INDEX_OTHER) != 0) {
		*entry = (struct index_finding){.uid = finding->uid};
		f->last_uid = 0;
	}
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

void
findings_add_unreadable(struct maildir_folder *folder, uint32_t uid)
{
	const struct index_finding finding = {.uid = uid, .known = INDEX_UNREADABLE};

	findings_add(folder, &finding);
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
	mdlock_unfolder(&folder->home);
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
		mdtext_clear(&f->texts);
}

bool
maildir_has_learned(const struct maildir_folder *folder)
{
	return folder->findings != NULL && folder->findings->count > 0;
}

bool
maildir_remember(struct maildir_folder *folder)
{
	struct findings *f = folder->findings;
	int r;

	if (f == NULL)
		return true;
	summary_clear(&f->last);
	f->last_uid = 0;
	if (f->count == 0)
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
	mdlock_unfolder(&folder->home);
	if (f->count == 0)
		findings_shrink(f);
	return f->count == 0;
}

/* --- reading messages --- */

/* The length of a text as its record has it. */
static uint32_t
text_len(const struct summary *message, int i)
{
	bool structure = i == MAILDIR_BODYSTRUCTURE || i == MAILDIR_BODYSTRUCTURE_UTF8;

	if (structure && !message->whole)
		return TEXT_UNKNOWN;
	if (i == MAILDIR_DECODED && !message->decoded)
		return TEXT_LONG;
	if ((i == MAILDIR_ENVELOPE_UTF8 && message->same_envelope) ||
	    (i == MAILDIR_BODYSTRUCTURE_UTF8 && message->same_structure))
		return TEXT_SAME;
	return message->text[i].len <= TEXT_MAX ? (uint32_t)message->text[i].len : TEXT_LONG;
}

/* The sizes of the message that was read last; all of it was read. */
static struct index_finding
last_sizes(const struct findings *f)
{
	return (struct index_finding){
	    .uid = f->last_uid,
	    .size = f->last_size,
	    .wire = f->last.wire,
	    .known = INDEX_SIZES | (f->last.line_end ? INDEX_LINE_END : 0),
	};
}

/* Adds what the message that was read last tells. */
static void
add_last(struct maildir_folder *folder, struct findings *f)
{
	struct index_finding finding = {.uid = f->last_uid};
	const char *text[MAILDIR_TEXTS];
	uint32_t len[MAILDIR_TEXTS];
	size_t before = f->texts.len;

	for (int i = 0; i < MAILDIR_TEXTS; i++) {
		text[i] = f->last.text[i].data;
		len[i] = text_len(&f->last, i);
	}
	summaries_put(&f->texts, f->last_uid, text, len);
	if (f->last.whole)
		finding = last_sizes(f);
	finding.text = TEXT_PENDING | before;
	finding.text_size = (uint32_t)(f->texts.len - before);
	findings_add(folder, &finding);
	if (f->texts.failed)
		texts_drop(f);
	else if (f->texts.len > TEXTS_SAVE)
		texts_save(folder, f);
}

/* Reads a message, or its header alone, into f->last; adds what it tells, if add. */
static int
read_message(
    struct maildir_folder *folder, struct findings *f, uint32_t uid, bool head_only, bool add)
{
	struct folder_source source;
	struct summary message;
	int r;

	/* Now, since later it would drop what was found of this message. */
	if (f->count >= SAVE_COUNT)
		maildir_remember(folder);
	folder_source_init(&source, folder, uid);
	r = summary_read(&source.source, head_only, &message);
	if (r == 0)
		f->last_size = reader_file_size(source.reader);
	folder_source_close(&source);
	if (r < 0)
		return -1;
	summary_clear(&f->last);
	f->last = message;
	f->last_uid = uid;
	if (add)
		add_last(folder, f);
	return 0;
}

int
findings_read_all(struct maildir_folder *folder, uint32_t uid, struct index_finding *finding_r)
{
	struct findings *f = findings_get(folder);

	if (f == NULL || read_message(folder, f, uid, false, true) < 0)
		return -1;
	*finding_r = last_sizes(f);
	return 0;
}

static bool
is_structure(enum maildir_text text)
{
	return text == MAILDIR_BODYSTRUCTURE || text == MAILDIR_BODYSTRUCTURE_UTF8;
}

/* What the index has of a text; all but the first two mean that the message has to be read. */
enum recalled { RECALL_GONE, RECALL_DONE, RECALL_NONE, RECALL_DAMAGED, RECALL_LONG };

/* Appends a text to out if the index has it. */
static enum recalled
text_recall(struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdtext *out)
{
	struct index_record record;
	struct summaries *texts;

	if (!index_record(folder->index, index_find(folder->index, uid), &record) ||
	    record.uid != uid) {
		errno = ENOENT;
		return RECALL_GONE;
	}
	texts = record.text != 0 ? index_summaries(folder->index, false) : NULL;
	if (texts == NULL)
		return RECALL_NONE;
	if (summaries_get(texts, record.text, uid, text, out))
		return RECALL_DONE;
	return summaries_len(texts, record.text, uid, text) == TEXT_LONG ? RECALL_LONG
									 : RECALL_DAMAGED;
}

int
maildir_text(
    struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdtext *out)
{
	struct findings *f = findings_get(folder);
	const struct mdtext *found;
	enum recalled recalled = RECALL_NONE;

	if (f == NULL)
		return -1;
	if (f->last_uid != uid || (is_structure(text) && !f->last.whole)) {
		bool head_only;

		recalled = text_recall(folder, uid, text, out);
		if (recalled <= RECALL_DONE)
			return recalled == RECALL_DONE ? 0 : -1;
		if (recalled == RECALL_LONG && text == MAILDIR_DECODED) {
			errno = EFBIG;
			return -1;
		}
		/* What the header alone tells must not replace what all of the message told. */
		head_only = !is_structure(text) && !f->expect_all && recalled != RECALL_DAMAGED;
		if (read_message(folder, f, uid, head_only, recalled != RECALL_LONG) < 0)
			return -1;
	}
	if (text == MAILDIR_DECODED && !f->last.decoded) {
		errno = EFBIG;
		return -1;
	}
	found = summary_text(&f->last, text);
	mdtext_add(out, found->data, found->len);
	return 0;
}

/* Whether reading the message would tell something new. */
static bool
is_unread(struct maildir_folder *folder, const struct index_record *record)
{
	const unsigned all = INDEX_DATE | INDEX_SIZES;
	struct summaries *texts;

	if ((record->known & INDEX_UNREADABLE) != 0)
		return false;
	if ((record->known & all) != all || record->text == 0)
		return true;
	texts = index_summaries(folder->index, false);
	return texts == NULL || summaries_len(texts, record->text, record->uid,
				    MAILDIR_BODYSTRUCTURE) == TEXT_UNKNOWN;
}

ssize_t
maildir_learn(struct maildir_folder *folder, size_t count)
{
	struct findings *f = findings_get(folder);
	struct index_record record;
	struct index_finding finding;
	time_t date;

	if (f == NULL || !index_is_open(folder->index))
		return -1;
	if (index_is_private(folder->index) || maildir_read_only(folder) != 0) {
		errno = EROFS;
		return -1;
	}
	for (int looked = 0; looked < AHEAD_LOOK && count > 0; looked++) {
		/* Found each time, since reading a message may change the list. */
		size_t place = maildir_find(folder, f->ahead);

		if (place == maildir_count(folder))
			return 0;
		if (!index_record(folder->index, place, &record)) {
			errno = EIO;
			return -1;
		}
		f->ahead = record.uid + 1;
		if (!is_unread(folder, &record))
			continue;
		count--;
		if (maildir_date(folder, record.uid, &date) == 0 &&
		    findings_read_all(folder, record.uid, &finding) < 0 && errno == ECANCELED) {
			f->ahead = record.uid; /* the next call reads it */
			break;
		}
	}
	return (ssize_t)(maildir_count(folder) - maildir_find(folder, f->ahead));
}
