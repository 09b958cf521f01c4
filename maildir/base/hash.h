/*
 * hash.h: 64 bits of a string of octets, for hash tables and for telling whether a record is whole.
 *
 * Not for secrets.  A table's seed is random, so that nobody who chooses names chooses collisions; a
 * checksum's seed is what the record belongs to, so that a whole record in a wrong place is none.
 */
#ifndef MAILDIR_BASE_HASH_H
#define MAILDIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* A number more. */
static inline uint64_t
hash_join(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * HASH_FACTOR;
	return hash ^ hash >> 32;
}

/* The octets at p, fewer than eight with zeros behind them. */
static inline uint64_t
hash_step(uint64_t hash, const unsigned char *p, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return hash_join(hash, word);
}

/* Long ones in four lanes, as one step waits for the one before. */
static inline uint64_t
hash64(uint64_t seed, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t hash = (seed ^ len) + HASH_FACTOR;

	if (len >= 32) {
		uint64_t a = hash, b = hash + 1, c = hash + 2, d = hash + 3;

		for (; len >= 32; len -= 32, p += 32) {
			a = hash_step(a, p, 8);
			b = hash_step(b, p + 8, 8);
			c = hash_step(c, p + 16, 8);
			d = hash_step(d, p + 24, 8);
		}
		hash = hash_join(hash_join(a, b), hash_join(c, d));
	}
	for (; len >= 8; len -= 8, p += 8)
		hash = hash_step(hash, p, 8);
	if (len > 0)
		hash = hash_step(hash, p, len);
	return hash ^ hash >> 29;
}

static inline uint32_t
hash32(uint64_t seed, const void *data, size_t len)
{
	return (uint32_t)hash64(seed, data, len);
}

#endif
