/*
 * date.c: the day of a Date field.  RFC 5322 sections 3.3 and 4.3.
 * Runs as: mail user.
 */
#include <string.h>

#include "maildir/base/caseless.h"
#include "maildir/base/number.h"
#include "maildir/message/field.h"
#include "maildir/message/search.h"

enum {
	MONTHS = 12,
	EPOCH = 719162, /* days from 1 Jan 0001 to 1970-01-01 */
};

/* At most so many digits; how many, 0: no such number. */
static size_t
read_number(struct field_cursor *in, size_t max, unsigned *number_r)
{
	uint64_t number;
	size_t digits = number_read(in->at, (size_t)(in->end - in->at), 9999, &number);

	*number_r = (unsigned)number;
	in->at += digits;
	return digits <= max ? digits : 0;
}

static size_t
read_letters(struct field_cursor *in)
{
	const char *start = in->at;

	while (in->at < in->end && ((unsigned)*in->at | 0x20) - 'a' < 26U)
		in->at++;
	return (size_t)(in->at - start);
}

/* "Mon, " where it is there; the obsolete syntax has comments everywhere, and programs also write other words. */
static void
skip_weekday(struct field_cursor *in)
{
	field_cfws(in, NULL);
	while (in->at < in->end && *in->at != ',' && !number_is_digit(*in->at)) {
		in->at++;
		field_cfws(in, NULL);
	}
	if (field_peek(in) == ',')
		in->at++;
	field_cfws(in, NULL);
}

/* 1 to 12; 13: no month. */
static size_t
read_month(struct field_cursor *in)
{
	static const char *const names[MONTHS] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const char *start;

	field_cfws(in, NULL);
	start = in->at;
	return 1 + caseless_find(names, MONTHS, start, read_letters(in));
}

/* Two digits are 1950 to 2049, three count from 1900. */
static unsigned
read_year(struct field_cursor *in)
{
	unsigned year;
	size_t digits;

	field_cfws(in, NULL);
	digits = read_number(in, 4, &year);
	if (digits == 2)
		return year < 50 ? 2000 + year : 1900 + year;
	if (digits == 3)
		return 1900 + year;
	return digits == 4 ? year : 0;
}

/* The days before a month, in a year that is no leap year. */
static unsigned
days_before(size_t month)
{
	static const unsigned short days[MONTHS + 1] = {
	    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

	return days[month - 1];
}

bool
date_day(const char *text, size_t len, int64_t *day_r)
{
	struct field_cursor in = {text, text + len};
	unsigned day, year;
	int64_t leaps;
	size_t month;
	bool leap;

	skip_weekday(&in);
	if (read_number(&in, 2, &day) == 0 || day == 0)
		return false;
	month = read_month(&in);
	if (month > MONTHS)
		return false;
	year = read_year(&in);
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (year == 0 || day > days_before(month + 1) - days_before(month) + (leap && month == 2))
		return false;
	leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + (leap && month > 2);
	*day_r = (int64_t)(year - 1) * 365 + leaps + days_before(month) + day - 1 - EPOCH;
	return true;
}
