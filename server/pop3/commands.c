/*
 * commands.c: POP3 after login: the transaction and update states of RFC 1939.
 * Runs as: mail user.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/pop3/maildrop.h"
#include "server/pop3/pop3.h"
#include "server/pop3/send.h"
#include "server/reader/reader.h"

/* The state and the flags of the rows below. */
enum { IN_TRANSACTION = 1 << 0 };
enum { UIDLS = 1 << 0 /* it tells UIDLs, where its handler otherwise tells octets */ };

struct session {
	struct reader *reader;
	struct channel *channel;
	struct maildrop *drop;
	unsigned flags; /* of the present command's row */
};

static enum command_result
say(struct session *s, const char *text)
{
	channel_puts(s->channel, text);
	return COMMAND_ANSWERED;
}

/* Takes the number of a message that is there.  false: the client has the answer. */
static bool
take_message(struct session *s, const char *text, uint32_t *number_r)
{
	if (pop3_number(text, number_r, NULL) && maildrop_has(s->drop, *number_r))
		return true;
	channel_puts(s->channel, "-ERR There is no such message\r\n");
	return false;
}

static enum command_result
run_stat(struct session *s, struct args *args)
{
	size_t count;
	uint64_t octets;

	(void)args;
	maildrop_stat(s->drop, &count, &octets);
	channel_printf(s->channel, "+OK %zu %" PRIu64 "\r\n", count, octets);
	return COMMAND_ANSWERED;
}

/* LIST or UIDL of one message: after the text before. */
static void
tell_message(struct session *s, const char *before, uint32_t n)
{
	char uidl[POP3_UIDL_MAX + 1];

	channel_puts(s->channel, before);
	channel_number(s->channel, n);
	channel_puts(s->channel, " ");
	if ((s->flags & UIDLS) != 0) {
		maildrop_uidl(s->drop, n, uidl);
		channel_puts(s->channel, uidl);
	} else {
		channel_number(s->channel, maildrop_octets(s->drop, n));
	}
	channel_puts(s->channel, "\r\n");
}

/* LIST or UIDL, of all messages or of the one that is named. */
static enum command_result
run_list(struct session *s, struct args *args)
{
	uint32_t n;

	if (args->argument != NULL) {
		if (take_message(s, args->argument, &n))
			tell_message(s, "+OK ", n);
		return COMMAND_ANSWERED;
	}
	channel_puts(s->channel, "+OK\r\n");
	for (n = 1; n <= maildrop_last(s->drop); n++)
		if (maildrop_has(s->drop, n))
			tell_message(s, "", n);
	return say(s, ".\r\n");
}

/* Sends message n with so many lines of its body, or with POP3_ALL_LINES. */
static enum command_result
transmit(struct session *s, uint32_t n, uint64_t lines)
{
	struct maildir_reader *reader;

	if (maildrop_read(s->drop, n, &reader) == -1) {
		if (errno == ENOENT)
			return say(s, "-ERR The message is gone\r\n");
		trouble_log(&s->reader->trouble, "retr", errno);
		return say(s, "-ERR [SYS/PERM] The message cannot be read\r\n");
	}
	if (lines == POP3_ALL_LINES)
		channel_printf(
		    s->channel, "+OK %" PRIu64 " octets\r\n", maildrop_octets(s->drop, n));
	else
		channel_puts(s->channel, "+OK\r\n");
	if (pop3_send(s->channel, reader, lines) == -1) {
		/* The answer is under way: only its missing end tells the client that it is not whole. */
		if (s->channel->end == CHANNEL_OPEN)
			s->reader->reason = "a message could not be read to its end";
		maildir_reader_close(&reader);
		return COMMAND_END;
	}
	maildir_reader_close(&reader);
	return COMMAND_ANSWERED;
}

static enum command_result
run_retr(struct session *s, struct args *args)
{
	uint32_t n;
	enum command_result result;

	if (!take_message(s, args->argument, &n))
		return COMMAND_ANSWERED;
	result = transmit(s, n, POP3_ALL_LINES);
	if (result == COMMAND_ANSWERED && s->channel->end == CHANNEL_OPEN) {
		maildrop_seen(s->drop, n);
		s->reader->messages++;
	}
	return result;
}

static enum command_result
run_top(struct session *s, struct args *args)
{
	uint32_t n, lines;
	const char *rest;

	if (!pop3_number(args->argument, &n, &rest) || rest == NULL ||
	    !pop3_number(rest, &lines, NULL))
		return say(s, "-ERR TOP wants a message and a number of lines\r\n");
	if (!maildrop_has(s->drop, n))
		return say(s, "-ERR There is no such message\r\n");
	return transmit(s, n, lines);
}

static enum command_result
run_dele(struct session *s, struct args *args)
{
	uint32_t n;

	if (!take_message(s, args->argument, &n))
		return COMMAND_ANSWERED;
	maildrop_delete(s->drop, n);
	return say(s, "+OK Marked to be deleted\r\n");
}

static enum command_result
run_noop(struct session *s, struct args *args)
{
	(void)args;
	return say(s, "+OK\r\n");
}

static enum command_result
run_rset(struct session *s, struct args *args)
{
	(void)args;
	maildrop_reset(s->drop);
	return say(s, "+OK No message is marked\r\n");
}

