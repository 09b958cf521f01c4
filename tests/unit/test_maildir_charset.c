/*
 * test_maildir_charset.c: charsets by their names, whole, in pieces, broken, and confined.
 */
#include "maildir_fixture.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "maildir/message/charset.h"

/* Converts in pieces of so many octets, each in memory of just its size; NUL-terminated, malloc'd. */
static char *
convert(const struct charset *charset, const char *in, size_t len, size_t step)
{
	struct charset_carry carry = {.len = 0};
	struct mdbuf out = {0};

	for (size_t at = 0; at < len; at += step) {
		size_t piece = len - at < step ? len - at : step;
		char *copy = malloc(piece);

		assert_non_null(copy);
		memcpy(copy, in + at, piece);
		charset_to_utf8(charset, &carry, copy, piece, false, &out);
		assert_true(carry.len <= sizeof(carry.octets));
		assert_true(out.len == 0 || utf8_valid(out.data, out.len));
		free(copy);
	}
	charset_to_utf8(charset, &carry, NULL, 0, true, &out);
	assert_int_equal(carry.len, 0);
	assert_false(carry.begun);
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	return out.data;
}

static const struct charset *
find(const char *name)
{
	return charset_find(name, strlen(name));
}

#define BAD "\uFFFD"

static void
texts(void **state)
{
	static const struct {
		const char *charset, *in;
		size_t len; /* 0: to the NUL */
		const char *expected;
	} rows[] = {
	    {"utf-8", "", 0, ""},
	    {"utf-8", "plain", 0, "plain"},
	    {"utf-8", "\u00e9\u20ac\U0001f600", 0, "\u00e9\u20ac\U0001f600"},
	    {"utf-8",
		"a\xff"
		"b\xe2\x82",
		0, "a" BAD "b" BAD},
	    {"utf-8", "\xe2\x82z", 0, BAD BAD "z"},
	    {"us-ascii", "na\u00efve caf\xe9 \x80 \xe2\x82", 0,
		"na\u00efve caf\u00e9 \u20ac \u00e2\u201a"},
	    {"iso-8859-1", "caf\xe9 \x80\x81", 0, "caf\u00e9 \u20ac" BAD},
	    {"iso-8859-2", "\xb1\xe6\xea\xb3\xf1\xf3\xb6\xbc\xbf", 0, "ąćęłńóśźż"},
	    {"iso-8859-5", "\xbf\xe0\xd8\xd2\xd5\xe2", 0, "Привет"},
	    {"iso-8859-7", "\xe3\xe5\xe9\xdc", 0, "γειά"},
	    {"iso-8859-8", "\xf9\xec\xe5\xed", 0, "שלום"},
	    {"iso-8859-9", "\xfd\xfe\xf0", 0, "ışğ"},
	    {"iso-8859-15", "\xa4\xbd", 0, "€œ"},
	    {"windows-1250", "\x9c\x9f\xb9", 0, "śźą"},
	    {"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", 0, "Привет"},
	    {"windows-1255", "\xf9\xec\xe5\xed", 0, "שלום"},
	    {"windows-1256", "\xe3\xd1\xcd\xc8\xc7", 0, "مرحبا"},
	    {"windows-1257", "\xe0\xe8\xe6\xeb", 0, "ąčęė"},
	    {"windows-1258", "a\xec", 0, "a\u0301"},
	    {"windows-874", "\xca\xc7\xd1\xca", 0, "สวัส"},
	    {"tis-620", "\xca\xc7\xd1\xca", 0, "สวัส"},
	    {"koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4", 0, "Привет"},
	    {"koi8-u", "\xa6\xa7\xad", 0, "іїґ"},
	    {"cp437", "\x81\x84\x94", 0, "üäö"},
	    {"cp866", "\x8f\xe0\xa8", 0, "При"},
	    {"macintosh", "caf\x8e", 0, "café"},
	    {"gb2312", "\xc4\xe3\xba\xc3", 0, "你好"},
	    {"gbk", "\x96\x7c", 0, "東"},
	    {"gb18030", "a\x81\x30\x84\x36z", 0, "a\u00a5z"},
	    {"gb18030", "\x94\x39\xfc\x36", 0, "\U0001f600"},
	    {"big5", "\xa7\x41\xa6\x6e", 0, "你好"},
	    {"euc-jp", "\xa4\xb3\xa4\xf3", 0, "こん"},
	    {"euc-jp", "\x8e\xb1\x8f\xb0\xa1", 0, "\uff71\u4e02"},
	    {"shift_jis", "\x82\xb1\x82\xf1\xb1\x87\x40", 0, "こん\uff71①"},
	    {"iso-2022-jp", "a\x1b$B$3$s\x1b(Bz", 0, "aこんz"},
	    {"iso-2022-jp", "\x1b$B$3", 0, "こ"},
	    {"euc-kr", "\xb0\xa1\xb3\xaa", 0, "가나"},
	    {"ks_c_5601-1987", "\x81\x41", 0, "갂"},
	    {"iso-2022-kr", "\x1b$)C\x0e\x30\x21\x0fz", 0, "가z"},
	    {"utf-7", "Hi Mom -+Jjo--!", 0, "Hi Mom -\u263a-!"},
	    {"utf-7", "A+ImIDkQ.", 0, "A\u2262\u0391."},
	    {"utf-16", "\0a\x20\xac\xd8\x3d\xde\0", 8, "a\u20ac\U0001f600"},
	    {"utf-16",
		"\xff\xfe"
		"a\0\xac\x20\x3d\xd8\0\xde",
		10, "a\u20ac\U0001f600"},
	    {"utf-16", "\xfe\xff\0a", 4, "a"},
	    {"utf-16be", "\xfe\xff\0a\0", 5, "a" BAD},
	    {"utf-16le", "a\0\x3d\xd8z\0", 6, "a" BAD "z"},
	    {"utf-16le", "a\0\x3d\xd8", 4, "a" BAD},
	    {"utf-16be", "\xde\0\0a", 4, BAD "a"},
	    {"utf-32", "\0\0\0a\0\x01\xf6\0\0\x11\0\0", 12, "a\U0001f600" BAD},
	    {"utf-32", "\xff\xfe\0\0a\0\0\0a", 9, "a" BAD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = rows[i].len != 0 ? rows[i].len : strlen(rows[i].in);
		const struct charset *charset = find(rows[i].charset);

		if (charset == NULL)
			fail_msg("row %zu: %s is unknown", i, rows[i].charset);
		for (size_t step = 1; step <= len + 1; step++) {
			char *text = convert(charset, rows[i].in, len, step);

			if (strcmp(text, rows[i].expected) != 0)
				fail_msg(
				    "row %zu %s by %zu: \"%s\"", i, rows[i].charset, step, text);
			free(text);
		}
		for (size_t cut = 0; cut < len; cut++)
			free(convert(charset, rows[i].in, cut, len));
	}
}

/* Octets at random in every charset: the result is UTF-8 and ends, in pieces of any size. */
static void
noise(void **state)
{
	char in[5000];
	uint32_t seed = 1;
	const char *name;

	(void)state;
	for (size_t n = 0; (name = charset_name(n)) != NULL; n++) {
		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = (char)(seed >> 24);
		}
		for (size_t step = 1; step < sizeof(in); step = step * 3 + 1)
			free(convert(find(name), in, sizeof(in), step));
		if (charset_stateful(find(name)))
			continue; /* glibc forgets what went before an error at the end of a call */
		for (size_t step = 1; step < 40; step++) {
			char *whole = convert(find(name), in, sizeof(in), sizeof(in));
			char *pieces = convert(find(name), in, sizeof(in), step);

			if (strcmp(whole, pieces) != 0)
				fail_msg("%s by %zu", name, step);
			free(whole);
			free(pieces);
		}
	}
}

