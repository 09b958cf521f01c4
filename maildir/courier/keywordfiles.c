/*
 * keywordfiles.c: the text of Courier's files of keywords.
 * Runs as: mail user; fuzzed by tests/fuzz/fuzz_courier.c.
 *
 * courierimapkeywords/:list: a line for each name, an empty line, then lines "<base name>:<n> <n>",
 * the numbers counting the names from 0.  Messages that changed later have files beside it, which hold all
 * names that the message has, a line each, or nothing: "<base name>" is the newest, else ".<n>.<base name>"
 * with the highest number.
 */
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/bisect.h"
#include "maildir/base/span.h"
#include "maildir/courier/format.h"
#include "maildir/uids/keyword.h"

/* The index of a name; COURIER_OWN when it is none, or one too many. */
static int
keyword_index(struct courier_keywords *keywords, struct span name, uint16_t *index_r)
{
	char text[KEYWORD_MAX + 1];

	*index_r = COURIER_OWN;
	if (name.len == 0 || !span_string(name, text, sizeof(text))) {
		keywords->what = "a keyword that cannot be one";
		return 0;
	}
	for (size_t i = 0; i < keywords->names; i++) {
		if (strcmp(keywords->name[i], text) == 0) {
			*index_r = (uint16_t)i;
			return 0;
		}
	}
	if (keywords->names == COURIER_NAMES_MAX) {
		keywords->what = "a keyword that cannot be one";
		return 0;
	}
	keywords->name[keywords->names] = mdarena_add(&keywords->arena, text, name.len);
	if (keywords->name[keywords->names] == NULL)
		return -1;
	*index_r = (uint16_t)keywords->names++;
	return 0;
}

static int
keyword_mark(struct courier_keywords *keywords, const char *base, uint16_t name)
{
	struct courier_mark *mark =
	    array_grow(keywords->mark, keywords->marks, &keywords->room, sizeof(*mark));

	if (mark == NULL)
		return -1;
	keywords->mark = mark;
	mark[keywords->marks++] = (struct courier_mark){base, name};
	return 0;
}

static int
mark_compare(const void *a, const void *b)
{
	const struct courier_mark *x = a, *y = b;

	return strcmp(x->base, y->base);
}

bool
courier_keywords_file(const char *name, const char **base_r, uint64_t *rank_r)
{
	struct span rest = {name, strlen(name)};

	*rank_r = UINT64_MAX;
	if (span_char(&rest, '.') &&
	    (!span_number(&rest, UINT64_MAX, rank_r) || !span_char(&rest, '.')))
		return false;
	*base_r = rest.p;
	return rest.len > 0 && courier_base(rest.p, rest.len) == rest.len;
}

int
courier_keywords_own(
    struct courier_keywords *keywords, const char *base, const char *octets, size_t size)
{
	const char *kept = mdarena_add(&keywords->arena, base, strlen(base));
	struct span text = {octets, size}, line;
	uint16_t name;

	if (kept == NULL || keyword_mark(keywords, kept, COURIER_OWN) < 0)
		return -1;
	while (span_line(&text, &line)) {
		if (line.len == 0)
			continue;
		if (keyword_index(keywords, line, &name) < 0 ||
		    (name != COURIER_OWN && keyword_mark(keywords, kept, name) < 0))
			return -1;
	}
	if (text.len > 0)
		keywords->what = "a last line that has no end";
	return 0;
}

/* The names at the head of the list: what index each has here.  *count_r: how many there are. */
static int
list_names(struct courier_keywords *keywords, struct span *text, uint16_t index[COURIER_NAMES_MAX],
    size_t *count_r)
{
	struct span line;

	*count_r = 0;
	while (span_line(text, &line) && line.len > 0) {
		if (*count_r == COURIER_NAMES_MAX)
			keywords->what = "more keywords than can be";
		else if (keyword_index(keywords, line, &index[(*count_r)++]) < 0)
			return -1;
	}
	return 0;
}

/* "<base name>:<n> <n>".  The first own marks are those of messages with a file of their own. */
static int
list_line(struct courier_keywords *keywords, size_t own, struct span line, const uint16_t *index,
    size_t count)
{
	struct courier_mark key;
	size_t base = courier_base(line.p, line.len);
	uint64_t n;

	if (base == 0 || base == line.len || memchr(line.p, '\0', base) != NULL) {
		keywords->what = "a line that cannot be read";
		return 0;
	}
	key.base = mdarena_add(&keywords->arena, line.p, base);
	if (key.base == NULL)
		return -1;
	if (own > 0 && bsearch(&key, keywords->mark, own, sizeof(key), mark_compare) != NULL)
		return 0;
	span_skip(&line, base + 1);
	while (span_number(&line, UINT64_MAX, &n)) {
		if (n >= count)
			keywords->what = "a number that names no keyword";
		else if (index[n] != COURIER_OWN && keyword_mark(keywords, key.base, index[n]) < 0)
			return -1;
		if (!span_char(&line, ' '))
			break;
	}
	if (line.len > 0)
		keywords->what = "a line that cannot be read";
	return 0;
}

static void
marks_sort(struct courier_keywords *keywords)
{
	if (keywords->marks > 0)
		qsort(keywords->mark, keywords->marks, sizeof(*keywords->mark), mark_compare);
}

int
courier_keywords_list(struct courier_keywords *keywords, const char *octets, size_t size)
{
	struct span text = {octets, size}, line;
	uint16_t index[COURIER_NAMES_MAX];
	size_t own = keywords->marks, count;

	marks_sort(keywords);
	if (list_names(keywords, &text, index, &count) < 0)
		return -1;
	while (span_line(&text, &line)) {
		if (list_line(keywords, own, line, index, count) < 0)
			return -1;
	}
	if (text.len > 0)
		keywords->what = "a last line that has no end";
	marks_sort(keywords);
	return 0;
}

void
courier_keywords_clear(struct courier_keywords *keywords)
{
	free(keywords->mark);
	mdarena_clear(&keywords->arena);
	memset(keywords, 0, sizeof(*keywords));
}

struct base_key {
	const struct courier_mark *mark;
	const char *base;
	size_t len;
};

/* Compares as strcmp(3) does, of which the second string has no NUL. */
static int
compare_base(const struct base_key *key, size_t place)
{
	const char *base = key->mark[place].base;
	int r = strncmp(base, key->base, key->len);

	return r != 0 ? r : base[key->len] != '\0';
}

static bool
is_before(const void *ctx, size_t place)
{
	return compare_base(ctx, place) < 0;
}

size_t
courier_keywords_find(const struct courier_keywords *keywords, const char *base, size_t len)
{
	const struct base_key key = {keywords->mark, base, len};
	size_t place = bisect(keywords->marks, is_before, &key);

	return place < keywords->marks && compare_base(&key, place) == 0 ? place : keywords->marks;
}
