/*
 * append.c: APPEND, with any number of messages (RFC 3502).
 * Runs as: mail user.
 *
 * At each literal that the client announces append_literal reads what stands before it (the mailbox at the
 * first, flags and date at each), and writes the message's octets to the disk as they come.  After the command's
 * last line run_append puts the whole set into the folder, or none of it.  An APPEND that fails in its middle
 * swallows what the client still sends, and is answered at its end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/folder/deliver.h"
#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/imap/answer.h"
#include "server/imap/append.h"
#include "server/imap/list.h"
#include "server/imap/mailbox.h"
#include "server/imap/sequence.h"

struct append {
	bool active;	     /* the mailbox is open for the messages */
	size_t read;	     /* octets of the command's text that were read */
	struct word mailbox; /* as the client wrote it; read once, as reading unescapes in place */
	size_t count;
	bool utf8;		  /* the last message's "UTF8 (" is to be closed */
	char name[IMAP_NAME_MAX]; /* folder's */
	struct maildir_folder *folder;
	struct maildir_delivery *delivery;
};

static struct append append; /* one session in this process, and one command */

/* The arguments before a message's literal. */
struct preamble {
	struct maildir_label label;
	struct flag_list flags;
	bool utf8; /* RFC 6855: UTF8 (~{n} ...) */
};

void
append_abandon(void)
{
	maildir_delivery_end(&append.delivery);
	if (append.folder != NULL)
		maildir_folder_close(&append.folder);
	memset(&append, 0, sizeof(append));
}

bool
append_wants(struct session *session)
{
	struct imap_input *input = &session->input;
	struct args args = {
	    .at = input->text, .end = input->text + input->literal.at, .utf8 = imap_utf8(session)};
	char tag[IMAP_TAG_MAX + 1];
	struct word word;

	if (append.active)
		return true;
	if (!imap_tag(&args, tag) || !args_atom(&args, NULL, &word) || !word_is(word, "APPEND") ||
	    !args_space(&args) || !args_astring(&args, &append.mailbox))
		return false;
	append.read = (size_t)(args.at - input->text);
	return true;
}

/* [flag-list SP] [date-time SP], and "UTF8 (" */
static bool
take_preamble(struct session *session, struct args *args, struct preamble *preamble_r)
{
	struct word word;
	int64_t date = time(NULL);

	memset(preamble_r, 0, sizeof(*preamble_r));
	if (args_next_is(args, '(')) {
		if (!flags_parse(args, false, &preamble_r->flags) || !args_space(args))
			return false;
	}
	if (args_next_is(args, '"')) {
		if (!args_date_time(args, &date) || !args_space(args))
			return false;
	}
	if (session->utf8_accept && args_atom(args, NULL, &word)) {
		if (!word_is(word, "UTF8") || !args_space(args) || !args_open(args))
			return false;
		preamble_r->utf8 = true;
	}
	preamble_r->label.flags = preamble_r->flags.flags;
	preamble_r->label.date = (time_t)date;
	return args_end(args);
}

static enum command_result
open_target(struct session *session)
{
	enum command_result result;

	result = imap_folder_of(session, append.mailbox, IMAP_NO_MAILBOX, append.name);
	if (result != COMMAND_OK)
		return result;
	if (maildir_folder_open(session->maildir, append.name, &append.folder) == -1)
		return imap_no_target(session, "append");
	if (maildir_delivery_begin(append.folder, &append.delivery) == -1)
		return imap_failed(session, "append");
	append.active = true;
	return COMMAND_OK;
}

/* Reads what stands before the announced literal, and opens the folder at the first. */
static enum command_result
take_before(struct session *session, struct preamble *preamble_r)
{
	struct imap_input *input = &session->input;
	struct args args = {.at = input->text + append.read,
	    .end = input->text + input->literal.at,
	    .utf8 = imap_utf8(session)};

	session->reply.len = 0;
	if ((append.utf8 && !args_close(&args)) || !args_space(&args) ||
	    !take_preamble(session, &args, preamble_r))
		return COMMAND_BAD;
	if (preamble_r->utf8 && !input->literal.binary)
		return COMMAND_BAD;
	if (input->literal.size > (uint64_t)session->conf->append_limit)
		return imap_say(session, COMMAND_NO,
		    "[TOOBIG] A message may have at most %" PRId64 " octets",
		    session->conf->append_limit);
	if (input->literal.size == 0)
		return imap_say(session, COMMAND_NO, "[CANNOT] A message cannot be empty");
	return append.active ? COMMAND_OK : open_target(session);
}

