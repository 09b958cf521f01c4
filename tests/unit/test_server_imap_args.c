/*
 * test_server_imap_args.c: the words of commands, whole, wrong and cut.
 */
#include "server_fixture.h"

#include <time.h>

#include "server/imap/args.h"

/* What is read from a text, in one form for all functions: what word_r or number_r got. */
struct result {
	bool good;
	char *text; /* malloc'd: the words point into it */
	struct args args;
	struct word word;
	int64_t number;
	bool literal8;
};

typedef bool reader(struct args *args, struct result *result);

/* Reads from a copy that ends where the text does. */
static void
read_with(reader *read, const char *text, size_t len, bool utf8, struct result *result)
{
	*result = (struct result){.text = malloc(len > 0 ? len : 1)};
	assert_non_null(result->text);
	memcpy(result->text, text, len);
	result->args = (struct args){result->text, result->text + len, utf8};
	result->good = read(&result->args, result);
	assert_true(result->args.at >= result->text && result->args.at <= result->args.end);
}

static bool
read_atom(struct args *args, struct result *result)
{
	return args_atom(args, NULL, &result->word);
}

static bool
read_flag(struct args *args, struct result *result)
{
	return args_atom(args, "\\", &result->word);
}

static bool
read_quoted(struct args *args, struct result *result)
{
	return args_quoted(args, &result->word);
}

static bool
read_literal(struct args *args, struct result *result)
{
	return args_literal(args, &result->word, NULL);
}

static bool
read_literal8(struct args *args, struct result *result)
{
	return args_literal(args, &result->word, &result->literal8);
}

static bool
read_string(struct args *args, struct result *result)
{
	return args_string(args, &result->word);
}

static bool
read_astring(struct args *args, struct result *result)
{
	return args_astring(args, &result->word);
}

static bool
read_list_mailbox(struct args *args, struct result *result)
{
	return args_list_mailbox(args, &result->word);
}

static bool
read_nstring(struct args *args, struct result *result)
{
	return args_nstring(args, &result->word);
}

static bool
read_set(struct args *args, struct result *result)
{
	return args_set(args, &result->word);
}

static bool
read_number(struct args *args, struct result *result)
{
	uint32_t number = 0;
	bool good = args_number(args, &number);

	result->number = number;
	return good;
}

static bool
read_nz_number(struct args *args, struct result *result)
{
	uint32_t number = 0;
	bool good = args_nz_number(args, &number);

	result->number = number;
	return good;
}

static bool
read_number64(struct args *args, struct result *result)
{
	uint64_t number = 0;
	bool good = args_number64(args, &number);

	result->number = (int64_t)number;
	return good;
}

static bool
read_date(struct args *args, struct result *result)
{
	return args_date(args, &result->number);
}

static bool
read_date_time(struct args *args, struct result *result)
{
	return args_date_time(args, &result->number);
}

#define TEXT(t) t, sizeof(t) - 1

