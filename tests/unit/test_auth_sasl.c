/*
 * test_auth_sasl.c: base64, PLAIN and LOGIN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/sasl.h"

enum { ROOM = 2048 };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TEXT(text)   (text), sizeof(text) - 1

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* An encoder as simple as can be, for the tests only. */
static size_t
encode(const char *in, size_t len, char *out_r)
{
	const unsigned char *octets = (const unsigned char *)in;
	size_t done = 0;
	size_t i, k;

	for (i = 0; i < len; i += 3) {
		unsigned long bits = 0;
		for (k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < len ? octets[i + k] : 0);
		for (k = 0; k < 4; k++)
			out_r[done++] = i + k <= len ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
	}
	out_r[done] = '\0';
	return done;
}

static void
base64_takes(void **state)
{
	static const struct {
		const char *in, *out;
		long len;
	} rows[] = {
	    {"", "", 0},
	    {"Zg==", "f", 1},
	    {"Zm8=", "fo", 2},
	    {"Zm9v", "foo", 3},
	    {"Zm9vYg==", "foob", 4},
	    {"Zm9vYmE=", "fooba", 5},
	    {"Zm9vYmFy", "foobar", 6},
	    {"AAAA", "\0\0\0", 3},
	    {"/+//", "\xff\xef\xff", 3},
	    {"AA==", "\0", 1},
	};
	unsigned char out[8];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    base64_decode(rows[i].in, strlen(rows[i].in), out, sizeof(out)), rows[i].len);
		assert_memory_equal(out, rows[i].out, (size_t)rows[i].len);
	}
}

static void
base64_refuses(void **state)
{
	static const char *const rows[] = {"Z", "Zg", "Zg=", "Zg=a", "Zh==", "Zm9=", "=",
	    "==", "===", "====", "A===", "Zg==Zg==", "Zm8=Zm8=", "Zm9v ", " Zm9v", "Zm9v\n",
	    "Zm9v\r\n", "Zm9v=", "Zm9v====", "Zm-v", "Zm_v", "Zm9\x80", "Z=9v", "Zm=v", "=m9v",
	    "Zg==\n", "Zm9vZ", "*", "Zm\n9v"};
	unsigned char out[8];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(base64_decode(rows[i], strlen(rows[i]), out, sizeof(out)), -1);
	assert_int_equal(base64_decode(TEXT("Zm\0v"), out, sizeof(out)), -1);
}

static void
base64_keeps_to_its_room(void **state)
{
	unsigned char out[4] = {0, 0, 0, 0x5a};

	(void)state;
	assert_int_equal(base64_decode("Zm9v", 4, out, 3), 3);
	assert_int_equal(base64_decode("Zm9v", 4, out, 2), -1);
	assert_int_equal(base64_decode("Zm8=", 4, out, 2), 2);
	assert_int_equal(base64_decode("Zm9vYg==", 8, out, 3), -1);
	assert_int_equal(base64_decode("Zg==", 4, out, 0), -1);
	assert_int_equal(base64_decode("", 0, out, 0), 0);
	assert_int_equal(out[3], 0x5a);
}

/* Every octet comes back, whatever stands beside it. */
static void
base64_round_trip(void **state)
{
	unsigned char out[ROOM];
	char in[256], text[ROOM];
	size_t i, len, at;

	(void)state;
	for (i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7 + 3);
	for (at = 0; at < 3; at++)
		for (len = 0; at + len <= sizeof(in); len++) {
			size_t coded = encode(in + at, len, text);
			assert_int_equal(base64_decode(text, coded, out, sizeof(out)), (long)len);
			assert_memory_equal(out, in + at, len);
		}
}

static void
mechanisms(void **state)
{
	struct sasl sasl;

	(void)state;
	assert_string_equal(SASL_MECHANISMS, "PLAIN LOGIN");
	assert_int_equal(sasl_start(&sasl, "PLAIN"), 0);
	assert_int_equal(sasl_start(&sasl, "plain"), 0);
	assert_int_equal(sasl_start(&sasl, "Login"), 0);
	assert_int_equal(sasl_start(&sasl, ""), -1);
	assert_int_equal(sasl_start(&sasl, "PLAINX"), -1);
	assert_int_equal(sasl_start(&sasl, "PLAI"), -1);
	assert_int_equal(sasl_start(&sasl, "CRAM-MD5"), -1);
	/* Feeding after a refused start is wrong, not a crash. */
	assert_int_equal(sasl_feed(&sasl, "Zm9v", 4, false), SASL_WRONG);
}

