/*
 * test_server_imap_input.c: commands collected from octets that come in any pieces: lines, literals,
 * what is refused and swallowed, and the bounds of it all.
 *
 * What happens is written down as a text: "[a NOOP]" a command, "(5+)" a literal that was accepted,
 * "(5!)" one that was refused and never comes, "(5+!)" one that is swallowed, "<" too long, ">" what
 * was refused is over, "#" broken.
 */
#include "server_fixture.h"

#include "server/imap/input.h"

enum {
	MAX = 64,	   /* octets of a command here */
	LITERAL_MAX = 20,  /* of a literal that is accepted */
	LITERALS_MAX = 3,  /* in a command */
	TRANSCRIPT = 4096, /* octets; enough for any here */
};

struct transcript {
	char text[TRANSCRIPT];
	size_t len;
};

static void
note(struct transcript *t, const char *text, size_t len)
{
	assert_true(t->len + len < sizeof(t->text));
	memcpy(t->text + t->len, text, len);
	t->len += len;
	t->text[t->len] = '\0';
}

static void
note_literal(struct transcript *t, const struct imap_literal *literal, bool refused)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "(%s%llu%s%s)", literal->binary ? "~" : "",
	    (unsigned long long)literal->size, literal->plus ? "+" : "", refused ? "!" : "");

	note(t, text, (size_t)len);
}

static void
on_literal(struct imap_input *c, struct transcript *t)
{
	bool good = c->literal.size <= LITERAL_MAX && c->literals <= LITERALS_MAX &&
		    c->literal.size < c->max - c->len;

	assert_true(c->literal.at < c->len);
	assert_int_equal(c->text[c->literal.at], c->literal.binary ? '~' : '{');
	note_literal(t, &c->literal, !good);
	if (good)
		imap_input_accept(c);
	else if (!imap_input_refuse(c))
		imap_input_next(c);
}

/* false: it is broken. */
static bool
on_event(struct imap_input *c, enum imap_input_event event, struct transcript *t)
{
	switch (event) {
	case IMAP_INPUT_MORE:
		break;
	case IMAP_INPUT_DONE:
		note(t, "[", 1);
		note(t, c->text, c->len);
		note(t, "]", 1);
		imap_input_next(c);
		break;
	case IMAP_INPUT_LITERAL:
		on_literal(c, t);
		break;
	case IMAP_INPUT_LONG:
		note(t, "<", 1);
		break;
	case IMAP_INPUT_REFUSED:
		note(t, ">", 1);
		imap_input_next(c);
		break;
	case IMAP_INPUT_BROKEN:
		note(t, "#", 1);
		return false;
	}
	return true;
}

/* Feeds a copy of just that size, so that a look past it is seen. */
static bool
feed(struct imap_input *c, const char *octets, size_t len, struct transcript *t)
{
	char *copy = malloc(len + (len == 0));
	enum imap_input_event event;
	size_t at = 0, used;
	bool going = true;

	assert_non_null(copy);
	memcpy(copy, octets, len);
	while (going && at < len) {
		used = imap_input_feed(c, copy + at, len - at, &event);
		assert_true(used <= len - at);
		assert_true(used > 0 || event == IMAP_INPUT_LONG);
		assert_true(event != IMAP_INPUT_MORE || used == len - at);
		assert_true(c->len <= c->size && c->size <= c->max);
		at += used;
		going = on_event(c, event, t);
	}
	free(copy);
	return going;
}

/* first octets at once, then step at a time. */
static void
collect(const char *octets, size_t len, size_t first, size_t step, bool heap, struct transcript *t)
{
	char *text = heap ? NULL : malloc(MAX); /* exact as well */
	struct imap_input c;
	size_t at = first;

	t->len = 0;
	t->text[0] = '\0';
	imap_input_init(&c, text, MAX);
	if (feed(&c, octets, first, t))
		for (; at < len; at += step)
			if (!feed(&c, octets + at, len - at < step ? len - at : step, t))
				break;
	imap_input_clear(&c);
	free(text);
}

static void
expect(const char *octets, size_t len, const char *wanted)
{
	struct transcript t;

	for (int heap = 0; heap < 2; heap++) {
		for (size_t first = 0; first <= len; first++) { /* in any two pieces */
			collect(octets, len, first, len, heap != 0, &t);
			assert_string_equal(t.text, wanted);
		}
		for (size_t step = 1; step < 9; step++) { /* octet by octet, and so on */
			collect(octets, len, 0, step, heap != 0, &t);
			assert_string_equal(t.text, wanted);
		}
	}
}