static void
words_are_read(void **state)
{
	static const struct {
		reader *read;
		const char *text;
		size_t len;
		bool utf8;
		const char *word; /* NULL: it is wrong */
		size_t word_len;
		const char *rest;
	} rows[] = {
	    {read_atom, TEXT("abc"), false, TEXT("abc"), ""},
	    {read_atom, TEXT("abc def"), false, TEXT("abc"), " def"},
	    {read_atom, TEXT("~foo+&'/#$;:,<>=?@^_`|}!-.["), false,
		TEXT("~foo+&'/#$;:,<>=?@^_`|}!-.["), ""},
	    {read_atom, TEXT("NIL"), false, TEXT("NIL"), ""},
	    {read_atom, TEXT("a]b"), false, TEXT("a"), "]b"},
	    {read_atom, TEXT("a\\b"), false, TEXT("a"), "\\b"},
	    {read_atom, TEXT("a\0b"), false, TEXT("a"), NULL},
	    {read_atom, TEXT("a\x7f"), false, TEXT("a"), "\x7f"},
	    {read_atom, TEXT("a\xc3\xa4"), true, TEXT("a"), "\xc3\xa4"},
	    {read_atom, TEXT(""), false, NULL, 0, NULL},
	    {read_atom, TEXT(" a"), false, NULL, 0, NULL},
	    {read_atom, TEXT("(a)"), false, NULL, 0, NULL},
	    {read_atom, TEXT("{1}"), false, NULL, 0, NULL},
	    {read_atom, TEXT("%"), false, NULL, 0, NULL},
	    {read_atom, TEXT("*"), false, NULL, 0, NULL},
	    {read_atom, TEXT("\"a\""), false, NULL, 0, NULL},
	    {read_atom, TEXT("\0"), false, NULL, 0, NULL},
	    {read_flag, TEXT("\\Seen)"), false, TEXT("\\Seen"), ")"},
	    {read_quoted, TEXT("\"\""), false, TEXT(""), ""},
	    {read_quoted, TEXT("\"a b\" c"), false, TEXT("a b"), " c"},
	    {read_quoted, TEXT("\"a\\\"b\\\\c\""), false, TEXT("a\"b\\c"), ""},
	    {read_quoted, TEXT("\"\\\\\""), false, TEXT("\\"), ""},
	    {read_quoted, TEXT("\"(){%*\t\x01\""), false, TEXT("(){%*\t\x01"), ""},
	    {read_quoted, TEXT("\"a\\b\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a\\"), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a\\\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a"), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("a"), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a\rb\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a\nb\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a\0b\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"a\\\0b\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"\xc3\xa4\""), false, NULL, 0, NULL},
	    {read_quoted, TEXT("\"\xc3\xa4\""), true, TEXT("\xc3\xa4"), ""},
	    {read_quoted, TEXT("\"\xc3\""), true, NULL, 0, NULL},
	    {read_quoted, TEXT("\"\xe4\""), true, NULL, 0, NULL},
	    {read_quoted, TEXT("\"\xc0\xaf\""), true, NULL, 0, NULL},
	    {read_literal, TEXT("{5}\r\nhello"), false, TEXT("hello"), ""},
	    {read_literal, TEXT("{5+}\r\nhello x"), false, TEXT("hello"), " x"},
	    {read_literal, TEXT("{0}\r\n"), false, TEXT(""), ""},
	    {read_literal, TEXT("{0} \r\n"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{4}\r\n\xff\r\n\""), false, TEXT("\xff\r\n\""), ""},
	    {read_literal, TEXT("{6}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{5}\nhello"), false, TEXT("hello"), ""},
	    {read_literal, TEXT("{5}\rhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{-1}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{+5}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{5++}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{5-}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{ 5}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{18446744073709551621}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{9223372036854775807}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{4294967297}\r\nhello"), false, NULL, 0, NULL},
	    {read_literal, TEXT("{3}\r\na\0b"), false, NULL, 0, NULL},
	    {read_literal, TEXT("~{3}\r\na\0b"), false, NULL, 0, NULL},
	    {read_literal8, TEXT("~{3}\r\na\0b"), false, TEXT("a\0b"), ""},
	    {read_literal8, TEXT("~{3+}\r\na\0bc"), false, TEXT("a\0b"), "c"},
	    {read_literal8, TEXT("{3}\r\nabc"), false, TEXT("abc"), ""},
	    {read_literal8, TEXT("{3}\r\na\0b"), false, NULL, 0, NULL},
	    {read_literal8, TEXT("~3"), false, NULL, 0, NULL},
	    {read_string, TEXT("\"a\""), false, TEXT("a"), ""},
	    {read_string, TEXT("{1}\r\na"), false, TEXT("a"), ""},
	    {read_string, TEXT("a"), false, NULL, 0, NULL},
	    {read_string, TEXT("~{1}\r\na"), false, NULL, 0, NULL},
	    {read_astring, TEXT("a]b c"), false, TEXT("a]b"), " c"},
	    {read_astring, TEXT("~foo"), false, TEXT("~foo"), ""},
	    {read_astring, TEXT("NIL"), false, TEXT("NIL"), ""},
	    {read_astring, TEXT("\"\""), false, TEXT(""), ""},
	    {read_astring, TEXT("{2}\r\na b"), false, TEXT("a "), "b"},
	    {read_astring, TEXT("a%b"), false, TEXT("a"), "%b"},
	    {read_astring, TEXT("~{1}\r\na"), false, TEXT("~"), "{1}\r\na"},
	    {read_astring, TEXT(""), false, NULL, 0, NULL},
	    {read_list_mailbox, TEXT("%/*]~ x"), false, TEXT("%/*]~"), " x"},
	    {read_list_mailbox, TEXT("\"\""), false, TEXT(""), ""},
	    {read_list_mailbox, TEXT("("), false, NULL, 0, NULL},
	    {read_nstring, TEXT("\"NIL\""), false, TEXT("NIL"), ""},
	    {read_nstring, TEXT("{3}\r\nNIL"), false, TEXT("NIL"), ""},
	    {read_nstring, TEXT("NILS"), false, NULL, 0, NULL},
	    {read_nstring, TEXT("NI"), false, NULL, 0, NULL},
	    {read_nstring, TEXT("NIL]"), false, NULL, 0, NULL},
	    {read_set, TEXT("1,3:5,*:9 x"), false, TEXT("1,3:5,*:9"), " x"},
	    {read_set, TEXT("$ x"), false, TEXT("$"), " x"},
	    {read_set, TEXT("$,1"), false, TEXT("$"), ",1"},
	    {read_set, TEXT("1,$"), false, TEXT("1,"), "$"},
	    {read_set, TEXT("1\0"), false, TEXT("1"), NULL},
	    {read_set, TEXT("a"), false, NULL, 0, NULL},
	    {read_set, TEXT(""), false, NULL, 0, NULL},
	};
	struct result result;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		read_with(rows[i].read, rows[i].text, rows[i].len, rows[i].utf8, &result);
		assert_int_equal(result.good, rows[i].word != NULL);
		if (result.good) {
			assert_int_equal(result.word.len, rows[i].word_len);
			assert_memory_equal(result.word.at, rows[i].word, rows[i].word_len);
		}
		if (rows[i].rest != NULL) {
			assert_int_equal(result.args.end - result.args.at, strlen(rows[i].rest));
			assert_memory_equal(result.args.at, rows[i].rest, strlen(rows[i].rest));
			assert_int_equal(args_end(&result.args), *rows[i].rest == '\0');
		}
		free(result.text);
	}
}

