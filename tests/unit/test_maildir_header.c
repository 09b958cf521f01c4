/*
 * test_maildir_header.c: choosing fields of a header.
 */
#include "maildir_fixture.h"

#include "maildir/message/header.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct row {
	const char *header;
	const char *const *names;
	const char *chosen, *others; /* HEADER.FIELDS and HEADER.FIELDS.NOT */
} rows[] = {
    {"Subject: x\r\nTo: y\r\n\r\n", NAMES("Subject"), "Subject: x\r\n\r\n", "To: y\r\n\r\n"},
    {"Subject: x\r\nTo: y\r\n\r\n", NAMES("TO", "subject"), "Subject: x\r\nTo: y\r\n\r\n", "\r\n"},
    {"Subject: x\r\nTo: y\r\n\r\n", NAMES("Cc"), "\r\n", "Subject: x\r\nTo: y\r\n\r\n"},
    {"To: a,\r\n b\r\n\tc\r\nCc: d\r\n\r\n", NAMES("To"), "To: a,\r\n b\r\n\tc\r\n\r\n",
	"Cc: d\r\n\r\n"},
    {"A: 1\r\nB: 2\r\nA: 3\r\n\r\n", NAMES("A"), "A: 1\r\nA: 3\r\n\r\n", "B: 2\r\n\r\n"},
    {"A: 1\r\n \t\r\nB: 2\r\n\r\n", NAMES("A"), "A: 1\r\n \t\r\n\r\n", "B: 2\r\n\r\n"},
    {"To : x\r\nTo\t \t:y\r\nTo x: z\r\n\r\n", NAMES("To"), "To : x\r\nTo\t \t:y\r\n\r\n",
	"To x: z\r\n\r\n"},
    {"Tox: a\r\nT: b\r\nTo: c\r\n\r\n", NAMES("To"), "To: c\r\n\r\n", "Tox: a\r\nT: b\r\n\r\n"},
    {"To:\r\n\r\n", NAMES("To"), "To:\r\n\r\n", "\r\n"},
    {"To: a\nCc: b\n\n", NAMES("To"), "To: a\n\n", "Cc: b\n\n"},
    /* What is behind the blank line is no header. */
    {"To: a\r\n\r\nTo: b\r\n\r\n", NAMES("To"), "To: a\r\n\r\n", "\r\n"},
    {"\r\n", NAMES("To"), "\r\n", "\r\n"},
    /* No blank line: none is made up. */
    {"", NAMES("To"), "", ""},
    {"To: a\r\n", NAMES("To"), "To: a\r\n", ""},
    {"To: a", NAMES("To"), "To: a", ""},
    {"To: a\r\n\r", NAMES("To"), "To: a\r\n", ""},
    /* Lines that are no fields. */
    {"no field\r\nTo: a\r\n\r\n", NAMES("To"), "To: a\r\n\r\n", "no field\r\n\r\n"},
    {" goes on\r\nTo: a\r\n\r\n", NAMES("To"), "To: a\r\n\r\n", " goes on\r\n\r\n"},
    {": no name\r\n\r\n", NAMES("To"), "\r\n", ": no name\r\n\r\n"},
    {"To\r\n: a\r\n\r\n", NAMES("To"), "\r\n", "To\r\n: a\r\n\r\n"},
    {"To: a\rCc: b\r\n\r\n", NAMES("Cc"), "\r\n", "To: a\rCc: b\r\n\r\n"},
    {"\rTo: a\r\n\r\n", NAMES("To"), "\r\n", "\rTo: a\r\n\r\n"},
};

/* The header in pieces of that size, each in memory of its own size. */
static void
check(const char *header, size_t len, size_t piece, const struct header_names *names,
    const char *outcome)
{
	struct header_filter filter = {.names = names};
	struct mdbuf out = {0};

	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		char *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, header + at, n);
		header_filter(&filter, copy, n, &out);
		free(copy);
	}
	assert_false(out.failed);
	if (outcome != NULL) {
		assert_int_equal(out.len, strlen(outcome));
		assert_memory_equal(out.len > 0 ? out.data : "", outcome, out.len);
	}
	mdbuf_clear(&out);
}

static void
chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].header);
		struct header_names names = {rows[i].names, 0, false};

		while (rows[i].names[names.count] != NULL)
			names.count++;
		for (size_t piece = 1; piece <= len + 1; piece++) {
			names.except = false;
			check(rows[i].header, len, piece, &names, rows[i].chosen);
			names.except = true;
			check(rows[i].header, len, piece, &names, rows[i].others);
		}
		for (size_t cut = 0; cut < len; cut++)
			check(rows[i].header, cut, cut + 1, &names, NULL);
	}
}

/* A name longer than any that is asked for, and one of just that length. */
static void
long_names(void **state)
{
	char name[HEADER_NAME_MAX + 64], header[HEADER_NAME_MAX + 128], outcome[sizeof(header)];
	const char *wanted = name;
	struct header_names names = {&wanted, 1, false};

	(void)state;
	for (size_t len = HEADER_NAME_MAX - 4; len < sizeof(name); len++) {
		bool fits = len < HEADER_NAME_MAX;

		memset(name, 'x', len);
		name[len] = '\0';
		snprintf(header, sizeof(header), "%s: y\r\n z\r\n\r\n", name);
		names.except = false;
		check(header, strlen(header), 7, &names, fits ? header : "\r\n");
		names.except = true;
		snprintf(outcome, sizeof(outcome), "%s", fits ? "\r\n" : header);
		check(header, strlen(header), 7, &names, outcome);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(chosen),
	    cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
