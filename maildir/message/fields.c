/*
 * fields.c: the header fields of a message that are remembered, and looking for text in them.
 * Runs as: mail user.
 *
 * There are two texts of them: as they stand, for who fetches them, and for who searches the values of those
 * that people search for, decoded and mapped when the message was read; then a search is no more than to
 * find octets in octets.  Other fields are decoded for each search.
 *
 * RFC 9051 section 6.4.4: FROM, TO, CC and BCC look at what ENVELOPE tells.  An address with comments, quotes or
 * blanks inside is not in the field's text as ENVELOPE tells it.  Such addresses follow the text, each on a line
 * of its own.
 *
 * The text of decoded fields is a row of entries: four octets, the place of the field's name in decoded[] in
 * the highest of them and the length of the value in the others, and the value.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "maildir/message/address.h"
#include "maildir/message/casemap.h"
#include "maildir/message/fields.h"
#include "maildir/message/match.h"
#include "maildir/message/mime.h"
#include "maildir/message/words.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { PLAIN_MAX = 1024 }; /* octets of a value that goes the short way: nearly all */

/*
 * The fields that clients ask for in lists of messages, or search for.  Long ones that few ask for
 * (Received, signatures, Autocrypt) are not worth their room.
 */
static const char *const remembered[] = {
    "Bcc",
    "Cc",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "Delivered-To",
    "Disposition-Notification-To",
    "From",
    "Importance",
    "In-Reply-To",
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "MIME-Version",
    "Message-ID",
    "Newsgroups",
    "Priority",
    "References",
    "Reply-To",
    "Sender",
    "Subject",
    "To",
    "User-Agent",
    "X-MSMail-Priority",
    "X-Mailer",
    "X-Priority",
    "X-Spam-Flag",
    "X-Spam-Status",
};

const struct header_names fields_remembered = {
    .name = remembered,
    .count = COUNT(remembered),
};

/* Of these, those that people search for. */
static const char *const decoded[] = {
    "Bcc",
    "Cc",
    "From",
    "List-Id",
    "Message-ID",
    "Reply-To",
    "Sender",
    "Subject",
    "To",
};

/* The fields of addresses that have a search key of their own. */
static const char *const addressed[] = {
    "Bcc",
    "Cc",
    "From",
    "To",
};

/* Of the same octets; there may be a NUL in what a message has for a name. */
static bool
name_is(const char *wanted, const char *name, size_t len)
{
	return strlen(wanted) == len && strncasecmp(wanted, name, len) == 0;
}

/* Its place in the list, or count. */
static size_t
name_find(const char *const *names, size_t count, const char *name, size_t len)
{
	size_t i = 0;

	while (i < count && !name_is(names[i], name, len))
		i++;
	return i;
}

bool
fields_has(const char *name, size_t len)
{
	return name_find(remembered, COUNT(remembered), name, len) != COUNT(remembered);
}

bool
fields_decoded_has(const char *name)
{
	return name_find(decoded, COUNT(decoded), name, strlen(name)) != COUNT(decoded);
}

/* --- one field --- */

/* A field of a text: its octets, and what of them is its value. */
struct text_field {
	const char *at, *value, *end; /* end: behind its last line */
	size_t name_len;	      /* 0: it has none */
};

/* Where the field that begins there ends: behind its last line. */
static const char *
field_after(const char *at, const char *end)
{
	const char *newline;

	do {
		newline = memchr(at, '\n', (size_t)(end - at));
		at = newline != NULL ? newline + 1 : end;
	} while (at < end && (*at == ' ' || *at == '\t'));
	return at;
}

/* Its name, with blanks before the colon as in field_name. */
static void
text_field(const char *at, const char *end, struct text_field *field_r)
{
	const char *colon = memchr(at, ':', (size_t)(end - at));

	field_r->at = field_r->value = at;
	field_r->end = end;
	field_r->name_len = colon != NULL ? (size_t)(colon - at) : 0;
	if (colon != NULL)
		field_r->value = colon + 1;
	while (field_r->name_len > 0 &&
	       (at[field_r->name_len - 1] == ' ' || at[field_r->name_len - 1] == '\t'))
		field_r->name_len--;
}

/* Whether what begins so may have that name: no to most. */
static bool
may_be(const char *name, char first)
{
	return ((name[0] ^ first) & 0x5f) == 0;
}

static bool
is_named(const struct text_field *field, const char *name)
{
	return field->name_len > 0 && name_is(name, field->at, field->name_len);
}

/*
 * A value of one line of ASCII without encoded words, as nearly all are, in capitals and with one blank for
 * many: what the long way makes of it.  Gives its length, or SIZE_MAX: it is not plain.
 */
