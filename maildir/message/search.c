/*
 * search.c: looking for text in a message.
 * Runs as: mail user.
 *
 * The header is read field by field, without the rest of the message when only fields are asked for.
 * For more the message is read to its end once, which tells where its parts are, and what was read is
 * kept unless it is large; a large message is read a second time, part by part.  All text goes one
 * way: decoded, made UTF-8, mapped (casemap.h), and then through a window that is searched whenever
 * enough has come, keeping as much as a match may need that is cut there.  So memory is a few pieces
 * and the longest text looked for, whatever the message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/base/caseless.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/encoded_word.h"
#include "maildir/message/header.h"
#include "maildir/message/mime.h"
#include "maildir/message/search.h"
#include "maildir/message/source.h"

enum {
	PIECE = 32 * 1024,	 /* what is read and decoded at a time */
	PIECE_HEADER = 4 * 1024, /* the same where the header will be all; most have less */
	KEEP_MAX = 512 * 1024,	 /* most messages with no large attachment */
	FIELD_PIECE = 64 * 1024, /* a longer field is taken in pieces, at its folds */
	LOOK = 16 * 1024,	 /* mapped text that makes looking worth it */
};

/* Which questions a window's text may answer. */
enum see {
	SEE_FIELD, /* SEARCH_IN_HEADER, of the fields that were chosen */
	SEE_TEXT,  /* SEARCH_IN_TEXT */
	SEE_BODY,  /* SEARCH_IN_BODY too */
};

struct window {
	enum see see;
	struct mdtext text; /* mapped */
	size_t seen;	    /* octets at its start that were looked at before */
};

/* A header being read. */
struct fields {
	struct header_reader reader;
	struct mdtext field; /* what came of a field, unfolded */
	struct encoded_words words;
	bool root;		    /* the message's own: fields are asked for */
	bool want_field, want_text; /* of a field that has begun: who wants its text */
	bool blank;		    /* the last octet that was put is one */
};

struct matcher {
	struct search_question *match;
	size_t count, open; /* questions, and those not found yet */
	bool *chosen;	    /* SEARCH_IN_HEADER: its name is that of the present field */
	size_t overlap;	    /* the longest text, less one octet */
	const struct source *source;
	struct mime *mime;  /* NULL: only the header is asked for */
	struct mdtext kept; /* the message so far */
	bool keeping;

	struct fields fields;
	struct window field, text;
	struct transfer_decoder decoder; /* of a part */
	const struct charset *charset;
	struct charset_carry carry;
	struct mdtext utf8;
	char piece[PIECE]; /* what is cleared ends here */
	char decoded[PIECE + sizeof(((struct transfer_decoder *)0)->held)];
};

void
search_prepare(const struct charset *charset, enum search_where where, const char *text, size_t len,
    struct mdtext *out)
{
	struct charset_carry carry = {.len = 0};
	struct mdtext utf8 = {0};

	if (charset != NULL)
		charset_to_utf8(charset, &carry, text, len, true, &utf8);
	else
		mdtext_add(&utf8, text, len);
	if (where == SEARCH_IN_HEADER)
		(void)encoded_word_squeeze(&utf8, false);
	casemap_add(utf8.data, utf8.len, out);
	out->failed |= utf8.failed;
	mdtext_clear(&utf8);
}

/* --- the questions, and the windows --- */

static void
answer(struct matcher *m, size_t i)
{
	m->match[i].found = true;
	m->open--;
}

static bool
may_answer(const struct matcher *m, size_t i, enum see see)
{
	const struct search_question *match = &m->match[i];

	if (match->found)
		return false;
	if (see == SEE_FIELD)
		return match->where == SEARCH_IN_HEADER && m->chosen[i];
	return match->where == SEARCH_IN_TEXT ||
	       (see == SEE_BODY && match->where == SEARCH_IN_BODY);
}

static bool
any_open(const struct matcher *m, enum see see)
{
	for (size_t i = 0; i < m->count; i++) {
		if (may_answer(m, i, see))
			return true;
	}
	return false;
}

