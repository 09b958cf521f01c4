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

enum { BLOCK = sizeof(casemap_place[0]) / sizeof(casemap_place[0][0]) };

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

/* Upper case of eight ASCII letters at once: bit 5 goes from octets between 'a' and 'z'. */
static uint64_t
upper_eight(uint64_t eight)
{
	const uint64_t each = 0x0101010101010101U;
	/* The high bit of an octet becomes set when it is at least 'a', or above 'z'. */
	uint64_t from_a = eight + each * (0x80 - 'a'), above_z = eight + each * (0x80 - 'z' - 1);

	return eight ^ ((from_a & ~above_z & (each * 0x80)) >> 2);
}

static void
map_ascii(const char *in, size_t len, struct mdtext *out)
{
	char *to = mdtext_room(out, len);
	size_t at = 0;
	uint64_t eight;

	if (to == NULL)
		return;
	for (; at + sizeof(eight) <= len; at += sizeof(eight)) {
		memcpy(&eight, in + at, sizeof(eight));
		eight = upper_eight(eight);
		memcpy(to + at, &eight, sizeof(eight));
	}
	for (; at < len; at++)
		to[at] = in[at] >= 'a' && in[at] <= 'z' ? (char)(in[at] - 'a' + 'A') : in[at];
	out->len += len;
}

static void
map_hangul(uint32_t code, struct mdtext *out)
{
	uint32_t index = code - HANGUL_FIRST, trailing = index % HANGUL_TRAILINGS;

	utf8_add(HANGUL_LEADING + index / (HANGUL_VOWELS * HANGUL_TRAILINGS), out);
	utf8_add(HANGUL_VOWEL + index / HANGUL_TRAILINGS % HANGUL_VOWELS, out);
	if (trailing != 0)
		utf8_add(HANGUL_TRAILING + trailing, out);
}

/* The character of len octets, which is code. */
static void
map_character(const char *octets, size_t len, uint32_t code, struct mdtext *out)
{
	const unsigned char *mapped = casemap_pool;
	const void *from = octets;
	char *to;

	if (code >= HANGUL_FIRST && code <= HANGUL_LAST) {
		map_hangul(code, out);
		return;
	}
	if (code / BLOCK < sizeof(casemap_block))
		mapped += casemap_place[casemap_block[code / BLOCK]][code % BLOCK];
	if (mapped[0] != 0) {
		from = mapped + 1;
		len = mapped[0];
	}
	to = mdtext_room(out, len);
	if (to == NULL)
		return;
	memcpy(to, from, len);
	out->len += len;
}

void
casemap_add(const char *utf8, size_t len, struct mdtext *out)
{
	uint32_t code;

	for (size_t at = 0; at < len;) {
		size_t n = utf8_ascii(utf8 + at, len - at);
		int wide;

		if (n > 0) {
			map_ascii(utf8 + at, n, out);
			at += n;
			continue;
		}
		wide = utf8_next(utf8 + at, len - at, &code);
		if (wide <= 0)
			mdtext_add(out, utf8 + at, wide = 1);
		else
			map_character(utf8 + at, (size_t)wide, code, out);
		at += (size_t)wide;
	}
}