static size_t
plain_value(const struct text_field *field, char out[PLAIN_MAX])
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

/* The value as one line: what was folded has a blank where the next line begins. */
static void
unfold(const struct text_field *field, struct mdtext *out)
{
	const char *at = field->value, *newline;

	while ((newline = memchr(at, '\n', (size_t)(field->end - at))) != NULL) {
		mdtext_add(out, at, (size_t)(newline - at - (newline > at && newline[-1] == '\r')));
		at = newline + 1;
		if (at == field->end)
			return;
		mdtext_add(out, " ", 1);
		at++;
	}
	mdtext_add(out, at, (size_t)(field->end - at));
}

/* Memory for values being decoded. */
struct decoding {
	struct mdtext line, utf8, address;
	struct address_parser parser;
};

static void
decoding_clear(struct decoding *decoding)
{
	mdtext_clear(&decoding->line);
	mdtext_clear(&decoding->utf8);
	mdtext_clear(&decoding->address);
	address_clear(&decoding->parser);
}

/* Adds a text of one line as it is searched. */
static void
line_add(const struct mdtext *line, struct decoding *decoding, struct mdtext *out)
{
	struct words words = {.charset = NULL};

	decoding->utf8.len = 0;
	words_feed(&words, line->data, line->len, &decoding->utf8);
	words_end(&words, &decoding->utf8);
	(void)words_squeeze(&decoding->utf8, false);
	casemap_add(decoding->utf8.data, decoding->utf8.len, out);
	out->failed |= line->failed || decoding->utf8.failed;
}

/* Adds the addresses of decoding->line that are not written there as ENVELOPE tells them. */
static void
addresses_add(struct decoding *decoding, struct mdtext *out)
{
	struct address_parser *parser = &decoding->parser;
	struct mdtext *address = &decoding->address;
	const char *from = decoding->line.data;
	enum address_kind kind;

	address_begin(parser, from, decoding->line.len);
	for (; (kind = address_next(parser)) != ADDRESS_NONE; from = parser->in.at) {
		if (kind != ADDRESS_MAILBOX || parser->mailbox.len == 0 || parser->host.len == 0)
			continue;
		address->len = 0;
		mdtext_add(address, parser->mailbox.data, parser->mailbox.len);
		mdtext_add(address, "@", 1);
		mdtext_add(address, parser->host.data, parser->host.len);
		if (address->failed || memmem(from, (size_t)(parser->in.at - from), address->data,
					   address->len) != NULL)
			continue;
		mdtext_add(out, "\n", 1);
		line_add(address, decoding, out);
	}
	out->failed |= decoding->line.failed || address->failed || address_failed(parser);
}

/* Adds the value as it is searched. */
static void
value_add(const struct text_field *field, struct decoding *decoding, struct mdtext *out)
{
	bool addresses =
	    name_find(addressed, COUNT(addressed), field->at, field->name_len) != COUNT(addressed);
	char plain[PLAIN_MAX];
	size_t len = plain_value(field, plain);

	if (len != SIZE_MAX)
		mdtext_add(out, plain, len);
	if (len != SIZE_MAX && !addresses)
		return;
	decoding->line.len = 0;
	unfold(field, &decoding->line);
	if (len == SIZE_MAX)
		line_add(&decoding->line, decoding, out);
	if (addresses && decoding->line.len > 0)
		addresses_add(decoding, out);
}

/* --- decoded ahead --- */

void
fields_decode(const char *text, size_t len, struct mdtext *out)
{
	struct decoding decoding = {.line = {.len = 0}};
	const char *end = len > 0 ? text + len : text, *after;
	struct text_field field;
	size_t name, at;
	uint32_t entry = 0;

	for (; text < end && !out->failed; text = after) {
		after = field_after(text, end);
		text_field(text, after, &field);
		name = name_find(decoded, COUNT(decoded), field.at, field.name_len);
		if (name == COUNT(decoded))
			continue;
		at = out->len;
		mdtext_add(out, &entry, sizeof(entry));
		value_add(&field, &decoding, out);
		if (out->failed)
			break;
		entry = (uint32_t)name << 24 | (uint32_t)(out->len - at - sizeof(entry));
		memcpy(out->data + at, &entry, sizeof(entry));
	}
	decoding_clear(&decoding);
}

/* Asks those about a field of that name for its value. */
static void
ask(const char *name, size_t name_len, const char *value, size_t len, struct match *matches,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct match *match = &matches[i];

		if (!match->found && may_be(match->field, *name) &&
		    name_is(match->field, name, name_len))
			match->found =
			    match->len == 0 || memmem(value, len, match->text, match->len) != NULL;
	}
}

