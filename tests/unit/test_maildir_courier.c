/*
 * test_maildir_courier.c: what Courier left in a Maildir is read as Courier meant it, however damaged.
 */
#include "maildir_fixture.h"

#include "maildir/courier/courier.h"
#include "maildir/courier/format.h"
#include "maildir/tree/tree.h"

/* A copy that is exactly as large: a look past the end is found by the sanitizers. */
static char *
exactly(const char *text, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	return copy;
}

/* --- courierpop3dsizelist --- */

/* The UIDLs in order of names, each "<base>=<UIDL> "; malloc'd. */
static char *
uidls_told(const char *text, size_t size, const char **what_r)
{
	struct courier_uidls uidls;
	struct mdbuf out = {0};
	char *copy = exactly(text, size);

	assert_int_equal(courier_uidls_parse(&uidls, copy, size), 0);
	for (size_t i = 0; i < uidls.count; i++) {
		mdbuf_add(&out, uidls.list[i].base, uidls.list[i].base_len);
		mdbuf_add(&out, "=", 1);
		courier_put_uidl(&out, &uidls.list[i]);
		mdbuf_add(&out, " ", 1);
	}
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	*what_r = uidls.what;
	courier_uidls_clear(&uidls);
	free(copy);
	return out.data;
}

#define LONG_NAME "1.M1P1.a-host-with-a-name-that-is-longer-than-what-POP3-allows-for-a-UIDL,S=12"

static const struct {
	const char *text, *told;
	bool whole;
} sizelists[] = {
    {"/3 3 77\n2.b:2,S 23 2:77:0\n1.a:2, 23 1:77:1\n", "1.a=UID1-77 2.b=UID2-77 ", true},
    {"/2 3 77\n1.a,S=9:2,S 23 12:76\n2.b 5 2:77\n", "1.a,S=9=UID12-76 2.b=UID2-77 ", true},
    {"/3 3 77\n1.a 23 5:0:0\n", "1.a=UID5 ", true},
    {"/3 3 77\n1.a+b'c\"d\xc3 23 0:0:0\n", "1.a+b'c\"d\xc3=1.a+2Bb+27c+22d+C3 ", true},
    {"/3 3 77\n1.a b c 23 4:77:0:later\n", "1.a b c=UID4-77 ", true},
    {"/3 3 77\n" LONG_NAME " 23 0:0:0\n", LONG_NAME "= ", true},
    {"/3 3 77\n" LONG_NAME " 23 1:2:0\n", LONG_NAME "=UID1-2 ", true},
    {"/3 1 77\n", "", true},
    {"/1 9\n1.a:2,S 23 8\n", "1.a=UID8 ", true},
    {"1.a:2,S 23\n2.b 7\n", "1.a=1.a 2.b=2.b ", true},
    {"", "", true},
    /* Of two lines with one name the later counts. */
    {"/3 3 77\n1.a 1 1:77:0\n2.b 1 2:77:0\n1.a:2,S 1 3:77:0\n", "1.a=UID3-77 2.b=UID2-77 ", true},
    /* What is damaged costs its own line only. */
    {"/3 3 77\n1.a 23 1:77:0\nnonsense\n2.b 23 2:77:0\n", "1.a=UID1-77 2.b=UID2-77 ", false},
    {"/3 3 77\n1.a 23 1\n2.b 23 x:77:0\n3.c 2x 1:2\n 1 1:2\n/ 1 1:2\n", "", false},
    {"/3 3 77\n../x 1 1:2\n.h 1 1:2\n:2,S 1 1:2\na/b 1 1:2\n", "", false},
    {"/3 3 77\n1.a 23 99999999999999999999:77:0\n", "", false},
    {"/3 3 77\n1.a 23 1:77:0\n2.b 23 2:7", "1.a=UID1-77 ", false},
    {"/4 3 77\n1.a 23 1:77:0\n", "", false},
    {"/0 3\n1.a 23 1:77:0\n", "", false},
    {"/\n1.a 23 1:77:0\n", "", false},
    {"/3 3 77", "", false},
};

