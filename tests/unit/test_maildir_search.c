/*
 * test_maildir_search.c: what is found in messages, and where not.
 */
#include "maildir_fixture.h"

#include "maildir/base/buf.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/search.h"

/* A message of everything: words, folds, parts in several encodings, a message inside, an attachment. */
static const char everything[] =
    "Received: from a by b\n"
    "Received: from second by third;\n"
    "\tSat, 1 Jan 2022 00:00:00 +0000\n"
    "From: =?utf-8?Q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.org>\n"
    "To: Group: Anna (the\n"
    " first) <anna@example.org>, b@c;\n"
    "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\n"
    " =?iso-8859-1?Q?_aus?= Wien\n"
    "X-Raw: na\xc3\xafve caf\xe9\n"
    "X-Empty:\n"
    "X-Spaced : obsolete\n"
    "no field at all\n"
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=\"outer\"\n"
    "\n"
    "this preamble nobody reads\n"
    "--outer\n"
    "Content-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "\n"
    "Sch=C3=B6ne Gr=C3=BC=\n"
    "=C3=9Fe, soft=\n"
    "break, trailing  \n"
    "next line\n"
    "--outer\n"
    "Content-Type: text/html; charset=windows-1251\n"
    "Content-Transfer-Encoding: base64\n"
    "\n"
    "PGI+z/Do4uXy\n"
    "PC9iPg==\n"
    "--outer\n"
    "Content-Type: application/octet-stream; name=\"holiday-plan.bin\"\n"
    "Content-Disposition: attachment; filename=\"holiday-plan.bin\"\n"
    "\n"
    "attached secret\n"
    "--outer\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "From: inner@example.net\n"
    "Subject: =?koi8-r?B?8NLJ18XU?= inside\n"
    "Content-Type: multipart/alternative; boundary=inner\n"
    "\n"
    "--inner\n"
    "\n"
    "untyped text\n"
    "--inner\n"
    "Content-Type: TEXT/X-odd; charset=klingon\n"
    "X-Part: partfield\n"
    "\n"
    "odd caf\xe9\n"
    "--inner--\n"
    "--outer\n"
    "Content-Type: message/delivery-status\n"
    "\n"
    "Final-Recipient: rfc822;gone@example.com\n"
    "--outer--\n"
    "epilogue\n";

static bool
ask(struct fixture *f, enum search_where where, const char *field, const char *text)
{
	struct mdbuf mapped = {0};
	struct search_question match = {.where = where, .field = field, .found = true};

	casemap_add(text, strlen(text), &mapped);
	match.text = mapped.data;
	match.len = mapped.len;
	if (maildir_search(f->inbox, uid_at(f->inbox, 0), &match, 1) != 0)
		fail_msg("maildir_search: %s", strerror(errno));
	mdbuf_clear(&mapped);
	return match.found;
}

static void
put_message(struct fixture *f, const char *text, size_t len)
{
	put_bytes(f, "cur/1.a.h:2,S", text, len);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 1);
}

static void
header(void **state)
{
	static const struct {
		const char *field, *text;
		bool found;
	} rows[] = {
	    {"From", "jürgen", true},
	    {"from", "JÜRGEN MÜLLER <juergen@EXAMPLE.org>", true},
	    {"FROM", "=?utf-8", false},
	    {"From", "inner@example.net", false}, /* another message's */
	    {"Fro", "jürgen", false},
	    {"To", "anna (the first) <", true},
	    {"To", "group:", true},
	    {"To", "jürgen", false},
	    {"Subject", "grüße aus wien", true},
	    {"Subject", "GRÜßE AUS", true},
	    {"Subject", "grüsse", false},
	    {"Subject", "gru\u0308ße", true},
	    {"Received", "from a by b", true},
	    {"Received", "third; sat, 1 jan", true}, /* the second of them, a tab unfolded */
	    {"Received", "from a by bfrom second", false},
	    {"Received", "b from second", false},
	    {"X-Raw", "naïve café", true},
	    {"X-Empty", "", true},
	    {"X-Empty", "x", false},
	    {"X-None", "", false},
	    {"X-Spaced", "obsolete", true},
	    {"X-Part", "", false},
	    {"", "", false},
	    {"no field at all", "", false},
	    {"Content-Type", "outer", true},
	};
	struct fixture *f = *state;

	put_message(f, everything, sizeof(everything) - 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (ask(f, SEARCH_IN_HEADER, rows[i].field, rows[i].text) != rows[i].found)
			fail_msg("row %zu: %s \"%s\"", i, rows[i].field, rows[i].text);
	}
}

