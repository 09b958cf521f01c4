/*
 * structure.c: BODY and BODYSTRUCTURE.  RFC 9051 section 7.5.2.
 * Runs as: mail user.
 *
 * The parts are walked along their links, down, on and up: a multipart or a message is opened on the
 * way down and closed on the way up, and nothing recurses.
 */
#include <inttypes.h>
#include <string.h>

#include "maildir/base/number.h"
#include "maildir/message/charset.h"
#include "maildir/message/field.h"
#include "maildir/message/mime_internal.h"

struct writer {
	const struct mime *mime;
	struct mdbuf *out;
	bool extended, utf8, rev2;
};

static void
put(struct writer *w, const char *text)
{
	mdbuf_add(w->out, text, strlen(text));
}

/* A string, or NIL, after what stands before it. */
static void
put_word(struct writer *w, const char *before, const char *word)
{
	put(w, before);
	mime_put_string(w->out, word, word != NULL ? strlen(word) : 0, w->utf8);
}

/*
 * Whether the message inside is told.  IMAP4rev1 knows message/rfc822 only (RFC 3501 section 9,
 * body-type-msg); to its clients message/global is a part like any other.
 */
static bool
tells_message(const struct writer *w, const struct mime_part *part)
{
	return mime_is_message_type(part) && (w->utf8 || mime_word_is(part->subtype, "rfc822"));
}

/* Adds a text, and decodes what is percent-encoded in it. */
static void
add_octets(const char *text, struct mdbuf *out)
{
	for (; *text != '\0'; text++) {
		int octet = *text == '%' ? number_hex_pair(text + 1) : -1;
		char c = octet >= 0 ? (char)octet : *text;

		mdbuf_add(out, &c, 1);
		text += octet >= 0 ? 2 : 0;
	}
}

/* The value of "name*", "utf-8'de'%C3%BC", as UTF-8.  false: that is not what it is, or it cannot be told. */
static bool
decode_value(const struct mime_parameter *parameter, struct mdbuf *out)
{
	const char *value = parameter->value, *star = strchr(parameter->name, '*');
	const char *language = strchr(value, '\'');
	const char *text = language != NULL ? strchr(language + 1, '\'') : NULL;
	const struct charset *charset = charset_unmarked();
	struct charset_carry carry = {.len = 0};
	struct mdbuf octets = {0};

	if (star == NULL || star[1] != '\0' || text == NULL)
		return false;
	if (language > value)
		charset = charset_find(value, (size_t)(language - value));
	if (charset == NULL)
		return false;
	add_octets(text + 1, &octets);
	charset_to_utf8(charset, &carry, octets.data, octets.len, true, out);
	out->failed |= octets.failed;
	mdbuf_clear(&octets);
	/* No string of IMAP has a NUL. */
	return !out->failed && (out->len == 0 || memchr(out->data, '\0', out->len) == NULL);
}

static void
put_value(struct writer *w, const struct mime_parameter *parameter)
{
	struct mdbuf decoded = {0};

	if (w->rev2 && decode_value(parameter, &decoded))
		mime_put_string(
		    w->out, decoded.data != NULL ? decoded.data : "", decoded.len, true);
	else
		put_word(w, "", parameter->value);
	w->out->failed |= decoded.failed;
	mdbuf_clear(&decoded);
}

/* Without the parenthesis at the end, where there are any. */
static bool
put_pairs(struct writer *w, const struct mime_run *parameters)
{
	for (uint32_t i = 0; i < parameters->count; i++) {
		const struct mime_parameter *parameter = &w->mime->parameter[parameters->first + i];

		put_word(w, i == 0 ? "(" : " ", parameter->name);
		put(w, " ");
		put_value(w, parameter);
	}
	return parameters->count > 0;
}

/* Text without a charset is in US-ASCII, which is told.  RFC 2045 section 5.2. */
static void
put_type_parameters(struct writer *w, const struct mime_node *node)
{
	bool any = put_pairs(w, &node->parameters);

	if (mime_word_is(node->pub.type, "text") && node->pub.charset == NULL) {
		put(w, any ? " " : "(");
		put(w, "\"charset\" \"us-ascii\"");
		any = true;
	}
	put(w, any ? ")" : "NIL");
}