static void
sizelist_tells_the_uidls(void **state)
{
	const char *what;

	(void)state;
	for (size_t i = 0; i < COUNT(sizelists); i++) {
		char *told = uidls_told(sizelists[i].text, strlen(sizelists[i].text), &what);

		assert_string_equal(told, sizelists[i].told);
		assert_int_equal(what == NULL, sizelists[i].whole);
		free(told);
	}
}

/* A text cut anywhere tells a beginning of what the whole one tells, if anything. */
static void
sizelist_cut_anywhere(void **state)
{
	static const char text[] = "/3 4 77\n1.a:2,S 23 1:77:0\n2.b 5 2:77:0\n3.c:2, 6 3:77:0\n";
	const char *what;
	char *all = uidls_told(text, sizeof(text) - 1, &what);

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		char *told = uidls_told(text, size, &what);

		assert_int_equal(strncmp(told, all, strlen(told)), 0);
		assert_int_equal(what == NULL, size == 0 || text[size - 1] == '\n');
		free(told);
	}
	free(all);
}

/* --- courierimapuiddb --- */

/* The uidlist that is made of both texts; malloc'd. */
static char *
uids_made(const char *uids, size_t size, const char *sizelist)
{
	struct courier_uidls uidls;
	struct mdbuf out = {0};
	struct uidlist db;

	assert_int_equal(uidlist_parse(&db, exactly(uids, size), size), 0);
	assert_int_equal(courier_uidls_parse(&uidls, sizelist, strlen(sizelist)), 0);
	assert_int_equal(
	    courier_put_uids(&out, &db, &uidls, courier_uids_known(&db) ? 0 : 1000), 0);
	mdbuf_add(&out, "", 1);
	courier_uidls_clear(&uidls);
	uidlist_clear(&db);
	return out.data;
}

static const struct {
	const char *uids, *sizelist, *made;
} databases[] = {
    {"1 795256403 5\n1 1.a\n3 2.b\n", "", "3 V795256403 N5\n1 :1.a\n3 :2.b\n"},
    {"1 7 1\n", "", "3 V7 N1\n"},
    {"1 7 4\n1 1.a\n3 2.b,S=18\n", "/3 3 77\n1.a:2,S 9 2:77:0\n2.b,S=18:2, 9 1:77:0\n",
	"3 V7 N4\n1 PUID2-77 :1.a\n3 PUID1-77 :2.b,S=18\n"},
    /* What only POP3 knew comes behind, in its order. */
    {"1 7 4\n2 5.e\n", "/3 3 77\n3.c 9 2:77:0\n5.e 9 3:77:0\n10.a 9 1:77:0\n",
	"3 V7 N6\n2 PUID3-77 :5.e\n4 PUID2-77 :3.c\n5 PUID1-77 :10.a\n"},
    {"1 7 4294967294\n", "/3 3 77\n1.a 9 2:77:0\n2.b 9 3:77:0\n",
	"3 V7 N4294967295\n4294967294 PUID2-77 :1.a\n"},
    /* A UIDL that POP3 does not allow is none. */
    {"1 7 4\n1 " LONG_NAME "\n", "/3 3 77\n" LONG_NAME " 9 0:0:0\n", "3 V7 N4\n1 :" LONG_NAME "\n"},
    /* Lines that cannot be read cost the UIDs of their messages. */
    {"1 7 9\n1 1.a\nnonsense\n0 2.b\n3 ../c\n4\n5 .d\n6 e\tf\n8 9.z\n", "",
	"3 V7 N9\n1 :1.a\n8 :9.z\n"},
    {"1 7 9\n1 1.a\n2 2.b", "", "3 V7 N9\n1 :1.a\n"},
    /* The next UID is above all that are there, whatever the head says. */
    {"1 7 2\n5 1.a\n", "", "3 V7 N6\n5 :1.a\n"},
    /* In any order; but who had a UID that stands twice nobody knows. */
    {"1 7 9\n3 3.c\n1 1.a\n2 2.b\n", "", "3 V7 N9\n1 :1.a\n2 :2.b\n3 :3.c\n"},
    {"1 7 9\n1 1.a\n2 2.b\n2 3.c\n4 4.d\n2 5.e\n", "", "3 V7 N9\n1 :1.a\n4 :4.d\n"},
    /* Without a head all is numbered anew, in the order that it had; the UIDLs stay. */
    {"1 7\n3 1.a\n7 2.b\n", "/3 3 77\n2.b 9 2:77:0\n", "3 V1000 N3\n1 :1.a\n2 PUID2-77 :2.b\n"},
    {"", "/3 3 77\n2.b 9 2:77:0\n1.a 9 3:77:0\n", "3 V1000 N3\n1 PUID2-77 :2.b\n2 PUID3-77 :1.a\n"},
    {"1 0 9\n3 1.a\n7 2.b\n", "/3 3 77\n2.b 9 2:77:0\n", "3 V1000 N3\n1 :1.a\n2 PUID2-77 :2.b\n"},
    {"1 7 0\n3 1.a\n", "", "3 V1000 N2\n1 :1.a\n"},
    {"1 7 9 \n3 1.a\n", "", "3 V1000 N2\n1 :1.a\n"},
    {"1 4294967296 9\n3 1.a\n", "", "3 V1000 N2\n1 :1.a\n"},
    {"2 7 9\n3 1.a\n", "", "3 V1000 N1\n"},
    {"1 7 9", "", "3 V1000 N1\n"},
};