#define X20 "xxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *octets, *wanted;
} cases[] = {
    /* lines */
    {"a NOOP\r\n", "[a NOOP]"},
    {"a NOOP\n", "[a NOOP]"},
    {"\r\n\n", "[][]"},
    {"a\rb\r\n", "[a\rb]"},
    {"a\r\r\n", "[a\r]"},
    {"a NOOP\r\nb NOOP\nc NOOP\r\n", "[a NOOP][b NOOP][c NOOP]"},
    {"a NOOP", ""},
    {"a NOOP\r", ""},
    /* literals */
    {"a L {3}\r\nx y {2}\r\npw\r\n", "(3)(2)[a L {3}\r\nx y {2}\r\npw]"},
    {"a L {3}\nabc\n", "(3)[a L {3}\nabc]"},
    {"a L {3+}\r\nx y {2+}\r\npw\r\n", "(3+)(2+)[a L {3+}\r\nx y {2+}\r\npw]"},
    {"a A ~{2}\r\nxy ~{2+}\r\nzz\r\n", "(~2)(~2+)[a A ~{2}\r\nxy ~{2+}\r\nzz]"},
    {"a L {0}\r\n\r\n", "(0)[a L {0}\r\n]"},
    {"{1}\r\nx\r\n", "(1)[{1}\r\nx]"},
    {"~{1}\r\nx\r\n", "(~1)[~{1}\r\nx]"},
    {"a {007}\r\nJames B\r\n", "(7)[a {007}\r\nJames B]"},
    /* what stands in a literal is no line and announces nothing */
    {"a L {9}\r\nb NOOP\r\n{\r\n", "(9)[a L {9}\r\nb NOOP\r\n{]"},
    {"a L {3}\r\n{3}\r\n", "(3)[a L {3}\r\n{3}]"},
    {"a L {4}\r\n{3+}\r\n", "(4)[a L {4}\r\n{3+}]"},
    {"a L {2}\r\n{3}\r\nb\r\n", "(2)[a L {2}\r\n{3}][b]"},
    {"a L {2}\r\n{3+}\r\nb\r\n", "(2)[a L {2}\r\n{3+}][b]"},
    {"a L {2}\r\n\r\n\r\n", "(2)[a L {2}\r\n\r\n]"},
    {"a L {1}\r\n~{1}\r\nx\r\n", "(1)(1)[a L {1}\r\n~{1}\r\nx]"},
    /* no literals at all */
    {"a L {3} \r\nb\r\n", "[a L {3} ][b]"},
    {"a L \"{3}\"\r\n", "[a L \"{3}\"]"},
    {"a L x}\r\n", "[a L x}]"},
    {"}\r\n+}\r\n", "[}][+}]"},
    {"a L n pass+}\r\nb\r\n", "[a L n pass+}][b]"},
    {"{3}x\r\n", "[{3}x]"},
    /* sizes that are none: nothing is asked for */
    {"a L {}\r\nb\r\n", "[a L {}][b]"},
    {"a L {-1}\r\nb\r\n", "[a L {-1}][b]"},
    {"a L { 1}\r\nb\r\n", "[a L { 1}][b]"},
    {"a L {1 }\r\nb\r\n", "[a L {1 }][b]"},
    {"a L {+1}\r\nb\r\n", "[a L {+1}][b]"},
    {"a L {1-}\r\nb\r\n", "[a L {1-}][b]"},
    {"a L {0x1}\r\nb\r\n", "[a L {0x1}][b]"},
    {"a L {18446744073709551617}\r\nb\r\n", "[a L {18446744073709551617}][b]"},
    {"a L {99999999999999999999999999}\r\nb\r\n", "[a L {99999999999999999999999999}][b]"},
    /* and octets that are on their way all the same: nobody knows how many */
    {"a L {+}\r\nb\r\n", "#"},
    {"a L {-1+}\r\nb\r\n", "#"},
    {"a L {1++}\r\nb\r\n", "#"},
    {"a L {18446744073709551617+}\r\nb\r\n", "#"},
    {"a L {99999999999999999999999999+}\r\nb\r\n", "#"},
    /* refused */
    {"a L {21}\r\nb\r\n", "(21!)[b]"},
    {"a L {922337203685477579}\r\nb\r\n", "(922337203685477579!)[b]"},
    {"a L {21+}\r\n" X20 "\n x\r\nb\r\n", "(21+!)>[b]"},
    {"a L {25+}\r\n" X20 "\nb X\n\r\nc\r\n", "(25+!)>[c]"},
    {"a L {21+}\r\n" X20 "\n {6+}\r\nb X\r\n  {0+}\r\n\r\nc\r\n", "(21+!)>[c]"},
    {"a L {21+}\r\n" X20 "\n {6}\r\nb X\r\nc\r\n", "(21+!)>[b X][c]"},
    {"a L {21+}\r\n" X20 "\n {-6+}\r\nb X\r\nc\r\n", "(21+!)#"},
    {"a L {21+}\r\n" X20 "\n pass+}\r\nb X\r\n", "(21+!)>[b X]"},
    {"a L {21+}\r\n" X20 "\n {21}x\r\nb X\r\n", "(21+!)>[b X]"},
    {"a {1}\r\n1 {1}\r\n2 {1}\r\n3 {1}\r\nb\r\n", "(1)(1)(1)(1!)[b]"},
    {"a {1+}\r\n1 {1+}\r\n2 {1+}\r\n3 {4+}\r\nb X\n\r\nc\r\n", "(1+)(1+)(1+)(4+!)>[c]"},
    /* too long */
    {X20 X20 X20 "x\r\n", "[" X20 X20 X20 "x]"},
    {X20 X20 X20 "xx\r\n", "[" X20 X20 X20 "xx]"},
    {X20 X20 X20 "xxx\r\nb\r\n", "<>[b]"},
    {X20 X20 X20 X20 X20 "\r\nb\r\n", "<>[b]"},
    {X20 X20 X20 X20 " {5+}\r\nb X\r\n\r\nc\r\n", "<>[c]"},
    {X20 X20 X20 X20 " {5}\r\nb X\r\nc\r\n", "<>[b X][c]"},
    {X20 X20 X20 X20 " {x+}\r\nb X\r\n", "<#"},
    {X20 X20 X20 X20 X20 "+}\r\nb X\r\n", "<#"},
    {X20 " {20+}\r\n" X20 X20 " {5+}\r\nb X\r\n\r\nc\r\n", "(20+)<>[c]"},
};

