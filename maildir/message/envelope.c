/*
 * envelope.c: ENVELOPE, and the strings of IMAP.  RFC 9051 section 7.5.2.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/message/address.h"
#include "maildir/message/charset.h"
#include "maildir/message/mime_internal.h"

/* Longer strings are literals: clients read quoted strings into lines of limited length. */
enum { QUOTED_MAX = 500 };

/*
 * Addresses in one envelope.  An "a," in a field becomes an address structure of 20 octets, three
 * times where From stands for Sender and Reply-To: without this the answer could be thirty times as
 * large as the message.
 */
enum { ADDRESSES_MAX = 50000 };

static bool
can_be_quoted(const char *text, size_t len, bool utf8)
{
	bool eight_bit = false;

	if (len > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0' || text[i] == '\r' || text[i] == '\n')
			return false;
		eight_bit |= (unsigned char)text[i] >= 0x80;
	}
	return !eight_bit || (utf8 && utf8_valid(text, len));
}

void
mime_put_string(struct mdbuf *out, const char *text, size_t len, bool utf8)
{
	size_t start = 0;

	if (text == NULL) {
		mdbuf_add(out, "NIL", 3);
		return;
	}
	if (!can_be_quoted(text, len, utf8)) {
		mdbuf_addf(out, "{%zu}\r\n", len);
		mdbuf_add(out, text, len);
		return;
	}
	mdbuf_add(out, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '"' && text[i] != '\\')
			continue;
		mdbuf_add(out, text + start, i - start);
		mdbuf_add(out, "\\", 1);
		start = i;
	}
	mdbuf_add(out, text + start, len - start);
	mdbuf_add(out, "\"", 1);
}

struct writer {
	const struct mime_value *value; /* of the message */
	size_t values;
	struct address_parser parser;
	struct mdbuf *out;
	size_t told;
	bool utf8;
};

/* A text of the parser after what stands before it; or_nil: an empty one is NIL. */
static void
put_text(struct writer *w, const char *before, const struct mdbuf *text, bool or_nil)
{
	const char *data = text->len > 0 ? text->data : or_nil ? NULL : "";

	mdbuf_add(w->out, before, 1);
	mime_put_string(w->out, data, text->len, w->utf8);
}

static void
put_address(struct writer *w, enum address_kind kind)
{
	const struct address_parser *parser = &w->parser;

	if (kind == ADDRESS_GROUP_END) {
		mdbuf_add(w->out, "(NIL NIL NIL NIL)", 17);
		return;
	}
	put_text(w, "(", &parser->name, true);
	put_text(w, " ", &parser->route, true);
	put_text(w, " ", &parser->mailbox, false);
	put_text(w, " ", &parser->host, kind == ADDRESS_GROUP);
	mdbuf_add(w->out, ")", 1);
}

/* Adds the addresses of a text; *any: the list is not empty, and has begun. */
static void
put_list(struct writer *w, const struct mime_value *value, bool *any)
{
	bool in_group = false;
	enum address_kind kind;

	address_begin(&w->parser, value->text, value->len);
	while ((kind = address_next(&w->parser)) != ADDRESS_NONE) {
		if (w->told >= ADDRESSES_MAX) {
			if (in_group)
				put_address(w, ADDRESS_GROUP_END);
			return;
		}
		in_group = kind == ADDRESS_GROUP || (in_group && kind != ADDRESS_GROUP_END);
		w->told++;
		mdbuf_add(w->out, "(", *any ? 0 : 1);
		*any = true;
		put_address(w, kind);
	}
}

/* Adds the addresses of a field; false: the field has no address, and nothing was added. */
static bool
put_addresses(struct writer *w, enum mime_field field)
{
	bool any = false;

	for (size_t i = 0; i < w->values; i++)
		if (w->value[i].field == field)
			put_list(w, &w->value[i], &any);
	mdbuf_add(w->out, ")", any ? 1 : 0);
	return any;
}

static void
put_field(struct writer *w, enum mime_field field)
{
	bool from = field == FIELD_SENDER || field == FIELD_REPLY_TO;
	const struct mime_value *last = NULL;

	if (field >= FIELD_FROM && field <= FIELD_BCC) {
		if (!put_addresses(w, field) && !(from && put_addresses(w, FIELD_FROM)))
			mdbuf_add(w->out, "NIL", 3);
		return;
	}
	for (size_t i = 0; i < w->values; i++)
		if (w->value[i].field == field)
			last = &w->value[i];
	mime_put_string(
	    w->out, last != NULL ? last->text : NULL, last != NULL ? last->len : 0, w->utf8);
}

void
mime_put_envelope(const struct mime *mime, uint32_t part, bool utf8, struct mdbuf *out)
{
	const struct mime_run *values = &mime->node[part].values;
	struct writer w = {.values = values->count, .out = out, .utf8 = utf8};

	if (values->count > 0)
		w.value = &mime->value[values->first];
	for (enum mime_field i = 0; i < FIELDS_OF_ENVELOPE; i++) {
		mdbuf_add(out, i == 0 ? "(" : " ", 1);
		put_field(&w, i);
	}
	mdbuf_add(out, ")", 1);
	out->failed |= address_failed(&w.parser);
	address_clear(&w.parser);
}
