/*
 * test_server_imap_flags.c: flags as clients write them, and as they are told.
 */
#include "server_fixture.h"

#include "maildir/maildir.h"
#include "server/imap/flags.h"

#define R MAILDIR_REPLIED
#define F MAILDIR_FLAGGED
#define T MAILDIR_TRASHED
#define S MAILDIR_SEEN
#define D MAILDIR_DRAFT

static const struct {
	const char *text;
	bool bare, good;
	uint32_t flags;
	const char *keywords; /* with a blank behind each */
	const char *rest;     /* what is left */
} lists[] = {
    {"()", false, true, 0, "", ""},
    {"(\\Seen)", false, true, S, "", ""},
    {"(\\seen \\ANSWERED)", false, true, S | R, "", ""},
    {"(\\Answered \\Flagged \\Deleted \\Seen \\Draft)", false, true, R | F | T | S | D, "", ""},
    {"(\\Seen \\Seen)", false, true, S, "", ""},
    {"($Junk NIL \\Seen x)", false, true, S, "$Junk NIL x ", ""},
    {"(x])", false, false, 0, NULL, NULL}, /* a flag is an atom: no "]" */
    {"(a) \"date\"", false, true, 0, "a ", " \"date\""},
    {"\\Seen", true, true, S, "", ""},
    {"\\Seen $Junk \\Deleted", true, true, S | T, "$Junk ", ""},
    {"(\\Seen)", true, true, S, "", ""},
    {"()", true, true, 0, "", ""},
    {"\\Seen", false, false, 0, "", ""},
    {"", false, false, 0, "", ""},
    {"", true, false, 0, "", ""},
    {"(", false, false, 0, "", ""},
    {"(\\Seen", false, false, 0, "", ""},
    {"(\\Seen ", false, false, 0, "", ""},
    {"( \\Seen  x )", false, true, S, "x ", ""},
    {"( ) ", false, true, 0, "", " "},
    {"\\Seen  x ", true, true, S, "x ", ""},
    {"((\\Seen))", false, false, 0, "", ""},
    {"\\Seen )", true, false, 0, "", ""},
    {"\\Seen,x", true, false, 0, "", ""},
    {"(\\Recent)", false, false, 0, "", ""},
    {"(\\*)", false, false, 0, "", ""},
    {"(\\)", false, false, 0, "", ""},
    {"(\\\\Seen)", false, false, 0, "", ""},
    {"(\\Unknown)", false, false, 0, "", ""},
    {"(\\Seenx)", false, false, 0, "", ""},
    {"(\"x\")", false, false, 0, "", ""},
    {"({1}\r\nx)", false, false, 0, "", ""},
    {"(x\\y)", false, false, 0, "", ""},
    {"(x%)", false, false, 0, "", ""},
    {"(x*)", false, false, 0, "", ""},
    {"(\xc3\xa4)", false, false, 0, "", ""},
    {"(a\nb)", false, false, 0, "", ""},
};

static bool
parse(const char *text, size_t len, bool bare, struct flag_list *list, char keywords[1024],
    size_t *rest_r)
{
	char *copy = malloc(len + (len == 0)); /* exact, so that a look past the end is seen */
	struct args args;
	size_t used = 0;
	bool good;

	assert_non_null(copy);
	memcpy(copy, text, len);
	args = (struct args){.at = copy, .end = copy + len};
	good = flags_parse(&args, bare, list);
	*keywords = '\0';
	for (size_t i = 0; good && i < list->count; i++)
		used += (size_t)snprintf(keywords + used, 1024 - used, "%.*s ",
		    (int)list->keyword[i].len, list->keyword[i].at);
	*rest_r = (size_t)(args.end - args.at);
	free(copy);
	return good;
}

static void
flags_as_clients_write_them(void **state)
{
	struct flag_list list;
	char keywords[1024];
	size_t rest;

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		bool good = parse(
		    lists[i].text, strlen(lists[i].text), lists[i].bare, &list, keywords, &rest);

		if (good != lists[i].good)
			print_error("%s\n", lists[i].text);
		assert_int_equal(good, lists[i].good);
		if (!good)
			continue;
		assert_int_equal(list.flags, lists[i].flags);
		assert_string_equal(keywords, lists[i].keywords);
		assert_int_equal(rest, strlen(lists[i].rest));
	}
	assert_false(parse("(a\0b)", 5, false, &list, keywords, &rest));
}

