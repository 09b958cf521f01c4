/*
 * mapping.h: maps a file for reading that other programs may shorten at any time.
 *
 * If a page of the file is gone, the kernel sends SIGBUS, which would end the process.  Here the page becomes zeros,
 * and the mapping is marked as broken.  So a reader copies the octets that it wants, and asks mapping_broken before
 * it believes the copy.
 */
#ifndef MAILDIR_BASE_MAPPING_H
#define MAILDIR_BASE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

struct mapping {
	const char *at; /* or NULL */
	size_t size;
	int slot; /* in the table of the signal's handler, or -1: memory of this process */
};

/* Maps size octets of the file, which may be longer than it is now.  -1: errno. */
int mapping_open(struct mapping *mapping, int fd, size_t size);
/* Makes a mapping of malloc'd memory, which mapping_close frees. */
void mapping_hold(struct mapping *mapping, char *memory, size_t size);
void mapping_close(struct mapping *mapping);
bool mapping_broken(const struct mapping *mapping);

#endif
