/*
 * test_maildir_summary.c: what is learned of a message in one reading.
 */
#include "maildir_fixture.h"

#include "maildir/folder/reader.h"
#include "maildir/index/index_head.h"
#include "maildir/index/index_summaries.h"
#include "maildir/message/message.h"
#include "maildir/message/mime.h"
#include "maildir/message/search.h"

/* Gives the size of the file. */
static uint64_t
facts_of(struct fixture *f, bool head_only, struct summary *facts_r)
{
	struct folder_source source;
	uint64_t size;

	folder_source_init(&source, f->inbox, 1);
	assert_int_equal(summary_read(&source.source, head_only, facts_r), 0);
	size = reader_file_size(source.reader);
	folder_source_close(&source);
	return size;
}

static void
assert_text(const struct mdbuf *text, const char *expected, size_t len)
{
	assert_int_equal(text->len, len);
	if (len > 0)
		assert_memory_equal(text->data, expected, len);
}

static void
fields(void **state)
{
	static const struct {
		const char *file, *fields;
	} rows[] = {
	    {"", ""}, {"\n", "\r\n"}, {"\nSubject: body\n", "\r\n"},
	    {"Subject: x\n\nFrom: body\n", "Subject: x\r\n\r\n"},
	    {"subJECT : x\r\n\r\nb", "subJECT : x\r\n\r\n"},
	    {"Received: by\n a\nTO: a,\n\tb\nX-Other: 1\nSubject: s\n z\n\nb",
		"TO: a,\r\n\tb\r\nSubject: s\r\n z\r\n\r\n"},
	    {"From: a\nFrom: b\n", "From: a\r\nFrom: b\r\n"}, {"From: no end", "From: no end"},
	    {"Return-Path: <a>\nDate: now\nAutocrypt: x\n\n", "Date: now\r\n\r\n"},
	    {"Received-SPF: a\nTox: b\nX-To: c\n\n", "\r\n"},
	    {"Received-SPF: a\nTox: b\nX-To: c\n", ""}, /* mend20 */
	};
	struct fixture *f = *state;

	put(f, "cur/1.m:2,", "");
	assert_int_equal(maildir_sync(f->inbox), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int head_only = 0; head_only < 2; head_only++) {
			struct summary facts;

			put(f, "cur/1.m:2,", rows[i].file);
			facts_of(f, head_only, &facts);
			assert_text(summary_text(&facts, MAILDIR_FIELDS), rows[i].fields,
			    strlen(rows[i].fields));
			assert_int_equal(facts.whole, !head_only);
			summary_clear(&facts);
		}
	}
}

static void
names_of_fields(void **state)
{
	static const char *const has[] = {
	    "Subject", "FROM", "to", "message-id", "List-Id", "x-spam-flag", "User-Agent"};
	static const char *const not [] = {
	    "", "Return-Path", "Received", "Subjec", "Subjects", "X"};

	(void)state;
	for (size_t i = 0; i < COUNT(has); i++)
		assert_true(remembered_has(has[i], strlen(has[i])));
	for (size_t i = 0; i < COUNT(not ); i++)
		assert_false(remembered_has(not [i], strlen(not [i])));
}

#define PLAIN "From: a@b\nTo: c@d\nSubject: x\n\nbody\n"
#define UTF8  "From: \xc3\xbc <a@b>\nSubject: x\n\nbody\n"
#define PARTS                                                                                      \
	"Subject: p\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: " \
	"message/global\n\nSubject: \xc3\xbc\n\ntwo\n--b--\n"

