/*
 * test_maildir_keywords.c: dovecot-keywords, read and added to.
 */
#include "maildir_fixture.h"

#include "maildir/folder/deliver.h"
#include "maildir/uids/keywords.h"

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
		struct lettered keywords;
		struct mdbuf out = {0};

		lettered_parse(&keywords, rows[i].text, strlen(rows[i].text));
		lettered_put(&keywords, &out);
		mdbuf_add(&out, "", 1);
		assert_string_equal(out.data, rows[i].written);
		mdbuf_clear(&out);
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

/* A letter that messages carry without a name must not become a new keyword's, known to us or not. */
static void
letters_in_use_are_not_given(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.a:2,Sac", "x\n");
	assert_int_equal(maildir_keyword_make(f->inbox, "New"), 1);
	assert_int_equal(maildir_sync(f->inbox), 0);
	put(f, "cur/2.b:2,d", "x\n");
	put(f, "new/3.b:2,e", "x\n");
	assert_int_equal(maildir_keyword_make(f->inbox, "New2"), 5);
}

/* Letters first, then numbers. */
static void
full(void **state)
{
	struct fixture *f = *state;
	char name[20], *text;

	put(f, "cur/1.a:2,c", "x\n");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 63; i++) {
			snprintf(name, sizeof(name), "kw%d", i);
			assert_int_equal(maildir_keyword_make(f->inbox, name), i < 2 ? i : i + 1);
		}
		fixture_reopen(f);
	}
	assert_int_equal(maildir_keyword_find(f->inbox, "KW24"), 25);
	assert_int_equal(maildir_keyword_find(f->inbox, "KW25"), 26);
	assert_string_equal(name_of(f->inbox, 63), "kw62");
	assert_null(name_of(f->inbox, 2));
	assert_int_equal(maildir_keyword_make(f->inbox, "one-more"), -1);
	assert_int_equal(errno, ERANGE);
	text = get(f, "dovecot-keywords");
	assert_null(strstr(text, "kw25"));
	free(text);
}

static void
assert_keywords(struct fixture *f, uint32_t uid, uint64_t expected)
{
	struct maildir_message message;

	assert_true(maildir_lookup(f->inbox, uid, &message));
	assert_int_equal(message.keywords, expected);
}

#define BIT(n) (UINT64_C(1) << (n))

/* They go where the message goes, whatever its file is called. */
static void
numbers_stay_with_the_message(void **state)
{
	struct fixture *f = *state, other = *f;

	put(f, "cur/1.a:2,", "x\n");
	put(f, "cur/2.b:2,", "y\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(change_flags(f->inbox, 1, 0, 0, BIT(0) | BIT(26) | BIT(63), 0), 0);
	assert_true(exists(f, "cur/1.a:2,a"));
	assert_keywords(f, 1, BIT(0) | BIT(26) | BIT(63));
	assert_keywords(f, 2, 0);
	/* Another session, which adds its own. */
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_keywords(&other, 1, BIT(0) | BIT(26) | BIT(63));
	assert_int_equal(maildir_change_begin(other.inbox), 0);
	assert_int_equal(change_flags(other.inbox, 2, 0, 0, BIT(40), 0), 0);
	assert_int_equal(change_flags(other.inbox, 1, MAILDIR_SEEN, 0, BIT(40), BIT(26)), 0);
	assert_int_equal(change_flags(other.inbox, 2, 0, 0, 0, BIT(40)), 0);
	assert_int_equal(change_flags(other.inbox, 2, 0, 0, BIT(41), BIT(40)), 0);
	assert_int_equal(maildir_change_end(other.inbox), 0);
	fixture_close(&other);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, BIT(0) | BIT(40) | BIT(63));
	assert_keywords(f, 2, BIT(41));
	rename_file(f, "cur/1.a:2,Sa", "new/1.a");
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, BIT(40) | BIT(63));
	assert_int_equal(change_flags(f->inbox, 1, 0, 0, 0, ~UINT64_C(0)), 0);
	assert_keywords(f, 1, 0);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, 0);
	assert_keywords(f, 2, BIT(41));
}

/* A message alone is changed in the other file only: its session is told of it too. */
static void
only_a_number_changes(void **state)
{
	struct fixture *f = *state, other = *f;

	put(f, "cur/1.a:2,", "x\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	nanosleep(&(struct timespec){0, 50000000}, NULL);
	assert_int_equal(maildir_sync(f->inbox), 0);
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_int_equal(change_flags(other.inbox, 1, 0, 0, BIT(50), 0), 0);
	fixture_close(&other);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, BIT(50));
}

