/*
 * remembered.c: the header fields of a message that are remembered, and looking for text in them.
 * Runs as: mail user.
 *
 * Two texts of them are remembered.  MAILDIR_FIELDS has the fields as they stand, for FETCH.  MAILDIR_DECODED
 * has the values of the fields that people search for, decoded and mapped when the message was read; so
 * a search only has to find octets in octets.  For other fields each search decodes the values.
 *
 * RFC 9051 section 6.4.4: FROM, TO, CC and BCC look at what ENVELOPE tells.  The text of a field does not hold an
 * address as ENVELOPE tells it, if the address has comments, quotes or blanks inside.  Such addresses follow
 * the text, each on a line of its own.
 *
 * MAILDIR_DECODED is a row of entries.  An entry begins with four octets: the highest is the place of the
 * field's name in names[], the others are the length of the value, which follows.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "maildir/base/caseless.h"
#include "maildir/message/address.h"
#include "maildir/message/casemap.h"
#include "maildir/message/encoded_word.h"
#include "maildir/message/message.h"
#include "maildir/message/search.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { PLAIN_MAX = 1024 }; /* octets of a value that can be plain; nearly all have fewer */

/*
 * The fields that clients ask for in lists of messages, or search for.  Long fields that few clients ask for
 * (Received, signatures, Autocrypt) are not worth their room.  The first DECODED are what people search for;
 * their places are in files, and stay.
 */
enum {
	DECODED = 9,
	ADDRESSED =
	    1 << 0 | 1 << 1 | 1 << 2 | 1 << 8, /* those with addresses and a key of their own */
};
static const char *const names[] = {
    "Bcc",
    "Cc",
    "From",
    "List-Id",
    "Message-ID",
    "Reply-To",
    "Sender",
    "Subject",
    "To",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "Delivered-To",
    "Disposition-Notification-To",
    "Importance",
    "In-Reply-To",
    "List-Post",
    "List-Unsubscribe",
    "MIME-Version",
    "Newsgroups",
    "Priority",
    "References",
    "User-Agent",
    "X-MSMail-Priority",
    "X-Mailer",
    "X-Priority",
    "X-Spam-Flag",
    "X-Spam-Status",
};

const struct header_names remembered_fields = {.name = names, .count = COUNT(names)};

bool
remembered_has(const char *name, size_t len)
{
	return caseless_find(names, COUNT(names), name, len) < COUNT(names);
}

bool
remembered_decoded_has(const char *name)
{
	return caseless_find(names, DECODED, name, strlen(name)) < DECODED;
}

/* --- one field --- */

static bool
is_named(const struct header_field *field, const char *name)
{
	return field->name_len > 0 && caseless_is(name, field->name, field->name_len);
}

/*
 * Nearly all values are one line of ASCII without encoded words.  This gives such a value as line_add would, in
 * capitals and with one blank for several, and returns its length; SIZE_MAX: the value is not plain.
 */
static size_t
plain_value(const struct header_field *field, char out[PLAIN_MAX])
{
	const char *at = field->value, *end = field->end, *mark;
	bool blank = false, was_blank = false;
	size_t len = 0;

	end -= end - at >= 2 && end[-1] == '\n' && end[-2] == '\r' ? 2 : 0;
	if (end - at > PLAIN_MAX)
		return SIZE_MAX;
	mark = memchr(at, '?', (size_t)(end - at));
	if (mark != NULL && memmem(at, (size_t)(end - at), "=?", 2) != NULL)
		return SIZE_MAX;
	for (; at < end; at++) {
		unsigned c = (unsigned char)*at;

		if (c - 0x20U > 0x5eU)
			return SIZE_MAX;
		c -= (unsigned)(c - 'a' < 26U) << 5;
		blank = c == ' ';
		out[len] = (char)c;
		len += !(blank && was_blank);
		was_blank = blank;
	}
	return len;
}

/* Memory that is used for one value after the other. */
struct decoding {
	struct mdbuf line, utf8, address;
	struct address_parser parser;
};

static void
decoding_clear(struct decoding *decoding)
{
	mdbuf_clear(&decoding->line);
	mdbuf_clear(&decoding->utf8);
	mdbuf_clear(&decoding->address);
	address_clear(&decoding->parser);
}

/* Adds a text of one line in the form in which it is searched. */
static void
line_add(const struct mdbuf *line, struct decoding *decoding, struct mdbuf *out)
{
	struct encoded_words words = {.charset = NULL};

	decoding->utf8.len = 0;
	encoded_word_feed(&words, line->data, line->len, &decoding->utf8);
	encoded_word_end(&words, &decoding->utf8);
	(void)encoded_word_squeeze(&decoding->utf8, false);
	casemap_add(decoding->utf8.data, decoding->utf8.len, out);
	out->failed |= line->failed || decoding->utf8.failed;
}

