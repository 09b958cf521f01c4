/*
 * send.c: RETR's and TOP's answer.
 * Runs as: mail user.
 */
#include <stdbool.h>
#include <string.h>

#include "maildir/maildir.h"
#include "server/pop3/send.h"

enum { SEND_BUFFER = 16384 }; /* octets read at a time; as much as one TLS record takes */

struct sending {
	struct channel *channel;
	uint64_t lines;	 /* of the body that may still go */
	bool body;	 /* the blank line is behind us */
	size_t line_len; /* octets of the present line so far */
};

/* A piece of a line; ends: up to its CRLF. */
static void
put_piece(struct sending *s, const char *piece, size_t len, bool ends)
{
	if (s->line_len == 0 && piece[0] == '.')
		channel_put(s->channel, ".", 1);
	channel_put(s->channel, piece, len);
	s->line_len += len;
	if (!ends)
		return;
	if (s->body && s->lines != POP3_ALL_LINES)
		s->lines--;
	if (s->line_len == 2) /* only CRLF: every LF has its CR here */
		s->body = true;
	s->line_len = 0;
}

/* Sends a buffer; false when enough lines are sent. */
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

int
pop3_send(struct channel *channel, struct maildir_reader *reader, uint64_t lines)
{
	struct sending s = {.channel = channel, .lines = lines};
	char buffer[SEND_BUFFER];
	ssize_t n = 0;

	while (channel->end == CHANNEL_OPEN &&
	       (n = maildir_reader_read(reader, buffer, sizeof(buffer))) > 0)
		if (!put_buffer(&s, buffer, (size_t)n))
			break;
	if (n == -1)
		return -1;
	if (s.line_len > 0)
		channel_puts(channel, "\r\n");
	channel_puts(channel, ".\r\n");
	return 0;
}
