/*
 * name.c: which user names may be looked up at all, and copies of texts that fit.
 * Runs as: worker (before it asks), root in the child that checks a login.
 */
#include <string.h>

#include "auth/account.h"
#include "auth/lookup.h"

/* Whether a character may stand in a name at all. */
static bool
auth_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._+=@-", c) != NULL);
}

bool
auth_name_valid(const char *name, size_t len)
{
	size_t ats = 0;
	size_t i;

	if (len < 1 || len > AUTH_NAME_MAX || name[0] == '-' || name[0] == '.')
		return false;
	for (i = 0; i < len; i++) {
		if (!auth_name_char(name[i]))
			return false;
		if (i > 0 && name[i] == '.' && name[i - 1] == '.')
			return false;
		if (name[i] == '@')
			ats++;
	}
	return ats <= 1 && name[0] != '@' && name[len - 1] != '@';
}

char
lookup_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool
lookup_copy(char *to_r, size_t size, const char *from)
{
	size_t len = strlen(from);

	if (len >= size)
		return false;
	memcpy(to_r, from, len + 1);
	return true;
}
