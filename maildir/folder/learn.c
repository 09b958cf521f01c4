/*
 * learn.c: what is learned of messages by reading them: sizes, dates, texts.
 * Runs as: mail user.
 *
 * It is collected in memory while a command runs, texts of many messages together, and put into the index
 * at its end: one write for all.  Who dies before has lost some time of the next session's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/learn.h"
#include "maildir/folder/reader.h"
#include "maildir/index/index.h"
#include "maildir/message/message.h"

enum {
	LEARN_SAVE = 20000, /* messages: then it is put into the index in the middle of a
					command, so that not all is lost with a client that goes */
	LEARN_WORTH = 500,  /* so many are worth waiting for the lock */
	LEARN_LOOK = 1000,  /* messages looked at in a step of learning ahead: a millisecond */
	TEXTS_SAVE = 1024 * 1024, /* octets of texts written at once */
	TEXTS_KEEP = 16 * 1024,	  /* octets of memory for texts that a session keeps */
};

/* Of a place of texts: it is counted from the beginning of what was not written yet. */
#define TEXT_PENDING (UINT64_C(1) << 63)

struct learning {
	struct index_learned *learned; /* by rising UID */
	size_t count, room;
	struct mdtext texts;  /* records that are not written yet */
	struct summary facts; /* of the message that was read last */
	uint32_t facts_uid;   /* 0: of none */
	uint64_t file_size;   /* of that message */
	uint32_t validity;    /* that all of it belongs to */
	uint32_t looked;      /* maildir_learn has looked at messages below this UID */
	bool expects_all;
};

static struct learning *
learning_of(struct maildir_folder *folder)
{
	struct learning *l = folder->learning;

	if (l == NULL)
		l = folder->learning = calloc(1, sizeof(*l));
	if (l != NULL && l->validity != maildir_uidvalidity(folder)) {
		l->count = l->texts.len = 0;
		l->facts_uid = l->looked = 0;
		l->validity = maildir_uidvalidity(folder);
	}
	return l;
}

void
learning_free(struct learning **learning)
{
	struct learning *l = *learning;

	*learning = NULL;
	if (l == NULL)
		return;
	summary_clear(&l->facts);
	mdtext_clear(&l->texts);
	free(l->learned);
	free(l);
}

void
maildir_expect(struct maildir_folder *folder, bool all)
{
	struct learning *l = learning_of(folder);

	if (l != NULL)
		l->expects_all = all;
}

bool
learn_expects_all(const struct maildir_folder *folder)
{
	return folder->learning != NULL && folder->learning->expects_all;
}

/* --- noting --- */