static void
database_becomes_a_uidlist(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(databases); i++) {
		char *made =
		    uids_made(databases[i].uids, strlen(databases[i].uids), databases[i].sizelist);

		assert_string_equal(made, databases[i].made);
		free(made);
	}
}

/* Cut anywhere: under the old UIDVALIDITY each name has its own UID or none, and no other is free. */
static void
database_cut_anywhere(void **state)
{
	static const char text[] = "1 795256403 12\n1 1.a\n3 2.b\n11 3.c,S=8\n";

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		char *made = uids_made(text, size, "");

		if (strncmp(made, "3 V795256403 N12\n", 17) == 0) {
			assert_true(size >= strlen("1 795256403 12\n"));
			for (char *line = made + 17; *line != '\0'; line = strchr(line, '\n') + 1)
				assert_true(strncmp(line, "1 :1.a\n", 7) == 0 ||
					    strncmp(line, "3 :2.b\n", 7) == 0 ||
					    strncmp(line, "11 :3.c,S=8\n", 12) == 0);
		} else {
			assert_int_equal(strncmp(made, "3 V1000 N", 9), 0);
			assert_true(size < strlen("1 795256403 12\n"));
		}
		free(made);
	}
}

/* --- courierimapkeywords --- */

struct own {
	const char *base, *text;
};

/* "<name> <name> " of a message, malloc'd. */
static char *
keywords_of(const struct courier_keywords *keywords, const char *base)
{
	size_t i = courier_keywords_find(keywords, base, strlen(base));
	struct mdbuf out = {0};

	for (; i < keywords->marks && strcmp(keywords->mark[i].base, base) == 0; i++) {
		if (keywords->mark[i].name == COURIER_OWN)
			continue;
		mdbuf_add(&out, keywords->name[keywords->mark[i].name],
		    strlen(keywords->name[keywords->mark[i].name]));
		mdbuf_add(&out, " ", 1);
	}
	mdbuf_add(&out, "", 1);
	return out.data;
}

