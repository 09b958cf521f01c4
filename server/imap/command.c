/*
 * command.c: a command being collected, from its first octet to its last line end.
 * Runs as: worker, and mail user in the reader.
 *
 * A line ends at LF, with or without CR before it; a CR alone ends nothing.  Whether it announces a
 * literal is seen at its end alone: no quoted string, and nothing else that is well-formed, ends in
 * "}".  So the octets behind "{n+}" are never taken for a command, however broken the line is.
 */
#include <stdlib.h>
#include <string.h>

#include "server/imap/command.h"

enum {
	COMMAND_FIRST = 1024, /* octets; nearly all commands fit */
	COMMAND_KEEP = 4096,  /* a larger buffer is not kept for the next command */
};

void
imap_command_init(struct imap_command *command, char *text, size_t max)
{
	memset(command, 0, sizeof(*command));
	command->text = text;
	command->fixed = text != NULL;
	command->size = text != NULL ? max : 0;
	command->max = max;
}

void
imap_command_next(struct imap_command *command)
{
	struct imap_command next;
	char *text = command->text;

	if (!command->fixed && command->size > COMMAND_KEEP) {
		free(text);
		text = NULL;
	} else if (text != NULL) {
		explicit_bzero(text, command->len); /* it may have held a password */
	}
	imap_command_init(&next, command->fixed ? text : NULL, command->max);
	if (!command->fixed && text != NULL) {
		next.text = text;
		next.size = command->size;
	}
	*command = next;
}

void
imap_command_clear(struct imap_command *command)
{
	if (command->fixed)
		explicit_bzero(command->text, command->len);
	else
		free(command->text);
	memset(command, 0, sizeof(*command));
}

/* Room for len more octets; false when that is too much. */
static bool
reserve(struct imap_command *command, size_t len)
{
	size_t size = command->size == 0 ? COMMAND_FIRST : command->size;
	char *grown;

	if (len > command->max - command->len)
		return false;
	while (size < command->len + len)
		size *= 2;
	if (size > command->max)
		size = command->max;
	if (size <= command->size)
		return true;
	grown = realloc(command->text, size);
	if (grown == NULL) {
		command->failed = true;
		return false;
	}
	command->text = grown;
	command->size = size;
	return true;
}

/* The last octets of a line that is not kept, in which a literal may be announced. */
static void
keep_tail(struct imap_command *command, const char *octets, size_t len)
{
	const size_t size = sizeof(command->tail);

	if (len >= size) {
		memcpy(command->tail, octets + len - size, size);
		command->tail_len = size;
		return;
	}
	if (command->tail_len + len > size) {
		size_t drop = command->tail_len + len - size;

		memmove(command->tail, command->tail + drop, command->tail_len - drop);
		command->tail_len -= drop;
	}
	memcpy(command->tail + command->tail_len, octets, len);
	command->tail_len += len;
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
static enum imap_command_event
skipped_line(struct imap_command *command)
{
	size_t len = command->tail_len;
	bool whole = len < sizeof(command->tail);

	if (len > 0 && command->tail[len - 1] == '\r')
		len--;
	command->tail_len = 0;
	switch (literal_at_end(command->tail, len, whole, &command->literal)) {
	case ANNOUNCED_WRONG:
		return IMAP_COMMAND_BROKEN;
	case ANNOUNCED:
		if (!command->literal.plus)
			return IMAP_COMMAND_REFUSED; /* the client waits: it hears of the refusal */
		command->left = command->literal.size;
		return IMAP_COMMAND_MORE;
	case ANNOUNCED_NOTHING:
	default:
		return IMAP_COMMAND_REFUSED;
	}
}

/* A line of the text has ended; its end is part of the text. */
static enum imap_command_event
kept_line(struct imap_command *command)
{
	size_t end = command->len - 1;

	if (end > command->line && command->text[end - 1] == '\r')
		end--;
	switch (literal_at_end(
	    command->text + command->line, end - command->line, true, &command->literal)) {
	case ANNOUNCED_WRONG:
		return IMAP_COMMAND_BROKEN;
	case ANNOUNCED:
		command->literal.at += command->line;
		command->literals++;
		command->announced = true;
		return IMAP_COMMAND_LITERAL;
	case ANNOUNCED_NOTHING:
	default:
		command->len = end;
		return IMAP_COMMAND_DONE;
	}
}

/* Octets up to the end of a line. */
static size_t
feed_line(
    struct imap_command *command, const char *octets, size_t len, enum imap_command_event *event_r)
{
	const char *newline = memchr(octets, '\n', len);
	size_t take = newline != NULL ? (size_t)(newline - octets) + 1 : len;

	*event_r = IMAP_COMMAND_MORE;
	if (command->skipping) {
		keep_tail(command, octets, newline != NULL ? take - 1 : take);
		if (newline != NULL)
			*event_r = skipped_line(command);
		return take;
	}
	if (!reserve(command, take)) {
		command->skipping = true;
		/* The line may end in "{n+}" of which a part is in the text already. */
		if (command->len > command->line)
			keep_tail(
			    command, command->text + command->line, command->len - command->line);
		*event_r = IMAP_COMMAND_LONG;
		return 0;
	}
	memcpy(command->text + command->len, octets, take);
	command->len += take;
	if (newline != NULL)
		*event_r = kept_line(command);
	return take;
}

/* Octets of a literal. */
static size_t
feed_literal(struct imap_command *command, const char *octets, size_t len)
{
	size_t take = len < command->left ? len : (size_t)command->left;

	if (!command->skipping) {
		memcpy(command->text + command->len, octets, take);
		command->len += take;
	}
	command->left -= take;
	command->line = command->len;
	return take;
}

size_t
imap_command_feed(
    struct imap_command *command, const char *octets, size_t len, enum imap_command_event *event_r)
{
	size_t used = 0;

	*event_r = IMAP_COMMAND_MORE;
	while (used < len && *event_r == IMAP_COMMAND_MORE) {
		if (command->left > 0)
			used += feed_literal(command, octets + used, len - used);
		else
			used += feed_line(command, octets + used, len - used, event_r);
	}
	return used;
}

void
imap_command_accept(struct imap_command *command)
{
	command->announced = false;
	command->left = command->literal.size;
	command->line = command->len;
	if (command->left > command->max || !reserve(command, (size_t)command->left))
		command->skipping = true; /* a caller that asks for it has looked before */
}

void
imap_command_stream(struct imap_command *command)
{
	command->announced = false;
	command->line = command->len;
}

bool
imap_command_refuse(struct imap_command *command)
{
	command->announced = false;
	if (!command->literal.plus)
		return false;
	command->skipping = true;
	command->left = command->literal.size;
	return true;
}
