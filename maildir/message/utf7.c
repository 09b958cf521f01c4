/*
 * utf7.c: modified UTF-7, which names of folders are in on disk, from and to UTF-8.
 * Runs as: mail user.
 *
 * Modified UTF-7 is taken in its one canonical form only: else two names would be one to a client and
 * two on disk.  What a name must not hold (controls) is malformed in both encodings.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "maildir/message/casemap.h"
#include "maildir/message/utf7.h"

enum {
	UNIT_BITS = 16, /* modified UTF-7 is UTF-16 in BASE64, six bits an octet */
	SIX_BITS = 6,
	LINE_SEPARATOR = 0x2028,
	PARAGRAPH_SEPARATOR = 0x2029,
};

/* RFC 3501 section 5.1.3: "," where BASE64 has "/". */
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Text read, and text written with room for a NUL behind it. */
struct input {
	const char *at, *end;
};

struct output {
	char *at, *end;
};

static bool
output_init(struct output *out, char *text, size_t size)
{
	if (size == 0)
		return false;
	*out = (struct output){text, text + size - 1};
	return true;
}

static bool
put(struct output *out, unsigned octet)
{
	if (out->at == out->end)
		return false;
	*out->at++ = (char)octet;
	return true;
}

/* RFC 6855 section 3. */
static bool
is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == LINE_SEPARATOR ||
	       code == PARAGRAPH_SEPARATOR;
}

/* What modified UTF-7 leaves as it is, and "&". */
static bool
is_printable(uint32_t code)
{
	return code >= 0x20 && code < 0x7f;
}

static bool
take_utf8(struct input *in, uint32_t *code_r)
{
	int len = utf8_next(in->at, (size_t)(in->end - in->at), code_r);

	in->at += len > 0 ? len : 0;
	return len > 0;
}

static bool
put_utf8(struct output *out, uint32_t code)
{
	char octets[UTF8_MAX];
	size_t len = utf8_put(code, octets);

	if (len > (size_t)(out->end - out->at))
		return false;
	memcpy(out->at, octets, len);
	out->at += len;
	return true;
}

/* --- modified UTF-7, RFC 3501 section 5.1.3 --- */

/* A run of BASE64: bits that wait for more, and the first half of a pair; 0: none. */
struct shift {
	uint32_t bits;
	unsigned count;
	uint32_t high;
};

/* One unit of UTF-16. */
static enum utf7
take_unit(struct shift *shift, uint32_t unit, struct output *out)
{
	uint32_t code = unit;

	if (shift->high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return UTF7_WRONG;
		code = 0x10000 + ((shift->high - 0xd800) << 10) + (unit - 0xdc00);
		shift->high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		shift->high = unit;
		return UTF7_OK;
	} else if ((unit >= 0xdc00 && unit <= 0xdfff) || is_printable(unit)) {
		return UTF7_WRONG;
	}
	if (is_control(code))
		return UTF7_CONTROL;
	return put_utf8(out, code) ? UTF7_OK : UTF7_LONG;
}

/* From behind "&" to behind "-". */
static enum utf7
take_shift(struct input *in, struct output *out)
{
	struct shift shift = {0};
	enum utf7 result;
	const char *start = in->at, *digit;

	for (; in->at < in->end && *in->at != '-'; in->at++) {
		digit = memchr(BASE64, *in->at, sizeof(BASE64) - 1);
		if (digit == NULL)
			return UTF7_WRONG;
		shift.bits = shift.bits << SIX_BITS | (uint32_t)(digit - BASE64);
		shift.count += SIX_BITS;
		if (shift.count < UNIT_BITS)
			continue;
		shift.count -= UNIT_BITS;
		result = take_unit(&shift, shift.bits >> shift.count & 0xffff, out);
		if (result != UTF7_OK)
			return result;
	}
	/* Nothing may be left but the zeros that fill the last digit. */
	if (in->at == in->end || in->at == start || shift.high != 0 || shift.count >= SIX_BITS ||
	    (shift.bits & ((1U << shift.count) - 1)) != 0)
		return UTF7_WRONG;
	in->at++;
	return UTF7_OK;
}

static bool
starts_with(const struct input *in, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(in->end - in->at) >= len && memcmp(in->at, text, len) == 0;
}

static enum utf7
decode_utf7(struct input in, struct output *out)
{
	enum utf7 result;

	while (in.at < in.end) {
		unsigned char c = (unsigned char)*in.at++;

		if (!is_printable(c))
			return c < 0x80 ? UTF7_CONTROL : UTF7_WRONG;
		if (c != '&' || starts_with(&in, "-")) {
			in.at += c == '&';
			if (!put(out, c))
				return UTF7_LONG;
			continue;
		}
		result = take_shift(&in, out);
		if (result != UTF7_OK)
			return result;
		/* Two runs side by side are one run, written otherwise. */
		if (starts_with(&in, "&") && !starts_with(&in, "&-"))
			return UTF7_WRONG;
	}
	return UTF7_OK;
}

static bool
put_unit(struct output *out, struct shift *shift, uint32_t unit)
{
	shift->bits = shift->bits << UNIT_BITS | unit;
	shift->count += UNIT_BITS;
	while (shift->count >= SIX_BITS) {
		shift->count -= SIX_BITS;
		if (!put(out, (unsigned char)BASE64[shift->bits >> shift->count & 0x3f]))
			return false;
	}
	return true;
}

/* The end of a run: the bits that are left, filled up with zeros, and "-". */
static bool
put_shift_end(struct output *out, const struct shift *shift)
{
	unsigned fill = SIX_BITS - shift->count;

	if (shift->count > 0 && !put(out, (unsigned char)BASE64[shift->bits << fill & 0x3f]))
		return false;
	return put(out, '-');
}

static bool
put_shifted(struct output *out, struct shift *shift, uint32_t code)
{
	if (code < 0x10000)
		return put_unit(out, shift, code);
	code -= 0x10000;
	return put_unit(out, shift, 0xd800 + (code >> 10)) &&
	       put_unit(out, shift, 0xdc00 + (code & 0x3ff));
}

static enum utf7
encode_utf7(struct input in, struct output *out)
{
	struct shift shift = {0};
	bool shifted = false, room = true;
	uint32_t code;

	while (in.at < in.end && room) {
		if (!take_utf8(&in, &code))
			return UTF7_WRONG;
		if (is_control(code))
			return UTF7_CONTROL;
		if (shifted && is_printable(code)) {
			room = put_shift_end(out, &shift);
			shifted = false;
		} else if (!shifted && !is_printable(code)) {
			room = put(out, '&');
			shifted = true;
			shift = (struct shift){0};
		}
		if (shifted)
			room = room && put_shifted(out, &shift, code);
		else
			room = room && put(out, code) && (code != '&' || put(out, '-'));
	}
	if (shifted)
		room = room && put_shift_end(out, &shift);
	return room ? UTF7_OK : UTF7_LONG;
}

enum utf7
utf7_decode(const char *utf7, size_t len, char *utf8_r, size_t size)
{
	struct output out;
	enum utf7 result;

	if (!output_init(&out, utf8_r, size))
		return UTF7_LONG;
	result = decode_utf7((struct input){utf7, utf7 + len}, &out);
	*out.at = '\0';
	return result;
}

enum utf7
utf7_encode(const char *utf8, size_t len, char *utf7_r, size_t size)
{
	struct output out;
	enum utf7 result;

	if (!output_init(&out, utf7_r, size))
		return UTF7_LONG;
	result = encode_utf7((struct input){utf8, utf8 + len}, &out);
	*out.at = '\0';
	return result;
}
