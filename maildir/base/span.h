/*
 * span.h: takes apart a text that is made of lines and words.
 *
 * A span is a row of octets inside of a text, which it does not own.  A piece that is taken off begins at its start,
 * and the span then begins after that.  No function reads an octet outside of its span.
 */
#ifndef MAILDIR_BASE_SPAN_H
#define MAILDIR_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "maildir/base/number.h"

struct span {
	const char *p; /* not NUL-terminated; may be NULL if len is 0 */
	size_t len;
};

static inline void
span_skip(struct span *span, size_t len)
{
	span->p += len;
	span->len -= len;
}

/*
 * Takes the next line, without its newline.  Returns false if no newline is left: the span is empty then, or it is a
 * last line without an end.
 */
static inline bool
span_line(struct span *text, struct span *line_r)
{
	const char *newline = text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;

	if (newline == NULL)
		return false;
	*line_r = (struct span){text->p, (size_t)(newline - text->p)};
	span_skip(text, line_r->len + 1);
	return true;
}

/* As span_line, but a last line without an end is a line too. */
static inline bool
span_line_or_rest(struct span *text, struct span *line_r)
{
	if (span_line(text, line_r))
		return true;
	*line_r = *text;
	text->len = 0;
	return line_r->len > 0;
}

static inline bool
span_char(struct span *span, char c)
{
	if (span->len == 0 || *span->p != c)
		return false;
	span_skip(span, 1);
	return true;
}

static inline void
span_blanks(struct span *span)
{
	while (span_char(span, ' '))
		;
}

/* Takes the blanks, and the word that follows up to the next blank.  Returns false if there is no word. */
static inline bool
span_word(struct span *span, struct span *word_r)
{
	const char *blank;

	span_blanks(span);
	if (span->len == 0)
		return false;
	blank = memchr(span->p, ' ', span->len);
	*word_r = (struct span){span->p, blank != NULL ? (size_t)(blank - span->p) : span->len};
	span_skip(span, word_r->len);
	return true;
}

/* Takes digits.  Returns false, and takes nothing, if there are none or their number is above max. */
static inline bool
span_number(struct span *span, uint64_t max, uint64_t *number_r)
{
	size_t digits = number_read(span->p, span->len, max, number_r);

	if (digits > 0)
		span_skip(span, digits);
	return digits > 0;
}

/* As span_number, for hexadecimal digits, of which 16 are the most. */
static inline bool
span_hex(struct span *span, uint64_t *number_r)
{
	size_t digits = number_read_hex(span->p, span->len, number_r);

	if (digits > 0)
		span_skip(span, digits);
	return digits > 0;
}

/* Copies the span as a string into size octets.  Returns false if it does not fit or holds a NUL. */
static inline bool
span_string(struct span span, char *out, size_t size)
{
	if (span.len >= size || (span.len > 0 && memchr(span.p, '\0', span.len) != NULL))
		return false;
	if (span.len > 0)
		memcpy(out, span.p, span.len);
	out[span.len] = '\0';
	return true;
}

#endif
