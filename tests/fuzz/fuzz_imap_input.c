/*
 * fuzz_imap_input.c: commands collected from octets that come in pieces.  The first octet chooses the pieces.
 * The commands must not depend on the pieces, and octets that were swallowed must be in no command.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/buf.h"
#include "server/imap/input.h"

enum { MAX = 256, LITERAL_MAX = 64, LITERALS_MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_literal(struct imap_input *c, struct mdbuf *seen)
{
	const struct imap_literal *literal = &c->literal;

	assert(literal->at < c->len && c->text[literal->at] == (literal->binary ? '~' : '{'));
	assert(c->text[c->len - 1] == '\n' && literal->size <= INT64_MAX);
	mdbuf_addf(seen, "(%llu%s%s)", (unsigned long long)literal->size, literal->plus ? "+" : "",
	    literal->binary ? "~" : "");
	if (literal->size <= LITERAL_MAX && literal->size < c->max - c->len &&
	    c->literals <= LITERALS_MAX)
		imap_input_accept(c);
	else if (!imap_input_refuse(c))
		imap_input_next(c);
}

/* All events, written down. */
static void
collect(const uint8_t *data, size_t size, size_t step, bool fixed, struct mdbuf *seen)
{
	char *text = fixed ? malloc(MAX) : NULL;
	struct imap_input c;
	enum imap_input_event event = IMAP_INPUT_MORE;
	size_t at = 0, piece;
	char *copy;

	assert(!fixed || text != NULL);
	imap_input_init(&c, text, MAX);
	while (at < size && event != IMAP_INPUT_BROKEN) {
		piece = size - at < step ? size - at : step;
		copy = malloc(piece); /* exact, so that a look past it is seen */
		assert(copy != NULL);
		memcpy(copy, data + at, piece);
		piece = imap_input_feed(&c, copy, piece, &event);
		free(copy);
		at += piece;
		assert(piece > 0 || event == IMAP_INPUT_LONG);
		if (event == IMAP_INPUT_DONE) {
			assert(c.len <= c.size && c.size <= MAX);
			assert(c.left == 0 && !c.skipping);
			mdbuf_addf(seen, "[");
			mdbuf_add(seen, c.text, c.len);
			mdbuf_addf(seen, "]");
			imap_input_next(&c);
		} else if (event == IMAP_INPUT_LITERAL) {
			on_literal(&c, seen);
		} else if (event == IMAP_INPUT_REFUSED) {
			assert(c.skipping || c.literals > 0);
			mdbuf_addf(seen, ">");
			imap_input_next(&c);
		} else if (event != IMAP_INPUT_MORE) {
			mdbuf_addf(seen, event == IMAP_INPUT_LONG ? "<" : "#");
		}
	}
	imap_input_clear(&c);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mdbuf at_once = {0}, in_pieces = {0};

	if (size < 1)
		return 0;
	collect(data + 1, size - 1, size, false, &at_once);
	collect(data + 1, size - 1, (size_t)data[0] + 1, true, &in_pieces);
	assert(!at_once.failed && !in_pieces.failed && at_once.len == in_pieces.len);
	assert(at_once.len == 0 || memcmp(at_once.data, in_pieces.data, at_once.len) == 0);
	mdbuf_clear(&at_once);
	mdbuf_clear(&in_pieces);
	return 0;
}
