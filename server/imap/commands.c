/*
 * commands.c: IMAP after login: the table of commands, and those that are too small for a file of their own.
 * Runs as: mail user.
 */
#include <stdio.h>

#include "server/conf.h"
#include "server/imap/answer.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/log.h"
#include "server/reader/reader.h"

static enum command_result
run_capability(struct session *session, struct args *args)
{
	const struct imap_state state = {
	    .logged_in = true,
	    .append_limit = session->conf->append_limit,
	};

	(void)args;
	channel_puts(session->channel, "* CAPABILITY ");
	imap_capabilities(session->channel, &state);
	channel_puts(session->channel, "\r\n");
	return COMMAND_OK;
}

/* NOOP and CHECK: the loop tells the news, as after every command. */
static enum command_result
run_nothing(struct session *session, struct args *args)
{
	(void)session;
	(void)args;
	return COMMAND_OK;
}

static enum command_result
run_logout(struct session *session, struct args *args)
{
	(void)args;
	session->leaving = "logout";
	channel_puts(session->channel, "* BYE Good-bye\r\n");
	return imap_say(session, COMMAND_OK, "Logged out");
}

/* An administrator asks first which programs people use. */
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

static enum command_result
run_id(struct session *session, struct args *args)
{
	struct imap_client client;

	if (!imap_id_arguments(args, &client))
		return COMMAND_BAD;
	log_client_program(session, &client);
	imap_id(session->channel, true);
	return imap_say(session, COMMAND_OK, "Pleased to meet you");
}

/* RFC 5161: unknown capabilities are ignored. */
static enum command_result
run_enable(struct session *session, struct args *args)
{
	bool rev2 = false, utf8 = false, condstore = false, qresync = false;
	struct word word;

	do {
		if (!args_atom(args, NULL, &word))
			return COMMAND_BAD;
		rev2 = rev2 || (word_is(word, "IMAP4rev2") && !session->rev2);
		utf8 = utf8 || (word_is(word, "UTF8=ACCEPT") && !session->utf8_accept);
		condstore = condstore || word_is(word, "CONDSTORE");
		qresync = qresync || word_is(word, "QRESYNC");
	} while (args_more(args));
	if (!args_end(args))
		return COMMAND_BAD;
	session->rev2 = session->rev2 || rev2;
	session->utf8_accept = session->utf8_accept || utf8;
	session->qresync = session->qresync || qresync;
	channel_printf(session->channel, "* ENABLED%s%s%s%s\r\n", rev2 ? " IMAP4rev2" : "",
	    utf8 ? " UTF8=ACCEPT" : "", condstore ? " CONDSTORE" : "", qresync ? " QRESYNC" : "");
	if (condstore || qresync)
		resync_enable(session);
	return COMMAND_OK;
}

static enum command_result
run_logged_in(struct session *session, struct args *args)
{
	(void)args;
	return imap_say(session, COMMAND_BAD, "Somebody is logged in already");
}

static enum command_result
run_unknown(struct session *session, struct args *args)
{
	(void)args;
	return imap_say(session, COMMAND_BAD, "Unknown command");
}

/*
 * A new command is a row here and its handler: static in this file, or in another one and declared in session.h.
 * imap_capabilities (imap.c) names the extension to clients.
 */
const struct command imap_commands[] = {
    {"CAPABILITY", IN_BOTH, 0, COMMAND_ALONE, run_capability},
    {"NOOP", IN_BOTH, 0, COMMAND_ALONE, run_nothing},
    {"LOGOUT", IN_BOTH, TELLS_NOTHING, COMMAND_ALONE, run_logout},
    {"ID", IN_BOTH, 0, COMMAND_ARGUMENTS, run_id},
    {"STARTTLS", IN_BOTH, 0, COMMAND_OPTIONAL, run_logged_in},
    {"LOGIN", IN_BOTH, 0, COMMAND_OPTIONAL, run_logged_in},
    {"AUTHENTICATE", IN_BOTH, 0, COMMAND_OPTIONAL, run_logged_in},
    {"ENABLE", IN_BOTH, 0, COMMAND_ARGUMENTS, run_enable},
    {"SELECT", IN_BOTH, TELLS_NOTHING, COMMAND_ARGUMENTS, run_select},
    {"EXAMINE", IN_BOTH, TELLS_NOTHING | READ_ONLY, COMMAND_ARGUMENTS, run_select},
    {"CREATE", IN_BOTH, 0, COMMAND_ARGUMENTS, run_create},
    {"DELETE", IN_BOTH, 0, COMMAND_ARGUMENTS, run_delete},
    {"RENAME", IN_BOTH, 0, COMMAND_ARGUMENTS, run_rename},
    {"SUBSCRIBE", IN_BOTH, 0, COMMAND_ARGUMENTS, run_subscribe},
    {"UNSUBSCRIBE", IN_BOTH, REMOVES, COMMAND_ARGUMENTS, run_subscribe},
    {"LIST", IN_BOTH, 0, COMMAND_ARGUMENTS, run_list},
    {"LSUB", IN_BOTH, OLD_LIST, COMMAND_ARGUMENTS, run_list},
    {"NAMESPACE", IN_BOTH, 0, COMMAND_ALONE, run_namespace},
    {"STATUS", IN_BOTH, 0, COMMAND_ARGUMENTS, run_status},
    {"APPEND", IN_BOTH, 0, COMMAND_ARGUMENTS, run_append},
    {"IDLE", IN_BOTH, 0, COMMAND_ALONE, run_idle},
    {"CHECK", IN_SELECTED, 0, COMMAND_ALONE, run_nothing},
    {"CLOSE", IN_SELECTED, TELLS_NOTHING, COMMAND_ALONE, run_close},
    {"UNSELECT", IN_SELECTED, TELLS_NOTHING, COMMAND_ALONE, run_unselect},
    {"EXPUNGE", IN_SELECTED, 0, COMMAND_ALONE, run_expunge},
    {"SEARCH", IN_SELECTED, BY_NUMBER, COMMAND_ARGUMENTS, run_search},
    {"FETCH", IN_SELECTED, BY_NUMBER | HOLDS, COMMAND_ARGUMENTS, run_fetch},
    {"STORE", IN_SELECTED, BY_NUMBER | HOLDS, COMMAND_ARGUMENTS, run_store},
    {"COPY", IN_SELECTED, 0, COMMAND_ARGUMENTS, run_copy},
    {"MOVE", IN_SELECTED, REMOVES, COMMAND_ARGUMENTS, run_copy},
    {"UID EXPUNGE", IN_SELECTED, BY_UID, COMMAND_ARGUMENTS, run_expunge},
    {"UID SEARCH", IN_SELECTED, BY_UID, COMMAND_ARGUMENTS, run_search},
    {"UID FETCH", IN_SELECTED, BY_UID | HOLDS, COMMAND_ARGUMENTS, run_fetch},
    {"UID STORE", IN_SELECTED, BY_UID | HOLDS, COMMAND_ARGUMENTS, run_store},
    {"UID COPY", IN_SELECTED, BY_UID, COMMAND_ARGUMENTS, run_copy},
    {"UID MOVE", IN_SELECTED, BY_UID | REMOVES, COMMAND_ARGUMENTS, run_copy},
    {NULL, IN_BOTH, TELLS_NOTHING, COMMAND_OPTIONAL, run_unknown},
};
