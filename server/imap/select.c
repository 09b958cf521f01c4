/*
 * select.c: SELECT, EXAMINE, CLOSE, UNSELECT.
 * Runs as: mail user.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/expunge.h"
#include "server/imap/list.h"
#include "server/imap/mailbox.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

/* Leaves the selected mailbox, also when the new one cannot be opened: RFC 9051 section 6.3.2. */
static void
leave(struct session *session)
{
	if (session->box == NULL)
		return;
	sequence_clear(&session->saved);
	mailbox_close(&session->box);
	/* RFC 7162 section 3.2.11.  It does no harm to other clients. */
	channel_puts(session->channel, "* OK [CLOSED] The mailbox before is closed\r\n");
}

static void
tell_unseen(struct session *session)
{
	const struct mailbox *box = session->box;
	size_t place;

	if (session->rev2)
		return;
	place = maildir_first_unseen(box->folder); /* places are the same just after opening */
	if (place < maildir_count(box->folder))
		channel_printf(session->channel,
		    "* OK [UNSEEN %zu] The first that was not seen\r\n", place + 1);
}

/* SELECT's parameters. */
struct parameters {
	bool condstore, qresync;
	struct resync resync;
};

/* " (QRESYNC (67890007 90060115194045000) CONDSTORE)", to the end. */
static bool
take_parameters(struct session *session, struct args *args, struct parameters *p)
{
	struct word word;

	if (args_end(args))
		return true;
	if (!args_space(args) || !args_open(args))
		return false;
	if (args_close(args))
		return args_end(args);
	do {
		if (!args_atom(args, NULL, &word))
			return false;
		if (word_is(word, "CONDSTORE")) {
			p->condstore = true;
		} else if (word_is(word, "QRESYNC") && session->qresync && !p->qresync) {
			/* RFC 7162 section 3.2.5: BAD before ENABLE QRESYNC. */
			p->qresync = true;
			if (!args_space(args) || !resync_parse(args, &p->resync))
				return false;
		} else {
			return false;
		}
	} while (args_more(args));
	return args_close(args) && args_end(args);
}

static void
tell_all(struct session *session)
{
	struct mailbox *box = session->box;
	char id[MAILDIR_ID_SIZE];

	mailbox_tell_flags(session, true);
	mailbox_tell_exists(session);
	tell_unseen(session);
	channel_printf(session->channel,
	    "* OK [UIDVALIDITY %" PRIu32 "] UIDs are valid\r\n"
	    "* OK [UIDNEXT %" PRIu32 "] The next UID\r\n",
	    box->validity, maildir_uidnext(box->folder));
	imap_tell_modseq(session, box->modseq);
	if (maildir_folder_id(box->folder, id) == 0)
		channel_printf(session->channel, "* OK [MAILBOXID (%s)] Its id\r\n", id);
	if (session->rev2)
		list_tell(session, box->name);
	else
		list_tell_oldname(session, box->name);
}

static enum command_result
open_folder(struct session *session, const char *folder, struct parameters *p)
{
	const bool read_only = (session->command_flags & READ_ONLY) != 0;
	int error;

	leave(session);
	session->box = mailbox_open(session, folder, read_only);
	if (session->box == NULL)
		return imap_failed(session, "select");
	error = read_only ? 0 : maildir_read_only(session->box->folder);
	if (error != 0)
		trouble_log(&session->reader->trouble, "write", error);
	session->condstore = session->condstore || p->condstore;
	tell_all(session);
	if (p->qresync)
		resync_tell(session, &p->resync);
	return imap_say(session, COMMAND_OK, "[READ-%s] The mailbox is selected",
	    session->box->told_closed ? "ONLY" : "WRITE");
}

enum command_result
run_select(struct session *session, struct args *args)
{
	char folder[IMAP_NAME_MAX];
	struct parameters parameters = {.condstore = false};
	enum command_result result;

	result = imap_take_mailbox(session, args, IMAP_NO_MAILBOX, folder);
	if (result == COMMAND_NO)
		leave(session);
	if (result != COMMAND_OK)
		return result;
	if (take_parameters(session, args, &parameters))
		result = open_folder(session, folder, &parameters);
	else
		result = COMMAND_BAD;
	resync_clear(&parameters.resync);
	return result;
}

enum command_result
run_unselect(struct session *session, struct args *args)
{
	(void)args;
	sequence_clear(&session->saved);
	mailbox_close(&session->box);
	return COMMAND_OK;
}

enum command_result
run_close(struct session *session, struct args *args)
{
	/* Messages that cannot be removed stay marked.  CLOSE has no answer that tells so. */
	if (!session->box->read_only)
		if (expunge_deleted(session, NULL) == -1)
			trouble_log(&session->reader->trouble, "close", errno);
	session->say_modseq = false; /* RFC 7162 section 3.2.8 */
	return run_unselect(session, args);
}
