/*
 * test_maildir_casemap.c: UTF-8 as i;unicode-casemap compares it.
 */
#include "maildir_fixture.h"

#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/utf8.h"

static char *
mapped(const char *text, size_t len, size_t *len_r)
{
	struct mdbuf out = {0};
	char *copy = malloc(len + (len == 0)); /* exact, so that a look beyond is seen */

	assert_non_null(copy);
	memcpy(copy, text, len);
	casemap_add(copy, len, &out);
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	free(copy);
	*len_r = out.len - 1;
	return out.data;
}

static void
rows(void **state)
{
	static const struct {
		const char *in, *expected;
	} row[] = {
	    {"", ""},
	    {"Hello, World! @[`{~0\x7f\x01", "HELLO, WORLD! @[`{~0\x7f\x01"},
	    {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	    {"aaaaaaa\xc3\xa9zzzzzzzzz", "AAAAAAAE\xcc\x81ZZZZZZZZZ"},
	    {"\u00e9", "E\u0301"},
	    {"e\u0301", "E\u0301"},
	    {"\u00c9", "E\u0301"},
	    {"\u00fc\u00dc", "U\u0308U\u0308"},
	    {"stra\u00dfe", "STRA\u00dfE"}, /* no full case folding: RFC 5051, section 2 */
	    {"\u1e9e", "\u1e9e"},
	    {"\u01c4\u01c5\u01c6", "Dz\u030cDz\u030cDz\u030c"}, /* the RFC's example */
	    {"\u043f\u0440\u0418\u0432\u0435\u0442", "\u041f\u0420\u0418\u0412\u0415\u0422"},
	    {"\u0439", "\u0418\u0306"},
	    {"\u03b1\u03c3\u03c2", "\u0391\u03a3\u03a3"}, /* the final sigma too */
	    {"\u0131", "I"},
	    {"\u0130", "I\u0307"},
	    {"\u212b", "A\u030a"},
	    {"\ufb01", "fi"}, /* decomposed only: step (b) is not followed by (a) */
	    {"\u00b5", "\u039c"},
	    {"\u00bd", "1\u20442"},
	    {"\uff21\uff41", "AA"},
	    {"\u00a0", " "},
	    {"\u1e69", "S\u0323\u0307"}, /* decomposed twice */
	    {"\u1f80", "\u0391\u0313\u0345"},
	    {"\u10d0", "\u10d0"}, /* Georgian: its title case is itself */
	    {"\u4e2d\u6587", "\u4e2d\u6587"},
	    {"\uf900", "\u8c48"},
	    {"\U0002f800", "\u4e3d"},
	    {"\U00010428", "\U00010400"},
	    {"\U0001d5ba", "a"},
	    {"\U0001f600", "\U0001f600"},
	    {"\U0010ffff", "\U0010ffff"},
	    {"\uac00", "\u1100\u1161"},
	    {"\uac01", "\u1100\u1161\u11a8"},
	    {"\ud7a3", "\u1112\u1175\u11c2"},
	    /* no UTF-8: as it is */
	    {"a\xff"
	     "b",
		"A\xff"
		"B"},
	    {"a\xc3", "A\xc3"},
	    {"\xe2\x82", "\xe2\x82"},
	    {"\xc0\xafx", "\xc0\xafX"},
	    {"\xed\xa0\x80", "\xed\xa0\x80"},
	    {"\xf4\x90\x80\x80", "\xf4\x90\x80\x80"},
	    {"\xc3\xc3\xa9", "\xc3"
			     "E\xcc\x81"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		size_t len = strlen(row[i].in), got;
		char *text = mapped(row[i].in, len, &got);

		if (strcmp(text, row[i].expected) != 0)
			fail_msg("row %zu \"%s\": \"%s\"", i, row[i].in, text);
		free(text);
		for (size_t cut = 0; cut < len; cut++)
			free(mapped(row[i].in, cut, &got));
	}
}

/* U+FDFA becomes 18 characters; many of them, and every length around a piece. */
static void
long_text(void **state)
{
	char in[9000];
	size_t got;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i += 3)
		memcpy(in + i, "\xef\xb7\xba", 3);
	free(mapped(in, sizeof(in), &got));
	assert_int_equal(got, sizeof(in) / 3 * 33);
	memset(in, 'q', sizeof(in));
	for (size_t len = 2000; len < 2100; len++) {
		char *text = mapped(in, len, &got);

		assert_int_equal(got, len);
		assert_int_equal(strspn(text, "Q"), len);
		free(text);
	}
}

/* A character of the code, as UTF-8 with no check. */
static size_t
encode(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Every character there can be: well-formed, and mapped to what is. */
static void
every_character(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 0x110800; code++) {
		bool surrogate = code >= 0xd800 && code <= 0xdfff;
		struct mdbuf out = {0};
		uint32_t back = 0;
		char octets[4];
		size_t len = encode(code, octets);

		if (surrogate || code > 0x10ffff) {
			assert_false(utf8_valid(octets, len));
			assert_int_equal(utf8_next(octets, len, &back), -1);
			continue;
		}
		assert_true(utf8_valid(octets, len));
		assert_int_equal(utf8_next(octets, len, &back), len);
		assert_int_equal(back, code);
		for (size_t cut = 1; cut < len; cut++)
			assert_int_equal(utf8_next(octets, cut, &back), 0);
		casemap_add(octets, len, &out);
		assert_true(out.len > 0 && utf8_valid(out.data, out.len));
		mdbuf_clear(&out);
	}
}

static void
validity(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} row[] = {
	    {"", true},
	    {"plain", true},
	    {"\u00e9\u20ac\U0001f600", true},
	    {"\xf4\x8f\xbf\xbf", true},
	    {"\x80", false},
	    {"\xbf", false},
	    {"\xc0\x80", false},
	    {"\xc1\xbf", false},
	    {"\xe0\x9f\xbf", false},
	    {"\xf0\x8f\xbf\xbf", false},
	    {"\xf5\x80\x80\x80", false},
	    {"\xfe", false},
	    {"abcdefgh\xe9", false},
	    {"abc\xe2\x82", false},
	    {"abc\xe2\x82g", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(row); i++)
		assert_int_equal(utf8_valid(row[i].text, strlen(row[i].text)), row[i].valid);
	assert_true(utf8_valid("a\0b", 3));
	assert_int_equal(utf8_ascii("0123456789\xc3\xa9", 12), 10);
	assert_int_equal(utf8_ascii("0123456789", 10), 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows),
	    cmocka_unit_test(long_text),
	    cmocka_unit_test(every_character),
	    cmocka_unit_test(validity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
