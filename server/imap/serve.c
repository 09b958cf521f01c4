/*
 * serve.c: IMAP after login: the table of commands and the loop that runs them.
 * Runs as: mail user.
 *
 * A row says in which states a command is allowed and what it does to sequence numbers; so the loop
 * alone decides what news of the mailbox goes with an answer, and no command has to remember it.
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
#include "server/imap/mailboxes.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/log.h"
#include "server/reader/reader.h"

enum {
	GOODBYE_TIMEOUT = 2 * 1000, /* ms for the last words to a client that may not listen */
	MEMORY_KEEP = 128 * 1024,   /* octets of free memory; and larger pieces are the kernel's */
};

/* --- small commands --- */

static enum imap_result
run_capability(struct session *session, struct args *args)
{
	const struct imap_state state = {
	    .logged_in = true,
	    .append_limit = session->conf->append_limit,
	};

	if (!args_end(args))
		return IMAP_BAD;
	channel_puts(session->channel, "* CAPABILITY ");
	imap_capabilities(session->channel, &state);
	channel_puts(session->channel, "\r\n");
	return IMAP_OK;
}

/* NOOP, CHECK: their news is what the loop tells after every command. */
static enum imap_result
run_nothing(struct session *session, struct args *args)
{
	(void)session;
	return args_end(args) ? IMAP_OK : IMAP_BAD;
}

static enum imap_result
run_logout(struct session *session, struct args *args)
{
	if (!args_end(args))
		return IMAP_BAD;
	session->leaving = "logout";
	channel_puts(session->channel, "* BYE Good-bye\r\n");
	return imap_say(session, IMAP_OK, "Logged out");
}

/* Which programs people use is what an administrator asks first. */
static void
log_client_program(struct session *session, const struct imap_client *client)
{
	char name[LOG_CLIENT_MAX + 2], version[LOG_CLIENT_MAX + 2];
	struct log_line line;

	if (session->identified || client->name.at == NULL)
		return;
	session->identified = true;
	snprintf(name, sizeof(name), "%.*s", (int)client->name.len, client->name.at);
	snprintf(version, sizeof(version), "%.*s", (int)client->version.len,
	    client->version.at != NULL ? client->version.at : "");
	log_begin(&line, LOG_NOTE, "imap", "client");
	log_text(&line, "user", session->reader->account.name);
	log_client(&line, "name", name);
	log_client(&line, "version", version);
	log_end(&line);
}

static enum imap_result
run_id(struct session *session, struct args *args)
{
	struct imap_client client;

	if (!args_space(args) || !imap_id_arguments(args, &client))
		return IMAP_BAD;
	log_client_program(session, &client);
	imap_id(session->channel, true);
	return imap_say(session, IMAP_OK, "Pleased to meet you");
}

/* RFC 5161: what is not known is passed over. */
static enum imap_result
run_enable(struct session *session, struct args *args)
{
	bool rev2 = false, utf8 = false, condstore = false, qresync = false;
	struct word word;

	do {
		if (!args_space(args) || !args_atom(args, NULL, &word))
			return IMAP_BAD;
		rev2 = rev2 || (word_is(word, "IMAP4rev2") && !session->rev2);
		utf8 = utf8 || (word_is(word, "UTF8=ACCEPT") && !session->utf8_accept);
		condstore = condstore || word_is(word, "CONDSTORE");
		qresync = qresync || word_is(word, "QRESYNC");
	} while (!args_end(args));
	session->rev2 = session->rev2 || rev2;
	session->utf8_accept = session->utf8_accept || utf8;
	session->qresync = session->qresync || qresync;
	channel_printf(session->channel, "* ENABLED%s%s%s%s\r\n", rev2 ? " IMAP4rev2" : "",
	    utf8 ? " UTF8=ACCEPT" : "", condstore ? " CONDSTORE" : "", qresync ? " QRESYNC" : "");
	if (condstore || qresync)
		resync_enable(session);
	return IMAP_OK;
}

static enum imap_result
run_logged_in(struct session *session, struct args *args)
{
	(void)args;
	return imap_say(session, IMAP_BAD, "Somebody is logged in already");
}

