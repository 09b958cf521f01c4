/*
 * address.c: the addresses of a header field.
 * Runs as: mail user.
 *
 * The parser reads the words before "<", "@" or ":" once, when it cannot know yet whether they are a display
 * name, a local part or a group's name.  So it adds them to two texts: name has all of them, with a blank
 * for blanks or comments between; mailbox has the last run of words that dots join.
 */
#include <string.h>

#include "maildir/message/address.h"

/* The octets that end a word.  Brackets and backslashes are letters in a name: "[List] Anna". */
#define PHRASE_STOPS "()<>@,;:\"."
#define ANGLE_STOPS  "()<>@,;\"."
#define DOMAIN_STOPS "()<>@,;:\".[]\\"

void
address_begin(struct address_parser *parser, const char *text, size_t len)
{
	parser->in.at = text;
	parser->in.end = text + len;
	parser->in_group = false;
}

bool
address_failed(const struct address_parser *parser)
{
	return parser->name.failed || parser->route.failed || parser->mailbox.failed ||
	       parser->host.failed || parser->comment.failed || parser->word.failed;
}

void
address_clear(struct address_parser *parser)
{
	mdbuf_clear(&parser->name);
	mdbuf_clear(&parser->route);
	mdbuf_clear(&parser->mailbox);
	mdbuf_clear(&parser->host);
	mdbuf_clear(&parser->comment);
	mdbuf_clear(&parser->word);
}

static void
start_over(struct address_parser *parser)
{
	parser->name.len = parser->route.len = parser->mailbox.len = 0;
	parser->host.len = parser->comment.len = 0;
	parser->before = parser->words = 0;
	parser->quoted = false;
}

static bool
ends_in_dot(const struct mdbuf *text)
{
	return text->len > 0 && text->data[text->len - 1] == '.';
}

/* A dot, a quoted string or an atom, to word. */
static void
read_word(struct address_parser *parser, const char *stops)
{
	struct field_cursor *in = &parser->in;
	int c = field_peek(in);

	parser->word.len = 0;
	if (c == '"') {
		field_quoted(in, &parser->word);
		parser->quoted = true;
	} else if (c == '.') {
		mdbuf_add(&parser->word, in->at++, 1);
	} else {
		field_word(in, stops, &parser->word);
	}
}

/* Adds the word to name and mailbox; gap: there were blanks before it. */
static void
add_word(struct address_parser *parser, bool gap, bool dot)
{
	bool first = parser->words == 0;

	/* The obsolete syntax has blanks around the dots of a local part: "a . b@c". */
	if (first || (gap && !dot && !ends_in_dot(&parser->mailbox))) {
		parser->before = parser->name.len;
		parser->mailbox.len = 0;
		parser->words++;
	}
	if (gap && !first && !dot)
		mdbuf_add(&parser->name, " ", 1);
	mdbuf_add(&parser->name, parser->word.data, parser->word.len);
	mdbuf_add(&parser->mailbox, parser->word.data, parser->word.len);
}

/* Reads words as far as the octet that says what they are, and returns it; -1 at the end. */
static int
read_phrase(struct address_parser *parser)
{
	for (;;) {
		bool gap = field_cfws(&parser->in, &parser->comment);
		int c = field_peek(&parser->in);

		if (c == -1 || c == '<' || c == '@' || c == ',' || c == ':' || c == ';')
			return c;
		if (c == '>' || c == ')') { /* closes nothing */
			parser->in.at++;
			continue;
		}
		read_word(parser, PHRASE_STOPS);
		add_word(parser, gap, c == '.');
	}
}

/* "[192.0.2.1]", with its brackets. */
static void
read_domain_literal(struct address_parser *parser, struct mdbuf *out)
{
	const char *start = parser->in.at;
	size_t left = (size_t)(parser->in.end - start);
	const char *close = memchr(start, ']', left);
	size_t len = close != NULL ? (size_t)(close - start) + 1 : left;

	mdbuf_add(out, start, len);
	parser->in.at += len;
}

/* Reads the domain after "@" without blanks and comments around its dots. */
static void
read_domain(struct address_parser *parser, struct mdbuf *out)
{
	struct field_cursor *in = &parser->in;
	size_t start = out->len;

	for (;;) {
		bool more, gap = field_cfws(in, &parser->comment);
		int c = field_peek(in);

		if (c == '.') {
			mdbuf_add(out, in->at++, 1);
			continue;
		}
		more = out->len == start || ends_in_dot(out);
		if (c == -1 || (gap && !more))
			return;
		if (c == '[' && more)
			read_domain_literal(parser, out);
		else if (field_word(in, DOMAIN_STOPS, out) == 0)
			return;
	}
}

/*
 * "@a,@b:" before a local part.  Without its colon it is no route, and the cursor stays.
 * RFC 5322 section 4.4, obs-route.
 */
