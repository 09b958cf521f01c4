/*
 * mailbox.c: the selected mailbox as its client knows it.
 * Runs as: mail user.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"

/* --- what is on disk --- */

static int
mailbox_room(struct mailbox *box, size_t count)
{
	struct mailbox_message *grown;
	size_t room = box->room;

	if (count <= room)
		return 0;
	/* A little room: the next mail should not copy the list. */
	room = count + count / 16 + 16;
	grown = reallocarray(box->message, room, sizeof(*grown));
	if (grown == NULL)
		return -1;
	box->message = grown;
	box->room = room;
	return 0;
}

static void
mailbox_compare(
    struct mailbox *box, struct mailbox_message *known, const struct maildir_message *now)
{
	if (known->flags == now->flags && known->keywords == now->keywords)
		return;
	known->flags = now->flags;
	known->keywords = now->keywords;
	known->changed = box->changes = true;
}

static void
mailbox_lose(struct mailbox *box, struct mailbox_message *known)
{
	if (!known->gone)
		box->gone++;
	known->gone = true;
}

/* Both lists rise by UID; what the folder has behind ours is new. */
static int
mailbox_merge(struct mailbox *box, uint32_t recent)
{
	size_t count = maildir_count(box->folder), at = 0, i;
	struct maildir_message now;

	for (i = 0; i < box->count; i++) {
		struct mailbox_message *known = &box->message[i];

		if (!maildir_lookup(box->folder, known->uid, &now))
			mailbox_lose(box, known);
		else if (!known->gone)
			mailbox_compare(box, known, &now);
	}
	if (box->count > 0)
		at = maildir_find(box->folder, box->message[box->count - 1].uid + 1);
	if (mailbox_room(box, box->count + (count - at)) == -1)
		return -1;
	for (; at < count; at++) {
		if (!maildir_message(box->folder, at, &now))
			break;
		box->message[box->count++] = (struct mailbox_message){
		    .uid = now.uid,
		    .flags = now.flags,
		    .keywords = now.keywords,
		    .recent = now.uid >= recent,
		};
	}
	return 0;
}

/* \Recent is told in one session only; EXAMINE takes it away from nobody. */
static int
mailbox_recent(struct mailbox *box, uint32_t *from_r)
{
	if (box->read_only)
		return maildir_recent(box->folder, from_r);
	return maildir_claim_recent(box->folder, from_r);
}

/* Takes in what the folder's sync has found. */
static int
mailbox_take(struct mailbox *box)
{
	uint32_t recent = UINT32_MAX;

	box->looked = clock_now();
	if (!box->stale && box->folder_count == maildir_count(box->folder) &&
	    box->folder_next == maildir_uidnext(box->folder))
		return 0;
	if (box->count == 0 || maildir_uidnext(box->folder) > box->message[box->count - 1].uid + 1)
		(void)!mailbox_recent(box, &recent); /* that nothing is recent harms nobody */
	if (mailbox_merge(box, recent) == -1)
		return -1;
	box->stale = false;
	box->folder_count = maildir_count(box->folder);
	box->folder_next = maildir_uidnext(box->folder);
	flag_names_load(box->folder, &box->names);
	return 0;
}

int
mailbox_refresh(struct mailbox *box)
{
	if (maildir_sync(box->folder) == -1) {
		if (errno == ENOENT)
			errno = ESTALE;
		return -1;
	}
	if (maildir_uidvalidity(box->folder) != box->validity) {
		errno = ESTALE;
		return -1;
	}
	return mailbox_take(box);
}

static void
mailbox_changed(void *ctx, enum maildir_change change, uint32_t uid)
{
	struct mailbox *box = ctx;

	(void)change;
	(void)uid;
	box->stale = true;
}

struct mailbox *
mailbox_open(struct session *session, const char *folder, bool read_only)
{
	struct mailbox *box = calloc(1, sizeof(*box));
	int saved;

	if (box == NULL)
		return NULL;
	box->read_only = read_only;
	box->name = strdup(folder);
	if (box->name == NULL ||
	    maildir_folder_open(session->maildir, folder, &box->folder) == -1 ||
	    maildir_sync(box->folder) == -1)
		goto fail;
	box->validity = maildir_uidvalidity(box->folder);
	box->stale = true;
	maildir_on_change(box->folder, mailbox_changed, box);
	if (mailbox_take(box) == -1)
		goto fail;
	box->told = box->count;
	return box;
fail:
	saved = errno;
	mailbox_close(&box);
	errno = saved;
	return NULL;
}

void
mailbox_close(struct mailbox **box)
{
	if (*box == NULL)
		return;
	if ((*box)->folder != NULL) {
		maildir_remember((*box)->folder);
		maildir_folder_close(&(*box)->folder);
	}
	free((*box)->message);
	free((*box)->name);
	free(*box);
	*box = NULL;
}

/* --- what the client hears --- */

/*
 * Numbers count after the EXPUNGEs before.  One that had no EXISTS yet was never there for the client.
 */
static void
tell_expunges(struct session *session, struct mailbox *box)
{
	size_t to = 0, i;

	for (i = 0; i < box->count; i++) {
		if (!box->message[i].gone) {
			box->message[to++] = box->message[i];
			continue;
		}
		if (to < box->told) {
			channel_printf(session->channel, "* %zu EXPUNGE\r\n", to + 1);
			box->told--;
		}
	}
	box->count = to;
	box->gone = 0;
}

