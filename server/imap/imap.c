/*
 * imap.c: tags, names of commands, capabilities and ID; and what the processes need to know of IMAP.
 * Runs as: worker, and mail user in the reader; master asks for the times.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/conf.h"
#include "server/imap/imap.h"

enum { ID_FIELDS_MAX = 30 }; /* RFC 2971 section 3.3 */

void
imap_capabilities(struct channel *channel, const struct imap_state *state)
{
	if (!state->logged_in) {
		channel_puts(channel, "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE");
		if (!state->tls)
			channel_puts(channel, " STARTTLS");
		/* Do not tempt a client to send its password in the clear. */
		channel_puts(
		    channel, state->may_login ? " AUTH=PLAIN AUTH=LOGIN" : " LOGINDISABLED");
		return;
	}
	channel_puts(channel,
	    "IMAP4rev1 IMAP4rev2 LITERAL+ ID IDLE NAMESPACE CHILDREN UNSELECT ENABLE UIDPLUS MOVE "
	    "SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES "
	    "WITHIN BINARY MULTIAPPEND UTF8=ACCEPT CONDSTORE QRESYNC OBJECTID SAVEDATE");
	channel_printf(channel, " APPENDLIMIT=%" PRId64, state->append_limit);
}

struct args
imap_args(const struct imap_input *input)
{
	return (struct args){
	    .at = input->text,
	    .end = input->text + input->len,
	    /* Clients send passwords and search texts so, whatever is enabled. */
	    .utf8 = true,
	};
}

bool
imap_tag(struct args *args, char tag_r[IMAP_TAG_MAX + 1])
{
	struct word word;

	tag_r[0] = '\0';
	/* Any ASTRING-CHAR but "+". */
	if (!args_atom(args, "]", &word) || word.len > IMAP_TAG_MAX ||
	    memchr(word.at, '+', word.len) != NULL)
		return false;
	memcpy(tag_r, word.at, word.len);
	tag_r[word.len] = '\0';
	return args_space(args);
}

void
imap_tag_of_part(const struct imap_input *input, char tag_r[IMAP_TAG_MAX + 1])
{
	struct args args = imap_args(input);

	if (!imap_tag(&args, tag_r))
		tag_r[0] = '\0';
}

const struct command *
imap_command(const struct command *table, struct args *args)
{
	char name[32]; /* longer than any in a table */
	struct word word;
	bool uid;

	uid = args_atom(args, NULL, &word) && word_is(word, "UID");
	if (uid && (!args_space(args) || !args_atom(args, NULL, &word)))
		word.len = 0;
	(void)snprintf(name, sizeof(name), "%s%.*s", uid ? "UID " : "", (int)word.len, word.at);
	return command_find(table, name, strlen(name));
}

bool
imap_arguments(const struct command *command, struct args *args)
{
	return command_fits(command, !args_end(args)) &&
	       (args_space(args) || command->arguments != COMMAND_ARGUMENTS);
}

bool
imap_id_arguments(struct args *args, struct imap_client *client_r)
{
	struct word word, value;
	unsigned fields = 0;

	memset(client_r, 0, sizeof(*client_r));
	if (args_atom(args, NULL, &word))
		return word_is(word, "NIL") && args_end(args);
	if (!args_open(args))
		return false;
	if (args_close(args))
		return args_end(args);
	do {
		if (++fields > ID_FIELDS_MAX || !args_string(args, &word) || !args_space(args) ||
		    !args_nstring(args, &value))
			return false;
		if (word_is(word, "name"))
			client_r->name = value;
		else if (word_is(word, "version"))
			client_r->version = value;
	} while (args_more(args));
	return args_close(args) && args_end(args);
}

void
imap_id(struct channel *channel, bool logged_in)
{
	channel_puts(channel, "* ID (\"name\" \"sallyport\"");
	/* Only a user needs the version. */
	if (logged_in)
		channel_puts(channel, " \"version\" \"" SALLYPORT_VERSION "\"");
	channel_puts(channel, ")\r\n");
}

static struct protocol_times
times(const struct conf *conf)
{
	return (struct protocol_times){.idle = conf->imap_idle_timeout};
}

const struct protocol protocol_imap = {
    .name = "imap",
    .alpn = "imap",
    .times = times,
    .prelogin = imap_prelogin,
    .refusals =
	{
	    [REFUSE_FULL] = "* BYE [UNAVAILABLE] Too many connections; try again later\r\n",
	    [REFUSE_ADDRESS] = "* BYE [UNAVAILABLE] Too many connections from your address\r\n",
	    [REFUSE_EVICTED] =
		"* BYE [UNAVAILABLE] The server is full or shuts down; try again later\r\n",
	},
    .open = imap_open,
    .serve = imap_serve,
};
