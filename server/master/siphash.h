/*
 * siphash.h: SipHash-2-4: 64 bits of a string of octets, under a secret key.
 *
 * Without the key nobody can find two strings with one hash.  So a table may keep the hash in place of a name that
 * a stranger has chosen.
 */
#ifndef SERVER_MASTER_SIPHASH_H
#define SERVER_MASTER_SIPHASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
siphash_rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void
siphash_rounds(uint64_t v[4], unsigned rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = siphash_rotate(v[1], 13) ^ v[0];
		v[3] = siphash_rotate(v[3], 16) ^ v[2];
		v[0] = siphash_rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = siphash_rotate(v[1], 17) ^ v[2];
		v[3] = siphash_rotate(v[3], 21) ^ v[0];
		v[2] = siphash_rotate(v[2], 32);
	}
}

static inline uint64_t
siphash(const uint64_t key[2], const void *data, size_t len)
{
	uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575),
	    key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
	    key[1] ^ UINT64_C(0x7465646279746573)};
	const unsigned char *at = data;
	size_t left, n;
	uint64_t word;

	/* The last word has the octets that are left, and the length in its highest octet. */
	for (left = len;; left -= n, at += n) {
		n = left < 8 ? left : 8;
		word = 0;
		memcpy(&word, at, n);
		word = le64toh(word);
		if (n < 8)
			word |= (uint64_t)len << 56;
		v[3] ^= word;
		siphash_rounds(v, 2);
		v[0] ^= word;
		if (n < 8)
			break;
	}
	v[2] ^= 0xff;
	siphash_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
