/*
 * fetch.c: FETCH and UID FETCH.
 * Runs as: mail user.
 *
 * The answer for a message is first made, with the sizes of its literals, and then sent.  So a message that
 * cannot be read costs a NO at the end, and nothing in the middle of an answer.
 */
#include <errno.h>
#include <stdlib.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/fetch.h"
#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

enum { MARK_AHEAD = 50 }; /* messages whose content is sent, marked as \Seen in one change */

struct fetching {
	struct session *session;
	struct fetch_plan plan;
	bool marks;	      /* some section makes messages \Seen */
	struct uidset marked; /* messages that are \Seen since this command, and not sent yet */
	uint64_t marked_modseq;
	/* the present message, and the answer for it */
	size_t place;
	struct maildir_message now;
	struct fetched message;
	unsigned items;
	struct mdbuf text;
	struct content *content; /* for each section */
	/* what went wrong */
	bool gone, failed, unknown_encoding;
};

/* The structure from the message itself: few clients ask for BODY, and IMAP4rev2 differs for few messages. */
static int
put_parsed_structure(struct fetching *f, bool extended)
{
	const struct mime *mime = fetched_mime(&f->message);

	if (mime == NULL)
		return -1;
	if (f->session->rev2)
		mime_put_structure_rev2(mime, extended, &f->text);
	else
		mime_put_structure(mime, extended, imap_utf8(f->session), &f->text);
	return 0;
}

/* BODYSTRUCTURE, from the index where that will do. */
static int
put_structure(struct fetching *f)
{
	struct mdbuf *out = &f->text;
	size_t start = out->len;

	if (maildir_text(f->session->box->folder, f->now.uid,
		imap_utf8(f->session) ? MAILDIR_BODYSTRUCTURE_UTF8 : MAILDIR_BODYSTRUCTURE,
		out) == -1)
		return -1;
	if (!f->session->rev2 || out->failed ||
	    !mime_rev2_differs(out->data + start, out->len - start))
		return 0;
	out->len = start;
	return put_parsed_structure(f, true);
}

/* Adds what an item is after its name.  -1: the message cannot be read. */
static int
put_value(struct fetching *f, enum fetch_item item)
{
	struct maildir_folder *folder = f->session->box->folder;
	uint32_t uid = f->now.uid;
	struct mdbuf *out = &f->text;
	char id[MAILDIR_ID_SIZE];
	uint64_t octets;
	bool newline;
	time_t date;
	int r = 0;

	switch (item) {
	case FETCH_UID:
		imap_add_number(out, uid);
		break;
	case FETCH_FLAGS:
		mailbox_put_flags(f->session, &f->now, out);
		break;
	case FETCH_INTERNALDATE:
	case FETCH_SAVEDATE:
		r = item == FETCH_SAVEDATE ? maildir_save_date(folder, uid, &date)
					   : maildir_date(folder, uid, &date);
		if (r == 0)
			imap_add_date(out, date);
		break;
	case FETCH_SIZE:
		r = maildir_size(folder, uid, &octets, &newline);
		if (r == 0)
			imap_add_number(out, octets);
		break;
	case FETCH_ENVELOPE:
		r = maildir_text(folder, uid,
		    imap_utf8(f->session) ? MAILDIR_ENVELOPE_UTF8 : MAILDIR_ENVELOPE, out);
		break;
	case FETCH_BODY:
		return put_parsed_structure(f, false);
	case FETCH_BODYSTRUCTURE:
		return put_structure(f);
	case FETCH_MODSEQ:
		imap_add(out, "(");
		imap_add_number(out, f->now.modseq);
		imap_add(out, ")");
		break;
	case FETCH_EMAILID:
		r = maildir_message_id(folder, uid, id);
		if (r == 0)
			mdbuf_addf(out, "(%s)", id);
		break;
	case FETCH_THREADID:
	default:
		imap_add(out, "NIL");
		break;
	}
	return r;
}

/* Makes all of the answer but the sections' octets.  -1: the message cannot be read. */
static int
prepare(struct fetching *f)
{
	/* In the order of enum fetch_item. */
	static const char *const names[] = {"UID ", "" /* FLAGS brings its own */, "INTERNALDATE ",
	    "RFC822.SIZE ", "ENVELOPE ", "BODY ", "BODYSTRUCTURE ", "MODSEQ ", "EMAILID ",
	    "THREADID ", "SAVEDATE "};
	_Static_assert(FETCH_LAST == 1 << (sizeof(names) / sizeof(names[0]) - 1), "all have one");
	struct mdbuf *out = &f->text;
	size_t start;

	out->len = 0;
	for (size_t i = 0; i < f->plan.sections; i++)
		if (section_find(&f->message, &f->plan.section[i], &f->content[i]) == -1)
			return -1;
	imap_add(out, "* ");
	imap_add_number(out, f->place + 1);
	imap_add(out, " FETCH (");
	start = out->len;
	for (unsigned bit = 0; 1U << bit <= FETCH_LAST; bit++) {
		if ((f->items & 1U << bit) == 0)
			continue;
		if (out->len > start)
			mdbuf_add(out, " ", 1);
		imap_add(out, names[bit]);
		if (put_value(f, 1U << bit) == -1)
			return -1;
	}
	if (out->len > start && f->plan.sections > 0)
		mdbuf_add(out, " ", 1);
	return 0;
}