/* The texts are those that the whole message gives, by head only as far as that goes. */
static void
texts_and_sizes(void **state)
{
	static const struct {
		const char *file;
		bool same_envelope, same_structure;
	} rows[] = {
	    {"", true, true}, {PLAIN, true, true}, {UTF8, false, true}, {PARTS, true, false}};
	struct fixture *f = *state;

	put(f, "cur/1.m:2,", "");
	assert_int_equal(maildir_sync(f->inbox), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mdbuf expected[MAILDIR_FIELDS] = {{0}};
		struct summary facts, head;
		struct mime *mime;
		uint64_t wire;
		bool newline;

		put(f, "cur/1.m:2,", rows[i].file);
		assert_int_equal(facts_of(f, false, &facts), strlen(rows[i].file));
		facts_of(f, true, &head);
		assert_int_equal(maildir_exact_size(f->inbox, 1, &wire, &newline), 0);
		assert_int_equal(facts.wire, wire);
		assert_int_equal(facts.line_end, newline);
		assert_int_equal(facts.same_envelope, rows[i].same_envelope);
		assert_int_equal(facts.same_structure, rows[i].same_structure);
		assert_int_equal(maildir_mime(f->inbox, 1, &mime), 0);
		mime_put_envelope(mime, 0, false, &expected[MAILDIR_ENVELOPE]);
		mime_put_envelope(mime, 0, true, &expected[MAILDIR_ENVELOPE_UTF8]);
		mime_put_structure(mime, true, false, &expected[MAILDIR_BODYSTRUCTURE]);
		mime_put_structure(mime, true, true, &expected[MAILDIR_BODYSTRUCTURE_UTF8]);
		mime_free(&mime);
		for (int t = 0; t < MAILDIR_FIELDS; t++) {
			struct mdbuf text = {0};

			assert_text(summary_text(&facts, t), expected[t].data, expected[t].len);
			if (t <= MAILDIR_ENVELOPE_UTF8)
				assert_text(
				    summary_text(&head, t), expected[t].data, expected[t].len);
			mdbuf_add(&text, "<", 1);
			assert_int_equal(maildir_text(f->inbox, 1, t, &text), 0);
			assert_int_equal(text.len, expected[t].len + 1);
			assert_memory_equal(text.data + 1, expected[t].data, expected[t].len);
			mdbuf_clear(&text);
			mdbuf_clear(&expected[t]);
		}
		summary_clear(&facts);
		summary_clear(&head);
	}
}

/* In the index as at the first time. */
static void
decoded_fields(void **state)
{
	struct search_question matches[] = {
	    {.where = SEARCH_IN_HEADER,
		.field = "subject",
		.text = "GRU\xcc\x88\xc3\x9f",
		.len = 7},
	    {.where = SEARCH_IN_HEADER, .field = "To", .text = "A@B", .len = 3},
	    {.where = SEARCH_IN_HEADER, .field = "To", .text = "C@D", .len = 3},
	    {.where = SEARCH_IN_HEADER, .field = "Cc", .text = "", .len = 0},
	    {.where = SEARCH_IN_HEADER, .field = "Subject", .text = "A@B", .len = 3},
	};
	struct fixture *f = *state;
	struct mdbuf text = {0};

	put(f, "cur/1.m:2,", "Subject: =?utf-8?q?Gr=C3=BC=C3=9F?=\nTo: a@b,\n c@d\nX: y\n\nbody\n");
	for (int session = 0; session < 2; session++) {
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_text(f->inbox, 1, MAILDIR_DECODED, &text), 0);
		remembered_search_decoded(text.data, text.len, matches, COUNT(matches));
		for (size_t i = 0; i < COUNT(matches); i++)
			assert_int_equal(matches[i].found, i < 3);
		text.len = 0;
		assert_true(maildir_save_findings(f->inbox));
		fixture_reopen(f);
	}
	mdbuf_clear(&text);
}

static void
cut_anywhere(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.m:2,", "");
	assert_int_equal(maildir_sync(f->inbox), 0);
	for (size_t len = 0; len <= strlen(PARTS); len++) {
		struct summary facts;

		put_bytes(f, "cur/1.m:2,", PARTS, len);
		assert_int_equal(facts_of(f, false, &facts), len);
		assert_true(facts.wire >= len);
		summary_clear(&facts);
	}
}

/* A header in many pieces, and one in front of much that only the header asks for. */
static void
large_messages(void **state)
{
	struct fixture *f = *state;
	const size_t size = 300000;
	char *file = malloc(size + 1);
	size_t len = 0;

	assert_non_null(file);
	while (len < 100000)
		len +=
		    (size_t)snprintf(file + len, size - len, "X-Fill: %zu\nTo: a%zu\n", len, len);
	len += (size_t)snprintf(file + len, size - len, "Subject: last\n\n");
	memset(file + len, 'x', size - len);
	put_bytes(f, "cur/1.m:2,", file, size);
	free(file);
	assert_int_equal(maildir_sync(f->inbox), 0);
	for (int head_only = 0; head_only < 2; head_only++) {
		struct summary facts;
		const struct mdbuf *text;

		facts_of(f, head_only, &facts);
		text = summary_text(&facts, MAILDIR_FIELDS);
		assert_memory_equal(text->data, "To: a0\r\nTo: a", 13);
		assert_memory_equal(text->data + text->len - 19, "\r\nSubject: last\r\n\r\n", 19);
		assert_int_equal(facts.wire >= size, !head_only);
		summary_clear(&facts);
	}
}

