/*
 * charset.c: text of any charset as UTF-8.
 * Runs as: mail user; charset_load as root, in master.
 *
 * ASCII, UTF-8, the Latin ones, UTF-16 and UTF-32 are done here by hand, other charsets of single
 * octets by table.  The rest, those of East Asia and UTF-7, are iconv(3)'s.
 */
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "maildir/message/charset.h"
#include "maildir/message/utf8.h"

enum {
	CHARSET_HIGH = 128, /* octets that are not ASCII */
	KEY_SIZE = 32,	    /* of the name's key; the longest below has 19 octets */
	REPLACEMENT = 0xfffd,
	BYTE_ORDER_MARK = 0xfeff,
	/* No character is cut at more octets than this; more are malformed.  Half of what carry
	 * holds, so that with what follows it is always decided. */
	CUT_MAX = CHARSET_CARRY / 2,
	PIECE = 2048, /* octets between two calls of iconv(3) */
};

enum charset_kind {
	CHARSET_UNMARKED, /* UTF-8 where it is, else windows-1252 */
	CHARSET_UTF8,
	CHARSET_LATIN, /* windows-1252 */
	CHARSET_UTF16, /* as its byte order mark says, else big-endian.  RFC 2781 */
	CHARSET_UTF16LE,
	CHARSET_UTF16BE,
	CHARSET_UTF32,
	CHARSET_OCTETS,	     /* by table */
	CHARSET_ICONV,	     /* characters of one or more octets */
	CHARSET_ICONV_STATE, /* with escapes or shifts */
};

struct charset {
	const char *name;
	enum charset_kind kind;
	const char *keys; /* of this name and others that IANA and mail have, with blanks between */
	const char *iconv;    /* what iconv_open(3) calls it, or a superset that mail means */
	const uint16_t *high; /* CHARSET_HIGH of them; 0: no character */
};

/* Octets 0x80 to 0x9f of windows-1252.  Mail that says iso-8859-1 and has them means these too. */
static const uint16_t windows_1252[32] = {0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178};

/* The first is charset_unmarked's, the second UTF-8.  In the order that charset_name gives. */
static const struct charset charsets[] = {
    {"us-ascii", CHARSET_UNMARKED,
	"usascii ascii ansix341968 iso646us 646 us default unknown unknown8bit"},
    {"utf-8", CHARSET_UTF8, "utf8 unicode11utf8 cp65001"},
    {"iso-8859-1", CHARSET_LATIN, "iso88591 latin1 l1 cp819 csisolatin1"},
    {"windows-1252", CHARSET_LATIN, "cp1252 ansi"},
    {"gb18030", CHARSET_ICONV, "gb18030 gb2312 gb231280 csgb2312 gbk euccn cp936 cp54936",
	"GB18030"},
    {"big5", CHARSET_ICONV, "big5 big5hkscs cnbig5 csbig5 cp950", "BIG5-HKSCS"},
    {"euc-jp", CHARSET_ICONV, "eucjp ujis cseucpkdfmtjapanese", "EUC-JP"},
    {"iso-2022-jp", CHARSET_ICONV_STATE,
	"iso2022jp iso2022jp1 iso2022jp2 iso2022jpms csiso2022jp cp50220 cp50221", "ISO-2022-JP-2"},
    {"shift_jis", CHARSET_ICONV, "shiftjis sjis mskanji csshiftjis windows31j cp932", "CP932"},
    {"euc-kr", CHARSET_ICONV, "euckr ksc56011987 ksc56011989 ksc5601 korean cseuckr uhc cp949",
	"UHC"},
    {"iso-2022-kr", CHARSET_ICONV_STATE, "iso2022kr csiso2022kr", "ISO-2022-KR"},
    {"utf-7", CHARSET_ICONV_STATE, "utf7 unicode11utf7 cp65000", "UTF-7"},
    {"utf-16", CHARSET_UTF16, "utf16 unicode ucs2 iso10646ucs2"},
    {"utf-16le", CHARSET_UTF16LE, "utf16le"},
    {"utf-16be", CHARSET_UTF16BE, "utf16be"},
    {"utf-32", CHARSET_UTF32, "utf32 ucs4 iso10646ucs4"},
#include "maildir/message/charset_table.h"
};

enum { CHARSETS = sizeof(charsets) / sizeof(charsets[0]) };

/* The one state of this file, a converter for each: opened once, before others are forked. */
static struct {
	iconv_t handle;
	bool open;
} converters[CHARSETS];

void
charset_load(void)
{
	for (size_t i = 0; i < CHARSETS; i++) {
		if (charsets[i].iconv == NULL || converters[i].open)
			continue;
		converters[i].handle = iconv_open("UTF-8", charsets[i].iconv);
		converters[i].open = converters[i].handle != (iconv_t)-1;
	}
}

/* --- names --- */

/*
 * The key of a name: its letters and digits in lower case as far as ":", which begins a year; mail writes hyphens
 * and their like anyhow.  "x-" at the start means nothing.  All words for a code page become "cp".
 */
