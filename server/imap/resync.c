/*
 * resync.c: tells a client that comes back what has changed since it left.  RFC 7162.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"

enum { TELL_PIECE = 8 * 1024 }; /* octets of answers collected before they go to the channel */

/* --- arguments --- */

/* A set without "$", and without "*", which section 7 forbids in all of these. */
static bool
take_set(struct args *args, struct sequence *set)
{
	struct word word;

	return args_set(args, &word) && memchr(word.at, '*', word.len) == NULL &&
	       !word_is(word, "$") && sequence_parse(set, word.at, word.len, 0) == SEQUENCE_OK;
}

/* Clients that know no mod-sequence yet send 0. */
bool
resync_parse(struct args *args, struct resync *resync_r)
{
	memset(resync_r, 0, sizeof(*resync_r));
	if (!args_open(args) || !args_nz_number(args, &resync_r->validity) || !args_space(args) ||
	    !args_number64(args, &resync_r->modseq))
		return false;
	while (args_more(args)) {
		if (args_open(args))
			return take_set(args, &resync_r->numbers) && args_space(args) &&
			       take_set(args, &resync_r->uids) && args_close(args) &&
			       args_close(args) &&
			       sequence_total(&resync_r->numbers) ==
				   sequence_total(&resync_r->uids);
		if (resync_r->has_known || !take_set(args, &resync_r->known))
			return false;
		resync_r->has_known = true;
	}
	return args_close(args);
}

void
resync_clear(struct resync *resync)
{
	sequence_clear(&resync->known);
	sequence_clear(&resync->numbers);
	sequence_clear(&resync->uids);
}

/* --- expunged messages --- */

/* UIDs come unsorted. */
static void
add_uid(void *ctx, uint32_t uid)
{
	sequence_append(ctx, uid);
}

/*
 * Adds a range of UIDs that the folder does not have, but for UIDs that the client still counts among its
 * messages: those are told as expunged without EARLIER (section 3.2.10).
 */
static void
add_absent(const struct mailbox *box, uint32_t first, uint32_t last, struct sequence *absent)
{
	size_t i = uidset_below(&box->gone, first);

	for (; i < box->gone.count && box->gone.uid[i] <= last; i++) {
		if (box->gone.uid[i] > first)
			sequence_add_range(absent, first, box->gone.uid[i] - 1);
		first = box->gone.uid[i] + 1;
	}
	if (first <= last)
		sequence_add_range(absent, first, last);
}

/* Adds all UIDs of a range that are not in the folder. */
static void
absent_in(struct mailbox *box, uint32_t first, uint32_t last, struct sequence *absent)
{
	size_t count = maildir_count(box->folder);
	struct maildir_message message;

	for (size_t i = maildir_find(box->folder, first); i < count; i++) {
		if (!maildir_message(box->folder, i, &message))
			return; /* a damaged record must not count as expunged */
		if (message.uid > last)
			break;
		if (message.uid > first)
			add_absent(box, first, message.uid - 1, absent);
		first = message.uid + 1;
	}
	if (first <= last)
		add_absent(box, first, last, absent);
}

/* Adds all UIDs above that one that are in both a and b, and not in the folder. */
static void
absent_in_both(struct mailbox *box, const struct sequence *a, const struct sequence *b,
    uint32_t above, struct sequence *absent)
{
	size_t i = 0, j = 0;

	while (i < a->count && j < b->count) {
		const struct sequence_range *x = &a->range[i], *y = &b->range[j];
		uint32_t first = x->first > y->first ? x->first : y->first;
		uint32_t last = x->last < y->last ? x->last : y->last;

		if (first <= above)
			first = above + 1;
		if (first <= last)
			absent_in(box, first, last, absent);
		if (x->last < y->last)
			i++;
		else
			j++;
	}
}

void
resync_vanished(
    struct session *session, const struct sequence *known, uint64_t modseq, uint32_t above)
{
	struct mailbox *box = session->box;
	uint32_t last = maildir_uidnext(box->folder) - 1;
	struct sequence among = {0}, absent = {0};
	struct mdbuf text = {0};

	if (maildir_vanished(box->folder, modseq, add_uid, &among))
		sequence_sort(&among);
	else if (last > 0)
		sequence_add_range(&among, 1, last);
	absent_in_both(box, known, &among, above, &absent);
	if (among.failed || absent.failed) {
		text.failed = true;
	} else if (absent.count > 0 && !mailbox_is_lost(box)) {
		mdbuf_addf(&text, "* VANISHED (EARLIER) ");
		sequence_put(&absent, &text);
		mdbuf_addf(&text, "\r\n");
	}
	sequence_clear(&among);
	sequence_clear(&absent);
	imap_put_text(session, &text);
}

/* --- SELECT --- */

/*
 * The UID up to which the client has heard of every expunge: each of its pairs of number and UID is right, up
 * to there (section 3.2.5.2).  0: none is.
 */
static uint32_t
matching_uid(const struct mailbox *box, const struct resync *resync)
{
	const struct sequence *numbers = &resync->numbers, *uids = &resync->uids;
	size_t i = 0, j = 0;
	uint32_t number, uid, last = 0;

	if (numbers->count == 0)
		return 0;
	number = numbers->range[0].first;
	uid = uids->range[0].first;
	while (number <= box->count && mailbox_uid(box, number - 1) == uid) {
		last = uid;
		if (number++ == numbers->range[i].last && ++i < numbers->count)
			number = numbers->range[i].first;
		if (uid++ == uids->range[j].last && ++j < uids->count)
			uid = uids->range[j].first;
		if (i == numbers->count || j == uids->count)
			break;
	}
	return last;
}

static void
tell_changed(struct session *session, const struct sequence *known, uint64_t modseq)
{
	struct mailbox *box = session->box;
	struct maildir_message message;
	struct mdbuf text = {0};

	if (maildir_highest_modseq(box->folder) <= modseq)
		return;
	for (size_t i = 0; i < box->count && session->channel->end == CHANNEL_OPEN; i++) {
		if (!mailbox_message(box, i, &message) || message.modseq <= modseq ||
		    !sequence_has(known, message.uid))
			continue;
		mailbox_put_fetch(session, &message, TELL_FLAGS, &text);
		if (text.len >= TELL_PIECE)
			imap_put_text(session, &text);
	}
	imap_put_text(session, &text);
}

void
resync_tell(struct session *session, const struct resync *resync)
{
	const struct mailbox *box = session->box;
	uint32_t next = maildir_uidnext(box->folder);
	struct sequence all = {0};
	const struct sequence *known = resync->has_known ? &resync->known : &all;

	if (resync->validity != box->validity)
		return;
	if (next > 1)
		sequence_add_range(&all, 1, next - 1);
	resync_vanished(session, known, resync->modseq, matching_uid(box, resync));
	tell_changed(session, known, resync->modseq);
	sequence_clear(&all);
}

/* --- mod-sequences --- */

void
resync_enable(struct session *session)
{
	if (session->condstore)
		return;
	session->condstore = true;
	if (session->box != NULL)
		imap_tell_modseq(session, session->box->modseq);
}
