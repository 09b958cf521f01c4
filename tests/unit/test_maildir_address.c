/*
 * test_maildir_address.c: addresses as they should be written, and as they should not.
 */
#include "maildir_fixture.h"

#include "maildir/message/address.h"

/*
 * Each address as name|route|mailbox|host, a group as its name and "{", its end as "}", all of them
 * with ";" between.
 */
static const struct {
	const char *text, *outcome;
} rows[] = {
    {"", ""},
    {" \t", ""},
    {"anna@example.org", "||anna|example.org"},
    {"Anna <anna@example.org>", "Anna||anna|example.org"},
    {"Anna Berg <anna@example.org>", "Anna Berg||anna|example.org"},
    {"Anna   \t Berg<anna@example.org>", "Anna Berg||anna|example.org"},
    {"\"Berg, Anna\" <anna@example.org>", "Berg, Anna||anna|example.org"},
    {"\"say \\\"hi\\\" \\\\\" <a@b>", "say \"hi\" \\||a|b"},
    {"John Q. Public <jqp@example.org>", "John Q. Public||jqp|example.org"},
    {"=?utf-8?Q?J=C3=BCrgen?= <j@b>", "=?utf-8?Q?J=C3=BCrgen?=||j|b"},
    {"J\xc3\xbcrgen <j\xc3\xbc@\xc3\xa4.org>", "J\xc3\xbcrgen||j\xc3\xbc|\xc3\xa4.org"},
    {"a@b, c@d", "||a|b;||c|d"},
    {"a@b,c@d,", "||a|b;||c|d"},
    {",a@b,,c@d,", "||a|b;||c|d"},
    {",,,", ""},
    {"<a@b>", "||a|b"},
    {"<>", "|||"},
    {"Anna <>", "Anna|||"},
    /* comments */
    {"anna@example.org (Anna Berg)", "Anna Berg||anna|example.org"},
    {"(Anna) anna@example.org", "Anna||anna|example.org"},
    {"<anna@example.org> (Anna)", "Anna||anna|example.org"},
    {"anna@example.org ( Anna ) ()", "Anna||anna|example.org"},
    {"a@b (x \\) (y) z)", "x ) (y) z||a|b"},
    {"(a)Anna(b)Berg(c)<(d)anna(e)@(f)example(g).(h)org(i)>(j)", "Anna Berg||anna|example.org"},
    {"a(x)@(y)b(z), c@d (w)", "z||a|b;w||c|d"},
    {"(only a comment)", ""},
    /* quoted local parts, obsolete blanks, literals */
    {"\"a b\"@example.org", "||a b|example.org"},
    {"\"\"@x", "|||x"},
    {"\"a\".b.\"c d\"@x", "||a.b.c d|x"},
    {"a . b @ c . d", "||a.b|c.d"},
    {"a. b@c", "||a.b|c"},
    {"<a . b @ c . d>", "||a.b|c.d"},
    {"a@[192.0.2.1]", "||a|[192.0.2.1]"},
    {"a@[IPv6:2001:db8::1], b@[]", "||a|[IPv6:2001:db8::1];||b|[]"},
    {".a..b.@example..org.", "||.a..b.|example..org."},
    {"a%b@c, d!e!f@g", "||a%b|c;||d!e!f|g"},
    /* source routes */
    {"<@a,@b:c@d>", "|@a,@b|c|d"},
    {"Anna <@a.example , @b.example : c@d>", "Anna|@a.example,@b.example|c|d"},
    {"<,,@a,,@b,:c@d>", "|@a,@b|c|d"},
    {"<@x:y@z>", "|@x|y|z"},
    /* groups */
    {"friends: a@b, c@d;", "friends{;||a|b;||c|d;}"},
    {"friends: a@b;, others:;, e@f", "friends{;||a|b;};others{;};||e|f"},
    {"\"my friends\": Anna <a@b>;", "my friends{;Anna||a|b;}"},
    {"undisclosed-recipients:;", "undisclosed-recipients{;}"},
    {"undisclosed recipients: ;", "undisclosed recipients{;}"},
    {"g: a@b", "g{;||a|b;}"},
    {"g:", "g{;}"},
    {"a: b: c@d;; e;", "a{;||c|d;};||e|"},
    {":;", "{;}"},
    /* what is missing */
    {"root", "||root|"},
    {"anna, <bert>, @example.org, a@, @", "||anna|;||bert|;|||example.org;||a|;|||"},
    {"Anna Berg", "Anna Berg|||"},
    {"\"Anna\"", "Anna|||"},
    {"Anna <anna@example.org", "Anna||anna|example.org"},
    {"<a@b, c@d", "||a|b;||c|d"},
    {"<@a,@b", "|||a;|||b"},
    {"\"Anna <anna@example.org>", "Anna <anna@example.org>|||"},
    {"a@b (never (closed", "never (closed||a|b"},
    {"a@[192.0.2.1", "||a|[192.0.2.1"},
    /* what is too much */
    {"anna@example.org <anna@example.org>", "anna@example.org||anna|example.org"},
    {"anna@a (x) <bert@b>", "anna@a||bert|b"},
    {"Anna Berg anna@example.org", "Anna Berg||anna|example.org"},
    {"<<a@b>>", "||a|b"},
    {"<a@b> <c@d>, e@f", "||a|b;||e|f"},
    {"<a@b@c>, d@e", "||a|b;||d|e"},
    {"a@b c@d, e@f", "||a|b;||e|f"},
    {"a@b \"x, y\" z, c@d", "||a|b;||c|d"},
    {"a@b; c@d", "||a|b;||c|d"},
    {";;;", ""},
    {"> ) a@b", "||a|b"},
    {"[List] Anna <a@b>", "[List] Anna||a|b"},
    {"Anna \\ Berg <a@b>", "Anna \\ Berg||a|b"},
    {"<mailto:a@b>", "||mailto:a|b"},
    {"<Anna Berg@x>", "||Anna Berg|x"},
};