static void
name_key(const char *name, size_t len, char key[KEY_SIZE])
{
	static const char *const pages[] = {"windows", "win", "ibm", "ms"};
	bool extra = len > 2 && (name[0] == 'x' || name[0] == 'X') && name[1] == '-';
	size_t n = 0;

	for (size_t at = extra ? 2 : 0; at < len && name[at] != ':' && n < KEY_SIZE - 1; at++) {
		char c = name[at];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			key[n++] = c;
	}
	key[n] = '\0';
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		size_t word = strlen(pages[i]),
		       digits = strspn(key + (word < n ? word : n), "0123456789");

		if (digits == 0 || word + digits != n || memcmp(key, pages[i], word) != 0)
			continue;
		memcpy(key, "cp", 2);
		memmove(key + 2, key + word, digits + 1);
		return;
	}
}

/* Whether the key is one of those with blanks between. */
static bool
key_among(const char *key, const char *keys)
{
	size_t len = strlen(key);

	for (size_t n; *keys != '\0'; keys += n + (keys[n] == ' ')) {
		n = strcspn(keys, " ");
		if (n == len && memcmp(key, keys, n) == 0)
			return true;
	}
	return false;
}

static bool
charset_usable(const struct charset *charset)
{
	return charset->iconv == NULL || converters[charset - charsets].open;
}

const struct charset *
charset_find(const char *name, size_t len)
{
	char key[KEY_SIZE];

	name_key(name, len, key);
	if (strcmp(key, "utf8") == 0) /* nearly all of today's mail */
		return &charsets[1];
	for (size_t i = 0; i < CHARSETS; i++)
		if (key_among(key, charsets[i].keys))
			return charset_usable(&charsets[i]) ? &charsets[i] : NULL;
	return NULL;
}

const struct charset *
charset_unmarked(void)
{
	return &charsets[0];
}

const char *
charset_name(size_t n)
{
	for (size_t i = 0; i < CHARSETS; i++) {
		if (charset_usable(&charsets[i]) && n-- == 0)
			return charsets[i].name;
	}
	return NULL;
}

bool
charset_stateful(const struct charset *charset)
{
	return charset->kind == CHARSET_ICONV_STATE;
}

/* --- conversion --- */

static uint32_t
latin_code(unsigned char octet)
{
	uint32_t code = octet;

	if (octet >= 0x80 && octet < 0xa0)
		code = windows_1252[octet - 0x80];
	return code != 0 ? code : REPLACEMENT;
}

/*
 * The converters below take what they can of the octets and tell how much that was; what they leave is
 * the beginning of a character, at most CUT_MAX octets.
 */

static size_t
from_utf8(bool unmarked, const char *in, size_t len, struct mdbuf *out)
{
	size_t at = 0, from = 0; /* from there on it is to be copied */

	while (at < len) {
		uint32_t code;
		int n;

		at += utf8_ascii(in + at, len - at);
		if (at == len)
			break;
		n = utf8_next(in + at, len - at, &code);
		if (n == 0)
			break;
		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		mdbuf_add(out, in + from, at - from);
		utf8_add(unmarked ? latin_code((unsigned char)in[at]) : REPLACEMENT, out);
		from = ++at;
	}
	mdbuf_add(out, in + from, at - from);
	return at;
}

static size_t
from_octets(const struct charset *charset, const char *in, size_t len, struct mdbuf *out)
{
	for (size_t at = 0; at < len;) {
		size_t ascii = utf8_ascii(in + at, len - at);
		unsigned char octet;
		uint32_t code;

		mdbuf_add(out, in + at, ascii);
		at += ascii;
		if (at == len)
			break;
		octet = (unsigned char)in[at++];
		code = charset->kind == CHARSET_LATIN ? latin_code(octet)
						      : charset->high[octet - 0x80];
		utf8_add(code != 0 ? code : REPLACEMENT, out);
	}
	return len;
}

/* The number that some octets are. */
static uint32_t
unit(const char *in, size_t size, bool little)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | (unsigned char)in[little ? size - 1 - i : i];
	return value;
}

/* Reads a character of UTF-16 or UTF-32 and returns how many octets it has; 0: it is cut. */
static size_t
wide_next(const char *in, size_t len, size_t size, bool little, uint32_t *code_r)
{
	uint32_t low;

	if (len < size)
		return 0;
	*code_r = unit(in, size, little);
	if (size == 4 || *code_r < 0xd800 || *code_r > 0xdbff)
		return size;
	if (len < 2 * size)
		return 0;
	low = unit(in + size, size, little);
	if (low < 0xdc00 || low > 0xdfff)
		return size; /* half a pair is no character */
	*code_r = 0x10000 + ((*code_r & 0x3ff) << 10 | (low & 0x3ff));
	return 2 * size;
}

static size_t
from_wide(const struct charset *charset, struct charset_carry *carry, const char *in, size_t len,
    struct mdbuf *out)
{
	const size_t size = charset->kind == CHARSET_UTF32 ? 4 : 2;
	size_t at = 0, n;
	uint32_t code;

