/*
 * mailbox.c: the selected mailbox as its client knows it.
 * Runs as: mail user.
 *
 * The number of messages that the client knows is also what its view sums up to: the folder's below
 * next, and those that are gone, less those that are hidden.  If it is not, or what is known of the folder is broken,
 * the mailbox is lost: no number is safe any more, and the session ends.  So whenever the folder has spoken the sum is
 * compared before the next number is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/bisect.h"
#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

enum {
	CHANGED_MAX = 4096,    /* UIDs noted one by one: 16 KiB */
	TELL_PIECE = 8 * 1024, /* octets of answers collected before they go to the channel */
};

/* --- what the folder says --- */

static void
note_changed(struct mailbox *box, uint32_t uid)
{
	if (box->all_changed || uidset_has(&box->hidden, uid))
		return;
	if (box->changed.count == CHANGED_MAX || uidset_add(&box->changed, uid) == -1) {
		uidset_clear(&box->changed);
		box->all_changed = true;
	}
}

static void
note_gone(struct mailbox *box, uint32_t uid)
{
	uidset_remove(&box->changed, uid);
	if (uidset_has(&box->hidden, uid))
		uidset_remove(&box->hidden, uid);
	else if (uidset_add(&box->gone, uid) == -1)
		box->lost = true;
}

/* A client that was not told that it was gone sees it as if it had always been there. */
static void
note_back(struct mailbox *box, uint32_t uid)
{
	if (!uidset_has(&box->gone, uid)) {
		if (uidset_add(&box->hidden, uid) == -1)
			box->lost = true;
		return;
	}
	uidset_remove(&box->gone, uid);
	note_changed(box, uid);
}

static void
on_change(void *ctx, enum maildir_change change, uint32_t uid)
{
	struct mailbox *box = ctx;

	box->names_stale = true;
	box->uncounted = true;
	if (change == MAILDIR_REPLACED)
		box->lost = true;
	if (uid == 0 || uid >= box->next) /* the client does not know it */
		return;
	if (change == MAILDIR_CHANGED)
		note_changed(box, uid);
	else if (change == MAILDIR_GONE)
		note_gone(box, uid);
	else if (change == MAILDIR_BACK)
		note_back(box, uid);
}

bool
mailbox_is_lost(struct mailbox *box)
{
	size_t sum;

	if (box->uncounted) {
		sum = maildir_find(box->folder, box->next) + box->gone.count - box->hidden.count;
		box->lost = box->lost || sum != box->count;
		box->uncounted = false;
	}
	box->lost = box->lost || maildir_broken(box->folder);
	return box->lost;
}

int
mailbox_refresh(struct mailbox *box)
{
	if (maildir_sync(box->folder) == -1) {
		if (errno == ENOENT)
			errno = ESTALE;
		return -1;
	}
	box->uncounted = true;
	if (maildir_uidvalidity(box->folder) != box->validity || mailbox_is_lost(box)) {
		errno = ESTALE;
		return -1;
	}
	return 0;
}

/* --- opening --- */

/* \Recent is told in one session only; EXAMINE takes it away from nobody. */
static void
take_recent(struct mailbox *box, uint32_t next)
{
	uint32_t from;
	int r = box->read_only ? maildir_recent(box->folder, &from)
			       : maildir_claim_recent(box->folder, &from);

	/* That nothing is recent harms nobody. */
	if (r == -1)
		return;
	if (from < box->next)
		from = box->next;
	if (from < next)
		sequence_add_range(&box->recent, from, next - 1);
}

/* Messages behind those that the client knows become known to it. */
static bool
take_new(struct mailbox *box)
{
	size_t count = maildir_count(box->folder);
	size_t first = maildir_find(box->folder, box->next);
	struct maildir_message last;

	if (first >= count || !maildir_message(box->folder, count - 1, &last))
		return false;
	take_recent(box, last.uid + 1);
	box->count += count - first;
	box->next = last.uid + 1;
	box->names_stale = true;
	return true;
}