static void
body(void **state)
{
	static const struct {
		const char *text;
		bool body, all; /* BODY, TEXT */
	} rows[] = {
	    {"", true, true},
	    {"schöne grüße, softbreak", true, true},
	    {"trailing\r\nnext", true, true},
	    {"<B>ПРИВЕТ</b>", true, true},
	    {"untyped text", true, true},
	    {"odd café", true, true},
	    {"Final-Recipient", true, true},
	    /* the message inside */
	    {"subject: привет inside", true, true},
	    {"inner@example.net\r\nsubject", true, true},
	    {"boundary=inner", true, true},
	    /* header only */
	    {"jürgen", false, true},
	    {"aus wien\r\nx-raw: naïve", false, true},
	    {"no field at all\r\n", false, true},
	    {"boundary=\"outer\"", false, true},
	    /* of parts */
	    {"holiday-plan.bin", false, true},
	    {"x-part: partfield", false, true},
	    {"quoted-printable", false, true},
	    /* nowhere */
	    {"preamble", false, false},
	    {"epilogue", false, false},
	    {"attached secret", false, false},
	    {"PGI+z", false, false},
	    {"Sch=C3", false, false},
	    {"next line\r\nprivet", false, false},
	    {"--outer", false, false},
	};
	struct fixture *f = *state;

	put_message(f, everything, sizeof(everything) - 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (ask(f, SEARCH_IN_BODY, NULL, rows[i].text) != rows[i].body)
			fail_msg("row %zu: body \"%s\"", i, rows[i].text);
		if (ask(f, SEARCH_IN_TEXT, NULL, rows[i].text) != rows[i].all)
			fail_msg("row %zu: text \"%s\"", i, rows[i].text);
	}
}

/* Many questions at once have the answers that each has alone. */
static void
together(void **state)
{
	struct search_question matches[] = {
	    {SEARCH_IN_HEADER, "subject", "WIEN", 4},
	    {SEARCH_IN_BODY, NULL, "UNTYPED", 7},
	    {SEARCH_IN_HEADER, "to", "WIEN", 4},
	    {SEARCH_IN_TEXT, NULL, "WIEN", 4},
	    {SEARCH_IN_BODY, NULL, "WIEN", 4},
	    {SEARCH_IN_HEADER, "x-empty", "", 0},
	    {SEARCH_IN_HEADER, "subject", "AUS", 3},
	    {SEARCH_IN_TEXT, NULL, "GONE@EXAMPLE.COM", 16},
	    {SEARCH_IN_TEXT, NULL, "NOWHERE", 7},
	};
	static const bool found[] = {true, true, false, true, false, true, true, true, false};
	struct fixture *f = *state;

	put_message(f, everything, sizeof(everything) - 1);
	for (int again = 0; again < 2; again++) { /* answers of before do not count */
		assert_int_equal(
		    maildir_search(f->inbox, uid_at(f->inbox, 0), matches, COUNT(matches)), 0);
		for (size_t i = 0; i < COUNT(matches); i++)
			assert_int_equal(matches[i].found, found[i]);
	}
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), NULL, 0), 0);
}

/* The message cut at every octet: no question looks beyond, or fails. */
static void
cut(void **state)
{
	struct search_question matches[] = {
	    {SEARCH_IN_HEADER, "subject", "GONE", 4},
	    {SEARCH_IN_BODY, NULL, "NOWHERE", 7},
	    {SEARCH_IN_TEXT, NULL, "NOWHERE EITHER", 14},
	};
	struct fixture *f = *state;

	put_message(f, everything, sizeof(everything) - 1);
	for (size_t len = 0; len < sizeof(everything); len++) {
		put_message(f, everything, len);
		assert_int_equal(
		    maildir_search(f->inbox, uid_at(f->inbox, 0), matches, COUNT(matches)), 0);
		assert_false(matches[0].found || matches[1].found || matches[2].found);
	}
}

