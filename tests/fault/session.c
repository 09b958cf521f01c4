/*
 * session.c: the steps of a session in the world, by the functions of maildir/.
 * Runs as: whoever runs the tests.
 */
#include "tests/fault/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "maildir/base/buf.h"
#include "maildir/folder/deliver.h"

int
session_open(struct session *session, struct world *world)
{
	memset(session, 0, sizeof(*session));
	session->world = world;
	if (maildir_open(world->path, "world", &session->md) < 0)
		return -1;
	for (int f = 0; f < WORLD_FOLDERS; f++) {
		if (maildir_folder_open(session->md, world_folder[f], &session->folder[f]) < 0)
			return -1;
	}
	return 0;
}

void
session_close(struct session *session)
{
	for (int f = 0; f < WORLD_FOLDERS; f++)
		maildir_folder_close(&session->folder[f]);
	maildir_close(&session->md);
}

/* Reads a message as it would be sent, with LF instead of CRLF.  Returns its length, or -1. */
static ssize_t
session_read(struct maildir_folder *folder, uint32_t uid, char text[WORLD_TEXT])
{
	struct maildir_reader *reader;
	size_t n = 0, out = 0;
	ssize_t r;

	if (maildir_reader_open(folder, uid, &reader) < 0)
		return -1;
	do {
		r = maildir_reader_read(reader, text + n, WORLD_TEXT - n);
		n += r > 0 ? (size_t)r : 0;
	} while (r > 0);
	maildir_reader_close(&reader);
	if (r < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\r')
			text[out++] = text[i];
	}
	return (ssize_t)out;
}

int
session_id(struct maildir_folder *folder, uint32_t uid)
{
	static char text[WORLD_TEXT];
	ssize_t n = session_read(folder, uid, text);

	return n < 0 ? WORLD_SOME : world_which(text, (size_t)n);
}

int
session_sync(struct session *session, int f)
{
	struct world *world = session->world;
	struct maildir_folder *folder = session->folder[f];
	struct maildir_message message;

	if (maildir_sync(folder) < 0)
		return -1;
	world->validity[f] = maildir_uidvalidity(folder);
	for (size_t i = 0; i < maildir_count(folder); i++) {
		if (!maildir_message(folder, i, &message))
			continue;
		if (message.uid >= WORLD_UIDS)
			world_die("UID out of range", world->path);
		if (world->told[f][message.uid] == 0)
			world->told[f][message.uid] = WORLD_SOME;
	}
	if (maildir_uidnext(folder) > world->next[f])
		world->next[f] = maildir_uidnext(folder);
	if (maildir_highest_modseq(folder) > world->modseq[f])
		world->modseq[f] = maildir_highest_modseq(folder);
	for (uint32_t uid = 1; uid < WORLD_UIDS; uid++) {
		int id = WORLD_SOME;

		if (world->told[f][uid] == WORLD_SOME && maildir_lookup(folder, uid, &message))
			id = session_id(folder, uid);
		if (id != WORLD_SOME)
			world->told[f][uid] = (uint8_t)(id + 1);
	}
	return 0;
}

uint32_t
session_keywords(struct maildir_folder *folder, const struct maildir_message *message)
{
	const char *names[MAILDIR_KEYWORDS];
	uint32_t keywords = 0;
	unsigned keyword;

	maildir_keyword_names(folder, names);
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		if (!(message->keywords >> i & 1))
			continue;
		if (names[i] != NULL && sscanf(names[i], "$Key%u", &keyword) == 1 &&
		    keyword < WORLD_KEYWORDS)
			keywords |= 1U << keyword;
	}
	return keywords;
}

/* --- messages by their numbers --- */

/* Returns the UID of a message; 0 with ENOENT if the session does not have the message. */
static uint32_t
session_uid(const struct session *session, int f, unsigned id)
{
	uint32_t uid = world_uid(session->world, f, id);
	struct maildir_message message;

	if (session->folder[f] != NULL && uid != 0 &&
	    maildir_lookup(session->folder[f], uid, &message))
		return uid;
	errno = ENOENT;
	return 0;
}

bool
session_has(const struct session *session, int f, unsigned id)
{
	return session_uid(session, f, id) != 0;
}

int
session_mark(struct session *session, int f, unsigned id, uint32_t add, uint32_t remove)
{
	const struct maildir_flag_change change = {.add = add, .remove = remove};
	uint32_t uid = session_uid(session, f, id);

	return uid == 0 ? -1 : maildir_flags(session->folder[f], uid, &change);
}

