/*
 * utf8.c: characters of UTF-8.  RFC 3629.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/message/utf8.h"

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
