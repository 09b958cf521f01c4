/*
 * transfer.c: base64 and quoted-printable, undone.
 * Runs as: mail user.
 */
#include <stdbool.h>
#include <string.h>

#include "maildir/base/caseless.h"
#include "maildir/base/number.h"
#include "maildir/message/mime.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Octets in base64 that have no value from 0 to 63. */
enum { B64_PAD = 64, B64_OTHER = 65 };

enum transfer_encoding
transfer_encoding(const char *word)
{
	static const char *const words[] = {
	    "7bit", "8bit", "binary", "", "base64", "quoted-printable"};
	static const enum transfer_encoding kinds[COUNT(words) + 1] = {TRANSFER_IDENTITY,
	    TRANSFER_IDENTITY, TRANSFER_IDENTITY, TRANSFER_IDENTITY, TRANSFER_BASE64,
	    TRANSFER_QUOTED_PRINTABLE, TRANSFER_UNKNOWN};

	if (word == NULL)
		return TRANSFER_IDENTITY;
	return kinds[caseless_find(words, COUNT(words), word, strlen(word))];
}

void
transfer_init(struct transfer_decoder *decoder, enum transfer_encoding kind)
{
	memset(decoder, 0, sizeof(*decoder));
	decoder->kind = kind;
}

/* --- base64 --- */

#define X B64_OTHER
// clang-format off
static const unsigned char base64_value[256] = {
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, 62, X, X, X, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, B64_PAD, X, X,
    X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X, X, X, X, X,
    X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};
// clang-format on
#undef X

/* The whole groups at the start of the text, as far as it has nothing else; most lines are such. */
static size_t
base64_groups(const unsigned char *in, size_t len, char *out)
{
	size_t at = 0;

	for (; at + 4 <= len; at += 4) {
		unsigned a = base64_value[in[at]], b = base64_value[in[at + 1]];
		unsigned c = base64_value[in[at + 2]], d = base64_value[in[at + 3]];

		if ((a | b | c | d) >= B64_PAD)
			break;
		*out++ = (char)(a << 2 | b >> 4);
		*out++ = (char)(b << 4 | c >> 2);
		*out++ = (char)(c << 6 | d);
	}
	return at;
}

/* The octets that an unfinished group holds; what is left of its bits is nothing. */
static size_t
base64_flush(struct transfer_decoder *decoder, char *out)
{
	size_t n = 0;

	if (decoder->count == 2)
		out[n++] = (char)(decoder->bits >> 4);
	if (decoder->count == 3) {
		out[n++] = (char)(decoder->bits >> 10);
		out[n++] = (char)(decoder->bits >> 2);
	}
	decoder->count = decoder->bits = 0;
	return n;
}

static size_t
base64_octet(struct transfer_decoder *decoder, unsigned char octet, char *out)
{
	unsigned value = base64_value[octet];

	if (value == B64_OTHER)
		return 0;
	/* Padding ends a group; what follows is the next, as where encoded texts were joined. */
	if (value == B64_PAD)
		return base64_flush(decoder, out);
	decoder->bits = decoder->bits << 6 | value;
	if (++decoder->count < 4)
		return 0;
	out[0] = (char)(decoder->bits >> 16);
	out[1] = (char)(decoder->bits >> 8);
	out[2] = (char)decoder->bits;
	decoder->count = decoder->bits = 0;
	return 3;
}

static size_t
base64_feed(struct transfer_decoder *decoder, const unsigned char *in, size_t len, char *out)
{
	size_t at = 0, n = 0;

	while (at < len) {
		if (decoder->count == 0) {
			size_t whole = base64_groups(in + at, len - at, out + n);

			at += whole;
			n += whole / 4 * 3;
		}
		if (at < len)
			n += base64_octet(decoder, in[at++], out + n);
	}
	return n;
}

/* --- quoted-printable --- */

