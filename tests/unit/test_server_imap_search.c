/*
 * test_server_imap_search.c: searches as programs: what is parsed, its bounds, and what it finds in a
 * small mailbox; a search and its opposite share the mailbox out between them.
 *
 * A program is written down in postfix order: "T" a text, "F" a flag, "!" not, "&" and, "|" or.
 */
#include "server_fixture.h"

#include <time.h>
#include <utime.h>

#include "maildir/maildir.h"
#include "server/channel.h"
#include "server/imap/mailbox.h"
#include "server/imap/search.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

static struct session session;
static struct reader reader;
static int client;

enum { NOW = 1700000000 };

/* Six messages, UIDs 1 to 6: sizes rise; each has its day, flags, and a text. */
static const struct {
	const char *name, *text;
	time_t date;
} messages[] = {
    {"1.a:2,",
	"Subject: one\nFrom: anna@example.org\nDate: Tue, 1 Feb 2022 00:30:00 +0100\n\napple\n",
	1000000000},
    {"2.b:2,S",
	"Subject: =?utf-8?q?zw=C3=B6lf?=\nFrom: ben@example.org\n\nan APPLE and a pear\n\n\n\n",
	1000000000 + 86400},
    {"3.c:2,FS",
	"Subject: three\nX-Empty:\nFrom: carl@example.org\n\nnothing of that sort is in here, no\n",
	-86400 * 365},
    {"4.d:2,Ra", "Subject: four\nTo: anna@example.org\n\n\n\n(a) 100% \"quoted\" \\ back\n",
	4000000000},
    {"5.e:2,T",
	"Subject: five\nContent-Transfer-Encoding: base64\nFrom: anna@example.org\n\nUGVhciE=\n",
	NOW - 100},
    {"6.f:2,DPS",
	"Subject: six\nDate: nonsense\nFrom: anna@example.org (Comment)\n\npear pear pear pear pear\n",
	NOW + 100},
};

static void
deliver(const char *dir, size_t i)
{
	char path[256];
	struct utimbuf times = {messages[i].date, messages[i].date};

	(void)snprintf(path, sizeof(path), "%s/cur/%s", dir, messages[i].name);
	fixture_write(path, messages[i].text, strlen(messages[i].text), 0600);
	assert_int_equal(utime(path, &times), 0);
}

static int
begin(void **state)
{
	char dir[sizeof(fixture_dir) + 8];
	struct maildir_folder *folder = NULL;
	int pair[2];

	if (fixture_make_dir(state) != 0)
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/md", fixture_dir);
	if (maildir_create(dir) != 0 || maildir_open(dir, "test", &session.maildir) != 0 ||
	    maildir_folder_open(session.maildir, "INBOX", &folder) != 0 ||
	    maildir_sync(folder) != 0 || maildir_keyword_make(folder, "$Work") != 0)
		return -1;
	maildir_folder_close(&folder);
	for (size_t i = 0; i < COUNT(messages); i++) {
		deliver(dir, i);
		if (maildir_folder_open(session.maildir, "INBOX", &folder) != 0 ||
		    maildir_sync(folder) != 0) /* one by one, for their UIDs */
			return -1;
		maildir_folder_close(&folder);
	}
	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, pair);
	client = pair[1];
	session.reader = &reader;
	session.channel = &reader.channel;
	channel_init(session.channel, pair[0], CLOCK_NEVER, 5000);
	session.box = mailbox_open(&session, "INBOX", false);
	return session.box != NULL && session.box->count == COUNT(messages) ? 0 : -1;
}

static int
end(void **state)
{
	mailbox_close(&session.box);
	maildir_close(&session.maildir);
	sequence_clear(&session.saved);
	mdbuf_clear(&session.reply);
	channel_clear(session.channel);
	if (client != -1)
		close(client);
	return fixture_remove_dir(state);
}

static enum search_parsed
parse(const char *text, struct search_program *program, bool *extended, unsigned *returns)
{
	size_t len = strlen(text);
	char *copy = malloc(len + 1); /* freed before the program is looked at: it owns its parts */
	struct args args = {.at = copy, .end = copy + len, .utf8 = true};
	enum search_parsed result;

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(program, 0, sizeof(*program));
	/* The loop takes the blank after the command's name. */
	result = args_space(&args) ? search_parse(&session, &args, NOW, program) : SEARCH_MALFORMED;
	*returns = program->returns;
	*extended = *returns != 0;
	free(copy);
	return result;
}

