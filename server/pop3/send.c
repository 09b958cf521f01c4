/*
 * send.c: the answer to RETR and TOP.
 * Runs as: mail user.
 */
#include <stdbool.h>
#include <string.h>

#include "maildir/maildir.h"
#include "server/pop3/send.h"

enum { SEND_BUFFER = 16384 }; /* octets read at a time */

struct sending {
	struct channel *channel;
	uint64_t lines;	 /* of the body that are still to be sent; not used for RETR */
	bool body;	 /* the blank line is sent */
	size_t line_len; /* octets of the present line so far */
};

/* Sends a piece of a line; ends: with its CRLF. */
static void
put_piece(struct sending *s, const char *piece, size_t len, bool ends)
{
	if (s->line_len == 0 && piece[0] == '.')
		channel_put(s->channel, ".", 1);
	channel_put(s->channel, piece, len);
	s->line_len += len;
	if (!ends)
		return;
	if (s->body)
		s->lines--;
	if (s->line_len == 2) /* only CRLF: every LF has its CR here */
		s->body = true;
	s->line_len = 0;
}

/* Sends a buffer; false: enough lines are sent. */
static bool
put_buffer(struct sending *s, const char *at, size_t len)
{
	const char *newline;
	size_t piece;

	while (len > 0) {
		if (s->body && s->lines == 0)
			return false;
		newline = memchr(at, '\n', len);
		piece = newline == NULL ? len : (size_t)(newline - at) + 1;
		put_piece(s, at, piece, newline != NULL);
		at += piece;
		len -= piece;
	}
	return true;
}

/* TOP: line by line. */
static ssize_t
send_lines(struct sending *s, struct maildir_reader *reader)
{
	char buffer[SEND_BUFFER];
	ssize_t n = 0;

	while (s->channel->end == CHANNEL_OPEN &&
	       (n = maildir_reader_read(reader, buffer, sizeof(buffer))) > 0)
		if (!put_buffer(s, buffer, (size_t)n))
			break;
	return n;
}

/* The first dot that begins a line, or NULL.  begins: at is the start of a line. */
static const char *
stuffed_dot(const char *at, size_t len, bool begins)
{
	const char *dot = at, *end = at + len;

	if (begins && len > 0 && at[0] == '.')
		return at;
	for (; (dot = memchr(dot, '.', (size_t)(end - dot))) != NULL; dot++)
		if (dot > at && dot[-1] == '\n')
			return dot;
	return NULL;
}

/* Sends the rest of a buffer, from a dot on that was doubled already. */
static void
put_stuffed(struct channel *channel, const char *at, size_t len)
{
	const char *dot;

	while ((dot = stuffed_dot(at, len, false)) != NULL) {
		channel_put(channel, at, (size_t)(dot - at));
		channel_put(channel, ".", 1);
		/* The dot itself goes with what follows. */
		len -= (size_t)(dot - at);
		at = dot;
	}
	channel_put(channel, at, len);
}

/*
 * RETR: reads to where it is sent from.  Few lines begin with a dot: the octets from the first one of a piece on
 * are taken out again, and put there with their dots doubled.
 */
static ssize_t
send_all(struct sending *s, struct maildir_reader *reader)
{
	struct channel *channel = s->channel;
	char rest[SEND_BUFFER], *at;
	const char *dot;
	size_t room, len;
	ssize_t n = 0;

	while (channel->end == CHANNEL_OPEN) {
		room = channel_room(channel, &at);
		n = maildir_reader_read(reader, at, room < SEND_BUFFER ? room : SEND_BUFFER);
		if (n <= 0)
			break;
		dot = stuffed_dot(at, (size_t)n, s->line_len == 0);
		s->line_len = at[n - 1] != '\n';
		if (dot == NULL) {
			channel_wrote(channel, (size_t)n);
			continue;
		}
		len = (size_t)(at + n - dot);
		memcpy(rest, dot, len);
		channel_wrote(channel, (size_t)(dot - at));
		channel_put(channel, ".", 1);
		put_stuffed(channel, rest, len);
	}
	return n;
}

int
pop3_send(struct channel *channel, struct maildir_reader *reader, uint64_t lines)
{
	struct sending s = {.channel = channel, .lines = lines};
	ssize_t n = lines == POP3_ALL_LINES ? send_all(&s, reader) : send_lines(&s, reader);

	if (n == -1)
		return -1;
	if (s.line_len > 0)
		channel_puts(channel, "\r\n");
	channel_puts(channel, ".\r\n");
	return 0;
}