static const struct {
	struct own own[3];
	const char *list;
	struct own has[4]; /* in order of the list, then of their own files */
	bool whole;
} keyword_rows[] = {
    {{{NULL}}, "Work\n$Later\n\n1.a:0 1\n2.b:1\n",
	{{"1.a", "Work $Later "}, {"2.b", "$Later "}, {"3.c", ""}}, true},
    {{{"1.a", "Third\n"}, {"2.b", ""}}, "Work\n\n1.a:0\n2.b:0\n3.c:0\n",
	{{"1.a", "Third "}, {"2.b", ""}, {"3.c", "Work "}}, true},
    {{{"1.a", "Third\nWork\n\n"}}, "", {{"1.a", "Third Work "}}, true},
    {{{NULL}}, "", {{"1.a", ""}}, true},
    {{{NULL}}, "Work\n", {{"1.a", ""}}, true},
    {{{"1.a", "Whole\nTor"}}, "", {{"1.a", "Whole "}}, false},
    {{{NULL}}, "Work\n\n1.a:0 1 0\n2.b:x\nnonsense\n3.c:0",
	{{"1.a", "Work Work "}, {"2.b", ""}, {"3.c", ""}}, false},
    {{{NULL}}, "Work\n\n1.a:18446744073709551616\n2.b:0,\n../x:0\n",
	{{"1.a", ""}, {"2.b", "Work "}}, false},
};

static void
own_files_count_before_the_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keyword_rows); i++) {
		struct courier_keywords *k = calloc(1, sizeof(*k));

		assert_non_null(k);
		for (const struct own *own = keyword_rows[i].own; own->base != NULL; own++)
			assert_int_equal(
			    courier_keywords_own(k, own->base, own->text, strlen(own->text)), 0);
		assert_int_equal(
		    courier_keywords_list(k, keyword_rows[i].list, strlen(keyword_rows[i].list)),
		    0);
		for (const struct own *has = keyword_rows[i].has; has->base != NULL; has++) {
			char *told = keywords_of(k, has->base);

			/* qsort promises no order among marks of one message. */
			assert_int_equal(strlen(told), strlen(has->text));
			if (strchr(has->text, ' ') == strrchr(has->text, ' '))
				assert_string_equal(told, has->text);
			free(told);
		}
		assert_int_equal(k->what == NULL, keyword_rows[i].whole);
		courier_keywords_clear(k);
		free(k);
	}
}

static void
list_cut_anywhere(void **state)
{
	static const char text[] = "Work\n$Later\n\n1.a:0 1\n2.b:1\n3.c:0\n";

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		struct courier_keywords *k = calloc(1, sizeof(*k));
		char *copy = exactly(text, size), *told;

		assert_non_null(k);
		assert_int_equal(courier_keywords_list(k, copy, size), 0);
		told = keywords_of(k, "2.b");
		assert_string_equal(
		    told, size < strlen("Work\n$Later\n\n1.a:0 1\n2.b:1\n") ? "" : "$Later ");
		free(told);
		free(copy);
		courier_keywords_clear(k);
		free(k);
	}
}

static void
names_without_end(void **state)
{
	struct courier_keywords *k = calloc(1, sizeof(*k));
	struct mdbuf text = {0};

	(void)state;
	assert_non_null(k);
	for (int i = 0; i < COURIER_NAMES_MAX + 100; i++)
		mdbuf_addf(&text, "k%d\n", i);
	mdbuf_addf(&text, "\n1.a:%d\n2.b:%d\n", COURIER_NAMES_MAX - 1, COURIER_NAMES_MAX);
	assert_int_equal(courier_keywords_list(k, text.data, text.len), 0);
	assert_int_equal(k->names, COURIER_NAMES_MAX);
	assert_int_equal(courier_keywords_find(k, "1.a", 3), 0);
	assert_int_equal(k->marks, 1);
	assert_non_null(k->what);
	mdbuf_clear(&text);
	courier_keywords_clear(k);
	free(k);
}