void
fields_match_decoded(const char *text, size_t len, struct match *matches, size_t count)
{
	const char *end = len > 0 ? text + len : text;
	size_t name, size;
	uint32_t entry;

	for (size_t i = 0; i < count; i++)
		matches[i].found = false;
	while ((size_t)(end - text) >= sizeof(entry)) {
		memcpy(&entry, text, sizeof(entry));
		text += sizeof(entry);
		name = entry >> 24;
		size = entry & 0xffffff;
		if (name >= COUNT(decoded) || size > (size_t)(end - text))
			break;
		ask(decoded[name], strlen(decoded[name]), text, size, matches, count);
		text += size;
	}
}

/* --- as they stand --- */

/* Whether a field that begins so may be one of those that have no answer yet. */
static bool
any_may_be(const struct match *matches, size_t count, char first, bool *open_r)
{
	*open_r = false;
	for (size_t i = 0; i < count; i++) {
		if (matches[i].found)
			continue;
		*open_r = true;
		if (may_be(matches[i].field, first))
			return true;
	}
	return false;
}

static bool
any_named(const struct match *matches, size_t count, const struct text_field *field)
{
	for (size_t i = 0; i < count; i++)
		if (!matches[i].found && is_named(field, matches[i].field))
			return true;
	return false;
}

int
fields_match(const char *text, size_t len, struct match *matches, size_t count)
{
	struct decoding decoding = {.line = {.len = 0}};
	struct mdtext value = {.len = 0};
	const char *end = len > 0 ? text + len : text, *after;
	struct text_field field;
	bool open = true, failed;

	for (size_t i = 0; i < count; i++)
		matches[i].found = false;
	for (; text < end && open && !value.failed; text = after) {
		after = field_after(text, end);
		if (!any_may_be(matches, count, *text, &open))
			continue;
		text_field(text, after, &field);
		if (!any_named(matches, count, &field))
			continue;
		value.len = 0;
		value_add(&field, &decoding, &value);
		if (!value.failed)
			ask(field.at, field.name_len, value.data, value.len, matches, count);
	}
	failed = value.failed;
	decoding_clear(&decoding);
	mdtext_clear(&value);
	if (!failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

/* As many digits as that, all of them; -1: they are not there. */
static int
plain_number(const char *at, int digits)
{
	int number = 0;

	for (; digits > 0; digits--, at++) {
		if (*at < '0' || *at > '9')
			return -1;
		number = number * 10 + (*at - '0');
	}
	return number;
}

/* "Mon, 3 Jan 2022 ", as nearly all dates are.  false: the long way will tell. */
static bool
plain_day(const struct text_field *field, int64_t *day_r)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	const char *at = field->value;
	int month = 0, day, year, digits;

	if (field->end - at < 24 || at[0] != ' ' || at[4] != ',' || at[5] != ' ')
		return false;
	digits = at[7] == ' ' ? 1 : 2;
	day = plain_number(at + 6, digits);
	at += 6 + digits;
	while (month < 12 && memcmp(at + 1, names + (size_t)month * 3, 3) != 0)
		month++;
	year = plain_number(at + 5, 4);
	if (day < 1 || day > 28 || month == 12 || year < 1900 || at[0] != ' ' || at[4] != ' ' ||
	    at[9] != ' ')
		return false; /* also the days that not every month has */
	year -= month < 2;    /* the leap days until then */
	*day_r = (int64_t)(year + (month < 2) - 1970) * 365 + before[month] + day - 1 +
		 (year / 4 - year / 100 + year / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
	return true;
}

/* The long way, which knows comments and obsolete forms. */
static bool
parsed_day(const struct text_field *field, int64_t *day_r)
{
	struct mime *mime = mime_new();
	bool found;

	if (mime == NULL)
		return false;
	mime_feed(mime, field->at, (size_t)(field->end - field->at));
	found = mime_end(mime) == 0 && mime_sent_day(mime, day_r);
	mime_free(&mime);
	return found;
}

bool
fields_sent_day(const char *text, size_t len, int64_t *day_r)
{
	const char *end = len > 0 ? text + len : text, *after;
	struct text_field field = {.name_len = 0};

	for (; text < end && !is_named(&field, "Date"); text = after) {
		after = field_after(text, end);
		if (may_be("Date", *text))
			text_field(text, after, &field);
	}
	return is_named(&field, "Date") && (plain_day(&field, day_r) || parsed_day(&field, day_r));
}
