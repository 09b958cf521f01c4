/*
 * encoded_word.c: encoded words in header fields.  RFC 2047.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/base/number.h"
#include "maildir/message/encoded_word.h"
#include "maildir/message/mime.h"

enum {
	/* A charset's name in an encoded word; the longest that IANA lists has 45 octets. */
	NAME_MAX_LEN = 64,
	PIECE = 512, /* what is decoded at a time */
};

/* An encoded word: "=?charset?encoding?payload?=". */
struct word {
	const struct charset *charset;
	enum transfer_encoding kind;
	const char *payload, *end; /* of the payload */
};

/* Text in another charset follows: a character that is cut stays so. */
static void
finish(struct encoded_words *words, struct mdbuf *out)
{
	if (words->charset != NULL)
		charset_to_utf8(words->charset, &words->carry, NULL, 0, true, out);
	words->charset = NULL;
}

static bool
all_blank(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len && (text[at] == ' ' || text[at] == '\t'))
		at++;
	return at == len;
}

/* Text between encoded words.  Blanks after a word are held: only the next octets tell whether they count. */
static void
add_plain(struct encoded_words *words, const char *text, size_t len, struct mdbuf *out)
{
	if (len == 0)
		return;
	if (words->after_word) {
		if (words->blanks_len + len <= sizeof(words->blanks) && all_blank(text, len)) {
			memcpy(words->blanks + words->blanks_len, text, len);
			words->blanks_len += len;
			return;
		}
		finish(words, out);
		mdbuf_add(out, words->blanks, words->blanks_len);
		words->blanks_len = 0;
		words->after_word = false;
	}
	words->charset = charset_unmarked();
	charset_to_utf8(words->charset, &words->carry, text, len, false, out);
}

/* The "Q" encoding (section 4.2): octets from *at on, as many as out has room for. */
static size_t
decode_q(const char **at, const char *end, char *out, size_t size)
{
	const char *in = *at;
	size_t n = 0;

	while (in < end && n < size) {
		int octet = end - in > 2 && in[0] == '=' ? number_hex_pair(in + 1) : -1;

		if (octet >= 0) {
			out[n++] = (char)octet;
			in += 3;
		} else {
			out[n++] = *in == '_' ? ' ' : *in;
			in++;
		}
	}
	*at = in;
	return n;
}

static void
decode_payload(struct encoded_words *words, const struct word *word, struct mdbuf *out)
{
	char data[PIECE + sizeof(((struct transfer_decoder *)0)->held)];
	const char *at = word->payload;
	struct transfer_decoder decoder;
	size_t n;

	transfer_init(&decoder, word->kind);
	while (at < word->end) {
		size_t left = (size_t)(word->end - at), piece = left < PIECE ? left : PIECE;

		if (word->kind == TRANSFER_BASE64) {
			n = transfer_feed(&decoder, at, piece, data);
			at += piece;
		} else {
			n = decode_q(&at, word->end, data, PIECE);
		}
		charset_to_utf8(words->charset, &words->carry, data, n, false, out);
	}
	n = transfer_end(&decoder, data);
	charset_to_utf8(words->charset, &words->carry, data, n, false, out);
}

/* A word continues the word before it, unless its charset is another. */
static void
add_word(struct encoded_words *words, const struct word *word, struct mdbuf *out)
{
	if (!words->after_word || words->charset != word->charset ||
	    charset_stateful(word->charset))
		finish(words, out);
	words->charset = word->charset;
	words->blanks_len = 0;
	words->after_word = true;
	decode_payload(words, word, out);
}

/* The next place of these two octets, or the end. */
static const char *
find_two(const char *at, const char *end, const char *two)
{
	const char *found = at < end ? memmem(at, (size_t)(end - at), two, 2) : NULL;

	return found != NULL ? found : end;
}

/*
 * Parses the word that begins with the "=?" at start; false: that begins no word.  *mark is the first "?=" after
 * an earlier start; it is kept so that a text full of beginnings is searched only once.
 */
static bool
word_parse(const char *start, const char *end, const char **mark, struct word *word_r)
{
	const char *name = start + 2, *at = name, *star;
	const char *most = end - name > NAME_MAX_LEN ? name + NAME_MAX_LEN : end;

	while (at < most && *at != '?' && *at > ' ' && *at != '=')
		at++;
	if (at == name || end - at < 3 || at[0] != '?' || at[2] != '?')
		return false;
	if (at[1] != 'B' && at[1] != 'b' && at[1] != 'Q' && at[1] != 'q')
		return false;
	word_r->kind = at[1] == 'B' || at[1] == 'b' ? TRANSFER_BASE64 : TRANSFER_IDENTITY;
	word_r->payload = at + 3;
	if (*mark < word_r->payload)
		*mark = find_two(word_r->payload, end, "?=");
	word_r->end = *mark;
	/* If another word begins before the end, this one has no end. */
	if (*mark == end || find_two(word_r->payload, *mark, "=?") != *mark)
		return false;
	/* RFC 2231, section 5: a language after the charset. */
	star = memchr(name, '*', (size_t)(at - name));
	word_r->charset = charset_find(name, (size_t)((star != NULL ? star : at) - name));
	if (word_r->charset == NULL)
		word_r->charset = charset_unmarked();
	return true;
}

void
encoded_word_feed(struct encoded_words *words, const char *text, size_t len, struct mdbuf *out)
{
	const char *end = text + len, *from = text, *at = text, *mark = text;
	struct word word;

	while ((at = find_two(at, end, "=?")) != end) {
		if (!word_parse(at, end, &mark, &word)) {
			at += 2;
			continue;
		}
		add_plain(words, from, (size_t)(at - from), out);
		add_word(words, &word, out);
		from = at = word.end + 2;
	}
	add_plain(words, from, (size_t)(end - from), out);
}

void
encoded_word_end(struct encoded_words *words, struct mdbuf *out)
{
	finish(words, out);
	mdbuf_add(out, words->blanks, words->blanks_len);
	memset(words, 0, sizeof(*words));
}

bool
encoded_word_squeeze(struct mdbuf *text, bool after_blank)
{
	size_t to = 0;

	for (size_t i = 0; i < text->len; i++) {
		bool blank = text->data[i] == ' ' || text->data[i] == '\t';

		if (!blank)
			text->data[to++] = text->data[i];
		else if (!after_blank)
			text->data[to++] = ' ';
		after_blank = blank;
	}
	text->len = to;
	return after_blank;
}
