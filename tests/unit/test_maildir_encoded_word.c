/*
 * test_maildir_encoded_word.c: encoded words in header fields.
 */
#include "maildir_fixture.h"

#include "maildir/message/charset.h"
#include "maildir/message/encoded_word.h"

static char *
decoded(const char *first, size_t first_len, const char *second, size_t second_len)
{
	struct encoded_words words = {.charset = NULL};
	struct mdbuf out = {0};
	char *copy = malloc(first_len + 1);

	assert_non_null(copy);
	memcpy(copy + 1, first, first_len); /* ends where its memory ends */
	encoded_word_feed(&words, copy + 1, first_len, &out);
	encoded_word_feed(&words, second, second_len, &out);
	encoded_word_end(&words, &out);
	assert_false(words.after_word);
	assert_true(out.len == 0 || utf8_valid(out.data, out.len));
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	free(copy);
	return out.data;
}

static void
rows(void **state)
{
	static const struct {
		const char *in, *expected;
	} row[] = {
	    {"", ""},
	    {"plain text", "plain text"},
	    /* RFC 2047, section 8 */
	    {"(=?ISO-8859-1?Q?a?=)", "(a)"},
	    {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
	    {"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
	    {"(=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=)", "(ab)"},
	    {"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
	    {"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
	    {"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"},
	    {"=?ISO-8859-1?Q?Andr=E9?= Pirard <a@b>", "André Pirard <a@b>"},
	    {"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= "
	     "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
		"If you can read this you understand the example."},
	    {"=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ"},
	    /* charsets */
	    {"=?utf-8?q?=E2=82=AC?=", "€"},
	    {"=?UTF-8*en?Q?=e2=82=ac?=", "€"},
	    {"=?gb2312?B?xOO6ww==?=", "你好"},
	    {"=?iso-2022-jp?B?GyRCJDMkcxsoQg==?= x", "こん x"},
	    {"=?iso-2022-jp?B?GyRCJDM=?= =?iso-2022-jp?Q?a?=", "こa"},
	    {"=?klingon?Q?a=E9?=", "aé"},
	    /* a character cut between two words */
	    {"=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=", "€"},
	    {"=?utf-8?B?4oI=?= =?UTF-8?B?rA==?= x", "€ x"},
	    {"=?utf-8?Q?=E2=82?= =?utf-8?B?rA==?=", "€"},
	    {"=?gb2312?Q?=C4?= =?gb2312?Q?=E3?=", "你"},
	    {"=?utf-8?Q?=E2=82?= =?koi8-r?Q?=F0?=", "\uFFFDП"},
	    {"=?utf-8?Q?=E2=82?= x", "\uFFFD x"},
	    {"=?utf-8?Q?=E2=82?=\xac", "\uFFFD¬"},
	    {"=?utf-8?Q?=E2=82?=", "\uFFFD"},
	    /* octets that are not encoded */
	    {"Grüße", "Grüße"},
	    {"Gr\xfc\xdf"
	     "e",
		"Grüße"},
	    {"\xe2\x82 =?utf-8?Q?=AC?=", "â‚ \uFFFD"},
	    {"=?utf-8?Q?\xe2\x82\xac?=", "€"},
	    /* as it should not be, but is */
	    {"\"=?utf-8?Q?a=2C_b?=\" <a@b>", "\"a, b\" <a@b>"},
	    {"x=?utf-8?Q?a?=y", "xay"},
	    {"=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"},
	    {"=?utf-8?Q?a b c?=", "a b c"},
	    {"=?utf-8?Q?a=?=", "a="},
	    {"=?utf-8?Q?a=4?=", "a=4"},
	    {"=?utf-8?Q?a?b?=", "a?b"},
	    {"=?utf-8?B?YQ?=", "a"},
	    {"=?utf-8?B?"
	     "?=",
		""},
	    {"=?utf-8?B?YQ==?= ", "a "},
	    {"=?utf-8?B?YQ==?= =?utf-8?B?"
	     "?= b",
		"a b"},
	    /* no words */
	    {"=?", "=?"},
	    {"=?=", "=?="},
	    {"=?=?=?=?", "=?=?=?=?"},
	    {"=??Q?a?=", "=??Q?a?="},
	    {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
	    {"=?utf-8?Q", "=?utf-8?Q"},
	    {"=?utf-8?Q?", "=?utf-8?Q?"},
	    {"=?utf-8?Q?a", "=?utf-8?Q?a"},
	    {"=?utf-8?Q?a?", "=?utf-8?Q?a?"},
	    {"=?utf 8?Q?a?=", "=?utf 8?Q?a?="},
	    {"=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b"},
	    {"=?utf-8?Q?a?= =?utf-8?Q?b", "a =?utf-8?Q?b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		size_t len = strlen(row[i].in);
		char *text = decoded(row[i].in, len, "", 0);

		if (strcmp(text, row[i].expected) != 0)
			fail_msg("row %zu \"%s\": \"%s\"", i, row[i].in, text);
		free(text);
		for (size_t cut = 0; cut < len; cut++) {
			free(decoded(row[i].in, cut, "", 0));
			/* Pieces end at folds. */
			if (strchr(" \t", row[i].in[cut]) == NULL || strstr(row[i].in, "a b c?="))
				continue;
			text = decoded(row[i].in, cut, row[i].in + cut, len - cut);
			if (strcmp(text, row[i].expected) != 0)
				fail_msg("row %zu cut at %zu: \"%s\"", i, cut, text);
			free(text);
		}
	}
}

/* A long word; many blanks, which stay; and texts that would take the square of their length. */
static void
long_texts(void **state)
{
	static const char *const parts[] = {"=?", "=?a?q?", "=?a?q?=", "?=", "=?utf-8?B?"};
	const size_t size = 300000;
	char *in = malloc(size + 100), *text;
	size_t n;

	(void)state;
	assert_non_null(in);
	n = (size_t)sprintf(in, "=?utf-8?Q?");
	memset(in + n, 'x', size);
	memcpy(in + n + size, "?=", 3);
	text = decoded(in, n + size + 2, "", 0);
	assert_int_equal(strspn(text, "x"), size);
	assert_int_equal(strlen(text), size);
	free(text);

	n = (size_t)sprintf(in, "=?utf-8?Q?a?=");
	memset(in + n, ' ', size);
	text = decoded(in, n + size, "=?utf-8?Q?b?=", 13);
	assert_int_equal(strlen(text), size + 2);
	free(text);

	for (size_t i = 0; i < COUNT(parts); i++) {
		for (n = 0; n < size; n++)
			in[n] = parts[i][n % strlen(parts[i])];
		free(decoded(in, size, "", 0));
	}
	free(in);
}

static int
load(void **state)
{
	(void)state;
	charset_load();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows),
	    cmocka_unit_test(long_texts),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
