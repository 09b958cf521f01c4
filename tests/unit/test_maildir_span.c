/*
 * test_maildir_span.c: lines, words and digits taken off a text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "maildir/base/span.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The text is cut after each octet: only a line with an end is a line, and the rest is left. */
static void
lines(void **state)
{
	static const char text[] = "one\n\ntwo\0x\nrest";
	static const size_t end[] = {4, 5, 11};

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		struct span rest = {text, size}, all = rest, line;
		size_t count = 0;

		while (span_line(&rest, &line)) {
			assert_ptr_equal(line.p + line.len + 1, text + end[count]);
			count++;
		}
		assert_ptr_equal(rest.p, text + (count > 0 ? end[count - 1] : 0));
		assert_ptr_equal(rest.p + rest.len, text + size);
		while (span_line_or_rest(&all, &line))
			count--;
		assert_int_equal(count, rest.len > 0 ? SIZE_MAX : 0);
		assert_int_equal(all.len, 0);
	}
}

static void
words(void **state)
{
	struct span text = {"  a  bc ", 8}, none = {NULL, 0}, word;

	(void)state;
	assert_true(span_word(&text, &word));
	assert_memory_equal(word.p, "a", word.len);
	assert_true(span_word(&text, &word));
	assert_int_equal(word.len, 2);
	assert_memory_equal(word.p, "bc", word.len);
	assert_false(span_word(&text, &word));
	assert_false(span_word(&none, &word));
	assert_false(span_line(&none, &word));
	assert_false(span_line_or_rest(&none, &word));
}

static void
numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, number, hex;
		size_t left, left_hex;
	} rows[] = {
	    {"12 ", 99, 12, 0x12, 1, 1},
	    {"120", 99, 0, 0x120, 3, 0},
	    {"1fF/", 99, 1, 0x1ff, 3, 1},
	    {"", 99, 0, 0, 0, 0},
	    {"g", 99, 0, 0, 1, 1},
	    {"ffffffffffffffff", 99, 0, UINT64_MAX, 16, 0},
	    {"10000000000000000", 99, 0, 0, 17, 17},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span text = {rows[i].text, strlen(rows[i].text)}, hex = text;
		uint64_t number;

		assert_int_equal(
		    span_number(&text, rows[i].max, &number), rows[i].left < strlen(rows[i].text));
		assert_int_equal(number, rows[i].number);
		assert_int_equal(text.len, rows[i].left);
		assert_int_equal(span_hex(&hex, &number), rows[i].left_hex < strlen(rows[i].text));
		assert_int_equal(number, rows[i].hex);
		assert_int_equal(hex.len, rows[i].left_hex);
	}
}

static void
strings(void **state)
{
	char out[4];

	(void)state;
	assert_true(span_string((struct span){"abcd", 3}, out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_false(span_string((struct span){"abcd", 4}, out, sizeof(out)));
	assert_false(span_string((struct span){"a\0b", 3}, out, sizeof(out)));
	assert_true(span_string((struct span){NULL, 0}, out, sizeof(out)));
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(words),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
