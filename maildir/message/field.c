/*
 * field.c: blanks, comments, quoted strings and words of header fields.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/message/field.h"

int
field_peek(const struct field_cursor *cursor)
{
	return cursor->at < cursor->end ? (unsigned char)*cursor->at : -1;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* At a backslash: returns the octet that it escapes, or the backslash if nothing follows. */
static const char *
escaped(struct field_cursor *cursor)
{
	const char *backslash = cursor->at++;

	return cursor->at < cursor->end ? cursor->at++ : backslash;
}

/* At "(": passes the comment, adding its text. */
static void
skip_comment(struct field_cursor *cursor, struct mdbuf *out)
{
	size_t depth = 0;

	while (cursor->at < cursor->end) {
		const char *c = cursor->at;

		if (*c == '\\') {
			c = escaped(cursor);
		} else {
			cursor->at++;
			if (*c == '(' && depth++ == 0)
				continue;
			if (*c == ')' && --depth == 0)
				return;
		}
		if (out != NULL)
			mdbuf_add(out, c, 1);
	}
}

static void
trim(struct mdbuf *text)
{
	size_t start = 0;

	while (text->len > 0 && is_blank(text->data[text->len - 1]))
		text->len--;
	while (start < text->len && is_blank(text->data[start]))
		start++;
	if (start == 0)
		return;
	text->len -= start;
	memmove(text->data, text->data + start, text->len);
}

/* The comment's text, but an empty one leaves the text of the comment before. */
static void
take_comment(struct field_cursor *cursor, struct mdbuf *comment)
{
	struct field_cursor look = *cursor;

	skip_comment(&look, NULL);
	if (comment != NULL && look.at - cursor->at > 2) {
		comment->len = 0;
		skip_comment(cursor, comment);
		trim(comment);
	}
	*cursor = look;
}

bool
field_cfws(struct field_cursor *cursor, struct mdbuf *comment)
{
	const char *start = cursor->at;

	for (;;) {
		int c = field_peek(cursor);

		if (is_blank(c))
			cursor->at++;
		else if (c == '(')
			take_comment(cursor, comment);
		else
			return cursor->at > start;
	}
}

void
field_quoted(struct field_cursor *cursor, struct mdbuf *out)
{
	cursor->at++;
	while (cursor->at < cursor->end) {
		const char *start = cursor->at;

		if (*start == '"') {
			cursor->at++;
			return;
		}
		if (*start == '\\') {
			mdbuf_add(out, escaped(cursor), 1);
			continue;
		}
		while (cursor->at < cursor->end && *cursor->at != '"' && *cursor->at != '\\')
			cursor->at++;
		mdbuf_add(out, start, (size_t)(cursor->at - start));
	}
}

/* Letters and digits are most of what there is, and never among the stops. */
static bool
is_stop(char c, const char *stops)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return false;
	return is_blank(c) || (c != '\0' && strchr(stops, c) != NULL);
}

size_t
field_word(struct field_cursor *cursor, const char *stops, struct mdbuf *out)
{
	const char *start = cursor->at;
	size_t len;

	while (cursor->at < cursor->end && !is_stop(*cursor->at, stops))
		cursor->at++;
	len = (size_t)(cursor->at - start);
	mdbuf_add(out, start, len);
	return len;
}
