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
#include "maildir/courier/format.h"
#include "maildir/courier/line.h"
#include "maildir/uids/keyword.h"

/* The index of a name; COURIER_OWN when it is none, or one too many. */
static int
keyword_index(struct courier_keywords *keywords, const char *name, size_t len, uint16_t *index_r)
{
	*index_r = COURIER_OWN;
	for (size_t i = 0; i < keywords->names; i++) {
		if (strncmp(keywords->name[i], name, len) == 0 && keywords->name[i][len] == '\0') {
			*index_r = (uint16_t)i;
			return 0;
		}
	}
	if (len == 0 || len > KEYWORD_MAX || memchr(name, '\0', len) != NULL ||
	    keywords->names == COURIER_NAMES_MAX) {
		keywords->what = "a keyword that cannot be one";
		return 0;
	}
	keywords->name[keywords->names] = mdarena_add(&keywords->arena, name, len);
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
	size_t len = strlen(name);

	*base_r = name;
	*rank_r = UINT64_MAX;
	if (len == 0 || name[0] == ':')
		return false;
	if (name[0] != '.')
		return line_base(name, len) == len;
	(void)line_char(&name, &len, '.');
	if (!line_number(&name, &len, rank_r) || !line_char(&name, &len, '.'))
		return false;
	*base_r = name;
	return len > 0 && line_base(name, len) == len;
}

int
courier_keywords_own(
    struct courier_keywords *keywords, const char *base, const char *text, size_t size)
{
	const char *end = text + size, *line,
		   *kept = mdarena_add(&keywords->arena, base, strlen(base));
	uint16_t name;
	size_t len;

	if (kept == NULL || keyword_mark(keywords, kept, COURIER_OWN) < 0)
		return -1;
	while (line_next(&text, end, &line, &len)) {
		if (len == 0)
			continue;
		if (keyword_index(keywords, line, len, &name) < 0 ||
		    (name != COURIER_OWN && keyword_mark(keywords, kept, name) < 0))
			return -1;
	}
	if (text != end)
		keywords->what = "a last line that has no end";
	return 0;
}

/* The names at the head of the list: what index each has here.  *count_r: how many there are. */
static int
list_names(struct courier_keywords *keywords, const char **text, const char *end,
    uint16_t index[COURIER_NAMES_MAX], size_t *count_r)
{
	const char *line;
	size_t len;

	*count_r = 0;
	while (line_next(text, end, &line, &len) && len > 0) {
		if (*count_r == COURIER_NAMES_MAX)
			keywords->what = "more keywords than can be";
		else if (keyword_index(keywords, line, len, &index[(*count_r)++]) < 0)
			return -1;
	}
	return 0;
}

/* "<base name>:<n> <n>"; before own the marks are those of messages with a file of their own. */
static int
list_line(struct courier_keywords *keywords, size_t own, const char *line, size_t len,
    const uint16_t *index, size_t count)
{
	struct courier_mark key;
	size_t base = line_base(line, len);
	uint64_t n;

	if (base == 0 || base == len || memchr(line, '\0', base) != NULL) {
		keywords->what = "a line that cannot be read";
		return 0;
	}
	key.base = mdarena_add(&keywords->arena, line, base);
	if (key.base == NULL)
		return -1;
	if (own > 0 && bsearch(&key, keywords->mark, own, sizeof(key), mark_compare) != NULL)
		return 0;
	line += base + 1;
	len -= base + 1;
	while (line_number(&line, &len, &n)) {
		if (n >= count)
			keywords->what = "a number that names no keyword";
		else if (index[n] != COURIER_OWN && keyword_mark(keywords, key.base, index[n]) < 0)
			return -1;
		if (!line_char(&line, &len, ' '))
			break;
	}
	if (len > 0)
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
courier_keywords_list(struct courier_keywords *keywords, const char *text, size_t size)
{
	const char *end = text + size, *line;
	uint16_t index[COURIER_NAMES_MAX];
	size_t own = keywords->marks, count, len;

	marks_sort(keywords);
	if (list_names(keywords, &text, end, index, &count) < 0)
		return -1;
	while (line_next(&text, end, &line, &len)) {
		if (list_line(keywords, own, line, len, index, count) < 0)
			return -1;
	}
	if (text != end)
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

static bool
is_before(const void *ctx, size_t place)
{
	const struct base_key *key = ctx;
	const char *base = key->mark[place].base;

	return base_compare(base, strlen(base), key->base, key->len) < 0;
}

size_t
courier_keywords_find(const struct courier_keywords *keywords, const char *base, size_t len)
{
	const struct base_key key = {keywords->mark, base, len};
	size_t place = bisect(keywords->marks, is_before, &key);
	const char *found = place < keywords->marks ? keywords->mark[place].base : "";

	return base_compare(found, strlen(found), base, len) == 0 ? place : keywords->marks;
}
