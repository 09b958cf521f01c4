/*
 * casemap.c: UTF-8 mapped as i;unicode-casemap compares it.  RFC 5051.
 * Runs as: mail user.
 *
 * casemap_table.h is made by casemap.awk.  Hangul syllables, which UnicodeData.txt lists as a range,
 * are taken apart by arithmetic, so that those which came composed match those which did not.  Marks
 * are not put in order (RFC 5051, section 4, allows either).
 */
#include <stdint.h>
#include <string.h>

#include "maildir/message/casemap.h"
#include "maildir/message/casemap_table.h"

enum {
	BLOCK = sizeof(casemap_place[0]) / sizeof(casemap_place[0][0]),
	/* What is mapped between two calls of mdtext_add. */
	PIECE = 2048,
	/* The longest a character can become: the lengths in the table are octets. */
	MAPPED_MAX = 255,
};

struct piece {
	struct mdtext *out;
	size_t len;
	char data[PIECE];
};

int
utf8_next(const char *octets, size_t len, uint32_t *code_r)
{
	const unsigned char *in = (const unsigned char *)octets;
	size_t need = in[0] < 0x80 ? 1 : in[0] < 0xe0 ? 2 : in[0] < 0xf0 ? 3 : 4;
	/* The second octet's bounds: nothing overlong, no surrogates, at most U+10FFFF. */
	unsigned low = in[0] == 0xe0 ? 0xa0 : in[0] == 0xf0 ? 0x90 : 0x80;
	unsigned high = in[0] == 0xed ? 0x9f : in[0] == 0xf4 ? 0x8f : 0xbf;
	uint32_t code = need == 1 ? in[0] : in[0] & (0x7fU >> need);

	if ((in[0] >= 0x80 && in[0] < 0xc2) || in[0] > 0xf4)
		return -1;
	for (size_t i = 1; i < need; i++, low = 0x80, high = 0xbf) {
		if (i == len)
			return 0;
		if (in[i] < low || in[i] > high)
			return -1;
		code = code << 6 | (in[i] & 0x3f);
	}
	*code_r = code;
	return (int)need;
}

size_t
utf8_ascii(const char *octets, size_t len)
{
	size_t at = 0;
	uint64_t eight;

	for (; at + sizeof(eight) <= len; at += sizeof(eight)) {
		memcpy(&eight, octets + at, sizeof(eight));
		if (eight & 0x8080808080808080U)
			break;
	}
	while (at < len && (unsigned char)octets[at] < 0x80)
		at++;
	return at;
}

bool
utf8_valid(const char *octets, size_t len)
{
	uint32_t code;

	for (size_t at = 0; at < len;) {
		int n;

		at += utf8_ascii(octets + at, len - at);
		if (at == len)
			break;
		n = utf8_next(octets + at, len - at, &code);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static void
piece_flush(struct piece *piece)
{
	mdtext_add(piece->out, piece->data, piece->len);
	piece->len = 0;
}

static void
piece_add(struct piece *piece, const void *octets, size_t len)
{
	if (len > sizeof(piece->data) - piece->len)
		piece_flush(piece);
	memcpy(piece->data + piece->len, octets, len);
	piece->len += len;
}

/* Upper case of eight ASCII letters at once: bit 5 goes from octets between 'a' and 'z'. */
static uint64_t
upper_eight(uint64_t eight)
{
	const uint64_t each = 0x0101010101010101U;
	/* The high bit of an octet becomes set when it is at least 'a', or above 'z'. */
	uint64_t from_a = eight + each * (0x80 - 'a'), above_z = eight + each * (0x80 - 'z' - 1);

	return eight ^ ((from_a & ~above_z & (each * 0x80)) >> 2);
}

/* ASCII, and no more of it than there is room for in a piece. */
static void
map_ascii(struct piece *piece, const char *in, size_t len)
{
	char *out;
	size_t at = 0;
	uint64_t eight;

	if (len > sizeof(piece->data) - piece->len)
		piece_flush(piece);
	out = piece->data + piece->len;
	for (; at + sizeof(eight) <= len; at += sizeof(eight)) {
		memcpy(&eight, in + at, sizeof(eight));
		eight = upper_eight(eight);
		memcpy(out + at, &eight, sizeof(eight));
	}
	for (; at < len; at++)
		out[at] = in[at] >= 'a' && in[at] <= 'z' ? (char)(in[at] - 'a' + 'A') : in[at];
	piece->len += len;
}

static void
map_jamo(struct piece *piece, uint32_t code)
{
	char octets[UTF8_MAX];
	size_t len = utf8_put(code, octets);

	piece_add(piece, octets, len);
}

static void
map_hangul(struct piece *piece, uint32_t code)
{
	uint32_t index = code - HANGUL_FIRST, trailing = index % HANGUL_TRAILINGS;

	map_jamo(piece, HANGUL_LEADING + index / (HANGUL_VOWELS * HANGUL_TRAILINGS));
	map_jamo(piece, HANGUL_VOWEL + index / HANGUL_TRAILINGS % HANGUL_VOWELS);
	if (trailing != 0)
		map_jamo(piece, HANGUL_TRAILING + trailing);
}

/* The character of len octets, which is code. */
static void
map_character(struct piece *piece, const char *octets, size_t len, uint32_t code)
{
	const unsigned char *mapped = casemap_pool;

	if (code >= HANGUL_FIRST && code <= HANGUL_LAST) {
		map_hangul(piece, code);
		return;
	}
	if (code / BLOCK < sizeof(casemap_block))
		mapped += casemap_place[casemap_block[code / BLOCK]][code % BLOCK];
	if (mapped[0] == 0)
		piece_add(piece, octets, len);
	else
		piece_add(piece, mapped + 1, mapped[0]);
}

void
casemap_add(const char *utf8, size_t len, struct mdtext *out)
{
	struct piece piece = {.out = out};
	uint32_t code;

	_Static_assert(MAPPED_MAX <= PIECE, "a character fits into a piece");
	for (size_t at = 0; at < len;) {
		size_t n = utf8_ascii(utf8 + at, len - at < PIECE ? len - at : PIECE);
		int wide;

		if (n > 0) {
			map_ascii(&piece, utf8 + at, n);
			at += n;
			continue;
		}
		wide = utf8_next(utf8 + at, len - at, &code);
		if (wide <= 0)
			piece_add(&piece, utf8 + at, wide = 1);
		else
			map_character(&piece, utf8 + at, (size_t)wide, code);
		at += (size_t)wide;
	}
	piece_flush(&piece);
}
