/*
 * test_server_imap_name.c: names of mailboxes, modified UTF-7; REQUIREMENTS 22.
 */
#include "server_fixture.h"

#include "maildir/message/charset.h"
#include "server/imap/name.h"

/* Maps a copy that ends where the name does. */
static const char *
to_folder(const char *name, size_t len, bool utf8, char folder[IMAP_NAME_MAX])
{
	char *copy = malloc(len > 0 ? len : 1);
	const char *refusal;

	assert_non_null(copy);
	memcpy(copy, name, len);
	refusal = imap_name_folder(copy, len, utf8, folder);
	free(copy);
	return refusal;
}

/* 0: a copy that ends where the text does is taken, and as long as it says. */
static int
convert(enum utf7 (*to)(const char *, size_t, char *, size_t), const char *text, size_t len,
    char *out, size_t size)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum utf7 result;

	assert_non_null(copy);
	memcpy(copy, text, len);
	result = to(copy, len, out, size);
	free(copy);
	return result == UTF7_OK ? 0 : -1;
}

/* One text in both encodings; each becomes the other, and fits exactly where it fits. */
static void
encodings_go_both_ways(void **state)
{
	static const struct {
		const char *utf8, *utf7;
	} rows[] = {
	    {"", ""},
	    {"abc", "abc"},
	    {"a b~*%\\\"{(", "a b~*%\\\"{("},
	    {"&", "&-"},
	    {"&&", "&-&-"},
	    {"a&b", "a&-b"},
	    {"&AOQ-", "&-AOQ-"},
	    {"-", "-"},
	    {"\xc3\xa4", "&AOQ-"},
	    {"\xc3\xa4-", "&AOQ--"},
	    {"\xc3\xa4&", "&AOQ-&-"},
	    {"&\xc3\xa4", "&-&AOQ-"},
	    {"x\xc3\xa4y\xc3\xb6z", "x&AOQ-y&APY-z"},
	    {"\xc3\xa4\xc3\xb6", "&AOQA9g-"},
	    {"\xc3\xa4\xc3\xb6\xc3\xbc", "&AOQA9gD8-"},
	    {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
	    {"\xe5\x8f\xb0\xe5\x8c\x97", "&U,BTFw-"},
	    {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
	    {"\xf0\x9f\x98\x80", "&2D3eAA-"},
	    {"\xf0\x90\x80\x80", "&2ADcAA-"},
	    {"\xf4\x8f\xbf\xbf", "&2,,f,w-"},
	    {"\xc2\xa0", "&AKA-"},
	    {"\xdf\xbf\xe0\xa0\x80", "&B,8IAA-"},
	    {"\xed\x9f\xbf\xee\x80\x80", "&1,,gAA-"},
	    {"\xef\xbf\xbf", "&,,8-"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t utf8 = strlen(rows[i].utf8), utf7 = strlen(rows[i].utf7);

		assert_int_equal(convert(utf7_encode, rows[i].utf8, utf8, out, sizeof(out)), 0);
		assert_string_equal(out, rows[i].utf7);
		assert_int_equal(convert(utf7_decode, rows[i].utf7, utf7, out, sizeof(out)), 0);
		assert_string_equal(out, rows[i].utf8);
		for (size_t size = 0; size <= utf7; size++)
			assert_int_equal(convert(utf7_encode, rows[i].utf8, utf8, out, size), -1);
		for (size_t size = 0; size <= utf8; size++)
			assert_int_equal(convert(utf7_decode, rows[i].utf7, utf7, out, size), -1);
		assert_int_equal(convert(utf7_encode, rows[i].utf8, utf8, out, utf7 + 1), 0);
		assert_int_equal(convert(utf7_decode, rows[i].utf7, utf7, out, utf8 + 1), 0);
	}
}

static void
malformed_utf7(void **state)
{
	static const char *const rows[] = {
	    "&",	  /* not ended */
	    "&AOQ",	  /* not ended */
	    "&AOQ&-",	  /* nor here */
	    "&A-",	  /* less than a unit */
	    "&AO-",	  /* so, too */
	    "&AOR-",	  /* bits behind the unit */
	    "&AOQA-",	  /* six of them */
	    "&AOQAA-",	  /* twelve */
	    "&AOQ=-",	  /* filled as BASE64 is */
	    "&AG/-",	  /* that is "," here */
	    "&AOQ-&APY-", /* one run in two */
	    "&AGE-",	  /* "a" */
	    "&ACY-",	  /* "&" */
	    "&AC8-",	  /* "/" */
	    "&AC4-",	  /* "." */
	    "&AC4ALg-",	  /* ".." */
	    "&AOQALw-",	  /* a letter and "/" */
	    "&2D0-",	  /* half a pair */
	    "&3gA-",	  /* the other half */
	    "&2D3YPQ-",	  /* two first halves */
	    "&2D0AOQ-",	  /* a half and a letter */
	    "&3gDYPQ-",	  /* turned */
	    "&AAA-",	  /* NUL */
	    "&AAo-",	  /* LF */
	    "&AH8-",	  /* DEL */
	    "&AIU-",	  /* NEL */
	    "&ICg-",
	    "&ICk-", /* separators of lines and paragraphs */
	    "a\x01",
	    "a\x7f",
	    "a\x80",
	    "\xc3\xa4",
	    "&\xc3\xa4-",
	    "& AOQ-",
	    "a\n",
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    convert(utf7_decode, rows[i], strlen(rows[i]), out, sizeof(out)), -1);
	assert_int_equal(convert(utf7_decode, "a\0b", 3, out, sizeof(out)), -1);
}

static void
malformed_utf8(void **state)
{
	static const char *const rows[] = {
	    "\x80", /* in the middle */
	    "\xc3",
	    "\xe5\x8f",
	    "\xf0\x9f\x98", /* cut */
	    "\xc3x",
	    "\xe5\x8fx",
	    "\xf0\x9f\x98x", /* cut, and more */
	    "\xc0\xaf",
	    "\xc1\x81",
	    "\xe0\x80\xaf", /* longer than need be */
	    "\xe0\x9f\xbf",
	    "\xf0\x80\x80\xaf",
	    "\xf0\x8f\xbf\xbf",
	    "\xed\xa0\x80",
	    "\xed\xbf\xbf", /* surrogates */
	    "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80", /* above U+10FFFF */
	    "\xf8\x88\x80\x80\x80",
	    "\xfe",
	    "\xff", /* as it once was */
	    "\xe4", /* ISO 8859-1 */
	    "\n",
	    "\x1f",
	    "\x7f",
	    "\xc2\x80",
	    "\xc2\x9f",
	    "\xe2\x80\xa8",
	    "\xe2\x80\xa9",
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    convert(utf7_encode, rows[i], strlen(rows[i]), out, sizeof(out)), -1);
	assert_int_equal(convert(utf7_encode, "a\0b", 3, out, sizeof(out)), -1);
}

/* Every character there is, there and back. */
static void
all_of_unicode(void **state)
{
	char utf8[8], utf7[16], again[8];

	(void)state;
	for (uint32_t code = 0xa0; code <= 0x10ffff; code++) {
		int n = 0;

		if (code == 0xd800)
			code = 0xe000;
		if (code == 0x2028)
			code = 0x202a;
		if (code >= 0x10000)
			utf8[n++] = (char)(0xf0 | code >> 18);
		if (code >= 0x800)
			utf8[n++] = (char)(code >= 0x10000 ? 0x80 | (code >> 12 & 0x3f)
							   : 0xe0 | code >> 12);
		utf8[n++] = (char)(code >= 0x800 ? 0x80 | (code >> 6 & 0x3f) : 0xc0 | code >> 6);
		utf8[n++] = (char)(0x80 | (code & 0x3f));
		utf8[n] = '\0';
		assert_int_equal(convert(utf7_encode, utf8, (size_t)n, utf7, sizeof(utf7)), 0);
		assert_int_equal(convert(utf7_decode, utf7, strlen(utf7), again, sizeof(again)), 0);
		assert_string_equal(utf8, again);
	}
}

static void
names_become_folders(void **state)
{
	static const struct {
		const char *name;
		bool utf8;
		const char *folder;
	} rows[] = {
	    {"a", false, "a"},
	    {"a/b", false, "a/b"},
	    {"a/", false, "a"},
	    {"a/b/", true, "a/b"},
	    {"A", false, "A"},
	    {"~foo", false, "~foo"},
	    {"a*%b", false, "a*%b"},
	    {"a b", false, "a b"},
	    {" ", false, " "},
	    {"&-", false, "&-"},
	    {"&", true, "&-"},
	    {"\"\\", false, "\"\\"},
	    {"NIL", false, "NIL"},
	    {"&AOQ-", false, "&AOQ-"},
	    {"&AOQ-", true, "&-AOQ-"},
	    {"\xc3\xa4", true, "&AOQ-"},
	    {"\xe5\x8f\xb0/\xe5\x8c\x97", true, "&U,A-/&Uxc-"},
	    {"inbox", false, "INBOX"},
	    {"InBoX", true, "INBOX"},
	    {"inbox/", false, "INBOX"},
	    {"inbox/Sub", false, "INBOX/Sub"},
	    {"inbox/inbox", false, "INBOX/inbox"},
	    {"a/inbox", false, "a/inbox"},
	    {"inboxes", false, "inboxes"},
	    {"inbo", false, "inbo"},
	    /* mend16: composed, singletons, marks in order, Hangul; and INBOX after it. */
	    {"e\xcc\x81", true, "&AOk-"},
	    {"e&AwE-", false, "&AOk-"},
	    {"\xe2\x84\xabx", true, "&AMU-x"},
	    {"\xe2\x84\xaa", true, "K"},
	    {"\xcd\xbe", true, ";"},
	    {"q\xcc\x87\xcc\xa3", true, "q&AyMDBw-"},
	    {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", true, "&1Vw-"},
	    {"inbox/e\xcc\x81", true, "INBOX/&AOk-"},
	};
	char folder[IMAP_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_null(to_folder(rows[i].name, strlen(rows[i].name), rows[i].utf8, folder));
		assert_string_equal(folder, rows[i].folder);
	}
}

/* REQUIREMENTS 22: names are mapped, not passed. */
static void
test_req22_names_refused(void **state)
{
	static const struct {
		const char *name, *word; /* one that the reason has */
		bool utf8;
	} rows[] = {
	    {"", "empty", false},
	    {"/", "empty", false},
	    {"//", "empty", false},
	    {"/a", "empty", false},
	    {"a//", "empty", false},
	    {"a//b", "empty", true},
	    {"inbox//b", "empty", false},
	    {".", "dot", false},
	    {"..", "dot", false},
	    {"../x", "dot", true},
	    {"a/..", "dot", false},
	    {"a/../b", "dot", false},
	    {"a.b", "dot", false},
	    {".a", "dot", true},
	    {"a.", "dot", false},
	    {"a/.b", "dot", false},
	    {"a\nb", "control", false},
	    {"a\rb", "control", true},
	    {"\x01", "control", false},
	    {"\x7f", "control", true},
	    {"&AAo-", "control", false},
	    {"&ICg-", "control", false},
	    {"&AIU-", "control", false},
	    {"&AGUDAQ-", "UTF-7", false},
	    {"\xc2\x85", "control", true},
	    {"\xe2\x80\xa9", "control", true},
	    {"&AC4-", "UTF-7", false},
	    {"&AC8-", "UTF-7", false},
	    {"&AOQ", "UTF-7", false},
	    {"&", "UTF-7", false},
	    {"\xc3\xa4", "UTF-7", false},
	    {"\x85", "UTF-7", false},
	    {"\xe4", "UTF-8", true},
	    {"\xc0\xae", "UTF-8", true},
	    {"\xc0\xaf", "UTF-8", true},
	};
	char folder[IMAP_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *refusal =
		    to_folder(rows[i].name, strlen(rows[i].name), rows[i].utf8, folder);

		assert_non_null(refusal);
		assert_non_null(strstr(refusal, rows[i].word));
	}
	for (int utf8 = 0; utf8 < 2; utf8++) {
		assert_non_null(to_folder("a\0b", 3, utf8 != 0, folder));
		assert_non_null(to_folder("a\0", 2, utf8 != 0, folder));
	}
}

static void
long_names(void **state)
{
	char name[4 * IMAP_NAME_MAX], folder[IMAP_NAME_MAX];

	(void)state;
	memset(name, 'x', sizeof(name));
	for (int utf8 = 0; utf8 < 2; utf8++) {
		assert_null(to_folder(name, 200, utf8 != 0, folder));
		for (size_t len = 201; len < sizeof(name); len++)
			assert_non_null(to_folder(name, len, utf8 != 0, folder));
		name[100] = '/';
		assert_null(to_folder(name, 254, utf8 != 0, folder));
		assert_int_equal(strlen(folder), 254);
		assert_non_null(to_folder(name, 255, utf8 != 0, folder));
		name[254] = '/';
		assert_null(to_folder(name, 255, utf8 != 0, folder));
		name[100] = name[254] = 'x';
	}
	/* What counts is the length on disk: 2 + 2 units of 16 bits in BASE64. */
	for (size_t i = 0; i < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	assert_null(to_folder(name, (size_t)74 * 2, true, folder));
	assert_int_equal(strlen(folder), 200);
	assert_non_null(to_folder(name, (size_t)75 * 2, true, folder));
	assert_non_null(to_folder(name, sizeof(name), true, folder));
}

static void
folders_for_clients(void **state)
{
	static const struct {
		const char *folder, *utf8;
	} rows[] = {
	    {"INBOX", "INBOX"},
	    {"a/&AOQ-", "a/\xc3\xa4"},
	    {"a&-b", "a&b"},
	};
	char folder[IMAP_NAME_MAX], name[IMAP_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		imap_name_client(rows[i].folder, false, name);
		assert_string_equal(name, rows[i].folder);
		imap_name_client(rows[i].folder, true, name);
		assert_string_equal(name, rows[i].utf8);
	}
	/* The longest: three octets of UTF-8 for each unit. */
	memset(folder, '\0', sizeof(folder));
	folder[0] = '&';
	for (size_t i = 0; i < 248; i += 8)
		memcpy(folder + 1 + i, "U,BT8FPw", 8);
	folder[249] = '-';
	imap_name_client(folder, true, name);
	assert_int_equal(strlen(name), 93 * 3);
	assert_null(to_folder("a", 1, true, name));
	memset(folder, 'x', sizeof(folder) - 1);
	folder[sizeof(folder) - 1] = '\0';
	imap_name_client(folder, true, name);
	assert_string_equal(name, folder);
}

/* Cut at every octet. */
static void
cut_anywhere(void **state)
{
	static const char utf7[] = "~a/&2D3eAADk-&-/&U,BTFw-x",
			  utf8[] = "~a/\xf0\x9f\x98\x80\xc3\xa4&/\xe5\x8f\xb0\xe5\x8c\x97x";
	char out[IMAP_NAME_MAX], again[IMAP_NAME_MAX];

	(void)state;
	for (size_t len = 0; len < sizeof(utf7); len++) {
		(void)to_folder(utf7, len, false, out);
		if (convert(utf7_decode, utf7, len, out, sizeof(out)) < 0)
			continue;
		assert_int_equal(convert(utf7_encode, out, strlen(out), again, sizeof(again)), 0);
		assert_int_equal(strlen(again), len);
		assert_memory_equal(again, utf7, len);
	}
	for (size_t len = 0; len < sizeof(utf8); len++) {
		(void)to_folder(utf8, len, true, out);
		if (convert(utf7_encode, utf8, len, out, sizeof(out)) < 0)
			continue;
		assert_int_equal(convert(utf7_decode, out, strlen(out), again, sizeof(again)), 0);
		assert_int_equal(strlen(again), len);
		assert_memory_equal(again, utf8, len);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encodings_go_both_ways),
	    cmocka_unit_test(malformed_utf7),
	    cmocka_unit_test(malformed_utf8),
	    cmocka_unit_test(all_of_unicode),
	    cmocka_unit_test(names_become_folders),
	    cmocka_unit_test(test_req22_names_refused),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(folders_for_clients),
	    cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