static size_t
learned_find(const struct learning *l, uint32_t uid)
{
	size_t low = 0, high = l->count;

	if (high > 0 && l->learned[high - 1].uid < uid)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->learned[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The entry of the message, made if there is none; NULL: ENOMEM. */
static struct index_learned *
learned_entry(struct learning *l, uint32_t uid)
{
	size_t at = learned_find(l, uid);

	if (at < l->count && l->learned[at].uid == uid)
		return &l->learned[at];
	if (l->count == l->room) {
		size_t room = l->room == 0 ? 16 : l->room * 2;
		struct index_learned *grown = reallocarray(l->learned, room, sizeof(*grown));

		if (grown == NULL)
			return NULL;
		l->learned = grown;
		l->room = room;
	}
	memmove(&l->learned[at + 1], &l->learned[at], (l->count - at) * sizeof(l->learned[0]));
	l->learned[at] = (struct index_learned){.uid = uid};
	l->count++;
	return &l->learned[at];
}

void
learn(struct maildir_folder *folder, const struct index_learned *learned)
{
	struct learning *l = learning_of(folder);
	struct index_learned *entry;

	if (l == NULL)
		return;
	entry = learned_entry(l, learned->uid);
	if (entry == NULL)
		return;
	if ((learned->known & INDEX_OTHER) != 0) {
		*entry = (struct index_learned){.uid = learned->uid};
		l->facts_uid = 0;
	}
	if ((learned->known & INDEX_SIZES) != 0) {
		entry->size = learned->size;
		entry->wire = learned->wire;
		entry->known &= (uint8_t)~INDEX_LINE_END;
	}
	if ((learned->known & INDEX_DATE) != 0)
		entry->date = learned->date;
	if (learned->text != 0) {
		entry->text = learned->text;
		entry->text_size = learned->text_size;
	}
	entry->known |= learned->known;
}

void
learn_unreadable(struct maildir_folder *folder, uint32_t uid)
{
	const struct index_learned learned = {.uid = uid, .known = INDEX_UNREADABLE};

	learn(folder, &learned);
}

bool
learn_recall(const struct maildir_folder *folder, uint32_t uid, struct index_learned *learned_r)
{
	const struct learning *l = folder->learning;
	size_t at;

	if (l == NULL || l->count == 0 || l->validity != maildir_uidvalidity(folder))
		return false;
	at = learned_find(l, uid);
	if (at == l->count || l->learned[at].uid != uid)
		return false;
	*learned_r = l->learned[at];
	return true;
}

/* --- writing --- */

/* Texts that cannot be kept: they are made again when they are asked for. */
static void
texts_drop(struct learning *l)
{
	for (size_t i = 0; i < l->count; i++)
		if ((l->learned[i].text & TEXT_PENDING) != 0)
			l->learned[i].text = l->learned[i].text_size = 0;
	l->texts.len = 0;
	l->texts.failed = false;
}

/* Under the lock, with the index as it is on disk. */
static void
texts_write(struct maildir_folder *folder, struct learning *l)
{
	struct texts *texts = l->texts.len > 0 ? index_texts(folder->index, true) : NULL;
	uint64_t at;

	if (texts == NULL || texts_append(texts, &l->texts, &at) < 0) {
		texts_drop(l);
		return;
	}
	for (size_t i = 0; i < l->count; i++)
		if ((l->learned[i].text & TEXT_PENDING) != 0)
			l->learned[i].text = at + (l->learned[i].text & ~TEXT_PENDING);
	l->texts.len = 0;
}

/* Texts have become many in the middle of a command. */
static void
texts_save(struct maildir_folder *folder, struct learning *l)
{
	if (mdlock_folder(&folder->home) < 0) {
		texts_drop(l);
		return;
	}
	if (index_is_current(folder->index))
		texts_write(folder, l);
	else
		texts_drop(l);
	mdlock_unfolder(&folder->home);
}

/* What a burst has needed is not kept for the next. */
static void
learning_shrink(struct learning *l)
{
	if (l->room > LEARN_WORTH) {
		free(l->learned);
		l->learned = NULL;
		l->room = 0;
	}
	if (l->texts.size > TEXTS_KEEP)
		mdtext_clear(&l->texts);
}

bool
maildir_has_learned(const struct maildir_folder *folder)
{
	return folder->learning != NULL && folder->learning->count > 0;
}

bool
maildir_remember(struct maildir_folder *folder)
{
	struct learning *l = folder->learning;
	int r;

	if (l == NULL)
		return true;
	summary_clear(&l->facts);
	l->facts_uid = 0;
	if (l->count == 0)
		return true;
	if (mddir_in_batch(&folder->home))
		return false;
	if (l->validity != maildir_uidvalidity(folder)) {
		l->count = l->texts.len = 0;
		return true;
	}
	r = l->count < LEARN_WORTH ? mdlock_folder_try(&folder->home)
				   : mdlock_folder(&folder->home);
	if (r < 0)
		return false;
	/* When the index is old the next sync comes first, and then this. */
	if (index_is_current(folder->index) && l->validity == maildir_uidvalidity(folder)) {
		texts_write(folder, l);
		(void)!index_learn(folder->index, l->learned, l->count);
		l->count = 0;
	}
	mdlock_unfolder(&folder->home);
	if (l->count == 0)
		learning_shrink(l);
	return l->count == 0;
}

/* --- reading messages --- */

static uint32_t
text_len(const struct summary *facts, int i)
{
	bool structure = i == MAILDIR_BODYSTRUCTURE || i == MAILDIR_BODYSTRUCTURE_UTF8;

	if (structure && !facts->whole)
		return TEXTS_UNKNOWN;
	if (i == MAILDIR_DECODED && !facts->decoded)
		return TEXTS_LONG;
	if ((i == MAILDIR_ENVELOPE_UTF8 && facts->same_envelope) ||
	    (i == MAILDIR_BODYSTRUCTURE_UTF8 && facts->same_structure))
		return TEXTS_SAME;
	return facts->text[i].len <= TEXTS_TEXT_MAX ? (uint32_t)facts->text[i].len : TEXTS_LONG;
}

static void
learn_facts(struct maildir_folder *folder, uint32_t uid, const struct summary *facts)
{
	struct learning *l = learning_of(folder);
	struct index_learned learned = {.uid = uid};
	const char *text[MAILDIR_TEXTS];
	uint32_t len[MAILDIR_TEXTS];
	size_t before = l->texts.len;

	for (int i = 0; i < MAILDIR_TEXTS; i++) {
		text[i] = facts->text[i].data;
		len[i] = text_len(facts, i);
	}
	texts_put(&l->texts, uid, text, len);
	learned.text = TEXT_PENDING | before;
	learned.text_size = (uint32_t)(l->texts.len - before);
	if (facts->whole) {
		learned.size = l->file_size;
		learned.wire = facts->wire;
		learned.known = INDEX_SIZES | (facts->line_end ? INDEX_LINE_END : 0);
	}
	learn(folder, &learned);
	if (l->texts.failed)
		texts_drop(l);
	else if (l->texts.len > TEXTS_SAVE)
		texts_save(folder, l);
}

/* Reads a message; what it tells is in l->facts then, and to be remembered if it is not known already. */
static int
facts_load(
    struct maildir_folder *folder, struct learning *l, uint32_t uid, bool head_only, bool is_new)
{
	struct folder_source source;
	struct summary facts;
	int r;

	/* Before there is anything of this message that it would throw away. */
	if (l->count >= LEARN_SAVE)
		maildir_remember(folder);
	folder_source_init(&source, folder, uid);
	r = summary_read(&source.source, head_only, &facts);
	if (r == 0)
		l->file_size = reader_file_size(source.reader);
	folder_source_close(&source);
	if (r < 0)
		return -1;
	summary_clear(&l->facts);
	l->facts = facts;
	l->facts_uid = uid;
	if (is_new)
		learn_facts(folder, uid, &l->facts);
	return 0;
}

int
learn_all(struct maildir_folder *folder, uint32_t uid, struct index_learned *learned_r)
{
	struct learning *l = learning_of(folder);

	if (l == NULL || facts_load(folder, l, uid, false, true) < 0)
		return -1;
	learned_r->uid = uid;
	learned_r->size = l->file_size;
	learned_r->wire = l->facts.wire;
	learned_r->known = INDEX_SIZES | (l->facts.line_end ? INDEX_LINE_END : 0);
	return 0;
}

static bool
is_structure(enum maildir_text text)
{
	return text == MAILDIR_BODYSTRUCTURE || text == MAILDIR_BODYSTRUCTURE_UTF8;
}

/* The message's record, without its strings. */
static bool
record_find(struct maildir_folder *folder, uint32_t uid, struct index_record *record_r)
{
	return index_record(folder->index, index_find(folder->index, uid), record_r) &&
	       record_r->uid == uid;
}

/* What the index has of a text. */
enum recalled { RECALL_GONE, RECALL_DONE, RECALL_NONE, RECALL_DAMAGED, RECALL_LONG };

static enum recalled
text_recall(struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdtext *out)
{
	struct index_record record;
	struct texts *texts;

	if (!record_find(folder, uid, &record)) {
		errno = ENOENT;
		return RECALL_GONE;
	}
	texts = record.text != 0 ? index_texts(folder->index, false) : NULL;
	if (texts == NULL)
		return RECALL_NONE;
	if (texts_get(texts, record.text, uid, text, out))
		return RECALL_DONE;
	return texts_len(texts, record.text, uid, text) == TEXTS_LONG ? RECALL_LONG
								      : RECALL_DAMAGED;
}

int
maildir_text(
    struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdtext *out)
{
	struct learning *l = learning_of(folder);
	const struct mdtext *found;
	enum recalled recalled;
	bool head_only;

	if (l == NULL)
		return -1;
	if (l->facts_uid != uid || (is_structure(text) && !l->facts.whole)) {
		recalled = text_recall(folder, uid, text, out);
		if (recalled <= RECALL_DONE)
			return recalled == RECALL_DONE ? 0 : -1;
		if (recalled == RECALL_LONG && text == MAILDIR_DECODED) {
			errno = EFBIG;
			return -1;
		}
		/* What is learned of the head alone is not put in the place of more. */
		head_only = !is_structure(text) && !l->expects_all && recalled != RECALL_DAMAGED;
		if (facts_load(folder, l, uid, head_only, recalled != RECALL_LONG) < 0)
			return -1;
	}
	if (text == MAILDIR_DECODED && !l->facts.decoded) {
		errno = EFBIG;
		return -1;
	}
	found = summary_text(&l->facts, text);
	mdtext_add(out, found->data, found->len);
	return 0;
}

/* Whether there is something to learn of a message. */
static bool
is_unlearned(struct maildir_folder *folder, const struct index_record *record)
{
	struct texts *texts;

	if ((record->known & INDEX_UNREADABLE) != 0)
		return false;
	if ((record->known & INDEX_DATE) == 0 || (record->known & INDEX_SIZES) == 0 ||
	    record->text == 0)
		return true;
	texts = index_texts(folder->index, false);
	return texts == NULL ||
	       texts_len(texts, record->text, record->uid, MAILDIR_BODYSTRUCTURE) == TEXTS_UNKNOWN;
}

ssize_t
maildir_learn(struct maildir_folder *folder, size_t count)
{
	struct learning *l = learning_of(folder);
	struct index_record record;
	struct index_learned learned;
	time_t date;

	if (l == NULL || !index_is_open(folder->index))
		return -1;
	if (index_is_private(folder->index) || maildir_read_only(folder) != 0) {
		errno = EROFS;
		return -1;
	}
	for (int looked = 0; looked < LEARN_LOOK && count > 0; looked++) {
		/* Reading a message may change the list. */
		size_t place = maildir_find(folder, l->looked);

		if (place == maildir_count(folder))
			return 0;
		if (!index_record(folder->index, place, &record)) {
			errno = EIO;
			return -1;
		}
		l->looked = record.uid + 1;
		if (!is_unlearned(folder, &record))
			continue;
		count--;
		if (maildir_date(folder, record.uid, &date) == 0 &&
		    learn_all(folder, record.uid, &learned) < 0 && errno == ECANCELED) {
			l->looked = record.uid; /* the next call reads it */
			break;
		}
	}
	return (ssize_t)(maildir_count(folder) - maildir_find(folder, l->looked));
}
