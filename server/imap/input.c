/*
 * input.c: a command being collected, from its first octet to its last line end.
 * Runs as: worker, and mail user in the reader.
 *
 * A line ends at LF, with or without CR before it; a CR alone ends nothing.  Whether it announces a
 * literal is seen at its end alone: no quoted string, and nothing else that is well-formed, ends in
 * "}".  So the octets behind "{n+}" are never taken for a command, however broken the line is.
 */
#include <stdlib.h>
#include <string.h>

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
	struct imap_input next;
	char *text = input->text;

	if (!input->fixed && input->size > INPUT_KEEP) {
		free(text);
		text = NULL;
	} else if (text != NULL) {
		explicit_bzero(text, input->len); /* it may have held a password */
	}
	imap_input_init(&next, input->fixed ? text : NULL, input->max);
	if (!input->fixed && text != NULL) {
		next.text = text;
		next.size = input->size;
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

/* Room for len more octets; false when that is too much. */
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
	if (grown == NULL) {
		input->failed = true;
		return false;
	}
	input->text = grown;
	input->size = size;
	return true;
}

/* The last octets of a line that is not kept, in which a literal may be announced. */
static void
keep_tail(struct imap_input *input, const char *octets, size_t len)
{
	const size_t size = sizeof(input->tail);

	if (len >= size) {
		memcpy(input->tail, octets + len - size, size);
		input->tail_len = size;
		return;
	}
	if (input->tail_len + len > size) {
		size_t drop = input->tail_len + len - size;

		memmove(input->tail, input->tail + drop, input->tail_len - drop);
		input->tail_len -= drop;
	}
	memcpy(input->tail + input->tail_len, octets, len);
	input->tail_len += len;
}

enum announced { ANNOUNCED_NOTHING, ANNOUNCED, ANNOUNCED_WRONG };

/*
 * Whether a line (without its line end) announces a literal: [~]{digits[+]} at its end.  whole: line is
 * all of it; "x+}" is an atom then, as passwords have been seen.
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
	for (size_t i = open; i < end; i++) {
		if (line[i] < '0' || line[i] > '9' || size > INT64_MAX / 10 - 1)
			return literal->plus ? ANNOUNCED_WRONG : ANNOUNCED_NOTHING;
		size = size * 10 + (uint64_t)(line[i] - '0');
	}
	literal->size = size;
	literal->binary = open >= 2 && line[open - 2] == '~';
	literal->at = open - (literal->binary ? 2 : 1);
	return ANNOUNCED;
}

/* A line that is thrown away has ended. */
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
			return IMAP_INPUT_REFUSED; /* the client waits: it hears of the refusal */
		input->left = input->literal.size;
		return IMAP_INPUT_MORE;
	case ANNOUNCED_NOTHING:
	default:
		return IMAP_INPUT_REFUSED;
	}
}

/* A line of the text has ended; its end is part of the text. */
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
		input->announced = true;
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
		/* The line may end in "{n+}" of which a part is in the text already. */
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
	input->announced = false;
	input->left = input->literal.size;
	input->line = input->len;
	if (input->left > input->max || !reserve(input, (size_t)input->left))
		input->skipping = true; /* a caller that asks for it has looked before */
}

void
imap_input_stream(struct imap_input *input)
{
	input->announced = false;
	input->line = input->len;
}

bool
imap_input_refuse(struct imap_input *input)
{
	input->announced = false;
	if (!input->literal.plus)
		return false;
	input->skipping = true;
	input->left = input->literal.size;
	return true;
}
