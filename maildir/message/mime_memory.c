/*
 * mime_memory.c: what the parser of a message keeps: parts, and texts of their headers.
 * Runs as: mail user.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/message/mime_internal.h"

void *
mime_room(struct mime *mime, void *array, size_t count, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 4 : *room * 2;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, more, size);
	if (grown == NULL) {
		mime->failed = true;
		return NULL;
	}
	*room = more;
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
	node->pub.child = node->pub.next = node->last_child = node->envelope = MIME_NONE;
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
