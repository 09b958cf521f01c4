/*
 * test_server_imap_fields.c: what is answered from the header fields that are remembered is what the
 * message itself says: for searches, for the day of Date, whole and cut anywhere.
 */
#include "server_fixture.h"

#include <time.h>

#include "maildir/base/buf.h"
#include "maildir/maildir.h"
#include "maildir/message/casemap.h"
#include "maildir/message/search.h"

/* Headers, each a message with a short body. */
static const char *const headers[] = {
    "Subject: plain words\n",
    "Subject:  two  blanks\tand a tab \n",
    "Subject: folded\n here\n\tand there\n",
    "SUBJECT : an obsolete colon\n",
    "Subject:\n",
    "Subject: \n",
    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?Q?_aus?= Wien\n",
    "Subject: not =? a word\n",
    "Subject: 1 + 1 = 2?\n",
    "Subject: ends in =\n",
    "Subject: na\xc3\xafve caf\xe9\n",
    "Subject: bell \a and nul-free\n",
    "Subject: one\nSubject: two\n",
    "no field at all\nSubject: behind it\n",
    "Subject: @[`{~ signs ]^_\x7f\n",
    "Date: Mon, 3 Jan 2022 23:59:59 -1200\nDate: 4 Feb 2023 00:00:00 +0000\n",
    "Date: (comment) 31 Dec\n 99 23:59\n",
    "Date: never\n",
    "From: \"A. N. Other\" <a@example.org>\nTo: b@example.org,\n c@example.org\nSubject: \n folded at once\n",
};

static const char *const texts[] = {"", "plain", "PLAIN WORDS", "two blanks", "tab ", "folded here",
    "here and", "obsolete", "gr\xc3\xbc\xc3\x9f\145 aus wien", "=?", "not =? a", "= 2?",
    "in =", "caf", "na\xc3\xafve", "\a", "one", "two", "one two", "behind", " behind", "@[`{~",
    "^_", "\x7f", "a@example.org", "b@example.org, c@", "example", " ", "at once", "zebra",
    "other\""};

static const char *const names[] = {
    "Subject", "subject", "From", "To", "Date", "Subjec", "Subject2"};

enum { ALL = COUNT(texts) * COUNT(names) }; /* questions */

static struct maildir *md;
static struct maildir_folder *folder;