/* All that is there.  An index that is found broken is rebuilt by a second look. */
static int
take_all(struct mailbox *box)
{
	for (int look = 0; look < 2; look++) {
		sequence_clear(&box->recent);
		box->count = box->next = 0;
		if (maildir_sync(box->folder) == -1)
			return -1;
		(void)take_new(box);
		if (!maildir_broken(box->folder))
			return 0;
	}
	errno = EIO;
	return -1;
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
	    take_all(box) == -1)
		goto fail;
	box->validity = maildir_uidvalidity(box->folder);
	box->modseq = maildir_highest_modseq(box->folder);
	mailbox_load_names(box);
	maildir_on_change(box->folder, on_change, box);
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
	if ((*box)->folder != NULL)
		maildir_folder_close(&(*box)->folder);
	uidset_clear(&(*box)->gone);
	uidset_clear(&(*box)->changed);
	uidset_clear(&(*box)->hidden);
	sequence_clear(&(*box)->recent);
	flag_names_clear(&(*box)->names);
	free((*box)->name);
	free(*box);
	*box = NULL;
}

void
mailbox_load_names(struct mailbox *box)
{
	box->names_stale = false;
	if (flag_names_load(box->folder, &box->names))
		box->names_told = false;
}

/* --- places --- */

size_t
mailbox_find(const struct mailbox *box, uint32_t uid)
{
	if (uid >= box->next)
		return box->count;
	return maildir_find(box->folder, uid) + uidset_below(&box->gone, uid) -
	       uidset_below(&box->hidden, uid);
}

struct finding {
	const struct mailbox *box;
	size_t place;
};

static bool
is_uid_before(const void *ctx, size_t uid)
{
	const struct finding *f = ctx;

	return mailbox_find(f->box, (uint32_t)uid + 1) <= f->place;
}

static bool
is_gone_before(const void *ctx, size_t i)
{
	const struct finding *f = ctx;

	return maildir_find(f->box->folder, f->box->gone.uid[i]) + i < f->place;
}

uint32_t
mailbox_uid(const struct mailbox *box, size_t place)
{
	struct finding f = {box, place};
	struct maildir_message message;
	size_t gone, uid;

	/* The lowest UID with as many messages up to it.  Few sessions ever have hidden ones. */
	if (box->hidden.count > 0) {
		uid = bisect(box->next, is_uid_before, &f);
		return uid < box->next ? (uint32_t)uid : 0;
	}
	gone = bisect(box->gone.count, is_gone_before, &f);
	if (gone < box->gone.count &&
	    maildir_find(box->folder, box->gone.uid[gone]) + gone == place)
		return box->gone.uid[gone];
	return maildir_message(box->folder, place - gone, &message) ? message.uid : 0;
}

uint32_t
mailbox_last_uid(const struct mailbox *box)
{
	return box->count > 0 ? mailbox_uid(box, box->count - 1) : 0;
}

bool
mailbox_message(struct mailbox *box, size_t place, struct maildir_message *message_r)
{
	uint32_t uid;
	bool found;

	if (mailbox_is_lost(box))
		return false;
	if (box->gone.count == 0 && box->hidden.count == 0) {
		found = maildir_message(box->folder, place, message_r);
	} else {
		uid = mailbox_uid(box, place);
		found = uid != 0 && !uidset_has(&box->gone, uid) &&
			maildir_lookup(box->folder, uid, message_r);
	}
	return found && !mailbox_is_lost(box);
}

bool
mailbox_is_recent(const struct mailbox *box, uint32_t uid)
{
	return sequence_has(&box->recent, uid);
}

void
mailbox_told(struct mailbox *box, const struct maildir_message *told)
{
	struct maildir_message now;

	if (!uidset_has(&box->changed, told->uid))
		return;
	/* It may have changed once more while the answer was made. */
	if (maildir_lookup(box->folder, told->uid, &now) && now.flags == told->flags &&
	    now.keywords == told->keywords)
		uidset_remove(&box->changed, told->uid);
}

/* --- what the client hears --- */

bool
mailbox_holds(struct session *session)
{
	struct mailbox *box = session->box;

	if (mailbox_is_lost(box)) {
		session->leaving = "The selected mailbox was rebuilt";
		/* A client that comes back at once should find it so. */
		(void)!maildir_sync(box->folder);
	} else if (session->condstore && box->hidden.count > 0) {
		/* A client that asks by mod-sequence would never hear of a message that was hidden
		 * from it. */
		imap_tell_modseq(session, box->modseq);
		session->leaving = "Messages came back; please select the mailbox again";
	}
	return session->leaving == NULL;
}

