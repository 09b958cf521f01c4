/*
 * fuzz_imap_pattern.c: LIST's patterns, compared with a slow and simple matcher: a table that says which
 * beginnings of the pattern match which beginnings of the name.  Input: pattern, NUL, name.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/imap/pattern.h"

enum { LENGTH_MAX = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
same(char pattern, char name, bool fold)
{
	return pattern == name || (fold && strncasecmp(&pattern, &name, 1) == 0);
}

static bool
slow_match(const char *pattern, size_t pattern_len, const char *name, size_t name_len)
{
	static bool table[LENGTH_MAX + 1][LENGTH_MAX + 1];
	bool inbox = name_len >= 5 && strncasecmp(name, "INBOX", 5) == 0 &&
		     (name_len == 5 || name[5] == '/');

	for (size_t p = 0; p <= pattern_len; p++) {
		char c = p > 0 ? pattern[p - 1] : '\0';
		bool wild = c == '*' || c == '%';

		for (size_t n = 0; n <= name_len; n++) {
			if (p == 0)
				table[p][n] = n == 0;
			else if (wild)
				table[p][n] =
				    table[p - 1][n] ||
				    (n > 0 && table[p][n - 1] && (c == '*' || name[n - 1] != '/'));
			else
				table[p][n] = n > 0 && table[p - 1][n - 1] &&
					      same(c, name[n - 1], inbox && n <= 5);
		}
	}
	return table[pattern_len][name_len];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t pattern_len, name_len;
	char *pattern, *name;

	if (nul == NULL)
		return 0;
	pattern_len = (size_t)(nul - data);
	name_len = size - pattern_len - 1;
	if (pattern_len > LENGTH_MAX || name_len >= LENGTH_MAX)
		return 0;
	/* Exactly as large: a look past the end is found. */
	pattern = malloc(pattern_len + (pattern_len == 0));
	name = malloc(name_len + (name_len == 0));
	assert(pattern != NULL && name != NULL);
	memcpy(pattern, data, pattern_len);
	memcpy(name, nul + 1, name_len);
	assert(pattern_match(pattern, pattern_len, name, name_len) ==
	       slow_match(pattern, pattern_len, name, name_len));
	free(pattern);
	free(name);
	return 0;
}
