/*
 * mime_field.c: the fields of a part's header, and what they say about the part.
 * Runs as: mail user.
 *
 * Fields that IMAP does not tell are passed over without being kept.
 * If a Content-* field comes twice, the first counts.  In an envelope the last field of a kind counts; but all
 * addresses are told, so that a message cannot show a From that nobody checked.
 */
#include <string.h>

#include "maildir/base/caseless.h"
#include "maildir/message/field.h"
#include "maildir/message/mime_internal.h"

/* RFC 2045 section 5.1: tspecials; and what ends a value that should have been quoted, "a/b=c". */
#define TOKEN_STOPS "()<>@,;:\\\"/[]?="
#define VALUE_STOPS "();\""

/* U+FFFD, for a NUL. */
#define REPLACEMENT "\xef\xbf\xbd"

static enum mime_field
field_of(const char *name, size_t len)
{
	static const char *const names[FIELD_OTHER] = {
	    [FIELD_DATE] = "Date",
	    [FIELD_SUBJECT] = "Subject",
	    [FIELD_FROM] = "From",
	    [FIELD_SENDER] = "Sender",
	    [FIELD_REPLY_TO] = "Reply-To",
	    [FIELD_TO] = "To",
	    [FIELD_CC] = "Cc",
	    [FIELD_BCC] = "Bcc",
	    [FIELD_IN_REPLY_TO] = "In-Reply-To",
	    [FIELD_MESSAGE_ID] = "Message-ID",
	    [FIELD_TYPE] = "Content-Type",
	    [FIELD_ENCODING] = "Content-Transfer-Encoding",
	    [FIELD_DISPOSITION] = "Content-Disposition",
	    [FIELD_ID] = "Content-ID",
	    [FIELD_DESCRIPTION] = "Content-Description",
	    [FIELD_MD5] = "Content-MD5",
	    [FIELD_LANGUAGE] = "Content-Language",
	    [FIELD_LOCATION] = "Content-Location",
	};

	return (enum mime_field)caseless_find(names, FIELD_OTHER, name, len);
}

/* Reads a token after blanks and comments; NULL: no token is there. */
static const char *
read_token(struct mime *mime, struct field_cursor *in)
{
	field_cfws(in, NULL);
	mime->word.len = 0;
	if (field_word(in, TOKEN_STOPS, &mime->word) == 0)
		return NULL;
	return mime_keep(mime, mime->word.data, mime->word.len);
}

static const char *
read_value(struct mime *mime, struct field_cursor *in)
{
	field_cfws(in, NULL);
	mime->word.len = 0;
	if (field_peek(in) == '"')
		field_quoted(in, &mime->word);
	else
		field_word(in, VALUE_STOPS, &mime->word);
	return mime_keep(mime, mime->word.data, mime->word.len);
}

static void
add_parameter(struct mime *mime, const char *name, const char *value)
{
	struct mime_parameter *array = mime_room(
	    mime, mime->parameter, mime->parameters, &mime->parameter_room, sizeof(*array));

	if (array == NULL || name == NULL || value == NULL)
		return;
	mime->parameter = array;
	array[mime->parameters].name = name;
	array[mime->parameters++].value = value;
}

/*
 * Parameters to the end of the field.  Between a value and the next name there may be a semicolon, none or several;
 * other octets there are ignored.
 */
static void
read_parameters(struct mime *mime, struct field_cursor *in, struct mime_run *parameters)
{
	parameters->first = (uint32_t)mime->parameters;
	while (mime->parameters_seen < MIME_PARAMETERS_MAX && !mime->failed) {
		struct field_cursor start;
		const char *name;

		field_cfws(in, NULL);
		if (field_peek(in) == -1)
			break;
		start = *in;
		mime->word.len = 0;
		if (*in->at == '"') { /* quoted, and no value */
			field_quoted(in, &mime->word);
			continue;
		}
		if (field_word(in, TOKEN_STOPS, &mime->word) == 0) {
			in->at++;
			continue;
		}
		field_cfws(in, NULL);
		if (field_peek(in) != '=')
			continue;
		name = read_token(mime, &start);
		in->at++;
		add_parameter(mime, name, read_value(mime, in));
		mime->parameters_seen++;
	}
	parameters->count = (uint32_t)mime->parameters - parameters->first;
	mime_join_parameters(mime, parameters);
}

static const char *
find_parameter(const struct mime *mime, const struct mime_run *parameters, const char *name)
{
	for (uint32_t i = 0; i < parameters->count; i++)
		if (mime_word_is(mime->parameter[parameters->first + i].name, name))
			return mime->parameter[parameters->first + i].value;
	return NULL;
}