static int
begin(void **state)
{
	char path[256], text[2048];

	if (fixture_make_dir(state) != 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/md", fixture_dir);
	if (maildir_create(path) != 0 || maildir_open(path, "test", &md) != 0)
		return -1;
	for (size_t i = 0; i < COUNT(headers); i++) {
		(void)snprintf(path, sizeof(path), "%s/md/cur/%zu.x:2,", fixture_dir, 1000 + i);
		(void)snprintf(text, sizeof(text), "%s\nSubject: body\n", headers[i]);
		fixture_write(path, text, strlen(text), 0600);
	}
	return maildir_folder_open(md, "INBOX", &folder) == 0 && maildir_sync(folder) == 0 ? 0 : -1;
}

static int
end(void **state)
{
	maildir_folder_close(&folder);
	maildir_close(&md);
	return fixture_remove_dir(state);
}

/* The header as it is on the wire. */
static size_t
wire(const char *header, char *out)
{
	size_t len = 0;

	for (; *header != '\0'; header++) {
		if (*header == '\n')
			out[len++] = '\r';
		out[len++] = *header;
	}
	return len;
}

static void
set_matches(struct search_question *matches, struct mdbuf *mapped)
{
	for (size_t t = 0; t < COUNT(texts); t++) {
		casemap_add(texts[t], strlen(texts[t]), &mapped[t]);
		for (size_t n = 0; n < COUNT(names); n++)
			matches[t * COUNT(names) + n] =
			    (struct search_question){.where = SEARCH_IN_HEADER,
				.field = names[n],
				.text = mapped[t].data,
				.len = mapped[t].len};
	}
}

/* The same from what is decoded ahead, for the fields that are. */
static void
decoded_fields_answer(const char *text, size_t len, const struct search_question *expected)
{
	static struct search_question matches[ALL];
	struct mdbuf decoded = {0};

	memcpy(matches, expected, sizeof(matches));
	remembered_decode(text, len, &decoded);
	assert_false(decoded.failed);
	remembered_search_decoded(decoded.data, decoded.len, matches, ALL);
	for (size_t k = 0; k < ALL; k++) {
		if (remembered_decoded_has(matches[k].field))
			assert_int_equal(matches[k].found, expected[k].found);
		else
			assert_false(matches[k].found);
	}
	mdbuf_clear(&decoded);
}

/* All questions at once, and each alone. */
static void
fields_answer_as_the_message_does(void **state)
{
	static struct search_question from_file[ALL], from_text[ALL];
	struct mdbuf mapped[COUNT(texts)] = {{0}};
	char text[2048];
	size_t found = 0;

	(void)state;
	set_matches(from_file, mapped);
	memcpy(from_text, from_file, sizeof(from_text));
	for (size_t i = 0; i < COUNT(headers); i++) {
		size_t len = wire(headers[i], text);

		assert_int_equal(maildir_search(folder, (uint32_t)i + 1, from_file, ALL), 0);
		assert_int_equal(remembered_search(text, len, from_text, ALL), 0);
		decoded_fields_answer(text, len, from_text);
		for (size_t k = 0; k < ALL; k++) {
			struct search_question one = from_text[k];

			if (from_text[k].found != from_file[k].found)
				fail_msg("%s in %s of \"%s\": %d", texts[k / COUNT(names)],
				    from_text[k].field, headers[i], from_text[k].found);
			assert_int_equal(remembered_search(text, len, &one, 1), 0);
			assert_int_equal(one.found, from_file[k].found);
			found += one.found;
		}
	}
	assert_in_range(found, 100, COUNT(headers) * ALL / 2); /* they ask for something */
	for (size_t t = 0; t < COUNT(texts); t++)
		mdbuf_clear(&mapped[t]);
}

/* Nor is anything read behind entries that are cut. */
static void
cut_entries(const struct mdbuf *decoded, struct search_question *match)
{
	for (size_t len = 0; len <= decoded->len; len++) {
		char *cut = malloc(len > 0 ? len : 1);

		assert_non_null(cut);
		if (len > 0)
			memcpy(cut, decoded->data, len);
		remembered_search_decoded(cut, len, match, 1);
		free(cut);
	}
}

/* Cut at each octet nothing behind the end is read (the sanitizer sees it), and no more is found. */
static void
texts_cut_anywhere(void **state)
{
	char text[2048], *cut;
	struct search_question match = {
	    .where = SEARCH_IN_HEADER, .field = "Subject", .text = "E", .len = 1};
	struct mdbuf decoded = {0};
	int64_t day;

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		size_t whole = wire(headers[i], text);
		bool all;

		assert_int_equal(remembered_search(text, whole, &match, 1), 0);
		all = match.found;
		for (size_t len = 0; len <= whole; len++) {
			cut = malloc(len + 1);
			assert_non_null(cut);
			memcpy(cut, text, len);
			cut = realloc(cut, len > 0 ? len : 1);
			assert_int_equal(remembered_search(cut, len, &match, 1), 0);
			assert_true(!match.found || all || memchr(cut, '=', len) != NULL);
			(void)remembered_sent_day(cut, len, &day);
			decoded.len = 0;
			remembered_decode(cut, len, &decoded);
			free(cut);
			cut_entries(&decoded, &match);
		}
	}
	mdbuf_clear(&decoded);
}

