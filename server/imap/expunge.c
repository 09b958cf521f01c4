/*
 * expunge.c: EXPUNGE and UID EXPUNGE.
 * Runs as: mail user.
 */
#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/expunge.h"
#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

/* Messages removed under one lock.  Other processes get a turn between two batches. */
enum { BATCH = 1000 };

/* Removes a message; marked: only if it is marked now, as another session may have taken the mark away. */
static int
expunge_one(struct session *session, size_t place, bool marked, size_t *removed)
{
	struct mailbox *box = session->box;
	struct maildir_message now;

	if (!mailbox_message(box, place, &now) || (marked && (now.flags & MAILDIR_TRASHED) == 0))
		return 0;
	if (maildir_remove(box->folder, now.uid) == -1)
		return -1;
	++*removed;
	return 0;
}

/* *more_r: there are more messages after these. */
static int
expunge_batch(struct session *session, struct picked *picked, bool marked, bool *more_r)
{
	struct mailbox *box = session->box;
	size_t removed = 0, place;
	int r = 0;

	*more_r = false;
	if (maildir_change_begin(box->folder) == -1)
		return -1;
	/* The start of a batch notices when the UIDs have changed; then picked_next stops. */
	while (removed < BATCH && (*more_r = picked_next(box, picked, &place)))
		if (expunge_one(session, place, marked, &removed) == -1)
			r = -1;
	if (maildir_change_end(box->folder) == -1)
		r = -1;
	session->reader->removed += removed;
	/* RFC 7162 section 3.2.7: the OK tells it, after the VANISHED. */
	if (removed > 0 && session->condstore)
		session->say_modseq = true;
	return r;
}

int
expunge_picked(struct session *session, struct picked *picked, bool marked)
{
	bool more = true;
	int r = 0;

	while (more)
		if (expunge_batch(session, picked, marked, &more) == -1)
			r = -1;
	return r;
}

int
expunge_deleted(struct session *session, struct picked *picked)
{
	struct mailbox *box = session->box;
	struct maildir_counts counts;
	struct picked all;
	int r;

	if (mailbox_refresh(box) == -1)
		return -1;
	maildir_counts(box->folder, &counts);
	if (counts.deleted == 0)
		return 0;
	if (picked != NULL)
		return expunge_picked(session, picked, true);
	picked_all(box, &all);
	r = all.set.failed ? -1 : expunge_picked(session, &all, true);
	picked_clear(&all);
	return r;
}

enum command_result
run_expunge(struct session *session, struct args *args)
{
	const bool by_uid = imap_by_uid(session);
	struct picked picked = {.by_uid = by_uid};
	struct word set;
	int r;

	if (by_uid && (!args_set(args, &set) || !args_end(args)))
		return COMMAND_BAD;
	if (!mailbox_may_change(session, "expunge"))
		return COMMAND_NO;
	if (by_uid && !picked_parse(session, set, true, &picked)) {
		picked_clear(&picked);
		return imap_say(session, COMMAND_BAD, "There are no such messages");
	}
	r = expunge_deleted(session, by_uid ? &picked : NULL);
	picked_clear(&picked);
	return r == -1 ? imap_failed(session, "expunge") : COMMAND_OK;
}