static void
add(struct mdbuf *out, const char *text)
{
	mdbuf_add(out, text, strlen(text));
}

static void
describe(struct address_parser *parser, enum address_kind kind, struct mdbuf *out)
{
	const struct mdbuf *texts[] = {
	    &parser->name, &parser->route, &parser->mailbox, &parser->host};

	add(out, out->len > 0 ? ";" : "");
	if (kind == ADDRESS_GROUP_END) {
		add(out, "}");
		return;
	}
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (kind == ADDRESS_GROUP && i != 2) {
			assert_int_equal(texts[i]->len, 0);
			continue;
		}
		add(out, kind == ADDRESS_MAILBOX && i > 0 ? "|" : "");
		mdbuf_add(out, texts[i]->data, texts[i]->len);
	}
	add(out, kind == ADDRESS_GROUP ? "{" : "");
}

/* The text in memory of just its size: looking behind it is found. */
static void
parse(const char *text, size_t len, struct address_parser *parser, struct mdbuf *out)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum address_kind kind;
	bool in_group = false;

	assert_non_null(copy);
	memcpy(copy, text, len);
	address_begin(parser, copy, len);
	while ((kind = address_next(parser)) != ADDRESS_NONE) {
		assert_false(kind == ADDRESS_GROUP && in_group);
		assert_false(kind == ADDRESS_GROUP_END && !in_group);
		in_group = kind == ADDRESS_GROUP || (in_group && kind != ADDRESS_GROUP_END);
		describe(parser, kind, out);
	}
	assert_false(in_group);
	assert_false(address_failed(parser));
	free(copy);
}

static void
written(void **state)
{
	struct address_parser parser = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mdbuf out = {0};

		parse(rows[i].text, strlen(rows[i].text), &parser, &out);
		mdbuf_add(&out, "", 1);
		assert_string_equal(out.data, rows[i].outcome);
		mdbuf_clear(&out);
	}
	address_clear(&parser);
}

/* Requirement 27: a backslash, quote, comment, literal or group that ends with the field. */
static void
cut_anywhere(void **state)
{
	static const char *const more[] = {"\"a\\", "\\", "(a\\", "((((", "a@[\\", "\"a\\\"", "<\"",
	    "<(", "<@(", "<@a\\", "g:\"", "a@b(\\", "a@\"", "\xff", "a.\"b\\"};
	struct address_parser parser = {0};
	struct mdbuf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t len = 0; len < strlen(rows[i].text); len++)
			parse(rows[i].text, len, &parser, &out);
	for (size_t i = 0; i < COUNT(more); i++)
		for (size_t len = 0; len <= strlen(more[i]); len++)
			parse(more[i], len, &parser, &out);
	address_clear(&parser);
	mdbuf_clear(&out);
}

/* Any octet, NUL too, between any two pieces: always an end. */
static void
any_octet(void **state)
{
	static const char *const pieces[] = {
	    "", "a", "\"b\"", "(c)", "<", ">", "@", ":", ",", "\\", "[", "."};
	struct address_parser parser = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t j = 0; j < COUNT(pieces); j++)
			for (unsigned c = 0; c < 256; c++) {
				struct mdbuf text = {0}, out = {0};
				char octet = (char)c;

				add(&text, pieces[i]);
				mdbuf_add(&text, &octet, 1);
				add(&text, pieces[j]);
				parse(text.data, text.len, &parser, &out);
				mdbuf_clear(&text);
				mdbuf_clear(&out);
			}
	address_clear(&parser);
}

/* Bombs: each takes time in proportion to its size, and no stack. */
static void
bombs(void **state)
{
	static const char *const pieces[] = {"(", "()", "\"", "\\", "<", "<@a,", "@", ":", ",",
	    "g:", "a,", "a@b(c)", ";", "[", ".", "\"\" ", "<a@b> "};
	struct address_parser parser = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct mdbuf text = {0}, out = {0};

		for (int n = 0; n < 100000; n++)
			add(&text, pieces[i]);
		parse(text.data, text.len, &parser, &out);
		mdbuf_clear(&text);
		mdbuf_clear(&out);
	}
	address_clear(&parser);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(written),
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(any_octet),
	    cmocka_unit_test(bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
