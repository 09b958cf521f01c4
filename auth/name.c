/*
 * name.c: which user names may be looked up at all.
 * Runs as: worker (before it asks), root in the child that checks a login.
 */
#include <string.h>

#include "auth/account.h"

bool
auth_name_valid(const char *name, size_t len)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+=@-";
	size_t ats = 0;
	size_t i;

	if (len < 1 || len > AUTH_NAME_MAX || name[0] == '-' || name[0] == '.')
		return false;
	for (i = 0; i < len; i++) {
		/* Without the NUL at its end, which may stand within len. */
		if (memchr(allowed, name[i], sizeof(allowed) - 1) == NULL)
			return false;
		if (i > 0 && name[i] == '.' && name[i - 1] == '.')
			return false;
		if (name[i] == '@')
			ats++;
	}
	return ats <= 1 && name[0] != '@' && name[len - 1] != '@';
}