static void
names(void **state)
{
	static const char *const same[][2] = {
	    {"UTF-8", "utf-8"},
	    {"utf8", "utf-8"},
	    {"US-ASCII", "us-ascii"},
	    {"ANSI_X3.4-1968", "us-ascii"},
	    {"latin1", "iso-8859-1"},
	    {"ISO_8859-1:1987", "iso-8859-1"},
	    {"ISO8859-2", "iso-8859-2"},
	    {"iso-8859-8-i", "iso-8859-8"},
	    {"x-cp1250", "windows-1250"},
	    {"CP1251", "windows-1251"},
	    {"windows1252", "windows-1252"},
	    {"cp-850", "ibm850"},
	    {"ibm437", "cp437"},
	    {"GB2312", "gb18030"},
	    {"x-gbk", "gb18030"},
	    {"ms936", "gb18030"},
	    {"windows-949", "euc-kr"},
	    {"x-sjis", "shift_jis"},
	    {"Windows-31J", "shift_jis"},
	    {"EUC_KR", "euc-kr"},
	    {"csISO2022JP", "iso-2022-jp"},
	    {"x-mac-cyrillic", "mac-cyrillic"},
	    {"x-mac-roman", "macintosh"},
	    {"UTF16LE", "utf-16le"},
	    {"unicode-1-1-utf-7", "utf-7"},
	};
	static const char *const unknown[] = {"", "-", "x-", "x", "utf", "utf-88", "iso-8859-",
	    "iso-8859-12", "iso-8859-111", "cp", "cp0", "windows-", "windows-12522",
	    "cp99999999999999999999", "klingon", "hz-gb-2312", "utf-8//IGNORE", "\xff"};
	const char *name;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++) {
		if (find(same[i][0]) == NULL || find(same[i][0]) != find(same[i][1]))
			fail_msg("%s is not %s", same[i][0], same[i][1]);
	}
	for (size_t i = 0; i < COUNT(unknown); i++) {
		if (find(unknown[i]) != NULL)
			fail_msg("\"%s\" is known", unknown[i]);
	}
	assert_null(charset_find("utf-8", 4));
	assert_ptr_equal(charset_unmarked(), find("us-ascii"));
	while ((name = charset_name(n)) != NULL) {
		assert_non_null(find(name));
		for (size_t other = 0; other < n; other++)
			assert_string_not_equal(charset_name(other), name);
		n++;
	}
	assert_true(n > 40);
}

/* No file can be opened, nor memory mapped that can be executed: what a session is confined to. */
static void
confine(void)
{
	struct rlimit none = {0, 0};
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 4, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {COUNT(code), code};

	if (setrlimit(RLIMIT_NOFILE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		_exit(2);
}

/* Every converter works in a child that is confined before it converted anything. */
static void
confined(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const char *name;

		confine();
		for (size_t n = 0; (name = charset_name(n)) != NULL; n++) {
			struct charset_carry carry = {.len = 0};
			struct mdbuf out = {0};

			charset_to_utf8(find(name), &carry, "abc\xc4\xe3\x1b$B", 8, true, &out);
			if (out.len == 0)
				_exit(3);
			mdbuf_clear(&out);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Before charset_load, and where the system has no converters: unknown, and the others are not. */
static void
not_loaded(void **state)
{
	(void)state;
	assert_null(find("gb2312"));
	assert_null(find("iso-2022-jp"));
	assert_non_null(find("utf-8"));
	assert_non_null(find("utf-16"));
	assert_non_null(find("koi8-r"));
	charset_load();
	charset_load();
	assert_non_null(find("gb2312"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(not_loaded), /* first: it loads them for the others */
	    cmocka_unit_test(confined),
	    cmocka_unit_test(names),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
