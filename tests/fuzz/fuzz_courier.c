/*
 * fuzz_courier.c: any octets as one of Courier's files.  The first octet chooses the file: courierimapuiddb
 * followed by a courierpop3dsizelist, a list of keywords, or subscriptions.  The uidlist that the import makes
 * must be valid and have no UID twice.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/courier/courier.h"
#include "maildir/courier/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as large: a look past the end is found. */
static char *
exactly(const void *data, size_t size)
{
	char *text = malloc(size > 0 ? size : 1);

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	return text;
}

static void
check_made(struct mdbuf *made, const struct uidlist *db, bool known)
{
	struct uidlist list;

	assert(uidlist_parse(&list, exactly(made->data, made->len), made->len) == 0);
	assert(list.state == UIDLIST_GOOD);
	assert(list.validity == (known ? db->validity : 1000) && list.next > 0);
	if (known)
		assert(list.next >= db->next);
	for (size_t i = 1; i < list.count; i++)
		assert(list.line[i].uid > list.line[i - 1].uid);
	for (size_t i = 0; i < list.count; i++) {
		size_t len;
		const char *uidl = uidlist_field(&list.line[i], 'P', &len);

		assert(list.line[i].uid < list.next);
		assert(uidl == NULL || (len > 0 && len <= 70));
	}
	uidlist_clear(&list);
}

/* Both files, with a NUL between. */
static void
fuzz_uids(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t first = nul != NULL ? (size_t)(nul - data) : size;
	size_t second = nul != NULL ? size - first - 1 : 0;
	char *text = exactly(nul != NULL ? nul + 1 : data, second);
	struct courier_uidls uidls;
	struct mdbuf made = {0};
	struct uidlist db;
	bool known;

	assert(uidlist_parse(&db, exactly(data, first), first) == 0);
	assert(courier_uidls_parse(&uidls, text, second) == 0);
	known = courier_uids_known(&db);
	assert(courier_put_uids(&made, &db, &uidls, known ? 0 : 1000) == 0);
	check_made(&made, &db, known);
	mdbuf_clear(&made);
	courier_uidls_clear(&uidls);
	uidlist_clear(&db);
	free(text);
}

static void
fuzz_keywords(const uint8_t *data, size_t size)
{
	struct courier_keywords *keywords = calloc(1, sizeof(*keywords));
	char *text = exactly(data, size);

	assert(keywords != NULL);
	assert(courier_keywords_own(keywords, "1.a", text, size) == 0);
	assert(courier_keywords_list(keywords, text, size) == 0);
	for (size_t i = 0; i < keywords->marks; i++) {
		const struct courier_mark *mark = &keywords->mark[i];

		assert(mark->name == COURIER_OWN || mark->name < keywords->names);
		assert(i == 0 || strcmp(mark[-1].base, mark->base) <= 0);
	}
	assert(courier_keywords_find(keywords, "1.a", 3) < keywords->marks);
	courier_keywords_clear(keywords);
	free(keywords);
	free(text);
}

static void
fuzz_subscriptions(const uint8_t *data, size_t size)
{
	char *text = exactly(data, size);
	struct mdbuf made = {0};

	courier_put_subscriptions(&made, text, size);
	assert(!made.failed);
	assert(made.len == 0 || (made.len > 5 && made.data[made.len - 1] == '\n'));
	mdbuf_clear(&made);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const fuzz[])(const uint8_t *, size_t) = {
	    fuzz_uids, fuzz_keywords, fuzz_subscriptions};

	if (size > 0)
		fuzz[data[0] % 3](data + 1, size - 1);
	return 0;
}
