/*
 * args.c: reads the words of a command from its text, one by one.
 * Runs as: worker (LOGIN, ID), and mail user.
 */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "maildir/base/caseless.h"
#include "maildir/base/number.h"
#include "maildir/message/charset.h"
#include "server/imap/args.h"

enum {
	DIGITS_32 = 10, /* 2^32 has ten */
	DIGITS_64 = 19, /* 2^63 has nineteen */
	YEAR_DIGITS = 4,
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
};

/* RFC 9051 section 9: atom-specials.  Controls, SP and octets above 0x7f are no ATOM-CHARs either. */
static const char ATOM_SPECIALS[] = "(){%*\"\\]";

static bool
in_set(const char *set, char c)
{
	return set != NULL && c != '\0' && strchr(set, c) != NULL;
}

static bool
is_atom_char(char c)
{
	return c > 0x20 && c < 0x7f && !in_set(ATOM_SPECIALS, c);
}

static char *
after_blanks(const struct args *args)
{
	char *at = args->at;

	while (at < args->end && *at == ' ')
		at++;
	return at;
}

bool
args_end(const struct args *args)
{
	return after_blanks(args) == args->end;
}

bool
args_next_is(const struct args *args, char c)
{
	return args->at < args->end && *args->at == c;
}

bool
args_char(struct args *args, char c)
{
	if (!args_next_is(args, c))
		return false;
	args->at++;
	return true;
}

bool
args_space(struct args *args)
{
	char *start = args->at;

	args->at = after_blanks(args);
	return args->at > start;
}

bool
args_open(struct args *args)
{
	if (!args_char(args, '('))
		return false;
	args->at = after_blanks(args);
	return true;
}

bool
args_more(struct args *args)
{
	return args_space(args) && args->at < args->end && *args->at != ')';
}

bool
args_close(struct args *args)
{
	args->at = after_blanks(args);
	return args_char(args, ')');
}

bool
args_atom(struct args *args, const char *also, struct word *word_r)
{
	char *start = args->at;

	while (args->at < args->end && (is_atom_char(*args->at) || in_set(also, *args->at)))
		args->at++;
	*word_r = (struct word){start, (size_t)(args->at - start)};
	return word_r->len > 0;
}

bool
args_quoted(struct args *args, struct word *word_r)
{
	char *out;
	bool eight_bit = false;

	if (!args_char(args, '"'))
		return false;
	*word_r = (struct word){args->at, 0};
	for (out = args->at; args->at < args->end && *args->at != '"'; *out++ = *args->at++) {
		if (*args->at == '\\') {
			args->at++;
			if (!args_next_is(args, '"') && !args_next_is(args, '\\'))
				return false;
		}
		if (*args->at == '\0' || *args->at == '\r' || *args->at == '\n')
			return false;
		eight_bit |= (*args->at & 0x80) != 0;
	}
	word_r->len = (size_t)(out - word_r->at);
	/* RFC 6855 section 3: a string that is not UTF-8 is BAD. */
	if (eight_bit && (!args->utf8 || !utf8_valid(word_r->at, word_r->len)))
		return false;
	return args_char(args, '"');
}

bool
args_literal(struct args *args, struct word *word_r, bool *literal8_r)
{
	bool literal8 = args_char(args, '~');
	uint64_t len;

	if (literal8_r != NULL)
		*literal8_r = literal8;
	else if (literal8)
		return false;
	if (!args_char(args, '{') || !args_number64(args, &len))
		return false;
	(void)args_char(args, '+');
	if (!args_char(args, '}'))
		return false;
	(void)args_char(args, '\r'); /* input.c accepts LF alone as the end of a line */
	if (!args_char(args, '\n') || len > (uint64_t)(args->end - args->at))
		return false;
	*word_r = (struct word){args->at, (size_t)len};
	args->at += len;
	return literal8 || memchr(word_r->at, '\0', word_r->len) == NULL;
}

bool
args_string(struct args *args, struct word *word_r)
{
	if (args_next_is(args, '"'))
		return args_quoted(args, word_r);
	return args_literal(args, word_r, NULL);
}

/* A string, or an atom in which the characters of also may be, too.  No literal8: "~" begins an atom here. */
static bool
string_or_atom(struct args *args, const char *also, struct word *word_r)
{
	if (args_next_is(args, '"') || args_next_is(args, '{'))
		return args_string(args, word_r);
	return args_atom(args, also, word_r);
}

bool
args_astring(struct args *args, struct word *word_r)
{
	return string_or_atom(args, "]", word_r);
}

bool
args_list_mailbox(struct args *args, struct word *word_r)
{
	return string_or_atom(args, "]%*", word_r);
}

bool
args_nstring(struct args *args, struct word *word_r)
{
	if (args_next_is(args, '"') || args_next_is(args, '{'))
		return args_string(args, word_r);
	if (!args_atom(args, "]", word_r) || !word_is(*word_r, "NIL"))
		return false;
	*word_r = (struct word){NULL, 0};
	return true;
}

bool
args_names(struct args *args, const char *const *names, size_t count, unsigned *bits_r)
{
	struct word word;
	size_t place;

	*bits_r = 0;
	if (!args_open(args))
		return false;
	for (bool more = !args_next_is(args, ')'); more; more = args_more(args)) {
		if (!args_atom(args, NULL, &word))
			return false;
		place = caseless_find(names, count, word.at, word.len);
		if (place == count)
			return false;
		*bits_r |= 1U << place;
	}
	return args_close(args);
}

