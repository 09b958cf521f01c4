/*
 * input.c: a command being collected, from its first octet to its last line end.
 * Runs as: worker, and mail user in the reader.
 *
 * A line ends at LF, with or without CR before it; a CR alone ends nothing.  The end of a line alone tells whether
 * it announces a literal: no quoted string, and nothing else that is well-formed, ends in "}".  So the
 * octets after "{n+}" are never taken for a command, however broken the line is.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/base/number.h"
#include "server/imap/input.h"

enum {
	INPUT_FIRST = 1024, /* octets; nearly all commands fit */
	INPUT_KEEP = 4096,  /* a larger buffer is not kept for the next command */
};

void
imap_input_init(struct imap_input *input, char *text, size_t max)
{
	memset(input, 0, sizeof(*input));
	input->text = text;
	input->fixed = text != NULL;
	input->size = text != NULL ? max : 0;
	input->max = max;
}

void
imap_input_next(struct imap_input *input)
{
	struct imap_input next = {
	    .text = input->text, .size = input->size, .max = input->max, .fixed = input->fixed};

	if (!input->fixed && input->size > INPUT_KEEP) {
		free(input->text);
		next.text = NULL;
		next.size = 0;
	} else if (input->text != NULL) {
		explicit_bzero(input->text, input->len); /* it may have held a password */
	}
	*input = next;
}

void
imap_input_clear(struct imap_input *input)
{
	if (input->fixed)
		explicit_bzero(input->text, input->len);
	else
		free(input->text);
	memset(input, 0, sizeof(*input));
}

/* Makes room for len more octets; false: they are too many. */
static bool
reserve(struct imap_input *input, size_t len)
{
	size_t size = input->size == 0 ? INPUT_FIRST : input->size;
	char *grown;

	if (len > input->max - input->len)
		return false;
	while (size < input->len + len)
		size *= 2;
	if (size > input->max)
		size = input->max;
	if (size <= input->size)
		return true;
	grown = realloc(input->text, size);
	if (grown == NULL)
		return false;
	input->text = grown;
	input->size = size;
	return true;
}

/* Keeps the last octets of a line that is thrown away: they may announce a literal. */
static void
keep_tail(struct imap_input *input, const char *octets, size_t len)
{
	const size_t size = sizeof(input->tail);
	size_t before;

	if (len > size) {
		octets += len - size;
		len = size;
	}
	before = input->tail_len < size - len ? input->tail_len : size - len;
	memmove(input->tail, input->tail + input->tail_len - before, before);
	memcpy(input->tail + before, octets, len);
	input->tail_len = before + len;
}

enum announced { ANNOUNCED_NOTHING, ANNOUNCED, ANNOUNCED_WRONG };

/*
 * Whether a line (without its line end) announces a literal: [~]{digits[+]} at its end.  whole: nothing of the line
 * is missing.  Then "x+}" without a "{" is an atom; such passwords have been seen.
 */
static enum announced
literal_at_end(const char *line, size_t len, bool whole, struct imap_literal *literal)
{
	size_t open = len, end;
	uint64_t size = 0;

	if (len < 2 || line[len - 1] != '}')
		return ANNOUNCED_NOTHING;
	end = len - 1;
	literal->plus = line[end - 1] == '+';
	if (literal->plus)
		end--;
	while (open > 0 && line[open - 1] != '{')
		open--;
	if (open == 0 && whole)
		return ANNOUNCED_NOTHING;
	if (open == 0 || open >= end)
		return literal->plus ? ANNOUNCED_WRONG : ANNOUNCED_NOTHING;
	if (number_read(line + open, end - open, INT64_MAX, &size) != end - open)
		return literal->plus ? ANNOUNCED_WRONG : ANNOUNCED_NOTHING;
	literal->size = size;
	literal->binary = open >= 2 && line[open - 2] == '~';
	literal->at = open - (literal->binary ? 2 : 1);
	return ANNOUNCED;
}

/* At the end of a line that is thrown away. */
static enum imap_input_event
skipped_line(struct imap_input *input)
{
	size_t len = input->tail_len;
	bool whole = len < sizeof(input->tail);

	if (len > 0 && input->tail[len - 1] == '\r')
		len--;
	input->tail_len = 0;
	switch (literal_at_end(input->tail, len, whole, &input->literal)) {
	case ANNOUNCED_WRONG:
		return IMAP_INPUT_BROKEN;
	case ANNOUNCED:
		if (!input->literal.plus)
			return IMAP_INPUT_REFUSED; /* the client waits, and hears of it */
		input->left = input->literal.size;
		return IMAP_INPUT_MORE;
	case ANNOUNCED_NOTHING:
	default:
		return IMAP_INPUT_REFUSED;
	}
}

/* At the end of a line of the text; its line end is in the text. */
static enum imap_input_event
kept_line(struct imap_input *input)
{
	size_t end = input->len - 1;

	if (end > input->line && input->text[end - 1] == '\r')
		end--;
	switch (
	    literal_at_end(input->text + input->line, end - input->line, true, &input->literal)) {
	case ANNOUNCED_WRONG:
		return IMAP_INPUT_BROKEN;
	case ANNOUNCED:
		input->literal.at += input->line;
		input->literals++;
		return IMAP_INPUT_LITERAL;
	case ANNOUNCED_NOTHING:
	default:
		input->len = end;
		return IMAP_INPUT_DONE;
	}
}

/* Octets up to the end of a line. */
static size_t
feed_line(struct imap_input *input, const char *octets, size_t len, enum imap_input_event *event_r)
{
	const char *newline = memchr(octets, '\n', len);
	size_t take = newline != NULL ? (size_t)(newline - octets) + 1 : len;

	*event_r = IMAP_INPUT_MORE;
	if (input->skipping) {
		keep_tail(input, octets, newline != NULL ? take - 1 : take);
		if (newline != NULL)
			*event_r = skipped_line(input);
		return take;
	}
	if (!reserve(input, take)) {
		input->skipping = true;
		/* A part of the line's "{n+}" may be in the text already. */
		if (input->len > input->line)
			keep_tail(input, input->text + input->line, input->len - input->line);
		*event_r = IMAP_INPUT_LONG;
		return 0;
	}
	memcpy(input->text + input->len, octets, take);
	input->len += take;
	if (newline != NULL)
		*event_r = kept_line(input);
	return take;
}

/* Octets of a literal. */
static size_t
feed_literal(struct imap_input *input, const char *octets, size_t len)
{
	size_t take = len < input->left ? len : (size_t)input->left;

	if (!input->skipping) {
		memcpy(input->text + input->len, octets, take);
		input->len += take;
	}
	input->left -= take;
	input->line = input->len;
	return take;
}

size_t
imap_input_feed(
    struct imap_input *input, const char *octets, size_t len, enum imap_input_event *event_r)
{
	size_t used = 0;

	*event_r = IMAP_INPUT_MORE;
	while (used < len && *event_r == IMAP_INPUT_MORE) {
		if (input->left > 0)
			used += feed_literal(input, octets + used, len - used);
		else
			used += feed_line(input, octets + used, len - used, event_r);
	}
	return used;
}

void
imap_input_accept(struct imap_input *input)
{
	input->left = input->literal.size;
	input->line = input->len;
	if (input->left > input->max || !reserve(input, (size_t)input->left))
		input->skipping = true; /* callers look at the size before */
}

void
imap_input_stream(struct imap_input *input)
{
	input->line = input->len;
}

bool
imap_input_refuse(struct imap_input *input)
{
	if (!input->literal.plus)
		return false;
	input->skipping = true;
	input->left = input->literal.size;
	return true;
}