static void
nil_is_no_string(void **state)
{
	struct result result;

	(void)state;
	read_with(read_nstring, TEXT("nil x"), false, &result);
	assert_true(result.good);
	assert_null(result.word.at);
	assert_true(args_space(&result.args));
	assert_false(args_space(&result.args));
	assert_true(args_next_is(&result.args, 'x'));
	assert_false(args_char(&result.args, 'X'));
	assert_false(args_end(&result.args));
	assert_true(args_char(&result.args, 'x'));
	assert_true(args_end(&result.args));
	assert_false(args_next_is(&result.args, 'x'));
	assert_false(args_char(&result.args, 'x'));
	assert_false(args_space(&result.args));
	free(result.text);
	read_with(read_literal8, TEXT("~{0}\r\n"), false, &result);
	assert_true(result.good && result.literal8);
	free(result.text);
	read_with(read_literal8, TEXT("{0}\r\n"), false, &result);
	assert_true(result.good && !result.literal8);
	free(result.text);
}

static void
test_req21_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t number, nz, number64; /* -1: wrong */
	} rows[] = {
	    {"0", 0, -1, 0}, {"1", 1, 1, 1}, {"0000000001", 1, 1, 1}, {"00000000001", -1, -1, 1},
	    {"4294967295", 4294967295, 4294967295, 4294967295}, {"4294967296", -1, -1, 4294967296},
	    {"4294967297", -1, -1, 4294967297}, {"9999999999", -1, -1, 9999999999},
	    {"9223372036854775807", -1, -1, INT64_MAX}, {"9223372036854775808", -1, -1, -1},
	    {"18446744073709551617", -1, -1, -1},
	    {"00000000000000000001", -1, -1, -1}, /* 20 digits */
	    {"", -1, -1, -1}, {"-1", -1, -1, -1}, {"+1", -1, -1, -1}, {" 1", -1, -1, -1},
	    {"x", -1, -1, -1}, {"\xd9\xa1", -1, -1, -1},
	    {"12x", 12, 12, 12}, /* what follows is for whoever reads it */
	};
	struct result result;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = rows[i].text;

		read_with(read_number, text, strlen(text), false, &result);
		assert_int_equal(result.good ? result.number : -1, rows[i].number);
		free(result.text);
		read_with(read_nz_number, text, strlen(text), false, &result);
		assert_int_equal(result.good ? result.number : -1, rows[i].nz);
		free(result.text);
		read_with(read_number64, text, strlen(text), false, &result);
		assert_int_equal(result.good ? result.number : -1, rows[i].number64);
		free(result.text);
	}
}