static void
commands_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect(cases[i].octets, strlen(cases[i].octets), cases[i].wanted);
}

static void
a_nul_is_an_octet_like_others(void **state)
{
	static const char octets[] = "a \0 {3}\r\n\0\n\0\0\r\n";
	struct imap_input c;
	struct transcript t = {.len = 0};

	(void)state;
	imap_input_init(&c, NULL, MAX);
	assert_true(feed(&c, octets, sizeof(octets) - 1, &t));
	assert_int_equal(t.len, 3 + 2 + sizeof(octets) - 1 - 2);
	assert_memory_equal(t.text, "(3)[a \0 {3}\r\n\0\n\0\0]", t.len);
	imap_input_clear(&c);
}

/* The announcement of what follows a line that is too long, cut by the bound at each of its octets. */
static void
req19_an_announcement_across_the_bound(void **state)
{
	char octets[256], wanted[256];

	(void)state;
	for (int pad = MAX - 20; pad < MAX + 4; pad++) {
		const int taken = pad + (int)strlen(" {00005+}\r\n");
		const bool first_fits = taken <= MAX;
		struct transcript t;
		size_t len = (size_t)snprintf(
		    octets, sizeof(octets), "%0*d {00005+}\r\nb X\r\n more\r\nc\r\n", pad, 0);

		collect(octets, len, len, 1, true, &t);
		assert_null(strstr(t.text, "[b X]"));
		assert_non_null(strstr(t.text, "[c]"));
		(void)snprintf(wanted, sizeof(wanted), "%s", first_fits ? "(5+!)>[c]" : "<>[c]");
		if (!first_fits || taken + 5 >= MAX)
			expect(octets, len, wanted);
	}
}

static void
streamed_literals(void **state)
{
	static const char first[] = "a APPEND x {5}\r\n", rest[] = " {2+}\r\n", last[] = "\r\n";
	struct imap_input c;
	enum imap_input_event event;

	(void)state;
	imap_input_init(&c, NULL, MAX);
	assert_int_equal(imap_input_feed(&c, first, sizeof(first) - 1, &event), sizeof(first) - 1);
	assert_int_equal(event, IMAP_INPUT_LITERAL);
	assert_int_equal(c.literal.at, strlen("a APPEND x "));
	imap_input_stream(&c); /* its octets do not come here */
	assert_int_equal(imap_input_feed(&c, rest, sizeof(rest) - 1, &event), sizeof(rest) - 1);
	assert_int_equal(event, IMAP_INPUT_LITERAL);
	assert_int_equal(c.literals, 2);
	assert_int_equal(c.literal.at, sizeof(first) - 1 + 1);
	imap_input_stream(&c);
	assert_int_equal(imap_input_feed(&c, last, 2, &event), 2);
	assert_int_equal(event, IMAP_INPUT_DONE);
	assert_int_equal(c.len, sizeof(first) - 1 + sizeof(rest) - 1);
	imap_input_clear(&c);
}

