/*
 * texts.c: gives texts of messages from the index or from the message itself, and reads messages ahead of a client's
 * wish. Runs as: mail user.
 *
 * The facts from reading a message are added to the findings, so that the next session need not read it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/folder/findings.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/reader.h"
#include "maildir/folder/texts.h"
#include "maildir/index/index.h"
#include "maildir/message/message.h"

/* Most messages that a step of reading ahead looks at, which takes a ms. */
#define AHEAD_LOOK 1000

struct folder_texts {
	struct summary last; /* of the message that was read last */
	uint32_t last_uid;   /* its UID; 0: none was read */
	uint64_t last_size;  /* octets of its file */
	uint32_t validity;   /* the UIDVALIDITY of these UIDs */
	uint32_t ahead;	     /* maildir_read_ahead has looked at the messages below this UID */
	bool expect_all;
};

/* Returns the texts that were read of the folder's messages, and drops those of another UIDVALIDITY.  NULL: ENOMEM. */
static struct folder_texts *
folder_texts_get(struct maildir_folder *folder)
{
	struct folder_texts *s = folder->texts;

	if (s == NULL)
		s = folder->texts = calloc(1, sizeof(*s));
	if (s != NULL && s->validity != maildir_uidvalidity(folder)) {
		s->last_uid = s->ahead = 0;
		s->validity = maildir_uidvalidity(folder);
	}
	return s;
}

void
folder_texts_forget(struct maildir_folder *folder)
{
	if (folder->texts == NULL)
		return;
	summary_clear(&folder->texts->last);
	folder->texts->last_uid = 0;
}

void
folder_texts_free(struct maildir_folder *folder)
{
	folder_texts_forget(folder);
	free(folder->texts);
	folder->texts = NULL;
}

void
maildir_expect_all(struct maildir_folder *folder, bool all)
{
	struct folder_texts *s = folder_texts_get(folder);

	if (s != NULL)
		s->expect_all = all;
}

bool
folder_texts_expect_all(const struct maildir_folder *folder)
{
	return folder->texts != NULL && folder->texts->expect_all;
}

bool
maildir_save_findings(struct maildir_folder *folder)
{
	folder_texts_forget(folder);
	return findings_save(folder);
}

/* --- reading messages --- */

/* Returns the length of a text as its record in the index gives it. */
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

/* Gives the sizes of the message that was read last.  The whole message was read. */
static struct index_finding
last_sizes(const struct folder_texts *s)
{
	return (struct index_finding){
	    .uid = s->last_uid,
	    .size = s->last_size,
	    .wire = s->last.wire,
	    .known = INDEX_SIZES | (s->last.line_end ? INDEX_LINE_END : 0),
	};
}

/* Adds the texts, and the sizes if they are known, of the message that was read last to the findings. */
static void
add_last(struct maildir_folder *folder, const struct folder_texts *s)
{
	struct index_finding finding = {.uid = s->last_uid};
	const char *text[MAILDIR_TEXTS];
	uint32_t len[MAILDIR_TEXTS];

	for (int i = 0; i < MAILDIR_TEXTS; i++) {
		text[i] = s->last.text[i].data;
		len[i] = text_len(&s->last, i);
	}
	if (s->last.whole)
		finding = last_sizes(s);
	findings_add_texts(folder, &finding, text, len);
}

/* Reads a message, or its header alone, into s->last.  add: also adds its texts to the findings. */
static int
read_message(
    struct maildir_folder *folder, struct folder_texts *s, uint32_t uid, bool head_only, bool add)
{
	struct folder_source source;
	struct summary message;
	int r;

	if (findings_are_many(folder))
		maildir_save_findings(folder);
	folder_source_init(&source, folder, uid);
	r = summary_read(&source.source, head_only, &message);
	if (r == 0)
		s->last_size = reader_file_size(source.reader);
	folder_source_close(&source);
	if (r < 0)
		return -1;
	summary_clear(&s->last);
	s->last = message;
	s->last_uid = uid;
	if (add)
		add_last(folder, s);
	return 0;
}

int
folder_texts_read(struct maildir_folder *folder, uint32_t uid, struct index_finding *finding_r)
{
	struct folder_texts *s = folder_texts_get(folder);

	if (s == NULL || read_message(folder, s, uid, false, true) < 0)
		return -1;
	*finding_r = last_sizes(s);
	return 0;
}

static bool
is_structure(enum maildir_text text)
{
	return text == MAILDIR_BODYSTRUCTURE || text == MAILDIR_BODYSTRUCTURE_UTF8;
}

/* Results of a search for a text in the index.  After the last three the message has to be read. */
enum recalled { RECALL_GONE, RECALL_DONE, RECALL_NONE, RECALL_DAMAGED, RECALL_LONG };

/* Appends a text to out if the index has it. */
static enum recalled
text_recall(struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdbuf *out)
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
maildir_text(struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdbuf *out)
{
	struct folder_texts *s = folder_texts_get(folder);
	const struct mdbuf *found;
	enum recalled recalled = RECALL_NONE;

	if (s == NULL)
		return -1;
	if (s->last_uid != uid || (is_structure(text) && !s->last.whole)) {
		bool head_only;

		recalled = text_recall(folder, uid, text, out);
		if (recalled <= RECALL_DONE)
			return recalled == RECALL_DONE ? 0 : -1;
		if (recalled == RECALL_LONG && text == MAILDIR_DECODED) {
			errno = EFBIG;
			return -1;
		}
		/* Facts from the header alone must not replace those from the whole message. */
		head_only = !is_structure(text) && !s->expect_all && recalled != RECALL_DAMAGED;
		if (read_message(folder, s, uid, head_only, recalled != RECALL_LONG) < 0)
			return -1;
	}
	if (text == MAILDIR_DECODED && !s->last.decoded) {
		errno = EFBIG;
		return -1;
	}
	found = summary_text(&s->last, text);
	mdbuf_add(out, found->data, found->len);
	return 0;
}

/* Returns whether reading the message would add facts to the index. */
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
maildir_read_ahead(struct maildir_folder *folder, size_t count)
{
	struct folder_texts *s = folder_texts_get(folder);
	struct index_record record;
	struct index_finding finding;
	time_t date;

	if (s == NULL || !index_is_open(folder->index))
		return -1;
	if (index_is_private(folder->index) || maildir_read_only(folder) != 0) {
		errno = EROFS;
		return -1;
	}
	for (int looked = 0; looked < AHEAD_LOOK && count > 0; looked++) {
		/* Found each time, since reading a message may change the list. */
		size_t place = maildir_find(folder, s->ahead);

		if (place == maildir_count(folder))
			return 0;
		if (!index_record(folder->index, place, &record)) {
			errno = EIO;
			return -1;
		}
		s->ahead = record.uid + 1;
		if (!is_unread(folder, &record))
			continue;
		count--;
		if (maildir_date(folder, record.uid, &date) == 0 &&
		    folder_texts_read(folder, record.uid, &finding) < 0 && errno == ECANCELED) {
			s->ahead = record.uid; /* the next call reads it */
			break;
		}
	}
	return (ssize_t)(maildir_count(folder) - maildir_find(folder, s->ahead));
}