static void
days_of_the_first_date(void **state)
{
	static const struct {
		size_t header;
		int64_t day; /* -1: none */
	} days[] = {{0, -1}, {15, 18995}, {16, 10956}, {17, -1}};
	char text[2048];
	int64_t day;

	(void)state;
	for (size_t i = 0; i < COUNT(days); i++) {
		size_t len = wire(headers[days[i].header], text);

		assert_int_equal(remembered_sent_day(text, len, &day), days[i].day != -1);
		if (days[i].day != -1)
			assert_int_equal(day, days[i].day);
	}
}

/* Every day of some years, written as mail has it and in a way that is parsed at length. */
static void
every_day(void **state)
{
	static const int years[] = {1899, 1900, 1970, 1999, 2000, 2023, 2024, 2100, 9998};
	char text[96];
	int64_t plain, parsed;
	int len;

	(void)state;
	for (size_t y = 0; y < COUNT(years); y++) {
		for (int d = 0; d < 366; d++) {
			struct tm tm = {.tm_year = years[y] - 1900, .tm_mday = d + 1};

			assert_true(timegm(&tm) != -1 || d == 365);
			len = (int)strftime(
			    text, sizeof(text), "Date: Mon, %e %b %Y 23:59:59 +0100\r\n", &tm);
			if (text[11] == ' ') /* of one digit */
				memmove(text + 11, text + 12, (size_t)(len-- - 11));
			assert_true(remembered_sent_day(text, (size_t)len, &plain));
			len = (int)strftime(
			    text, sizeof(text), "Date: (a comment) %e %b %Y 23:59 +0100\r\n", &tm);
			assert_true(remembered_sent_day(text, (size_t)len, &parsed));
			assert_int_equal(plain, parsed);
		}
	}
	len = snprintf(text, sizeof(text), "Date: Mon, 30 Feb 2022 23:59:59 +0100\r\n");
	assert_false(remembered_sent_day(text, (size_t)len, &plain));
}

/* Names that only begin as one does. */
static void
names_with_nul(void **state)
{
	static const char text[] = "To\0: a\r\nTo\0\0\0\0: a\r\nSubject\0: a\r\n";
	struct search_question matches[] = {
	    {.where = SEARCH_IN_HEADER, .field = "To", .text = "A", .len = 1},
	    {.where = SEARCH_IN_HEADER, .field = "Subject", .text = "", .len = 0},
	};
	struct mdbuf decoded = {0};

	(void)state;
	assert_int_equal(remembered_search(text, sizeof(text) - 1, matches, 2), 0);
	assert_false(matches[0].found || matches[1].found);
	remembered_decode(text, sizeof(text) - 1, &decoded);
	assert_int_equal(decoded.len, 0);
	remembered_search_decoded(decoded.data, decoded.len, matches, 2);
	assert_false(matches[0].found || matches[1].found);
}

/* Fields of any length go the long way. */
static void
long_fields(void **state)
{
	enum { LEN = 200000 };
	char *text = malloc(LEN + 32);
	struct search_question matches[] = {
	    {.where = SEARCH_IN_HEADER, .field = "Subject", .text = "NEEDLE", .len = 6},
	    {.where = SEARCH_IN_HEADER, .field = "Subject", .text = "PIN", .len = 3},
	};
	static const size_t at[] = {10, 900, 1015, 1020, 1030, 65530, LEN - 7};

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < COUNT(at); i++) {
		memset(text, 'x', LEN);
		memcpy(text, "Subject: ", 9);
		memcpy(text + at[i], "needle", 6);
		memcpy(text + LEN, "\r\n", 2);
		for (size_t len = at[i] + 6; len <= LEN; len = len < 2000 ? len + 1 : len * 2) {
			assert_int_equal(remembered_search(text, len, matches, 2), 0);
			assert_true(matches[0].found && !matches[1].found);
		}
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_answer_as_the_message_does),
	    cmocka_unit_test(texts_cut_anywhere),
	    cmocka_unit_test(days_of_the_first_date),
	    cmocka_unit_test(every_day),
	    cmocka_unit_test(names_with_nul),
	    cmocka_unit_test(long_fields),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
