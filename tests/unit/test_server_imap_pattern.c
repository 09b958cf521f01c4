/*
 * test_server_imap_pattern.c: LIST's patterns; REQUIREMENTS 23.
 */
#include "server_fixture.h"

#include <time.h>

#include "server/imap/pattern.h"

/* Matches copies that end where the texts do. */
static bool
match(const char *pattern, size_t pattern_len, const char *name, size_t name_len)
{
	char *p = malloc(pattern_len > 0 ? pattern_len : 1),
	     *n = malloc(name_len > 0 ? name_len : 1);
	bool result;

	assert_true(p != NULL && n != NULL);
	memcpy(p, pattern, pattern_len);
	memcpy(n, name, name_len);
	result = pattern_match(p, pattern_len, n, name_len);
	free(p);
	free(n);
	return result;
}

static void
patterns_match(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool result;
	} rows[] = {
	    {"*", "a", true},
	    {"*", "a/b/c", true},
	    {"%", "a", true},
	    {"%", "a/b", false},
	    {"%", "", true},
	    {"", "", true},
	    {"", "a", false},
	    {"a", "a", true},
	    {"a", "A", false},
	    {"a", "b", false},
	    {"a", "ab", false},
	    {"ab", "a", false},
	    {"a*", "a", true},
	    {"a*", "ab/c", true},
	    {"a%", "ab/c", false},
	    {"*c", "a/b/c", true},
	    {"*c", "a/b/cd", false},
	    {"a*c*e", "abcde", true},
	    {"a*c*e", "abcd", false},
	    {"%/%", "a/b", true},
	    {"%/%", "a", false},
	    {"%/%", "a/b/c", false},
	    {"%/b/%", "a", false},
	    {"%/b/%", "a/b", false},
	    {"%/b/%", "a/c", false},
	    {"a/%", "a", false},
	    {"a/b", "a", false},
	    {"a/b", "a/b", true},
	    {"a/b", "a/b/c", false},
	    {"a/", "a", false},
	    {"a%/x", "ab", false},
	    {"a%/x", "b", false},
	    {"%*", "a/b", true},
	    {"*%", "a/b", true},
	    {"%%", "a/b", false},
	    {"%%", "ab", true},
	    {"%*%/b", "a/b", true},
	    {"*/*", "a", false},
	    {"a%b*c", "axxb/yc", true},
	    {"a%b*c", "a/bc", false},
	    {"&AOQ-%", "&AOQ-x", true},
	    {"\xc3\xa4%", "\xc3\xa4x", true},
	    /* INBOX has no case, nothing else has none. */
	    {"inbox", "INBOX", true},
	    {"INBOX", "inbox", true},
	    {"iNb%", "INBOX", true},
	    {"*box", "INBOX", true},
	    {"inbox", "INBOX/Sub", false},
	    {"inbox/%", "INBOX", false},
	    {"inbox/%", "INBOX/Sub", true},
	    {"inbox/sub", "INBOX/Sub", false},
	    {"inbox*", "INBOXES", false},
	    {"inbox", "INBO", false},
	    {"a/inbox", "a/INBOX", false},
	    {"%", "INBOX", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(match(rows[i].pattern, strlen(rows[i].pattern), rows[i].name,
				     strlen(rows[i].name)),
		    rows[i].result);
	/* Lengths count, not NULs. */
	assert_int_equal(match("a\0b", 3, "a", 1), false);
	assert_int_equal(match("a\0b", 3, "a\0b", 3), true);
}

/* The same by recursion over all ways. */
static bool
slow_match(const char *pattern, const char *name)
{
	if (*pattern == '\0')
		return *name == '\0';
	if (*pattern != '*' && *pattern != '%')
		return *pattern == *name && slow_match(pattern + 1, name + 1);
	if (slow_match(pattern + 1, name))
		return true;
	return *name != '\0' && (*pattern == '*' || *name != '/') && slow_match(pattern, name + 1);
}

/* The n-th text over an alphabet: each text of up to so many letters comes once. */
static void
nth_text(unsigned n, const char *alphabet, char out[16])
{
	size_t letters = strlen(alphabet), len = 0;

	for (; n > 0; n = (n - 1) / (unsigned)letters)
		out[len++] = alphabet[(n - 1) % letters];
	out[len] = '\0';
}

/* Every pattern of up to five octets against every name of up to five. */
static void
all_short_ones(void **state)
{
	enum { PATTERNS = 4 + 16 + 64 + 256 + 1024, NAMES = 2 + 4 + 8 + 16 + 32 };
	char pattern[16], name[16];

	(void)state;
	for (unsigned p = 0; p <= PATTERNS; p++) {
		nth_text(p, "a/%*", pattern);
		for (unsigned n = 0; n <= NAMES; n++) {
			nth_text(n, "a/", name);
			assert_int_equal(match(pattern, strlen(pattern), name, strlen(name)),
			    slow_match(pattern, name));
		}
	}
}

/* The limits, in a time that no backtracking would keep. */
static void
test_req23_linear_matching(void **state)
{
	static char pattern[PATTERN_MAX + 1], name[PATTERN_MAX];
	clock_t start = clock();

	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 == 0 ? '*' : 'a';
	pattern[PATTERN_MAX - 1] = 'b';
	assert_int_equal(match(pattern, PATTERN_MAX, name, sizeof(name)), false);
	for (size_t i = 0; i < sizeof(pattern); i += 2)
		pattern[i] = '%';
	assert_int_equal(match(pattern, PATTERN_MAX, name, sizeof(name)), false);
	pattern[PATTERN_MAX - 1] = 'a';
	assert_int_equal(match(pattern, PATTERN_MAX, name, sizeof(name)), true);
	assert_int_equal(match(pattern, PATTERN_MAX + 1, name, sizeof(name)), false);
	memset(pattern, 'a', sizeof(pattern));
	assert_int_equal(match(pattern, PATTERN_MAX, name, sizeof(name)), true);
	memset(pattern, '*', sizeof(pattern));
	assert_int_equal(match(pattern, PATTERN_MAX, name, sizeof(name)), true);
	assert_true(clock() - start < CLOCKS_PER_SEC);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_match),
	    cmocka_unit_test(all_short_ones),
	    cmocka_unit_test(test_req23_linear_matching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
