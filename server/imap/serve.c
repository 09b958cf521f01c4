/*
 * serve.c: IMAP after login: the loop that collects commands and runs them.
 * Runs as: mail user.
 *
 * The rows of the table (commands.c) say in which states a command is allowed and what it does to sequence numbers.
 * So this loop alone decides which news of the mailbox go with an answer, and no command has to remember it.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <string.h>

#include "maildir/maildir.h"
#include "maildir/tree/tree.h"
#include "server/conf.h"
#include "server/imap/answer.h"
#include "server/imap/append.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/imap/special.h"
#include "server/reader/reader.h"

enum { MEMORY_KEEP = 128 * 1024 }; /* octets of free memory; larger pieces go back to the kernel */

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
	mailbox_tell(session, false); /* what the command has noticed */
	/* RFC 7162 section 3.2: if the connection is lost now, the client must ask for the expunges again. */
	if (session->condstore && session->box->gone.count > 0)
		imap_tell_modseq(session, session->box->modseq);
}

/*
 * Puts changes of flags on disk, before the first octet that tells of them leaves.  So a burst of changes goes there
 * together: of a client that sends many STOREs without waiting, or of a FETCH that marks what it sends as \\Seen.  If it
 * fails, the client is not told of any.
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
	/* The client's numbers stay, but a command that looks at messages should see the flags and the new mail of now:
	 * "UID FETCH 7:* FLAGS" is how many clients ask for news. */
	if (command->states == IN_SELECTED && (command->flags & TELLS_NOTHING) == 0)
		mailbox_news(session, false);
	if (session->leaving != NULL)
		return imap_leave(session);
	session->command_flags = command->flags;
	session->stands = command->states != IN_SELECTED;
	result = imap_arguments(command, args) ? command->run(session, args) : COMMAND_BAD;
	if (result == COMMAND_ANSWERED)
		return result;
	/* If the command needed the mailbox, it was not done whole.  An APPEND or COPY that is done must not be done again. */
	if (session->box != NULL && mailbox_is_lost(session->box) && !mailbox_holds(session))
		return session->stands ? result : imap_leave(session);
	news_after(session, command);
	return result;
}

static enum command_result
run(struct session *session)
{
	struct args args = imap_args(&session->input);

	/* Clients send empty lines between commands, and expect no answer. */
	if (args_end(&args))
		return COMMAND_ANSWERED;
	if (!imap_tag(&args, session->tag))
		return imap_say(session, COMMAND_BAD, "A command begins with a tag and a blank");
	return run_command(session, imap_command(imap_commands, &args), &args);
}

/* At a literal in the middle of a command: takes it, leaves it to APPEND, or refuses it. */
static enum imap_input_event
on_literal(struct session *session, enum command_result *result_r)
{
	struct imap_input *input = &session->input;
	const struct imap_literal *literal = &input->literal;

	imap_tag_of_part(&session->input, session->tag);
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
			imap_tag_of_part(&session->input, session->tag);
			append_abandon(); /* the command may have sent messages */
			refused =
			    imap_say(session, COMMAND_BAD, "[TOOBIG] The command is too long");
			event = IMAP_INPUT_MORE;
		}
	}
	if (event == IMAP_INPUT_DONE)
		return run(session);
	if (event == IMAP_INPUT_BROKEN) {
		imap_tag_of_part(&session->input, session->tag);
		session->leaving = "A literal has an impossible size";
		return COMMAND_BAD;
	}
	return refused;
}

/*
 * Does the work for which the client need not wait: writes into the index what was learned of messages, which may need
 * the folder's lock, and removes the files of a deleted mailbox.  Answers to pipelined commands still leave together.
 */
static void
after_answer(struct session *session)
{
	struct maildir_folder *folder = session->box != NULL ? session->box->folder : NULL;

	if ((session->deleted || (folder != NULL && maildir_has_findings(folder))) &&
	    !channel_input_waits(session->channel))
		channel_flush(session->channel);
	if (folder != NULL)
		maildir_save_findings(folder);
	if (session->deleted)
		maildir_clear_deleted(session->maildir);
	session->deleted = false;
}

enum ipc_verdict
imap_open(struct reader *reader)
{
	static struct session session; /* one in this process */

	/* Give the memory of a large message back at once: most sessions only wait. */
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
	/* RFC 9051 section 7.1.5. */
	if (reader->channel.end == CHANNEL_STOPPED)
		channel_last_words(&reader->channel, "* BYE [UNAVAILABLE] Shutting down\r\n");
	else if (reader->channel.end == CHANNEL_TIMEOUT)
		channel_last_words(&reader->channel, "* BYE Idle for too long\r\n");
	channel_flush(session->channel);
	/* session->watch is closed with the process: see maildir_watch_pause. */
	mailbox_close(&session->box);
	append_abandon();
	sequence_clear(&session->saved);
	mdbuf_clear(&session->reply);
	imap_input_clear(&session->input);
}