static void
describe(const struct search_program *program, char *out, size_t size)
{
	static const char letters[] = "AFRNUMDVISBTT!&|";
	size_t i;

	for (i = 0; i < program->steps && i + 1 < size; i++)
		out[i] = letters[program->step[i].key];
	out[i] = '\0';
}

static const struct {
	const char *text, *wanted;
} programs[] = {
    {" ALL", "A"},
    {" all", "A"},
    {" SEEN", "F"},
    {" UNSEEN", "F!"},
    {" NEW", "R"},
    {" OLD", "R!"},
    {" KEYWORD x", "F"},
    {" UNKEYWORD x", "F!"},
    {" SEEN FLAGGED", "FF&"},
    {" SEEN FLAGGED DRAFT", "FF&F&"},
    {" OR SEEN FLAGGED", "FF|"},
    {" OR SEEN FLAGGED DRAFT", "FF|F&"},
    {" OR OR SEEN FLAGGED DRAFT", "FF|F|"},
    {" OR SEEN OR FLAGGED DRAFT", "FFF||"},
    {" NOT SEEN", "F!"},
    {" NOT NOT SEEN", "F!!"},
    {" NOT OR SEEN NOT FLAGGED", "FF!|!"},
    {" (SEEN)", "F"},
    {" ((SEEN))", "F"},
    {" (SEEN FLAGGED) DRAFT", "FF&F&"},
    {" DRAFT (SEEN FLAGGED)", "FFF&&"},
    {" OR (SEEN FLAGGED) (DRAFT DELETED)", "FF&FF&|"},
    {" NOT (SEEN NOT (FLAGGED DRAFT))", "FFF&!&!"},
    {" 1", "N"},
    {" 1:*,3", "N"},
    {" *", "N"},
    {" $", "U"},
    {" UID 1:5", "U"},
    {" UID $", "U"},
    {" FROM anna", "T"},
    {" BODY \"\" TEXT \"\"", "AA&"},
    {" SUBJECT \"\"", "T"},
    {" HEADER X-Y {3}\r\na b", "T"},
    {" LARGER 0 SMALLER 9223372036854775807", "SS&"},
    {" SENTBEFORE 1-Feb-2022 SENTON \"01-Feb-2022\" SENTSINCE 1-Feb-2022", "BB&B&"},
    {" BEFORE 1-Feb-2022 ON 1-Feb-2022 SINCE 1-Feb-2022", "DD&D&"},
    {" OLDER 1 YOUNGER 4294967295", "DD&"},
    {" CHARSET utf-8 ALL", "A"},
    {" CHARSET \"us-ascii\" BODY x", "T"},
    {" RETURN () ALL", "A"},
    {" RETURN (MIN MAX) CHARSET UTF-8 ALL", "A"},
    /* mend13: blanks too many */
    {"  RETURN  ( MIN  MAX )  CHARSET  utf-8  ALL ", "A"},
    {" RETURN ( )  ( ALL  LARGER  5 )  ", "AS&"},
};

static void
programs_in_postfix_order(void **state)
{
	struct search_program program;
	char got[64];
	unsigned returns;
	bool extended;

	(void)state;
	for (size_t i = 0; i < COUNT(programs); i++) {
		if (parse(programs[i].text, &program, &extended, &returns) != SEARCH_PARSED)
			fail_msg("refused: %s", programs[i].text);
		describe(&program, got, sizeof(got));
		assert_string_equal(got, programs[i].wanted);
		search_clear(&program);
	}
}

/* What limits a number does so to the second and the octet. */
static const struct {
	const char *text;
	int64_t low, high;
} limits[] = {
    {" BEFORE 2-Jan-1970", INT64_MIN, 86399},
    {" ON 2-Jan-1970", 86400, 172799},
    {" SINCE 2-Jan-1970", 86400, INT64_MAX},
    {" SENTON 31-Dec-1969", -86400, -1},
    {" SAVEDBEFORE 1-Jan-1970", INT64_MIN, -1},
    {" OLDER 10", INT64_MIN, NOW - 10},
    {" YOUNGER 10", NOW - 10, INT64_MAX},
    {" LARGER 5", 6, INT64_MAX},
    {" LARGER 9223372036854775807", INT64_MAX, INT64_MAX},
    {" SMALLER 5", INT64_MIN, 4},
    {" SMALLER 0", INT64_MIN, -1},
    {" MODSEQ 7", 7, INT64_MAX},
    {" MODSEQ \"/flags/\\\\draft\" all 7", 7, INT64_MAX},
};