/*
 * The decoder holds octets that it cannot judge yet: blanks, which count only if the line goes on (RFC 2045,
 * section 6.7, rule 3), or an "=" with what came after it.
 */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether what is held is "=" and the first digit of an escape. */
static bool
quoted_half(const struct transfer_decoder *decoder)
{
	return decoder->held_len == 2 && decoder->held[0] == '=' &&
	       number_hex(decoder->held[1]) >= 0;
}

/* Whether the octet can follow what is held and leaves it as undecided as it was. */
static bool
quoted_holds(const struct transfer_decoder *decoder, char c)
{
	const char *held = decoder->held;
	size_t len = decoder->held_len;

	if (len == sizeof(decoder->held) || held[len - 1] == '\r' || quoted_half(decoder))
		return false;
	return is_blank(c) || c == '\r' || (len == 1 && held[0] == '=' && number_hex(c) >= 0);
}

static size_t
quoted_flush(struct transfer_decoder *decoder, char *out)
{
	size_t n = decoder->held_len;

	memcpy(out, decoder->held, n);
	decoder->held_len = 0;
	return n;
}

static size_t
quoted_octet(struct transfer_decoder *decoder, char c, char *out)
{
	char *held = decoder->held;
	size_t n = 0;

	if (quoted_half(decoder)) {
		const char digits[2] = {held[1], c};
		int octet = number_hex_pair(digits);

		if (octet >= 0) {
			decoder->held_len = 0;
			out[0] = (char)octet;
			return 1;
		}
	}
	if (c == '\n' && decoder->held_len > 0 && !quoted_half(decoder)) {
		/* Blanks go, and with an "=" the line end too. */
		if (held[0] != '=' && held[decoder->held_len - 1] == '\r')
			out[n++] = '\r';
		if (held[0] != '=')
			out[n++] = '\n';
		decoder->held_len = 0;
		return n;
	}
	if (decoder->held_len > 0 && !quoted_holds(decoder, c))
		n = quoted_flush(decoder, out);
	if (decoder->held_len > 0 || c == '=' || is_blank(c))
		held[decoder->held_len++] = c;
	else
		out[n++] = c;
	return n;
}

/* How many octets at the start stand for themselves: a blank does when a letter follows. */
static size_t
quoted_plain(const char *in, size_t len)
{
	size_t at = 0;

	while (at < len && in[at] != '=' &&
	       (!is_blank(in[at]) || (at + 1 < len && (unsigned char)in[at + 1] > ' ')))
		at++;
	return at;
}

static size_t
quoted_feed(struct transfer_decoder *decoder, const char *in, size_t len, char *out)
{
	size_t at = 0, n = 0;

	while (at < len) {
		if (decoder->held_len == 0) {
			size_t plain = quoted_plain(in + at, len - at);

			memcpy(out + n, in + at, plain);
			at += plain;
			n += plain;
		}
		if (at < len)
			n += quoted_octet(decoder, in[at++], out + n);
	}
	return n;
}

/* After the last line comes a line end, which belongs to the boundary. */
static size_t
quoted_end(struct transfer_decoder *decoder, char *out)
{
	size_t n = quoted_half(decoder) ? quoted_flush(decoder, out) : 0;

	decoder->held_len = 0;
	return n;
}

/* --- either --- */

size_t
transfer_feed(struct transfer_decoder *decoder, const char *in, size_t len, char *out)
{
	if (len == 0)
		return 0;
	if (decoder->kind == TRANSFER_BASE64)
		return base64_feed(decoder, (const unsigned char *)in, len, out);
	if (decoder->kind == TRANSFER_QUOTED_PRINTABLE)
		return quoted_feed(decoder, in, len, out);
	memcpy(out, in, len);
	return len;
}

size_t
transfer_end(struct transfer_decoder *decoder, char *out)
{
	if (decoder->kind == TRANSFER_BASE64)
		return base64_flush(decoder, out);
	if (decoder->kind == TRANSFER_QUOTED_PRINTABLE)
		return quoted_end(decoder, out);
	return 0;
}
