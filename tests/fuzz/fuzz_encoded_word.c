/*
 * fuzz_encoded_word.c: the text of a header field with its encoded words, in two pieces.  The first octet chooses the
 * end of the first piece.  The rest is also mapped as octets that need not be UTF-8.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/buf.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/encoded_word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct encoded_words words = {.charset = NULL};
	struct mdbuf out = {0}, mapped = {0};
	size_t first;
	char *text;

	charset_load();
	if (size < 1)
		return 0;
	first = data[0] < size - 1 ? data[0] : size - 1;
	text = malloc(size); /* ends where the text does */
	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	encoded_word_feed(&words, text + 1, first, &out);
	encoded_word_feed(&words, text + 1 + first, size - 1 - first, &out);
	encoded_word_end(&words, &out);
	if (out.failed || (out.len > 0 && !utf8_valid(out.data, out.len)))
		abort();
	/* An octet gives at most one character, of three octets. */
	if (out.len > 4 * size + 16)
		abort();
	casemap_add(text + 1, size - 1, &mapped);
	mdbuf_clear(&out);
	mdbuf_clear(&mapped);
	free(text);
	return 0;
}