static void
small_messages(void **state)
{
	static const struct {
		const char *message;
		enum search_where where;
		const char *text;
		bool found;
	} rows[] = {
	    {"", SEARCH_IN_BODY, "x", false},
	    {"", SEARCH_IN_TEXT, "", true},
	    {"\n", SEARCH_IN_TEXT, "x", false},
	    {"\nx", SEARCH_IN_BODY, "x", true},
	    {"\nSubject: x\n", SEARCH_IN_HEADER, "x", false},
	    {"Subject: x", SEARCH_IN_HEADER, "x", true},
	    {"Subject:x\r\n", SEARCH_IN_HEADER, "x", true},
	    {"Subject:\n x\n", SEARCH_IN_HEADER, "x", true},
	    {"Subject: y\n\n x\n", SEARCH_IN_HEADER, "x", false},
	    {" x\nSubject: y\n", SEARCH_IN_TEXT, "x\r\nsubject", true},
	    {"Subject: y\n\r x\n", SEARCH_IN_TEXT, "\r x", true},
	    {"Subject: y\r z\n\nx\n", SEARCH_IN_HEADER, "y\r z", true},
	    {"Subject\n : x\n", SEARCH_IN_HEADER, "x", false}, /* a name ends in its line */
	    {"no\n =?utf-8?q?=78?=: y\n", SEARCH_IN_TEXT, "no x: y", true},
	    {"a: b\nno field", SEARCH_IN_TEXT, "b\r\nno field", true},
	    {"Content-Type: broken\n\nx\n", SEARCH_IN_BODY, "x", true},
	    {"Content-Type: image/png\n\nx\n", SEARCH_IN_BODY, "x", false},
	    {"Content-Type: text/plain\nContent-Transfer-Encoding: x-odd\n\nx=41\n", SEARCH_IN_BODY,
		"x=41", true},
	    {"Content-Type: text/plain; charset=utf-16be\nContent-Transfer-Encoding: base64\n\n"
	     "AHgAeQ==\n",
		SEARCH_IN_BODY, "xy", true},
	    {"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$3$s\x1b(B\n", SEARCH_IN_BODY,
		"こん", true},
	};
	struct fixture *f = *state;

	put_message(f, "", 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		put_message(f, rows[i].message, strlen(rows[i].message));
		if (ask(f, rows[i].where, "Subject", rows[i].text) != rows[i].found)
			fail_msg("row %zu \"%s\"", i, rows[i].message);
	}
}

static void
add_filler(struct mdbuf *message, size_t octets)
{
	static const char line[] = "all work and no play makes jack a dull boy\n";

	for (size_t end = message->len + octets; message->len < end;)
		mdbuf_add(message, line, sizeof(line) - 1);
}

/* A message too large to be kept: what lies across every cut is found, as is a long text. */
static void
large(void **state)
{
	struct fixture *f = *state;
	struct mdbuf message = {0}, text = {0};
	struct search_question match = {.where = SEARCH_IN_BODY};

	mdbuf_addf(
	    &message, "Subject: large\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n");
	for (unsigned i = 0; i < 300; i++) {
		add_filler(&message, 3000 + i);
		mdbuf_addf(&message, "needle number %u here\n", i);
	}
	mdbuf_addf(&message, "--b\n\nlast part\n");
	add_filler(&message, 100000);
	mdbuf_addf(&message, "end of it\n--b--\n");
	put_message(f, message.data, message.len);
	for (unsigned i = 0; i < 300; i++) {
		char needle[64];

		snprintf(needle, sizeof(needle), "boy\r\nNeedle number %u here", i);
		assert_true(ask(f, SEARCH_IN_BODY, NULL, needle));
	}
	assert_true(ask(f, SEARCH_IN_TEXT, NULL, "end of it"));
	assert_false(ask(f, SEARCH_IN_BODY, NULL, "needle number 300"));
	assert_true(ask(f, SEARCH_IN_HEADER, "subject", "large"));

	/* As long as the last part is, with CRLF, and mapped. */
	mdbuf_addf(&text, "LAST PART\r\n");
	while (text.len < 90000)
		mdbuf_addf(&text, "ALL WORK AND NO PLAY MAKES JACK A DULL BOY\r\n");
	match.text = text.data;
	match.len = text.len;
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), &match, 1), 0);
	assert_true(match.found);
	text.data[text.len - 3] = 'X';
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), &match, 1), 0);
	assert_false(match.found);
	mdbuf_clear(&message);
	mdbuf_clear(&text);
}

