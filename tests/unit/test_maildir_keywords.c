/*
 * test_maildir_keywords.c: dovecot-keywords, read and added to.
 */
#include "maildir_fixture.h"

#include "maildir/keywords.h"

static void
parse(void **state)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
	    {"", ""},
	    {"0 a\n", "0 a\n"},
	    {"1 $Forwarded\n0 MyKw\n", "0 MyKw\n1 $Forwarded\n"},
	    {"25 z\n26 no\n99 no\n100 no\n", "25 z\n"},
	    {"0 a\n0 b\n", "0 a\n"},
	    {"0 a\n1 A\n2 b\n", "0 a\n1 A\n2 b\n"},
	    {"0 a\n1 b", "0 a\n"},
	    {"x\n\n0\n0 \n1 a b\n2 a\tb\n3 a(b\n6 ok\n", "1 a b\n3 a(b\n6 ok\n"},
	    {"0 a\r\n1 b\n", "1 b\n"},
	    {"-1 a\n+1 b\n 1 c\n1  d\n", "1  d\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct keywords keywords;
		struct mdtext out = {0};

		keywords_parse(&keywords, rows[i].text, strlen(rows[i].text));
		keywords_put(&keywords, &out);
		mdtext_add(&out, "", 1);
		assert_string_equal(out.data, rows[i].written);
		mdtext_clear(&out);
	}
}

static const char *
name_of(struct maildir_folder *folder, unsigned letter)
{
	const char *names[MAILDIR_KEYWORDS];

	maildir_keyword_names(folder, names);
	return names[letter];
}

static void
names_and_letters(void **state)
{
	struct fixture *f = *state;
	char *text;

	put(f, "dovecot-keywords", "0 $Forwarded\n2 Third\n");
	assert_string_equal(name_of(f->inbox, 0), "$Forwarded");
	assert_null(name_of(f->inbox, 1));
	assert_int_equal(maildir_keyword_make(f->inbox, "third"), 2);
	assert_int_equal(maildir_keyword_make(f->inbox, "New"), 1);
	assert_int_equal(maildir_keyword_make(f->inbox, "Next"), 3);
	text = get(f, "dovecot-keywords");
	assert_string_equal(text, "0 $Forwarded\n1 New\n2 Third\n3 Next\n");
	free(text);
	/* Another program's change is seen. */
	put(f, "dovecot-keywords", "5 Other\n");
	assert_int_equal(maildir_keyword_make(f->inbox, "Other"), 5);
	assert_null(name_of(f->inbox, 0));
}

/* A letter that messages carry without a name must not become a new keyword's. */
static void
letters_in_use_are_not_given(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.a:2,Sac", "x\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_keyword_make(f->inbox, "New"), 1);
	assert_int_equal(maildir_keyword_make(f->inbox, "New2"), 3);
}

static void
full(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 26; i++) {
		char name[20];

		snprintf(name, sizeof(name), "kw%d", i);
		assert_int_equal(maildir_keyword_make(f->inbox, name), i);
	}
	assert_int_equal(maildir_keyword_make(f->inbox, "one-more"), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(maildir_keyword_make(f->inbox, "KW25"), 25);
}

/* REQUIREMENTS 25: nothing that could begin a line of a response, or end an atom. */
static void
test_req25_no_odd_keyword_names(void **state)
{
	static const char *const names[] = {"", "a b", "a\nb", "a\r", "a(", "a)", "a{", "a%", "a*",
	    "a\"", "a\\", "a]", "a\x7f", "\xc3\xa4"};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(maildir_keyword_make(f->inbox, names[i]), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_false(exists(f, "dovecot-keywords"));
	/* One that is there is not shown, and its letter not given to another. */
	put(f, "dovecot-keywords", "0 a b\n1 c\"\n");
	assert_null(name_of(f->inbox, 0));
	assert_null(name_of(f->inbox, 1));
	assert_int_equal(maildir_keyword_make(f->inbox, "new"), 2);
}

static void
not_a_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "dovecot-keywords", 0700), 0);
	assert_null(name_of(f->inbox, 0));
	assert_int_equal(maildir_keyword_make(f->inbox, "a"), -1);
	assert_int_equal(unlinkat(f->fd, "dovecot-keywords", AT_REMOVEDIR), 0);
	assert_int_equal(maildir_keyword_make(f->inbox, "a"), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse),
	    WITH(names_and_letters),
	    WITH(letters_in_use_are_not_given),
	    WITH(full),
	    WITH(test_req25_no_odd_keyword_names),
	    WITH(not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
