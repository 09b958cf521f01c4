/*
 * test_server_number.c: decimal numbers, and arrays that grow and are searched.
 */
#include "server_fixture.h"

#include "server/array.h"
#include "server/number.h"

static void
numbers_are_read_to_their_end(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		size_t taken;
		uint64_t number;
	} rows[] = {
	    {"0", 0, 1, 0},
	    {"1", 0, 0, 7},
	    {"9", 8, 0, 7},
	    {"", 9, 0, 7},
	    {"x", 9, 0, 7},
	    {"-1", 9, 0, 7},
	    {"+1", 9, 0, 7},
	    {" 1", 9, 0, 7},
	    {"12x", 12, 2, 12},
	    {"12", 11, 0, 7},
	    {"00000000000000000000000012", 12, 26, 12},
	    {"4294967295", UINT32_MAX, 10, UINT32_MAX},
	    {"4294967296", UINT32_MAX, 0, 7},
	    {"9223372036854775807:", INT64_MAX, 19, INT64_MAX},
	    {"9223372036854775808", INT64_MAX, 0, 7},
	    {"18446744073709551615", UINT64_MAX, 20, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, 0, 7},
	    {"99999999999999999999", UINT64_MAX, 0, 7},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = malloc(len + 1); /* so that an octet too far is seen */
		uint64_t number = 7;

		assert_non_null(copy);
		memcpy(copy, rows[i].text, len);
		assert_int_equal(number_read(copy, len, rows[i].max, &number), rows[i].taken);
		assert_true(number == rows[i].number);
		free(copy);
	}
}

static void
a_length_cuts_a_number(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(number_read("1234", 2, 99, &number), 2);
	assert_int_equal(number, 12);
	assert_int_equal(number_read("1234", 0, 99, &number), 0);
}

static void
numbers_are_written(void **state)
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

static bool
is_below(const void *ctx, size_t place)
{
	const unsigned *wanted = ctx;

	return 10 * place < *wanted; /* as if the array were 0, 10, 20, ... */
}

static void
places_are_found(void **state)
{
	(void)state;
	for (size_t count = 0; count < 9; count++)
		for (unsigned wanted = 0; wanted < 100; wanted++) {
			size_t first = (wanted + 9) / 10;

			assert_int_equal(
			    array_find(count, is_below, &wanted), first < count ? first : count);
		}
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_read_to_their_end),
	    cmocka_unit_test(a_length_cuts_a_number),
	    cmocka_unit_test(numbers_are_written),
	    cmocka_unit_test(places_are_found),
	    cmocka_unit_test(arrays_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