static void
limits_of_numbers(void **state)
{
	struct search_program program;
	unsigned returns;
	bool extended;

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		assert_int_equal(
		    parse(limits[i].text, &program, &extended, &returns), SEARCH_PARSED);
		assert_int_equal(program.steps, 1);
		assert_true(program.step[0].low == limits[i].low);
		assert_true(program.step[0].high == limits[i].high);
		search_clear(&program);
	}
}

/* A search that must match a set looks at that set alone: the first such step, counted from 1. */
static const struct {
	const char *text;
	size_t bound;
} bounds[] = {
    {" ALL", 0},
    {" 1:2", 1},
    {" UID 1:2 3", 1},
    {" SEEN (DRAFT ($ 4)) 5", 3},
    {" OR 1 2", 0},
    {" OR 1 2 3", 4},
    {" NOT 1", 0},
    {" NOT (SEEN 1)", 0},
    {" OR (1 2) ALL (UID 3)", 6},
};

static void
sets_bound_a_search(void **state)
{
	struct search_program program;
	unsigned returns;
	bool extended;

	(void)state;
	for (size_t i = 0; i < COUNT(bounds); i++) {
		assert_int_equal(
		    parse(bounds[i].text, &program, &extended, &returns), SEARCH_PARSED);
		assert_int_equal(program.bound, bounds[i].bound);
		search_clear(&program);
	}
}

static const char *const malformed[] = {"", " ", "ALL", " NOSUCH", " NOT", " NOT ", " OR",
    " OR SEEN", " OR SEEN ", " OR SEEN)", " ()", " (", " )", " (SEEN", " SEEN)", " (SEEN))", " ( )",
    " (SEEN ", " (SEEN)(SEEN)", " (OR SEEN)", " (NOT)", " SEEN(DRAFT)", " NOT(SEEN)", " 0", " 1,",
    " ,1", " 1:", " :1", " 1:2:3", " 4294967296", " 4294967297", " -1", " 1x", " $1", " $,1",
    " 1,$", " UID", " UID ", " UID x", " UID 0", " UID 1;2", " FROM", " FROM ", " FROM (a)",
    " FROM a b", " FROM {5}\r\nabc", " FROM {3+}", " FROM ~{3}\r\nabc", " FROM {+}\r\nabc",
    " HEADER x", " HEADER x ", " KEYWORD", " KEYWORD \\Seen", " KEYWORD \"x\"", " KEYWORD (x)",
    " LARGER", " LARGER -1", " LARGER x", " LARGER 9223372036854775808",
    " LARGER 18446744073709551617", " SMALLER 1k", " BEFORE", " BEFORE x", " BEFORE 0-Feb-2022",
    " BEFORE 30-Feb-2022", " BEFORE 1-Foo-2022", " BEFORE 1-Feb-22", " BEFORE \"1-Feb-2022",
    " BEFORE 2022-02-01", " BEFORE \"1-Feb-2022 10:00:00 +0000\"", " OLDER 0", " OLDER -1",
    " YOUNGER 4294967296", " CHARSET", " CHARSET utf-8", " CHARSET utf-8 ", " RETURN",
    " RETURN ALL", " RETURN () ", " RETURN (", " RETURN (MIN", " RETURN (MIN ",
    " RETURN (MINMAX) ALL", " RETURN (NOSUCH) ALL", " RETURN (MIN)ALL",
    " CHARSET utf-8 RETURN () ALL", " RETURN () RETURN () ALL"};