	if (charset->kind == CHARSET_UTF16LE)
		carry->little = true;
	if (!carry->begun && len >= size) {
		bool mark = unit(in, size, true) == BYTE_ORDER_MARK;

		if (mark && charset->kind != CHARSET_UTF16BE)
			carry->little = true;
		if (mark || unit(in, size, false) == BYTE_ORDER_MARK)
			at = size;
		carry->begun = true;
	}
	while ((n = wide_next(in + at, len - at, size, carry->little, &code)) > 0) {
		bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);

		utf8_add(valid ? code : REPLACEMENT, out);
		at += n;
	}
	return at;
}

/* Calls iconv(3) once, adding to out; without from that ends the text. */
static size_t
iconv_some(iconv_t handle, char **from, size_t *left, struct mdbuf *out)
{
	size_t room = PIECE, n = (size_t)-1;
	char *to = mdbuf_room(out, room);

	if (to == NULL)
		return n;
	n = iconv(handle, from, left, &to, &room);
	out->len += PIECE - room;
	return n;
}

/*
 * Calls iconv(3), whose input is not const, until it has taken what it can; returns how much that was.  When it
 * can neither take nor give anything, the first octet counts as malformed.
 */
static size_t
iconv_run(iconv_t handle, char *in, size_t len, struct mdbuf *out)
{
	char *from = in;
	size_t left = len;

	while (left > 0) {
		size_t before = left, had = out->len;

		if (iconv_some(handle, &from, &left, out) != (size_t)-1 ||
		    (errno == EINVAL && left <= CUT_MAX) || out->failed)
			break;
		if (errno == E2BIG && (left < before || out->len > had))
			continue;
		utf8_add(REPLACEMENT, out);
		from++;
		left--;
	}
	return len - left;
}

static size_t
from_iconv(
    iconv_t handle, struct charset_carry *carry, const char *in, size_t len, struct mdbuf *out)
{
	char copy[PIECE];
	size_t at = 0, n, taken;

	if (!carry->begun)
		(void)iconv(handle, NULL, NULL, NULL, NULL);
	carry->begun = true;
	while (at < len) {
		n = len - at < sizeof(copy) ? len - at : sizeof(copy);
		memcpy(copy, in + at, n);
		taken = iconv_run(handle, copy, n, out);
		at += taken;
		if (taken == 0)
			break;
	}
	return at;
}

static size_t
convert(const struct charset *charset, struct charset_carry *carry, const char *in, size_t len,
    struct mdbuf *out)
{
	switch (charset->kind) {
	case CHARSET_UNMARKED:
	case CHARSET_UTF8:
		return from_utf8(charset->kind == CHARSET_UNMARKED, in, len, out);
	case CHARSET_LATIN:
	case CHARSET_OCTETS:
		return from_octets(charset, in, len, out);
	case CHARSET_UTF16:
	case CHARSET_UTF16LE:
	case CHARSET_UTF16BE:
	case CHARSET_UTF32:
		return from_wide(charset, carry, in, len, out);
	case CHARSET_ICONV:
	case CHARSET_ICONV_STATE:
		break;
	}
	return from_iconv(converters[charset - charsets].handle, carry, in, len, out);
}

/* The text is over: what iconv(3) held, and what is left of a character. */
static void
finish(const struct charset *charset, struct charset_carry *carry, struct mdbuf *out)
{
	if (charset->iconv != NULL && carry->begun)
		(void)iconv_some(converters[charset - charsets].handle, NULL, NULL, out);
	if (charset->kind == CHARSET_UNMARKED) {
		for (size_t i = 0; i < carry->len; i++)
			utf8_add(latin_code((unsigned char)carry->octets[i]), out);
	} else if (carry->len > 0) {
		utf8_add(REPLACEMENT, out);
	}
	memset(carry, 0, sizeof(*carry));
}

/* The character that was cut, with what follows it: how much of in was taken. */
static size_t
complete(const struct charset *charset, struct charset_carry *carry, const char *in, size_t len,
    struct mdbuf *out)
{
	char joined[2 * CHARSET_CARRY];
	size_t more = len < CHARSET_CARRY ? len : CHARSET_CARRY, had = carry->len, taken;

	memcpy(joined, carry->octets, had);
	memcpy(joined + had, in, more);
	taken = convert(charset, carry, joined, had + more, out);
	if (taken < had) { /* still cut: then these were all */
		carry->len = had + more - taken;
		memcpy(carry->octets, joined + taken, carry->len);
		return more;
	}
	carry->len = 0;
	return taken - had;
}

void
charset_to_utf8(const struct charset *charset, struct charset_carry *carry, const char *in,
    size_t len, bool last, struct mdbuf *out)
{
	size_t at = 0;

	if (carry->len > 0 && len > 0)
		at = complete(charset, carry, in, len, out);
	if (at < len) {
		at += convert(charset, carry, in + at, len - at, out);
		carry->len = len - at;
		memcpy(carry->octets, in + at, carry->len);
	}
	if (last)
		finish(charset, carry, out);
}
