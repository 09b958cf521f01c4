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
#include "maildir/message/utf8.h"

enum { BLOCK = sizeof(casemap_place[0]) / sizeof(casemap_place[0][0]) };

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
map_ascii(const char *in, size_t len, struct mdbuf *out)
{
	char *to = mdbuf_room(out, len);
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
map_hangul(uint32_t code, struct mdbuf *out)
{
	uint32_t index = code - HANGUL_FIRST, trailing = index % HANGUL_TRAILINGS;

	utf8_add(HANGUL_LEADING + index / (HANGUL_VOWELS * HANGUL_TRAILINGS), out);
	utf8_add(HANGUL_VOWEL + index / HANGUL_TRAILINGS % HANGUL_VOWELS, out);
	if (trailing != 0)
		utf8_add(HANGUL_TRAILING + trailing, out);
}

/* The character of len octets, which is code. */
static void
map_character(const char *octets, size_t len, uint32_t code, struct mdbuf *out)
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
	to = mdbuf_room(out, len);
	if (to == NULL)
		return;
	memcpy(to, from, len);
	out->len += len;
}

void
casemap_add(const char *utf8, size_t len, struct mdbuf *out)
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
			mdbuf_add(out, utf8 + at, wide = 1);
		else
			map_character(utf8 + at, (size_t)wide, code, out);
		at += (size_t)wide;
	}
}
