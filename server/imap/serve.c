/*
 * serve.c: IMAP after login: the loop that collects commands and runs them.
 * Runs as: mail user.
 *
 * The table's rows (commands.c) say in which states a command is allowed and what it does to sequence numbers; so
 * this loop alone decides what news of the mailbox goes with an answer, and no command has to remember it.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/maildir.h"
#include "maildir/tree/tree.h"
#include "server/conf.h"
#include "server/imap/answer.h"
#include "server/imap/append.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/imap/special.h"
#include "server/log.h"
#include "server/reader/reader.h"

enum {
	GOODBYE_TIMEOUT = 2 * 1000, /* ms for the last words to a client that may not listen */
	MEMORY_KEEP = 128 * 1024,   /* octets of free memory; and larger pieces are the kernel's */
};

static void
answer(struct session *session, enum command_result result)
{
	static const char *const words[] = {
	    [COMMAND_OK] = "OK", [COMMAND_NO] = "NO", [COMMAND_BAD] = "BAD"};
	static const char *const standard[] = {
	    [COMMAND_OK] = "Done",
	    [COMMAND_NO] = "[CANNOT] That cannot be done",
	    [COMMAND_BAD] = "Wrong arguments",
	};
	struct channel *channel = session->channel;

	channel_printf(
	    channel, "%s %s ", session->tag[0] != '\0' ? session->tag : "*", words[result]);
	if (result == COMMAND_OK && session->say_modseq && session->box != NULL)
		channel_printf(channel, "[HIGHESTMODSEQ %" PRIu64 "] ", session->box->modseq);
	if (session->reply.len > 0)
		channel_put(channel, session->reply.data, session->reply.len);
	else
		channel_puts(channel, standard[result]);
	channel_puts(channel, "\r\n");
}

/*
 * Numbers are those that the client has; but flags and new mail should be of now, for whatever looks
 * at messages: "UID FETCH 7:* FLAGS" is how many clients ask for news.
 */
static void
news_before(struct session *session, const struct command *command)
{
	if (command->states == IN_SELECTED && (command->flags & TELLS_NOTHING) == 0)
		mailbox_news(session, false);
}

static void
news_after(struct session *session, const struct command *command)
{
	if (session->box == NULL || (command->flags & TELLS_NOTHING) != 0)
		return;
	if ((command->flags & BY_NUMBER) == 0 && !session->by_number) {
		mailbox_news(session, true);
		return;
	}
	if (!mailbox_holds(session))
		return;
	mailbox_tell(session, false); /* what the command has come across */
	/* RFC 7162 section 3.2: a client that is lost now must ask for the expunges again. */
	if (session->condstore && session->box->gone.count > 0)
		imap_tell_modseq(session, session->box->modseq);
}

/*
 * Flags that are changed in a burst -- a client that sends many STOREs without waiting, a FETCH that marks
 * what it sends as \\Seen -- are put on disk together, before the first octet that tells of them
 * leaves.  If that fails nothing of it is said.
 */
static void
settle(void *ctx)
{
	struct session *session = ctx;

	if (session->box == NULL || maildir_change_settle(session->box->folder) == 0)
		return;
	trouble_log(&session->reader->trouble, "store", errno);
	session->leaving = "Changes could not be put on disk";
	session->channel->out_len = 0;
	session->channel->end = CHANNEL_FAILED;
}

static enum command_result
run_command(struct session *session, const struct command *command, struct args *args)
{
	const unsigned state = session->box != NULL ? IN_SELECTED : IN_AUTHENTICATED;
	enum command_result result;

	if ((command->states & state) == 0)
		return imap_say(session, COMMAND_BAD, "No mailbox is selected");
	if ((command->flags & HOLDS) == 0)
		settle(session);
	news_before(session, command);
	if (session->leaving != NULL)
		return imap_leave(session);
	session->flags = command->flags;
	result = imap_arguments(command, args) ? command->run(session, args) : COMMAND_BAD;
	if (result == COMMAND_ANSWERED)
		return result;
	if (session->box != NULL && session->box->anew && !mailbox_holds(session))
		return imap_leave(session); /* whatever was done, not all of it was */
	news_after(session, command);
	return result;
}

static enum command_result
run(struct session *session)
{
	struct args args = {
	    .at = session->input.text,
	    .end = session->input.text + session->input.len,
	    .utf8 = true, /* search texts have been seen so, before anything was enabled */
	};

	/* Clients send empty lines between commands, and expect no answer. */
	if (args_end(&args))
		return COMMAND_ANSWERED;
	if (!imap_tag(&args, session->tag))
		return imap_say(session, COMMAND_BAD, "A command begins with a tag and a blank");
	return run_command(session, imap_command(imap_commands, &args), &args);
}

static void
tag_of_part(struct session *session)
{
	struct args args = {
	    .at = session->input.text,
	    .end = session->input.text + session->input.len,
	};

	if (!imap_tag(&args, session->tag))
		session->tag[0] = '\0';
}

