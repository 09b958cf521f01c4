/*
 * test_maildir_name.c: file names of messages.
 */
#include "maildir_fixture.h"

#include "maildir/base/name.h"

enum {
	P = MAILDIR_PASSED,
	R = MAILDIR_REPLIED,
	S = MAILDIR_SEEN,
	T = MAILDIR_TRASHED,
	D = MAILDIR_DRAFT,
	F = MAILDIR_FLAGGED
};

static void
flags(void **state)
{
	static const struct {
		const char *name, *base;
		uint32_t flags, keywords;
	} rows[] = {
	    {"1", "1", 0, 0},
	    {"1.a.h", "1.a.h", 0, 0},
	    {"1.a.h:2,", "1.a.h", 0, 0},
	    {"1.a.h:2,S", "1.a.h", S, 0},
	    {"1.a.h:2,DFPRST", "1.a.h", D | F | P | R | S | T, 0},
	    {"1.a.h:2,TSRPFD", "1.a.h", D | F | P | R | S | T, 0},
	    {"1.a.h:2,SSS", "1.a.h", S, 0},
	    {"1.a.h:2,Saz", "1.a.h", S, 1 | 1 << 25},
	    {"1.a.h:2,aSb", "1.a.h", S, 3},
	    {"1.a.h:2,SX9!", "1.a.h", S, 0},
	    {"1.a.h:2,S,T", "1.a.h", S, 0},
	    {"1.a.h:2,,S", "1.a.h", 0, 0},
	    {"1.a.h:1,S", "1.a.h", 0, 0},
	    {"1.a.h:2", "1.a.h", 0, 0},
	    {"1.a.h:", "1.a.h", 0, 0},
	    {"1.a.h:S", "1.a.h", 0, 0},
	    {"1.a.h:2,S:2,T", "1.a.h", T, 0},
	    {"1,S=5,W=6:2,S", "1,S=5,W=6", S, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t got_flags, got_keywords;

		mdname_flags(rows[i].name, &got_flags, &got_keywords);
		assert_int_equal(got_flags, rows[i].flags);
		assert_int_equal(got_keywords, rows[i].keywords);
		assert_int_equal(mdname_base(rows[i].name), strlen(rows[i].base));
	}
}

static void
apply(void **state)
{
	static const struct {
		const char *name;
		uint32_t add, remove, add_keywords, remove_keywords;
		const char *expected;
		int result;
	} rows[] = {
	    {"1", S, 0, 0, 0, "1:2,S", 0},
	    {"1:2,", S, 0, 0, 0, "1:2,S", 0},
	    {"1:2,S", S, 0, 0, 0, "1:2,S", 1},
	    {"1:2,S", 0, F, 0, 0, "1:2,S", 1},
	    {"1:2,S", 0, S, 0, 0, "1:2,", 0},
	    {"1:2,S", F | R, S, 0, 0, "1:2,FR", 0},
	    {"1:2,RS", F, 0, 1, 0, "1:2,FRSa", 0},
	    {"1:2,Sab", 0, 0, 4, 1, "1:2,Sbc", 0},
	    /* Odd letters stay; what does not change keeps its odd name. */
	    {"1:2,TS", 0, 0, 0, 0, "1:2,TS", 1},
	    {"1:2,SXS9", F, 0, 0, 0, "1:2,9FSX", 0},
	    {"1:2,SSS", F, 0, 0, 0, "1:2,FS", 0},
	    {"1:2,S,x=1", F, 0, 0, 0, "1:2,FS,x=1", 0},
	    {"1:1,abc", S, 0, 0, 0, "1:1,abc:2,S", 0},
	    {"1:2,S,1,abc", 0, S, 0, 0, "1:2,,1,abc", 0},
	    {"1:", S, 0, 0, 0, "1::2,S", 0},
	    {"1:2", S, 0, 0, 0, "1:2:2,S", 0},
	    {"1:odd", 0, 0, 0, 0, "1:odd", 1},
	    {"1", 0, 0, 0, 0, "1", 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mdname_change change = {
		    rows[i].add, rows[i].remove, rows[i].add_keywords, rows[i].remove_keywords};
		char out[NAME_SIZE];

		assert_int_equal(mdname_apply(rows[i].name, &change, out), rows[i].result);
		assert_string_equal(out, rows[i].expected);
	}
}

/*
 * With several colons the info is at the last, as Dovecot 2.3.19 and mutt 2.2 have it, and what stands
 * before it stays.  The base, which is in dovecot-uidlist, ends at the first.
 */
static void
mend05_several_colons(void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
		const char *flagged, *with_info;
	} rows[] = {
	    {"1.a:2,:2,S", S, "1.a:2,:2,FS", "1.a:2,:2,S"},
	    {"1.a:2,F:2,S", S, "1.a:2,F:2,FS", "1.a:2,F:2,S"},
	    {"1.a:2,S:2,", 0, "1.a:2,S:2,F", "1.a:2,S:2,"},
	    {"1.a:2,:2,:2,ST", S | T, "1.a:2,:2,:2,FST", "1.a:2,:2,:2,ST"},
	    {"1.a:1,x:2,S", S, "1.a:1,x:2,FS", "1.a:1,x:2,S"},
	    {"1.a 12:30:59:2,S", S, "1.a 12:30:59:2,FS", "1.a 12:30:59:2,S"},
	    {"1.a 12:30:59", 0, "1.a 12:30:59:2,F", "1.a 12:30:59:2,"},
	    {"1.a:2,:2,Sa,more", S, "1.a:2,:2,FSa,more", "1.a:2,:2,Sa,more"},
	    {"1.a:2,S:1,x", 0, "1.a:2,S:1,x:2,F", "1.a:2,S:1,x:2,"},
	    {"1.a::2,S", S, "1.a::2,FS", "1.a::2,S"},
	    {"1.a:", 0, "1.a::2,F", "1.a::2,"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct mdname_change flag = {.add = F}, unflag = {.remove = F};
		char out[NAME_SIZE], back[NAME_SIZE];
		uint32_t got, keywords;

		assert_int_equal(mdname_base(rows[i].name),
		    strlen("1.a") + (rows[i].name[3] == ' ' ? strlen(" 12") : 0));
		mdname_flags(rows[i].name, &got, &keywords);
		assert_int_equal(got, rows[i].flags);
		assert_int_equal(mdname_apply(rows[i].name, &flag, out), 0);
		assert_string_equal(out, rows[i].flagged);
		assert_int_equal(mdname_base(out), mdname_base(rows[i].name));
		assert_int_equal(mdname_apply(out, &unflag, back), 0);
		assert_int_equal(mdname_with_info(rows[i].name, out), 0);
		assert_string_equal(out, rows[i].with_info);
		assert_string_equal(back, rows[i].with_info);
	}
}

/* Every change does exactly what it says, from every name. */
static void
apply_all(void **state)
{
	(void)state;
	for (uint32_t have = 0; have < 64; have++) {
		for (uint32_t bits = 0; bits < 64 * 64; bits++) {
			struct mdname_change set = {have, 0, 0, 0};
			struct mdname_change change = {bits / 64, bits % 64, 0, 0};
			char name[NAME_SIZE], out[NAME_SIZE];
			uint32_t got, keywords;

			assert_true(mdname_apply("1.b:2,Xa", &set, name) >= 0);
			assert_true(mdname_apply(name, &change, out) >= 0);
			mdname_flags(out, &got, &keywords);
			assert_int_equal(got, (have | change.add) & ~change.remove);
			assert_int_equal(keywords, 1);
			assert_non_null(strchr(out, 'X'));
		}
	}
}

static void
usable(void **state)
{
	static const struct {
		const char *name;
		bool expected;
	} rows[] = {
	    {"1", true},
	    {"a b", true},
	    {"\xff\xfe", true},
	    {"", false},
	    {".x", false},
	    {":2,S", false},
	    {"a\nb", false},
	    {"a\tb", false},
	    {"a\x1f", false},
	    {"a/b", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(mdname_usable(rows[i].name), rows[i].expected);
}

static void
too_long(void **state)
{
	struct mdname_change change = {S, 0, 0, 0};
	char name[NAME_SIZE], out[NAME_SIZE];

	(void)state;
	memset(name, 'x', NAME_MAX);
	name[NAME_MAX] = '\0';
	assert_int_equal(mdname_apply(name, &change, out), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(mdname_with_info(name, out), -1);
	name[NAME_MAX - 4] = '\0';
	assert_int_equal(mdname_apply(name, &change, out), 0);
	assert_int_equal(strlen(out), NAME_MAX);
	assert_int_equal(mdname_with_info(name, out), 0);
}

static void
times_and_unique_names(void **state)
{
	char a[NAME_SIZE], b[NAME_SIZE];
	uint32_t got, keywords;

	(void)state;
	assert_int_equal(mdname_time("1700000001.M1.h"), 1700000001);
	assert_int_equal(mdname_time("x"), 0);
	assert_int_equal(mdname_time("999999999999999999999999"), 999999999999999999);
	assert_int_equal(mdname_unique("a/b:c d", 1, "old:2,FS", a), 0);
	assert_int_equal(mdname_unique("a/b:c d", 2, "old:2,FS", b), 0);
	assert_string_not_equal(a, b);
	assert_non_null(strstr(a, ".a\\057b\\072cd:2,FS"));
	assert_true(mdname_usable(a));
	mdname_flags(a, &got, &keywords);
	assert_int_equal(got, F | S);
	assert_true(mdname_time(a) >= (uint64_t)time(NULL) - 1);
	assert_int_equal(mdname_unique("h", 3, "old", a), 0);
	assert_non_null(strstr(a, ".h:2,"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flags),
	    cmocka_unit_test(apply),
	    cmocka_unit_test(mend05_several_colons),
	    cmocka_unit_test(apply_all),
	    cmocka_unit_test(usable),
	    cmocka_unit_test(too_long),
	    cmocka_unit_test(times_and_unique_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
