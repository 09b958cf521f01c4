/*
 * text.h: memory that grows: a text being written, and a store of strings that are freed together.
 */
#ifndef MAILDIR_BASE_TEXT_H
#define MAILDIR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A text under construction.  Once memory was short it stays failed; one check at the end is enough. */
struct mdtext {
	char *data;
	size_t len, size;
	bool failed;
};

void mdtext_add(struct mdtext *text, const void *data, size_t len);
/* Room for so many octets more, which the caller writes and counts in len; NULL: memory was short. */
char *mdtext_grow(struct mdtext *text, size_t len);
static inline char *
mdtext_room(struct mdtext *text, size_t len)
{
	if (text->size == 0 || len > text->size - text->len)
		return mdtext_grow(text, len);
	return text->data + text->len;
}
void mdtext_addf(struct mdtext *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mdtext_clear(struct mdtext *text);

/* Strings that live as long as the arena; a zeroed one is empty. */
struct mdarena {
	struct mdarena_chunk *head;
};

/* A copy with a NUL behind it, or NULL with ENOMEM. */
char *mdarena_add(struct mdarena *arena, const char *string, size_t len);
void mdarena_clear(struct mdarena *arena);

#endif