static void
names_of_own_files(void **state)
{
	static const struct {
		const char *name, *base; /* NULL: none */
		uint64_t rank;
	} rows[] = {
	    {"1.a,S=6", "1.a,S=6", UINT64_MAX},
	    {".5984190.1.a", "1.a", 5984190},
	    {".1.x", "x", 1},
	    {":list"},
	    {"."},
	    {".."},
	    {".tmp.1795256403.x"},
	    {".12"},
	    {".12."},
	    {".12..x"},
	    {".18446744073709551616.x"},
	    {"1.a:2,S"},
	    {".1.a:2,S"},
	    {""},
	};
	const char *base;
	uint64_t rank;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is = courier_keywords_file(rows[i].name, &base, &rank);

		assert_int_equal(is, rows[i].base != NULL);
		if (!is)
			continue;
		assert_string_equal(base, rows[i].base);
		assert_true(rank == rows[i].rank);
	}
}

/* --- courierimapsubscribed --- */

static const struct {
	const char *text, *made;
} subscribed[] = {
    {"INBOX.Sub.Folder\nINBOX\ninbox.Other\n", "V\t2\n\nSub\tFolder\nINBOX\nOther\n"},
    {"shared.x.y\n#shared.z\nINBOX.\nINBOX..x\nINBOXx\n\nINBOX.a/b\n", ""},
    {"INBOX.Mit Blank\nINBOX.B\xc3\xbc"
     "cher\nINBOX.cut",
	"V\t2\n\nMit Blank\nB\xc3\xbc"
	"cher\n"},
    {"", ""},
};

static void
subscribed_folders(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(subscribed); i++) {
		struct mdbuf out = {0};
		size_t size = strlen(subscribed[i].text);
		char *copy = exactly(subscribed[i].text, size);

		courier_put_subscriptions(&out, copy, size);
		mdbuf_add(&out, "", 1);
		assert_string_equal(out.data, subscribed[i].made);
		mdbuf_clear(&out);
		free(copy);
	}
}

/* --- in a Maildir --- */

static bool
add_name(void *ctx, const char *name)
{
	struct mdbuf *out = ctx;

	mdbuf_addf(out, "%s ", name);
	return true;
}

static char *
subscriptions(struct fixture *f)
{
	struct mdbuf out = {0};

	assert_int_equal(maildir_subscriptions(f->md, add_name, &out), 0);
	mdbuf_add(&out, "", 1);
	return out.data;
}

static void
assert_subscriptions(struct fixture *f, const char *expected)
{
	char *told = subscriptions(f);

	assert_string_equal(told, expected);
	free(told);
}

static void
subscriptions_are_taken_over_once(void **state)
{
	struct fixture *f = *state;
	char *text;

	assert_subscriptions(f, "");
	put(f, "courierimapsubscribed", "INBOX.One\nINBOX.Two.Three\n");
	assert_subscriptions(f, "One Two/Three ");
	text = get(f, "subscriptions");
	assert_string_equal(text, "V\t2\n\nOne\nTwo\tThree\n");
	free(text);
	/* From then on ours counts. */
	assert_int_equal(maildir_subscribe(f->md, "One", false), 0);
	put(f, "courierimapsubscribed", "INBOX.Later\n");
	assert_subscriptions(f, "Two/Three ");
	put(f, "subscriptions", "");
	assert_subscriptions(f, "");
	assert_int_equal(unlinkat(f->fd, "subscriptions", 0), 0);
	assert_int_equal(maildir_subscribe(f->md, "Later", false), 0);
	assert_subscriptions(f, "");
}

#define MESSAGES 4

static void
courier_tree(struct fixture *f)
{
	put(f, "cur/1.a:2,S", "one\n");
	put(f, "cur/2.b:2,", "two\n");
	put(f, "cur/3.c,S=6:2,F", "three\n");
	put(f, "new/4.d", "four\n");
	put(f, "courierimapuiddb", "1 795256403 9\n2 1.a\n5 2.b\n8 3.c,S=6\n");
	put(f, "courierpop3dsizelist", "/3 3 77\n1.a:2,S 5 1:77:0\n2.b:2, 5 2:77:0\n");
	assert_int_equal(mkdirat(f->fd, "courierimapkeywords", 0700), 0);
	put(f, "courierimapkeywords/:list",
	    "Work\n$Later\nbad]one\n\n1.a:0 1\n2.b:0 2\n9.gone:1\n");
	put(f, "courierimapkeywords/.5984189.2.b", "Second\n");
	put(f, "courierimapkeywords/.5984190.2.b", "Third\n");
	put(f, "courierimapkeywords/.5984190.3.c,S=6", "Work\n");
	put(f, "courierimapkeywords/3.c,S=6", "Newest\nWork\n");
	put(f, "courierimapkeywords/.tmp.1795256403.x", "Torn\n");
}