/* Texts that are too long to be kept are known to be so, and the message is not read again for them. */
static void
too_long_texts(void **state)
{
	struct fixture *f = *state;
	char *file = malloc(SUMMARIES_RECORD_MAX + 100);
	struct mdbuf text = {0};
	struct stat before, after;
	size_t len = 0;

	assert_non_null(file);
	while (len < SUMMARIES_RECORD_MAX)
		len += (size_t)sprintf(file + len, "To: a%zu@b.c\n", len);
	len += (size_t)sprintf(file + len, "Subject: last\n\nx\n");
	put_bytes(f, "cur/1.m:2,", file, len);
	free(file);
	for (int session = 0; session < 2; session++) {
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_read_ahead(f->inbox, 10), 0);
		assert_true(maildir_save_findings(f->inbox));
		assert_int_equal(
		    fstatat(f->fd, SUMMARIES_NAME, session == 0 ? &before : &after, 0), 0);
		assert_int_equal(maildir_text(f->inbox, 1, MAILDIR_FIELDS, &text), 0);
		assert_true(text.len > SUMMARIES_RECORD_MAX);
		mdbuf_clear(&text);
		assert_int_equal(maildir_text(f->inbox, 1, MAILDIR_DECODED, &text), -1);
		assert_int_equal(errno, EFBIG);
		fixture_reopen(f);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_text(f->inbox, 1, MAILDIR_DECODED, &text), -1);
		assert_int_equal(errno, EFBIG);
		fixture_reopen(f);
	}
	assert_int_equal(after.st_size, before.st_size);
}

static bool
stop_now(void *ctx)
{
	(void)ctx;
	return true;
}

