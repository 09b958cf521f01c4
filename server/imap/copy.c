/*
 * copy.c: COPY and MOVE, by number and by UID.
 * Runs as: mail user.
 *
 * A delivery (deliver.h) of links takes the whole set or nothing.  If links fail, because a message was renamed
 * just then or lies on another file system, a delivery of copies follows.  MOVE removes the messages here after
 * the delivery is on disk: if the session is killed between, they are in both mailboxes, and never in none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/folder/deliver.h"
#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/expunge.h"
#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

enum { NOT_ASKED = -2 };

struct copying {
	struct session *session;
	struct maildir_folder *to;
	struct maildir_delivery *delivery;
	struct sequence from;	      /* UIDs that are copied */
	int number[MAILDIR_KEYWORDS]; /* of each keyword in the target; NOT_ASKED */
	bool move;
	bool link;  /* a delivery of links; else of copies */
	bool again; /* the links have failed; nothing is said yet */
	bool gone;  /* a message is expunged, and was named by number */
};

/* The target's keywords for those of this mailbox; false: errno, as maildir_keyword_make. */
static bool
map_keywords(struct copying *c, uint64_t keywords, uint64_t *mapped_r)
{
	const struct flag_names *names = &c->session->box->names;

	*mapped_r = 0;
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		const char *name = flag_name(names, (unsigned)i);

		if ((keywords >> i & 1) == 0 || *name == '\0')
			continue;
		if (c->number[i] == NOT_ASKED)
			c->number[i] = maildir_keyword_make(c->to, name);
		if (c->number[i] < 0)
			return false;
		*mapped_r |= UINT64_C(1) << c->number[i];
	}
	return true;
}

/* Adds a message to the delivery. */
static enum command_result
copy_one(struct copying *c, size_t place)
{
	struct mailbox *box = c->session->box;
	struct maildir_message now;
	uint64_t keywords;

	if (!mailbox_message(box, place, &now)) {
		c->gone = true;
		return COMMAND_OK;
	}
	if (!map_keywords(c, now.keywords, &keywords))
		return imap_failed(c->session, "copy");
	if ((c->link ? maildir_delivery_link : maildir_delivery_copy)(
		c->delivery, box->folder, now.uid, keywords) == 0)
		sequence_add(&c->from, now.uid);
	else if (errno == ENOENT)
		c->gone = true;
	else
		return imap_failed(c->session, "copy");
	return COMMAND_OK;
}

/* "[COPYUID 38505 304,319:320 3956:3958] " */
static void
put_code(struct copying *c, uint32_t validity, const uint32_t *uids, struct mdbuf *out)
{
	struct sequence to = {0};
	uint64_t count = sequence_total(&c->from);

	for (uint64_t i = 0; i < count; i++)
		sequence_add(&to, uids[i]);
	mdbuf_addf(out, "[COPYUID %" PRIu32 " ", validity);
	sequence_put(&c->from, out);
	mdbuf_addf(out, " ");
	sequence_put(&to, out);
	mdbuf_addf(out, "] ");
	sequence_clear(&to);
}

/* Removes the messages here, now that they are in the other mailbox. */
static enum command_result
remove_copied(struct copying *c)
{
	struct picked picked = {.set = c->from, .by_uid = true};

	if (expunge_picked(c->session, &picked, false) == 0)
		return COMMAND_OK;
	trouble_log(&c->session->reader->trouble, "move", errno);
	return imap_say(c->session, COMMAND_NO,
	    "[UNAVAILABLE] They were copied, but could not all be removed here");
}

static enum command_result
commit(struct copying *c)
{
	struct session *session = c->session;
	struct mdbuf code = {0};
	const uint32_t *uids;
	uint32_t validity;

	/* RFC 2180 section 4.4.1: COPY of a message that is gone does nothing; by UID it is no error. */
	if (c->gone && !c->move)
		return imap_say_expunged(session, COMMAND_NO);
	if (c->from.failed) {
		errno = ENOMEM;
		return imap_failed(session, "copy");
	}
	if (c->from.count == 0)
		return COMMAND_OK;
	if (maildir_delivery_commit(c->delivery, &validity, &uids) == -1) {
		c->again = c->link && errno == ESTALE;
		return c->again ? COMMAND_OK : imap_failed(session, "copy");
	}
	put_code(c, validity, uids, &code);
	if (!c->move) {
		session->stands = true;
		session->reply.len = 0;
		mdbuf_add(&session->reply, code.data, code.len);
		mdbuf_addf(&session->reply, "Copied");
		mdbuf_clear(&code);
		return COMMAND_OK;
	}
	/* RFC 6851 section 4.3: in an untagged OK, before the EXPUNGEs. */
	channel_puts(session->channel, "* OK ");
	channel_put(session->channel, code.data, code.len);
	channel_puts(session->channel, "Moved\r\n");
	mdbuf_clear(&code);
	return remove_copied(c);
}

static enum command_result
open_target(struct copying *c, const char *folder)
{
	if (maildir_folder_open(c->session->maildir, folder, &c->to) == -1)
		return imap_no_target(c->session, "copy");
	if (maildir_sync(c->to) == -1 || maildir_delivery_begin(c->to, &c->delivery) == -1)
		return imap_failed(c->session, "copy");
	return COMMAND_OK;
}

/* Copies by links or octets; picked is walked from its start. */
static enum command_result
copy_all(struct copying *c, struct picked picked, const char *folder)
{
	struct mailbox *box = c->session->box;
	enum command_result result;
	size_t place;

	for (int i = 0; i < MAILDIR_KEYWORDS; i++)
		c->number[i] = NOT_ASKED;
	c->again = c->gone = false;
	result = open_target(c, folder);
	while (result == COMMAND_OK && picked_next(box, &picked, &place))
		result = copy_one(c, place);
	c->gone = c->gone && !picked.by_uid;
	/* The places may have named other messages than the client meant. */
	if (result == COMMAND_OK && mailbox_is_lost(box))
		result = COMMAND_NO;
	if (result == COMMAND_OK)
		result = commit(c);
	maildir_delivery_end(&c->delivery);
	if (c->to != NULL)
		maildir_folder_close(&c->to);
	sequence_clear(&c->from);
	return result;
}

enum command_result
run_copy(struct session *session, struct args *args)
{
	struct copying c = {
	    .session = session, .move = (session->command_flags & REMOVES) != 0, .link = true};
	char folder[IMAP_NAME_MAX];
	enum command_result result;
	struct picked picked;
	struct word set;

	if (!args_set(args, &set) || !args_space(args))
		return COMMAND_BAD;
	result = imap_take_mailbox(session, args, IMAP_NO_MAILBOX, folder);
	if (result != COMMAND_OK)
		return result;
	if (!args_end(args))
		return COMMAND_BAD;
	if (!picked_parse(session, set, imap_by_uid(session), &picked)) {
		result = imap_say(session, COMMAND_BAD, "There are no such messages");
	} else if (c.move && !mailbox_may_change(session, "move")) {
		result = COMMAND_NO;
	} else {
		result = copy_all(&c, picked, folder);
		c.link = false;
		if (c.again)
			result = copy_all(&c, picked, folder);
	}
	picked_clear(&picked);
	return result;
}