static enum command_result
run_capa(struct session *s, struct args *args)
{
	const struct pop3_state state = {
	    .logged_in = true,
	    .login_delay = s->reader->start.conf->pop3_login_delay / 1000,
	};

	(void)args;
	pop3_capa(s->channel, &state);
	return COMMAND_ANSWERED;
}

static enum command_result
run_lang(struct session *s, struct args *args)
{
	pop3_lang(s->channel, args->argument);
	return COMMAND_ANSWERED;
}

static enum command_result
run_quit(struct session *s, struct args *args)
{
	size_t failed, removed;

	(void)args;
	failed = maildrop_update(s->drop, s->reader->start.conf->mark_seen, &removed);
	s->reader->removed = removed;
	s->reader->reason = failed == 0 ? "quit" : "quit, some messages could not be removed";
	if (failed > 0) {
		trouble_log(&s->reader->trouble, "quit", errno);
		channel_printf(
		    s->channel, "-ERR [SYS/TEMP] %zu messages could not be removed\r\n", failed);
	} else
		channel_puts(s->channel, "+OK Bye\r\n");
	return COMMAND_END;
}

static enum command_result
run_unknown(struct session *s, struct args *args)
{
	(void)args;
	return say(s, "-ERR Unknown command\r\n");
}

static const struct command commands[] = {
    {"STAT", IN_TRANSACTION, 0, COMMAND_ALONE, run_stat},
    {"LIST", IN_TRANSACTION, 0, COMMAND_OPTIONAL, run_list},
    {"RETR", IN_TRANSACTION, 0, COMMAND_ARGUMENTS, run_retr},
    {"DELE", IN_TRANSACTION, 0, COMMAND_ARGUMENTS, run_dele},
    {"UIDL", IN_TRANSACTION, UIDLS, COMMAND_OPTIONAL, run_list},
    {"TOP", IN_TRANSACTION, 0, COMMAND_ARGUMENTS, run_top},
    {"NOOP", IN_TRANSACTION, 0, COMMAND_ALONE, run_noop},
    {"RSET", IN_TRANSACTION, 0, COMMAND_ALONE, run_rset},
    {"CAPA", IN_TRANSACTION, 0, COMMAND_ALONE, run_capa},
    {"LANG", IN_TRANSACTION, 0, COMMAND_OPTIONAL, run_lang},
    {"QUIT", IN_TRANSACTION, 0, COMMAND_ALONE, run_quit},
    {NULL, IN_TRANSACTION, 0, COMMAND_OPTIONAL, run_unknown},
};

static enum command_result
run(struct session *s, char *line, size_t len)
{
	const struct command *command;
	struct args args;

	pop3_parse(line, len, &args);
	command = command_find(commands, args.verb, strlen(args.verb));
	if (!command_fits(command, args.argument != NULL))
		return say(s, "-ERR Wrong arguments\r\n");
	s->flags = command->flags;
	return command->run(s, &args);
}

/* Logs that messages are left out, or that none can be changed: POP3 has no words for it. */
static void
log_left_out(struct reader *reader, struct maildrop *drop)
{
	const struct maildrop_left_out *left = maildrop_left_out(drop);
	int error = maildir_read_only(maildrop_folder(drop));

	if (left->messages > 0)
		trouble_messages(&reader->trouble, "read", left->error, maildrop_folder(drop),
		    left->uid, left->messages);
	if (error != 0)
		trouble_log(&reader->trouble, "write", error);
}

enum ipc_verdict
pop3_open(struct reader *reader)
{
	struct maildrop *drop;

	if (maildrop_open(reader->maildir, reader->start.conf->pop3_uidl_format, &drop) == 0) {
		reader->session = drop;
		log_left_out(reader, drop);
		return IPC_ACCEPTED;
	}
	if (errno == EAGAIN)
		return IPC_IN_USE;
	if (errno != ECANCELED) /* then the client has gone, and the worker with it */
		trouble_log(&reader->trouble, "open", errno);
	return IPC_UNAVAILABLE;
}

void
pop3_serve(struct reader *reader)
{
	struct session s = {reader, &reader->channel, reader->session, 0};
	enum command_result result = COMMAND_ANSWERED;
	bool answering = false, broken = false;
	char *line;
	size_t len;

	while (result == COMMAND_ANSWERED && !answering && !broken &&
	       channel_line(s.channel, POP3_LINE_MAX, &line, &len)) {
		result = run(&s, line, len);
		answering = s.channel->end != CHANNEL_OPEN; /* it ended within an answer */
		broken = result == COMMAND_ANSWERED && maildir_broken(maildrop_folder(s.drop));
	}
	if (broken)
		reader->reason = "the mailbox was rebuilt";
	if (reader->reason == NULL)
		reader->reason = channel_end_text(s.channel->end);
	/* An idle client is not told: RFC 1939 section 3. */
	if (!answering && broken)
		channel_last_words(
		    s.channel, "-ERR [SYS/TEMP] The mailbox was rebuilt; nothing was deleted\r\n");
	else if (!answering && s.channel->end == CHANNEL_STOPPED)
		channel_last_words(
		    s.channel, "-ERR [SYS/TEMP] Shutting down; nothing was deleted\r\n");
	else if (!answering && s.channel->end == CHANNEL_TOO_LONG)
		channel_last_words(s.channel, "-ERR Line too long\r\n");
	channel_flush(s.channel); /* the client need not wait for the rest */
	maildrop_close(&s.drop);
}
