/*
 * session.c: what a session does in the world, by maildir's own functions.
 * Runs as: whoever runs the tests.
 */
#include "tests/fault/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "maildir/deliver.h"

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

/* The octets of a message as they would go out, CRLF made LF again; their number, or -1. */
static ssize_t
session_read(struct maildir_folder *folder, size_t index, char text[WORLD_TEXT])
{
	struct maildir_reader *reader;
	size_t n = 0, out = 0;
	ssize_t r;

	if (maildir_reader_open(folder, index, &reader) < 0)
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

/* Which message is behind an index: WORLD_SOME when it cannot be read now. */
int
session_id(struct maildir_folder *folder, size_t index)
{
	static char text[WORLD_TEXT];
	ssize_t n = session_read(folder, index, text);

	return n < 0 ? WORLD_SOME : world_which(text, (size_t)n);
}

int
session_sync(struct session *session, int f)
{
	struct world *world = session->world;
	struct maildir_folder *folder = session->folder[f];

	if (maildir_sync(folder) < 0)
		return -1;
	world->validity[f] = maildir_uidvalidity(folder);
	for (size_t i = 0; i < maildir_count(folder); i++) {
		uint32_t uid = maildir_message(folder, i)->uid;

		if (uid >= WORLD_UIDS)
			world_die("UID out of range", world->path);
		if (world->told[f][uid] == 0)
			world->told[f][uid] = WORLD_SOME;
	}
	if (maildir_uidnext(folder) > world->next[f])
		world->next[f] = maildir_uidnext(folder);
	for (size_t i = 0; i < maildir_count(folder); i++) {
		uint8_t *told = &world->told[f][maildir_message(folder, i)->uid];
		int id = *told == WORLD_SOME ? session_id(folder, i) : WORLD_SOME;

		if (id != WORLD_SOME)
			*told = (uint8_t)(id + 1);
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

/* Its place in the list; SIZE_MAX and ENOENT when the session has none. */
static size_t
session_index(const struct session *session, int f, unsigned id)
{
	uint32_t uid = world_uid(session->world, f, id);
	struct maildir_folder *folder = session->folder[f];
	size_t index;

	errno = ENOENT;
	if (folder == NULL || uid == 0)
		return SIZE_MAX;
	index = maildir_find(folder, uid);
	if (index >= maildir_count(folder) || maildir_message(folder, index)->uid != uid)
		return SIZE_MAX;
	return index;
}

bool
session_has(const struct session *session, int f, unsigned id)
{
	return session_index(session, f, id) != SIZE_MAX;
}

int
session_mark(struct session *session, int f, unsigned id, uint32_t add, uint32_t remove)
{
	size_t index = session_index(session, f, id);

	if (index == SIZE_MAX)
		return -1;
	return maildir_flags(session->folder[f], index, add, remove, 0, 0);
}

int
session_keyword(struct session *session, int f, unsigned id, unsigned keyword, bool on)
{
	size_t index = session_index(session, f, id);
	int letter;

	if (index == SIZE_MAX)
		return -1;
	letter = maildir_keyword_letter(session->folder[f], world_keyword(keyword));
	if (letter < 0)
		return -1;
	return maildir_flags(
	    session->folder[f], index, 0, 0, on ? 1U << letter : 0, on ? 0 : 1U << letter);
}

int
session_remove(struct session *session, int f, unsigned id)
{
	size_t index = session_index(session, f, id);

	return index == SIZE_MAX ? -1 : maildir_remove(session->folder[f], index);
}

void
session_facts(struct session *session, int f, uint32_t uid, struct facts *facts)
{
	size_t index = maildir_find(session->folder[f], uid);

	memset(facts, 0, sizeof(*facts));
	facts->failed =
	    index >= maildir_count(session->folder[f]) ||
	    maildir_size(session->folder[f], index, &facts->size, &facts->newline) < 0 ||
	    maildir_date(session->folder[f], index, &facts->date) < 0;
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

int
session_copy(struct session *session, int from, unsigned id, int to, uint32_t *uid_r)
{
	struct maildir_delivery *delivery = NULL;
	size_t index = session_index(session, from, id);
	int r;

	if (index == SIZE_MAX)
		return -1;
	r = maildir_delivery_begin(session->folder[to], &delivery);
	if (r == 0)
		r = maildir_delivery_copy(delivery, session->folder[from], index, 0);
	if (r == 0)
		r = commit(delivery, 1, uid_r);
	maildir_delivery_end(&delivery);
	return r;
}
