/*
 * hash.h: 64 bits of a string of octets, for hash tables and for telling whether a record is whole.
 *
 * Not for secrets.  A table's seed is random, so that nobody who chooses names chooses collisions; a
 * checksum's seed is what the record belongs to, so that a whole record in a wrong place is none.
 */
#ifndef MAILDIR_HASH_H
#define MAILDIR_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
hash64(uint64_t seed, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t hash = (seed ^ len) + UINT64_C(0x9e3779b97f4a7c15), word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash ^ hash >> 29;
}

static inline uint32_t
hash32(uint64_t seed, const void *data, size_t len)
{
	return (uint32_t)hash64(seed, data, len);
}

#endif