/* A literal before the command is whole: it is taken, it is APPEND's, or it is too much. */
static enum imap_input_event
on_literal(struct session *session, enum command_result *result_r)
{
	struct imap_input *input = &session->input;
	const struct imap_literal *literal = &input->literal;

	tag_of_part(session);
	if (append_wants(session))
		return append_literal(session, result_r);
	if (input->literals <= IMAP_LITERALS_MAX && literal->size < IMAP_COMMAND_MAX - input->len) {
		imap_input_accept(input);
		if (!literal->plus)
			channel_puts(session->channel, "+ Go on\r\n");
		return IMAP_INPUT_MORE;
	}
	*result_r = imap_say(session, COMMAND_BAD, "[TOOBIG] The literal is too large");
	return imap_input_refuse(input) ? IMAP_INPUT_MORE : IMAP_INPUT_REFUSED;
}

/* Collects one command, its literals included, and runs it. */
static enum command_result
next_command(struct session *session)
{
	enum imap_input_event event = IMAP_INPUT_MORE;
	enum command_result refused = COMMAND_BAD;
	size_t len;
	char *at;

	imap_input_next(&session->input);
	session->reply.len = 0;
	session->tag[0] = '\0';
	session->by_number = session->say_modseq = false;
	while (event == IMAP_INPUT_MORE) {
		if (!channel_input(session->channel, &at, &len))
			return COMMAND_ANSWERED;
		len = imap_input_feed(&session->input, at, len, &event);
		channel_take(session->channel, len);
		if (event == IMAP_INPUT_LITERAL)
			event = on_literal(session, &refused);
		if (event == IMAP_INPUT_LONG) {
			tag_of_part(session);
			append_abandon(session); /* messages of it may have come */
			refused =
			    imap_say(session, COMMAND_BAD, "[TOOBIG] The command is too long");
			event = IMAP_INPUT_MORE;
		}
	}
	if (event == IMAP_INPUT_DONE)
		return run(session);
	if (event == IMAP_INPUT_BROKEN) {
		tag_of_part(session);
		session->leaving = "A literal has no size that can be";
		return COMMAND_BAD;
	}
	return refused;
}

/*
 * Work that nobody needs to wait for: what was learned of messages goes into the index, which may need the
 * folder's lock, and the files of a deleted mailbox are removed.  Answers to pipelined commands leave
 * together, as ever.
 */
static void
after_answer(struct session *session)
{
	struct maildir_folder *folder = session->box != NULL ? session->box->folder : NULL;

	if ((session->deleted || (folder != NULL && maildir_has_learned(folder))) &&
	    !channel_input_waits(session->channel))
		channel_flush(session->channel);
	if (folder != NULL)
		maildir_remember(folder);
	if (session->deleted)
		maildir_clear_deleted(session->maildir);
	session->deleted = false;
}

enum ipc_verdict
imap_open(struct reader *reader)
{
	static struct session session; /* one in this process */

	/* What a large message needed is given back at once: most sessions only wait. */
	(void)mallopt(M_MMAP_THRESHOLD, MEMORY_KEEP);
	(void)mallopt(M_TRIM_THRESHOLD, MEMORY_KEEP);
	session.reader = reader;
	session.channel = &reader->channel;
	session.maildir = reader->maildir;
	session.conf = reader->start.conf;
	imap_input_init(&session.input, NULL, IMAP_COMMAND_MAX);
	special_make(&session);
	reader->session = &session;
	return IPC_ACCEPTED;
}

/* Last words, for ends that are ours: RFC 9051 section 7.1.5. */
static void
say_goodbye(struct session *session)
{
	struct channel *channel = session->channel;
	const char *words = NULL;

	if (channel->end == CHANNEL_STOPPED)
		words = "[UNAVAILABLE] Shutting down";
	else if (channel->end == CHANNEL_TIMEOUT)
		words = "Idle for too long";
	if (words == NULL)
		return;
	channel->end = CHANNEL_OPEN;
	channel->idle = GOODBYE_TIMEOUT;
	channel_stop = 0;
	channel_printf(channel, "* BYE %s\r\n", words);
	channel_flush(channel);
}

void
imap_serve(struct reader *reader)
{
	struct session *session = reader->session;
	enum command_result result;
	unsigned bad = 0;

	reader->channel.before_send = settle;
	reader->channel.ctx = session;
	while (session->leaving == NULL && reader->channel.end == CHANNEL_OPEN) {
		result = next_command(session);
		if (result == COMMAND_ANSWERED)
			continue;
		answer(session, result);
		bad = result == COMMAND_BAD ? bad + 1 : 0;
		if (bad >= IMAP_BAD_MAX)
			session->leaving = "Too many wrong commands";
		if (session->leaving != NULL && strcmp(session->leaving, "logout") != 0)
			channel_printf(session->channel, "* BYE %s\r\n", session->leaving);
		after_answer(session);
	}
	reader->reason =
	    session->leaving != NULL ? session->leaving : channel_end_text(reader->channel.end);
	say_goodbye(session);
	channel_flush(session->channel);
	/* session->watch is closed with the process: see maildir_watch_pause. */
	mailbox_close(&session->box);
	append_abandon(session);
	sequence_clear(&session->saved);
	mdtext_clear(&session->reply);
	imap_input_clear(&session->input);
}
