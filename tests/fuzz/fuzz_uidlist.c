/*
 * fuzz_uidlist.c: any octets as dovecot-uidlist.  A list that can be parsed is written again, and the result
 * must be a valid list that says the same as the valid lines.  A damaged list is written as a sync would
 * rescue it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/uids/uidlist.h"

#define GUID "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
parse(struct uidlist *list, const void *data, size_t size)
{
	/* Exactly as large: a look past the end is found. */
	char *text = malloc(size > 0 ? size : 1);

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	assert(uidlist_parse(list, text, size) == 0);
}

static bool
same_sizes(const struct uidlist_line *a, const struct uidlist_line *b)
{
	struct uidlist_sizes x, y;

	uidlist_sizes(a, &x);
	uidlist_sizes(b, &y);
	return x.size == y.size && x.wire == y.wire && x.known == y.known &&
	       x.line_end == y.line_end;
}

static void
check_line(const struct uidlist_line *line)
{
	assert(line->uid > 0 && line->uid <= UIDLIST_UID_MAX);
	assert(line->base_len > 0 && memchr(line->base, ':', line->base_len) == NULL);
	assert(memchr(line->base, '/', line->base_len) == NULL);
	assert(memchr(line->base, '\n', line->base_len) == NULL);
	assert(memchr(line->base, '\0', line->base_len) == NULL);
}

static void
write_anew(const struct uidlist *list, bool renumber, struct mdbuf *out)
{
	uint32_t uid = 1;

	uidlist_put_header(out, list, list->validity != 0 ? list->validity : 1,
	    renumber ? (uint32_t)list->count + 1 : list->next, list->guid[0] ? list->guid : GUID);
	for (size_t i = 0; i < list->count; i++) {
		const struct uidlist_line *line = &list->line[i];

		uidlist_put_line(out, line, renumber ? uid++ : line->uid, NULL);
	}
	assert(!out->failed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uidlist list, again;
	struct mdbuf out = {0};
	bool damaged;

	parse(&list, data, size);
	damaged = list.state == UIDLIST_DAMAGED;
	assert(list.state != UIDLIST_NONE && (list.state != UIDLIST_GOOD) == (list.what != NULL));
	assert(list.state != UIDLIST_GOOD || list.lost == 0);
	if (!damaged)
		assert(list.validity > 0 && list.next > 0);
	for (size_t i = 0; i < list.count; i++) {
		check_line(&list.line[i]);
		if (!damaged && i > 0)
			assert(list.line[i].uid > list.line[i - 1].uid);
		if (!damaged)
			assert(list.line[i].uid < list.next);
	}
	write_anew(&list, damaged, &out);
	parse(&again, out.data, out.len);
	assert(again.state == UIDLIST_GOOD && again.version == 3);
	if (!damaged) {
		assert(again.validity == list.validity && again.next == list.next);
		assert(again.count == list.count);
		for (size_t i = 0; i < list.count; i++) {
			assert(again.line[i].uid == list.line[i].uid);
			assert(again.line[i].base_len == list.line[i].base_len);
			assert(memcmp(again.line[i].base, list.line[i].base,
				   list.line[i].base_len) == 0);
			assert(same_sizes(&again.line[i], &list.line[i]));
		}
	}
	mdbuf_clear(&out);
	uidlist_clear(&again);
	uidlist_clear(&list);
	return 0;
}