/* Takes the message's octets and stores them.  COMMAND_ANSWERED: the channel has ended. */
static enum command_result
take_octets(struct session *session, uint64_t left)
{
	enum command_result result = COMMAND_OK;
	size_t len;
	char *at;

	for (; left > 0; left -= len) {
		if (!channel_input(session->channel, &at, &len))
			return COMMAND_ANSWERED;
		if (len > left)
			len = (size_t)left;
		if (result == COMMAND_OK && memchr(at, '\0', len) != NULL)
			result = session->input.literal.binary
				     ? imap_say(session, COMMAND_NO,
					   "[UNKNOWN-CTE] Binary octets cannot be stored; encode "
					   "them with base64")
				     : imap_say(session, COMMAND_BAD, "A message has no NUL in it");
		if (result == COMMAND_OK && maildir_delivery_write(append.delivery, at, len) == -1)
			result = imap_failed(session, "append");
		channel_take(session->channel, len);
	}
	return result;
}

/* Refuses the command in its middle, and swallows what is on its way. */
static enum imap_input_event
refuse(struct session *session)
{
	append_abandon();
	return imap_input_refuse(&session->input) ? IMAP_INPUT_MORE : IMAP_INPUT_REFUSED;
}

enum imap_input_event
append_literal(struct session *session, enum command_result *result_r)
{
	struct imap_input *input = &session->input;
	struct preamble preamble;

	*result_r = take_before(session, &preamble);
	if (*result_r != COMMAND_OK)
		return refuse(session);
	if (flags_keywords(append.folder, &preamble.flags, true, &preamble.label.keywords) == -1 ||
	    maildir_delivery_message(append.delivery, &preamble.label) == -1) {
		*result_r = imap_failed(session, "append");
		return refuse(session);
	}
	if (!input->literal.plus)
		channel_puts(session->channel, "+ Go on\r\n");
	*result_r = take_octets(session, input->literal.size);
	if (*result_r != COMMAND_OK) {
		append_abandon();
		if (*result_r == COMMAND_ANSWERED)
			return IMAP_INPUT_REFUSED;
		/* The message is taken; the rest of the command is swallowed. */
		input->literal.plus = true;
		input->literal.size = 0;
		return refuse(session);
	}
	append.count++;
	append.utf8 = preamble.utf8;
	append.read = input->len;
	imap_input_stream(input);
	return IMAP_INPUT_MORE;
}

/* "[APPENDUID 38505 3955:3957] Done" */
static void
say_uids(struct session *session, uint32_t validity, const uint32_t *uids)
{
	struct sequence set = {0};
	struct mdbuf text = {0};

	for (size_t i = 0; i < append.count; i++)
		sequence_add(&set, uids[i]);
	sequence_put(&set, &text);
	session->reply.len = 0;
	mdbuf_addf(&session->reply, "[APPENDUID %" PRIu32 " ", validity);
	mdbuf_add(&session->reply, text.data, text.len);
	mdbuf_addf(&session->reply, "] Done%s",
	    maildir_delivery_dates_kept(append.delivery)
		? ""
		: ", with another date: the one that was given cannot be kept");
	mdbuf_clear(&text);
	sequence_clear(&set);
}

/* At the last line, of which all but the end was read: args is at the first argument. */
enum command_result
run_append(struct session *session, struct args *args)
{
	enum command_result result = COMMAND_OK;
	const uint32_t *uids;
	uint32_t validity;

	if (!append.active)
		return imap_say(session, COMMAND_BAD, "APPEND wants a mailbox and a message");
	args->at = session->input.text + append.read;
	if ((append.utf8 && !args_close(args)) || !args_end(args)) {
		append_abandon();
		return COMMAND_BAD;
	}
	if (maildir_delivery_commit(append.delivery, &validity, &uids) == -1)
		result = imap_failed(session, "append");
	else {
		say_uids(session, validity, uids);
		list_tell_oldname(session, append.name);
	}
	append_abandon();
	return result;
}
