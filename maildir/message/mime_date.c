/*
 * mime_date.c: the day of a Date field.  RFC 5322 sections 3.3 and 4.3.
 * Runs as: mail user.
 */
#include <string.h>
#include <strings.h>

#include "maildir/message/mime_internal.h"
#include "maildir/message/token.h"

/* Digits only, at most max of them; how many, 0: no such number. */
static unsigned
read_number(struct cursor *in, unsigned max, unsigned *number_r)
{
	unsigned digits = 0;

	*number_r = 0;
	for (int c = cursor_peek(in); c >= '0' && c <= '9'; c = cursor_peek(in)) {
		if (++digits > max)
			return 0;
		*number_r = *number_r * 10 + (unsigned)(c - '0');
		in->at++;
	}
	return digits;
}

static size_t
read_letters(struct cursor *in)
{
	const char *start = in->at;

	while (in->at < in->end && (((unsigned char)*in->at | 0x20) >= 'a') &&
	       (((unsigned char)*in->at | 0x20) <= 'z'))
		in->at++;
	return (size_t)(in->at - start);
}

/* "Mon, " where it is there; the obsolete syntax has comments everywhere. */
static void
skip_weekday(struct cursor *in)
{
	token_cfws(in, NULL);
	if (read_letters(in) == 0)
		return;
	token_cfws(in, NULL);
	if (cursor_peek(in) == ',')
		in->at++;
	token_cfws(in, NULL);
}

/* 1 to 12, or 0. */
static unsigned
read_month(struct cursor *in)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *start;

	token_cfws(in, NULL);
	start = in->at;
	if (read_letters(in) != 3)
		return 0;
	for (unsigned i = 0; i < 12; i++)
		if (strncasecmp(start, names + (size_t)i * 3, 3) == 0)
			return i + 1;
	return 0;
}

/* Two digits are 1950 to 2049, three count from 1900. */
static unsigned
read_year(struct cursor *in)
{
	unsigned year, digits;

	token_cfws(in, NULL);
	digits = read_number(in, 4, &year);
	if (digits == 2)
		return year < 50 ? 2000 + year : 1900 + year;
	if (digits == 3)
		return 1900 + year;
	return digits == 4 ? year : 0;
}

static unsigned
days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t
day_number(unsigned year, unsigned month, unsigned day)
{
	int64_t before = (int64_t)year - 1, days;

	days = before * 365 + before / 4 - before / 100 + before / 400;
	for (unsigned i = 1; i < month; i++)
		days += days_of_month(year, i);
	return days + day - 1 - 719162; /* of 1970-01-01 */
}

bool
mime_sent_day(const struct mime *mime, int64_t *day_r)
{
	uint32_t envelope = mime->node[0].envelope, value;
	unsigned day, month, year;
	struct cursor in;

	if (envelope == MIME_NONE)
		return false;
	value = mime->envelope[envelope].first[FIELD_DATE];
	if (value == MIME_NONE)
		return false;
	in.at = mime->value[value].text;
	in.end = in.at + mime->value[value].len;
	skip_weekday(&in);
	if (read_number(&in, 2, &day) == 0)
		return false;
	month = read_month(&in);
	year = month != 0 ? read_year(&in) : 0;
	if (year == 0 || day == 0 || day > days_of_month(year, month))
		return false;
	*day_r = day_number(year, month, day);
	return true;
}
