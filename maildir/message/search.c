/*
 * search.c: looking for text in a message.
 * Runs as: mail user.
 *
 * The search reads the header field by field.  When all questions are about fields it reads no more.
 * Else it reads the message to its end, which tells where the parts are.  It keeps what it reads unless the
 * message is large; it reads a large message a second time, part by part.
 *
 * All text goes one way: it is decoded, converted to UTF-8, mapped (casemap.h), and added to a window.  The search
 * looks into the window whenever enough text has come, and then keeps only the end of it, where an answer may be
 * cut.  So memory is a few pieces and the longest text looked for, whatever the message.
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

/* The questions that a window's text may answer. */
enum see {
	SEE_FIELD, /* SEARCH_IN_HEADER, of the fields that were chosen */
	SEE_TEXT,  /* SEARCH_IN_TEXT */
	SEE_BODY,  /* SEARCH_IN_BODY too */
};

struct window {
	enum see see;
	struct mdbuf text; /* mapped */
	size_t seen;	   /* octets at its start that the last look has seen */
};

/* A header being read. */
struct fields {
	struct header_reader reader;
	struct mdbuf field; /* text of a field that waits to be decoded, unfolded */
	struct encoded_words words;
	bool root;		    /* the message's own, which questions about fields mean */
	bool want_field, want_text; /* a window wants the text of the present field */
	bool blank;		    /* the last octet of its text was a blank */
};

struct search {
	struct search_question *question;
	size_t count, open; /* questions, and those without an answer */
	bool *chosen;	    /* for each: it asks about the present field */
	size_t overlap;	    /* the longest text, less one octet */
	const struct source *source;
	struct mime *mime; /* NULL: only the header is asked for */
	struct mdbuf kept; /* the message so far */
	bool keeping;

	struct fields fields;
	struct window field, text;
	struct transfer_decoder decoder; /* of a part */
	const struct charset *charset;
	struct charset_carry carry;
	struct mdbuf utf8;
	char piece[PIECE]; /* from here on nothing is cleared */
	char decoded[PIECE + sizeof(((struct transfer_decoder *)0)->held)];
};

void
search_prepare(const struct charset *charset, enum search_where where, const char *text, size_t len,
    struct mdbuf *out)
{
	struct charset_carry carry = {.len = 0};
	struct mdbuf utf8 = {0};

	if (charset != NULL)
		charset_to_utf8(charset, &carry, text, len, true, &utf8);
	else
		mdbuf_add(&utf8, text, len);
	if (where == SEARCH_IN_HEADER)
		(void)encoded_word_squeeze(&utf8, false);
	casemap_add(utf8.data, utf8.len, out);
	out->failed |= utf8.failed;
	mdbuf_clear(&utf8);
}

/* --- the questions, and the windows --- */

static void
answer(struct search *s, size_t i)
{
	s->question[i].found = true;
	s->open--;
}

static bool
may_answer(const struct search *s, size_t i, enum see see)
{
	const struct search_question *question = &s->question[i];

	if (question->found)
		return false;
	if (see == SEE_FIELD)
		return question->where == SEARCH_IN_HEADER && s->chosen[i];
	return question->where == SEARCH_IN_TEXT ||
	       (see == SEE_BODY && question->where == SEARCH_IN_BODY);
}

static bool
any_open(const struct search *s, enum see see)
{
	for (size_t i = 0; i < s->count; i++) {
		if (may_answer(s, i, see))
			return true;
	}
	return false;
}

static void
window_look(struct search *s, struct window *window)
{
	struct mdbuf *text = &window->text;
	size_t keep = text->len < s->overlap ? text->len : s->overlap;

	for (size_t i = 0; i < s->count && text->len > window->seen; i++) {
		const struct search_question *question = &s->question[i];

		if (!may_answer(s, i, window->see))
			continue;
		if (s->source->stopped(s->source->ctx, text->len))
			break;
		if (memmem(text->data, text->len, question->text, question->len) != NULL)
			answer(s, i);
	}
	if (keep > 0)
		memmove(text->data, text->data + text->len - keep, keep);
	text->len = window->seen = keep;
}

static void
window_add(struct search *s, struct window *window, const char *utf8, size_t len)
{
	casemap_add(utf8, len, &window->text);
	/* A look costs as much as the kept text is long: so wait until as much has been added. */
	if (window->text.len - window->seen >= LOOK + s->overlap)
		window_look(s, window);
}

/* A text is over: the next one does not continue it. */
static void
window_end(struct search *s, struct window *window)
{
	window_look(s, window);
	window->text.len = window->seen = 0;
}

/* Returns -1 with errno if the search must end here. */
static int
going(struct search *s, size_t len)
{
	if (s->source->stopped(s->source->ctx, len))
		return -1;
	if (s->utf8.failed || s->field.text.failed || s->text.text.failed ||
	    s->fields.field.failed) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* --- headers --- */

/* Chooses the questions about the field, and answers those that ask for its presence. */
static void
field_choose(struct search *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct search_question *question = &s->question[i];

		s->chosen[i] = question->where == SEARCH_IN_HEADER && len > 0 &&
			       caseless_is(question->field, name, len);
		if (s->chosen[i] && !question->found && question->len == 0)
			answer(s, i);
	}
}