/* Adds the addresses of decoding->line that do not stand there as ENVELOPE tells them. */
static void
addresses_add(struct decoding *decoding, struct mdbuf *out)
{
	struct address_parser *parser = &decoding->parser;
	struct mdbuf *address = &decoding->address;
	const char *from = decoding->line.data;
	enum address_kind kind;

	address_begin(parser, from, decoding->line.len);
	for (; (kind = address_next(parser)) != ADDRESS_NONE; from = parser->in.at) {
		if (kind != ADDRESS_MAILBOX || parser->mailbox.len == 0 || parser->host.len == 0)
			continue;
		address->len = 0;
		mdbuf_add(address, parser->mailbox.data, parser->mailbox.len);
		mdbuf_add(address, "@", 1);
		mdbuf_add(address, parser->host.data, parser->host.len);
		if (address->failed || memmem(from, (size_t)(parser->in.at - from), address->data,
					   address->len) != NULL)
			continue;
		mdbuf_add(out, "\n", 1);
		line_add(address, decoding, out);
	}
	out->failed |= decoding->line.failed || address->failed || address_failed(parser);
}

/* Adds the value of a field in the form in which it is searched. */
static void
value_add(const struct header_field *field, struct decoding *decoding, struct mdbuf *out)
{
	size_t place = caseless_find(names, DECODED, field->name, field->name_len);
	bool addresses = (ADDRESSED >> place & 1) != 0;
	const char *at = field->value, *newline;
	char plain[PLAIN_MAX];
	size_t len = plain_value(field, plain);

	if (len != SIZE_MAX)
		mdbuf_add(out, plain, len);
	if (len != SIZE_MAX && !addresses)
		return;
	decoding->line.len = 0;
	for (; at < field->end; at = newline + 1) {
		size_t before = decoding->line.len;

		newline = memchr(at, '\n', (size_t)(field->end - at));
		if (newline == NULL)
			newline = field->end - 1;
		header_unfold(&decoding->line, at, (size_t)(newline + 1 - at));
		/* ENVELOPE's addresses have a blank where a line was folded at a tab. */
		if (at != field->value && decoding->line.len > before)
			decoding->line.data[before] = ' ';
	}
	if (len == SIZE_MAX)
		line_add(&decoding->line, decoding, out);
	if (addresses && decoding->line.len > 0)
		addresses_add(decoding, out);
}

/* --- decoded ahead --- */

void
remembered_decode(const char *text, size_t len, struct mdbuf *out)
{
	struct decoding decoding = {.line = {.len = 0}};
	const char *end = len > 0 ? text + len : text;
	struct header_field field;
	size_t name, at;
	uint32_t entry = 0;

	for (; text < end && !out->failed; text = field.end) {
		header_field(text, end, &field);
		name = caseless_find(names, DECODED, field.name, field.name_len);
		if (name == DECODED)
			continue;
		at = out->len;
		mdbuf_add(out, &entry, sizeof(entry));
		value_add(&field, &decoding, out);
		if (out->failed)
			break;
		entry = (uint32_t)name << 24 | (uint32_t)(out->len - at - sizeof(entry));
		memcpy(out->data + at, &entry, sizeof(entry));
	}
	decoding_clear(&decoding);
}

static bool
has_text(const struct search_question *question, const char *value, size_t len)
{
	return question->len == 0 ||
	       (len > 0 && memmem(value, len, question->text, question->len) != NULL);
}

void
remembered_search_decoded(
    const char *text, size_t len, struct search_question *questions, size_t count)
{
	const char *end = len > 0 ? text + len : text;
	size_t place, size;
	uint32_t entry;

	for (size_t i = 0; i < count; i++)
		questions[i].found = false;
	while ((size_t)(end - text) >= sizeof(entry)) {
		memcpy(&entry, text, sizeof(entry));
		text += sizeof(entry);
		place = entry >> 24;
		size = entry & 0xffffff;
		if (place >= DECODED || size > (size_t)(end - text))
			break;
		for (size_t i = 0; i < count; i++) {
			struct search_question *question = &questions[i];

			if (!question->found &&
			    caseless_may_be(question->field[0], names[place][0]) &&
			    strcasecmp(question->field, names[place]) == 0)
				question->found = has_text(question, text, size);
		}
		text += size;
	}
}

/* --- as they stand --- */

int
remembered_search(const char *text, size_t len, struct search_question *questions, size_t count)
{
	struct decoding decoding = {.line = {.len = 0}};
	struct mdbuf value = {.len = 0};
	const char *end = len > 0 ? text + len : text;
	struct header_field field;
	size_t open = count;
	bool failed;

	for (size_t i = 0; i < count; i++)
		questions[i].found = false;
	for (; text < end && open > 0 && !value.failed; text = field.end) {
		bool decoded = false;

		header_field(text, end, &field);
		for (size_t i = 0; i < count; i++) {
			if (questions[i].found || !is_named(&field, questions[i].field))
				continue;
			if (!decoded) {
				value.len = 0;
				value_add(&field, &decoding, &value);
				decoded = true;
			}
			questions[i].found =
			    !value.failed && has_text(&questions[i], value.data, value.len);
			open -= questions[i].found;
		}
	}
	failed = value.failed;
	decoding_clear(&decoding);
	mdbuf_clear(&value);
	if (!failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

bool
remembered_sent_day(const char *text, size_t len, int64_t *day_r)
{
	const char *end = len > 0 ? text + len : text;
	struct header_field field;

	for (; text < end; text = field.end) {
		header_field(text, end, &field);
		if (is_named(&field, "Date"))
			return date_day(field.value, (size_t)(field.end - field.value), day_r);
	}
	return false;
}