static void
malformed_searches(void **state)
{
	struct search_program program;
	unsigned returns;
	bool extended;

	(void)state;
	for (size_t i = 0; i < COUNT(malformed); i++) {
		if (parse(malformed[i], &program, &extended, &returns) != SEARCH_MALFORMED)
			fail_msg("taken: %s", malformed[i]);
		search_clear(&program);
	}
	assert_int_equal(
	    parse(" CHARSET nosuch ALL", &program, &extended, &returns), SEARCH_BAD_CHARSET);
	search_clear(&program);
	session.utf8_accept = true; /* RFC 6855 section 3 */
	assert_int_equal(
	    parse(" CHARSET utf-8 ALL", &program, &extended, &returns), SEARCH_MALFORMED);
	session.utf8_accept = false;
	search_clear(&program);
}

static const struct {
	const char *text;
	unsigned returns;
} returned[] = {
    {" RETURN () ALL", RETURN_ALL},
    {" RETURN (ALL) ALL", RETURN_ALL},
    {" return (min MAX count save) ALL", RETURN_MIN | RETURN_MAX | RETURN_COUNT | RETURN_SAVE},
    {" RETURN (SAVE SAVE) ALL", RETURN_SAVE},
    {" ALL", 0},
};

static void
what_is_to_be_returned(void **state)
{
	struct search_program program;
	unsigned returns;
	bool extended;

	(void)state;
	for (size_t i = 0; i < COUNT(returned); i++) {
		assert_int_equal(
		    parse(returned[i].text, &program, &extended, &returns), SEARCH_PARSED);
		assert_int_equal(returns, returned[i].returns);
		assert_int_equal(extended, returned[i].returns != 0);
		search_clear(&program);
	}
}

/* --- bounds --- */

static enum search_parsed
parse_repeated(
    const char *before, size_t times, const char *each, const char *middle, const char *after)
{
	struct search_program program;
	struct mdbuf text = {0};
	enum search_parsed result;
	unsigned returns;
	bool extended;

	mdbuf_addf(&text, "%s", before);
	for (size_t i = 0; i < times; i++)
		mdbuf_addf(&text, "%s", each);
	mdbuf_addf(&text, "%s", middle);
	for (size_t i = 0; i < times; i++)
		mdbuf_addf(&text, "%s", after);
	mdbuf_add(&text, "", 1);
	assert_false(text.failed);
	result = parse(text.data, &program, &extended, &returns);
	assert_true(program.steps <= SEARCH_STEPS_MAX && program.texts <= SEARCH_TEXTS_MAX);
	search_clear(&program);
	mdbuf_clear(&text);
	return result;
}

static void
req18_depth_and_number_are_bounded(void **state)
{
	const size_t most = IMAP_DEPTH_MAX - 1; /* the search itself is a list */

	(void)state;
	assert_int_equal(parse_repeated(" ", most, "(", "ALL", ")"), SEARCH_PARSED);
	assert_int_equal(parse_repeated(" ", most + 1, "(", "ALL", ")"), SEARCH_TOO_MUCH);
	assert_int_equal(parse_repeated(" ", most, "NOT ", "ALL", ""), SEARCH_PARSED);
	assert_int_equal(parse_repeated(" ", most + 1, "NOT ", "ALL", ""), SEARCH_TOO_MUCH);
	assert_int_equal(parse_repeated(" ", most, "OR ", "ALL", " ALL"), SEARCH_PARSED);
	assert_int_equal(parse_repeated(" ", most, "OR ALL ", "ALL", ""), SEARCH_PARSED);
	assert_int_equal(parse_repeated(" ", most + 1, "OR ", "ALL", " ALL"), SEARCH_TOO_MUCH);
	assert_int_equal(parse_repeated(" ", 300000, "(", "ALL", ")"), SEARCH_TOO_MUCH);
	assert_int_equal(
	    parse_repeated(" ALL", SEARCH_KEYS_MAX - 1, " ALL", "", ""), SEARCH_PARSED);
	assert_int_equal(
	    parse_repeated(" ALL", SEARCH_KEYS_MAX - 1, " UNSEEN", "", ""), SEARCH_PARSED);
	assert_int_equal(parse_repeated(" ALL", 100000, " UNSEEN", "", ""), SEARCH_TOO_MUCH);
	assert_int_equal(
	    parse_repeated(" ALL", SEARCH_TEXTS_MAX, " BODY x", "", ""), SEARCH_PARSED);
	assert_int_equal(
	    parse_repeated(" ALL", SEARCH_TEXTS_MAX + 1, " BODY x", "", ""), SEARCH_TOO_MUCH);
}

