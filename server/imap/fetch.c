/*
 * fetch.c: FETCH and UID FETCH.
 * Runs as: mail user.
 *
 * A message's answer is first made, as far as the sizes of its literals, and then said: a message that
 * cannot be read costs a NO at the end and nothing in the middle.
 */
#include <errno.h>
#include <stdlib.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/fetch.h"
#include "server/imap/mailbox.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

enum { MARK_AHEAD = 50 }; /* messages whose content is sent, marked as \Seen in one change */

struct fetching {
	struct session *session;
	struct fetch_plan plan;
	struct content *content; /* one for each section */
	struct mdtext text;	 /* of the present answer */
	struct uidset marked;	 /* messages that are \Seen since this command, and not sent yet */
	uint64_t marked_modseq;
	bool marks; /* some section makes messages \Seen */
	bool gone, failed, unknown_encoding;
};

/* A message, and what is known of it. */
struct one {
	struct fetched message;
	struct maildir_message now;
	size_t place;
	unsigned items;
};

/* INTERNALDATE, SAVEDATE */
static int
put_date(struct maildir_folder *folder, uint32_t uid, bool saved, struct mdtext *out)
{
	time_t date;
	int r = saved ? maildir_save_date(folder, uid, &date) : maildir_date(folder, uid, &date);

	if (r == -1)
		return -1;
	imap_add(out, saved ? "SAVEDATE " : "INTERNALDATE ");
	imap_add_date(out, date);
	return 0;
}

static int
put_size(struct maildir_folder *folder, uint32_t uid, struct mdtext *out)
{
	uint64_t octets;
	bool newline;

	if (maildir_size(folder, uid, &octets, &newline) == -1)
		return -1;
	imap_add(out, "RFC822.SIZE ");
	imap_add_number(out, octets);
	return 0;
}

static int
put_id(struct maildir_folder *folder, uint32_t uid, struct mdtext *out)
{
	char id[MAILDIR_ID_SIZE];

	if (maildir_message_id(folder, uid, id) == -1)
		return -1;
	imap_add(out, "EMAILID (");
	imap_add(out, id);
	imap_add(out, ")");
	return 0;
}

/* Made for each FETCH: few ask for BODY, and few messages are told in rev2 as they are in nothing else. */
static int
make_structure(struct fetching *f, struct fetched *message, bool extended, struct mdtext *out)
{
	const struct mime *mime = fetched_mime(message);

	if (mime == NULL)
		return -1;
	if (f->session->rev2)
		mime_put_structure_rev2(mime, extended, out);
	else
		mime_put_structure(mime, extended, imap_utf8(f->session), out);
	return 0;
}

static int
put_envelope(struct fetching *f, uint32_t uid, struct mdtext *out)
{
	imap_add(out, "ENVELOPE ");
	return maildir_text(f->session->box->folder, uid,
	    imap_utf8(f->session) ? MAILDIR_ENVELOPE_UTF8 : MAILDIR_ENVELOPE, out);
}

static int
put_structure(struct fetching *f, struct fetched *message, struct mdtext *out)
{
	bool utf8 = imap_utf8(f->session);
	size_t start;

	imap_add(out, "BODYSTRUCTURE ");
	start = out->len;
	if (maildir_text(f->session->box->folder, message->uid,
		utf8 ? MAILDIR_BODYSTRUCTURE_UTF8 : MAILDIR_BODYSTRUCTURE, out) == -1)
		return -1;
	if (!f->session->rev2 || out->failed ||
	    !mime_rev2_differs(out->data + start, out->len - start))
		return 0;
	out->len = start;
	return make_structure(f, message, true, out);
}

static int
put_item(struct fetching *f, struct one *one, enum fetch_item item, struct mdtext *out)
{
	struct maildir_folder *folder = f->session->box->folder;
	uint32_t uid = one->now.uid;

	switch (item) {
	case FETCH_UID:
		imap_add(out, "UID ");
		imap_add_number(out, uid);
		return 0;
	case FETCH_FLAGS:
		mailbox_put_flags(f->session, &one->now, out);
		return 0;
	case FETCH_INTERNALDATE:
	case FETCH_SAVEDATE:
		return put_date(folder, uid, item == FETCH_SAVEDATE, out);
	case FETCH_SIZE:
		return put_size(folder, uid, out);
	case FETCH_MODSEQ:
		imap_add(out, "MODSEQ (");
		imap_add_number(out, one->now.modseq);
		imap_add(out, ")");
		return 0;
	case FETCH_EMAILID:
		return put_id(folder, uid, out);
	case FETCH_THREADID:
		imap_add(out, "THREADID NIL");
		return 0;
	case FETCH_BODY:
		imap_add(out, "BODY ");
		return make_structure(f, &one->message, false, out);
	case FETCH_ENVELOPE:
		return put_envelope(f, uid, out);
	case FETCH_BODYSTRUCTURE:
	default:
		return put_structure(f, &one->message, out);
	}
}

