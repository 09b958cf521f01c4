/*
 * base64.c: strict base64 (RFC 4648, section 4).
 * Runs as: worker.
 */
#include <string.h>

#include "auth/sasl.h"

/* The value of one character, or -1. */
static int
base64_value(char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = memchr(digits, c, sizeof(digits) - 1);

	return at != NULL ? (int)(at - digits) : -1;
}

/*
 * The three octets of a group into group_r and their number, or -1.  Only the last group may have
 * padding; the bits that it leaves over must be zero, so that each text has one encoding.
 */
static int
base64_group(const char in[4], bool last, unsigned char group_r[3])
{
	unsigned long bits = 0;
	int octets = 3;
	int i, value;

	if (last && in[3] == '=')
		octets = in[2] == '=' ? 1 : 2;
	for (i = 0; i < 4; i++) {
		value = i > octets ? 0 : base64_value(in[i]);
		if (value < 0)
			return -1;
		bits = bits << 6 | (unsigned long)value;
	}
	for (i = 0; i < 3; i++)
		group_r[i] = (unsigned char)(bits >> (16 - 8 * i) & 0xff);
	for (i = octets; i < 3; i++)
		if (group_r[i] != 0)
			return -1;
	return octets;
}

long
base64_decode(const char *in, size_t len, unsigned char *out_r, size_t size)
{
	unsigned char group[3];
	size_t done = 0;
	size_t at;
	int octets;

	if (len % 4 != 0)
		return -1;
	for (at = 0; at < len; at += 4) {
		octets = base64_group(in + at, at + 4 == len, group);
		if (octets < 0 || (size_t)octets > size - done)
			return -1;
		memcpy(out_r + done, group, (size_t)octets);
		done += (size_t)octets;
	}
	return (long)done;
}
