/*
 * store.c: STORE and UID STORE.
 * Runs as: mail user.
 */
#include <errno.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"

/* Messages changed under one lock: others get a turn between. */
enum { BATCH = 1000 };

enum how { STORE_REPLACE, STORE_ADD, STORE_REMOVE };

struct storing {
	enum how how;
	bool silent;
	struct flag_list list;
	uint64_t letters;   /* of its keywords */
	struct mdtext told; /* the answers of a batch */
	bool failed;	    /* some message could not be changed */
	bool gone;	    /* some is expunged */
};

/* "+FLAGS.SILENT (\Seen)" to the end. */
static bool
parse(struct args *args, struct storing *storing)
{
	struct word word;

	storing->how = args_char(args, '+')   ? STORE_ADD
		       : args_char(args, '-') ? STORE_REMOVE
					      : STORE_REPLACE;
	if (!args_atom(args, NULL, &word))
		return false;
	storing->silent = word_is(word, "FLAGS.SILENT");
	return (storing->silent || word_is(word, "FLAGS")) && args_space(args) &&
	       flags_parse(args, true, &storing->list) && args_end(args);
}

static bool
names_forwarded(const struct flag_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (word_is(list->keyword[i], "$Forwarded"))
			return true;
	return false;
}

static struct maildir_flag_change
change_of(const struct storing *storing)
{
	uint32_t flags = storing->list.flags;
	uint64_t letters = storing->letters;
	/* The letter P is $Forwarded as well, and goes with it: see flags.c. */
	uint32_t passed = names_forwarded(&storing->list) ? MAILDIR_PASSED : 0;

	if (storing->how == STORE_ADD)
		return (struct maildir_flag_change){.add = flags, .add_keywords = letters};
	if (storing->how == STORE_REMOVE)
		return (struct maildir_flag_change){
		    .remove = flags | passed, .remove_keywords = letters};
	return (struct maildir_flag_change){
	    .add = flags,
	    .remove = ~(flags | passed),
	    .add_keywords = letters,
	    .remove_keywords = ~letters,
	};
}

static void
store_one(struct session *session, size_t place, bool uid, struct storing *storing)
{
	const struct maildir_flag_change change = change_of(storing);
	struct mailbox *box = session->box;
	struct maildir_message now;

	if (!mailbox_message(box, place, &now)) {
		storing->gone = true;
		return;
	}
	if (maildir_flags(box->folder, now.uid, &change) == -1) {
		if (errno == ENOENT)
			storing->gone = true;
		else
			storing->failed = true;
		return;
	}
	mailbox_told(box, now.uid);
	if (!storing->silent && maildir_lookup(box->folder, now.uid, &now))
		mailbox_put_fetch(session, &now, TELL_FLAGS | (uid ? TELL_UID : 0), &storing->told);
}

/* As many as may be done under one lock.  Nothing is said within: a client that does not read would
 * make all others wait.  *more_r: there are others. */
static int
store_batch(struct session *session, struct picked *picked, struct storing *storing, bool *more_r)
{
	struct mailbox *box = session->box;
	size_t place;
	int done;

	*more_r = false;
	if (maildir_change_begin(box->folder) == -1)
		return -1;
	for (done = 0; done < BATCH && (*more_r = picked_next(box, picked, &place)); done++)
		store_one(session, place, picked->by_uid, storing);
	/* An OK says that it is on disk. */
	if (maildir_change_end(box->folder) == -1)
		storing->failed = true;
	imap_put_text(session, &storing->told);
	return 0;
}

static enum imap_result
store_all(struct session *session, struct picked *picked, struct storing *storing)
{
	struct mailbox *box = session->box;
	bool more = true;

	/* All of the keywords, or none of the change: RFC 9051 section 2.3.2. */
	if (flags_letters(
		box->folder, &storing->list, storing->how != STORE_REMOVE, &storing->letters) == -1)
		return errno == ENOSPC || errno == EINVAL
			   ? imap_say(session, IMAP_NO,
				 "[LIMIT] The mailbox can have no more keywords of that name")
			   : imap_failed(session, "store");
	mailbox_load_names(box);
	mailbox_tell_flags(session, false);
	while (more && session->channel->end == CHANNEL_OPEN)
		if (store_batch(session, picked, storing, &more) == -1)
			return imap_failed(session, "store");
	if (storing->failed)
		return imap_say(session, IMAP_NO, "[UNAVAILABLE] Some could not be changed");
	/* RFC 2180 section 4.2.1: the others are changed, and told. */
	if (storing->gone && !picked->by_uid)
		return imap_say(session, IMAP_NO, "[EXPUNGEISSUED] Some are expunged");
	return IMAP_OK;
}

static enum imap_result
store(struct session *session, struct args *args, bool uid)
{
	struct storing storing = {.silent = false};
	struct picked picked;
	enum imap_result result;
	struct word set;

	if (!args_space(args) || !args_set(args, &set) || !args_space(args) ||
	    !parse(args, &storing))
		return IMAP_BAD;
	if (!mailbox_pick(session, set, uid, &picked))
		result = imap_say(session, IMAP_BAD, "There are no such messages");
	else if (session->box->read_only)
		result =
		    imap_say(session, IMAP_NO, "[READ-ONLY] The mailbox was opened with EXAMINE");
	else
		result = store_all(session, &picked, &storing);
	picked_clear(&picked);
	return result;
}

enum imap_result
run_store(struct session *session, struct args *args)
{
	return store(session, args, false);
}

enum imap_result
run_uid_store(struct session *session, struct args *args)
{
	return store(session, args, true);
}