/* Sends what was prepared. */
static void
send_answer(struct fetching *f)
{
	struct session *session = f->session;

	imap_put_text_on(session, &f->text);
	for (size_t i = 0; i < f->plan.sections && session->channel->end == CHANNEL_OPEN; i++) {
		const struct section *section = &f->plan.section[i];

		if (i > 0)
			channel_put(session->channel, " ", 1);
		if (section_put(&f->message, section, &f->content[i]) == -1 &&
		    session->channel->end == CHANNEL_OPEN) {
			/* The literal is under way: only its missing end can tell. */
			session->leaving = "A message could not be read to its end";
			session->channel->end = CHANNEL_FAILED;
		}
		if (section->part == SECTION_WHOLE && section->numbers == 0)
			session->reader->messages++;
	}
	channel_put(session->channel, ")\r\n", 3);
	if (session->channel->end == CHANNEL_OPEN)
		uidset_remove(&f->marked, f->now.uid);
}

/* --- \Seen --- */

/* Whether an answer for the message is wanted at all. */
static bool
is_asked(const struct fetching *f, const struct maildir_message *message)
{
	return f->plan.changed_since == 0 || message->modseq > f->plan.changed_since;
}

/* Whether the octets of all sections are there: the file opens, and BINARY can decode it. */
static bool
can_send(struct fetching *f, uint32_t uid)
{
	struct fetched message = {.session = f->session, .uid = uid};
	struct maildir_reader *reader;
	struct content content;
	bool can = true;

	for (size_t i = 0; i < f->plan.sections && can; i++) {
		const struct section *section = &f->plan.section[i];

		/* Finding these costs no reading of a long file, or cannot do without it. */
		if (section->indexed || section->kind != SECTION_BODY) {
			can = section_find(&message, section, &content) == 0;
			mdbuf_clear(&content.text);
		} else {
			can = maildir_reader_open(f->session->box->folder, uid, &reader) == 0;
			if (can)
				maildir_reader_close(&reader);
		}
	}
	fetched_clear(&message);
	return can;
}

/*
 * Sets \Seen on the next messages whose content is asked for, in one change: it is on disk before their
 * answers tell it.  Messages are read all the same if that fails (a full disk).
 */
static void
mark_ahead(struct fetching *f, struct picked ahead)
{
	static const struct maildir_flag_change seen = {.add = MAILDIR_SEEN};
	struct mailbox *box = f->session->box;
	struct maildir_message now;
	uint32_t uids[MARK_AHEAD];
	size_t count = 0, place;

	for (int i = 0; i < MARK_AHEAD && picked_next(box, &ahead, &place); i++)
		if (mailbox_message(box, place, &now) && (now.flags & MAILDIR_SEEN) == 0 &&
		    is_asked(f, &now) && can_send(f, now.uid))
			uids[count++] = now.uid;
	if (count == 0 || maildir_change_begin(box->folder) == -1)
		return;
	for (size_t i = 0; i < count && !mailbox_is_lost(box); i++)
		if (maildir_flags(box->folder, uids[i], &seen) == 0 &&
		    uidset_add(&f->marked, uids[i]) == -1)
			break; /* the news will tell it */
	(void)!maildir_change_end(box->folder);
	f->marked_modseq = maildir_highest_modseq(box->folder);
}

/*
 * Takes \Seen from messages that were marked and then not sent: the client has gone, or a file could not be
 * read to its end.  A message that another session has changed since keeps it.
 */
static void
unmark(struct fetching *f)
{
	static const struct maildir_flag_change unseen = {.remove = MAILDIR_SEEN};
	struct maildir_folder *folder = f->session->box->folder;
	struct maildir_message now;

	if (f->marked.count > 0 && !mailbox_is_lost(f->session->box) &&
	    maildir_change_begin(folder) == 0) {
		for (size_t i = 0; i < f->marked.count; i++)
			if (maildir_lookup(folder, f->marked.uid[i], &now) &&
			    now.modseq <= f->marked_modseq)
				(void)!maildir_flags(folder, now.uid, &unseen);
		(void)!maildir_change_end(folder);
	}
	uidset_clear(&f->marked);
}

/* --- all messages --- */

