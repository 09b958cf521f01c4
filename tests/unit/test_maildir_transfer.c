/*
 * test_maildir_transfer.c: base64 and quoted-printable, whole and broken, in pieces of every size.
 */
#include "maildir_fixture.h"

#include "maildir/message/mime.h"

/* Decodes in pieces of so many octets, each in memory of just its size: a look beyond it is seen. */
static size_t
decode(enum transfer_encoding kind, const char *in, size_t len, size_t step, char *out)
{
	struct transfer_decoder decoder;
	size_t n = 0;

	transfer_init(&decoder, kind);
	for (size_t at = 0; at < len; at += step) {
		size_t piece = len - at < step ? len - at : step;
		char *copy = malloc(piece), *to = malloc(piece + sizeof(decoder.held));
		size_t got;

		assert_non_null(copy);
		assert_non_null(to);
		memcpy(copy, in + at, piece);
		got = transfer_feed(&decoder, copy, piece, to);
		assert_true(got <= piece + sizeof(decoder.held));
		memcpy(out + n, to, got);
		n += got;
		free(copy);
		free(to);
	}
	return n + transfer_end(&decoder, out + n);
}

struct row {
	const char *in, *expected;
};

static void
check(enum transfer_encoding kind, const struct row *rows, size_t count)
{
	char out[1024];

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(rows[i].in), expected = strlen(rows[i].expected);

		for (size_t step = 1; step <= len + 1; step++) {
			size_t n = decode(kind, rows[i].in, len, step, out);

			if (n != expected || memcmp(out, rows[i].expected, n) != 0)
				fail_msg("row %zu \"%s\" by %zu: \"%.*s\"", i, rows[i].in, step,
				    (int)n, out);
		}
		/* Cut anywhere it may end in other octets, but reads none beyond. */
		for (size_t cut = 0; cut < len; cut++)
			(void)decode(kind, rows[i].in, cut, len, out);
	}
}

static void
base64(void **state)
{
	static const struct row rows[] = {
	    {"", ""},
	    {"aGVsbG8=", "hello"},
	    {"aGVsbG8", "hello"},
	    {"aGVs\r\nbG8=\r\n", "hello"},
	    {"  aG Vs\tbG8=", "hello"},
	    {"aGVsbG8h", "hello!"},
	    {"aGVsbA==", "hell"},
	    {"aGVsbA=", "hell"},
	    {"aGVsbA", "hell"},
	    {"aGVsb", "hel"},	 /* six bits are no octet */
	    {"aGVsb===", "hel"}, /* nor with padding */
	    {"aGVsbG8=aGVsbG8=", "hellohello"},
	    {"aGVsbA==\r\nbw==\r\n", "hello"},
	    {"====", ""},
	    {"aG-Vs_bG*8=", "hello"},
	    {"aGVs\x80\xff"
	     "bG8=",
		"hello"},
	};

	(void)state;
	check(TRANSFER_BASE64, rows, COUNT(rows));
}

static void
base64_octets(void **state)
{
	char out[128];
	size_t n;

	(void)state;
	n = decode(TRANSFER_BASE64, "AAH/+/8=", 8, 8, out);
	assert_int_equal(n, 5);
	assert_memory_equal(out, "\x00\x01\xff\xfb\xff", 5);
}

static void
quoted_printable(void **state)
{
	static const struct row rows[] = {
	    {"", ""},
	    {"hello", "hello"},
	    {"h=C3=a9", "h\xc3\xa9"},
	    {"=3D=20=3d", "= ="},
	    {"one =\r\ntwo", "one two"},
	    {"one=\ntwo", "onetwo"},
	    {"one= \t \r\ntwo", "onetwo"},
	    {"one \t \r\ntwo", "one\r\ntwo"},
	    {"one \ntwo", "one\ntwo"},
	    {"one=20\r\ntwo", "one \r\ntwo"},
	    {"one  two", "one  two"},
	    {"one \r two\r", "one \r two\r"},
	    {"one \r\r\ntwo", "one \r\r\ntwo"},
	    {"=\r\n=\r\n=41", "A"},
	    /* an "=" that escapes nothing */
	    {"a=b", "a=b"},
	    {"a==b", "a==b"},
	    {"a===41", "a==A"},
	    {"a=4", "a=4"},
	    {"a=4\r\n", "a=4\r\n"},
	    {"a=4\n", "a=4\n"},
	    {"a=4 b", "a=4 b"},
	    {"a= b", "a= b"},
	    {"a=\rb", "a=\rb"},
	    {"a=4=41", "a=4A"},
	    {"http://x/?a=zz&b=41", "http://x/?a=zz&b"
				    "A"},
	    /* the end, whose line end is the boundary's */
	    {"one=", "one"},
	    {"one= ", "one"},
	    {"one  ", "one"},
	    {"one\r\n", "one\r\n"},
	    {"\xe9t\xe9 \r\n", "\xe9t\xe9\r\n"},
	};

	(void)state;
	check(TRANSFER_QUOTED_PRINTABLE, rows, COUNT(rows));
}

/* More blanks than are held: they stay, all of them. */
static void
quoted_blanks(void **state)
{
	char in[512], out[1024];

	(void)state;
	for (size_t blanks = 70; blanks < 200; blanks++) {
		memset(in, ' ', sizeof(in));
		in[blanks] = 'x';
		for (size_t step = 1; step <= blanks + 1; step += 7) {
			assert_int_equal(
			    decode(TRANSFER_QUOTED_PRINTABLE, in, blanks + 1, step, out),
			    blanks + 1);
			assert_memory_equal(out, in, blanks + 1);
		}
		in[0] = '=';
		assert_int_equal(
		    decode(TRANSFER_QUOTED_PRINTABLE, in, blanks + 1, 3, out), blanks + 1);
		assert_memory_equal(out, in, blanks + 1);
	}
}

static void
kinds(void **state)
{
	static const struct {
		const char *word;
		enum transfer_encoding kind;
	} rows[] = {
	    {NULL, TRANSFER_IDENTITY},
	    {"7bit", TRANSFER_IDENTITY},
	    {"8BIT", TRANSFER_IDENTITY},
	    {"Binary", TRANSFER_IDENTITY},
	    {"BASE64", TRANSFER_BASE64},
	    {"Quoted-Printable", TRANSFER_QUOTED_PRINTABLE},
	    {"x-uuencode", TRANSFER_UNKNOWN},
	    {"base 64", TRANSFER_UNKNOWN},
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(transfer_encoding(rows[i].word), rows[i].kind);
	assert_int_equal(decode(TRANSFER_IDENTITY, "a=41 \r\n", 7, 2, out), 7);
	assert_memory_equal(out, "a=41 \r\n", 7);
	assert_int_equal(decode(TRANSFER_UNKNOWN, "a=41", 4, 1, out), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64),
	    cmocka_unit_test(base64_octets),
	    cmocka_unit_test(quoted_printable),
	    cmocka_unit_test(quoted_blanks),
	    cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