static void
dates_are_read(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t day;
	} rows[] = {
	    {"1-Jan-1970", true, 0},
	    {"01-Jan-1970", true, 0},
	    {"\"1-jAN-1970\"", true, 0},
	    {"\" 1-Jan-1970\"", true, 0},
	    {"\"  1-Jan-1970\"", false, 0},
	    {"31-Dec-1969", true, -1},
	    {"1-Mar-2000", true, 11017},
	    {"29-Feb-2000", true, 11016},
	    {"29-Feb-2024", true, 19782},
	    {"1-Feb-1994", true, 8797},
	    {"1-Jan-0000", true, -719528},
	    {"31-Dec-9999", true, 2932896},
	    {"29-Feb-1900", false, 0},
	    {"29-Feb-2023", false, 0},
	    {"31-Apr-2023", false, 0},
	    {"0-Jan-1970", false, 0},
	    {"32-Jan-1970", false, 0},
	    {"001-Jan-1970", false, 0},
	    {" 1-Jan-1970", false, 0},
	    {"1-Jan-70", false, 0},
	    {"1-Jax-1970", false, 0},
	    {"1-Ja-1970", false, 0},
	    {"1 Jan 1970", false, 0},
	    {"1-Jan-1970\" ", true, 0},
	    {"\"1-Jan-1970", false, 0},
	    {"\"\"", false, 0},
	    {"1-1-1970", false, 0},
	    {"-1-Jan-1970", false, 0},
	    {"1-", false, 0},
	    {"", false, 0},
	};
	struct result result;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		read_with(read_date, rows[i].text, strlen(rows[i].text), false, &result);
		assert_int_equal(result.good, rows[i].good);
		if (result.good)
			assert_int_equal(result.number, rows[i].day);
		free(result.text);
	}
}

/* Against the C library, each day of some centuries. */
static void
days_are_counted(void **state)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct result result;
	char text[64];

	(void)state;
	for (int64_t day = -100000; day < 60000; day++) {
		time_t when = (time_t)(day * 86400);
		struct tm tm;

		assert_non_null(gmtime_r(&when, &tm));
		(void)snprintf(text, sizeof(text), "%d-%.3s-%04d", tm.tm_mday,
		    names + (size_t)tm.tm_mon * 3, tm.tm_year + 1900);
		read_with(read_date, text, strlen(text), false, &result);
		assert_true(result.good);
		assert_int_equal(result.number, day);
		free(result.text);
	}
}