int
session_keyword(struct session *session, int f, unsigned id, unsigned keyword, bool on)
{
	struct maildir_flag_change change = {0};
	uint32_t uid = session_uid(session, f, id);
	int number;

	if (uid == 0)
		return -1;
	number = maildir_keyword_make(session->folder[f], world_keyword(keyword));
	if (number < 0)
		return -1;
	if (on)
		change.add_keywords = 1ULL << number;
	else
		change.remove_keywords = 1ULL << number;
	return maildir_flags(session->folder[f], uid, &change);
}

int
session_remove(struct session *session, int f, unsigned id)
{
	uint32_t uid = session_uid(session, f, id);

	return uid == 0 ? -1 : maildir_remove(session->folder[f], uid);
}

/* A hash of the texts. */
static uint64_t
texts_sum(struct maildir_folder *folder, uint32_t uid, bool *failed)
{
	uint64_t sum = 0;

	for (int i = 0; i < MAILDIR_TEXTS; i++) {
		struct mdbuf text = {0};

		if (maildir_text(folder, uid, (enum maildir_text)i, &text) < 0 || text.failed)
			*failed = true;
		for (size_t n = 0; n < text.len; n++)
			sum = sum * 31 + (unsigned char)text.data[n];
		mdbuf_clear(&text);
	}
	return sum;
}

void
session_facts(struct session *session, int f, uint32_t uid, struct facts *facts)
{
	struct maildir_folder *folder = session->folder[f];
	struct maildir_message message;

	memset(facts, 0, sizeof(*facts));
	facts->failed = !maildir_lookup(folder, uid, &message) ||
			maildir_size(folder, uid, &facts->size, &facts->newline) < 0 ||
			maildir_date(folder, uid, &facts->date) < 0 ||
			maildir_message_id(folder, uid, facts->id) < 0;
	facts->texts = texts_sum(folder, uid, &facts->failed);
}

/* --- arrivals --- */

static int
write_message(struct maildir_delivery *delivery, unsigned id, uint32_t flags)
{
	const struct maildir_label label = {.flags = flags, .date = 1700000000 + id};
	static char text[WORLD_TEXT];
	size_t size = world_text(id, text);

	if (maildir_delivery_message(delivery, &label) < 0 ||
	    maildir_delivery_write(delivery, text, size / 2) < 0)
		return -1;
	return maildir_delivery_write(delivery, text + size / 2, size - size / 2);
}

static int
commit(struct maildir_delivery *delivery, size_t count, uint32_t *uids_r)
{
	const uint32_t *uids;
	uint32_t validity;

	if (maildir_delivery_commit(delivery, &validity, &uids) < 0)
		return -1;
	memcpy(uids_r, uids, count * sizeof(*uids));
	return 0;
}

int
session_append(struct session *session, int f, const unsigned *ids, size_t count, uint32_t flags,
    uint32_t *uids_r)
{
	struct maildir_delivery *delivery = NULL;
	int r = maildir_delivery_begin(session->folder[f], &delivery);

	for (size_t i = 0; i < count && r == 0; i++)
		r = write_message(delivery, ids[i], flags);
	if (r == 0)
		r = commit(delivery, count, uids_r);
	maildir_delivery_end(&delivery);
	return r;
}

/* The keywords of a message by the numbers of the other folder.  -1: that folder cannot have all of them. */
static int
copied_keywords(struct session *session, int from, uint32_t uid, int to, uint64_t *numbers_r)
{
	struct maildir_message message;
	uint32_t keywords;

	*numbers_r = 0;
	if (!maildir_lookup(session->folder[from], uid, &message))
		return -1;
	keywords = session_keywords(session->folder[from], &message);
	if (__builtin_popcount(keywords) != __builtin_popcountll(message.keywords))
		return -1; /* the names of the keywords cannot be read now */
	for (unsigned i = 0; i < WORLD_KEYWORDS; i++) {
		int number;

		if (!(keywords >> i & 1))
			continue;
		number = maildir_keyword_make(session->folder[to], world_keyword(i));
		if (number < 0)
			return -1;
		*numbers_r |= 1ULL << number;
	}
	return 0;
}

int
session_copy(struct session *session, int from, unsigned id, int to, uint32_t *uid_r)
{
	struct maildir_delivery *delivery = NULL;
	uint32_t uid = session_uid(session, from, id);
	uint64_t keywords;
	int r;

	if (uid == 0 || copied_keywords(session, from, uid, to, &keywords) < 0)
		return -1;
	r = maildir_delivery_begin(session->folder[to], &delivery);
	if (r == 0)
		r = maildir_delivery_copy(delivery, session->folder[from], uid, keywords);
	if (r == 0)
		r = commit(delivery, 1, uid_r);
	maildir_delivery_end(&delivery);
	return r;
}
