/*
 * store.c: STORE and UID STORE.
 * Runs as: mail user.
 */
#include <errno.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

/* Messages changed under one lock.  Other processes get a turn between two batches. */
enum { BATCH = 1000 };

enum how { STORE_REPLACE, STORE_ADD, STORE_REMOVE };

struct storing {
	enum how how;
	bool silent;
	bool conditional; /* RFC 7162 section 3.1.3 */
	uint64_t unchanged_since;
	struct flag_list list;
	uint64_t keywords;	  /* of list, in the folder */
	struct sequence modified; /* numbers or UIDs of messages that failed the condition */
	struct {
		uint32_t uid;
		bool done; /* it was changed as the client asks */
	} told[BATCH];	   /* messages of a batch that are to be told */
	size_t tell;
	int error; /* errno of the last message that could not be changed, or 0 */
	bool gone; /* a message is expunged */
};

/* "(UNCHANGEDSINCE 12121230045) " */
static bool
parse_modifier(struct args *args, struct storing *storing)
{
	struct word word;

	if (!args_open(args))
		return true;
	if (args_close(args))
		return args_space(args);
	storing->conditional = true;
	return args_atom(args, NULL, &word) && word_is(word, "UNCHANGEDSINCE") &&
	       args_space(args) && args_number64(args, &storing->unchanged_since) &&
	       args_close(args) && args_space(args);
}

/* "+FLAGS.SILENT (\Seen)", to the end. */
static bool
parse(struct args *args, struct storing *storing)
{
	struct word word;

	if (!parse_modifier(args, storing))
		return false;
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
	uint64_t keywords = storing->keywords;
	/* The letter P means $Forwarded as well, and goes with it: see flags.c. */
	uint32_t passed = names_forwarded(&storing->list) ? MAILDIR_PASSED : 0;

	if (storing->how == STORE_ADD)
		return (struct maildir_flag_change){.add = flags, .add_keywords = keywords};
	if (storing->how == STORE_REMOVE)
		return (struct maildir_flag_change){
		    .remove = flags | passed, .remove_keywords = keywords};
	return (struct maildir_flag_change){
	    .add = flags,
	    .remove = ~(flags | passed),
	    .add_keywords = keywords,
	    .remove_keywords = ~keywords,
	};
}

static void
store_one(struct session *session, size_t place, struct storing *storing)
{
	const struct maildir_flag_change change = change_of(storing);
	struct mailbox *box = session->box;
	struct maildir_message now;

	if (!mailbox_message(box, place, &now)) {
		storing->gone = true;
		return;
	}
	storing->told[storing->tell].uid = now.uid;
	storing->told[storing->tell].done = true;
	if (storing->conditional && now.modseq > storing->unchanged_since) {
		sequence_add(
		    &storing->modified, imap_by_uid(session) ? now.uid : (uint32_t)place + 1);
		storing->told[storing->tell].done = false;
	} else if (maildir_flags(box->folder, now.uid, &change) == -1) {
		storing->gone = storing->gone || errno == ENOENT;
		if (errno != ENOENT) {
			storing->error = errno;
			trouble_log(&session->reader->trouble, "store", errno);
		}
		return;
	}
	storing->tell++;
}

/* Tells the flags of a batch; also of messages that failed the condition, so that the client need not ask. */
static void
tell_batch(struct session *session, struct storing *storing)
{
	struct mailbox *box = session->box;
	unsigned tell = imap_by_uid(session) ? TELL_FLAGS | TELL_UID : TELL_FLAGS;
	struct maildir_message now;
	struct mdbuf text = {0};
	bool silent;

	for (size_t i = 0; i < storing->tell && !mailbox_is_lost(box); i++) {
		if (!maildir_lookup(box->folder, storing->told[i].uid, &now))
			continue;
		mailbox_told(box, &now);
		silent = storing->silent && storing->told[i].done;
		/* RFC 7162 section 3.1.3: FLAGS.SILENT tells the new mod-sequence, too. */
		if (!silent || session->condstore)
			mailbox_put_fetch(session, &now, silent ? 0 : tell, &text);
	}
	storing->tell = 0;
	imap_put_text(session, &text);
}

/* Changes as many messages as one lock allows.  Nothing is said while the lock is held: a client that does not
 * read would make all others wait.  *more_r: there are more messages. */
static int
store_batch(struct session *session, struct picked *picked, struct storing *storing, bool *more_r)
{
	struct mailbox *box = session->box;
	size_t place;
	int done;

	*more_r = false;
	maildir_change_hold(box->folder);
	if (maildir_change_begin(box->folder) == -1)
		return -1;
	for (done = 0; done < BATCH && (*more_r = picked_next(box, picked, &place)); done++)
		store_one(session, place, storing);
	/* The last batch is put on disk before the OK: see settle in serve.c. */
	if (maildir_change_end(box->folder) == -1 ||
	    (*more_r && maildir_change_settle(box->folder) == -1)) {
		storing->error = errno;
		trouble_log(&session->reader->trouble, "store", errno);
	}
	tell_batch(session, storing);
	return 0;
}

/* "[MODIFIED 7,9] ": RFC 7162 section 3.1.3. */
static enum command_result
say_modified(struct session *session, enum command_result result, const struct sequence *modified)
{
	session->reply.len = 0;
	imap_add(&session->reply, "[MODIFIED ");
	sequence_put(modified, &session->reply);
	imap_add(&session->reply, result == COMMAND_OK ? "] They were changed before"
						       : "] Some of the messages no longer exist");
	return result;
}

static enum command_result
conclude(struct session *session, const struct storing *storing)
{
	bool gone = storing->gone && !imap_by_uid(session);
	bool forbidden =
	    storing->error == EACCES || storing->error == EPERM || storing->error == EROFS;
	/* RFC 2180 section 4.2: the other messages are changed.  NO where the client expects an answer for each. */
	enum command_result result = gone && !storing->silent ? COMMAND_NO : COMMAND_OK;

	if (storing->error != 0 || storing->modified.failed)
		return imap_say(session, COMMAND_NO, "[%s] Some could not be changed",
		    forbidden ? "NOPERM" : "UNAVAILABLE");
	if (storing->modified.count > 0)
		return say_modified(session, result, &storing->modified);
	return gone ? imap_say_expunged(session, result) : COMMAND_OK;
}

static enum command_result
store_all(struct session *session, struct picked *picked, struct storing *storing)
{
	struct mailbox *box = session->box;
	bool more = true;

	if (storing->conditional)
		resync_enable(session);
	/* If a keyword cannot be made, change nothing: RFC 9051 section 2.3.2. */
	if (flags_keywords(box->folder, &storing->list, storing->how != STORE_REMOVE,
		&storing->keywords) == -1)
		return imap_failed(session, "store");
	mailbox_load_names(box);
	mailbox_tell_flags(session, false);
	while (more && session->channel->end == CHANNEL_OPEN)
		if (store_batch(session, picked, storing, &more) == -1)
			return imap_failed(session, "store");
	return conclude(session, storing);
}

enum command_result
run_store(struct session *session, struct args *args)
{
	struct storing storing = {.silent = false};
	struct picked picked;
	enum command_result result;
	struct word set;

	if (!args_set(args, &set) || !args_space(args) || !parse(args, &storing))
		return COMMAND_BAD;
	if (!picked_parse(session, set, imap_by_uid(session), &picked))
		result = imap_say(session, COMMAND_BAD, "There are no such messages");
	else if (!mailbox_may_change(session, "store"))
		result = COMMAND_NO;
	else
		result = store_all(session, &picked, &storing);
	picked_clear(&picked);
	sequence_clear(&storing.modified);
	return result;
}