/* --- what is found --- */

static void
found(const char *keys, const char *before, const char *after, struct sequence *found_r)
{
	char command[4096];
	int len = snprintf(command, sizeof(command), " RETURN (SAVE) %s%s%s", before, keys, after);
	struct args args = {.at = command, .end = command + len, .utf8 = true};
	enum command_result result;

	assert_true(len > 0 && (size_t)len < sizeof(command));
	sequence_clear(&session.saved);
	sequence_add(&session.saved, 2);
	sequence_add(&session.saved, 5);
	session.command_flags = BY_UID;
	assert_true(args_space(&args));
	result = run_search(&session, &args);
	if (result != COMMAND_OK)
		fail_msg("%s: %.*s", keys, (int)session.reply.len, session.reply.data);
	*found_r = session.saved;
	memset(&session.saved, 0, sizeof(session.saved));
}

static const struct {
	const char *keys, *wanted;
} searches[] = {
    {"ALL", "1:6"},
    {"SEEN", "2:3,6"},
    {"ANSWERED", "4"},
    {"DELETED", "5"},
    {"DRAFT", "6"},
    {"FLAGGED", "3"},
    {"KEYWORD $work", "4"},
    {"KEYWORD $Forwarded", "6"},
    {"UNKEYWORD $Work", "1:3,5:6"},
    {"KEYWORD never", ""},
    {"$", "2,5"},
    {"NOT $", "1,3:4,6"},
    {"2:3,9", "2:3"},
    {"*", "6"},
    {"5:*", "5:6"},
    {"9:*", "6"},
    {"UID 4,4,2:1", "1:2,4"},
    {"UID 100", ""},
    {"OR SEEN DELETED", "2:3,5:6"},
    {"SEEN NOT FLAGGED", "2,6"},
    {"OR (SEEN FLAGGED) (DELETED UNSEEN)", "3,5"},
    {"NOT (OR SEEN DELETED)", "1,4"},
    /* dates are days of UTC, also before 1970; 1000000000 is 9 Sep 2001 */
    {"ON 9-Sep-2001", "1"},
    {"BEFORE 9-Sep-2001", "3"},
    {"BEFORE 10-Sep-2001", "1,3"},
    {"SINCE 10-Sep-2001", "2,4:6"},
    {"ON 1-Jan-1969", "3"},
    {"SINCE 1-Jan-9999", ""},
    {"SENTON 1-Feb-2022", "1"}, /* as written, without its zone */
    {"SENTBEFORE 1-Feb-2022", ""},
    {"SENTSINCE 1-Feb-2022", "1"},
    {"NOT SENTSINCE 1-Feb-2022", "2:6"},
    /* what is on the wire: strictly */
    {"LARGER 0", "1:6"},
    {"SMALLER 1", ""},
    {"SMALLER 9223372036854775807", "1:6"},
    /* texts */
    {"BODY apple", "1:2"},
    {"BODY pear", "2,5:6"},
    {"BODY PEAR!", "5"},
    {"TEXT anna", "1,4:6"},
    {"FROM anna", "1,5:6"},
    {"FROM comment", "6"},
    {"TO anna", "4"},
    {"CC anna", ""},
    {"SUBJECT \"ZW\xc3\x96LF\"", "2"},
    {"SUBJECT {6}\r\nzw\xc3\xb6lf", "2"},
    {"HEADER X-Empty \"\"", "3"},
    {"HEADER Subject \"\"", "1:6"},
    {"HEADER no-such \"\"", ""},
    {"BODY \"\\\"quoted\\\" \\\\\"", "4"},
    {"BODY \"\"", "1:6"},
    {"OR BODY apple FROM carl", "1:3"},
    {"BODY apple NOT BODY pear", "1"},
    {"NOT (BODY apple BODY pear)", "1,3:6"},
    {"SEEN BODY pear", "2,6"},
    {"NOT SEEN NOT BODY pear", "1,4"},
};