/* RFC 3282: a list of tags, with comments. */
static void
put_language(struct writer *w, const char *language)
{
	struct field_cursor in = {language, language != NULL ? language + strlen(language) : NULL};
	struct mdbuf tag = {0};
	bool any = false;

	while (in.at < in.end) {
		field_cfws(&in, NULL);
		tag.len = 0;
		if (field_word(&in, "(,", &tag) > 0) {
			put(w, any ? " " : "(");
			mime_put_string(w->out, tag.data, tag.len, w->utf8);
			any = true;
		} else if (field_peek(&in) == ',') {
			in.at++;
		}
	}
	put(w, any ? ")" : "NIL");
	w->out->failed |= tag.failed;
	mdbuf_clear(&tag);
}

/* The end of the extension data, which is the same for all kinds of parts. */
static void
put_extension(struct writer *w, const struct mime_node *node)
{
	if (node->disposition != NULL) {
		put_word(w, " (", node->disposition);
		put(w, " ");
		put(w, put_pairs(w, &node->disposition_parameters) ? ")) " : "NIL) ");
	} else {
		put(w, " NIL ");
	}
	put_language(w, mime_field_text(node, FIELD_LANGUAGE));
	put_word(w, " ", mime_field_text(node, FIELD_LOCATION));
}

static void
put_basic(struct writer *w, const struct mime_node *node)
{
	put_word(w, "", node->pub.type);
	put_word(w, " ", node->pub.subtype);
	put(w, " ");
	put_type_parameters(w, node);
	put_word(w, " ", mime_field_text(node, FIELD_ID));
	put_word(w, " ", mime_field_text(node, FIELD_DESCRIPTION));
	put_word(w, " ", node->pub.encoding != NULL ? node->pub.encoding : "7bit");
	mdbuf_addf(w->out, " %" PRIu64, node->pub.body_size);
}

/* The text before that of the parts inside. */
static void
put_begin(struct writer *w, uint32_t index)
{
	const struct mime_node *node = &w->mime->node[index];

	put(w, "(");
	if (node->pub.kind == MIME_MULTIPART)
		return;
	put_basic(w, node);
	if (!tells_message(w, &node->pub))
		return;
	if (node->pub.kind == MIME_MESSAGE) {
		put(w, " ");
		mime_put_envelope(w->mime, node->pub.child, w->utf8, w->out);
		put(w, " ");
		return;
	}
	/* It is encoded, and was not looked into; the grammar wants a message all the same. */
	put(w, " (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
	       " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
	put(w, w->extended ? " NIL NIL NIL NIL)" : ")");
}

/* The text after that of the parts inside. */
static void
put_end(struct writer *w, uint32_t index)
{
	const struct mime_node *node = &w->mime->node[index];

	if (node->pub.kind == MIME_MULTIPART)
		put_word(w, " ", node->pub.subtype);
	else if (mime_word_is(node->pub.type, "text") || tells_message(w, &node->pub))
		mdbuf_addf(w->out, " %" PRIu32, node->pub.body_lines);
	if (w->extended && node->pub.kind == MIME_MULTIPART) {
		put(w, " ");
		put(w, put_pairs(w, &node->parameters) ? ")" : "NIL");
	} else if (w->extended) {
		put_word(w, " ", mime_field_text(node, FIELD_MD5));
	}
	if (w->extended)
		put_extension(w, node);
	put(w, ")");
}

static void
put_structure(struct writer *w)
{
	const struct mime *mime = w->mime;
	uint32_t at = 0;

	for (;;) {
		const struct mime_part *part = &mime->node[at].pub;

		put_begin(w, at);
		if (part->kind == MIME_MULTIPART ||
		    (part->kind == MIME_MESSAGE && tells_message(w, part))) {
			at = part->child;
			continue;
		}
		put_end(w, at);
		while (mime->node[at].pub.next == MIME_NONE) {
			at = mime->node[at].pub.parent;
			if (at == MIME_NONE)
				return;
			put_end(w, at);
		}
		at = mime->node[at].pub.next;
	}
}

void
mime_put_structure(const struct mime *mime, bool extended, bool utf8, struct mdbuf *out)
{
	put_structure(&(struct writer){mime, out, extended, utf8, false});
}

void
mime_put_structure_rev2(const struct mime *mime, bool extended, struct mdbuf *out)
{
	put_structure(&(struct writer){mime, out, extended, true, true});
}

bool
mime_rev2_differs(const char *structure, size_t len)
{
	static const char name_end[] = "*\" "; /* a parameter's name that ends in a star */

	return len > 0 && memmem(structure, len, name_end, sizeof(name_end) - 1) != NULL;
}
