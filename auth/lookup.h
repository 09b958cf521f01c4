/*
 * lookup.h: what a source of accounts says about a name; private to auth/, between check.c and the two
 * sources, system.c and usersfile.c.
 */
#ifndef AUTH_LOOKUP_H
#define AUTH_LOOKUP_H

#include <string.h>

#include "auth/account.h"

enum { LOOKUP_HASH_SIZE = 4096 }; /* octets with the NUL; a hash has some 100 */

/* It holds hashes: its owner, check.c, wipes it. */
struct auth_lookup {
	bool found;
	bool broken;	     /* refused because the entry is unusable, not because of its user */
	const char *refused; /* why even the right password does not help, or NULL: a constant */
	char hash[LOOKUP_HASH_SIZE];
	char fallback[LOOKUP_HASH_SIZE]; /* usable, for the cost of an unknown user; or "" */
	struct auth_account account;
};

/*
 * Both fill *lookup_r, which is all zero before, for a name as the user gave it.  They return 0,
 * also if the name is not found; or -1 if the source cannot be read, with the cause, a constant, in
 * *reason_r.  The source decides which names are the same; account.name is as the source spells it.
 */
int lookup_system(const struct auth_source *source, const char *name, struct auth_lookup *lookup_r,
    const char **reason_r);
int lookup_usersfile(const struct auth_source *source, const char *name,
    struct auth_lookup *lookup_r, const char **reason_r);

/* Copies a C string into size octets; returns false, and changes nothing, if it does not fit. */
static inline bool
lookup_copy(char *to_r, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (len < size)
		memcpy(to_r, from, len + 1);
	return len < size;
}

#endif