/* Feeds what text encodes to. */
static enum sasl_result
feed_text(struct sasl *sasl, const char *text, size_t len, bool initial)
{
	char line[ROOM];
	size_t coded = encode(text, len, line);

	return sasl_feed(sasl, line, coded, initial);
}

static void
plain(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		enum sasl_result result;
		const char *name, *password;
	} rows[] = {
	    {TEXT("\0anna\0secret"), SASL_DONE, "anna", "secret"},
	    {TEXT("anna\0anna\0secret"), SASL_DONE, "anna", "secret"},
	    {TEXT("\0anna@example.org\0s e:c\xc3\xa4"), SASL_DONE, "anna@example.org",
		"s e:c\xc3\xa4"},
	    {TEXT("\0a\0b"), SASL_DONE, "a", "b"},
	    {TEXT("bert\0anna\0secret"), SASL_WRONG, "", ""},
	    {TEXT("Anna\0anna\0secret"), SASL_WRONG, "", ""},
	    {TEXT("ann\0anna\0secret"), SASL_WRONG, "", ""},
	    {TEXT("annaa\0anna\0secret"), SASL_WRONG, "", ""},
	    {TEXT("\0anna\0secret\0"), SASL_WRONG, "", ""},
	    {TEXT("\0anna\0sec\0ret"), SASL_WRONG, "", ""},
	    {TEXT("\0anna\0secret\0more"), SASL_WRONG, "", ""},
	    {TEXT("\0anna\0"), SASL_WRONG, "", ""},
	    {TEXT("\0\0secret"), SASL_WRONG, "", ""},
	    {TEXT("\0\0"), SASL_WRONG, "", ""},
	    {TEXT("\0anna"), SASL_WRONG, "", ""},
	    {TEXT("\0"), SASL_WRONG, "", ""},
	    {TEXT("anna"), SASL_WRONG, "", ""},
	    {TEXT("anna\0secret"), SASL_WRONG, "", ""},
	    {TEXT(""), SASL_WRONG, "", ""},
	};
	struct sasl sasl;
	size_t i, initial;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		for (initial = 0; initial < 2; initial++) {
			assert_int_equal(sasl_start(&sasl, "PLAIN"), 0);
			if (!initial) {
				assert_int_equal(sasl_begin(&sasl), SASL_MORE);
				assert_string_equal(sasl.challenge, "");
			}
			assert_int_equal(
			    feed_text(&sasl, rows[i].text, rows[i].len, initial), rows[i].result);
			assert_string_equal(sasl.name, rows[i].name);
			assert_string_equal(sasl.password, rows[i].password);
			/* The dialogue is over, whatever came of it. */
			assert_int_equal(
			    feed_text(&sasl, TEXT("\0anna\0secret"), false), SASL_WRONG);
			assert_string_equal(sasl.password, "");
		}
}

static void
login(void **state)
{
	struct sasl sasl;
	int initial;

	(void)state;
	for (initial = 0; initial < 2; initial++) {
		assert_int_equal(sasl_start(&sasl, "LOGIN"), 0);
		if (!initial) {
			assert_int_equal(sasl_begin(&sasl), SASL_MORE);
			assert_string_equal(sasl.challenge, "VXNlcm5hbWU6");
		}
		assert_int_equal(feed_text(&sasl, TEXT("anna"), initial), SASL_MORE);
		assert_string_equal(sasl.challenge, "UGFzc3dvcmQ6");
		assert_int_equal(feed_text(&sasl, TEXT("secret"), false), SASL_DONE);
		assert_string_equal(sasl.name, "anna");
		assert_string_equal(sasl.password, "secret");
		sasl_clear(&sasl);
		assert_string_equal(sasl.name, "");
		assert_string_equal(sasl.password, "");
	}
}

