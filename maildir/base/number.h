/*
 * number.h: the one reader of decimal digits.
 */
#ifndef MAILDIR_BASE_NUMBER_H
#define MAILDIR_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads the digits at the start of the octets into *number_r and gives how many they are.  0: there is none, or
 * the number is above max; *number_r is 0 then.  What may follow the digits, and how many of them are
 * too many, is for the caller to say.
 */
static inline size_t
number_read(const char *octets, size_t len, uint64_t max, uint64_t *number_r)
{
	uint64_t number = 0;
	size_t digits = 0;

	*number_r = 0;
	for (; digits < len && octets[digits] >= '0' && octets[digits] <= '9'; digits++) {
		uint64_t digit = (uint64_t)(octets[digits] - '0');

		if (digit > max || number > (max - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	*number_r = number;
	return digits;
}

#endif
