/*
 * answer.c: what the commands say: tagged texts, strings and names, and what errors mean to a client.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/imap/answer.h"
#include "server/imap/session.h"
#include "server/log.h"
#include "server/reader.h"

enum imap_result
imap_say(struct session *session, enum imap_result result, const char *format, ...)
{
	char text[1024]; /* a line with at most one name in it */
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	session->reply.len = 0;
	mdtext_add(&session->reply, text, strlen(text));
	return result;
}

void
imap_put_string(struct session *session, const char *string, size_t len)
{
	bool quoted = len <= IMAP_NAME_MAX, escape = false;

	for (size_t i = 0; i < len && quoted; i++) {
		unsigned char c = (unsigned char)string[i];

		quoted = c >= 0x20 && c != 0x7f && (c < 0x80 || imap_utf8(session));
		escape = escape || c == '"' || c == '\\';
	}
	if (!quoted) {
		channel_printf(session->channel, "{%zu}\r\n", len);
		channel_put(session->channel, string, len);
		return;
	}
	channel_put(session->channel, "\"", 1);
	for (size_t i = 0; i < len && escape; i++) {
		if (string[i] == '"' || string[i] == '\\')
			channel_put(session->channel, "\\", 1);
		channel_put(session->channel, string + i, 1);
	}
	if (!escape)
		channel_put(session->channel, string, len);
	channel_put(session->channel, "\"", 1);
}

void
imap_put_name(struct session *session, const char *folder)
{
	char name[IMAP_NAME_MAX];

	imap_name_client(folder, imap_utf8(session), name);
	imap_put_string(session, name, strlen(name));
}

void
imap_put_text(struct session *session, struct mdtext *text)
{
	if (text->failed) {
		/* Part of an answer is missing, and the client cannot know which. */
		session->leaving = "Out of memory";
		session->channel->end = CHANNEL_FAILED;
	} else {
		channel_put(session->channel, text->data, text->len);
	}
	mdtext_clear(text);
}

bool
imap_folder_of(struct session *session, struct word mailbox, char folder_r[IMAP_NAME_MAX],
    enum imap_result *result_r)
{
	const char *why = imap_name_folder(mailbox.at, mailbox.len, imap_utf8(session), folder_r);

	if (why == NULL)
		return true;
	*result_r = imap_say(session, IMAP_NO, "[CANNOT] %s", why);
	return false;
}

bool
imap_take_mailbox(struct session *session, struct args *args, char folder_r[IMAP_NAME_MAX],
    enum imap_result *result_r)
{
	struct word word;

	if (!args_astring(args, &word)) {
		*result_r = IMAP_BAD;
		return false;
	}
	return imap_folder_of(session, word, folder_r, result_r);
}

enum imap_result
imap_no_target(struct session *session, const char *what)
{
	if (errno != ENOENT)
		return imap_failed(session, what);
	return imap_say(session, IMAP_NO, "[TRYCREATE] There is no such mailbox");
}

enum imap_result
imap_failed(struct session *session, const char *what)
{
	int error = errno;

	switch (error) {
	case ENOENT:
		return imap_say(session, IMAP_NO, "[NONEXISTENT] There is no such mailbox");
	case EEXIST:
		return imap_say(session, IMAP_NO, "[ALREADYEXISTS] There is one of that name");
	case EINVAL:
		return imap_say(session, IMAP_NO, "[CANNOT] A mailbox cannot have that name");
	case ENOSPC:
	case EDQUOT:
		return imap_say(session, IMAP_NO, "[OVERQUOTA] There is no room on the disk");
	case ENOLCK:
		return imap_say(
		    session, IMAP_NO, "[INUSE] Another program holds the mailbox; try again");
	default:
		break;
	}
	log_event(LOG_ERROR, "imap", "failed", "user", session->reader->account.name, "what", what,
	    "error", strerror(error));
	return imap_say(
	    session, IMAP_NO, "[UNAVAILABLE] The mailbox cannot be read or written now");
}