/* A caller that accepts more than there is room for gets none of it, and the refusal. */
static void
accepted_beyond_the_bound(void **state)
{
	static const char announce[] = "a L {60}\r\n";
	char octets[128];
	struct imap_input c;
	enum imap_input_event event;
	struct transcript t = {.len = 0};

	(void)state;
	imap_input_init(&c, NULL, MAX);
	(void)imap_input_feed(&c, announce, sizeof(announce) - 1, &event);
	imap_input_accept(&c);
	memset(octets, '\n', 60);
	memcpy(octets + 60, " x\r\nb\r\n", 7);
	assert_true(feed(&c, octets, 67, &t));
	assert_string_equal(t.text, ">[b]");
	imap_input_clear(&c);
}

/* Memory does not depend on what is sent, and a large command's is given back. */
static void
req18_memory_is_bounded(void **state)
{
	static char octets[65536];
	const size_t max = 1 << 20;
	struct imap_input c;
	enum imap_input_event event;
	size_t used;
	bool was_long = false;

	(void)state;
	memset(octets, 'x', sizeof(octets));
	imap_input_init(&c, NULL, max);
	for (int i = 0; i < 160; i++) { /* 10 MiB without a line end */
		for (used = 0; used < sizeof(octets);) {
			size_t n =
			    imap_input_feed(&c, octets + used, sizeof(octets) - used, &event);

			used += n;
			if (event == IMAP_INPUT_LONG) {
				assert_false(was_long);
				was_long = true;
			} else {
				assert_int_equal(event, IMAP_INPUT_MORE);
			}
			assert_true(c.size <= max && c.len <= max);
		}
	}
	assert_true(was_long);
	(void)imap_input_feed(&c, "\r\n", 2, &event);
	assert_int_equal(event, IMAP_INPUT_REFUSED);
	imap_input_next(&c);
	assert_null(c.text);
	assert_int_equal(c.size, 0);
	imap_input_clear(&c);
}

static void
the_longest_command(void **state)
{
	const size_t max = 1 << 20;
	char *octets = malloc(max + 1);
	struct imap_input c;
	enum imap_input_event event;

	(void)state;
	assert_non_null(octets);
	for (size_t over = 0; over < 2; over++) {
		imap_input_init(&c, NULL, max);
		memset(octets, 'x', max + 1);
		octets[max + over - 1] = '\n';
		(void)imap_input_feed(&c, octets, max + over, &event);
		assert_int_equal(event, over == 0 ? IMAP_INPUT_DONE : IMAP_INPUT_LONG);
		assert_true(c.size <= max);
		imap_input_clear(&c);
	}
	free(octets);
}

/* Passwords do not stay in a buffer that is used again. */
static void
what_was_said_is_wiped(void **state)
{
	static const char secret[] = "a LOGIN anna sesame\r\n";
	char text[MAX];
	struct imap_input c;
	enum imap_input_event event;

	(void)state;
	memset(text, 'z', sizeof(text));
	imap_input_init(&c, text, sizeof(text));
	(void)imap_input_feed(&c, secret, sizeof(secret) - 1, &event);
	assert_int_equal(event, IMAP_INPUT_DONE);
	assert_memory_equal(text, secret, sizeof(secret) - 3);
	imap_input_next(&c);
	assert_null(memmem(text, sizeof(text), "sesame", 6));
	(void)imap_input_feed(&c, secret, sizeof(secret) - 5, &event);
	imap_input_clear(&c);
	assert_null(memmem(text, sizeof(text), "sesa", 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_in_any_pieces),
	    cmocka_unit_test(a_nul_is_an_octet_like_others),
	    cmocka_unit_test(req19_an_announcement_across_the_bound),
	    cmocka_unit_test(streamed_literals),
	    cmocka_unit_test(accepted_beyond_the_bound),
	    cmocka_unit_test(req18_memory_is_bounded),
	    cmocka_unit_test(the_longest_command),
	    cmocka_unit_test(what_was_said_is_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
