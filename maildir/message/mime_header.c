/*
 * mime_header.c: takes the fields of a part's header, as its octets come.
 * Runs as: mail user.
 *
 * Fields that nobody asks for are passed over without being kept.  A line that is no field (no colon,
 * or a line that goes on where nothing has begun) is passed over too; only a blank line ends a header.
 */
#include <string.h>

#include "maildir/message/mime_internal.h"

/* U+FFFD, for a NUL. */
#define REPLACEMENT "\xef\xbf\xbd"

void
mime_header_begin(struct mime *mime)
{
	mime->header.state = HEADER_LINE;
	mime->header.field = FIELD_OTHER;
	mime->header.cr = false;
	mime->header.name_len = 0;
	mime->header.value.len = 0;
}

static void
keep_value(struct mime *mime, const char *octets, size_t len)
{
	struct mdtext *value = &mime->header.value;
	size_t room = MIME_HEADER_MAX - mime->kept;

	room = value->len < room ? room - value->len : 0;
	mdtext_add(value, octets, len < room ? len : room);
}

/* Adds to the value; a CR only when it turns out not to be part of the line's end. */
static void
add_value(struct mime *mime, const char *octets, size_t len)
{
	struct mime_header *header = &mime->header;
	const char *nul;

	if (header->cr)
		keep_value(mime, "\r", 1);
	header->cr = octets[len - 1] == '\r';
	if (header->cr)
		len--;
	while ((nul = memchr(octets, '\0', len)) != NULL) {
		size_t piece = (size_t)(nul - octets);

		keep_value(mime, octets, piece);
		keep_value(mime, REPLACEMENT, strlen(REPLACEMENT));
		octets += piece + 1;
		len -= piece + 1;
	}
	keep_value(mime, octets, len);
}

/* The value's octets up to and with the end of its line, whose CRLF unfolding removes. */
static void
feed_value(struct mime *mime, const char *octets, size_t len)
{
	struct mime_header *header = &mime->header;
	bool ends = octets[len - 1] == '\n';

	if (ends && --len == 0) {
		header->cr = false;
		return;
	}
	add_value(mime, octets, len);
	if (ends)
		header->cr = false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A CR alone, at the end of a field, is a line end that was written twice. */
static bool
is_around(char c)
{
	return is_blank(c) || c == '\r';
}

/* A field is whole. */
static void
commit(struct mime *mime)
{
	struct mime_header *header = &mime->header;
	const char *text = header->value.data;
	size_t len = header->value.len;

	if (header->field != FIELD_OTHER) {
		while (len > 0 && is_around(text[len - 1]))
			len--;
		while (len > 0 && is_around(*text)) {
			text++;
			len--;
		}
		mime_take_field(mime, header->field, len > 0 ? text : "", len);
		mime->failed |= header->value.failed;
	}
	header->field = FIELD_OTHER;
	header->value.len = 0;
}

static void
end_name(struct mime_header *header)
{
	size_t len = header->name_len;

	/* The obsolete syntax has blanks before the colon.  RFC 5322 section 4.5. */
	while (len > 0 && is_blank(header->name[len - 1]))
		len--;
	header->field = mime_field_of(header->name, len);
	header->state = header->field == FIELD_OTHER ? HEADER_SKIP : HEADER_VALUE;
}

/* The first octet of a line: does the field go on? */
static void
begin_line(struct mime *mime, char c)
{
	struct mime_header *header = &mime->header;

	if (is_blank(c)) {
		header->state = header->field == FIELD_OTHER ? HEADER_SKIP : HEADER_VALUE;
		return;
	}
	commit(mime);
	header->name_len = 0;
	header->state = HEADER_NAME;
}

/* Octets of a name; how many were taken.  *blank_r: they end a line on which there is nothing. */
static size_t
feed_name(struct mime_header *header, const char *octets, size_t len, bool *blank_r)
{
	size_t n = 0;

	while (n < len && header->state == HEADER_NAME) {
		char c = octets[n++];

		if (c == ':')
			end_name(header);
		else if (c == '\n')
			*blank_r = header->name_len == 0 ||
				   (header->name_len == 1 && header->name[0] == '\r');
		else if (header->name_len == sizeof(header->name))
			header->state = HEADER_SKIP;
		else
			header->name[header->name_len++] = c;
	}
	return n;
}

bool
mime_header_feed(struct mime *mime, const char *octets, size_t len)
{
	struct mime_header *header = &mime->header;
	bool ends = octets[len - 1] == '\n', blank = false;

	if (header->state == HEADER_LINE)
		begin_line(mime, *octets);
	if (header->state == HEADER_NAME) {
		size_t n = feed_name(header, octets, len, &blank);

		octets += n;
		len -= n;
	}
	if (header->state == HEADER_VALUE && len > 0)
		feed_value(mime, octets, len);
	if (ends)
		header->state = HEADER_LINE;
	return blank;
}

void
mime_header_end(struct mime *mime)
{
	commit(mime);
}