static void
window_look(struct matcher *m, struct window *window)
{
	struct mdtext *text = &window->text;
	size_t keep = text->len < m->overlap ? text->len : m->overlap;

	for (size_t i = 0; i < m->count && text->len > window->seen; i++) {
		const struct search_question *match = &m->match[i];

		if (!may_answer(m, i, window->see))
			continue;
		if (m->source->stopped(m->source->ctx, text->len))
			break;
		if (memmem(text->data, text->len, match->text, match->len) != NULL)
			answer(m, i);
	}
	if (keep > 0)
		memmove(text->data, text->data + text->len - keep, keep);
	text->len = window->seen = keep;
}

static void
window_add(struct matcher *m, struct window *window, const char *utf8, size_t len)
{
	casemap_add(utf8, len, &window->text);
	/* No more often than it grows by what is kept, so that a long text costs no more. */
	if (window->text.len - window->seen >= LOOK + m->overlap)
		window_look(m, window);
}

/* What comes next does not go on from here. */
static void
window_end(struct matcher *m, struct window *window)
{
	window_look(m, window);
	window->text.len = window->seen = 0;
}

/* Whether to go on: 0, or -1 with errno. */
static int
going(struct matcher *m, size_t len)
{
	if (m->source->stopped(m->source->ctx, len))
		return -1;
	if (m->utf8.failed || m->field.text.failed || m->text.text.failed ||
	    m->fields.field.failed) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* --- headers --- */

/* Chooses the questions about the field; those that ask for its presence are answered. */
static void
field_choose(struct matcher *m, const char *name, size_t len)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct search_question *match = &m->match[i];

		m->chosen[i] = match->where == SEARCH_IN_HEADER && len > 0 &&
			       caseless_is(match->field, name, len);
		if (m->chosen[i] && !match->found && match->len == 0)
			answer(m, i);
	}
}

static void
field_begin(struct matcher *m, struct fields *fields)
{
	const struct header_reader *reader = &fields->reader;

	if (fields->root)
		field_choose(m, reader->octets, reader->name_len);
	fields->want_field = fields->root && any_open(m, SEE_FIELD);
	fields->want_text = any_open(m, m->text.see);
	if (fields->want_text && reader->len > 0)
		window_add(m, &m->text, reader->octets, reader->len);
}

/* Decoded text of the field. */
static void
field_put(struct matcher *m, struct fields *fields)
{
	fields->blank = encoded_word_squeeze(&m->utf8, fields->blank);
	if (fields->want_text)
		window_add(m, &m->text, m->utf8.data, m->utf8.len);
	if (fields->want_field)
		window_add(m, &m->field, m->utf8.data, m->utf8.len);
	m->utf8.len = 0;
}

static void
field_decode(struct matcher *m, struct fields *fields)
{
	encoded_word_feed(&fields->words, fields->field.data, fields->field.len, &m->utf8);
	fields->field.len = 0;
	field_put(m, fields);
}

/* Octets of a line.  A long field is cut where it is folded, a line that long somewhere. */
static void
field_text(struct matcher *m, struct fields *fields)
{
	const struct header_reader *reader = &fields->reader;
	struct mdtext *field = &fields->field;

	if (!fields->want_field && !fields->want_text)
		return;
	if (reader->folded && field->len >= FIELD_PIECE)
		field_decode(m, fields);
	header_unfold(field, reader->octets, reader->len);
	if (field->len >= FIELD_PIECE && !field->failed &&
	    reader->octets[reader->len - 1] != '\n' && field->data[field->len - 1] != '\r')
		field_decode(m, fields);
}

static void
field_end(struct matcher *m, struct fields *fields)
{
	if (fields->want_field || fields->want_text) {
		if (fields->field.len > 0)
			field_decode(m, fields);
		encoded_word_end(&fields->words, &m->utf8);
		field_put(m, fields);
	}
	if (fields->want_field)
		window_end(m, &m->field);
	if (fields->want_text)
		window_add(m, &m->text, "\r\n", 2);
	fields->want_field = fields->want_text = fields->blank = false;
}

