/*
 * test_maildir_structure.c: BODY and BODYSTRUCTURE of messages as they should be, and as they are.
 */
#include "maildir_fixture.h"

#include "maildir/message/mime.h"

#define NO_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
#define ASCII	    "(\"charset\" \"us-ascii\")"
/* A text/plain of so many octets and lines, as BODY and as BODYSTRUCTURE have it. */
#define TEXT(size)  "(\"text\" \"plain\" " ASCII " NIL NIL \"7bit\" " size ")"
#define TEXTX(size) "(\"text\" \"plain\" " ASCII " NIL NIL \"7bit\" " size " NIL NIL NIL NIL)"
#define MIXED	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"

static bool rev2; /* what structure() makes */

static char *
structure(const char *message, size_t len, size_t piece, bool extended, bool utf8)
{
	struct mime *mime = mime_new();
	struct mdbuf out = {0};

	assert_non_null(mime);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		char *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, message + at, n);
		mime_feed(mime, copy, n);
		free(copy);
	}
	assert_int_equal(mime_end(mime), 0);
	if (rev2)
		mime_put_structure_rev2(mime, extended, &out);
	else
		mime_put_structure(mime, extended, utf8, &out);
	mdbuf_add(&out, "", 1);
	assert_false(out.failed);
	mime_free(&mime);
	return out.data;
}

/* Whole, octet by octet, in a few other pieces; and cut at every octet. */
static void
expect(const char *message, bool extended, const char *outcome)
{
	static const size_t pieces[] = {1, 2, 3, 7, 64, 100000};
	size_t len = strlen(message);

	for (size_t i = 0; i < COUNT(pieces); i++) {
		char *got = structure(message, len, pieces[i], extended, false);

		assert_string_equal(got, outcome);
		free(got);
	}
	for (size_t cut = 0; cut < len; cut++)
		free(structure(message, cut, cut + 1, true, true));
}

struct row {
	const char *message, *outcome;
};

static void
expect_rows(const struct row *rows, size_t count, bool extended)
{
	for (size_t i = 0; i < count; i++)
		expect(rows[i].message, extended, rows[i].outcome);
}

static void
leaves(void **state)
{
	static const struct row rows[] = {
	    {"", TEXT("0 0")},
	    {"\r\n", TEXT("0 0")},
	    {"Subject: x\r\n\r\n", TEXT("0 0")},
	    {"\r\none\r\ntwo\r\n", TEXT("10 2")},
	    {"\r\none\r\ntwo", TEXT("8 1")},
	    {"no header\r\nat all\r\n", TEXT("0 0")},
	    {"Content-Type: text/html; charset=utf-8\r\n\r\nx\r\n",
		"(\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 3 1)"},
	    {"Content-Type: TEXT/Plain; Charset=\"x\"; format=flowed\r\n\r\n",
		"(\"TEXT\" \"Plain\" (\"Charset\" \"x\" \"format\" \"flowed\") NIL NIL \"7bit\" 0 0)"},
	    {"Content-Type: text/plain; format=flowed\r\n\r\n",
		"(\"text\" \"plain\" (\"format\" \"flowed\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"},
	    {"Content-Type: application/pdf\r\nContent-Transfer-Encoding: (x) base64 (y)\r\n"
	     "Content-ID: <1@x>\r\nContent-Description: a \"b\"\r\n\r\nQQ==\r\n",
		"(\"application\" \"pdf\" NIL \"<1@x>\" \"a \\\"b\\\"\" \"base64\" 6)"},
	    {"Content-Type: message/partial; number=1; total=2; id=\"x\"\r\n\r\nSubject: x\r\n\r\n",
		"(\"message\" \"partial\" (\"number\" \"1\" \"total\" \"2\" \"id\" \"x\") NIL NIL \"7bit\" 14)"},
	    {"Content-Type: message/external-body; access-type=URL\r\n\r\nContent-Type: a/b\r\n\r\n",
		"(\"message\" \"external-body\" (\"access-type\" \"URL\") NIL NIL \"7bit\" 21)"},
	};

	(void)state;
	expect_rows(rows, COUNT(rows), false);
}