/* --- the table --- */

static const struct imap_row rows[] = {
    {"CAPABILITY", IN_BOTH, run_capability},
    {"NOOP", IN_BOTH, run_nothing},
    {"LOGOUT", IN_BOTH | TELLS_NOTHING, run_logout},
    {"ID", IN_BOTH, run_id},
    {"STARTTLS", IN_BOTH, run_logged_in},
    {"LOGIN", IN_BOTH, run_logged_in},
    {"AUTHENTICATE", IN_BOTH, run_logged_in},
    {"ENABLE", IN_BOTH, run_enable},
    {"SELECT", IN_BOTH | TELLS_NOTHING, run_select},
    {"EXAMINE", IN_BOTH | TELLS_NOTHING, run_examine},
    {"CREATE", IN_BOTH, run_create},
    {"DELETE", IN_BOTH, run_delete},
    {"RENAME", IN_BOTH, run_rename},
    {"SUBSCRIBE", IN_BOTH, run_subscribe},
    {"UNSUBSCRIBE", IN_BOTH, run_unsubscribe},
    {"LIST", IN_BOTH, run_list},
    {"LSUB", IN_BOTH, run_lsub},
    {"NAMESPACE", IN_BOTH, run_namespace},
    {"STATUS", IN_BOTH, run_status},
    {"APPEND", IN_BOTH, run_append},
    {"IDLE", IN_BOTH, run_idle},
    {"CHECK", IN_SELECTED, run_nothing},
    {"CLOSE", IN_SELECTED | TELLS_NOTHING, run_close},
    {"UNSELECT", IN_SELECTED | TELLS_NOTHING, run_unselect},
    {"EXPUNGE", IN_SELECTED, run_expunge},
    {"SEARCH", IN_SELECTED | BY_NUMBER, run_search},
    {"FETCH", IN_SELECTED | BY_NUMBER | HOLDS, run_fetch},
    {"STORE", IN_SELECTED | BY_NUMBER | HOLDS, run_store},
    {"COPY", IN_SELECTED, run_copy},
    {"MOVE", IN_SELECTED, run_move},
    {"UID EXPUNGE", IN_SELECTED | BY_UID, run_uid_expunge},
    {"UID SEARCH", IN_SELECTED | BY_UID, run_search},
    {"UID FETCH", IN_SELECTED | BY_UID | HOLDS, run_fetch},
    {"UID STORE", IN_SELECTED | BY_UID | HOLDS, run_store},
    {"UID COPY", IN_SELECTED | BY_UID, run_copy},
    {"UID MOVE", IN_SELECTED | BY_UID, run_move},
};

/* The row of the command at the cursor, which moves behind its name; NULL: there is no such. */
static const struct imap_row *
find_row(struct args *args)
{
	struct word word;
	const char *name;
	bool uid;

	if (!args_atom(args, NULL, &word))
		return NULL;
	uid = word_is(word, "UID");
	if (uid && (!args_space(args) || !args_atom(args, NULL, &word)))
		return NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		name = rows[i].name;
		if (uid != (strncmp(name, "UID ", 4) == 0))
			continue;
		if (word_is(word, uid ? name + 4 : name))
			return &rows[i];
	}
	return NULL;
}

/* --- the loop --- */