/* Everything but the sections' octets.  -1: the message cannot be read. */
static int
prepare(struct fetching *f, struct one *one)
{
	struct mdtext *out = &f->text;
	size_t start;

	out->len = 0;
	for (size_t i = 0; i < f->plan.sections; i++)
		if (section_find(&one->message, &f->plan.section[i], &f->content[i]) == -1)
			return -1;
	imap_add(out, "* ");
	imap_add_number(out, one->place + 1);
	imap_add(out, " FETCH (");
	start = out->len;
	for (unsigned item = 1; item <= FETCH_LAST; item <<= 1) {
		if ((one->items & item) == 0)
			continue;
		if (out->len > start)
			mdtext_add(out, " ", 1);
		if (put_item(f, one, item, out) == -1)
			return -1;
	}
	if (out->len > start && f->plan.sections > 0)
		mdtext_add(out, " ", 1);
	return 0;
}

/* Says what was prepared. */
static void
say(struct fetching *f, struct fetched *message)
{
	struct session *session = f->session;

	imap_put_text_on(session, &f->text);
	for (size_t i = 0; i < f->plan.sections && session->channel->end == CHANNEL_OPEN; i++) {
		if (i > 0)
			channel_put(session->channel, " ", 1);
		if (section_put(message, &f->plan.section[i], &f->content[i]) == -1 &&
		    session->channel->end == CHANNEL_OPEN) {
			/* The literal is under way: only its missing end can tell. */
			session->leaving = "A message could not be read to its end";
			session->channel->end = CHANNEL_FAILED;
		}
		if (f->plan.section[i].part == SECTION_WHOLE && f->plan.section[i].numbers == 0)
			session->reader->messages++;
	}
	channel_put(session->channel, ")\r\n", 3);
	if (session->channel->end == CHANNEL_OPEN)
		uidset_remove(&f->marked, message->uid);
}

/* Whether an answer for the message is wanted at all. */
static bool
is_asked(const struct fetching *f, const struct maildir_message *message)
{
	return f->plan.changed_since == 0 || message->modseq > f->plan.changed_since;
}

/* Many ask for what has changed when nothing has. */
static bool
any_asked(const struct fetching *f)
{
	return f->plan.changed_since == 0 ||
	       maildir_highest_modseq(f->session->box->folder) > f->plan.changed_since;
}

/* Whether the octets of a section are there: the file opens, and BINARY can decode it. */
static bool
can_send_section(struct fetched *message, const struct section *section)
{
	struct content content;
	struct maildir_reader *reader;
	bool can;

	/* What needs no second reading of a long file, or has no other answer. */
	if (section->remembered || section->kind != SECTION_BODY) {
		can = section_find(message, section, &content) == 0;
		content_clear(&content);
		return can;
	}
	if (maildir_reader_open(message->session->box->folder, message->uid, &reader) == -1)
		return false;
	maildir_reader_close(&reader);
	return true;
}

static bool
can_send(struct fetching *f, uint32_t uid)
{
	struct fetched message = {.session = f->session, .uid = uid};
	bool can = true;

	for (size_t i = 0; i < f->plan.sections && can; i++)
		can = can_send_section(&message, &f->plan.section[i]);
	fetched_clear(&message);
	return can;
}

/* Which of the next messages are to be \Seen; how many. */
static size_t
find_unseen(struct fetching *f, struct picked ahead, uint32_t uids_r[MARK_AHEAD])
{
	struct mailbox *box = f->session->box;
	struct maildir_message now;
	size_t count = 0, place;

	for (int i = 0; i < MARK_AHEAD && picked_next(box, &ahead, &place); i++)
		if (mailbox_message(box, place, &now) && (now.flags & MAILDIR_SEEN) == 0 &&
		    is_asked(f, &now) && can_send(f, now.uid))
			uids_r[count++] = now.uid;
	return count;
}

/*
 * \Seen for the next messages whose content is asked for, in one change: their answers tell it, and it is on
 * disk before.  That it fails (a full disk) is no reason not to read.
 */
static void
mark_ahead(struct fetching *f, const struct picked *picked)
{
	static const struct maildir_flag_change seen = {.add = MAILDIR_SEEN};
	struct maildir_folder *folder = f->session->box->folder;
	uint32_t uids[MARK_AHEAD];
	size_t count = find_unseen(f, *picked, uids);

	if (count == 0 || maildir_change_begin(folder) == -1)
		return;
	for (size_t i = 0; i < count && !f->session->box->anew; i++)
		if (maildir_flags(folder, uids[i], &seen) == 0 &&
		    uidset_add(&f->marked, uids[i]) == -1)
			break; /* they are told with the news */
	(void)!maildir_change_end(folder);
	f->marked_modseq = maildir_highest_modseq(folder);
}

/*
 * Takes \Seen from messages that were marked and then not sent: the client has gone, or a file could not be
 * read to its end.  Not where another session has changed the message since.
 */