/* A malformed field is ignored: RFC 2045 section 5.2. */
static void
take_type(struct mime *mime, struct mime_node *node, struct field_cursor *in)
{
	const char *type, *subtype;

	if (node->pub.type != NULL)
		return;
	type = read_token(mime, in);
	field_cfws(in, NULL);
	if (type == NULL || field_peek(in) != '/')
		return;
	in->at++;
	subtype = read_token(mime, in);
	if (subtype == NULL)
		return;
	node->pub.type = type;
	node->pub.subtype = subtype;
	read_parameters(mime, in, &node->parameters);
	node->pub.charset = find_parameter(mime, &node->parameters, "charset");
	node->boundary = find_parameter(mime, &node->parameters, "boundary");
}

static void
take_disposition(struct mime *mime, struct mime_node *node, struct field_cursor *in)
{
	if (node->disposition != NULL)
		return;
	node->disposition = read_token(mime, in);
	if (node->disposition != NULL)
		read_parameters(mime, in, &node->disposition_parameters);
}

/* The values of a message stand together, as the fields of its header do. */
static void
take_for_envelope(
    struct mime *mime, struct mime_node *node, enum mime_field field, const char *text, size_t len)
{
	struct mime_value *array =
	    mime_room(mime, mime->value, mime->values, &mime->value_room, sizeof(*array));

	if (array == NULL)
		return;
	mime->value = array;
	if (node->values.count++ == 0)
		node->values.first = (uint32_t)mime->values;
	array[mime->values++] = (struct mime_value){mime_keep(mime, text, len), len, field};
}

/* A field of the current part, without the blanks around its text. */
static void
take_field(struct mime *mime, enum mime_field field, const char *text, size_t len)
{
	struct mime_node *node = &mime->node[mime->current];
	struct field_cursor in = {text, text + len};
	/* The memory beside its octets counts, too: fields may be empty and many. */
	size_t cost = len + sizeof(struct mime_value);

	if (mime->kept + cost > MIME_HEADER_MAX)
		return;
	mime->kept += cost;
	if (field == FIELD_TYPE)
		take_type(mime, node, &in);
	else if (field == FIELD_DISPOSITION)
		take_disposition(mime, node, &in);
	else if (field == FIELD_ENCODING && node->pub.encoding == NULL)
		node->pub.encoding = read_token(mime, &in);
	else if (field >= FIELD_ID && node->text[field - FIELD_ID] == NULL)
		node->text[field - FIELD_ID] = mime_keep(mime, text, len);
	else if (field < FIELDS_OF_ENVELOPE && mime_is_message(mime, node))
		take_for_envelope(mime, node, field, text, len);
}

/* A CR alone, at the end of a field, is a line end that was written twice. */
static bool
is_around(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

void
mime_header_end(struct mime *mime)
{
	const char *text = mime->text.data;
	size_t len = mime->text.len;

	if (mime->field == FIELD_OTHER)
		return;
	while (len > 0 && is_around(text[len - 1]))
		len--;
	while (len > 0 && is_around(*text)) {
		text++;
		len--;
	}
	take_field(mime, mime->field, len > 0 ? text : "", len);
	mime->failed |= mime->text.failed;
	mime->field = FIELD_OTHER;
}

static void
keep_value(struct mime *mime, const char *octets, size_t len)
{
	size_t room = MIME_HEADER_MAX - mime->kept;

	room = mime->text.len < room ? room - mime->text.len : 0;
	header_unfold(&mime->text, octets, len < room ? len : room);
}

/* Octets of the field's lines. */
static void
add_value(struct mime *mime, const char *octets, size_t len)
{
	const char *nul;

	while ((nul = memchr(octets, '\0', len)) != NULL) {
		size_t piece = (size_t)(nul - octets);

		keep_value(mime, octets, piece);
		keep_value(mime, REPLACEMENT, strlen(REPLACEMENT));
		octets += piece + 1;
		len -= piece + 1;
	}
	keep_value(mime, octets, len);
}

void
mime_header_begin(struct mime *mime)
{
	header_begin(&mime->header);
	mime->field = FIELD_OTHER;
}

bool
mime_header_feed(struct mime *mime, const char *octets, size_t len)
{
	const struct header_reader *header = &mime->header;
	const char *at = octets, *end = octets + len;

	while (at < end) {
		enum header_event event = header_next(&mime->header, &at, end);

		if (event == HEADER_TEXT && mime->field != FIELD_OTHER)
			add_value(mime, header->octets, header->len);
		if (event == HEADER_END)
			return true;
		if (event == HEADER_FIELD) {
			mime_header_end(mime);
			mime->field = field_of(header->octets, header->name_len);
			mime->text.len = 0;
		}
	}
	return false;
}