static void
answer(struct session *session, enum imap_result result)
{
	static const char *const words[] = {[IMAP_OK] = "OK", [IMAP_NO] = "NO", [IMAP_BAD] = "BAD"};
	static const char *const standard[] = {
	    [IMAP_OK] = "Done",
	    [IMAP_NO] = "[CANNOT] That cannot be done",
	    [IMAP_BAD] = "Wrong arguments",
	};
	struct channel *channel = session->channel;

	channel_printf(
	    channel, "%s %s ", session->tag[0] != '\0' ? session->tag : "*", words[result]);
	if (result == IMAP_OK && session->say_modseq && session->box != NULL)
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
news_before(struct session *session, const struct imap_row *row)
{
	if (session->box == NULL || (row->flags & (IN_AUTHENTICATED | TELLS_NOTHING)) != 0)
		return;
	mailbox_news(session, false);
}

static void
news_after(struct session *session, const struct imap_row *row)
{
	if (session->box == NULL || (row->flags & TELLS_NOTHING) != 0)
		return;
	if ((row->flags & BY_NUMBER) == 0 && !session->by_number) {
		mailbox_news(session, true);
		return;
	}
	if (!mailbox_holds(session))
		return;
	mailbox_tell(session, false); /* what the command has come across */
	/* RFC 7162 section 3.2: a client that is lost now must ask for the expunges again. */
	if (session->condstore && session->box->gone.count > 0)
		resync_tell_highest(session);
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
	trouble(session->reader, "store", errno);
	session->leaving = "Changes could not be put on disk";
	session->channel->out_len = 0;
	session->channel->end = CHANNEL_FAILED;
}

static enum imap_result
run_row(struct session *session, const struct imap_row *row, struct args *args)
{
	enum imap_result result;

	if (session->box == NULL && (row->flags & IN_AUTHENTICATED) == 0)
		return imap_say(session, IMAP_BAD, "No mailbox is selected");
	if ((row->flags & HOLDS) == 0)
		settle(session);
	news_before(session, row);
	if (session->leaving != NULL)
		return imap_leave(session);
	session->by_uid = (row->flags & BY_UID) != 0;
	result = row->run(session, args);
	if (result == IMAP_GONE)
		return result;
	if (session->box != NULL && session->box->anew && !mailbox_holds(session))
		return imap_leave(session); /* whatever was done, not all of it was */
	news_after(session, row);
	return result;
}

static enum imap_result
run(struct session *session)
{
	struct args args = {
	    .at = session->input.text,
	    .end = session->input.text + session->input.len,
	    .utf8 = true, /* search texts have been seen so, before anything was enabled */
	};
	const struct imap_row *row;

	/* Clients send empty lines between commands, and expect no answer. */
	if (args_end(&args))
		return IMAP_GONE;
	if (!imap_tag(&args, session->tag))
		return imap_say(session, IMAP_BAD, "A command begins with a tag and a blank");
	row = find_row(&args);
	if (row == NULL)
		return imap_say(session, IMAP_BAD, "Unknown command");
	return run_row(session, row, &args);
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
on_literal(struct session *session, enum imap_result *result_r)
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
	*result_r = imap_say(session, IMAP_BAD, "[TOOBIG] The literal is too large");
	return imap_input_refuse(input) ? IMAP_INPUT_MORE : IMAP_INPUT_REFUSED;
}

/* Collects one command, its literals included, and runs it. */
static enum imap_result
next_command(struct session *session)
{
	enum imap_input_event event = IMAP_INPUT_MORE;
	enum imap_result refused = IMAP_BAD;
	size_t len;
	char *at;

	imap_input_next(&session->input);
	session->reply.len = 0;
	session->tag[0] = '\0';
	session->by_number = session->say_modseq = false;
	while (event == IMAP_INPUT_MORE) {
		if (!channel_input(session->channel, &at, &len))
			return IMAP_GONE;
		len = imap_input_feed(&session->input, at, len, &event);
		channel_take(session->channel, len);
		if (event == IMAP_INPUT_LITERAL)
			event = on_literal(session, &refused);
		if (event == IMAP_INPUT_LONG) {
			tag_of_part(session);
			append_abandon(session); /* messages of it may have come */
			refused = imap_say(session, IMAP_BAD, "[TOOBIG] The command is too long");
			event = IMAP_INPUT_MORE;
		}
	}
	if (event == IMAP_INPUT_DONE)
		return run(session);
	if (event == IMAP_INPUT_BROKEN) {
		tag_of_part(session);
		session->leaving = "A literal has no size that can be";
		return IMAP_BAD;
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
	mailboxes_make_special(&session);
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
		words = "Nothing was said for too long";
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
	enum imap_result result;
	unsigned bad = 0;

	reader->channel.before_send = settle;
	reader->channel.ctx = session;
	while (session->leaving == NULL && reader->channel.end == CHANNEL_OPEN) {
		result = next_command(session);
		if (result == IMAP_GONE)
			continue;
		answer(session, result);
		bad = result == IMAP_BAD ? bad + 1 : 0;
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