static void
field_begin(struct search *s, struct fields *fields)
{
	const struct header_reader *reader = &fields->reader;

	if (fields->root)
		field_choose(s, reader->octets, reader->name_len);
	fields->want_field = fields->root && any_open(s, SEE_FIELD);
	fields->want_text = any_open(s, s->text.see);
	if (fields->want_text && reader->len > 0)
		window_add(s, &s->text, reader->octets, reader->len);
}

/* Moves decoded text of the field to the windows. */
static void
field_put(struct search *s, struct fields *fields)
{
	fields->blank = encoded_word_squeeze(&s->utf8, fields->blank);
	if (fields->want_text)
		window_add(s, &s->text, s->utf8.data, s->utf8.len);
	if (fields->want_field)
		window_add(s, &s->field, s->utf8.data, s->utf8.len);
	s->utf8.len = 0;
}

static void
field_decode(struct search *s, struct fields *fields)
{
	encoded_word_feed(&fields->words, fields->field.data, fields->field.len, &s->utf8);
	fields->field.len = 0;
	field_put(s, fields);
}

/* Octets of a line.  A long field is decoded in pieces: it is cut where it is folded, or, in a line that long,
 * anywhere. */
static void
field_text(struct search *s, struct fields *fields)
{
	const struct header_reader *reader = &fields->reader;
	struct mdbuf *field = &fields->field;

	if (!fields->want_field && !fields->want_text)
		return;
	if (reader->folded && field->len >= FIELD_PIECE)
		field_decode(s, fields);
	header_unfold(field, reader->octets, reader->len);
	if (field->len >= FIELD_PIECE && !field->failed &&
	    reader->octets[reader->len - 1] != '\n' && field->data[field->len - 1] != '\r')
		field_decode(s, fields);
}

static void
field_end(struct search *s, struct fields *fields)
{
	if (fields->want_field || fields->want_text) {
		if (fields->field.len > 0)
			field_decode(s, fields);
		encoded_word_end(&fields->words, &s->utf8);
		field_put(s, fields);
	}
	if (fields->want_field)
		window_end(s, &s->field);
	if (fields->want_text)
		window_add(s, &s->text, "\r\n", 2);
	fields->want_field = fields->want_text = fields->blank = false;
}

static void
fields_feed(struct search *s, const char *octets, size_t len)
{
	struct fields *fields = &s->fields;
	const char *at = octets, *end = octets + len;
	enum header_event event;

	while ((event = header_next(&fields->reader, &at, end)) != HEADER_MORE) {
		if (event == HEADER_TEXT) {
			field_text(s, fields);
			continue;
		}
		field_end(s, fields);
		if (event == HEADER_FIELD)
			field_begin(s, fields);
	}
}

/* Begins a header, whose text may answer these questions. */
static void
fields_begin(struct search *s, bool root, enum see see)
{
	header_begin(&s->fields.reader);
	s->fields.root = root;
	s->text.see = see;
}

static void
fields_end(struct search *s)
{
	if (header_cut(&s->fields.reader)) {
		field_end(s, &s->fields);
		field_begin(s, &s->fields);
		fields_feed(s, "", 0);
	}
	field_end(s, &s->fields);
	window_end(s, &s->text);
}

/* --- reading --- */

/* The next octets of the first reading: > 0, 0 at the end, -1. */
static ssize_t
read_on(struct search *s)
{
	ssize_t n =
	    s->source->read(s->source->ctx, s->piece, s->mime != NULL ? PIECE : PIECE_HEADER);

	if (n <= 0)
		return n;
	if (s->mime != NULL)
		mime_feed(s->mime, s->piece, (size_t)n);
	if (s->keeping && s->kept.len + (size_t)n <= KEEP_MAX) {
		mdbuf_add(&s->kept, s->piece, (size_t)n);
		s->keeping = !s->kept.failed;
	} else {
		s->keeping = false;
	}
	return going(s, (size_t)n) == 0 ? n : -1;
}

static int
read_header(struct search *s)
{
	ssize_t n = 1;

	fields_begin(s, true, SEE_TEXT);
	while (s->open > 0 && s->fields.reader.state != HEADER_OVER && (n = read_on(s)) > 0)
		fields_feed(s, s->piece, (size_t)n);
	if (n < 0)
		return -1;
	fields_end(s);
	return going(s, 0);
}

/* Calls feed for these octets of the message, until they end or all questions have answers. */
static int
range(struct search *s, uint64_t at, uint64_t size,
    void (*feed)(struct search *s, const char *octets, size_t len))
{
	if (size == 0)
		return 0;
	if (s->keeping && (at > s->kept.len || size > s->kept.len - at)) {
		errno = EIO; /* cannot be: the structure was made from what is kept */
		return -1;
	}
	if (!s->keeping && s->source->seek(s->source->ctx, at) < 0)
		return -1;
	while (size > 0 && s->open > 0) {
		size_t len = size < PIECE ? (size_t)size : PIECE;
		const char *octets = s->piece;

		if (s->keeping) {
			octets = s->kept.data + at;
		} else {
			ssize_t n = s->source->read(s->source->ctx, s->piece, len);

			if (n <= 0) {
				errno = n == 0 ? EIO : errno; /* it changed since */
				return -1;
			}
			len = (size_t)n;
		}
		feed(s, octets, len);
		if (going(s, len) < 0)
			return -1;
		at += len;
		size -= len;
	}
	return 0;
}