static void
unmark(struct fetching *f)
{
	static const struct maildir_flag_change unseen = {.remove = MAILDIR_SEEN};
	struct maildir_folder *folder = f->session->box->folder;
	struct maildir_message now;

	if (f->marked.count > 0 && !f->session->box->anew && maildir_change_begin(folder) == 0) {
		for (size_t i = 0; i < f->marked.count; i++)
			if (maildir_lookup(folder, f->marked.uid[i], &now) &&
			    now.modseq <= f->marked_modseq)
				(void)!maildir_flags(folder, now.uid, &unseen);
		(void)!maildir_change_end(folder);
	}
	uidset_clear(&f->marked);
}

/* A message that was marked is told with its flags, and for RFC 7162 sections 3.1 and 3.2.4 with these too. */
static void
add_marked_items(struct fetching *f, struct one *one)
{
	if (!uidset_has(&f->marked, one->now.uid))
		return;
	one->items |= FETCH_FLAGS;
	if (f->session->condstore)
		one->items |= FETCH_MODSEQ;
	if (f->session->qresync)
		one->items |= FETCH_UID;
}

static void
note_failure(struct fetching *f, uint32_t uid)
{
	if (errno == ENOENT) {
		f->gone = true;
	} else if (errno == ENOTSUP) {
		f->unknown_encoding = true;
	} else {
		f->failed = true;
		trouble_messages(
		    f->session->reader, "fetch", errno, f->session->box->folder, uid, 1);
	}
}

static void
fetch_one(struct fetching *f, size_t place)
{
	struct mailbox *box = f->session->box;
	struct one one = {.message.session = f->session, .place = place, .items = f->plan.items};

	if (!mailbox_message(box, place, &one.now)) {
		f->gone = true;
		return;
	}
	if (!is_asked(f, &one.now))
		return;
	one.message.uid = one.now.uid;
	add_marked_items(f, &one);
	/* What was found while the list became another may be another message's. */
	if (prepare(f, &one) == 0 && !box->anew) {
		if ((one.items & FETCH_FLAGS) != 0)
			mailbox_told(box, &one.now);
		say(f, &one.message);
	} else {
		note_failure(f, one.now.uid);
	}
	for (size_t i = 0; i < f->plan.sections; i++)
		content_clear(&f->content[i]);
	fetched_clear(&one.message);
}

/* Whether so much is asked for that a message is better read once, for all of it. */
static bool
expects_all(const struct fetch_plan *plan)
{
	const unsigned whole = FETCH_SIZE | FETCH_BODYSTRUCTURE;
	unsigned asked = plan->items & (whole | FETCH_ENVELOPE);

	return (asked & whole) != 0 && (asked & (asked - 1)) != 0;
}

static enum command_result
fetch_all(struct fetching *f, struct picked *picked)
{
	size_t place;

	if ((f->plan.items & FETCH_MODSEQ) != 0)
		resync_enable(f->session);
	if (f->plan.vanished)
		resync_vanished(f->session, &picked->set, f->plan.changed_since, 0);
	maildir_expect(f->session->box->folder, expects_all(&f->plan));
	f->content = calloc(f->plan.sections + 1, sizeof(*f->content));
	if (f->content == NULL)
		return imap_failed(f->session, "fetch");
	for (size_t i = 0; i < f->plan.sections; i++)
		f->marks = f->marks || !f->plan.section[i].peek;
	f->marks = f->marks && !f->session->box->read_only;
	for (int n = 0; !channel_gone(f->session->channel) && any_asked(f); n++) {
		if (f->marks && n % MARK_AHEAD == 0) {
			unmark(f);
			mark_ahead(f, picked);
		}
		if (!picked_next(f->session->box, picked, &place))
			break;
		fetch_one(f, place);
	}
	unmark(f);
	maildir_expect(f->session->box->folder, false);
	free(f->content);
	mdtext_clear(&f->text);
	if (f->failed)
		return imap_say(
		    f->session, COMMAND_NO, "[UNAVAILABLE] Some messages could not be read");
	if (f->unknown_encoding)
		return imap_say(
		    f->session, COMMAND_NO, "[UNKNOWN-CTE] Some content has an unknown encoding");
	/* RFC 2180 section 4.1.2; by UID a message that is gone is no error. */
	if (f->gone && !picked->by_uid)
		return imap_say_expunged(f->session, COMMAND_NO);
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
	} else if (f.plan.vanished && ((session->flags & BY_UID) == 0 || !session->qresync)) {
		result = imap_say(session, COMMAND_BAD,
		    "VANISHED is for UID FETCH, and after ENABLE QRESYNC"); /* RFC 7162 section 3.2.6 */
	} else if (!mailbox_pick(session, set, (session->flags & BY_UID) != 0, &picked)) {
		result = imap_say(session, COMMAND_BAD, "There are no such messages");
		picked_clear(&picked);
	} else {
		if (picked.by_uid)
			f.plan.items |= FETCH_UID;
		result = fetch_all(&f, &picked);
		picked_clear(&picked);
	}
	fetch_clear(&f.plan);
	return result;
}
