/*
 * test_maildir_uidlist.c: the text of dovecot-uidlist.
 */
#include "maildir_fixture.h"

#include "maildir/base/uid_record.h"
#include "maildir/uids/uidlist.h"

#define GUID   "f2606f033216016bfa33000083ecc375"
#define HEADER "3 V1000 N7 G" GUID "\n"

static void
parse(struct uidlist *list, const char *text)
{
	assert_int_equal(uidlist_parse(list, strdup(text), strlen(text)), 0);
}

static void
states(void **state)
{
	static const struct {
		const char *text;
		enum uidlist_state state;
		uint32_t validity, next;
		size_t count;
	} rows[] = {
	    {HEADER, UIDLIST_GOOD, 1000, 7, 0},
	    {HEADER "1 :a\n", UIDLIST_GOOD, 1000, 7, 1},
	    {HEADER "1 :a\n9 S1 W1 :b\n", UIDLIST_GOOD, 1000, 10, 2},
	    {"3 V1000 N7\n", UIDLIST_GOOD, 1000, 7, 0},
	    {"3 N7 Xfoo V1000 Gnot\n", UIDLIST_GOOD, 1000, 7, 0},
	    {"1 1000 7\n1 a\n2 b c\n", UIDLIST_GOOD, 1000, 7, 2},
	    {HEADER "4294967294 :a\n", UIDLIST_GOOD, 1000, 4294967295, 1},
	    {HEADER "1 :a\n2 :", UIDLIST_TORN, 1000, 7, 1},
	    {HEADER "1 :a\n2", UIDLIST_TORN, 1000, 7, 1},
	    {HEADER "1 :a\n9 S20", UIDLIST_TORN, 1000, 10, 1},
	    {HEADER "1 :a\n9 S20 :b", UIDLIST_TORN, 1000, 10, 1},
	    {HEADER "x\n1 :a\n", UIDLIST_TORN, 1000, 7, 1},
	    {HEADER "0 :a\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "4294967295 :a\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "1:a\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "1 :\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "8 :\n", UIDLIST_TORN, 1000, 9, 0},
	    {HEADER "1 S5\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "1 :a/b\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "\n", UIDLIST_TORN, 1000, 7, 0},
	    {HEADER "1 :a\n\n2 :b\n", UIDLIST_TORN, 1000, 7, 2},
	    {"", UIDLIST_DAMAGED, 0, 0, 0},
	    {"3 V1000", UIDLIST_DAMAGED, 0, 0, 0},
	    {"\n", UIDLIST_DAMAGED, 0, 0, 0},
	    {"2 V1 N1\n", UIDLIST_DAMAGED, 0, 0, 0},
	    {"33 V1 N1\n", UIDLIST_DAMAGED, 0, 0, 0},
	    {"3V1 N1\n", UIDLIST_DAMAGED, 0, 0, 0},
	    {"garbage\n1 :a\n", UIDLIST_DAMAGED, 0, 2, 1},
	    {"\n" HEADER "1 :a\n", UIDLIST_DAMAGED, 0, 4, 1},
	    {"3 V0 N1\n", UIDLIST_DAMAGED, 0, 1, 0},
	    {"3 V4294967296 N1\n", UIDLIST_DAMAGED, 0, 1, 0},
	    {"3 V1000 N-1\n", UIDLIST_DAMAGED, 1000, 0, 0},
	    {"3 V1000\n", UIDLIST_DAMAGED, 1000, 0, 0},
	    {"1 1000\n", UIDLIST_DAMAGED, 1000, 0, 0},
	    {HEADER "2 :a\n1 :b\n", UIDLIST_DAMAGED, 1000, 7, 2},
	    {HEADER "2 :a\n2 :b\n", UIDLIST_DAMAGED, 1000, 7, 2},
	    {HEADER "2 :a\n\n1 :b\n3 :", UIDLIST_DAMAGED, 1000, 7, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct uidlist list;

		parse(&list, rows[i].text);
		assert_int_equal(list.state, rows[i].state);
		assert_int_equal(list.validity, rows[i].validity);
		assert_int_equal(list.next, rows[i].next);
		assert_int_equal(list.count, rows[i].count);
		assert_int_equal(list.what != NULL, rows[i].state != UIDLIST_GOOD);
		uidlist_clear(&list);
	}
}

/* A line with NUL is lost; nothing is lost with it but the header. */
static void
mend08_nul_costs_its_line(void **state)
{
	static const struct {
		const char *text;
		size_t size, count;
		enum uidlist_state state;
		uint32_t next;
	} rows[] = {
#define ROW(text) text, sizeof(text) - 1
	    {ROW(HEADER "1 :a\n\0\0\0\n"), 1, UIDLIST_TORN, 7},
	    {ROW(HEADER "1 :a\n\0\0\0\0\0\0\0\0"), 1, UIDLIST_TORN, 7},
	    {ROW(HEADER "1 :a\n8 :b\0\0\n9 :c\n"), 2, UIDLIST_TORN, 10},
	    {ROW(HEADER "1 :a\n8 :b\0\0c\n"), 1, UIDLIST_TORN, 9},
	    {ROW("3 V1000\0N7 G" GUID "\n1 :a\n"), 1, UIDLIST_DAMAGED, 2},
	    {ROW("\0\0\0\0\n1 :a\n"), 1, UIDLIST_DAMAGED, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *copy = malloc(rows[i].size);
		struct uidlist list;

		memcpy(copy, rows[i].text, rows[i].size);
		assert_int_equal(uidlist_parse(&list, copy, rows[i].size), 0);
		assert_int_equal(list.state, rows[i].state);
		assert_int_equal(list.count, rows[i].count);
		assert_int_equal(list.next, rows[i].next);
		uidlist_clear(&list);
	}
}

/* The next UID is above what the lost lines can have given, and above what was given out. */
static void
mend08_next_passes_what_is_lost(void **state)
{
	static const struct {
		const char *text;
		struct uid_record record;
		uint32_t least, most;
	} rows[] = {
	    {HEADER "1 :a\n", {.validity = 0}, 7, 7},
	    {HEADER "1 :a\n", {.validity = 1000, .next = 7}, 7, 7},
	    {HEADER "1 :a\n", {.validity = 1000, .next = 20}, 20, 20},
	    {HEADER "1 :a\n", {.validity = 999, .next = 20}, 7, 7},
	    {HEADER "1 :a\n\n5 :b\n", {.validity = 1000, .next = 7}, 7, 7},
	    {HEADER "1 :a\n9", {.validity = 1000, .next = 7}, 100, 2000},
	    {HEADER "1 :a\n9", {.validity = 0}, 100, 2000},
	    {HEADER "1 :a\n5000 :", {.validity = 0}, 5100, 7000},
	    {HEADER "1 :a\n5", {.validity = 1000, .next = 9000}, 9000, 9000},
	    {HEADER "4294967290 :a\n4", {.validity = 0}, UINT32_MAX, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct uidlist list;

		parse(&list, rows[i].text);
		uidlist_pass_lost(&list, &rows[i].record);
		assert_in_range(list.next, rows[i].least, rows[i].most);
		uidlist_clear(&list);
	}
}

static void
fields(void **state)
{
	static const struct {
		const char *line;
		bool known, line_end;
		uint64_t size, wire;
		const char *uidl; /* P */
	} rows[] = {
	    {"1 :a", false, false, 0, 0, NULL},
	    {"1 W24 :a", false, false, 0, 0, NULL},
	    {"1 S20 :a", false, false, 0, 0, NULL},
	    {"1 S20 W24 :a", true, false, 20, 24, NULL},
	    {"1 W24 S20 L20 :a", true, true, 20, 24, NULL},
	    {"1 S20 W24 L19 :a", true, false, 20, 24, NULL},
	    {"1 S0 W0 L0 :a", true, false, 0, 0, NULL},
	    {"1 S20 W19 :a", false, false, 0, 0, NULL},
	    {"1 S20 W41 :a", false, false, 0, 0, NULL},
	    {"1 S-1 W1 :a", false, false, 0, 0, NULL},
	    {"1 S99999999999999999999 W99999999999999999999 :a", false, false, 0, 0, NULL},
	    {"1 S20x W24 :a", false, false, 0, 0, NULL},
	    {"1 Pabc :a", false, false, 0, 0, "abc"},
	    {"1 P :a", false, false, 0, 0, ""},
	    {"1   Q7  Pabc  O3 :a", false, false, 0, 0, "abc"},
	    {"1 xP7 :a", false, false, 0, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[200];
		struct uidlist list;
		struct uidlist_sizes sizes;
		const char *uidl;
		size_t len;

		snprintf(text, sizeof(text), HEADER "%s\n", rows[i].line);
		parse(&list, text);
		assert_int_equal(list.state, UIDLIST_GOOD);
		uidlist_sizes(&list.line[0], &sizes);
		assert_int_equal(sizes.known, rows[i].known);
		assert_int_equal(sizes.line_end, rows[i].line_end);
		assert_int_equal(sizes.size, rows[i].size);
		assert_int_equal(sizes.wire, rows[i].wire);
		uidl = uidlist_field(&list.line[0], 'P', &len);
		assert_int_equal(uidl != NULL, rows[i].uidl != NULL);
		if (uidl != NULL) {
			assert_int_equal(len, strlen(rows[i].uidl));
			assert_memory_equal(uidl, rows[i].uidl, len);
		}
		uidlist_clear(&list);
	}
}

/* What we do not know stays in its place; what Dovecot would throw away goes. */
static void
writing_keeps_the_unknown(void **state)
{
	static const char text[] = "3 Xfoo V1000 Ybar N7 G" GUID " Zbaz\n"
				   "1 Q1 S5 Pab x9 W6 :a b\n"
				   "5 :c:2,S\n";
	struct uidlist_sizes sizes = {.size = 8, .wire = 9, .known = true, .line_end = true};
	struct mdbuf out = {0};
	struct uidlist list;

	(void)state;
	parse(&list, text);
	uidlist_put_header(&out, &list, 1000, 8, list.guid);
	uidlist_put_line(&out, &list.line[0], 1, NULL);
	uidlist_put_line(&out, &list.line[0], 2, &sizes);
	uidlist_put_line(&out, &list.line[1], 5, NULL);
	uidlist_put_new(&out, 6, "d e:2,S", 3);
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	assert_string_equal(out.data, "3 V1000 N8 G" GUID " Xfoo Ybar Zbaz\n"
				      "1 Q1 S5 Pab W6 :a b\n"
				      "2 Q1 Pab S8 W9 L8 :a b\n"
				      "5 :c\n"
				      "6 :d e\n");
	mdbuf_clear(&out);
	uidlist_clear(&list);
}

/* However much of it has been written, a reader sees good lines and at most a torn end. */
static void
every_prefix(void **state)
{
	static const char text[] = HEADER "1 S5 W6 :a\n2 :b\n10 :c\n";
	size_t header = strlen(HEADER);

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len + 1);
		struct uidlist list;

		memcpy(copy, text, len);
		assert_int_equal(uidlist_parse(&list, copy, len), 0);
		if (len < header)
			assert_int_equal(list.state, UIDLIST_DAMAGED);
		else
			assert_int_equal(
			    list.state, text[len - 1] == '\n' ? UIDLIST_GOOD : UIDLIST_TORN);
		uidlist_clear(&list);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(states),
	    cmocka_unit_test(mend08_nul_costs_its_line),
	    cmocka_unit_test(mend08_next_passes_what_is_lost),
	    cmocka_unit_test(fields),
	    cmocka_unit_test(writing_keeps_the_unknown),
	    cmocka_unit_test(every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