static void
assert_text(struct fixture *f, const char *name, const char *expected)
{
	char *text = get(f, name);

	assert_string_equal(text, expected);
	free(text);
}

static void
a_folder_is_taken_over(void **state)
{
	struct fixture *f = *state;
	char *text;

	courier_tree(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), MESSAGES);
	assert_int_equal(maildir_uidvalidity(f->inbox), 795256403);
	assert_int_equal(maildir_uidnext(f->inbox), 10);
	assert_line(f, 2, "one");
	assert_line(f, 5, "two");
	assert_line(f, 8, "three");
	assert_line(f, 9, "four");
	/* On disk at once, for Dovecot as well. */
	text = get(f, "dovecot-uidlist");
	assert_int_equal(strncmp(text, "3 V795256403 N10 G", 18), 0);
	assert_string_equal(
	    strchr(text, '\n') + 1, "2 PUID1-77 :1.a\n5 PUID2-77 :2.b\n8 :3.c,S=6\n9 :4.d\n");
	free(text);
	/* Third, Newest and Work are of their own files, and come first. */
	assert_text(f, "dovecot-keywords", "0 Third\n1 Newest\n2 Work\n3 $Later\n");
	assert_true(exists(f, "cur/1.a:2,Scd") && exists(f, "cur/2.b:2,a") &&
		    exists(f, "cur/3.c,S=6:2,Fbc"));
	assert_text(f, "courierimapuiddb", "1 795256403 9\n2 1.a\n5 2.b\n8 3.c,S=6\n");
	/* bad]one is no keyword. */
	assert_int_equal(f->notices, 1);
	assert_non_null(strstr(f->notice, "bad]one"));
}

/* From then on Courier's files say nothing, also not when our list is lost: that is damage. */
static void
only_at_first_open(void **state)
{
	struct fixture *f = *state;

	courier_tree(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	put(f, "courierimapuiddb", "1 795256403 90\n2 3.c,S=6\n5 2.b\n80 1.a\n");
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_line(f, 2, "one");
	assert_int_equal(unlinkat(f->fd, "dovecot-uidlist", 0), 0);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(maildir_uidvalidity(f->inbox) > 795256403);
	assert_line(f, 1, "one");
}

static void
a_list_of_dovecots_counts_alone(void **state)
{
	struct fixture *f = *state;

	courier_tree(f);
	put(f, "dovecot-uidlist", "3 V5 N8 G0123456789abcdef0123456789abcdef\n7 :1.a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_uidvalidity(f->inbox), 5);
	assert_line(f, 7, "one");
	assert_line(f, 8, "two");
	assert_true(exists(f, "cur/1.a:2,S"));
}

static const struct {
	const char *file, *text, *notice;
	uint32_t one, two, three; /* their UIDs; 0: under a new UIDVALIDITY */
} damages[] = {
    {"courierimapuiddb", "1 795256403 9\n2 1.a\nxxx\n8 3.c,S=6\n", "a line without UID; some", 2, 9,
	8},
    {"courierimapuiddb", "1 795256403 9\n2 1.a\n5 2.b", "its last line has no end; some", 2, 9, 10},
    {"courierimapuiddb", "1 795256403 9\n2 1.a\n5 2.b\n5 3.c,S=6\n", "UIDs that do not rise; some",
	2, 9, 10},
    {"courierimapuiddb", "1 795256", "its head is damaged; all", 0, 0, 0},
    {"courierimapuiddb", "", "its head is damaged; all", 0, 0, 0},
    {"courierpop3dsizelist", "/9 3\n", "not a version that we know; some POP3", 2, 5, 8},
    {"courierimapkeywords/:list", "Work\n\n1.a:7\n", "names no keyword", 2, 5, 8},
};

static void
what_can_be_used_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(damages); i++) {
		void *one = NULL;
		struct fixture *f;

		assert_int_equal(fixture_setup(&one), 0);
		f = one;
		courier_tree(f);
		put(f, "courierimapkeywords/:list", "Work\n\n1.a:0\n");
		put(f, damages[i].file, damages[i].text);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_count(f->inbox), MESSAGES);
		if (damages[i].one == 0) {
			assert_true(maildir_uidvalidity(f->inbox) > 795256403);
		} else {
			assert_int_equal(maildir_uidvalidity(f->inbox), 795256403);
			assert_line(f, damages[i].one, "one");
			assert_line(f, damages[i].two, "two");
			assert_line(f, damages[i].three, "three");
		}
		assert_int_equal(f->notices, 1);
		assert_non_null(strstr(f->notice, damages[i].notice));
		assert_int_equal(fixture_teardown(&one), 0);
	}
}

