/*
 * mime_parse.c: finds the parts of a message, line by line, as its octets come.
 * Runs as: mail user.
 *
 * The parser looks only at the first octets of a line, and holds them only if they may be a boundary: "--" and the
 * boundary of any multipart that is open, whatever follows (RFC 2046 section 5.1.1: it is sufficient that the
 * boundary appears in its entirety).  If several boundaries fit, the longest counts, and of equal ones the
 * innermost.  All parts inside that multipart end there, with or without boundaries of their own.  The line end
 * before a boundary belongs to the boundary.
 */
#include <errno.h>
#include <string.h>

#include "maildir/message/mime_internal.h"

static void
begin_part(struct mime *mime, uint32_t parent, uint64_t at)
{
	uint32_t index = mime_add_part(mime, parent, at);

	if (index == MIME_NONE)
		return;
	mime->current = index;
	mime->in_header = true;
	mime_header_begin(mime);
}

/* A part without a type: RFC 2045 section 5.2, and RFC 2046 section 5.1.5 for digests. */
static void
default_type(struct mime *mime, struct mime_node *node)
{
	bool message = !mime_is_message(mime, node) &&
		       mime_word_is(mime->node[node->pub.parent].pub.subtype, "digest");

	node->pub.type = message ? "message" : "text";
	node->pub.subtype = message ? "rfc822" : "plain";
}

/* Encoded messages are not looked into.  RFC 2046 section 5.2.1 forbids them, RFC 6532 does not. */
static bool
is_encoded(const struct mime_part *part)
{
	return part->encoding != NULL && !mime_word_is(part->encoding, "7bit") &&
	       !mime_word_is(part->encoding, "8bit") && !mime_word_is(part->encoding, "binary");
}

static void
open_multipart(struct mime *mime, const struct mime_node *node)
{
	struct mime_open *open = &mime->open[mime->opened];
	size_t len;

	if (node->boundary == NULL)
		return;
	len = strlen(node->boundary);
	open->part = mime->current;
	open->boundary = node->boundary;
	open->len = len < MIME_BOUNDARY_MAX ? len : MIME_BOUNDARY_MAX;
	mime->opened++;
}

/* The header of the current part is over: what is in its body? */
static void
end_header(struct mime *mime, uint64_t at)
{
	struct mime_node *node = &mime->node[mime->current];
	bool multipart, message, room;

	mime->in_header = false;
	mime_header_end(mime);
	if (node->pub.type == NULL)
		default_type(mime, node);
	node->pub.header_size = at - node->pub.header_at;
	node->pub.body_at = at;
	node->first_line = mime->lines;
	multipart = mime_word_is(node->pub.type, "multipart");
	message = mime_is_message_type(&node->pub) && !is_encoded(&node->pub);
	room = node->depth + 1 < MIME_DEPTH_MAX && mime->count < MIME_PARTS_MAX;
	if (!multipart && !message)
		return;
	if (!room) {
		node->pub.type = "application";
		node->pub.subtype = "octet-stream";
	} else if (multipart) {
		node->pub.kind = MIME_MULTIPART;
		open_multipart(mime, node);
	} else {
		node->pub.kind = MIME_MESSAGE;
		begin_part(mime, mime->current, at);
	}
}

static void
close_part(struct mime *mime, uint32_t index, uint64_t at, uint64_t lines)
{
	struct mime_node *node = &mime->node[index];

	node->pub.body_size = at - node->pub.body_at;
	node->pub.body_lines = (uint32_t)(lines - node->first_line);
	if (node->pub.kind != MIME_MULTIPART || node->pub.child != MIME_NONE)
		return;
	/* The grammar of BODYSTRUCTURE has no multipart without a part.  There is room: with all
	 * parts in use, those that are open have some. */
	index = mime_add_part(mime, index, at);
	if (index == MIME_NONE)
		return;
	mime->node[index].pub.type = "text";
	mime->node[index].pub.subtype = "plain";
}

/*
 * Nothing, not even a line end, is between a part's header and the boundary.  Then the line end before
 * the boundary belongs to the header; but not that of a message, or it would be outside the part that
 * the message is in.
 */
static void
close_empty(struct mime *mime, uint32_t index, uint64_t before)
{
	struct mime_node *node = &mime->node[index];

	if (mime_is_message(mime, node) && node->pub.header_at <= before) {
		node->pub.header_size = before - node->pub.header_at;
		node->pub.body_at = before;
	}
	close_part(mime, index, node->pub.body_at, node->first_line);
}

/* Ends all parts inside the given one, at a boundary. */
static void
close_inside(struct mime *mime, uint32_t part)
{
	uint64_t before = mime->line_at - mime->line_end;

	while (mime->in_header && !mime->failed)
		end_header(mime, mime->line_at);
	while (mime->current != part) {
		uint32_t index = mime->current;

		mime->current = mime->node[index].pub.parent;
		if (before >= mime->node[index].pub.body_at)
			close_part(mime, index, before, mime->lines - 1);
		else
			close_empty(mime, index, before);
	}
}