static void
dates_with_times_are_read(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t when;
	} rows[] = {
	    {"\" 1-Jan-1970 00:00:00 +0000\"", true, 0},
	    {"\"1-Jan-1970 00:00:00 +0000\"", true, 0},
	    {"\"01-Jan-1970 00:00:00 +0000\"", true, 0},
	    {"\" 1-Jan-1970 00:00:00 -0000\"", true, 0},
	    {"\" 1-Jan-1970 01:02:03 +0100\"", true, 123},
	    {"\" 1-Jan-1970 00:00:00 -0130\"", true, 5400},
	    {"\" 1-Jan-1970 00:00:00 +0130\"", true, -5400},
	    {"\"17-Jul-1996 02:44:25 -0700\"", true, 837596665},
	    {"\"30-Jun-2015 23:59:60 +0000\"", true, 1435708800},
	    {"\"31-Dec-9999 23:59:59 -2359\"", true, 253402387139},
	    {"\" 10-Jan-1970 00:00:00 +0000\"", false, 0},
	    {"\"  1-Jan-1970 00:00:00 +0000\"", false, 0},
	    {"\" 1-Jan-1970 24:00:00 +0000\"", false, 0},
	    {"\" 1-Jan-1970 00:60:00 +0000\"", false, 0},
	    {"\" 1-Jan-1970 00:00:61 +0000\"", false, 0},
	    {"\" 1-Jan-1970 0:00:00 +0000\"", false, 0},
	    {"\" 1-Jan-1970 00:00 +0000\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00 0000\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00 +000\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00 +00000\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00 +0060\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00 +2400\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00 GMT\"", false, 0},
	    {"\" 1-Jan-1970 00:00:00\"", false, 0},
	    {"\" 1-Jan-1970\"", false, 0},
	    {"\"31-Feb-1970 00:00:00 +0000\"", false, 0},
	    {" 1-Jan-1970 00:00:00 +0000", false, 0},
	    {"\" \"", false, 0},
	    {"\"", false, 0},
	    {"", false, 0},
	};
	struct result result;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		read_with(read_date_time, rows[i].text, strlen(rows[i].text), false, &result);
		assert_int_equal(result.good, rows[i].good);
		if (result.good)
			assert_int_equal(result.number, rows[i].when);
		free(result.text);
	}
}

/* Every function on every text, cut at each octet: nothing looks beyond the end, and what is good
 * when cut was good before. */
static void
cut_anywhere(void **state)
{
	static reader *const readers[] = {read_atom, read_flag, read_quoted, read_literal,
	    read_literal8, read_string, read_astring, read_list_mailbox, read_nstring, read_set,
	    read_number, read_nz_number, read_number64, read_date, read_date_time};
	static const char *const texts[] = {"atom]%*~ x", "\"quo\\\"t\\\\ed\" x",
	    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\" x", "{12}\r\nhello, \r\nyou x",
	    "~{12+}\r\nhello, \r\nyou x", "NIL x", "12,3:*,4 x", "$ x", "4294967295 x",
	    "9223372036854775807 x", "\"17-Jul-1996\" x", "17-Jul-1996 x",
	    "\"17-Jul-1996 02:44:25 -0700\" x", "\" 7-Jul-1996 02:44:25 -0700\" x"};
	struct result whole, cut;

	(void)state;
	for (size_t t = 0; t < COUNT(texts); t++) {
		for (size_t r = 0; r < COUNT(readers); r++) {
			read_with(readers[r], texts[t], strlen(texts[t]), true, &whole);
			for (size_t len = 0; len < strlen(texts[t]); len++) {
				read_with(readers[r], texts[t], len, true, &cut);
				if (len > (size_t)(whole.args.at - whole.text))
					assert_int_equal(cut.good, whole.good);
				free(cut.text);
			}
			free(whole.text);
		}
	}
}

static void
words_are_compared(void **state)
{
	char text[] = "Fetch";

	(void)state;
	assert_true(word_is((struct word){text, 5}, "FETCH"));
	assert_true(word_is((struct word){text, 5}, "fetch"));
	assert_false(word_is((struct word){text, 4}, "FETCH"));
	assert_false(word_is((struct word){text, 5}, "FETC"));
	assert_false(word_is((struct word){text, 5}, "FETCHX"));
	assert_false(word_is((struct word){NULL, 0}, "FETCH"));
	assert_true(word_is((struct word){NULL, 0}, ""));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_read),
	    cmocka_unit_test(nil_is_no_string),
	    cmocka_unit_test(test_req21_numbers),
	    cmocka_unit_test(dates_are_read),
	    cmocka_unit_test(days_are_counted),
	    cmocka_unit_test(dates_with_times_are_read),
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(words_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