/* Fields of a megabyte: folded, and one line. */
static void
long_fields(void **state)
{
	struct fixture *f = *state;
	struct mdbuf message = {0};

	mdbuf_addf(&message, "To: first@example.org");
	for (unsigned i = 0; i < 30000; i++)
		mdbuf_addf(
		    &message, ",\n =?utf-8?Q?N=C3=A4me?=\n =?utf-8?Q?_%u?= <user%u@b>", i, i);
	mdbuf_addf(&message, "\nX-Long: ");
	for (unsigned i = 0; i < 100000; i++)
		mdbuf_addf(&message, "word%u ", i);
	mdbuf_addf(&message, "\nSubject: behind\n\nbody\n");
	put_message(f, message.data, message.len);
	assert_true(
	    ask(f, SEARCH_IN_HEADER, "To", "first@example.org, Näme 0 <user0@b>, Näme 1 <"));
	for (unsigned i = 0; i < 30000; i += 1999) {
		char needle[64];

		snprintf(needle, sizeof(needle), "@b>, Näme %u <user%u@b>", i + 1, i + 1);
		if (!ask(f, SEARCH_IN_HEADER, "To", needle))
			fail_msg("%s", needle);
	}
	assert_true(ask(f, SEARCH_IN_HEADER, "To", "user29999@b>"));
	assert_true(ask(f, SEARCH_IN_HEADER, "X-Long", "word99998 word99999"));
	assert_true(ask(f, SEARCH_IN_HEADER, "X-Long", "word50000 word50001"));
	assert_true(ask(f, SEARCH_IN_HEADER, "Subject", "behind"));
	assert_true(ask(f, SEARCH_IN_TEXT, NULL, "word99999 \r\nsubject: behind"));
	mdbuf_clear(&message);
}

struct patience {
	unsigned asked, most;
};

static bool
stop(void *ctx)
{
	struct patience *patience = ctx;

	return ++patience->asked > patience->most;
}

static void
stops(void **state)
{
	struct fixture *f = *state;
	struct patience patience = {0, 2};
	struct mdbuf message = {0};
	struct search_question many[100];

	mdbuf_addf(&message, "Subject: large\n\n");
	add_filler(&message, 40 << 20);
	put_message(f, message.data, message.len);
	mdbuf_clear(&message);
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = (struct search_question){SEARCH_IN_BODY, NULL, "NOWHERE", 7};
	maildir_on_stop(f->md, stop, &patience);
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), many, 1), -1);
	assert_int_equal(errno, ECANCELED);
	assert_int_equal(patience.asked, 3);
	patience = (struct patience){0, 100};
	maildir_on_stop(f->md, stop, &patience);
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), many, 1), 0);
	assert_true(patience.asked >= 5 && patience.asked < 30);
	/* The more there is to do, the more often. */
	patience = (struct patience){0, 200};
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), many, COUNT(many)), -1);
	assert_int_equal(errno, ECANCELED);
}

static void
fails(void **state)
{
	struct search_question match = {SEARCH_IN_BODY, NULL, "X", 1};
	struct fixture *f = *state;

	put_message(f, "\nx\n", 3);
	assert_int_equal(unlinkat(f->fd, "cur/1.a.h:2,S", 0), 0);
	assert_int_equal(maildir_search(f->inbox, uid_at(f->inbox, 0), &match, 1), -1);
	assert_int_equal(errno, ENOENT);
	assert_false(match.found);
}

static int
load(void **state)
{
	(void)state;
	charset_load();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(header),
	    WITH(body),
	    WITH(together),
	    WITH(cut),
	    WITH(small_messages),
	    WITH(large),
	    WITH(long_fields),
	    WITH(stops),
	    WITH(fails),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