static void
tell_exists(struct session *session, struct mailbox *box)
{
	size_t recent = 0;

	channel_printf(session->channel, "* %zu EXISTS\r\n", box->count);
	box->told = box->count;
	if (session->rev2)
		return;
	for (size_t i = 0; i < box->count; i++)
		recent += box->message[i].recent;
	channel_printf(session->channel, "* %zu RECENT\r\n", recent);
}

void
mailbox_tell_flags(struct session *session, bool always)
{
	struct mailbox *box = session->box;
	struct mdtext text = {0};
	bool full = true;

	if (!always && memcmp(&box->names, &box->told_names, sizeof(box->names)) == 0)
		return;
	box->told_names = box->names;
	for (int i = 0; i < MAILDIR_KEYWORDS; i++)
		full = full && box->names.name[i][0] != '\0';
	mdtext_addf(&text, "* FLAGS (");
	flags_put(&text, &box->names, ~(uint32_t)MAILDIR_PASSED, UINT64_MAX, false);
	mdtext_addf(&text, ")\r\n* OK [PERMANENTFLAGS (");
	if (!box->read_only) {
		flags_put(&text, &box->names, ~(uint32_t)MAILDIR_PASSED, UINT64_MAX, false);
		if (!full)
			mdtext_addf(&text, " \\*");
	}
	mdtext_addf(&text, ")] %s\r\n",
	    box->read_only ? "Nothing can be changed here" : "Flags that can be changed");
	imap_put_text(session, &text);
}

void
mailbox_put_flags(struct session *session, size_t place, bool uid, struct mdtext *out)
{
	struct mailbox_message *m = &session->box->message[place];

	mdtext_addf(out, "* %zu FETCH (", place + 1);
	if (uid)
		mdtext_addf(out, "UID %" PRIu32 " ", m->uid);
	mdtext_addf(out, "FLAGS (");
	flags_put(out, &session->box->names, m->flags, m->keywords, m->recent && !session->rev2);
	mdtext_addf(out, "))\r\n");
	m->changed = false;
}

void
mailbox_tell(struct session *session, bool expunges)
{
	struct mailbox *box = session->box;
	struct mdtext text = {0};

	if (expunges && box->gone > 0)
		tell_expunges(session, box);
	if (box->count != box->told)
		tell_exists(session, box);
	mailbox_tell_flags(session, false);
	if (!box->changes)
		return;
	for (size_t i = 0; i < box->count; i++) {
		if (!box->message[i].changed || box->message[i].gone)
			continue;
		mailbox_put_flags(session, i, session->rev2, &text);
		imap_put_text(session, &text);
	}
	box->changes = false;
}

void
mailbox_news(struct session *session, bool expunges)
{
	if (mailbox_refresh(session->box) == -1) {
		/* Errors that may pass are no news; the next command tries again. */
		if (errno == ESTALE)
			session->leaving = "The selected mailbox is gone or was made anew";
		return;
	}
	mailbox_tell(session, expunges);
}

/* --- places --- */

size_t
mailbox_find(const struct mailbox *box, uint32_t uid)
{
	size_t low = 0, high = box->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (box->message[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
mailbox_message(const struct mailbox *box, size_t place, struct maildir_message *message_r)
{
	const struct mailbox_message *known = &box->message[place];

	return !known->gone && maildir_lookup(box->folder, known->uid, message_r);
}

void
mailbox_told(struct mailbox *box, size_t place)
{
	struct mailbox_message *m = &box->message[place];
	struct maildir_message now;

	if (!mailbox_message(box, place, &now))
		return;
	m->flags = now.flags;
	m->keywords = now.keywords;
	m->changed = false;
}

static bool
pick_saved(struct session *session, struct picked *picked)
{
	picked->by_uid = true;
	return sequence_copy(&session->saved, &picked->set);
}

bool
mailbox_pick(struct session *session, struct word set, bool by_uid, struct picked *picked_r)
{
	const struct mailbox *box = session->box;
	uint32_t star = by_uid ? 0 : (uint32_t)box->count;
	const struct sequence *s = &picked_r->set;

	memset(picked_r, 0, sizeof(*picked_r));
	picked_r->by_uid = by_uid;
	if (word_is(set, "$"))
		return pick_saved(session, picked_r);
	if (by_uid && box->count > 0)
		star = box->message[box->count - 1].uid;
	if (sequence_parse(&picked_r->set, set.at, set.len, star) != SEQUENCE_OK)
		return false;
	return by_uid || s->count == 0 || s->range[s->count - 1].last <= box->count;
}

void
mailbox_pick_all(const struct mailbox *box, struct picked *picked_r)
{
	memset(picked_r, 0, sizeof(*picked_r));
	if (box->count > 0)
		sequence_add_range(&picked_r->set, 1, (uint32_t)box->count);
}

bool
picked_next(const struct mailbox *box, struct picked *picked, size_t *place_r)
{
	const struct sequence_range *range;
	size_t place;

	for (; picked->range < picked->set.count; picked->range++) {
		range = &picked->set.range[picked->range];
		place = picked->by_uid ? mailbox_find(box, range->first) : range->first - 1;
		if (place < picked->place)
			place = picked->place;
		if (place >= box->count)
			continue;
		if ((picked->by_uid ? box->message[place].uid : place + 1) > range->last)
			continue;
		picked->place = place + 1;
		*place_r = place;
		return true;
	}
	return false;
}

void
picked_clear(struct picked *picked)
{
	sequence_clear(&picked->set);
}
