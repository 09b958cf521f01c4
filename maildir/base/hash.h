/*
 * hash.h: a hash of octets, for tables and as a checksum of records.
 *
 * It is not for secrets.  The seed of a table is random, so that a person who chooses names cannot choose collisions.
 * The seed of a checksum is the place that the record belongs to, so that a record in another place is wrong.
 */
#ifndef MAILDIR_BASE_HASH_H
#define MAILDIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* Adds a number to a hash. */
static inline uint64_t
hash_join(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * HASH_FACTOR;
	return hash ^ hash >> 32;
}

/* Adds up to eight octets to a hash, as a number in the machine's byte order; missing octets count as zeros. */
static inline uint64_t
hash_step(uint64_t hash, const unsigned char *p, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return hash_join(hash, word);
}

/* Four hashes go through a long string side by side, since each step of a hash waits for the step before. */
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