/* A number up to max, of 1 to most digits. */
static bool
take_number(struct args *args, size_t most, uint64_t max, uint64_t *number_r)
{
	size_t digits = number_read(args->at, (size_t)(args->end - args->at), max, number_r);

	while (args->at < args->end && number_is_digit(*args->at))
		args->at++; /* also over a number that is too large */
	return digits > 0 && digits <= most;
}

bool
args_number64(struct args *args, uint64_t *number_r)
{
	return take_number(args, DIGITS_64, INT64_MAX, number_r);
}

bool
args_number(struct args *args, uint32_t *number_r)
{
	uint64_t number = 0;
	bool well = take_number(args, DIGITS_32, UINT32_MAX, &number);

	*number_r = (uint32_t)number;
	return well;
}

bool
args_nz_number(struct args *args, uint32_t *number_r)
{
	return args_number(args, number_r) && *number_r > 0;
}

bool
args_set(struct args *args, struct word *word_r)
{
	char *start = args->at;

	if (!args_char(args, '$')) {
		while (args->at < args->end &&
		       (number_is_digit(*args->at) || in_set(":,*", *args->at)))
			args->at++;
	}
	*word_r = (struct word){start, (size_t)(args->at - start)};
	return word_r->len > 0;
}

/* At least so many digits and at most so many. */
static bool
take_digits(struct args *args, size_t least, size_t most, int *number_r)
{
	size_t left = (size_t)(args->end - args->at), digits;
	uint64_t number = 0;

	digits = number_read(args->at, left < most ? left : most, UINT64_MAX, &number);
	args->at += digits;
	*number_r = (int)number;
	return digits >= least;
}

/* From 0. */
static bool
take_month(struct args *args, int *month_r)
{
	static const char names[12][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

	if (args->end - args->at < 3)
		return false;
	for (*month_r = 0; *month_r < 12; ++*month_r) {
		if (strncasecmp(args->at, names[*month_r], 3) == 0) {
			args->at += 3;
			return true;
		}
	}
	return false;
}

/* date-text. */
static bool
take_date(struct args *args, int64_t *day_r)
{
	int day, month, year;
	struct tm tm = {.tm_year = 0};

	if (!take_digits(args, 1, 2, &day) || !args_char(args, '-') || !take_month(args, &month) ||
	    !args_char(args, '-') || !take_digits(args, YEAR_DIGITS, YEAR_DIGITS, &year))
		return false;
	tm.tm_mday = day;
	tm.tm_mon = month;
	tm.tm_year = year - 1900;
	*day_r = timegm(&tm) / DAY;
	return tm.tm_mday == day; /* timegm moves a day that its month does not have */
}

bool
args_date(struct args *args, int64_t *day_r)
{
	if (!args_char(args, '"'))
		return take_date(args, day_r);
	(void)args_char(args, ' '); /* in place of a digit, as in a date-time */
	return take_date(args, day_r) && args_char(args, '"');
}

/* "12:34:56"; second 60 is a leap second. */
static bool
take_time(struct args *args, int64_t *seconds_r)
{
	int hour, minute, second;

	if (!take_digits(args, 2, 2, &hour) || !args_char(args, ':') ||
	    !take_digits(args, 2, 2, &minute) || !args_char(args, ':') ||
	    !take_digits(args, 2, 2, &second))
		return false;
	*seconds_r = (int64_t)hour * HOUR + minute * MINUTE + second;
	return hour < 24 && minute < 60 && second <= 60;
}

/* "+0100": seconds east of Greenwich. */
static bool
take_zone(struct args *args, int64_t *seconds_r)
{
	bool west = args_next_is(args, '-');
	int hour, minute;

	if (!args_char(args, west ? '-' : '+') || !take_digits(args, 2, 2, &hour) ||
	    !take_digits(args, 2, 2, &minute))
		return false;
	*seconds_r = ((int64_t)hour * HOUR + minute * MINUTE) * (west ? -1 : 1);
	return hour < 24 && minute < 60;
}

bool
args_date_time(struct args *args, int64_t *time_r)
{
	int64_t day, seconds, zone;

	if (!args_char(args, '"'))
		return false;
	/* " 1-Feb": a blank in place of the first of two digits. */
	if (args_char(args, ' ') && args->end - args->at > 1 && args->at[1] != '-')
		return false;
	if (!take_date(args, &day) || !args_char(args, ' ') || !take_time(args, &seconds) ||
	    !args_char(args, ' ') || !take_zone(args, &zone))
		return false;
	*time_r = day * DAY + seconds - zone;
	return args_char(args, '"');
}

bool
word_is(struct word word, const char *text)
{
	size_t len = strlen(text);

	return word.len == len && (len == 0 || strncasecmp(word.at, text, len) == 0);
}

const void *
word_row(struct word word, const void *rows, size_t count, size_t size)
{
	const char *row = rows, *name;

	for (size_t i = 0; i < count; i++, row += size) {
		memcpy(&name, row, sizeof(name));
		if (word_is(word, name))
			return row;
	}
	return NULL;
}