/* RFC 7162 section 3.2.10: instead of EXPUNGE. */
static void
tell_vanished(struct session *session, const struct uidset *gone)
{
	struct sequence set = {0};
	struct mdbuf text = {0};

	for (size_t i = 0; i < gone->count; i++)
		sequence_add(&set, gone->uid[i]);
	mdbuf_addf(&text, "* VANISHED ");
	sequence_put(&set, &text);
	mdbuf_addf(&text, "\r\n");
	text.failed = text.failed || set.failed;
	sequence_clear(&set);
	imap_put_text(session, &text);
}

/*
 * Numbers count after the EXPUNGEs before, so a message's is the place in the folder where it is not any more.
 */
static void
tell_expunges(struct session *session, struct mailbox *box)
{
	size_t place;

	if (!mailbox_holds(session))
		return;
	/* With its OK the client may count them as heard: RFC 7162 section 6. */
	if (session->qresync) {
		tell_vanished(session, &box->gone);
		session->say_modseq = true;
	}
	for (size_t i = 0; !session->qresync && i < box->gone.count; i++) {
		place = maildir_find(box->folder, box->gone.uid[i]) -
			uidset_below(&box->hidden, box->gone.uid[i]);
		if (!mailbox_holds(session))
			return;
		channel_printf(session->channel, "* %zu EXPUNGE\r\n", place + 1);
	}
	box->count -= box->gone.count;
	uidset_clear(&box->gone);
	/* Evolution counts EXPUNGE in IDLE only, and else believes the next EXISTS.  If that were new mail's, it could be
	 * the number that Evolution has, and the mail would not be seen. */
	if (!session->qresync)
		channel_printf(session->channel, "* %zu EXISTS\r\n", box->count);
}

static size_t
count_recent(const struct mailbox *box)
{
	size_t count = 0;

	for (size_t i = 0; i < box->recent.count; i++) {
		const struct sequence_range *range = &box->recent.range[i];

		count += mailbox_find(box, range->last + 1) - mailbox_find(box, range->first);
	}
	return count;
}

void
mailbox_tell_exists(struct session *session)
{
	const struct mailbox *box = session->box;

	channel_printf(session->channel, "* %zu EXISTS\r\n", box->count);
	if (!session->rev2)
		channel_printf(session->channel, "* %zu RECENT\r\n", count_recent(box));
}

static bool
is_closed(const struct mailbox *box)
{
	return box->read_only || maildir_read_only(box->folder) != 0;
}

/* Also for an EXPUNGE of nothing: an OK would say that there might be something. */
bool
mailbox_may_change(struct session *session, const char *what)
{
	if (session->box->read_only)
		(void)imap_say(
		    session, COMMAND_NO, "[READ-ONLY] The mailbox was opened with EXAMINE");
	else if ((errno = maildir_read_only(session->box->folder)) != 0)
		(void)imap_failed(session, what);
	else
		return true;
	return false;
}

/* RFC 9051 section 7.1: access has changed while the mailbox is selected. */
static void
tell_access(struct session *session)
{
	bool closed = is_closed(session->box);

	if (closed == session->box->told_closed)
		return;
	channel_printf(session->channel, "* OK [READ-%s] %s\r\n", closed ? "ONLY" : "WRITE",
	    closed ? "Nothing can be changed now" : "Changes are possible again");
	session->box->names_told = false;
}

void
mailbox_tell_flags(struct session *session, bool always)
{
	struct mailbox *box = session->box;
	struct mdbuf text = {0};

	if (box->names_told && !always)
		return;
	box->names_told = true;
	box->told_closed = is_closed(box);
	mdbuf_addf(&text, "* FLAGS (");
	flags_put(&text, &box->names, ~(uint32_t)MAILDIR_PASSED, UINT64_MAX, false);
	mdbuf_addf(&text, ")\r\n* OK [PERMANENTFLAGS (");
	if (!box->told_closed) {
		flags_put(&text, &box->names, ~(uint32_t)MAILDIR_PASSED, UINT64_MAX, false);
		if (box->names.count < MAILDIR_KEYWORDS)
			mdbuf_addf(&text, " \\*");
	}
	mdbuf_addf(&text, ")] %s\r\n",
	    box->told_closed ? "Nothing can be changed here" : "Flags that can be changed");
	imap_put_text(session, &text);
}