/* Whether the line's head is a boundary of an open multipart: its place, or opened. */
static size_t
find_boundary(const struct mime *mime)
{
	const char *text = mime->head + 2;
	size_t found = mime->opened;

	if (mime->head_len < 2 || mime->head[0] != '-' || mime->head[1] != '-')
		return found;
	for (size_t i = mime->opened; i-- > 0;) {
		const struct mime_open *open = &mime->open[i];

		if (open->len <= mime->head_len - 2 &&
		    memcmp(open->boundary, text, open->len) == 0 &&
		    (found == mime->opened || open->len > mime->open[found].len))
			found = i;
	}
	return found;
}

/* Looks at the head that is held; whether it was a boundary. */
static bool
take_boundary(struct mime *mime)
{
	size_t found = find_boundary(mime), end;
	bool last;

	if (found == mime->opened)
		return false;
	close_inside(mime, mime->open[found].part);
	end = 2 + mime->open[found].len;
	last = mime->head_len >= end + 2 && memcmp(mime->head + end, "--", 2) == 0;
	/* Parts beyond the limit are left untold: in what follows the last one. */
	mime->new_part = !last && mime->count < MIME_PARTS_MAX;
	mime->opened = mime->new_part ? found + 1 : found;
	return true;
}

/* Counts octets of one line; whether it ends with them. */
static bool
pass(struct mime *mime, const char *octets, size_t len)
{
	char before = len > 1 ? octets[len - 2] : mime->last;

	if (len == 0)
		return false;
	mime->at += len;
	mime->last = octets[len - 1];
	if (mime->last != '\n')
		return false;
	mime->line_end = before == '\r' ? 2 : 1;
	mime->line_at = mime->at;
	mime->lines++;
	mime->line_begun = mime->line_skip = false;
	mime->head_len = 0;
	return true;
}

/* Octets of one line that is no boundary. */
static void
take_octets(struct mime *mime, const char *octets, size_t len)
{
	bool blank = mime->in_header && mime_header_feed(mime, octets, len);

	pass(mime, octets, len);
	if (blank)
		end_header(mime, mime->at);
}

static void
skip_octets(struct mime *mime, const char *octets, size_t len)
{
	if (!pass(mime, octets, len) || !mime->new_part)
		return;
	mime->new_part = false;
	begin_part(mime, mime->current, mime->at);
}

/* The head is as long as is needed to know: what is it? */
static void
decide_line(struct mime *mime)
{
	size_t len = mime->head_len;

	mime->line_begun = true;
	mime->line_skip = take_boundary(mime);
	if (mime->line_skip)
		skip_octets(mime, mime->head, len);
	else
		take_octets(mime, mime->head, len);
}

/* At the beginning of a line, which may be a boundary: holds some; how many octets. */
static size_t
hold_head(struct mime *mime, const char *octets, size_t len)
{
	const char *newline;
	size_t n = sizeof(mime->head) - mime->head_len;

	if (n > len)
		n = len;
	newline = memchr(octets, '\n', n);
	if (newline != NULL)
		n = (size_t)(newline - octets) + 1;
	memcpy(mime->head + mime->head_len, octets, n);
	mime->head_len += n;
	if (newline != NULL || mime->head_len == sizeof(mime->head) ||
	    (mime->head_len >= 2 && mime->head[1] != '-'))
		decide_line(mime);
	return n;
}

void
mime_feed(struct mime *mime, const void *octets, size_t len)
{
	const char *at = octets, *end = at + len;

	while (at < end && !mime->failed) {
		size_t left = (size_t)(end - at);
		const char *newline;

		if (!mime->line_begun && mime->opened > 0 && (mime->head_len > 0 || *at == '-')) {
			at += hold_head(mime, at, left);
			continue;
		}
		newline = memchr(at, '\n', left);
		if (newline != NULL)
			left = (size_t)(newline - at) + 1;
		mime->line_begun = true;
		if (mime->line_skip)
			skip_octets(mime, at, left);
		else
			take_octets(mime, at, left);
		at += left;
	}
}

int
mime_end(struct mime *mime)
{
	if (!mime->line_begun && mime->head_len > 0)
		decide_line(mime);
	if (mime->new_part && !mime->failed)
		begin_part(mime, mime->current, mime->at);
	while (mime->in_header && !mime->failed)
		end_header(mime, mime->at);
	for (uint32_t i = mime->current; i != MIME_NONE && !mime->failed;) {
		uint32_t parent = mime->node[i].pub.parent;

		close_part(mime, i, mime->at, mime->lines);
		i = parent;
	}
	if (!mime->failed)
		return 0;
	errno = ENOMEM;
	return -1;
}
