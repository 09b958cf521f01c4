/*
 * command.c: looks for a command in a table.
 * Runs as: worker, and mail user in the reader.
 */
#include <string.h>
#include <strings.h>

#include "server/command.h"

const struct command *
command_find(const struct command *table, const char *name, size_t len)
{
	while (table->name != NULL &&
	       (strlen(table->name) != len || strncasecmp(table->name, name, len) != 0))
		table++;
	return table;
}

bool
command_fits(const struct command *command, bool arguments)
{
	return command->arguments == COMMAND_OPTIONAL ||
	       (command->arguments == COMMAND_ARGUMENTS) == arguments;
}
