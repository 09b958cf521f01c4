/*
 * buf.h: memory that grows: a text that is being written, and strings that are freed together.
 */
#ifndef MAILDIR_BASE_BUF_H
#define MAILDIR_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* A text that is being written; all zero is an empty one.  Once memory was short it stays failed: check at the end. */
struct mdbuf {
	char *data;
	size_t len, size;
	bool failed;
};

void mdbuf_add(struct mdbuf *text, const void *data, size_t len);
/* Makes room for len octets more.  The caller writes them to the result and adds them to text->len.  NULL: ENOMEM. */
char *mdbuf_grow(struct mdbuf *text, size_t len);
static inline char *
mdbuf_room(struct mdbuf *text, size_t len)
{
	if (text->size == 0 || len > text->size - text->len)
		return mdbuf_grow(text, len);
	return text->data + text->len;
}
/* Adds numbers and short words, up to 511 octets; more makes the text fail. */
void mdbuf_addf(struct mdbuf *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mdbuf_clear(struct mdbuf *text);

/* Strings that live as long as the arena; all zero is an empty one. */
struct mdarena {
	struct mdarena_chunk *head;
};

/* Copies a string of len octets, and adds a NUL.  NULL: ENOMEM. */
char *mdarena_add(struct mdarena *arena, const char *string, size_t len);
void mdarena_clear(struct mdarena *arena);

#endif
