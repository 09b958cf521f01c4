/*
 * fuzz_header.c: any octets as a header of which some fields are chosen, and as a field of addresses.  The
 * chosen and the other fields must together be the header, in whatever pieces its octets came.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/message/address.h"
#include "maildir/message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"To", "Subject"};

static void
choose(const uint8_t *data, size_t size, size_t piece, bool except, struct mdbuf *out)
{
	const struct header_names chosen = {names, sizeof(names) / sizeof(names[0]), except};
	struct header_filter filter = {.names = &chosen};

	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *copy = malloc(n);

		assert(copy != NULL);
		memcpy(copy, data + at, n);
		header_filter(&filter, copy, n, out);
		free(copy);
	}
	/* What is held of a last line without an end is nobody's. */
	assert(!out->failed && filter.reader.held_len <= HEADER_NAME_MAX);
}

static void
check_fields(const uint8_t *data, size_t size, size_t piece)
{
	struct mdbuf out[2] = {{0}}, whole = {0};
	size_t at[2] = {0, 0};

	choose(data, size, piece, false, &out[0]);
	choose(data, size, piece, true, &out[1]);
	choose(data, size, size, false, &whole);
	assert(whole.len == out[0].len);
	assert(whole.len == 0 || memcmp(whole.data, out[0].data, whole.len) == 0);
	/* Every octet of theirs is the next of the header, by lines; the blank line is in both. */
	for (size_t i = 0; i < size && (at[0] < out[0].len || at[1] < out[1].len);) {
		const uint8_t *newline = memchr(data + i, '\n', size - i);
		size_t len = newline != NULL ? (size_t)(newline - data) + 1 - i : size - i;
		bool found = false;

		for (int k = 0; k < 2; k++)
			if (len <= out[k].len - at[k] &&
			    memcmp(out[k].data + at[k], data + i, len) == 0 &&
			    (!found || len <= 2)) {
				at[k] += len;
				found = true;
			}
		assert(found || newline == NULL);
		i += len;
	}
	mdbuf_clear(&out[0]);
	mdbuf_clear(&out[1]);
	mdbuf_clear(&whole);
}

static void
check_addresses(const uint8_t *data, size_t size)
{
	struct address_parser parser = {0};
	char *copy = malloc(size > 0 ? size : 1);
	enum address_kind kind;
	size_t told = 0, groups = 0;

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	address_begin(&parser, copy, size);
	while ((kind = address_next(&parser)) != ADDRESS_NONE) {
		assert(!address_failed(&parser));
		/* At most one for each octet, and one end more. */
		assert(++told <= size + 1);
		groups += kind == ADDRESS_GROUP ? 1 : 0;
		groups -= kind == ADDRESS_GROUP_END ? 1 : 0;
		assert(groups <= 1);
		assert(parser.mailbox.len <= size && parser.name.len <= 2 * size + 1);
	}
	assert(groups == 0);
	address_clear(&parser);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	check_fields(data + 1, size - 1, (size_t)data[0] + 1);
	check_addresses(data + 1, size - 1);
	return 0;
}