/* The answer for a message that was marked tells its flags, and for RFC 7162 sections 3.1 and 3.2.4 more. */
static void
add_marked_items(struct fetching *f)
{
	if (!uidset_has(&f->marked, f->now.uid))
		return;
	f->items |= FETCH_FLAGS;
	if (f->session->condstore)
		f->items |= FETCH_MODSEQ;
	if (f->session->qresync)
		f->items |= FETCH_UID;
}

static void
note_failure(struct fetching *f)
{
	if (errno == ENOENT) {
		f->gone = true;
	} else if (errno == ENOTSUP) {
		f->unknown_encoding = true;
	} else {
		f->failed = true;
		trouble_messages(&f->session->reader->trouble, "fetch", errno,
		    f->session->box->folder, f->now.uid, 1);
	}
}

static void
fetch_one(struct fetching *f)
{
	struct mailbox *box = f->session->box;

	if (!mailbox_message(box, f->place, &f->now)) {
		f->gone = true;
		return;
	}
	if (!is_asked(f, &f->now))
		return;
	f->message = (struct fetched){.session = f->session, .uid = f->now.uid};
	f->items = f->plan.items;
	add_marked_items(f);
	/* If the folder's list became another one meanwhile, the answer may be another message's. */
	if (prepare(f) == -1) {
		note_failure(f);
	} else if (!mailbox_is_lost(box)) {
		if ((f->items & FETCH_FLAGS) != 0)
			mailbox_told(box, &f->now);
		send_answer(f);
	}
	for (size_t i = 0; i < f->plan.sections; i++)
		mdbuf_clear(&f->content[i].text);
	fetched_clear(&f->message);
}

/* Whether so much is asked for that reading each message once, for all of it, is cheaper. */
static bool
expects_all(const struct fetch_plan *plan)
{
	const unsigned whole = FETCH_SIZE | FETCH_BODYSTRUCTURE;
	unsigned asked = plan->items & (whole | FETCH_ENVELOPE);

	return (asked & whole) != 0 && (asked & (asked - 1)) != 0;
}

static void
fetch_all(struct fetching *f, struct picked *picked)
{
	struct session *session = f->session;
	struct maildir_folder *folder = session->box->folder;

	/* Many clients ask for what has changed when nothing has. */
	if (f->plan.changed_since != 0 && maildir_highest_modseq(folder) <= f->plan.changed_since)
		return;
	for (size_t i = 0; i < f->plan.sections; i++)
		f->marks = f->marks || !f->plan.section[i].peek;
	f->marks = f->marks && !session->box->read_only;
	maildir_expect_all(folder, expects_all(&f->plan));
	for (int n = 0; !channel_gone(session->channel); n++) {
		if (f->marks && n % MARK_AHEAD == 0) {
			unmark(f);
			mark_ahead(f, *picked);
		}
		if (!picked_next(session->box, picked, &f->place))
			break;
		fetch_one(f);
	}
	unmark(f);
	maildir_expect_all(folder, false);
}

static enum command_result
run_plan(struct fetching *f, struct picked *picked)
{
	struct session *session = f->session;

	if ((f->plan.items & FETCH_MODSEQ) != 0)
		resync_enable(session);
	if (f->plan.vanished)
		resync_vanished(session, &picked->set, f->plan.changed_since, 0);
	f->content = calloc(f->plan.sections + 1, sizeof(*f->content));
	if (f->content == NULL)
		return imap_failed(session, "fetch");
	fetch_all(f, picked);
	free(f->content);
	mdbuf_clear(&f->text);
	if (f->failed)
		return imap_say(
		    session, COMMAND_NO, "[UNAVAILABLE] Some messages could not be read");
	if (f->unknown_encoding)
		return imap_say(
		    session, COMMAND_NO, "[UNKNOWN-CTE] Some content has an unknown encoding");
	/* RFC 2180 section 4.1.2; by UID a message that is gone is no error. */
	if (f->gone && !picked->by_uid)
		return imap_say_expunged(session, COMMAND_NO);
	return COMMAND_OK;
}

enum command_result
run_fetch(struct session *session, struct args *args)
{
	struct fetching f = {.session = session};
	struct picked picked;
	enum command_result result;
	struct word set;

	if (!args_set(args, &set) || !args_space(args))
		return COMMAND_BAD;
	if (!fetch_parse(args, &f.plan)) {
		result = COMMAND_BAD;
	} else if (f.plan.vanished && (!imap_by_uid(session) || !session->qresync)) {
		result = imap_say(session, COMMAND_BAD,
		    "VANISHED is for UID FETCH, and after ENABLE QRESYNC"); /* RFC 7162 section 3.2.6 */
	} else if (!picked_parse(session, set, imap_by_uid(session), &picked)) {
		result = imap_say(session, COMMAND_BAD, "There are no such messages");
		picked_clear(&picked);
	} else {
		if (imap_by_uid(session))
			f.plan.items |= FETCH_UID;
		result = run_plan(&f, &picked);
		picked_clear(&picked);
	}
	fetch_clear(&f.plan);
	return result;
}