/* --- parts --- */

static void
text_put(struct search *s, const char *octets, size_t len, bool last)
{
	charset_to_utf8(s->charset, &s->carry, octets, len, last, &s->utf8);
	window_add(s, &s->text, s->utf8.data, s->utf8.len);
	s->utf8.len = 0;
}

static void
feed_text(struct search *s, const char *octets, size_t len)
{
	if (s->decoder.kind == TRANSFER_BASE64 || s->decoder.kind == TRANSFER_QUOTED_PRINTABLE) {
		len = transfer_feed(&s->decoder, octets, len, s->decoded);
		octets = s->decoded;
	}
	text_put(s, octets, len, false);
}

/* Whether people read the part.  The types message/ that are no message are lines: delivery-status. */
static bool
part_is_text(const struct mime_part *part)
{
	return part->kind == MIME_LEAF &&
	       (part->type == NULL || strcasecmp(part->type, "text") == 0 ||
		   strcasecmp(part->type, "message") == 0);
}

static int
search_part_text(struct search *s, const struct mime_part *part)
{
	int r;

	transfer_init(&s->decoder, transfer_encoding(part->encoding));
	s->charset = NULL;
	if (part->charset != NULL)
		s->charset = charset_find(part->charset, strlen(part->charset));
	if (s->charset == NULL)
		s->charset = charset_unmarked();
	memset(&s->carry, 0, sizeof(s->carry));
	s->text.see = SEE_BODY;
	r = range(s, part->body_at, part->body_size, feed_text);
	if (r == 0)
		text_put(s, s->decoded, transfer_end(&s->decoder, s->decoded), true);
	window_end(s, &s->text);
	return r;
}

/*
 * The header of a part is neither the message's header nor its body to a person who reads it; but TEXT includes
 * it, as it has the names of attachments.  The header of a message inside belongs to the body.
 */
static int
search_part_header(struct search *s, const struct mime_part *part)
{
	const struct mime_part *parent = mime_part(s->mime, part->parent);
	int r;

	fields_begin(s, false, parent->kind == MIME_MESSAGE ? SEE_BODY : SEE_TEXT);
	if (!any_open(s, s->text.see))
		return 0;
	r = range(s, part->header_at, part->header_size, fields_feed);
	fields_end(s);
	return r;
}

/* After the header: the rest of the message is read for its structure, then the parts are searched. */
static int
search_body(struct search *s)
{
	ssize_t n;

	if (!any_open(s, SEE_BODY))
		return 0;
	while ((n = read_on(s)) > 0)
		;
	if (n < 0 || mime_end(s->mime) < 0)
		return -1;
	for (uint32_t i = 0; i < mime_count(s->mime) && any_open(s, SEE_BODY); i++) {
		const struct mime_part *part = mime_part(s->mime, i);

		if (part->parent != MIME_NONE && search_part_header(s, part) < 0)
			return -1;
		if (part_is_text(part) && search_part_text(s, part) < 0)
			return -1;
	}
	return going(s, 0);
}

/* --- the whole --- */

/* Allocates what the questions need, and answers those that look for an empty text. */
static int
search_init(struct search *s, struct search_question *questions, size_t count)
{
	s->question = questions;
	s->count = s->open = count;
	s->field.see = SEE_FIELD;
	s->chosen = calloc(count, sizeof(*s->chosen));
	if (s->chosen == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		questions[i].found = false;
		if (questions[i].len > s->overlap + 1)
			s->overlap = questions[i].len - 1;
		if (questions[i].len == 0 && questions[i].where != SEARCH_IN_HEADER)
			answer(s, i);
	}
	if (!any_open(s, SEE_BODY))
		return 0;
	s->keeping = true;
	s->mime = mime_new();
	return s->mime != NULL ? 0 : -1;
}

static void
search_clear(struct search *s)
{
	mime_free(&s->mime);
	mdbuf_clear(&s->kept);
	mdbuf_clear(&s->fields.field);
	mdbuf_clear(&s->field.text);
	mdbuf_clear(&s->text.text);
	mdbuf_clear(&s->utf8);
	free(s->chosen);
}

int
search_message(const struct source *source, struct search_question *questions, size_t count)
{
	struct search *s;
	int r = -1, saved;

	if (count == 0)
		return 0;
	s = malloc(sizeof(*s));
	if (s == NULL)
		return -1;
	memset(s, 0, offsetof(struct search, piece));
	s->source = source;
	if (search_init(s, questions, count) == 0 && read_header(s) == 0)
		r = search_body(s);
	saved = errno;
	search_clear(s);
	free(s);
	errno = saved;
	return r;
}