static void
fields_feed(struct matcher *m, const char *octets, size_t len)
{
	struct fields *fields = &m->fields;
	const char *at = octets, *end = len > 0 ? octets + len : octets;
	enum header_event event;

	while ((event = header_next(&fields->reader, &at, end)) != HEADER_MORE) {
		if (event == HEADER_TEXT) {
			field_text(m, fields);
			continue;
		}
		field_end(m, fields);
		if (event == HEADER_FIELD)
			field_begin(m, fields);
	}
}

/* Begins a header, whose text may answer these questions. */
static void
fields_begin(struct matcher *m, bool root, enum see see)
{
	header_begin(&m->fields.reader);
	m->fields.root = root;
	m->text.see = see;
}

static void
fields_end(struct matcher *m)
{
	if (header_cut(&m->fields.reader)) {
		field_end(m, &m->fields);
		field_begin(m, &m->fields);
		fields_feed(m, NULL, 0);
	}
	field_end(m, &m->fields);
	window_end(m, &m->text);
}

/* --- reading --- */

/* The next octets of the first reading: > 0, 0 at the end, -1. */
static ssize_t
read_on(struct matcher *m)
{
	ssize_t n =
	    m->source->read(m->source->ctx, m->piece, m->mime != NULL ? PIECE : PIECE_HEADER);

	if (n <= 0)
		return n;
	if (m->mime != NULL)
		mime_feed(m->mime, m->piece, (size_t)n);
	if (m->keeping && m->kept.len + (size_t)n <= KEEP_MAX) {
		mdtext_add(&m->kept, m->piece, (size_t)n);
		m->keeping = !m->kept.failed;
	} else {
		m->keeping = false;
	}
	return going(m, (size_t)n) == 0 ? n : -1;
}

static int
read_header(struct matcher *m)
{
	ssize_t n = 1;

	fields_begin(m, true, SEE_TEXT);
	while (m->open > 0 && m->fields.reader.state != HEADER_OVER && (n = read_on(m)) > 0)
		fields_feed(m, m->piece, (size_t)n);
	if (n < 0)
		return -1;
	fields_end(m);
	return going(m, 0);
}

/* To the end, for the structure. */
static int
read_rest(struct matcher *m)
{
	ssize_t n;

	while ((n = read_on(m)) > 0)
		;
	if (n < 0)
		return -1;
	return mime_end(m->mime);
}

/* Calls feed for these octets of the message, until they end or all is found. */
static int
range(struct matcher *m, uint64_t at, uint64_t size,
    void (*feed)(struct matcher *m, const char *octets, size_t len))
{
	if (size == 0)
		return 0;
	if (m->keeping && (at > m->kept.len || size > m->kept.len - at)) {
		errno = EIO; /* cannot be: the structure is of what was kept */
		return -1;
	}
	if (!m->keeping && m->source->seek(m->source->ctx, at) < 0)
		return -1;
	while (size > 0 && m->open > 0) {
		size_t len = size < PIECE ? (size_t)size : PIECE;
		const char *octets = m->piece;

		if (m->keeping) {
			octets = m->kept.data + at;
		} else {
			ssize_t n = m->source->read(m->source->ctx, m->piece, len);

			if (n <= 0) {
				errno = n == 0 ? EIO : errno; /* it changed since */
				return -1;
			}
			len = (size_t)n;
		}
		feed(m, octets, len);
		if (going(m, len) < 0)
			return -1;
		at += len;
		size -= len;
	}
	return 0;
}

/* --- parts --- */

static void
text_put(struct matcher *m, const char *octets, size_t len, bool last)
{
	charset_to_utf8(m->charset, &m->carry, octets, len, last, &m->utf8);
	window_add(m, &m->text, m->utf8.data, m->utf8.len);
	m->utf8.len = 0;
}

static void
feed_text(struct matcher *m, const char *octets, size_t len)
{
	if (m->decoder.kind == TRANSFER_BASE64 || m->decoder.kind == TRANSFER_QUOTED_PRINTABLE) {
		len = transfer_feed(&m->decoder, octets, len, m->decoded);
		octets = m->decoded;
	}
	text_put(m, octets, len, false);
}

