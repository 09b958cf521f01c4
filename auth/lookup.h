/*
 * lookup.h: what a source of accounts says about a name; between account.c and the sources.
 */
#ifndef AUTH_LOOKUP_H
#define AUTH_LOOKUP_H

#include "auth/account.h"
#include "auth/usersfile.h"

/* Secrets are inside: the one who made it wipes it. */
struct auth_lookup {
	bool found;
	bool broken;	     /* refused because the entry is unusable, not because of its user */
	const char *refused; /* why even the right password does not help, or NULL: a constant */
	char hash[USERSFILE_LINE_MAX];
	char
	    fallback[USERSFILE_LINE_MAX]; /* a usable hash for the cost of an unknown user, or "" */
	struct auth_account account;
};

/*
 * Each fills *lookup_r (zeroed before) for a name as the user gave it: 0, also when the name is not
 * found; -1 when the source cannot be read, and then *reason_r is a constant text.  Which names are
 * the same is the source's rule; account.name is the name as the source has it, for log and limits.
 */
int lookup_system(const struct auth_source *source, const char *name, struct auth_lookup *lookup_r,
    const char **reason_r);
int lookup_usersfile(const struct auth_source *source, const char *name,
    struct auth_lookup *lookup_r, const char **reason_r);

/* An ASCII letter in lower case; not tolower(3), as a locale must not say what a letter is. */
char lookup_lower(char c);

/* Copies a C string; false when it does not fit. */
bool lookup_copy(char *to_r, size_t size, const char *from);

#endif
