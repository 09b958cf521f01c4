/*
 * buf.c: memory that grows.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/buf.h"

/* An arena begins with a small chunk, for a folder of ten messages; 100,000 messages take a hundred chunks. */
#define CHUNK_FIRST 1024
#define CHUNK_MAX   (64 * 1024)

struct mdarena_chunk {
	struct mdarena_chunk *next;
	size_t used, size;
	char data[];
};

char *
mdbuf_grow(struct mdbuf *text, size_t len)
{
	size_t size = text->size == 0 ? 4096 : text->size;
	char *data;

	if (text->failed || len > SIZE_MAX / 4 || text->len > SIZE_MAX / 4) {
		text->failed = true;
		return NULL;
	}
	while (size < text->len + len)
		size *= 2;
	if (size != text->size) {
		data = realloc(text->data, size);
		if (data == NULL) {
			text->failed = true;
			return NULL;
		}
		text->data = data;
		text->size = size;
	}
	return text->data + text->len;
}

void
mdbuf_add(struct mdbuf *text, const void *data, size_t len)
{
	char *to = mdbuf_room(text, len);

	if (to == NULL)
		return;
	if (len > 0)
		memcpy(to, data, len);
	text->len += len;
}

void
mdbuf_addf(struct mdbuf *text, const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line))
		text->failed = true;
	else
		mdbuf_add(text, line, (size_t)n);
}

void
mdbuf_clear(struct mdbuf *text)
{
	free(text->data);
	memset(text, 0, sizeof(*text));
}

char *
mdarena_add(struct mdarena *arena, const char *string, size_t len)
{
	struct mdarena_chunk *chunk = arena->head;
	size_t size = CHUNK_FIRST;
	char *copy;

	if (chunk == NULL || chunk->size - chunk->used <= len) {
		if (chunk != NULL)
			size = chunk->size < CHUNK_MAX ? chunk->size * 2 : CHUNK_MAX;
		if (size <= len)
			size = len + 1;
		chunk = malloc(sizeof(*chunk) + size);
		if (chunk == NULL)
			return NULL;
		chunk->next = arena->head;
		chunk->used = 0;
		chunk->size = size;
		arena->head = chunk;
	}
	copy = chunk->data + chunk->used;
	memcpy(copy, string, len);
	copy[len] = '\0';
	chunk->used += len + 1;
	return copy;
}

void
mdarena_clear(struct mdarena *arena)
{
	struct mdarena_chunk *next;

	for (struct mdarena_chunk *chunk = arena->head; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	arena->head = NULL;
}
