/*
 * test_maildir_envelope.c: ENVELOPE, strings of IMAP, and the day of a Date field.
 */
#include "maildir_fixture.h"

#include "maildir/message/mime.h"
#include "maildir/message/search.h"

#define FROM	"((NIL NIL \"a\" \"b\"))"
#define NOTHING "NIL NIL NIL NIL NIL NIL NIL NIL"

static struct mime *
parse(const char *message, size_t len)
{
	struct mime *mime = mime_new();

	assert_non_null(mime);
	mime_feed(mime, message, len);
	assert_int_equal(mime_end(mime), 0);
	return mime;
}

static char *
envelope(const char *message, size_t len, bool utf8)
{
	struct mime *mime = parse(message, len);
	struct mdbuf out = {0};

	mime_put_envelope(mime, 0, utf8, &out);
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	mime_free(&mime);
	return out.data;
}

static void
expect(const char *header, bool utf8, const char *outcome)
{
	char *got = envelope(header, strlen(header), utf8);

	assert_string_equal(got, outcome);
	free(got);
}

static void
fields(void **state)
{
	static const struct {
		const char *header, *outcome;
	} rows[] = {
	    {"", "(NIL NIL " NOTHING ")"},
	    {"\r\n", "(NIL NIL " NOTHING ")"},
	    {"X: y\r\n\r\n", "(NIL NIL " NOTHING ")"},
	    {"Date: Mon, 1 Jan 2024 10:00:00 +0100\r\nSubject: hello\r\nFrom: A <a@b>\r\nSender: c@d\r\n"
	     "Reply-To: e@f\r\nTo: g@h, i@j\r\nCc: k@l\r\nBcc: m@n\r\nIn-Reply-To: <1@x>\r\n"
	     "Message-ID: <2@x>\r\n\r\n",
		"(\"Mon, 1 Jan 2024 10:00:00 +0100\" \"hello\" ((\"A\" NIL \"a\" \"b\")) "
		"((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\")) "
		"((NIL NIL \"g\" \"h\")(NIL NIL \"i\" \"j\")) ((NIL NIL \"k\" \"l\")) "
		"((NIL NIL \"m\" \"n\")) \"<1@x>\" \"<2@x>\")"},
	    /* Sender and Reply-To are From's where they are absent or empty. */
	    {"From: a@b\r\n\r\n", "(NIL NIL " FROM " " FROM " " FROM " NIL NIL NIL NIL NIL)"},
	    {"Sender:\r\nReply-To: ,\r\nFrom: a@b\r\n\r\n",
		"(NIL NIL " FROM " " FROM " " FROM " NIL NIL NIL NIL NIL)"},
	    {"From: a@b\r\nReply-To: c@d\r\n\r\n",
		"(NIL NIL " FROM " " FROM " ((NIL NIL \"c\" \"d\")) NIL NIL NIL NIL NIL)"},
	    {"Sender: a@b\r\n\r\n", "(NIL NIL NIL " FROM " NIL NIL NIL NIL NIL NIL)"},
	    /* Strings that are empty, addresses that are. */
	    {"Date:\r\nSubject: \r\nTo:\r\nCc: \t\r\nIn-Reply-To:\r\nMessage-ID:\r\n\r\n",
		"(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")"},
	    {"To: g: a@b;, h:;\r\n\r\n",
		"(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)"
		"(NIL NIL \"h\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)"},
	    {"To: <@x,@y:a@b>, root\r\n\r\n",
		"(NIL NIL NIL NIL NIL ((NIL \"@x,@y\" \"a\" \"b\")(NIL NIL \"root\" \"\")) NIL NIL NIL NIL)"},
	    /* Unfolding takes CRLF away and nothing else. */
	    {"Subject: a\r\n b\r\n\tc  d \r\n \r\n\r\n", "(NIL \"a b\tc  d\" " NOTHING ")"},
	    {"Subject:\r\n a\r\n\r\n", "(NIL \"a\" " NOTHING ")"},
	    {"SUBJECT : a\r\n\r\n", "(NIL \"a\" " NOTHING ")"},
	    /* The last of a field counts, of addresses all. */
	    {"Subject: a\r\nSubject: b\r\nTo: a@b\r\nTo: c@d\r\n\r\n",
		"(NIL \"b\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)"},
	    /* Quoting, and what cannot be quoted. */
	    {"Subject: say \"hi\" \\\r\n\r\n", "(NIL \"say \\\"hi\\\" \\\\\" " NOTHING ")"},
	    {"Subject: =?utf-8?Q?=C3=BC?=\r\n\r\n", "(NIL \"=?utf-8?Q?=C3=BC?=\" " NOTHING ")"},
	    {"Subject: \xc3\xbc\r\n\r\n", "(NIL {2}\r\n\xc3\xbc " NOTHING ")"},
	    {"Subject: a\rb\r\n\r\n", "(NIL {3}\r\na\rb " NOTHING ")"},
	    {"Subject: a\r\r\n\r\n", "(NIL \"a\" " NOTHING ")"},
	    {"Subject: {5}\r\n\r\n", "(NIL \"{5}\" " NOTHING ")"},
	    /* No blank line, no header, lines that are no fields. */
	    {"Subject: a", "(NIL \"a\" " NOTHING ")"},
	    {"Subject: a\r\nnothing\r\n b\r\n", "(NIL \"a\" " NOTHING ")"},
	    {"\r\nSubject: a\r\n\r\n", "(NIL NIL " NOTHING ")"},
	    {" Subject: a\r\nSubject: b\r\n\r\n", "(NIL \"b\" " NOTHING ")"},
	    {"Subject\r\n", "(NIL NIL " NOTHING ")"},
	    {"From a@b Mon Jan  1 10:00:00 2024\r\nSubject: a\r\n\r\n", "(NIL \"a\" " NOTHING ")"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		expect(rows[i].header, false, rows[i].outcome);
		for (size_t len = 0; len < strlen(rows[i].header); len++)
			free(envelope(rows[i].header, len, true));
	}
}

static void
utf8(void **state)
{
	char subject[700];

	(void)state;
	expect("Subject: \xc3\xbc\"\r\n\r\n", true, "(NIL \"\xc3\xbc\\\"\" " NOTHING ")");
	expect("To: \xc3\xbc <\xc3\xbc@\xc3\xa4>\r\n\r\n", true,
	    "(NIL NIL NIL NIL NIL ((\"\xc3\xbc\" NIL \"\xc3\xbc\" \"\xc3\xa4\")) NIL NIL NIL NIL)");
	expect("To: \xc3\xbc <a@\xc3\xa4>\r\n\r\n", false,
	    "(NIL NIL NIL NIL NIL (({2}\r\n\xc3\xbc NIL \"a\" {2}\r\n\xc3\xa4)) NIL NIL NIL NIL)");
	/* Latin 1, overlong, half a character: not quoted. */
	expect("Subject: \xfc\r\n\r\n", true, "(NIL {1}\r\n\xfc " NOTHING ")");
	expect("Subject: \xc0\xaf\r\n\r\n", true, "(NIL {2}\r\n\xc0\xaf " NOTHING ")");
	expect("Subject: \xc3\r\n\r\n", true, "(NIL {1}\r\n\xc3 " NOTHING ")");

	memcpy(subject, "Subject: ", 9);
	memset(subject + 9, 'x', 600);
	memcpy(subject + 609, "\r\n\r\n", 5);
	for (int i = 0; i < 2; i++) {
		char *got = envelope(subject, strlen(subject), i == 1);

		assert_memory_equal(got, "(NIL {600}\r\nxxx", 15);
		free(got);
	}
}

/* A NUL, which no string of IMAP may hold. */
static void
nul(void **state)
{
	static const char message[] = "Subject: a\0b\0\r\nTo: \0@x\r\n\r\n";
	char *got = envelope(message, sizeof(message) - 1, true);

	(void)state;
	assert_string_equal(got, "(NIL \"a\xef\xbf\xbd"
				 "b\xef\xbf\xbd\" NIL NIL NIL "
				 "((NIL NIL \"\xef\xbf\xbd\" \"x\")) NIL NIL NIL NIL)");
	free(got);
}

/* However many addresses there are, the answer has a bound. */
static void
many_addresses(void **state)
{
	struct mdbuf message = {0}, out = {0};
	struct mime *mime;

	(void)state;
	mdbuf_add(&message, "From: g:", 8);
	for (int i = 0; i < 300000; i++)
		mdbuf_add(&message, "a,", 2);
	mdbuf_add(&message, ";\r\nTo: b@c\r\n\r\n", 14);
	mime = parse(message.data, message.len);
	mime_put_envelope(mime, 0, false, &out);
	assert_false(out.failed);
	assert_true(out.len < 2 * 1024 * 1024);
	/* The group that was cut has its end. */
	mdbuf_add(&out, "", 1);
	assert_non_null(strstr(out.data, "(NIL NIL NIL NIL))"));
	mime_free(&mime);
	mdbuf_clear(&message);
	mdbuf_clear(&out);
}

static void
sent_day(void **state)
{
	static const struct {
		const char *date;
		bool there;
		int64_t day;
	} rows[] = {
	    {"Thu, 1 Jan 1970 00:00:00 +0000", true, 0},
	    {"Fri, 2 Jan 1970 00:00:00 -1200", true, 1},
	    {"Wed, 31 Dec 1969 23:59:59 +1400", true, -1},
	    {"Mon, 1 Jan 2024 10:00:00 +0100", true, 19723},
	    {"1 Jan 2024 10:00 GMT", true, 19723},
	    {"01 jan 2024 10:00:00 EDT", true, 19723},
	    {"Mon,1 Jan 2024 10:00:00+0100", true, 19723},
	    {"Mon 1 Jan 2024 10:00:00 Z", true, 19723},
	    {"(a) Mon (b) , (c) 1 (d(e)) Jan (f) 2024 10:00:00 +0100 (CET)", true, 19723},
	    {"Mon, 1\tJan\t24 10:00:00 PST", true, 19723},
	    {"Mon., 1 Jan 2024 10:00:00 +0100", true, 19723},
	    {"S\xc3\xa1, 1 Jan 2024 10:00:00 +0100", true, 19723},
	    {", 1 Jan 2024 10:00:00 +0100", true, 19723},
	    {"Mon (1), (2 1 Jan 2024 10:00:00 +0100", false, 0},
	    {"29 Feb 2024 00:00:00 +0000", true, 19782},
	    {"29 Feb 2000 00:00:00 +0000", true, 11016},
	    {"1 Jan 49 00:00:00 +0000", true, 28855},
	    {"1 Jan 50 00:00:00 +0000", true, -7305},
	    {"1 Jan 124 00:00:00 +0000", true, 19723},
	    {"31 Dec 9999 23:59:60 +1400", true, 2932896},
	    {"1 Jan 0001 00:00:00 +0000", true, -719162},
	    {"", false, 0},
	    {"-1", false, 0},
	    {"yesterday", false, 0},
	    {"Mon", false, 0},
	    {"Mon, 1", false, 0},
	    {"Mon, 1 Jan", false, 0},
	    {"Mon, 1 Jan (2024", false, 0},
	    {"Mon, 1 Jan 2", false, 0},
	    {"Mon, 1 Jan 0000 00:00:00 +0000", false, 0},
	    {"Mon, 0 Jan 2024 00:00:00 +0000", false, 0},
	    {"Mon, 32 Jan 2024 00:00:00 +0000", false, 0},
	    {"Mon, 001 Jan 2024 00:00:00 +0000", false, 0},
	    {"29 Feb 2023 00:00:00 +0000", false, 0},
	    {"29 Feb 1900 00:00:00 +0000", false, 0},
	    {"1 Januar 2024 00:00:00 +0000", false, 0},
	    {"1 Jax 2024 00:00:00 +0000", false, 0},
	    {"1 Jan 99999999999999999999 00:00:00 +0000", false, 0},
	    {"2024-01-01T00:00:00Z", false, 0},
	    {"Mon Jan  1 10:00:00 2024", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char message[128];
		int64_t day = 77;

		snprintf(message, sizeof(message), "Date: %s\r\n\r\n", rows[i].date);
		assert_int_equal(
		    remembered_sent_day(message, strlen(message), &day), rows[i].there);
		assert_int_equal(day, rows[i].there ? rows[i].day : 77);
		for (size_t len = 0; len < strlen(message); len++) {
			char *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy + 1, message, len);
			(void)remembered_sent_day(copy + 1, len, &day);
			free(copy);
		}
	}
}

static void
no_date(void **state)
{
	int64_t day;

	(void)state;
	assert_false(remembered_sent_day("Subject: x\r\n\r\n", 14, &day));
	assert_false(remembered_sent_day("", 0, &day));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields),
	    cmocka_unit_test(utf8),
	    cmocka_unit_test(nul),
	    cmocka_unit_test(many_addresses),
	    cmocka_unit_test(sent_day),
	    cmocka_unit_test(no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
