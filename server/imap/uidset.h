/*
 * uidset.h: a few UIDs of many, sorted: how many are below one is known in logarithmic time.
 */
#ifndef SERVER_IMAP_UIDSET_H
#define SERVER_IMAP_UIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rising, each once.  A zeroed one is empty. */
struct uidset {
	uint32_t *uid;
	size_t count, room;
};

/* Cheap at the end.  -1: memory was short. */
int uidset_add(struct uidset *set, uint32_t uid);
void uidset_remove(struct uidset *set, uint32_t uid);
bool uidset_has(const struct uidset *set, uint32_t uid);
/* How many are below it. */
size_t uidset_below(const struct uidset *set, uint32_t uid);
void uidset_clear(struct uidset *set);

#endif
