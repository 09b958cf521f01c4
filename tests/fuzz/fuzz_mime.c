/*
 * fuzz_mime.c: any octets as a message.  Its parts must lie inside each other, and must be the same in whatever
 * pieces the octets came.  Their descriptions must be lists and strings that IMAP can read.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/message/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first octet says how long the pieces are. */
static struct mime *
parse(const uint8_t *data, size_t size, size_t piece)
{
	struct mime *mime = mime_new();

	assert(mime != NULL);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		/* Exactly as large: a look past the end is found. */
		char *copy = malloc(n);

		assert(copy != NULL);
		memcpy(copy, data + at, n);
		mime_feed(mime, copy, n);
		free(copy);
	}
	assert(mime_end(mime) == 0);
	return mime;
}

static void
check_parts(const struct mime *mime, size_t size)
{
	size_t count = mime_count(mime);

	assert(count >= 1 && count <= MIME_PARTS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		const struct mime_part *part = mime_part(mime, i), *parent;

		assert(part->type != NULL && part->subtype != NULL);
		assert(part->header_at + part->header_size == part->body_at);
		assert(part->body_at + part->body_size <= size);
		assert(part->body_lines <= part->body_size);
		assert((part->kind == MIME_LEAF) == (part->child == MIME_NONE));
		assert((part->parent == MIME_NONE) == (i == 0));
		if (i == 0)
			continue;
		parent = mime_part(mime, part->parent);
		assert(part->parent < i);
		assert(part->body_size == 0 ||
		       part->body_at + part->body_size <= parent->body_at + parent->body_size);
	}
	assert(mime_part(mime, 0)->body_at + mime_part(mime, 0)->body_size == size);
}

/* Behind a string at at. */
static size_t
pass_string(const struct mdbuf *text, size_t at)
{
	size_t len = 0;

	if (text->data[at] == '{') {
		for (at++; text->data[at] >= '0' && text->data[at] <= '9'; at++)
			len = len * 10 + (size_t)(text->data[at] - '0');
		assert(at + 3 <= text->len && memcmp(text->data + at, "}\r\n", 3) == 0);
		assert(len <= text->len - at - 3);
		assert(memchr(text->data + at + 3, '\0', len) == NULL);
		return at + 3 + len;
	}
	for (at++; text->data[at] != '"'; at++) {
		assert(at < text->len && strchr("\r\n", text->data[at]) == NULL);
		if (text->data[at] == '\\')
			at++;
	}
	return at + 1;
}

/* A list whose parentheses close at its end, of strings, numbers and NIL. */
static void
check_list(const struct mdbuf *text)
{
	size_t depth = 0, at = 0;

	assert(!text->failed && text->len > 0 && text->data[0] == '(');
	do {
		char c = text->data[at];

		assert(at < text->len);
		if (c == '"' || c == '{') {
			at = pass_string(text, at);
			continue;
		}
		depth += c == '(' ? 1 : 0;
		depth -= c == ')' ? 1 : 0;
		assert(c != '\0' && strchr("()NIL 0123456789", c) != NULL);
		at++;
	} while (depth > 0);
	assert(at == text->len);
}

static void
tell(const struct mime *mime, struct mdbuf *out)
{
	for (int i = 0; i < 4; i++) {
		out->len = 0;
		mime_put_structure(mime, (i & 1) != 0, (i & 2) != 0, out);
		check_list(out);
		out->len = 0;
		mime_put_envelope(mime, 0, (i & 2) != 0, out);
		check_list(out);
	}
	out->len = 0;
	mime_put_structure_rev2(mime, true, out);
	check_list(out);
	out->len = 0;
	mime_put_structure(mime, true, false, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mdbuf whole = {0}, pieces = {0};
	uint32_t numbers[3] = {1, 1, 2};
	struct mime *mime;
	bool body_of;

	if (size == 0)
		return 0;
	mime = parse(data + 1, size - 1, size);
	check_parts(mime, size - 1);
	tell(mime, &whole);
	for (size_t count = 0; count <= 3; count++) {
		uint32_t index = mime_find(mime, numbers, count, &body_of);

		assert(index == MIME_NONE || index < mime_count(mime));
	}
	mime_free(&mime);

	mime = parse(data + 1, size - 1, (size_t)data[0] + 1);
	check_parts(mime, size - 1);
	tell(mime, &pieces);
	assert(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
	mime_free(&mime);
	mdbuf_clear(&whole);
	mdbuf_clear(&pieces);
	return 0;
}
