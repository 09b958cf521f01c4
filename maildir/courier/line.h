/*
 * line.h: Courier's files are lines of words; this takes them apart.
 */
#ifndef MAILDIR_COURIER_LINE_H
#define MAILDIR_COURIER_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "maildir/base/name.h"
#include "maildir/base/number.h"

/* Takes the next line off the text, without its newline; a line that has none was cut off. */
static inline bool
line_next(const char **text, const char *end, const char **line_r, size_t *len_r)
{
	const char *newline;

	newline = *text < end ? memchr(*text, '\n', (size_t)(end - *text)) : NULL;
	if (newline == NULL)
		return false;
	*line_r = *text;
	*len_r = (size_t)(newline - *text);
	*text = newline + 1;
	return true;
}

/* Takes digits off the start of the line. */
static inline bool
line_number(const char **line, size_t *len, uint64_t *value_r)
{
	size_t digits = number_read(*line, *len, UINT64_MAX, value_r);

	*line += digits;
	*len -= digits;
	return digits > 0;
}

static inline bool
line_char(const char **line, size_t *len, char c)
{
	if (*len == 0 || **line != c)
		return false;
	++*line;
	--*len;
	return true;
}

/* Takes the last word off the line, which keeps what stands before the blank. */
static inline bool
line_last(const char *line, size_t *len, const char **word_r, size_t *word_len_r)
{
	const char *blank = memrchr(line, ' ', *len);

	if (blank == NULL)
		return false;
	*word_r = blank + 1;
	*word_len_r = *len - (size_t)(blank + 1 - line);
	*len = (size_t)(blank - line);
	return true;
}

/* The length of the base of a file name; 0 when a message cannot have it. */
static inline size_t
line_base(const char *name, size_t len)
{
	size_t base = mdname_base_in(name, len);

	if (base == 0 || base >= NAME_SIZE || name[0] == '.')
		return 0;
	for (size_t i = 0; i < base; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == '/')
			return 0;
	}
	return base;
}

static inline int
base_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return r != 0 ? r : (a_len > b_len) - (a_len < b_len);
}

#endif