void
mailbox_put_flags(struct session *session, const struct maildir_message *message, struct mdbuf *out)
{
	const struct mailbox *box = session->box;
	bool recent = !session->rev2 && mailbox_is_recent(box, message->uid);

	mdbuf_add(out, "FLAGS (", 7);
	flags_put(out, &box->names, message->flags, message->keywords, recent);
	mdbuf_add(out, ")", 1);
}

void
mailbox_put_fetch(struct session *session, const struct maildir_message *message, unsigned tell,
    struct mdbuf *out)
{
	const char *before = "";

	imap_add(out, "* ");
	imap_add_number(out, mailbox_find(session->box, message->uid) + 1);
	imap_add(out, " FETCH (");
	/* RFC 7162 section 3.2.4: both, always. */
	if ((tell & TELL_UID) != 0 || session->rev2 || session->condstore) {
		imap_add(out, "UID ");
		imap_add_number(out, message->uid);
		before = " ";
	}
	if ((tell & TELL_FLAGS) != 0) {
		imap_add(out, before);
		mailbox_put_flags(session, message, out);
		before = " ";
	}
	if (session->condstore) {
		imap_add(out, before);
		imap_add(out, "MODSEQ (");
		imap_add_number(out, message->modseq);
		imap_add(out, ")");
	}
	imap_add(out, ")\r\n");
}

/* A number that was found while the folder broke may be wrong. */
static void
tell_text(struct session *session, struct mdbuf *text)
{
	if (mailbox_is_lost(session->box))
		text->len = 0;
	imap_put_text(session, text);
}

static void
tell_one(struct session *session, const struct maildir_message *message, struct mdbuf *text)
{
	mailbox_put_fetch(session, message, TELL_FLAGS, text);
	if (text->len >= TELL_PIECE)
		tell_text(session, text);
}

/* More than could be noted: what the folder says of each. */
static void
tell_all_changed(struct session *session, struct mdbuf *text)
{
	struct mailbox *box = session->box;
	size_t end = maildir_find(box->folder, box->next);
	struct maildir_message message;

	for (size_t i = 0; i < end && session->channel->end == CHANNEL_OPEN; i++) {
		if (!maildir_message(box->folder, i, &message))
			return;
		if (message.modseq > box->modseq && !uidset_has(&box->hidden, message.uid))
			tell_one(session, &message, text);
	}
	box->all_changed = false;
}

static void
tell_changed(struct session *session)
{
	struct mailbox *box = session->box;
	struct uidset changed = box->changed;
	struct maildir_message message;
	struct mdbuf text = {0};

	memset(&box->changed, 0, sizeof(box->changed));
	if (box->all_changed)
		tell_all_changed(session, &text);
	for (size_t i = 0; i < changed.count; i++)
		if (maildir_lookup(box->folder, changed.uid[i], &message))
			tell_one(session, &message, &text);
	uidset_clear(&changed);
	tell_text(session, &text);
}

void
mailbox_tell(struct session *session, bool expunges)
{
	struct mailbox *box = session->box;

	if (mailbox_is_lost(box))
		return;
	if (expunges && box->gone.count > 0)
		tell_expunges(session, box);
	if (session->leaving != NULL)
		return;
	if (take_new(box))
		mailbox_tell_exists(session);
	if (box->names_stale)
		mailbox_load_names(box);
	mailbox_tell_flags(session, false);
	if (box->all_changed || box->changed.count > 0)
		tell_changed(session);
	if (box->gone.count == 0 && box->hidden.count == 0 && box->changed.count == 0)
		box->modseq = maildir_highest_modseq(box->folder);
}

void
mailbox_news(struct session *session, bool expunges)
{
	if (mailbox_refresh(session->box) == -1) {
		/* Errors that may pass are no news; the next command tries again. */
		if (errno == ESTALE)
			session->leaving = "The selected mailbox is gone or was rebuilt";
		else
			trouble_log(&session->reader->trouble, "look", errno);
		return;
	}
	if (!mailbox_holds(session))
		return;
	tell_access(session);
	mailbox_tell(session, expunges);
}
