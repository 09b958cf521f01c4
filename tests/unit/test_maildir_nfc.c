/*
 * test_maildir_nfc.c: normalization form C, by Unicode's own test and at its limits.
 */
#include "maildir_fixture.h"

#include "maildir/message/charset.h"
#include "maildir/message/utf8.h"

/* Of Debian's package unicode-data, as the tables are; bzip2 comes with every compiler. */
#define UNICODE_TEST "bzip2 -dc /usr/share/unicode/NormalizationTest.txt.bz2"

enum { COLUMNS = 5, LAST_CODE = 0x10ffff };

/* "0044 0307" as UTF-8. */
static void
text_of(const char *column, char text_r[NFC_MAX])
{
	char *end;

	for (; *column != '\0'; column = *end == ' ' ? end + 1 : end)
		text_r += utf8_put((uint32_t)strtoul(column, &end, 16), text_r);
	*text_r = '\0';
}

static void
becomes(const char *text, const char *expected)
{
	char out[NFC_MAX];

	assert_int_equal(nfc_text(text, strlen(text), out, sizeof(out)), 0);
	assert_string_equal(out, expected);
}

/* A row: NFC makes the second column of the first three, and the fourth of the last two. */
static void
check_row(char *line)
{
	char text[COLUMNS][NFC_MAX], *rest = line;

	for (int i = 0; i < COLUMNS; i++)
		text_of(strsep(&rest, ";"), text[i]);
	for (int i = 0; i < COLUMNS; i++)
		becomes(text[i], text[i < 3 ? 1 : 3]);
}

static void
mend16_unicodes_own_test(void **state)
{
	static bool listed[LAST_CODE + 1];
	FILE *test = popen(UNICODE_TEST, "r");
	char line[4096], text[NFC_MAX];
	unsigned rows = 0, part = 0;

	(void)state;
	assert_non_null(test);
	while (fgets(line, sizeof(line), test) != NULL) {
		if (sscanf(line, "@Part%u", &part) == 1 || line[0] == '#')
			continue;
		if (part == 1)
			listed[strtoul(line, NULL, 16)] = true;
		check_row(line);
		rows++;
	}
	assert_int_equal(pclose(test), 0);
	assert_true(rows > 15000);
	/* A character that part 1 does not list stays as it is. */
	for (uint32_t code = 1; code <= LAST_CODE; code++) {
		if (listed[code] || (code >= 0xd800 && code <= 0xdfff))
			continue;
		text[utf8_put(code, text)] = '\0';
		becomes(text, text);
	}
}

static void
limits(void **state)
{
	static const char *const wrong[] = {
	    "\xff", "\xc3", "a\xcc", "\xed\xa0\x80", "\xc0\x80", "e\xcc\x81\x81"};
	char text[NFC_MAX + 3], out[2 * NFC_MAX];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(nfc_text(wrong[i], strlen(wrong[i]), out, sizeof(out)), -1);
	/* What grows most, and the longest row of marks, the last ones first. */
	for (len = 0; len + 4 <= NFC_MAX; len += 4)
		memcpy(text + len, "\xf0\x9d\x85\xa0", 4);
	assert_int_equal(nfc_text(text, len, out, sizeof(out)), -1);
	for (len = 0; len + 2 <= NFC_MAX; len += 2)
		memcpy(text + len, len < NFC_MAX / 2 ? "\xcc\x81" : "\xcc\xa3", 2);
	assert_int_equal(nfc_text(text, len, out, sizeof(out)), 0);
	assert_int_equal(strlen(out), len);
	assert_memory_equal(out, "\xcc\xa3\xcc\xa3", 4);
	assert_memory_equal(out + len - 4, "\xcc\x81\xcc\x81", 4);
	for (len = 0; len + 2 <= NFC_MAX; len += 2)
		memcpy(text + len, "\xce\x90", 2);
	assert_int_equal(nfc_text(text, len, out, sizeof(out)), 0);
	assert_int_equal(nfc_text(text, len + 1, out, sizeof(out)), -1);
	/* It fits where it fits. */
	for (size_t size = 0; size < 5; size++)
		assert_int_equal(nfc_text("e\xcc\x81x", 4, out, size), size < 4 ? -1 : 0);
	for (size_t size = 0; size < 5; size++)
		assert_int_equal(nfc_text("abc", 3, out, size), size < 4 ? -1 : 0);
	assert_int_equal(nfc_text("", 0, out, 1), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mend16_unicodes_own_test),
	    cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
