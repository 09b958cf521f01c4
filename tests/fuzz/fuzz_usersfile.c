/*
 * fuzz_usersfile.c: any octets as a users file.  The first line is the name to look up; the rest is the file.
 * Each of its entries must be found under its own name.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "auth/account.h"
#include "auth/scheme.h"
#include "auth/usersfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Looks the name up in the file of these octets; what is found must be whole. */
static bool
look_up(FILE *file, const char *name)
{
	char line[USERSFILE_LINE_MAX], fallback[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	bool found;

	rewind(file);
	assert(usersfile_find(file, name, line, &entry, &found, fallback) == 0);
	assert(fallback[0] == '\0' || scheme_usable(fallback, false));
	if (found) {
		assert(strcasecmp(entry.name, name) == 0);
		assert(auth_name_valid(entry.name, strlen(entry.name)));
		assert(entry.hash[0] != '\0' && strlen(entry.hash) < USERSFILE_LINE_MAX);
		assert(strlen(entry.home) < USERSFILE_LINE_MAX);
		(void)scheme_usable(entry.hash, true);
	}
	return found;
}

/* Parses one line as it may stand in the file; what parses must be found. */
static void
parse(FILE *file, const uint8_t *text, size_t len)
{
	char line[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	const char *reason;
	enum usersfile_result result;

	if (len >= sizeof(line) || memchr(text, '\0', len) != NULL)
		return;
	memcpy(line, text, len);
	line[len] = '\0';
	result = usersfile_parse(line, &entry, &reason);
	assert((result == USERSFILE_WRONG) == (reason[0] != '\0'));
	if (result == USERSFILE_ENTRY)
		assert(look_up(file, entry.name));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { PARSED_MAX = 20 }; /* lines; each costs a pass over the file */
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	char name[AUTH_NAME_MAX + 1] = "";
	FILE *file;
	size_t len, i;

	if (end == NULL || (size_t)(end - data) >= sizeof(name))
		return 0;
	len = (size_t)(end - data);
	memcpy(name, data, len);
	data += len + 1;
	size -= len + 1;
	if (size == 0)
		return 0;
	/* Reading does not change the octets. */
	file = fmemopen((void *)(uintptr_t)data, size, "r");
	if (file == NULL)
		return 0;
	(void)look_up(file, name);
	for (i = 0; i < PARSED_MAX && size > 0; i++) {
		end = memchr(data, '\n', size);
		len = end != NULL ? (size_t)(end - data) : size;
		parse(file, data, len);
		len += end != NULL;
		data += len;
		size -= len;
	}
	(void)fclose(file);
	return 0;
}
