/*
 * fetch.c: FETCH and UID FETCH.
 * Runs as: mail user.
 *
 * A message's answer is first made, as far as the sizes of its literals, and then said: a message that
 * cannot be read costs a NO at the end and nothing in the middle.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/fetch.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/reader.h"

struct fetching {
	struct session *session;
	struct fetch_plan plan;
	struct content *content; /* one for each section */
	bool marks;		 /* some section makes messages \Seen */
	bool gone, failed, unknown_encoding;
};

static const char months[][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int
put_date(struct mailbox *box, uint32_t uid, struct mdtext *out)
{
	struct tm tm;
	time_t date;

	if (maildir_date(box->folder, uid, &date) == -1)
		return -1;
	/* In UTC: a file knows no zone, and SEARCH counts the same days. */
	if (gmtime_r(&date, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
		tm = (struct tm){.tm_mday = 1, .tm_year = 70};
	mdtext_addf(out, "INTERNALDATE \"%2d-%s-%04d %02d:%02d:%02d +0000\"", tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return 0;
}

static int
put_size(struct mailbox *box, uint32_t uid, struct mdtext *out)
{
	uint64_t octets;
	bool newline;

	if (maildir_size(box->folder, uid, &octets, &newline) == -1)
		return -1;
	mdtext_addf(out, "RFC822.SIZE %" PRIu64, octets);
	return 0;
}

static int
put_flags(struct fetching *f, uint32_t uid, struct mdtext *out)
{
	struct maildir_message now;

	if (!maildir_lookup(f->session->box->folder, uid, &now)) {
		errno = ENOENT;
		return -1;
	}
	mailbox_put_flags(f->session, &now, out);
	return 0;
}

/* ENVELOPE, BODY, BODYSTRUCTURE. */
static int
put_structure(struct fetching *f, struct fetched *message, enum fetch_item item, struct mdtext *out)
{
	bool whole = (f->plan.items & (FETCH_BODY | FETCH_BODYSTRUCTURE)) != 0;
	const struct mime *mime = fetched_mime(message, whole);

	if (mime == NULL)
		return -1;
	mdtext_addf(out, "%s ",
	    item == FETCH_ENVELOPE ? "ENVELOPE"
	    : item == FETCH_BODY   ? "BODY"
				   : "BODYSTRUCTURE");
	if (item == FETCH_ENVELOPE)
		mime_put_envelope(mime, 0, imap_utf8(f->session), out);
	else
		mime_put_structure(mime, item == FETCH_BODYSTRUCTURE, imap_utf8(f->session), out);
	return 0;
}

static int
put_item(struct fetching *f, struct fetched *message, enum fetch_item item, struct mdtext *out)
{
	struct mailbox *box = f->session->box;

	switch (item) {
	case FETCH_UID:
		mdtext_addf(out, "UID %" PRIu32, message->uid);
		return 0;
	case FETCH_FLAGS:
		return put_flags(f, message->uid, out);
	case FETCH_INTERNALDATE:
		return put_date(box, message->uid, out);
	case FETCH_SIZE:
		return put_size(box, message->uid, out);
	default:
		return put_structure(f, message, item, out);
	}
}

/* Everything but the sections' octets.  -1: the message cannot be read. */
static int
prepare(struct fetching *f, struct fetched *message, unsigned items, struct mdtext *out)
{
	size_t start;

	for (size_t i = 0; i < f->plan.sections; i++)
		if (section_find(message, &f->plan.section[i], &f->content[i]) == -1)
			return -1;
	mdtext_addf(out, "* %zu FETCH (", message->place + 1);
	start = out->len;
	for (unsigned item = 1; item <= FETCH_BODYSTRUCTURE; item <<= 1) {
		if ((items & item) == 0)
			continue;
		if (out->len > start)
			mdtext_add(out, " ", 1);
		if (put_item(f, message, item, out) == -1)
			return -1;
	}
	if (out->len > start && f->plan.sections > 0)
		mdtext_add(out, " ", 1);
	return 0;
}

/* Says what was prepared; text is used up. */
static void
say(struct fetching *f, struct fetched *message, struct mdtext *text)
{
	struct session *session = f->session;

	imap_put_text(session, text);
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
	channel_puts(session->channel, ")\r\n");
}

/* \Seen, for a message whose content is asked for; *items_r: its flags are to be told then. */
static int
mark_seen(struct fetching *f, struct fetched *message, unsigned *items_r)
{
	static const struct maildir_flag_change seen = {.add = MAILDIR_SEEN};
	struct mailbox *box = f->session->box;
	struct maildir_message now;

	if (!f->marks || box->read_only || !maildir_lookup(box->folder, message->uid, &now) ||
	    (now.flags & MAILDIR_SEEN) != 0)
		return 0;
	if (maildir_flags(box->folder, message->uid, &seen) == -1)
		return errno == ENOENT ? -1 : 0; /* a full disk is no reason not to read */
	mailbox_told(box, message->uid);
	*items_r |= FETCH_FLAGS;
	return 0;
}

static void
fetch_one(struct fetching *f, size_t place)
{
	struct fetched message = {.session = f->session, .place = place};
	unsigned items = f->plan.items;
	struct maildir_message now;
	struct mdtext text = {0};

	if (!mailbox_message(f->session->box, place, &now)) {
		f->gone = true;
		return;
	}
	message.uid = now.uid;
	if (mark_seen(f, &message, &items) == 0 && prepare(f, &message, items, &text) == 0) {
		if ((items & FETCH_FLAGS) != 0)
			mailbox_told(f->session->box, message.uid);
		say(f, &message, &text);
	} else if (errno == ENOENT) {
		f->gone = true;
	} else if (errno == ENOTSUP) {
		f->unknown_encoding = true;
	} else {
		f->failed = true;
	}
	mdtext_clear(&text);
	for (size_t i = 0; i < f->plan.sections; i++)
		content_clear(&f->content[i]);
	fetched_clear(&message);
}

static enum imap_result
fetch_all(struct fetching *f, struct picked *picked)
{
	size_t place;

	f->content = calloc(f->plan.sections + 1, sizeof(*f->content));
	if (f->content == NULL)
		return imap_failed(f->session, "fetch");
	for (size_t i = 0; i < f->plan.sections; i++)
		f->marks = f->marks || !f->plan.section[i].peek;
	while (f->session->channel->end == CHANNEL_OPEN &&
	       picked_next(f->session->box, picked, &place))
		fetch_one(f, place);
	free(f->content);
	if (f->failed)
		return imap_say(
		    f->session, IMAP_NO, "[UNAVAILABLE] Some messages could not be read");
	if (f->unknown_encoding)
		return imap_say(
		    f->session, IMAP_NO, "[UNKNOWN-CTE] Some content has an unknown encoding");
	/* RFC 2180 section 4.1.2; by UID a message that is gone is no error. */
	if (f->gone && !picked->by_uid)
		return imap_say(f->session, IMAP_NO, "[EXPUNGEISSUED] Some messages are expunged");
	return IMAP_OK;
}

static enum imap_result
fetch(struct session *session, struct args *args, bool uid)
{
	struct fetching f = {.session = session};
	struct picked picked;
	enum imap_result result;
	struct word set;

	if (!args_space(args) || !args_set(args, &set) || !args_space(args))
		return IMAP_BAD;
	if (!fetch_parse(args, &f.plan)) {
		result = IMAP_BAD;
	} else if (!mailbox_pick(session, set, uid, &picked)) {
		result = imap_say(session, IMAP_BAD, "There are no such messages");
		picked_clear(&picked);
	} else {
		if (uid)
			f.plan.items |= FETCH_UID;
		result = fetch_all(&f, &picked);
		picked_clear(&picked);
	}
	fetch_clear(&f.plan);
	return result;
}

enum imap_result
run_fetch(struct session *session, struct args *args)
{
	return fetch(session, args, false);
}

enum imap_result
run_uid_fetch(struct session *session, struct args *args)
{
	return fetch(session, args, true);
}
