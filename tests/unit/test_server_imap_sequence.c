/*
 * test_server_imap_sequence.c: sets of numbers; REQUIREMENTS 21.
 */
#include "server_fixture.h"

#include "maildir/base/buf.h"
#include "server/imap/sequence.h"

/* Parses a copy that ends where the text ends, and writes the normal form. */
static enum sequence_result
parse(const char *text, size_t len, uint32_t star, char *out, size_t size)
{
	struct sequence sequence = {0};
	struct mdbuf written = {0};
	char *copy = malloc(len > 0 ? len : 1);
	enum sequence_result result;

	assert_non_null(copy);
	memcpy(copy, text, len);
	result = sequence_parse(&sequence, copy, len, star);
	free(copy);
	if (result != SEQUENCE_OK)
		assert_int_equal(sequence.count, 0);
	sequence_put(&sequence, &written);
	assert_false(written.failed);
	(void)snprintf(out, size, "%.*s", (int)written.len, written.len > 0 ? written.data : "");
	mdbuf_clear(&written);
	sequence_clear(&sequence);
	return result;
}

static void
sets_have_a_normal_form(void **state)
{
	static const struct {
		const char *text;
		uint32_t star;
		const char *normal;
	} rows[] = {
	    {"1", 9, "1"},
	    {"1,2", 9, "1:2"},
	    {"2,1", 9, "1:2"},
	    {"1:3", 9, "1:3"},
	    {"3:1", 9, "1:3"},
	    {"3:3", 9, "3"},
	    {"1,3", 9, "1,3"},
	    {"3,1", 9, "1,3"},
	    {"1,1,1", 9, "1"},
	    {"5:7,1:3", 9, "1:3,5:7"},
	    {"1:3,4:6", 9, "1:6"},
	    {"1:9,3:4", 9, "1:9"},
	    {"1:3,2:9,20", 9, "1:9,20"},
	    {"2,4:7,9,12:*", 15, "2,4:7,9,12:15"},
	    {"*:4,5:7", 10, "4:10"},
	    {"*", 9, "9"},
	    {"*:*", 9, "9"},
	    {"*:1", 9, "1:9"},
	    {"20:*", 9, "9:20"}, /* the last one also then */
	    {"*,1", 9, "1,9"},
	    {"8,*", 9, "8:9"},
	    {"00001", 9, "1"},
	    {"0000000001", 9, "1"},
	    {"4294967295", 9, "4294967295"},
	    {"4294967294,4294967295", 9, "4294967294:4294967295"},
	    {"4294967295,1:4294967294", 9, "1:4294967295"},
	    {"4294967295,4294967295", 9, "4294967295"},
	    {"*", UINT32_MAX, "4294967295"},
	    /* Nothing has a number. */
	    {"*", 0, ""},
	    {"1:*", 0, ""},
	    {"*:3", 0, ""},
	    {"*,3", 0, "3"},
	    {"7:*,3:4", 0, "3:4"},
	};
	char out[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    parse(rows[i].text, strlen(rows[i].text), rows[i].star, out, sizeof(out)),
		    SEQUENCE_OK);
		assert_string_equal(out, rows[i].normal);
	}
}

static void
test_req21_numbers_are_strict(void **state)
{
	static const char *const rows[] = {"", "0", "0:1", "1:0", "00", ",", "1,", ",1", "1,,2",
	    ":", "1:", ":1", "1:2:3", "1::2", "**", "*1", "1*", "*:", ":*", "a", "1a", "1 ", " 1",
	    "1, 2", "-1", "+1", "0x1", "1.0", "$", "1,$", "\xd9\xa1", "4294967296", "4294967297",
	    "9999999999", "00000000001", "18446744073709551617", "1:4294967297", "1\n"};
	char out[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    parse(rows[i], strlen(rows[i]), 9, out, sizeof(out)), SEQUENCE_WRONG);
		assert_string_equal(out, "");
	}
	assert_int_equal(parse("1\0,2", 4, 9, out, sizeof(out)), SEQUENCE_WRONG);
}

/* Cut at every octet: ASan sees a look beyond the end. */
static void
sets_cut_anywhere(void **state)
{
	static const char text[] = "2,4:7,4294967295:9,*:12,*";
	char out[128];

	(void)state;
	for (size_t len = 0; len <= strlen(text); len++) {
		bool whole = len > 0 && strchr(",:", text[len - 1]) == NULL;

		assert_int_equal(
		    parse(text, len, 15, out, sizeof(out)), whole ? SEQUENCE_OK : SEQUENCE_WRONG);
	}
}

static void
sets_know_what_they_hold(void **state)
{
	struct sequence sequence = {0};
	static const char text[] = "10:12,20,30:4294967295";

	(void)state;
	assert_false(sequence_has(&sequence, 1));
	assert_int_equal(sequence_total(&sequence), 0);
	assert_int_equal(sequence_parse(&sequence, text, strlen(text), 1), SEQUENCE_OK);
	assert_int_equal(sequence_total(&sequence), 4 + 4294967266ULL);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(
		    sequence_has(&sequence, i), (i >= 10 && i <= 12) || i == 20 || i >= 30);
	assert_true(sequence_has(&sequence, UINT32_MAX));
	sequence_clear(&sequence);
	assert_int_equal(sequence_parse(&sequence, "1:4294967295", 12, 1), SEQUENCE_OK);
	assert_int_equal(sequence_total(&sequence), UINT32_MAX);
	assert_int_equal(sequence.count, 1);
	/* Used again, it forgets. */
	assert_int_equal(sequence_parse(&sequence, "3", 1, 1), SEQUENCE_OK);
	assert_int_equal(sequence_total(&sequence), 1);
	sequence_clear(&sequence);
	sequence_clear(&sequence);
}

static void
numbers_are_added(void **state)
{
	static const uint32_t numbers[] = {1, 2, 3, 7, 9, 10, UINT32_MAX - 1, UINT32_MAX};
	struct sequence sequence = {0};
	struct mdbuf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++)
		sequence_add(&sequence, numbers[i]);
	assert_false(sequence.failed);
	assert_int_equal(sequence_total(&sequence), COUNT(numbers));
	sequence_put(&sequence, &out);
	mdbuf_add(&out, "", 1);
	assert_string_equal(out.data, "1:3,7,9:10,4294967294:4294967295");
	mdbuf_clear(&out);
	sequence_clear(&sequence);
}

/* The cost is the text's: large spans, and a megabyte of falling numbers. */
static void
test_req21_cost_is_of_the_text(void **state)
{
	enum { NUMBERS = 90000 };
	struct sequence sequence = {0};
	struct mdbuf text = {0};

	(void)state;
	for (unsigned i = NUMBERS; i > 0; i--)
		mdbuf_addf(&text, "%u,4294967295:1000000,", i * 2);
	mdbuf_add(&text, "*", 1);
	assert_int_equal(sequence_parse(&sequence, text.data, text.len, 500000), SEQUENCE_OK);
	assert_int_equal(sequence.count, NUMBERS + 2);
	assert_int_equal(sequence_total(&sequence), NUMBERS + 1 + 4293967296ULL);
	mdbuf_clear(&text);
	sequence_clear(&sequence);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sets_have_a_normal_form),
	    cmocka_unit_test(test_req21_numbers_are_strict),
	    cmocka_unit_test(sets_cut_anywhere),
	    cmocka_unit_test(sets_know_what_they_hold),
	    cmocka_unit_test(numbers_are_added),
	    cmocka_unit_test(test_req21_cost_is_of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