static void
deliver(struct fixture *f, struct maildir_folder *from, uint64_t keywords)
{
	const struct maildir_label label = {.keywords = keywords, .date = 1000};
	struct maildir_delivery *delivery;
	const uint32_t *uids;
	uint32_t validity;

	assert_int_equal(maildir_delivery_begin(f->inbox, &delivery), 0);
	if (from != NULL) {
		assert_int_equal(maildir_delivery_copy(delivery, from, 1, keywords), 0);
	} else {
		assert_int_equal(maildir_delivery_message(delivery, &label), 0);
		assert_int_equal(maildir_delivery_write(delivery, "x\r\n", 3), 0);
	}
	assert_int_equal(maildir_delivery_commit(delivery, &validity, &uids), 0);
	maildir_delivery_end(&delivery);
}

static void
delivered_with_numbers(void **state)
{
	struct fixture *f = *state, sub = *f;

	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &sub.inbox), 0);
	deliver(f, NULL, BIT(1) | BIT(30));
	assert_keywords(f, 1, BIT(1) | BIT(30));
	deliver(&sub, f->inbox, BIT(2) | BIT(31));
	assert_keywords(&sub, 1, BIT(2) | BIT(31));
	maildir_folder_close(&sub.inbox);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &sub.inbox), 0);
	assert_int_equal(maildir_sync(sub.inbox), 0);
	assert_keywords(&sub, 1, BIT(2) | BIT(31));
	maildir_folder_close(&sub.inbox);
}

/* Dovecot gives a letter to a keyword that had a number: there is one of it, and it can be removed. */
static void
a_number_becomes_a_letter(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.a:2,", "x\n");
	put(f, "sallyport.keywords", "");
	put(f, "dovecot-keywords",
	    "0 a\n1 b\n2 c\n3 d\n4 e\n5 f\n6 g\n7 h\n8 i\n9 j\n10 k\n11 l\n12 m\n13 n\n14 o\n15 "
	    "p\n16 q\n17 r\n18 s\n19 t\n20 u\n21 v\n22 w\n23 x\n24 y\n25 z\n");
	assert_int_equal(maildir_keyword_make(f->inbox, "Late"), 26);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(change_flags(f->inbox, 1, 0, 0, BIT(26), 0), 0);
	put(f, "dovecot-keywords", "0 late\n");
	assert_int_equal(maildir_keyword_find(f->inbox, "Late"), 0);
	assert_null(name_of(f->inbox, 26));
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, BIT(0));
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_true(exists(f, "cur/1.a:2,Sa"));
	assert_int_equal(change_flags(f->inbox, 1, 0, 0, 0, BIT(0)), 0);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, 0);
}

/* Lines of messages that are gone do not stay for ever. */
static void
forgotten_when_gone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	put(f, "cur/0.stays:2,", "x\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(change_flags(f->inbox, 1, 0, 0, BIT(33), 0), 0);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 50; i++) {
			char name[40];

			snprintf(name, sizeof(name), "cur/%u.m%u:2,", round + 1, i);
			put(f, name, "x\n");
		}
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_count(f->inbox), 51);
		assert_int_equal(maildir_change_begin(f->inbox), 0);
		for (size_t i = 1; i < 51; i++)
			assert_int_equal(
			    change_flags(f->inbox, uid_at(f->inbox, i), 0, 0, BIT(30), 0), 0);
		assert_int_equal(maildir_change_end(f->inbox), 0);
		assert_int_equal(maildir_change_begin(f->inbox), 0);
		for (size_t i = maildir_count(f->inbox); i-- > 1;)
			assert_int_equal(maildir_remove(f->inbox, uid_at(f->inbox, i)), 0);
		assert_int_equal(maildir_change_end(f->inbox), 0);
	}
	assert_int_equal(fstatat(f->fd, "sallyport.keywords", &st, 0), 0);
	assert_true(st.st_size < 400 * 20);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_keywords(f, 1, BIT(33));
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
mend30_not_a_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "dovecot-keywords", 0700), 0);
	assert_null(name_of(f->inbox, 0));
	assert_int_equal(maildir_keyword_make(f->inbox, "a"), 0);
	assert_int_equal(unlinkat(f->fd, "dovecot-keywords.odd", AT_REMOVEDIR), 0);
	assert_string_equal(name_of(f->inbox, 0), "a");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse),
	    WITH(names_and_letters),
	    WITH(letters_in_use_are_not_given),
	    WITH(full),
	    WITH(numbers_stay_with_the_message),
	    WITH(only_a_number_changes),
	    WITH(delivered_with_numbers),
	    WITH(a_number_becomes_a_letter),
	    WITH(forgotten_when_gone),
	    WITH(test_req25_no_odd_keyword_names),
	    WITH(mend30_not_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
