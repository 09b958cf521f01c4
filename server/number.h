/*
 * number.h: decimal numbers, read and written.
 */
#ifndef SERVER_NUMBER_H
#define SERVER_NUMBER_H

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
 * Reads the number that text (len octets) begins with: all of its first digits.  Returns how many octets they
 * take.  Returns 0, and leaves *number_r alone, if there is no digit or the number is above max.  Leading zeros
 * are allowed.
 */
size_t number_read(const char *text, size_t len, uint64_t max, uint64_t *number_r);

/* Writes the digits of a number before end, where NUMBER_DIGITS octets are free.  Returns the first. */
char *number_write(char *end, uint64_t number);

#endif
