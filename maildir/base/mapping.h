/*
 * mapping.h: a file of ours in memory, read-only, which anybody may shorten underneath.
 *
 * A page that is not there any more would be SIGBUS, and the end of the process.  Here it becomes a page
 * of zeros and the mapping is marked broken; whoever reads from it checks what he reads (checksums) and
 * asks mapping_broken when he wonders.
 */
#ifndef MAILDIR_BASE_MAPPING_H
#define MAILDIR_BASE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

struct mapping {
	const char *at; /* or NULL */
	size_t size;
	int slot; /* in the table of the signal's handler, or -1: the memory is our own */
};

/* Maps size octets of the file, which may be longer than it is now.  -1: errno. */
int mapping_open(struct mapping *mapping, int fd, size_t size);
/* Memory that is ours: calloc'd, writable through mapping_memory.  -1: ENOMEM. */
int mapping_own(struct mapping *mapping, size_t size);
char *mapping_memory(const struct mapping *mapping);
void mapping_close(struct mapping *mapping);
bool mapping_broken(const struct mapping *mapping);

#endif
