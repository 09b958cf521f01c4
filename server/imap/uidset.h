/*
 * uidset.h: a few UIDs of many, in a sorted array.
 */
#ifndef SERVER_IMAP_UIDSET_H
#define SERVER_IMAP_UIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The UIDs rise, and each is there once.  A zeroed set is empty. */
struct uidset {
	uint32_t *uid;
	size_t count, room;
};

/* Cheap above the highest.  Returns 0, or -1 if memory is short. */
int uidset_add(struct uidset *set, uint32_t uid);
void uidset_remove(struct uidset *set, uint32_t uid);
bool uidset_has(const struct uidset *set, uint32_t uid);
/* How many of the set are below that UID; logarithmic. */
size_t uidset_below(const struct uidset *set, uint32_t uid);
void uidset_clear(struct uidset *set);

#endif
