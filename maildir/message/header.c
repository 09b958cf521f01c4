/*
 * header.c: the lines of a header.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/base/caseless.h"
#include "maildir/message/header.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The obsolete syntax has blanks between the name and its colon.  RFC 5322 section 4.5. */
static size_t
name_length(const char *line, size_t len)
{
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	return len;
}

/* Whether the line has nothing but its end. */
static bool
is_line_end(const char *line, size_t len)
{
	return line[len - 1] == '\n' && (len == 1 || (len == 2 && line[0] == '\r'));
}

/* The colon or the end of the line that comes first; or end. */
static const char *
name_end(const char *at, const char *end)
{
	while (at < end && *at != ':' && *at != '\n')
		at++;
	return at;
}

void
header_begin(struct header_reader *reader)
{
	reader->state = HEADER_AT_LINE;
	reader->held_len = 0;
	reader->begun = reader->folded = false;
}

static enum header_event
begin_field(struct header_reader *reader, const char *octets, size_t len)
{
	reader->begun = true;
	reader->folded = false;
	reader->octets = octets;
	reader->len = len;
	reader->name_len = len > 0 ? name_length(octets, len - 1) : 0;
	return HEADER_FIELD;
}

/* Reads the beginning of a line that may be a field, and holds it until its colon or its end has come, or more than
 * a name can have. */
static enum header_event
read_name(struct header_reader *reader, const char **at, const char *end)
{
	const char *line = *at;
	size_t room = HEADER_NAME_MAX - reader->held_len, left = (size_t)(end - line);
	const char *most = line + (left < room ? left : room), *stop = name_end(line, most);
	size_t len = (size_t)(stop - line) + (stop < most);
	bool held = reader->held_len > 0 || len == left, decided = stop < most || len == room;

	if (held) {
		memcpy(reader->held + reader->held_len, line, len);
		*at += len;
		line = reader->held;
		len = reader->held_len += len;
	}
	reader->state = HEADER_IN_NAME;
	if (!decided)
		return HEADER_MORE;
	if (line[len - 1] != ':' && !is_line_end(line, len)) {
		reader->state = held ? HEADER_NAMELESS : HEADER_IN_TEXT;
		return begin_field(reader, NULL, 0);
	}
	if (!held)
		*at += len;
	if (line[len - 1] == ':') {
		reader->state = HEADER_IN_TEXT;
		return begin_field(reader, line, len);
	}
	reader->state = HEADER_OVER;
	reader->octets = line;
	reader->len = len;
	return HEADER_END;
}

static enum header_event
read_text(struct header_reader *reader, const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));

	reader->octets = *at;
	*at = newline != NULL ? newline + 1 : end;
	reader->len = (size_t)(*at - reader->octets);
	reader->state = newline != NULL ? HEADER_AT_LINE : HEADER_IN_TEXT;
	return HEADER_TEXT;
}

enum header_event
header_next(struct header_reader *reader, const char **at, const char *end)
{
	if (reader->state == HEADER_NAMELESS) {
		const char *held = reader->held;

		return read_text(reader, &held, held + reader->held_len);
	}
	if (*at == end || reader->state == HEADER_OVER)
		return HEADER_MORE;
	reader->folded = reader->state == HEADER_AT_LINE && is_blank(**at);
	if (reader->folded && !reader->begun) {
		reader->state = HEADER_IN_TEXT;
		return begin_field(reader, NULL, 0);
	}
	if (reader->state == HEADER_IN_TEXT || reader->folded)
		return read_text(reader, at, end);
	if (reader->state == HEADER_AT_LINE)
		reader->held_len = 0;
	return read_name(reader, at, end);
}

bool
header_cut(struct header_reader *reader)
{
	if (reader->state != HEADER_IN_NAME)
		return false;
	reader->state = HEADER_NAMELESS;
	(void)begin_field(reader, NULL, 0);
	return true;
}

void
header_unfold(struct mdbuf *text, const char *octets, size_t len)
{
	mdbuf_add(text, octets, len);
	if (text->failed || len == 0 || octets[len - 1] != '\n')
		return;
	text->len--;
	if (text->len > 0 && text->data[text->len - 1] == '\r')
		text->len--;
}

void
header_field(const char *lines, const char *end, struct header_field *field_r)
{
	const char *stop = name_end(lines, end), *newline;

	field_r->name = field_r->value = lines;
	field_r->name_len = 0;
	if (stop < end && *stop == ':') {
		field_r->name_len = name_length(lines, (size_t)(stop - lines));
		field_r->value = stop + 1;
	}
	do {
		newline = memchr(stop, '\n', (size_t)(end - stop));
		stop = newline != NULL ? newline + 1 : end;
	} while (stop < end && is_blank(*stop));
	field_r->end = stop;
}

/* --- choosing --- */

static bool
is_chosen(const struct header_names *names, const struct header_reader *reader)
{
	bool named = reader->len > 0 && caseless_find(names->name, names->count, reader->octets,
					    reader->name_len) != names->count;

	return named != names->except;
}

void
header_filter(struct header_filter *filter, const char *octets, size_t len, struct mdbuf *out)
{
	struct header_reader *reader = &filter->reader;
	const char *at = octets, *end = octets + len;
	enum header_event event;

	while ((event = header_next(reader, &at, end)) != HEADER_MORE) {
		if (event == HEADER_FIELD)
			filter->keep = is_chosen(filter->names, reader);
		if (filter->keep || event == HEADER_END)
			mdbuf_add(out, reader->octets, reader->len);
	}
}