/* A message that was given up is no fact, and is what is read next. */
static void
mend31_stopped_while_learning(void **state)
{
	struct fixture *f = *state;
	const size_t size = 9 << 20;
	struct maildir_message message;
	char *file = malloc(size);

	assert_non_null(file);
	memset(file, 'x', size);
	memcpy(file, "Subject: a\n\n", 12);
	put_bytes(f, "cur/1.m:2,", file, size);
	free(file);
	put(f, "cur/2.m:2,", "Subject: b\n\nb\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	maildir_on_stop(f->md, stop_now, NULL);
	assert_int_equal(maildir_read_ahead(f->inbox, 10), 2);
	assert_true(maildir_save_findings(f->inbox));
	assert_true(maildir_lookup(f->inbox, 1, &message) && !message.octets_known);
	maildir_on_stop(f->md, NULL, NULL);
	assert_int_equal(maildir_read_ahead(f->inbox, 10), 0);
	assert_true(maildir_save_findings(f->inbox));
	for (uint32_t uid = 1; uid <= 2; uid++)
		assert_true(maildir_lookup(f->inbox, uid, &message) && message.octets_known);
	assert_int_equal(message.octets, 17);
	assert_int_equal(f->notices, 0);
}

/* --- the file of texts --- */

static const struct {
	const char *text[MAILDIR_TEXTS];
	uint32_t len[MAILDIR_TEXTS];
} kept[] = {
    {{"envelope", NULL, "structure", "other", "A: b\r\n", "decoded"}, {8, TEXT_SAME, 9, 5, 6, 7}},
    {{"", "e", NULL, NULL, "", NULL}, {0, 1, TEXT_UNKNOWN, TEXT_SAME, 0, TEXT_LONG}},
    {{NULL, NULL, "s", NULL, "F", ""}, {TEXT_LONG, TEXT_SAME, 1, TEXT_SAME, 1, 0}},
};

/* Which of a message's texts should be found as what: NULL, it is not known. */
static const char *
kept_text(size_t i, int text, size_t *len_r)
{
	if (kept[i].len[text] == TEXT_SAME)
		text--;
	*len_r = kept[i].len[text] < TEXT_LONG ? kept[i].len[text] : 0;
	return kept[i].len[text] < TEXT_LONG ? kept[i].text[text] : NULL;
}

/* What of them is found, all of it as it was written. */
static size_t
count_kept(struct summaries *texts, const uint64_t *at)
{
	size_t count = 0, expected_len;
	const char *expected;
	struct mdbuf found = {0};

	for (size_t i = 0; i < COUNT(kept); i++) {
		for (int n = 0; n < MAILDIR_TEXTS; n++) {
			found.len = 0;
			if (!summaries_get(texts, at[i], (uint32_t)i + 1, n, &found))
				continue;
			expected = kept_text(i, n, &expected_len);
			assert_non_null(expected);
			assert_int_equal(found.len, expected_len);
			assert_memory_equal(found.data, expected, expected_len);
			count++;
		}
	}
	mdbuf_clear(&found);
	return count;
}

/* Whatever octet of the file changes or is missing: a text is found as it was, or not at all. */
static void
damaged_texts(void **state)
{
	struct fixture *f = *state;
	struct summaries texts;
	struct mdbuf batch = {0};
	uint64_t at[COUNT(kept)], start, size;
	size_t all, fewer = 0;
	char octet, other;

	assert_int_equal(summaries_create(f->md, f->fd, 77, &texts), 0);
	for (size_t i = 0; i < COUNT(kept); i++) {
		at[i] = batch.len;
		summaries_put(&batch, (uint32_t)i + 1, kept[i].text, kept[i].len);
	}
	assert_int_equal(summaries_append(&texts, &batch, &start), 0);
	mdbuf_clear(&batch);
	for (size_t i = 0; i < COUNT(kept); i++)
		at[i] += start;
	all = count_kept(&texts, at);
	assert_int_equal(all, 6 + 3 + 4);
	assert_int_equal(summaries_len(&texts, at[2], 3, MAILDIR_ENVELOPE_UTF8), TEXT_LONG);
	assert_int_equal(summaries_len(&texts, at[1], 2, MAILDIR_BODYSTRUCTURE), TEXT_UNKNOWN);
	assert_int_equal(summaries_len(&texts, at[1], 1, MAILDIR_ENVELOPE), TEXT_UNKNOWN);
	size = texts.size;
	for (uint64_t i = start; i < size; i++) {
		assert_int_equal(pread(texts.fd, &octet, 1, (off_t)i), 1);
		for (int bit = 0; bit < 8; bit++) {
			other = (char)(octet ^ 1 << bit);
			assert_int_equal(pwrite(texts.fd, &other, 1, (off_t)i), 1);
			fewer += count_kept(&texts, at) < all;
		}
		assert_int_equal(pwrite(texts.fd, &octet, 1, (off_t)i), 1);
		assert_int_equal(count_kept(&texts, at), all);
	}
	assert_true(fewer > (size - start) * 8 / 2);
	while (size-- > start) {
		/* Without the part of the mapping that has no file any more: that is cmocka's SIGBUS. */
		mapping_close(&texts.map);
		assert_int_equal(ftruncate(texts.fd, (off_t)size), 0);
		texts.size = 0;
		assert_true(count_kept(&texts, at) <= all);
	}
	summaries_close(&texts);
}

static void
gone(void **state)
{
	struct fixture *f = *state;
	struct mdbuf text = {0};

	put(f, "cur/1.m:2,", "Subject: x\n\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_text(f->inbox, 2, MAILDIR_ENVELOPE, &text), -1);
	assert_int_equal(errno, ENOENT);
	unlinkat(f->fd, "cur/1.m:2,", 0);
	assert_int_equal(maildir_text(f->inbox, 1, MAILDIR_ENVELOPE, &text), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(text.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(fields),
	    cmocka_unit_test(names_of_fields),
	    WITH(texts_and_sizes),
	    WITH(decoded_fields),
	    WITH(cut_anywhere),
	    WITH(large_messages),
	    WITH(too_long_texts),
	    WITH(mend31_stopped_while_learning),
	    WITH(damaged_texts),
	    WITH(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
