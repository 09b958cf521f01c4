/*
 * expunge.c: EXPUNGE and UID EXPUNGE.
 * Runs as: mail user.
 */
#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/expunge.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/reader.h"

/* One message, if it is marked at this moment: another session may have taken the mark away. */
static int
expunge_one(struct session *session, size_t place, size_t *removed)
{
	struct mailbox *box = session->box;
	size_t index;

	if (!mailbox_index(box, place, &index) ||
	    (maildir_message(box->folder, index)->flags & MAILDIR_TRASHED) == 0)
		return 0;
	if (maildir_remove(box->folder, index) == -1)
		return -1;
	++*removed;
	return 0;
}

int
expunge_deleted(struct session *session, struct picked *picked)
{
	struct mailbox *box = session->box;
	size_t removed = 0, place;
	int r = 0;

	if (mailbox_refresh(box) == -1)
		return -1;
	if (picked == NULL) {
		for (place = 0; place < box->count; place++)
			if (expunge_one(session, place, &removed) == -1)
				r = -1;
	} else {
		while (picked_next(box, picked, &place))
			if (expunge_one(session, place, &removed) == -1)
				r = -1;
	}
	/* What is told as expunged must not come back after a power cut. */
	if (removed > 0 && maildir_settle(box->folder) == -1)
		r = -1;
	session->reader->removed += removed;
	return r;
}

enum imap_result
run_expunge(struct session *session, struct args *args)
{
	if (!args_end(args))
		return IMAP_BAD;
	if (session->box->read_only)
		return imap_say(
		    session, IMAP_NO, "[READ-ONLY] The mailbox was opened with EXAMINE");
	if (expunge_deleted(session, NULL) == -1)
		return imap_failed(session, "expunge");
	return IMAP_OK;
}

enum imap_result
run_uid_expunge(struct session *session, struct args *args)
{
	struct picked picked;
	struct word set;
	int r;

	if (!args_space(args) || !args_set(args, &set) || !args_end(args))
		return IMAP_BAD;
	if (session->box->read_only)
		return imap_say(
		    session, IMAP_NO, "[READ-ONLY] The mailbox was opened with EXAMINE");
	if (!mailbox_pick(session, set, true, &picked)) {
		picked_clear(&picked);
		return imap_say(session, IMAP_BAD, "There are no such messages");
	}
	r = expunge_deleted(session, &picked);
	picked_clear(&picked);
	return r == -1 ? imap_failed(session, "expunge") : IMAP_OK;
}