/* RFC 2045 section 5.2: what cannot be read counts as text/plain. */
static void
types(void **state)
{
	static const struct row rows[] = {
	    {"Content-Type:\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: text\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: text/\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: /plain\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: \"text\"/plain\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: multipart; boundary=a\r\n\r\n--a\r\n", TEXT("5 1")},
	    {"Content-Type: text / plain (x\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: (a) text (b) / (c) plain (d) ; (e) charset (f) = (g) x (h)\r\n\r\n",
		"(\"text\" \"plain\" (\"charset\" \"x\") NIL NIL \"7bit\" 0 0)"},
	    {"Content-Type: text/html charset=x\r\n\r\n",
		"(\"text\" \"html\" (\"charset\" \"x\") NIL NIL \"7bit\" 0 0)"},
	    {"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n", TEXT("0 0")},
	    {"Content-Type: a/b;;; c=d;; ; e; f=; g=h=i; j=k/l?m; \"n\"=o; =p\r\n\r\n",
		"(\"a\" \"b\" (\"c\" \"d\" \"f\" \"\" \"g\" \"h=i\" \"j\" \"k/l?m\") NIL NIL \"7bit\" 0)"},
	    {"Content-Type: a/b; c=\"d\\\"e\\\\\"; f=\"g\r\n h\"\r\n\r\n",
		"(\"a\" \"b\" (\"c\" \"d\\\"e\\\\\" \"f\" \"g h\") NIL NIL \"7bit\" 0)"},
	    {"Content-Type: a/b; c=\"never closed\r\n\r\n",
		"(\"a\" \"b\" (\"c\" \"never closed\") NIL NIL \"7bit\" 0)"},
	    {"Content-Type: a/b; c=\xc3\xbc\r\n\r\n",
		"(\"a\" \"b\" (\"c\" {2}\r\n\xc3\xbc) NIL NIL \"7bit\" 0)"},
	    {"Content-Transfer-Encoding:\r\n\r\n", TEXT("0 0")},
	    {"Content-Transfer-Encoding: \"base64\"\r\n\r\n", TEXT("0 0")},
	};

	(void)state;
	expect_rows(rows, COUNT(rows), false);
}

