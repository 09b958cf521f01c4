/*
 * answer.c: parts of answers: tagged texts, strings and names, and the NO to an error.
 * Runs as: mail user.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "maildir/base/number.h"
#include "server/imap/answer.h"
#include "server/imap/name.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

enum command_result
imap_say(struct session *session, enum command_result result, const char *format, ...)
{
	char text[1024]; /* a line with at most one name in it */
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	session->reply.len = 0;
	mdbuf_add(&session->reply, text, strlen(text));
	return result;
}

enum command_result
imap_say_expunged(struct session *session, enum command_result result)
{
	return imap_say(
	    session, result, "[EXPUNGEISSUED] Some of the requested messages no longer exist");
}

void
imap_tell_modseq(struct session *session, uint64_t modseq)
{
	channel_printf(
	    session->channel, "* OK [HIGHESTMODSEQ %" PRIu64 "] All up to it was told\r\n", modseq);
}

enum command_result
imap_leave(struct session *session)
{
	return imap_say(session, COMMAND_NO, "[UNAVAILABLE] %s", session->leaving);
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
imap_put_text_on(struct session *session, struct mdbuf *text)
{
	if (text->failed) {
		/* Part of an answer is missing, and the client cannot know which part. */
		session->leaving = "Out of memory";
		session->channel->end = CHANNEL_FAILED;
	} else {
		channel_put(session->channel, text->data, text->len);
	}
	text->len = 0;
}

void
imap_put_text(struct session *session, struct mdbuf *text)
{
	imap_put_text_on(session, text);
	mdbuf_clear(text);
}

void
imap_add(struct mdbuf *out, const char *word)
{
	mdbuf_add(out, word, strlen(word));
}

void
imap_add_number(struct mdbuf *out, uint64_t number)
{
	char text[NUMBER_DIGITS], *end = text + sizeof(text), *at = number_write(end, number);

	mdbuf_add(out, at, (size_t)(end - at));
}

/* Puts count digits at a place of a text. */
static void
put_digits(char *at, int count, unsigned number)
{
	for (; count > 0; number /= 10)
		at[--count] = (char)('0' + number % 10);
}

void
imap_add_date(struct mdbuf *out, time_t date)
{
	static const char months[][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char text[] = "\"00-Jan-0000 00:00:00 +0000\"";
	struct tm tm = {.tm_mday = 1};

	(void)gmtime_r(&date, &tm);
	put_digits(text + 1, 2, (unsigned)tm.tm_mday);
	if (text[1] == '0')
		text[1] = ' ';
	memcpy(text + 4, months[tm.tm_mon], 3);
	put_digits(text + 8, 4, (unsigned)(tm.tm_year + 1900));
	put_digits(text + 13, 2, (unsigned)tm.tm_hour);
	put_digits(text + 16, 2, (unsigned)tm.tm_min);
	put_digits(text + 19, 2, (unsigned)tm.tm_sec);
	mdbuf_add(out, text, sizeof(text) - 1);
}

/*
 * RFC 9051 section 6.3.9.7: notes how the client has spelled a name, for list_tell_oldname.  Clients that write
 * modified UTF-7 are older than OLDNAME; those with UTF8=ACCEPT (RFC 6855) need not hear that INBOX has capitals.
 */
static void
note_oldname(struct session *session, struct word mailbox, const char *folder)
{
	char name[IMAP_NAME_MAX];
	size_t len = mailbox.len;

	session->oldname[0] = '\0';
	if (len > 0 && mailbox.at[len - 1] == '/')
		len--;
	if (!imap_utf8(session) || len >= sizeof(session->oldname))
		return;
	imap_name_client(folder, true, name);
	if (strlen(name) == len && (session->rev2 ? memcmp(name, mailbox.at, len)
						  : strncasecmp(name, mailbox.at, len)) == 0)
		return;
	memcpy(session->oldname, mailbox.at, len);
	session->oldname[len] = '\0';
}

enum command_result
imap_folder_of(
    struct session *session, struct word mailbox, const char *code, char folder_r[IMAP_NAME_MAX])
{
	const char *why = imap_name_folder(mailbox.at, mailbox.len, imap_utf8(session), folder_r);

	if (why != NULL)
		return imap_say(session, COMMAND_NO, "[%s] %s", code, why);
	note_oldname(session, mailbox, folder_r);
	return COMMAND_OK;
}

enum command_result
imap_take_mailbox(
    struct session *session, struct args *args, const char *code, char folder_r[IMAP_NAME_MAX])
{
	struct word word;

	if (!args_astring(args, &word))
		return COMMAND_BAD;
	return imap_folder_of(session, word, code, folder_r);
}

static const char not_permitted[] =
    "[NOPERM] The server is not permitted to do this in its mail folders";

enum command_result
imap_no_target(struct session *session, const char *what)
{
	if (errno != ENOENT)
		return imap_failed(session, what);
	return imap_say(session, COMMAND_NO, "[TRYCREATE] There is no such mailbox");
}

enum command_result
imap_failed(struct session *session, const char *what)
{
	static const struct {
		int error;
		bool logged; /* it is the administrator's business */
		const char *text;
	} rows[] = {
	    {ENOENT, false, "[NONEXISTENT] There is no such mailbox"},
	    {EEXIST, false, "[ALREADYEXISTS] There is a mailbox of that name"},
	    {EINVAL, false, "[CANNOT] A mailbox cannot have that name"},
	    {ERANGE, false, "[LIMIT] The mailbox can have no more keywords"},
	    {ENOLCK, false, "[INUSE] Another program holds the mailbox; try again"},
	    {ENOSPC, true, "[OVERQUOTA] There is no room on the disk"},
	    {EDQUOT, true, "[OVERQUOTA] There is no room on the disk"},
	    {ENOMEM, true, "[LIMIT] The mailbox needs more memory than a session may have"},
	    /* RFC 5530 section 3. */
	    {EROFS, true, not_permitted}, {EACCES, true, not_permitted},
	    {EPERM, true, not_permitted},
	    {0, true, "[UNAVAILABLE] The mailbox cannot be read or written now"}, /* any other */
	};
	int error = errno;
	size_t i = 0;

	while (rows[i].error != error && rows[i].error != 0)
		i++;
	if (rows[i].logged)
		trouble_log(&session->reader->trouble, what, error);
	return imap_say(session, COMMAND_NO, "%s", rows[i].text);
}
