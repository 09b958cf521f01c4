/*
 * fuzz_remembered.c: any octets as the stored fields of a message, searched for a text that is made of their first
 * octets.  A field that was decoded ahead must give the same answer as one that is decoded for the search.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/message/charset.h"
#include "maildir/message/search.h"

enum { NEEDLE = 3 }; /* octets at most: what is longer is hardly ever found */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const char *text, size_t len, const char *needle, size_t needle_len)
{
	struct search_question matches[] = {
	    {.where = SEARCH_IN_HEADER, .field = "Subject", .text = needle, .len = needle_len},
	    {.where = SEARCH_IN_HEADER, .field = "TO", .text = needle, .len = needle_len},
	    {.where = SEARCH_IN_HEADER, .field = "Cc", .text = "", .len = 0},
	};
	enum { COUNT = sizeof(matches) / sizeof(matches[0]) };
	struct search_question ahead[COUNT];
	struct mdbuf decoded = {0};

	memcpy(ahead, matches, sizeof(ahead));
	assert(remembered_search(text, len, matches, COUNT) == 0);
	remembered_decode(text, len, &decoded);
	assert(!decoded.failed);
	remembered_search_decoded(decoded.data, decoded.len, ahead, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert(matches[i].found == ahead[i].found);
	mdbuf_clear(&decoded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct search_question match = {
	    .where = SEARCH_IN_HEADER, .field = "Subject", .text = "A", .len = 1};
	size_t needle, len;
	int64_t day;
	char *text;

	charset_load();
	if (size < NEEDLE + 1 || size > REMEMBERED_DECODE_MAX)
		return 0;
	needle = data[0] % (NEEDLE + 1);
	len = size - needle - 1;
	text = malloc(len > 0 ? len : 1); /* ends where the fields do */
	assert(text != NULL);
	if (len > 0)
		memcpy(text, data + 1 + needle, len);
	ask(text, len, (const char *)data + 1, needle);
	(void)remembered_sent_day(text, len, &day);
	/* As entries, too: they come from a file. */
	remembered_search_decoded(text, len, &match, 1);
	free(text);
	return 0;
}
