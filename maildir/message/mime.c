/*
 * mime.c: a message's parts: what is kept of them, reading a message, finding a part by its numbers.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "maildir/base/array.h"
#include "maildir/message/mime_internal.h"
#include "maildir/message/source.h"

/* Pieces in which a message is read. */
#define PIECE (32 * 1024)

/* --- memory --- */

void *
mime_room(struct mime *mime, void *array, size_t count, size_t *room, size_t size)
{
	void *grown = array_grow(array, count, room, size);

	mime->failed |= grown == NULL;
	return grown;
}

const char *
mime_keep(struct mime *mime, const char *text, size_t len)
{
	const char *copy = mdarena_add(&mime->arena, len > 0 ? text : "", len);

	if (copy == NULL)
		mime->failed = true;
	return copy;
}

bool
mime_word_is(const char *word, const char *text)
{
	return word != NULL && strcasecmp(word, text) == 0;
}

bool
mime_is_message_type(const struct mime_part *part)
{
	return mime_word_is(part->type, "message") &&
	       (mime_word_is(part->subtype, "rfc822") || mime_word_is(part->subtype, "global"));
}

bool
mime_is_message(const struct mime *mime, const struct mime_node *node)
{
	return node->pub.parent == MIME_NONE ||
	       mime->node[node->pub.parent].pub.kind == MIME_MESSAGE;
}

uint32_t
mime_add_part(struct mime *mime, uint32_t parent, uint64_t at)
{
	uint32_t index = (uint32_t)mime->count, before;
	struct mime_node *node =
	    mime_room(mime, mime->node, mime->count, &mime->room, sizeof(*node));

	if (node == NULL)
		return MIME_NONE;
	mime->node = node;
	node = &mime->node[mime->count++];
	memset(node, 0, sizeof(*node));
	node->pub.parent = parent;
	node->pub.child = node->pub.next = node->last_child = MIME_NONE;
	node->pub.header_at = node->pub.body_at = at;
	if (parent == MIME_NONE)
		return index;
	node->depth = mime->node[parent].depth + 1;
	before = mime->node[parent].last_child;
	mime->node[parent].last_child = index;
	if (before == MIME_NONE)
		mime->node[parent].pub.child = index;
	else
		mime->node[before].pub.next = index;
	return index;
}

/* --- a message --- */

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
	mdbuf_clear(&(*mime)->word);
	mdbuf_clear(&(*mime)->text);
	free((*mime)->node);
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

int
mime_read(const struct source *source, struct mime **mime_r)
{
	char *piece = malloc(PIECE);
	struct mime *mime = mime_new();
	ssize_t n = -1;

	if (piece != NULL && mime != NULL)
		while ((n = source->read(source->ctx, piece, PIECE)) > 0)
			mime_feed(mime, piece, (size_t)n);
	if (n < 0 || mime_end(mime) < 0)
		mime_free(&mime);
	free(piece);
	*mime_r = mime;
	return mime != NULL ? 0 : -1;
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