static void
what_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(searches); i++) {
		struct sequence yes = {0};
		struct mdbuf text = {0};

		found(searches[i].keys, "", "", &yes);
		sequence_put(&yes, &text);
		mdbuf_add(&text, "", 1);
		if (strcmp(text.data, searches[i].wanted) != 0)
			fail_msg("%s: %s, not %s", searches[i].keys, text.data, searches[i].wanted);
		mdbuf_clear(&text);
		sequence_clear(&yes);
	}
}

/* Each message answers either a search or its opposite, however that is said. */
static void
a_search_and_its_opposite(void **state)
{
	static const char *const opposites[][2] = {{"NOT (", ")"}, {"NOT NOT NOT (", ")"},
	    {"NOT (OR ALL (", "))"}, {"NOT (ALL ", ")"}, {"NOT OR UID 100 (", ")"}};

	(void)state;
	for (size_t i = 0; i < COUNT(searches); i++) {
		struct sequence yes, no;

		found(searches[i].keys, "", "", &yes);
		for (size_t k = 0; k < COUNT(opposites); k++) {
			found(searches[i].keys, opposites[k][0], opposites[k][1], &no);
			for (uint32_t uid = 1; uid <= COUNT(messages); uid++) {
				bool all = strstr(opposites[k][0], "OR ALL") != NULL;

				assert_int_equal(
				    sequence_has(&no, uid), !all && !sequence_has(&yes, uid));
			}
			sequence_clear(&no);
		}
		sequence_clear(&yes);
	}
}

/* A file is opened only when what costs less leaves the answer open. */
static void
dear_questions_are_asked_last(void **state)
{
	char path[sizeof(fixture_dir) + 32], away[sizeof(fixture_dir) + 32];
	struct sequence yes;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/md/cur/%s", fixture_dir, messages[0].name);
	(void)snprintf(away, sizeof(away), "%s/away", fixture_dir);
	assert_int_equal(rename(path, away), 0); /* it cannot be read now */
	found("OR UID 1 BODY nothing-of-it", "", "", &yes);
	assert_true(sequence_has(&yes, 1));
	sequence_clear(&yes);
	found("NOT (SEEN BODY apple)", "", "", &yes);
	assert_true(sequence_has(&yes, 1));
	sequence_clear(&yes);
	found("BODY apple", "", "", &yes); /* and one that cannot be read has no text */
	assert_false(sequence_has(&yes, 1));
	assert_true(sequence_has(&yes, 2));
	sequence_clear(&yes);
	assert_int_equal(rename(away, path), 0);
}

static void
req23_a_search_is_given_up_when_its_client_has_gone(void **state)
{
	enum { TIMES = 4000, MORE = 4000 };
	char *command = malloc(TIMES * 16), path[256];
	int len = snprintf(command, 32, " SEEN");
	struct args args;
	int64_t start;

	(void)state;
	close(client);
	client = -1;
	for (int i = 0; i < TIMES; i++)
		len += snprintf(command + len, 16, " UNSEEN");
	args = (struct args){.at = command, .end = command + len};
	for (int i = 0; i < MORE; i++) {
		(void)snprintf(path, sizeof(path), "%s/md/cur/%d.more:2,", fixture_dir, 100 + i);
		fixture_write(path, "\n", 1, 0600);
	}
	mailbox_close(&session.box);
	session.box = mailbox_open(&session, "INBOX", true);
	assert_non_null(session.box);
	assert_int_equal(session.box->count, COUNT(messages) + MORE);
	start = clock_now();
	session.command_flags = BY_UID;
	assert_true(args_space(&args));
	assert_int_equal(run_search(&session, &args), COMMAND_ANSWERED);
	assert_true(clock_now() - start < 5000);
	assert_int_equal(session.channel->end, CHANNEL_CLOSED);
	free(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(programs_in_postfix_order),
	    cmocka_unit_test(limits_of_numbers),
	    cmocka_unit_test(sets_bound_a_search),
	    cmocka_unit_test(malformed_searches),
	    cmocka_unit_test(what_is_to_be_returned),
	    cmocka_unit_test(req18_depth_and_number_are_bounded),
	    cmocka_unit_test(what_is_found),
	    cmocka_unit_test(a_search_and_its_opposite),
	    cmocka_unit_test(dear_questions_are_asked_last),
	    cmocka_unit_test(req23_a_search_is_given_up_when_its_client_has_gone),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
