/*
 * caseless.h: names that are compared without regard to the case of ASCII letters, and tables of them.
 */
#ifndef MAILDIR_BASE_CASELESS_H
#define MAILDIR_BASE_CASELESS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Whether two octets may be the same letter: no to most, before anything else is compared. */
static inline bool
caseless_may_be(char a, char b)
{
	return ((a ^ b) & 0x5f) == 0;
}

/* Whether the octets are that name.  They may hold a NUL, which no name has. */
static inline bool
caseless_is(const char *name, const char *octets, size_t len)
{
	return (len == 0 || caseless_may_be(name[0], octets[0])) && strlen(name) == len &&
	       strncasecmp(name, octets, len) == 0;
}

/* The place of the octets in a table of names, or count. */
static inline size_t
caseless_find(const char *const *names, size_t count, const char *octets, size_t len)
{
	size_t place = 0;

	while (place < count && !caseless_is(names[place], octets, len))
		place++;
	return place;
}

#endif
