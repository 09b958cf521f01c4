/*
 * pattern.h: LIST's patterns: "*" is anything, "%" anything without the separator.
 */
#ifndef SERVER_IMAP_PATTERN_H
#define SERVER_IMAP_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum { PATTERN_MAX = 1024 }; /* octets; the matcher has a state for each */

/*
 * Whether the name (parts separated by "/") matches the pattern; INBOX as its first part does in any case.  Takes at
 * most the time of pattern times name, and fixed memory.
 */
bool pattern_match(const char *pattern, size_t pattern_len, const char *name, size_t name_len);

#endif
