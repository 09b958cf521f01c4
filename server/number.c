/*
 * number.c: decimal numbers, read and written.
 * Runs as: every process.
 */
#include "server/number.h"

size_t
number_read(const char *text, size_t len, uint64_t max, uint64_t *number_r)
{
	uint64_t number = 0, digit;
	size_t digits;

	for (digits = 0; digits < len && number_is_digit(text[digits]); digits++) {
		digit = (uint64_t)(text[digits] - '0');
		if (digit > max || number > (max - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	if (digits > 0)
		*number_r = number;
	return digits;
}

char *
number_write(char *end, uint64_t number)
{
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return end;
}
