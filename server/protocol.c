/*
 * protocol.c: the protocols there are.
 * Runs as: every process.
 */
#include <stddef.h>
#include <string.h>

#include "server/protocol.h"

const struct protocol *
protocol_find(const char *name)
{
	static const struct protocol *const all[] = {&protocol_pop3, &protocol_imap};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}