/* Something else of these names is as nothing, and nothing outside is read. */
static void
strange_files(void **state)
{
	static const char *const names[] = {"courierimapuiddb", "courierpop3dsizelist"};
	struct fixture *f = *state;

	put(f, "cur/1.a:2,", "one\n");
	assert_int_equal(mkdirat(f->fd, names[0], 0700), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, names[1]), 0);
	assert_int_equal(symlinkat("/etc", f->fd, "courierimapkeywords"), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "courierimapsubscribed"), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_line(f, 1, "one");
	assert_int_equal(f->notices, 2);
	assert_subscriptions(f, "");
}

/* 26 are letters, 38 are in a file of ours, and for the rest there is no room. */
static void
more_keywords_than_letters(void **state)
{
	struct fixture *f = *state;
	struct maildir_message message;
	struct mdbuf list = {0};

	put(f, "cur/1.a:2,", "one\n");
	for (int i = 0; i < 66; i++)
		mdbuf_addf(&list, "k%02d\n", i);
	mdbuf_addf(&list, "\n1.a:");
	for (int i = 0; i < 66; i++)
		mdbuf_addf(&list, "%d ", i);
	mdbuf_add(&list, "\n", 2);
	assert_int_equal(mkdirat(f->fd, "courierimapkeywords", 0700), 0);
	put(f, "courierimapkeywords/:list", list.data);
	mdbuf_clear(&list);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(exists(f, "cur/1.a:2,abcdefghijklmnopqrstuvwxyz"));
	assert_true(maildir_message(f->inbox, 0, &message));
	assert_true(message.keywords == UINT64_MAX);
	assert_int_equal(maildir_keyword_find(f->inbox, "k63"), 63);
	assert_int_equal(maildir_keyword_find(f->inbox, "k64"), -1);
	assert_int_equal(f->notices, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizelist_tells_the_uidls),
	    cmocka_unit_test(sizelist_cut_anywhere),
	    cmocka_unit_test(database_becomes_a_uidlist),
	    cmocka_unit_test(database_cut_anywhere),
	    cmocka_unit_test(own_files_count_before_the_list),
	    cmocka_unit_test(list_cut_anywhere),
	    cmocka_unit_test(names_without_end),
	    cmocka_unit_test(names_of_own_files),
	    cmocka_unit_test(subscribed_folders),
	    WITH(subscriptions_are_taken_over_once),
	    WITH(a_folder_is_taken_over),
	    WITH(only_at_first_open),
	    WITH(a_list_of_dovecots_counts_alone),
	    cmocka_unit_test(what_can_be_used_is),
	    WITH(strange_files),
	    WITH(more_keywords_than_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
