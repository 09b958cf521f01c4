/*
 * fnv.h: FNV-1a, a checksum for text files of ours: it is the same on every machine.
 */
#ifndef MAILDIR_BASE_FNV_H
#define MAILDIR_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t
fnv64(uint64_t hash, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
