/*
 * mime.c: a message's parts: reading them from a message, finding one by its numbers.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "maildir/maildir.h"
#include "maildir/message/mime_internal.h"

/* Pieces in which a message is read. */
#define PIECE (32 * 1024)

struct mime *
mime_new(void)
{
	struct mime *mime = calloc(1, sizeof(*mime));

	if (mime == NULL)
		return NULL;
	mime->in_header = true;
	mime_header_begin(mime);
	if (mime_add_part(mime, MIME_NONE, 0) == MIME_NONE)
		mime_free(&mime);
	return mime;
}

void
mime_free(struct mime **mime)
{
	if (*mime == NULL)
		return;
	mdarena_clear(&(*mime)->arena);
	mdtext_clear(&(*mime)->word);
	mdtext_clear(&(*mime)->text);
	free((*mime)->node);
	free((*mime)->envelope);
	free((*mime)->value);
	free((*mime)->parameter);
	free(*mime);
	*mime = NULL;
}

size_t
mime_count(const struct mime *mime)
{
	return mime->count;
}

const struct mime_part *
mime_part(const struct mime *mime, uint32_t index)
{
	return &mime->node[index].pub;
}

static int
read_all(struct maildir_reader *reader, struct mime *mime)
{
	char *piece = malloc(PIECE);
	ssize_t n = -1;

	if (piece == NULL)
		return -1;
	while ((n = maildir_reader_read(reader, piece, PIECE)) > 0)
		mime_feed(mime, piece, (size_t)n);
	free(piece);
	return n < 0 ? -1 : mime_end(mime);
}

int
maildir_mime(struct maildir_folder *folder, uint32_t uid, struct mime **mime_r)
{
	struct maildir_reader *reader;
	struct mime *mime;
	int saved;

	if (maildir_reader_open(folder, uid, &reader) < 0)
		return -1;
	mime = mime_new();
	if (mime == NULL || read_all(reader, mime) < 0) {
		saved = errno;
		mime_free(&mime);
		maildir_reader_close(&reader);
		errno = saved;
		return -1;
	}
	maildir_reader_close(&reader);
	*mime_r = mime;
	return 0;
}

static uint32_t
nth_child(const struct mime *mime, uint32_t part, uint32_t number)
{
	uint32_t child = mime->node[part].pub.child;

	while (child != MIME_NONE && --number > 0)
		child = mime->node[child].pub.next;
	return child;
}

uint32_t
mime_find(const struct mime *mime, const uint32_t *numbers, size_t count, bool *body_of_r)
{
	uint32_t at = 0;
	bool message = true; /* at is one: its own numbers follow, not yet those inside it */

	*body_of_r = false;
	for (size_t i = 0; i < count; i++) {
		const struct mime_part *part = &mime->node[at].pub;

		if (!message && part->kind == MIME_MESSAGE) {
			at = part->child;
			part = &mime->node[at].pub;
			message = true;
		}
		*body_of_r = message && part->kind != MIME_MULTIPART;
		message = false;
		if (numbers[i] == 0)
			return MIME_NONE;
		if (part->kind == MIME_MULTIPART)
			at = nth_child(mime, at, numbers[i]);
		else if (!*body_of_r || numbers[i] != 1)
			return MIME_NONE;
		if (at == MIME_NONE)
			return MIME_NONE;
	}
	return at;
}