/* Whether the part is for reading.  message/ that is no message has lines too: delivery-status. */
static bool
part_is_text(const struct mime_part *part)
{
	return part->kind == MIME_LEAF &&
	       (part->type == NULL || strcasecmp(part->type, "text") == 0 ||
		   strcasecmp(part->type, "message") == 0);
}

static int
match_text(struct matcher *m, const struct mime_part *part)
{
	int r;

	transfer_init(&m->decoder, transfer_encoding(part->encoding));
	m->charset = NULL;
	if (part->charset != NULL)
		m->charset = charset_find(part->charset, strlen(part->charset));
	if (m->charset == NULL)
		m->charset = charset_unmarked();
	memset(&m->carry, 0, sizeof(m->carry));
	m->text.see = SEE_BODY;
	r = range(m, part->body_at, part->body_size, feed_text);
	if (r == 0)
		text_put(m, m->decoded, transfer_end(&m->decoder, m->decoded), true);
	window_end(m, &m->text);
	return r;
}

/*
 * The header of a part is neither header nor body to who reads, but TEXT takes it, as it has the
 * names of attachments.  That of a message inside belongs to the body around it.
 */
static int
match_part_header(struct matcher *m, const struct mime_part *part)
{
	const struct mime_part *parent = mime_part(m->mime, part->parent);
	int r;

	fields_begin(m, false, parent->kind == MIME_MESSAGE ? SEE_BODY : SEE_TEXT);
	if (!any_open(m, m->text.see))
		return 0;
	r = range(m, part->header_at, part->header_size, fields_feed);
	fields_end(m);
	return r;
}

static int
match_parts(struct matcher *m)
{
	size_t count = mime_count(m->mime);

	for (uint32_t i = 0; i < count && m->open > 0 && any_open(m, SEE_BODY); i++) {
		const struct mime_part *part = mime_part(m->mime, i);

		if (part->parent != MIME_NONE && match_part_header(m, part) < 0)
			return -1;
		if (part_is_text(part) && match_text(m, part) < 0)
			return -1;
	}
	return going(m, 0);
}

/* --- the whole --- */

/* Memory for the questions; those that ask for nothing are answered. */
static int
matcher_init(struct matcher *m, struct search_question *matches, size_t count)
{
	m->match = matches;
	m->count = m->open = count;
	m->field.see = SEE_FIELD;
	m->chosen = calloc(count, sizeof(*m->chosen));
	if (m->chosen == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		matches[i].found = false;
		if (matches[i].len > m->overlap + 1)
			m->overlap = matches[i].len - 1;
		if (matches[i].len == 0 && matches[i].where != SEARCH_IN_HEADER)
			answer(m, i);
	}
	if (!any_open(m, SEE_BODY))
		return 0;
	m->keeping = true;
	m->mime = mime_new();
	return m->mime != NULL ? 0 : -1;
}

static int
matcher_run(struct matcher *m)
{
	if (m->open == 0)
		return 0;
	if (read_header(m) < 0)
		return -1;
	if (!any_open(m, SEE_BODY))
		return 0;
	return read_rest(m) < 0 ? -1 : match_parts(m);
}

static void
matcher_clear(struct matcher *m)
{
	if (m->mime != NULL)
		mime_free(&m->mime);
	mdtext_clear(&m->kept);
	mdtext_clear(&m->fields.field);
	mdtext_clear(&m->field.text);
	mdtext_clear(&m->text.text);
	mdtext_clear(&m->utf8);
	free(m->chosen);
}

int
search_message(const struct source *source, struct search_question *matches, size_t count)
{
	struct matcher *m;
	int r = -1, saved;

	if (count == 0)
		return 0;
	m = malloc(sizeof(*m));
	if (m == NULL)
		return -1;
	memset(
	    m, 0, offsetof(struct matcher, piece)); /* the buffers need it not, for each message */
	m->source = source;
	if (matcher_init(m, matches, count) == 0)
		r = matcher_run(m);
	saved = errno;
	matcher_clear(m);
	free(m);
	errno = saved;
	return r;
}
