/*
 * number.h: digits, read and written.
 */
#ifndef MAILDIR_BASE_NUMBER_H
#define MAILDIR_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_DIGITS = 20 }; /* of 2^64 - 1 */

static inline bool
number_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Reads the number at the start of the octets into *number_r, and returns how many digits it has.  0: there are no
 * digits, or the number is above max; *number_r is 0 then.  The caller decides which octets may follow, and how many
 * digits are too many.
 */
static inline size_t
number_read(const char *octets, size_t len, uint64_t max, uint64_t *number_r)
{
	uint64_t number = 0;
	size_t digits = 0;

	*number_r = 0;
	for (; digits < len && number_is_digit(octets[digits]); digits++) {
		uint64_t digit = (uint64_t)(octets[digits] - '0');

		if (digit > max || number > (max - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	*number_r = number;
	return digits;
}

/* Writes the digits of a number before end, where NUMBER_DIGITS octets are free.  Returns the place of the first
 * digit. */
static inline char *
number_write(char *end, uint64_t number)
{
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return end;
}

/* Returns the value of a hexadecimal digit in either case, or -1. */
static inline int
number_hex(char digit)
{
	if (number_is_digit(digit))
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/*
 * The same for hexadecimal digits, of which 16 are the most.
 */
static inline size_t
number_read_hex(const char *octets, size_t len, uint64_t *number_r)
{
	uint64_t number = 0;
	size_t digits = 0;

	*number_r = 0;
	for (; digits < len && number_hex(octets[digits]) >= 0; digits++) {
		if (digits == 16)
			return 0;
		number = number << 4 | (uint64_t)number_hex(octets[digits]);
	}
	*number_r = number;
	return digits;
}

/* Returns the octet that two hexadecimal digits stand for, or -1.  If the first is no digit, the second is not read. */
static inline int
number_hex_pair(const char *digits)
{
	int high = number_hex(digits[0]), low = high >= 0 ? number_hex(digits[1]) : -1;

	return low >= 0 ? high << 4 | low : -1;
}

#endif
