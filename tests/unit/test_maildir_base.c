/*
 * test_maildir_base.c: digits, arrays that grow, finding in what is sorted, finding names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "maildir/base/array.h"
#include "maildir/base/bisect.h"
#include "maildir/base/caseless.h"
#include "maildir/base/number.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
digits(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		size_t digits;
		uint64_t number;
	} rows[] = {
	    {"", 9, 0, 0},
	    {"x1", 9, 0, 0},
	    {"-1", 9, 0, 0},
	    {"+1", 9, 0, 0},
	    {" 1", 9, 0, 0},
	    {"9", 8, 0, 0},
	    {"0", 0, 1, 0},
	    {"1", 0, 0, 0},
	    {"007 ", 7, 3, 7},
	    {"008", 7, 0, 0},
	    {"00000000000000000000000012", 12, 26, 12},
	    {"9223372036854775807:", INT64_MAX, 19, INT64_MAX},
	    {"9223372036854775808", INT64_MAX, 0, 0},
	    {"4294967295", UINT32_MAX, 10, UINT32_MAX},
	    {"4294967296", UINT32_MAX, 0, 0},
	    {"18446744073709551615", UINT64_MAX, 20, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, 0, 0},
	    {"99999999999999999999999", UINT64_MAX, 0, 0},
	    {"12\xb2", 99, 2, 12},
	};
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = malloc(len + 1); /* so that an octet too far is seen */

		assert_non_null(copy);
		memcpy(copy, rows[i].text, len);
		number = 1;
		assert_int_equal(number_read(copy, len, rows[i].max, &number), rows[i].digits);
		assert_true(number == rows[i].number);
		free(copy);
	}
	assert_int_equal(number_read("123", 2, 99, &number), 2);
	assert_int_equal(number, 12);
	assert_int_equal(number_read(NULL, 0, 99, &number), 0);
}

static void
digits_are_written(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} rows[] = {{0, "0"}, {9, "9"}, {10, "10"}, {UINT64_MAX, "18446744073709551615"}};
	char text[NUMBER_DIGITS + 1] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(
		    number_write(text + NUMBER_DIGITS, rows[i].number), rows[i].text);
}

static void
arrays_grow(void **state)
{
	size_t room = 0, count;
	unsigned *array = NULL;

	(void)state;
	for (count = 0; count < 1000; count++) {
		array = array_grow(array, count, &room, sizeof(*array));
		assert_non_null(array);
		assert_true(room > count);
		array[count] = (unsigned)count;
	}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(array[i], i);
	free(array);
}

static bool
before(const void *ctx, size_t place)
{
	return place < *(const size_t *)ctx;
}

static void
places(void **state)
{
	(void)state;
	for (size_t count = 0; count < 20; count++)
		for (size_t first = 0; first <= count; first++)
			assert_int_equal(bisect(count, before, &first), first);
}

static void
names(void **state)
{
	static const char *const table[] = {"From", "To", ""};

	(void)state;
	assert_int_equal(caseless_find(table, COUNT(table), "tO", 2), 1);
	assert_int_equal(caseless_find(table, COUNT(table), "to\0", 3), COUNT(table));
	assert_int_equal(caseless_find(table, COUNT(table), "Fro", 3), COUNT(table));
	assert_int_equal(caseless_find(table, COUNT(table), "from:", 4), 0);
	assert_int_equal(caseless_find(table, COUNT(table), "", 0), 2);
	assert_int_equal(caseless_find(table, 0, "", 0), 0);
	assert_false(caseless_is("a\0b", "a\0b", 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digits),
	    cmocka_unit_test(digits_are_written),
	    cmocka_unit_test(arrays_grow),
	    cmocka_unit_test(places),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