static void
bounds(void **state)
{
	char text[FLAGS_NAMED_MAX * 2 + 256], keywords[1024];
	struct flag_list list;
	size_t rest;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = 0;

		text[len++] = '(';
		for (size_t i = 0; i < FLAGS_NAMED_MAX + over; i++) {
			text[len++] = (char)('a' + i % 26);
			text[len++] = ' ';
		}
		text[len - 1] = ')';
		assert_int_equal(parse(text, len, false, &list, keywords, &rest), over == 0);
	}
	for (size_t over = 0; over < 2; over++) {
		size_t len = FLAGS_KEYWORD_MAX + over;

		memset(text, 'k', len);
		assert_int_equal(parse(text, len, true, &list, keywords, &rest), over == 0);
	}
}

static const struct {
	uint32_t flags;
	uint64_t keywords;
	bool recent;
	const char *wanted;
} told[] = {
    {0, 0, false, ""}, {0, 0, true, "\\Recent"}, {S, 0, true, "\\Seen \\Recent"},
    {R | F | T | S | D, 0, false, "\\Answered \\Flagged \\Deleted \\Seen \\Draft"},
    {0, 1, false, "$Junk"}, {S, 3, false, "\\Seen $Junk $forwarded"},
    {0, 4, false, ""}, /* a letter without a name has nothing to be told by */
    {0, UINT64_C(1) << 63, false, "last"}, {0, UINT64_MAX, false, "$Junk $forwarded last"},
    {MAILDIR_PASSED, 0, false, "$Forwarded"}, {MAILDIR_PASSED, 0, true, "$Forwarded \\Recent"},
    {MAILDIR_PASSED | S, 1, false, "\\Seen $Junk $Forwarded"},
    {MAILDIR_PASSED, 2, false, "$forwarded"}, /* once, though two letters say it */
};

static void
flags_as_they_are_told(void **state)
{
	static const char text[] = "$Junk\0$forwarded\0last";
	struct flag_names names = {.count = 3};

	(void)state;
	mdbuf_add(&names.text, text, sizeof(text));
	names.at[0] = 1;
	names.at[1] = 7;
	names.at[63] = 18;
	for (size_t i = 0; i < COUNT(told); i++) {
		struct mdbuf out = {0};

		flags_put(&out, &names, told[i].flags, told[i].keywords, told[i].recent);
		mdbuf_add(&out, "", 1);
		assert_string_equal(out.data, told[i].wanted);
		mdbuf_clear(&out);
	}
	flag_names_clear(&names);
}

/* Letters of a folder: found, made, and what happens when there are no more. */
static void
letters(void **state)
{
	char path[sizeof(fixture_dir) + 8], text[16];
	struct maildir *md = NULL;
	struct maildir_folder *folder = NULL;
	struct flag_list list;
	struct flag_names names = {.count = 0};
	uint64_t found, all = 0;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/md", fixture_dir);
	assert_int_equal(maildir_create(path), 0);
	assert_int_equal(maildir_open(path, "test", &md), 0);
	assert_int_equal(maildir_folder_open(md, "INBOX", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		struct args args;

		(void)snprintf(text, sizeof(text), "(k%d)", i);
		args = (struct args){.at = text, .end = text + strlen(text)};
		assert_true(flags_parse(&args, false, &list));
		assert_int_equal(flags_keywords(folder, &list, false, &found), 0);
		assert_int_equal(found, 0); /* asking makes none */
		assert_int_equal(flags_keywords(folder, &list, true, &found), 0);
		assert_int_equal(__builtin_popcountll(found), 1);
		assert_int_equal(found & all, 0);
		all |= found;
		assert_int_equal(flags_keywords(folder, &list, false, &found), 0);
		assert_int_equal(found & ~all, 0);
	}
	assert_true(flag_names_load(folder, &names));
	assert_false(flag_names_load(folder, &names)); /* the same as before */
	assert_int_equal(names.count, MAILDIR_KEYWORDS);
	(void)snprintf(text, sizeof(text), "k%d", MAILDIR_KEYWORDS - 1);
	assert_string_equal(flag_name(&names, (unsigned)__builtin_ctzll(found)), text);
	flag_names_clear(&names);
	(void)snprintf(text, sizeof(text), "(k1 k%d)", MAILDIR_KEYWORDS);
	assert_true(
	    flags_parse(&(struct args){.at = text, .end = text + strlen(text)}, false, &list));
	assert_int_equal(flags_keywords(folder, &list, true, &found), -1);
	assert_int_equal(flags_keywords(folder, &list, false, &found), 0);
	assert_int_equal(__builtin_popcountll(found), 1);
	maildir_folder_close(&folder);
	maildir_close(&md);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flags_as_clients_write_them),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(flags_as_they_are_told),
	    cmocka_unit_test_setup_teardown(letters, fixture_make_dir, fixture_remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
