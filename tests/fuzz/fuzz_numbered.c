/*
 * fuzz_numbered.c: any octets as sallyport.keywords, and the same octets as lines with right checksums, so
 * that the fuzzer gets past the checksums.  What was read and written must read the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/fnv.h"
#include "maildir/uids/keyword.h"
#include "maildir/uids/numbered.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
seal(const char *text, size_t size, struct mdbuf *out)
{
	const char *end = text + size, *newline;

	for (const char *p = text; p < end; p = newline + 1) {
		uint64_t sum;

		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL)
			break;
		sum = fnv64(FNV_START, p, (size_t)(newline - p));
		mdbuf_addf(out, "%08x ", (uint32_t)(sum ^ sum >> 32));
		mdbuf_add(out, p, (size_t)(newline - p) + 1);
	}
}

static void
check(const char *data, size_t size)
{
	struct numbered more = {0}, again = {0};
	struct mdbuf out = {0}, other = {0};
	/* Exactly as large: a look past the end is found. */
	char *text = malloc(size > 0 ? size : 1);

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	assert(numbered_parse(&more, text, size) <= (ssize_t)size);
	free(text);
	numbered_put(&more, NULL, NULL, &out);
	assert(!out.failed && numbered_parse(&again, out.data, out.len) == (ssize_t)out.len);
	for (int i = 0; i < NUMBERED_COUNT; i++) {
		const char *name = more.name[i];

		assert((name == NULL) == (again.name[i] == NULL));
		assert(name == NULL || (keyword_valid(name) && strcmp(name, again.name[i]) == 0));
		assert(name == NULL || numbered_find(&more, name) <= NUMBERED_FIRST + i);
	}
	assert(again.count <= more.count && numbered_free(&again) == numbered_free(&more));
	numbered_put(&again, NULL, NULL, &other);
	assert(other.len == out.len);
	mdbuf_clear(&out);
	mdbuf_clear(&other);
	numbered_clear(&more);
	numbered_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mdbuf sealed = {0};

	check((const char *)data, size);
	seal((const char *)data, size, &sealed);
	check(sealed.len > 0 ? sealed.data : "", sealed.len);
	mdbuf_clear(&sealed);
	return 0;
}