static void
read_route(struct address_parser *parser)
{
	struct field_cursor *in = &parser->in, start = *in;

	for (;;) {
		int c;

		field_cfws(in, NULL);
		c = field_peek(in);
		if (c == '@') {
			if (parser->route.len > 0)
				mdbuf_add(&parser->route, ",", 1);
			mdbuf_add(&parser->route, in->at++, 1);
			read_domain(parser, &parser->route);
		} else if (c == ',') {
			in->at++;
		} else {
			break;
		}
	}
	if (parser->route.len > 0 && field_peek(in) == ':') {
		in->at++;
		return;
	}
	parser->route.len = 0;
	*in = start;
}

/* Passes what has no meaning, up to the next address; inside: a ">" is still to come. */
static void
skip_rest(struct address_parser *parser, bool inside)
{
	struct field_cursor *in = &parser->in;

	for (;;) {
		int c;

		field_cfws(in, &parser->comment);
		c = field_peek(in);
		if (c == -1 || c == ',' || c == ';')
			return;
		if (c == '>' && inside)
			inside = false;
		parser->word.len = 0;
		if (c == '"')
			field_quoted(in, &parser->word);
		else
			in->at++;
	}
}

/* "<anna@example.org>": the display name was read. */
static void
read_angle(struct address_parser *parser)
{
	struct field_cursor *in = &parser->in;
	int c;

	parser->mailbox.len = parser->host.len = 0;
	while (field_peek(in) == '<') { /* "<<a@b>>" too */
		in->at++;
		field_cfws(in, &parser->comment);
	}
	read_route(parser);
	for (bool gap = field_cfws(in, NULL);; gap = field_cfws(in, NULL)) {
		c = field_peek(in);
		if (c == -1 || (c != '"' && c != '.' && strchr(ANGLE_STOPS, c) != NULL))
			break;
		if (gap && c != '.' && parser->mailbox.len > 0 && !ends_in_dot(&parser->mailbox))
			mdbuf_add(&parser->mailbox, " ", 1);
		read_word(parser, ANGLE_STOPS);
		mdbuf_add(&parser->mailbox, parser->word.data, parser->word.len);
	}
	if (c == '@') {
		in->at++;
		read_domain(parser, &parser->host);
	}
	skip_rest(parser, true);
}

/* At "@": the last word is a local part, what was before it is a name. */
static void
read_bare(struct address_parser *parser)
{
	size_t name_len = parser->name.len;

	parser->in.at++;
	read_domain(parser, &parser->host);
	field_cfws(&parser->in, &parser->comment);
	if (field_peek(&parser->in) != '<') {
		parser->name.len = parser->before;
		skip_rest(parser, false);
		return;
	}
	/* Many write an address unquoted where the name belongs: a@b <a@b>. */
	parser->name.len = name_len;
	mdbuf_add(&parser->name, "@", 1);
	mdbuf_add(&parser->name, parser->host.data, parser->host.len);
	read_angle(parser);
}

/* No "@" and no "<": one atom is a local part ("root"), all else is a name. */
static void
read_incomplete(struct address_parser *parser)
{
	if (parser->words == 1 && !parser->quoted)
		parser->name.len = 0;
	else
		parser->mailbox.len = 0;
	skip_rest(parser, false);
}

/* Reads an element of the list; ADDRESS_NONE: it is empty. */
static enum address_kind
read_element(struct address_parser *parser)
{
	int stop;

	start_over(parser);
	stop = read_phrase(parser);
	if (stop == ':') {
		parser->in.at++;
		if (parser->in_group) /* groups have no groups inside: junk */
			return ADDRESS_NONE;
		parser->in_group = true;
		parser->mailbox.len = 0;
		mdbuf_add(&parser->mailbox, parser->name.data, parser->name.len);
		parser->name.len = 0;
		return ADDRESS_GROUP;
	}
	if (stop == '<')
		read_angle(parser);
	else if (stop == '@')
		read_bare(parser);
	else if (parser->words > 0)
		read_incomplete(parser);
	else
		return ADDRESS_NONE;
	if (parser->name.len == 0) /* "anna@example.org (Anna)" */
		mdbuf_add(&parser->name, parser->comment.data, parser->comment.len);
	return ADDRESS_MAILBOX;
}

enum address_kind
address_next(struct address_parser *parser)
{
	for (;;) {
		struct field_cursor *in = &parser->in;
		int c = field_peek(in);
		enum address_kind kind;

		if (c == -1 || c == ';') {
			if (c == ';')
				in->at++;
			if (parser->in_group) {
				parser->in_group = false;
				return ADDRESS_GROUP_END;
			}
			if (c == -1)
				return ADDRESS_NONE;
			continue; /* many write it where a comma belongs */
		}
		if (c == ',') {
			in->at++;
			continue;
		}
		kind = read_element(parser);
		if (kind != ADDRESS_NONE)
			return kind;
	}
}
