/*
 * fuzz_lettered.c: any octets as dovecot-keywords.  What was read and written must read the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/uids/lettered.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lettered keywords, again;
	struct mdbuf out = {0};
	/* Exactly as large: a look past the end is found. */
	char *text = malloc(size > 0 ? size : 1);

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	lettered_parse(&keywords, text, size);
	free(text);
	lettered_put(&keywords, &out);
	assert(!out.failed);
	lettered_parse(&again, out.len > 0 ? out.data : "", out.len);
	for (int i = 0; i < LETTERS; i++) {
		const char *name = keywords.name[i];
		int found;

		assert(strcmp(name, again.name[i]) == 0 && strlen(name) <= KEYWORD_MAX);
		if (name[0] == '\0')
			continue;
		assert(strpbrk(name, "\r\n\t") == NULL);
		found = lettered_find(&keywords, name);
		assert(found >= 0 && found <= i && strcasecmp(keywords.name[found], name) == 0);
		(void)keyword_valid(name);
	}
	mdbuf_clear(&out);
	return 0;
}