/* RFC 2231 sections 3 and 4, as RFC 9051 section 7.5.2 wants them. */
static void
pieces_of_parameters(void **state)
{
	static const struct row rows[] = {
	    {"n=a", "\"n\" \"a\""},
	    {"n*=utf-8'de'%C3%BC", "\"n*\" \"utf-8'de'%C3%BC\""},
	    {"n*0=a; n*1=\"b c\"", "\"n\" \"ab c\""},
	    {"n*1=b; m=x; N*0=a", "\"m\" \"x\" \"N\" \"ab\""},
	    {"n*0*=utf-8''%41; n*1*=%42", "\"n*\" \"utf-8''%41%42\""},
	    {"n*0*=utf-8''%41; n*1=\"b % 'c'\"; n*2*=%43",
		"\"n*\" \"utf-8''%41b%20%25%20%27c%27%43\""},
	    {"n*0=a; n*1*=%42", "\"n*\" \"''a%42\""},
	    {"n*0=a", "\"n\" \"a\""},
	    {"n*0*=utf-8''%41", "\"n*\" \"utf-8''%41\""},
	    /* What cannot be joined stays as it is. */
	    {"n*0=a; n*2=c", "\"n*0\" \"a\" \"n*2\" \"c\""},
	    {"n*1=b", "\"n*1\" \"b\""},
	    {"n*0=a; n*0=b; n*1=c", "\"n*0\" \"a\" \"n*0\" \"b\" \"n*1\" \"c\""},
	    {"n*0=a; n*01=b", "\"n\" \"a\" \"n*01\" \"b\""},
	    {"n*0=a; n*4294967296=b; n*99999999999999999999=c",
		"\"n\" \"a\" \"n*4294967296\" \"b\" \"n*99999999999999999999\" \"c\""},
	    {"n*0=a; n*999=b", "\"n*0\" \"a\" \"n*999\" \"b\""},
	    {"n*0x=a; n**=b; *0=c; *=d", "\"n*0x\" \"a\" \"n**\" \"b\" \"*0\" \"c\" \"*\" \"d\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char message[256], outcome[256];

		snprintf(
		    message, sizeof(message), "Content-Type: a/b; %s\r\n\r\n", rows[i].message);
		snprintf(outcome, sizeof(outcome), "(\"a\" \"b\" (%s) NIL NIL \"7bit\" 0)",
		    rows[i].outcome);
		expect(message, false, outcome);
	}
}

/* RFC 9051 section 7.5.2: values in the charset that they name, and none other. */
static void
mend20_values_of_parameters_in_rev2(void **state)
{
	static const struct row rows[] = {
	    {"n=a", "\"n\" \"a\""},
	    {"n=utf-8''%41", "\"n\" \"utf-8''%41\""},
	    {"n*=utf-8'de'%C3%BC%22", "\"n*\" \"\xc3\xbc\\\"\""},
	    {"n*=ISO-8859-1''%FC%e4", "\"n*\" \"\xc3\xbc\xc3\xa4\""},
	    {"n*0*=utf-8''%41; n*1=\"b % 'c'\"; n*2*=%43", "\"n*\" \"Ab % 'c'C\""},
	    {"n*0*=utf-8''%C3; n*1*=%BC", "\"n*\" \"\xc3\xbc\""},
	    {"n*0=a; n*1*=%42", "\"n*\" \"aB\""},
	    {"n*=us-ascii'en-us'a%20b%", "\"n*\" \"a b%\""},
	    {"n*=utf-8''", "\"n*\" \"\""},
	    {"n*=utf-8''%0D%0A", "\"n*\" {2}\r\n\r\n"},
	    {"n*=utf-8''%FF", "\"n*\" \"\xef\xbf\xbd\""},
	    {"n*=utf-8''a; m*=utf-8''b", "\"n*\" \"a\" \"m*\" \"b\""},
	    /* What cannot be decoded stays. */
	    {"n*=utf-8%41", "\"n*\" \"utf-8%41\""},
	    {"n*=utf-8'%41", "\"n*\" \"utf-8'%41\""},
	    {"n*=x-klingon''%41", "\"n*\" \"x-klingon''%41\""},
	    {"n*=utf-8''a%00b", "\"n*\" \"utf-8''a%00b\""},
	    {"n*1*=utf-8''%41", "\"n*1*\" \"utf-8''%41\""},
	    {"n**=utf-8''%41", "\"n**\" \"utf-8''%41\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char message[256], outcome[256], *rev1;

		snprintf(message, sizeof(message),
		    "Content-Type: a/b\r\nContent-Disposition: inline; %s\r\n\r\n",
		    rows[i].message);
		snprintf(outcome, sizeof(outcome),
		    "(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL (\"inline\" (%s)) NIL NIL)",
		    rows[i].outcome);
		rev2 = true;
		expect(message, true, outcome);
		rev2 = false;
		rev1 = structure(message, strlen(message), 100, true, true);
		assert_true(strcmp(rev1, outcome) == 0 || mime_rev2_differs(rev1, strlen(rev1)));
		free(rev1);
	}
}

static void
extensions(void **state)
{
	static const struct row rows[] = {
	    {"", TEXTX("0 0")},
	    {"Content-MD5: Q2hlY2s=\r\nContent-Disposition: attachment; filename=\"a b\"\r\n"
	     "Content-Language: de, en-GB (x),,\r\nContent-Location: http://x/\r\n\r\n",
		"(\"text\" \"plain\" " ASCII " NIL NIL \"7bit\" 0 0 \"Q2hlY2s=\" "
		"(\"attachment\" (\"filename\" \"a b\")) (\"de\" \"en-GB\") \"http://x/\")"},
	    {"Content-Disposition: inline\r\nContent-Language: de\r\n\r\n",
		"(\"text\" \"plain\" " ASCII
		" NIL NIL \"7bit\" 0 0 NIL (\"inline\" NIL) (\"de\") NIL)"},
	    {"Content-Disposition: ; filename=a\r\nContent-Language: ,(x),\r\n\r\n", TEXTX("0 0")},
	    {"Content-Disposition: attachment; filename*0=a; filename*1=b; size=1\r\n\r\n",
		"(\"text\" \"plain\" " ASCII " NIL NIL \"7bit\" 0 0 NIL "
		"(\"attachment\" (\"filename\" \"ab\" \"size\" \"1\")) NIL NIL)"},
	    {"Content-Type: multipart/mixed; boundary=a; x=y\r\nContent-Disposition: inline\r\n"
	     "Content-Language: fr\r\nContent-Location: z\r\nContent-MD5: no\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n",
		"(" TEXTX(
		    "1 0") " \"mixed\" (\"boundary\" \"a\" \"x\" \"y\") (\"inline\" NIL) (\"fr\") \"z\")"},
	    {"Content-Type: message/rfc822\r\nContent-MD5: x\r\n\r\nSubject: y\r\n\r\nz\r\n",
		"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 "
		"(NIL \"y\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXTX(
		    "3 1") " 3 \"x\" NIL NIL NIL)"},
	};

	(void)state;
	expect_rows(rows, COUNT(rows), true);
}

static void
multiparts(void **state)
{
	static const struct row rows[] = {
	    {MIXED "--a\r\n\r\none\r\n--a\r\n\r\ntwo\r\n\r\n--a--\r\n",
		"(" TEXT("3 0") TEXT("5 1") " \"mixed\")"},
	    {MIXED
		"preamble\r\n\r\n--a\r\n\r\none\r\n--a--\r\nepilogue\r\n--a\r\n\r\nno part\r\n--a--\r\n",
		"(" TEXT("3 0") " \"mixed\")"},
	    {"Content-Type: multipart/alternative;\r\n boundary=\"a\r\n b\"\r\n\r\n--a b\r\n\r\n1\r\n--a b--\r\n",
		"(" TEXT("1 0") " \"alternative\")"},
	    {"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\n1\r\n--ab--",
		"(" TEXT("1 0") " \"mixed\")"},
	    {MIXED "--a \t \r\n\r\none\r\n--a-- \t\r\n", "(" TEXT("3 0") " \"mixed\")"},
	    /* LF alone. */
	    {"Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n\n--a--\n",
		"(" TEXT("4 1") " \"mixed\")"},
	    /* No end boundary; cut; no line end. */
	    {MIXED "--a\r\n\r\none\r\n--a\r\n\r\ntwo\r\n",
		"(" TEXT("3 0") TEXT("5 1") " \"mixed\")"},
	    {MIXED "--a\r\n\r\none\r\n--", "(" TEXT("7 1") " \"mixed\")"},
	    {MIXED "--a\r\n\r\none\r\n--a", "(" TEXT("3 0") TEXT("0 0") " \"mixed\")"},
	    {MIXED "--a\r\n\r\none\r\n--a--", "(" TEXT("3 0") " \"mixed\")"},
	    /* No part at all: one is told all the same. */
	    {MIXED, "(" TEXT("0 0") " \"mixed\")"},
	    {MIXED "nothing\r\n", "(" TEXT("0 0") " \"mixed\")"},
	    {MIXED "--a--\r\n", "(" TEXT("0 0") " \"mixed\")"},
	    {"Content-Type: multipart/mixed\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n",
		"(" TEXT("0 0") " \"mixed\")"},
	    {"Content-Type: multipart/mixed; boundary=a", "(" TEXT("0 0") " \"mixed\")"},
	    /* A line that only begins like a boundary is one: RFC 2046 section 5.1.1. */
	    {MIXED "--ab\r\n\r\none\r\n --a\r\n-a\r\n-\r\n--a-\r\n\r\n--a--\r\n",
		"(" TEXT("16 3") TEXT("0 0") " \"mixed\")"},
	    {MIXED "--A\r\n\r\none\r\n", "(" TEXT("0 0") " \"mixed\")"},
	    {"Content-Type: multipart/mixed; boundary=\"--\"\r\n\r\n----\r\n\r\n-----\r\n------\r\n",
		"(" TEXT("0 0") TEXT("0 0") " \"mixed\")"},
	    /* A boundary in a header ends it. */
	    {MIXED "--a\r\nContent-Type: text/html\r\n--a\r\nX\r\n--a--\r\n",
		"((\"text\" \"html\" " ASCII " NIL NIL \"7bit\" 0 0)" TEXT("0 0") " \"mixed\")"},
	    {MIXED "--a\r\n--a\r\n--a--\r\n", "(" TEXT("0 0") TEXT("0 0") " \"mixed\")"},
	    {"Content-Type: multipart/mixed; boundary=a\r\n--a\r\n\r\nx\r\n",
		"(" TEXT("0 0") " \"mixed\")"},
	    /* A transfer encoding of a multipart means nothing. */
	    {"Content-Transfer-Encoding: base64\r\n" MIXED "--a\r\n\r\nx\r\n--a--\r\n",
		"(" TEXT("1 0") " \"mixed\")"},
	};

	(void)state;
	expect_rows(rows, COUNT(rows), false);
}

static void
nested(void **state)
{
#define INNER(boundary) "Content-Type: multipart/digest; boundary=" boundary "\r\n\r\n"
	static const struct row rows[] = {
	    {MIXED
		"--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b--\r\n"
		"\r\n--a\r\n\r\n2\r\n--a--\r\n",
		"((" TEXT("1 0") " \"alternative\")" TEXT("1 0") " \"mixed\")"},
	    /* The outer boundary ends the inner multipart. */
	    {MIXED
		"--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--a\r\n\r\n2\r\n--b\r\n",
		"((" TEXT("1 0") " \"alternative\")" TEXT("8 2") " \"mixed\")"},
	    /* One boundary begins like the other. */
	    {MIXED
		"--a\r\nContent-Type: multipart/alternative; boundary=ab\r\n\r\n--ab\r\n\r\n1\r\n--ab--\r\n"
		"--a\r\n\r\n2\r\n--a--\r\n",
		"((" TEXT("1 0") " \"alternative\")" TEXT("1 0") " \"mixed\")"},
	    /* And the same one twice. */
	    {MIXED
		"--a\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\n1\r\n--a--\r\n--a--\r\n",
		"((" TEXT("1 0") " \"alternative\") \"mixed\")"},
	    /* Messages. */
	    {MIXED
		"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n1\r\n2\r\n--a--\r\n",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 "
		"(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("4 1") " 3) \"mixed\")"},
	    {"Content-Type: message/rfc822\r\n\r\n" MIXED "--a\r\n\r\nx\r\n--a--\r\n",
		"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 62 " NO_ENVELOPE
		" (" TEXT("1 0") " \"mixed\") 6)"},
	    {"Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n",
		"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 32 " NO_ENVELOPE
		" (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 " NO_ENVELOPE
		" " TEXT("0 0") " 0) 2)"},
	    {"Content-Type: message/rfc822",
		"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 " NO_ENVELOPE
		" " TEXT("0 0") " 0)"},
	    /* A digest's parts are messages where they say nothing. */
	    {INNER(
		 "d") "--d\r\n\r\nSubject: x\r\n\r\ny\r\n--d\r\nContent-Type: text/plain\r\n\r\n--d--\r\n",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 "
		"(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("1 0") " 2)" TEXT(
		    "0 0") " \"digest\")"},
	    /* The blank line of the message is the line end before the boundary. */
	    {INNER("d") "--d\r\n\r\nSubject: x\r\n\r\n--d--\r\n",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 12 "
		"(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("0 0") " 1) \"digest\")"},
	    {INNER("d") "--d\r\n\r\nSubject: x\r\n--d--\r\n",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 10 "
		"(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("0 0") " 0) \"digest\")"},
	    {INNER("d") "--d\r\n--d\r\n\r\n--d--\r\n",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 " NO_ENVELOPE
		" " TEXT("0 0") " 0)"
				"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 " NO_ENVELOPE
				" " TEXT("0 0") " 0) \"digest\")"},
	    {INNER("d"), "(" TEXT("0 0") " \"digest\")"},
	    /* Encoded messages are not looked into. */
	    {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n",
		"(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 6 " NO_ENVELOPE
		" " TEXT("0 0") " 1)"},
	    {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8BIT\r\n\r\nSubject: x\r\n",
		"(\"message\" \"rfc822\" NIL NIL NIL \"8BIT\" 12 "
		"(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("0 0") " 1)"},
	};

	(void)state;
	expect_rows(rows, COUNT(rows), false);
}

/* message/global has a message inside for those only who have heard of it. */
static void
global(void **state)
{
	static const char message[] =
	    "Content-Type: message/global\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n";
	char *got = structure(message, strlen(message), 100, false, false);

	(void)state;
	assert_string_equal(got, "(\"message\" \"global\" NIL NIL NIL \"7bit\" 18)");
	free(got);
	got = structure(message, strlen(message), 100, true, false);
	assert_string_equal(
	    got, "(\"message\" \"global\" NIL NIL NIL \"7bit\" 18 NIL NIL NIL NIL)");
	free(got);
	got = structure(message, strlen(message), 100, false, true);
	assert_string_equal(got,
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 18 "
	    "(NIL \"\xc3\xbc\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("3 1") " 3)");
	free(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves),
	    cmocka_unit_test(types),
	    cmocka_unit_test(pieces_of_parameters),
	    cmocka_unit_test(mend20_values_of_parameters_in_rev2),
	    cmocka_unit_test(extensions),
	    cmocka_unit_test(multiparts),
	    cmocka_unit_test(nested),
	    cmocka_unit_test(global),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