static void
login_refuses(void **state)
{
	static const struct {
		const char *name;
		size_t name_len;
		const char *password;
		size_t password_len;
	} rows[] = {
	    {TEXT(""), NULL, 0},
	    {TEXT("an\0na"), NULL, 0},
	    {TEXT("anna\0"), NULL, 0},
	    {TEXT("anna"), TEXT("")},
	    {TEXT("anna"), TEXT("sec\0ret")},
	};
	struct sasl sasl;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sasl_start(&sasl, "LOGIN"), 0);
		assert_int_equal(feed_text(&sasl, rows[i].name, rows[i].name_len, false),
		    rows[i].password == NULL ? SASL_WRONG : SASL_MORE);
		if (rows[i].password != NULL)
			assert_int_equal(
			    feed_text(&sasl, rows[i].password, rows[i].password_len, false),
			    SASL_WRONG);
		assert_string_equal(sasl.name, "");
		assert_string_equal(sasl.password, "");
	}
}

static void
cancel_and_bad_lines(void **state)
{
	static const struct {
		const char *line;
		bool initial;
		enum sasl_result result;
	} rows[] = {
	    {"*", false, SASL_CANCEL},
	    {"*", true, SASL_WRONG},
	    {"**", false, SASL_WRONG},
	    {"* ", false, SASL_WRONG},
	    {"=", true, SASL_WRONG},
	    {"=", false, SASL_WRONG},
	    {"", false, SASL_WRONG},
	    {"", true, SASL_WRONG},
	    {"AGFubmEAc2VjcmV0", false, SASL_DONE},
	    {"AGFubmEAc2VjcmV0=", false, SASL_WRONG},
	    {"AGFubmEAc2VjcmV0 ", false, SASL_WRONG},
	    {" AGFubmEAc2VjcmV0", false, SASL_WRONG},
	};
	struct sasl sasl;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sasl_start(&sasl, "PLAIN"), 0);
		assert_int_equal(
		    sasl_feed(&sasl, rows[i].line, strlen(rows[i].line), rows[i].initial),
		    rows[i].result);
	}
	assert_int_equal(sasl_start(&sasl, "LOGIN"), 0);
	assert_int_equal(feed_text(&sasl, TEXT("anna"), false), SASL_MORE);
	assert_int_equal(sasl_feed(&sasl, "*", 1, false), SASL_CANCEL);
	assert_string_equal(sasl.name, "");
}

/* The longest name and password pass, one octet more does not. */
static void
limits(void **state)
{
	char text[ROOM], line[ROOM];
	struct sasl sasl;
	size_t name, password, at;

	(void)state;
	for (name = AUTH_NAME_MAX; name <= AUTH_NAME_MAX + 1; name++)
		for (password = AUTH_PASSWORD_MAX; password <= AUTH_PASSWORD_MAX + 1; password++) {
			bool fits = name == AUTH_NAME_MAX && password == AUTH_PASSWORD_MAX;

			memset(text, 'n', ROOM);
			text[name] = '\0';
			text[2 * name + 1] = '\0';
			memset(text + 2 * name + 2, 'p', password);
			at = 2 * name + 2 + password;
			assert_int_equal(sasl_start(&sasl, "PLAIN"), 0);
			assert_int_equal(
			    feed_text(&sasl, text, at, true), fits ? SASL_DONE : SASL_WRONG);
			assert_int_equal(strlen(sasl.name), fits ? name : 0);
			assert_int_equal(strlen(sasl.password), fits ? password : 0);
		}
	memset(line, 'A', ROOM);
	for (at = SASL_LINE_MAX - 8; at < ROOM; at++) {
		assert_int_equal(sasl_start(&sasl, "LOGIN"), 0);
		assert_int_equal(sasl_feed(&sasl, line, at, false), SASL_WRONG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64_takes),
	    cmocka_unit_test(base64_refuses),
	    cmocka_unit_test(base64_keeps_to_its_room),
	    cmocka_unit_test(base64_round_trip),
	    cmocka_unit_test(mechanisms),
	    cmocka_unit_test(plain),
	    cmocka_unit_test(login),
	    cmocka_unit_test(login_refuses),
	    cmocka_unit_test(cancel_and_bad_lines),
	    cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
