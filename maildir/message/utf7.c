/*
 * utf7.c: modified UTF-7, which names of folders are in on disk, from and to UTF-8.
 * Runs as: mail user.
 *
 * Modified UTF-7 is taken in its one canonical form only: else two names would be one to a client and
 * two on disk.  Controls, which no name may have, are refused in both encodings.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "maildir/message/charset.h"
#include "maildir/message/utf8.h"

enum {
	UNIT_BITS = 16, /* modified UTF-7 is UTF-16 in BASE64, six bits an octet */
	SIX_BITS = 6,
	LINE_SEPARATOR = 0x2028,
	PARAGRAPH_SEPARATOR = 0x2029,
};

/* RFC 3501 section 5.1.3: "," where BASE64 has "/". */
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Room for a result; its NUL has room after end. */
struct output {
	char *at, *end;
};

/* RFC 6855 section 3. */
static bool
is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == LINE_SEPARATOR ||
	       code == PARAGRAPH_SEPARATOR;
}

/* Characters that modified UTF-7 leaves as they are, and "&". */
static bool
is_printable(uint32_t code)
{
	return code >= 0x20 && code < 0x7f;
}

static bool
put(struct output *out, const char *octets, size_t len)
{
	if (len > (size_t)(out->end - out->at))
		return false;
	memcpy(out->at, octets, len);
	out->at += len;
	return true;
}

/* Decodes a unit of UTF-16; *high: the first half of a pair that waits for the second, or 0. */
static enum utf7
decode_unit(uint32_t unit, uint32_t *high, struct output *out)
{
	char octets[UTF8_MAX];
	uint32_t code = unit;

	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return UTF7_WRONG;
		code = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
		*high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return UTF7_OK;
	} else if ((unit >= 0xdc00 && unit <= 0xdfff) || is_printable(unit)) {
		return UTF7_WRONG;
	}
	if (is_control(code))
		return UTF7_CONTROL;
	return put(out, octets, utf8_put(code, octets)) ? UTF7_OK : UTF7_LONG;
}

/* From after "&" to after "-". */
static enum utf7
decode_shift(const char **at, const char *end, struct output *out)
{
	uint32_t bits = 0, high = 0;
	unsigned count = 0;
	const char *start = *at, *digit;

	for (; *at < end && **at != '-'; ++*at) {
		enum utf7 result = UTF7_OK;

		digit = memchr(BASE64, **at, sizeof(BASE64) - 1);
		if (digit == NULL)
			return UTF7_WRONG;
		bits = bits << SIX_BITS | (uint32_t)(digit - BASE64);
		count += SIX_BITS;
		if (count >= UNIT_BITS) {
			count -= UNIT_BITS;
			result = decode_unit(bits >> count & 0xffff, &high, out);
		}
		if (result != UTF7_OK)
			return result;
	}
	/* Nothing may be left but the zeros that fill the last digit. */
	if (*at == end || *at == start || high != 0 || count >= SIX_BITS ||
	    (bits & ((1U << count) - 1)) != 0)
		return UTF7_WRONG;
	++*at;
	return UTF7_OK;
}

static enum utf7
decode(const char *at, const char *end, struct output *out)
{
	bool shifted = false; /* the last that came was a run of BASE64 */

	while (at < end) {
		const char *c = at++;
		enum utf7 result = UTF7_OK;
		bool literal = *c != '&' || (at < end && *at == '-');

		if (!is_printable((unsigned char)*c))
			return (unsigned char)*c < 0x80 ? UTF7_CONTROL : UTF7_WRONG;
		/* Two runs side by side are one run, written otherwise. */
		if (!literal)
			result = shifted ? UTF7_WRONG : decode_shift(&at, end, out);
		else if (!put(out, c, 1))
			result = UTF7_LONG;
		if (result != UTF7_OK)
			return result;
		at += literal && *c == '&';
		shifted = !literal;
	}
	return UTF7_OK;
}

/* A run of BASE64: bits that wait for more. */
struct shift {
	uint32_t bits;
	unsigned count;
};

static bool
put_bits(struct output *out, struct shift *shift, uint32_t bits, unsigned count)
{
	shift->bits = shift->bits << count | bits;
	shift->count += count;
	while (shift->count >= SIX_BITS) {
		shift->count -= SIX_BITS;
		if (!put(out, &BASE64[shift->bits >> shift->count & 0x3f], 1))
			return false;
	}
	return true;
}

/* The end of a run: the bits that are left, filled up with zeros, and "-". */
static bool
put_shift_end(struct output *out, struct shift *shift)
{
	return (shift->count == 0 || put_bits(out, shift, 0, SIX_BITS - shift->count)) &&
	       put(out, "-", 1);
}

static bool
put_shifted(struct output *out, struct shift *shift, uint32_t code)
{
	if (code < 0x10000)
		return put_bits(out, shift, code, UNIT_BITS);
	code -= 0x10000;
	return put_bits(out, shift, 0xd800 + (code >> 10), UNIT_BITS) &&
	       put_bits(out, shift, 0xdc00 + (code & 0x3ff), UNIT_BITS);
}

static enum utf7
encode(const char *at, const char *end, struct output *out)
{
	struct shift shift = {0};
	bool shifted = false, room = true;
	uint32_t code;

	while (at < end && room) {
		int len = utf8_next(at, (size_t)(end - at), &code);

		if (len <= 0)
			return UTF7_WRONG;
		if (is_control(code))
			return UTF7_CONTROL;
		if (shifted && is_printable(code)) {
			room = put_shift_end(out, &shift);
		} else if (!shifted && !is_printable(code)) {
			room = put(out, "&", 1);
			shift.count = 0;
		}
		shifted = !is_printable(code);
		if (shifted)
			room = room && put_shifted(out, &shift, code);
		else
			room = room && put(out, at, 1) && (code != '&' || put(out, "-", 1));
		at += len;
	}
	if (shifted)
		room = room && put_shift_end(out, &shift);
	return room ? UTF7_OK : UTF7_LONG;
}

static enum utf7
convert(enum utf7 (*how)(const char *at, const char *end, struct output *out), const char *text,
    size_t len, char *text_r, size_t size)
{
	struct output out = {text_r, text_r};
	enum utf7 result;

	if (size == 0)
		return UTF7_LONG;
	out.end += size - 1;
	result = how(text, text + len, &out);
	*out.at = '\0';
	return result;
}

enum utf7
utf7_decode(const char *utf7, size_t len, char *utf8_r, size_t size)
{
	return convert(decode, utf7, len, utf8_r, size);
}

enum utf7
utf7_encode(const char *utf8, size_t len, char *utf7_r, size_t size)
{
	return convert(encode, utf8, len, utf7_r, size);
}
