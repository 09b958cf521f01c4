/*
 * name.c: names of mailboxes: checked, and between modified UTF-7 and UTF-8.
 * Runs as: mail user.
 *
 * Modified UTF-7 is taken in its one canonical form only: else two names would be one to a client and
 * two on disk.  What a name must not hold (controls) is malformed in both encodings.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/imap/name.h"

enum {
	PART_MAX = 200,	  /* octets of a part; maildir/folders.c has the same */
	FOLDER_MAX = 254, /* of a name: a "." and it are one name of a directory, at most 255 */
	UNIT_BITS = 16,	  /* modified UTF-7 is UTF-16 in BASE64, six bits an octet */
	SIX_BITS = 6,
	LINE_SEPARATOR = 0x2028,
	PARAGRAPH_SEPARATOR = 0x2029,
};

#define INBOX "INBOX"

/* RFC 3501 section 5.1.3: "," where BASE64 has "/". */
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

enum encoding { ENCODING_OK, ENCODING_WRONG, ENCODING_CONTROL, ENCODING_LONG };

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

/* --- UTF-8, RFC 3629 --- */

/* How long the character is whose first octet is that, and that octet's bits; 0: none begins so. */
static size_t
utf8_begin(unsigned char first, uint32_t *code_r)
{
	if (first < 0x80) {
		*code_r = first;
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf) {
		*code_r = first & 0x1f;
		return 2;
	}
	if (first >= 0xe0 && first <= 0xef) {
		*code_r = first & 0x0f;
		return 3;
	}
	*code_r = first & 0x07;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static bool
take_utf8(struct input *in, uint32_t *code_r)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;
	size_t len = utf8_begin((unsigned char)*in->at, &code);

	if (len == 0 || len > (size_t)(in->end - in->at))
		return false;
	for (size_t i = 1; i < len; i++) {
		unsigned char octet = (unsigned char)in->at[i];

		if ((octet & 0xc0) != 0x80)
			return false;
		code = code << 6 | (octet & 0x3f);
	}
	in->at += len;
	*code_r = code;
	return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static bool
put_utf8(struct output *out, uint32_t code)
{
	if (code < 0x80)
		return put(out, code);
	if (code < 0x800)
		return put(out, 0xc0 | code >> 6) && put(out, 0x80 | (code & 0x3f));
	if (code < 0x10000)
		return put(out, 0xe0 | code >> 12) && put(out, 0x80 | (code >> 6 & 0x3f)) &&
		       put(out, 0x80 | (code & 0x3f));
	return put(out, 0xf0 | code >> 18) && put(out, 0x80 | (code >> 12 & 0x3f)) &&
	       put(out, 0x80 | (code >> 6 & 0x3f)) && put(out, 0x80 | (code & 0x3f));
}

/* --- modified UTF-7, RFC 3501 section 5.1.3 --- */

/* A run of BASE64: bits that wait for more, and the first half of a pair; 0: none. */
struct shift {
	uint32_t bits;
	unsigned count;
	uint32_t high;
};

/* One unit of UTF-16. */
static enum encoding
take_unit(struct shift *shift, uint32_t unit, struct output *out)
{
	uint32_t code = unit;

	if (shift->high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return ENCODING_WRONG;
		code = 0x10000 + ((shift->high - 0xd800) << 10) + (unit - 0xdc00);
		shift->high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		shift->high = unit;
		return ENCODING_OK;
	} else if ((unit >= 0xdc00 && unit <= 0xdfff) || is_printable(unit)) {
		return ENCODING_WRONG;
	}
	if (is_control(code))
		return ENCODING_CONTROL;
	return put_utf8(out, code) ? ENCODING_OK : ENCODING_LONG;
}

/* From behind "&" to behind "-". */
static enum encoding
take_shift(struct input *in, struct output *out)
{
	struct shift shift = {0};
	enum encoding result;
	const char *start = in->at, *digit;

	for (; in->at < in->end && *in->at != '-'; in->at++) {
		digit = memchr(BASE64, *in->at, sizeof(BASE64) - 1);
		if (digit == NULL)
			return ENCODING_WRONG;
		shift.bits = shift.bits << SIX_BITS | (uint32_t)(digit - BASE64);
		shift.count += SIX_BITS;
		if (shift.count < UNIT_BITS)
			continue;
		shift.count -= UNIT_BITS;
		result = take_unit(&shift, shift.bits >> shift.count & 0xffff, out);
		if (result != ENCODING_OK)
			return result;
	}
	/* Nothing may be left but the zeros that fill the last digit. */
	if (in->at == in->end || in->at == start || shift.high != 0 || shift.count >= SIX_BITS ||
	    (shift.bits & ((1U << shift.count) - 1)) != 0)
		return ENCODING_WRONG;
	in->at++;
	return ENCODING_OK;
}

static bool
starts_with(const struct input *in, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(in->end - in->at) >= len && memcmp(in->at, text, len) == 0;
}

static enum encoding
decode_utf7(struct input in, struct output *out)
{
	enum encoding result;

	while (in.at < in.end) {
		unsigned char c = (unsigned char)*in.at++;

		if (!is_printable(c))
			return c < 0x80 ? ENCODING_CONTROL : ENCODING_WRONG;
		if (c != '&' || starts_with(&in, "-")) {
			in.at += c == '&';
			if (!put(out, c))
				return ENCODING_LONG;
			continue;
		}
		result = take_shift(&in, out);
		if (result != ENCODING_OK)
			return result;
		/* Two runs side by side are one run, written otherwise. */
		if (starts_with(&in, "&") && !starts_with(&in, "&-"))
			return ENCODING_WRONG;
	}
	return ENCODING_OK;
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

static enum encoding
encode_utf7(struct input in, struct output *out)
{
	struct shift shift = {0};
	bool shifted = false, room = true;
	uint32_t code;

	while (in.at < in.end && room) {
		if (!take_utf8(&in, &code))
			return ENCODING_WRONG;
		if (is_control(code))
			return ENCODING_CONTROL;
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
	return room ? ENCODING_OK : ENCODING_LONG;
}

int
imap_utf7_to_utf8(const char *utf7, size_t len, char *utf8_r, size_t size)
{
	struct output out;

	if (!output_init(&out, utf8_r, size) ||
	    decode_utf7((struct input){utf7, utf7 + len}, &out) != ENCODING_OK)
		return -1;
	*out.at = '\0';
	return 0;
}

int
imap_utf8_to_utf7(const char *utf8, size_t len, char *utf7_r, size_t size)
{
	struct output out;

	if (!output_init(&out, utf7_r, size) ||
	    encode_utf7((struct input){utf8, utf8 + len}, &out) != ENCODING_OK)
		return -1;
	*out.at = '\0';
	return 0;
}

/* --- names --- */

static const char NAME_LONG[] = "The name is too long";

static const char *
encoding_refusal(enum encoding encoding, bool utf8)
{
	switch (encoding) {
	case ENCODING_OK:
		break;
	case ENCODING_WRONG:
		return utf8 ? "The name is not UTF-8" : "The name is not modified UTF-7";
	case ENCODING_CONTROL:
		return "A name cannot hold control characters";
	case ENCODING_LONG:
		return NAME_LONG;
	}
	return NULL;
}

static const char *
part_refusal(const char *part, size_t len)
{
	if (len == 0)
		return "A folder's name cannot be empty";
	if (memchr(part, '.', len) != NULL)
		return "A dot cannot be part of a folder's name";
	return len > PART_MAX ? NAME_LONG : NULL;
}

static const char *
parts_refusal(const char *folder)
{
	const char *refusal;
	size_t len;

	if (strlen(folder) > FOLDER_MAX)
		return NAME_LONG;
	for (;; folder += len + 1) {
		len = strcspn(folder, "/");
		refusal = part_refusal(folder, len);
		if (refusal != NULL || folder[len] == '\0')
			return refusal;
	}
}

/* A name that is in modified UTF-7 already stays as it is, when it is well-formed. */
static enum encoding
copy_utf7(struct input in, struct output *out)
{
	char decoded[IMAP_NAME_MAX];
	struct output drop = {decoded, decoded + sizeof(decoded)};
	enum encoding encoding = decode_utf7(in, &drop);

	while (encoding == ENCODING_OK && in.at < in.end) {
		if (!put(out, (unsigned char)*in.at++))
			encoding = ENCODING_LONG;
	}
	return encoding;
}

static void
raise_inbox(char *folder)
{
	const size_t inbox = strlen(INBOX);

	if (strncasecmp(folder, INBOX, inbox) == 0 &&
	    (folder[inbox] == '/' || folder[inbox] == '\0'))
		memcpy(folder, INBOX, inbox);
}

const char *
imap_name_folder(const char *name, size_t len, bool utf8, char folder_r[IMAP_NAME_MAX])
{
	struct input in = {name, name + len};
	struct output out = {folder_r, folder_r + IMAP_NAME_MAX - 1};
	enum encoding encoding;
	const char *refusal;

	/* RFC 3501 section 6.3.3: that separator only says that names below it will come. */
	if (len > 0 && name[len - 1] == '/')
		in.end--;
	encoding = utf8 ? encode_utf7(in, &out) : copy_utf7(in, &out);
	*out.at = '\0';
	refusal =
	    encoding == ENCODING_OK ? parts_refusal(folder_r) : encoding_refusal(encoding, utf8);
	if (refusal == NULL)
		raise_inbox(folder_r);
	return refusal;
}

void
imap_name_client(const char *folder, bool utf8, char name_r[IMAP_NAME_MAX])
{
	char decoded[IMAP_NAME_MAX];
	bool utf7 = imap_utf7_to_utf8(folder, strlen(folder), decoded, sizeof(decoded)) == 0;

	/* Courier 5 has names on disk in UTF-8; imap_folder_of finds them again. */
	if (!utf7 && !utf8 && imap_utf8_to_utf7(folder, strlen(folder), name_r, IMAP_NAME_MAX) == 0)
		return;
	(void)snprintf(name_r, IMAP_NAME_MAX, "%s", utf7 && utf8 ? decoded : folder);
}
