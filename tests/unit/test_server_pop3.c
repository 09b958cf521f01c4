/*
 * test_server_pop3.c: command lines, numbers, CAPA; messages as RETR and TOP send them, compared with
 * a second, simpler way to make them; and whole dialogues, before login and after it.
 */
#include "server_fixture.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/pop3/maildrop.h"
#include "server/pop3/pop3.h"
#include "server/pop3/send.h"
#include "server/reader/auth_answer.h"
#include "server/reader/reader.h"
#include "server/worker/worker.h"

/* --- pop3.h --- */

static void
lines_are_taken_apart(void **state)
{
	static const struct {
		const char *line;
		size_t len;
		const char *verb, *argument;
	} rows[] = {
	    {"STAT", 4, "STAT", NULL},
	    {"stat", 4, "STAT", NULL},
	    {"StAt", 4, "STAT", NULL},
	    {"TOP 1 0", 7, "TOP", "1 0"},
	    {"LIST ", 5, "LIST", NULL},
	    {"LIST  1", 7, "LIST", " 1"}, /* one blank parts them */
	    {"PASS  two  blanks ", 18, "PASS", " two  blanks "},
	    {"USER anna", 9, "USER", "anna"},
	    {"", 0, "", NULL},
	    {" ", 1, "", NULL},
	    {" STAT", 5, "", "STAT"},
	    {"STATS", 5, "", NULL},
	    {"STAT\t1", 6, "", NULL},
	    {"A", 1, "A", NULL},
	    {"\xe9\xe9\xe9\xe9", 4, "\xe9\xe9\xe9\xe9", NULL},
	    {"DELE 1\0x", 8, "", NULL}, /* a NUL hides nothing */
	    {"\0STAT", 5, "", NULL},
	    {"STAT\0", 5, "", NULL},
	};
	struct args line;
	char *copy;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		copy = malloc(rows[i].len + 1);
		assert_non_null(copy);
		memcpy(copy, rows[i].line, rows[i].len);
		copy[rows[i].len] = '\0';
		pop3_parse(copy, rows[i].len, &line);
		assert_string_equal(line.verb, rows[i].verb);
		if (rows[i].argument == NULL)
			assert_null(line.argument);
		else
			assert_string_equal(line.argument, rows[i].argument);
		free(copy);
	}
}

static void
arguments_fit_or_not(void **state)
{
	const struct command alone = {"X", 0, 0, COMMAND_ALONE},
			     any = {"X", 0, 0, COMMAND_OPTIONAL},
			     one = {"X", 0, 0, COMMAND_ARGUMENTS};

	(void)state;
	assert_true(command_fits(&one, true));
	assert_true(command_fits(&any, true));
	assert_false(command_fits(&alone, true));
	assert_false(command_fits(&one, false));
	assert_true(command_fits(&any, false));
	assert_true(command_fits(&alone, false));
}

static void
numbers_are_strict(void **state)
{
	static const struct {
		const char *text;
		bool alone, before; /* whether it is one alone, and with more behind it */
		uint32_t number;
		const char *rest;
	} rows[] = {
	    {"0", true, true, 0, NULL}, {"1", true, true, 1, NULL},
	    {"0000000001", true, true, 1, NULL},
	    {"00000000001", false, false, 0, NULL}, /* 11 digits */
	    {"4294967295", true, true, 4294967295, NULL}, {"4294967296", false, false, 0, NULL},
	    {"4294967297", false, false, 0, NULL}, /* never 1 */
	    {"9999999999", false, false, 0, NULL}, {"18446744073709551617", false, false, 0, NULL},
	    {"", false, false, 0, NULL}, {"+1", false, false, 0, NULL},
	    {"-1", false, false, 0, NULL}, {" 1", false, false, 0, NULL},
	    {"\t1", false, false, 0, NULL}, {"1\t", false, false, 0, NULL},
	    {"1 ", false, true, 1, ""}, {"1 2", false, true, 1, "2"},
	    {"1  2", false, true, 1, " 2"}, {"1a", false, false, 0, NULL},
	    {"0x1", false, false, 0, NULL}, {"1.0", false, false, 0, NULL},
	    {"1,2", false, false, 0, NULL},
	    {"\xd9\xa1", false, false, 0, NULL}, /* U+0661, a digit elsewhere */
	};
	const char *rest;
	uint32_t number;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		number = 77;
		assert_int_equal(pop3_number(rows[i].text, &number, NULL), rows[i].alone);
		assert_int_equal(number, rows[i].alone ? rows[i].number : 77);
		number = 77;
		rest = NULL;
		assert_int_equal(pop3_number(rows[i].text, &number, &rest), rows[i].before);
		assert_int_equal(number, rows[i].before ? rows[i].number : 77);
		if (rows[i].rest == NULL)
			assert_null(rest);
		else
			assert_string_equal(rest, rows[i].rest);
	}
}

/* --- what goes out, caught in memory --- */

static struct channel channel;

static void
catch_output(void)
{
	int fd = memfd_create("out", MFD_CLOEXEC);

	assert_true(fd >= 0);
	channel_init(&channel, fd, CLOCK_NEVER, 1000);
}

/* All of it; the caller frees.  *len_r may be NULL. */
static char *
caught(size_t *len_r)
{
	struct stat st;
	char *text;

	assert_true(channel_flush(&channel));
	assert_int_equal(fstat(channel.fd, &st), 0);
	text = malloc((size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(pread(channel.fd, text, (size_t)st.st_size, 0), st.st_size);
	text[st.st_size] = '\0';
	if (len_r != NULL)
		*len_r = (size_t)st.st_size;
	assert_int_equal(close(channel.fd), 0);
	channel.fd = -1;
	return text;
}

static void
capabilities_tell_the_state(void **state)
{
	static const struct {
		struct pop3_state state;
		bool stls, user, implementation;
		const char *delay;
	} rows[] = {
	    {{.logged_in = false}, true, false, false, NULL}, /* in the clear */
	    {{.may_login = true}, true, true, false, NULL},   /* from loopback, where allowed */
	    {{.tls = true, .may_login = true}, false, true, false, NULL},
	    {{.tls = true, .may_login = true, .login_delay = 60}, false, true, false,
		"\r\nLOGIN-DELAY 60\r\n"},
	    {{.logged_in = true}, false, true, true, NULL},
	    {{.logged_in = true, .tls = true, .may_login = true, .login_delay = 5}, false, true,
		true, "\r\nLOGIN-DELAY 5\r\n"},
	};
	static const char *const always[] = {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE",
	    "PIPELINING", "EXPIRE NEVER", "UTF8", "LANG"};
	char word[64], *text;
	size_t i, k, len;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		catch_output();
		pop3_capa(&channel, &rows[i].state);
		text = caught(&len);
		assert_int_equal(strncmp(text, "+OK", 3), 0);
		assert_string_equal(text + len - 5, "\r\n.\r\n");
		for (k = 0; k < COUNT(always); k++) {
			snprintf(word, sizeof(word), "\r\n%s\r\n", always[k]);
			assert_non_null(strstr(text, word));
		}
		assert_int_equal(strstr(text, "\r\nSTLS\r\n") != NULL, rows[i].stls);
		assert_int_equal(strstr(text, "\r\nUSER\r\n") != NULL, rows[i].user);
		assert_int_equal(strstr(text, "\r\nSASL PLAIN LOGIN\r\n") != NULL, rows[i].user);
		assert_int_equal(
		    strstr(text, "\r\nIMPLEMENTATION ") != NULL, rows[i].implementation);
		if (rows[i].delay == NULL)
			assert_null(strstr(text, "LOGIN-DELAY"));
		else
			assert_non_null(strstr(text, rows[i].delay));
		free(text);
	}
}

static void
languages(void **state)
{
	static const struct {
		const char *range, *answer;
	} rows[] = {
	    {NULL, "+OK Language listing follows\r\nen English\r\n.\r\n"},
	    {"*", "+OK en "},
	    {"EN", "+OK en "},
	    {"de", "-ERR "},
	    {"", "-ERR "},
	    {"en\r\n+OK", "-ERR "},
	};
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		catch_output();
		pop3_lang(&channel, rows[i].range);
		text = caught(NULL);
		assert_int_equal(strncmp(text, rows[i].answer, strlen(rows[i].answer)), 0);
		if (rows[i].range != NULL) /* one line, whatever was asked */
			assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		free(text);
	}
}

/* --- a Maildir --- */

/* Empties the Maildir "mail", and makes it when there is none. */
static void
fresh_maildir(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s/mail'", fixture_dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(maildir_create(fixture_path("mail")), 0);
}

static void
deliver(unsigned number, const char *octets, size_t len)
{
	char name[64];

	snprintf(name, sizeof(name), "mail/new/%u.M%uP1.host", 1700000000 + number, number);
	fixture_write(fixture_path(name), octets, len, 0600);
}

static struct maildir *
open_maildir(void)
{
	struct maildir *md;

	assert_int_equal(maildir_open(fixture_path("mail"), "host", &md), 0);
	return md;
}

/* --- what RETR and TOP should say, made octet by octet --- */

struct text {
	size_t len;
	char *at;
};

/* The message with CRLF everywhere. */
static struct text
on_the_wire(const char *octets, size_t len)
{
	struct text t = {0, malloc(2 * len + 3)};
	size_t i;

	assert_non_null(t.at);
	for (i = 0; i < len; i++) {
		if (octets[i] == '\n' && (i == 0 || octets[i - 1] != '\r'))
			t.at[t.len++] = '\r';
		t.at[t.len++] = octets[i];
	}
	if (len > 0 && octets[len - 1] != '\n') {
		t.at[t.len++] = '\r';
		t.at[t.len++] = '\n';
	}
	return t;
}

/* The first lines of it, stuffed and ended. */
static struct text
expected_answer(const struct text *wire, uint64_t lines)
{
	struct text t = {0, malloc(2 * wire->len + 8)};
	bool at_start = true, body = false;
	size_t i, start = 0;

	assert_non_null(t.at);
	for (i = 0; i < wire->len && !(body && lines == 0 && at_start); i++) {
		if (at_start)
			start = i;
		if (at_start && wire->at[i] == '.')
			t.at[t.len++] = '.';
		t.at[t.len++] = wire->at[i];
		at_start = wire->at[i] == '\n';
		if (at_start && body && lines != UINT64_MAX)
			lines--;
		if (at_start && i == start + 1 && wire->at[start] == '\r')
			body = true;
	}
	memcpy(t.at + t.len, ".\r\n", 3);
	t.len += 3;
	return t;
}

static void
expect_text(const char *what, const char *got, size_t len, const struct text *expected)
{
	size_t i;

	for (i = 0; i < len && i < expected->len && got[i] == expected->at[i]; i++)
		;
	if (i != len || i != expected->len)
		fail_msg("%s: %zu octets for %zu, different at %zu", what, len, expected->len, i);
}

/* Sends the message and compares it for several numbers of lines. */
static void
expect_sent(
    struct maildir_folder *folder, uint32_t uid, const char *name, const char *octets, size_t size)
{
	static const uint64_t lines[] = {POP3_ALL_LINES, 0, 1, 2, 3, 10, 100, 4294967295};
	struct text wire = on_the_wire(octets, size), expected;
	struct maildir_reader *reader;
	uint64_t told;
	bool newline;
	size_t i, len;
	char *got;

	assert_int_equal(maildir_size(folder, uid, &told, &newline), 0);
	assert_int_equal(told + (newline || told == 0 ? 0 : 2), wire.len);
	for (i = 0; i < COUNT(lines); i++) {
		catch_output();
		assert_int_equal(maildir_reader_open(folder, uid, &reader), 0);
		assert_int_equal(pop3_send(&channel, reader, lines[i]), 0);
		maildir_reader_close(&reader);
		got = caught(&len);
		expected = expected_answer(&wire, lines[i]);
		expect_text(name, got, len, &expected);
		free(got);
		free(expected.at);
	}
	free(wire.at);
}

/* One message after the other in a Maildir of its own. */
static void
expect_message(const char *name, const char *octets, size_t len)
{
	struct maildir_folder *folder;
	struct maildir *md;

	fresh_maildir();
	deliver(1, octets, len);
	md = open_maildir();
	assert_int_equal(maildir_folder_open(md, "INBOX", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	assert_int_equal(maildir_count(folder), 1);
	expect_sent(folder, 1, name, octets, len);
	maildir_folder_close(&folder);
	maildir_close(&md);
}

#define MESSAGE(text)                                                                              \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

static void
small_messages(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
	} rows[] = {
	    MESSAGE(""),
	    MESSAGE("\n"),
	    MESSAGE("\r\n"),
	    MESSAGE("."),
	    MESSAGE(".\n"),
	    MESSAGE("..\r\n.\r\n"),
	    MESSAGE("\n.\n..\n...\n"),
	    MESSAGE(".first: octet\n\n.body\n"),
	    MESSAGE("A: b\n\nbody"),
	    MESSAGE("A: b\r\n\r\nbody\r\n"),
	    MESSAGE("A: b\n\r\nmixed\r\nends\n"),
	    MESSAGE("A: b"),
	    MESSAGE("A: b\n"),
	    MESSAGE("A: b\n\n"),
	    MESSAGE("A: b\n\n\n\n\n"),
	    MESSAGE("A: b\n\na\rb\r\rc\n"),
	    MESSAGE("A: b\n\nends in CR\r"),
	    MESSAGE("\r"),
	    MESSAGE("\r\r\n\n"),
	    MESSAGE("A: b\n\r\r\nno empty line\n"),
	    MESSAGE("A: b\n \nno empty line\n"),
	    MESSAGE("A: b\n\nNUL \0 inside\n\0\n"),
	    MESSAGE("A: b\n\n\xff\xfe\x80 octets\n"),
	    MESSAGE("\n\n\n.\n"),
	    MESSAGE("A: b\n\r.\rno line\n"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		expect_message(rows[i].octets, rows[i].octets, rows[i].len);
}

enum {
	EDGE =
	    16384, /* buffers in send.c and channel.h; those of maildir/ are multiples or parts */
	AROUND = 4,
};

static const char *const edge_pieces[] = {
    "\n.\n", "\r\n.\r\n", "\r\n..", "\n\n.", "\r.\r\n", "\r\r\n.", "\n", "."};
static const size_t edges[] = {1024, 4096, 8192, EDGE, 2 * EDGE, 65536};

enum { PLACES = 2 * AROUND + 1, EDGE_MESSAGES = 6 * 8 * PLACES * 2 };

/* The nth message: a piece at a place around an edge, in the header or in the body.  Its length. */
static size_t
edge_message(unsigned n, char *octets, size_t size)
{
	bool header = (n & 1) != 0;
	size_t at = edges[n / 2 / PLACES / 8] - AROUND + n / 2 % PLACES, len;
	const char *piece = edge_pieces[n / 2 / PLACES % 8];

	memset(octets, 'x', size);
	if (!header)
		memcpy(octets, "A: b\n\n", 6);
	len = strlen(piece);
	memcpy(octets + at, piece, len);
	return at + len + ((at & 1) != 0 ? 7 : 0); /* half of them go on, without an end */
}

/* What matters at every place around the boundaries of buffers. */
static void
messages_around_every_boundary(void **state)
{
	static char octets[65536 + 64];
	struct maildir_folder *folder;
	struct maildir *md;
	char name[32];
	unsigned n;

	(void)state;
	assert_int_equal(COUNT(edges) * COUNT(edge_pieces) * PLACES * 2, EDGE_MESSAGES);
	fresh_maildir();
	for (n = 0; n < EDGE_MESSAGES; n++)
		deliver(n, octets, edge_message(n, octets, sizeof(octets)));
	md = open_maildir();
	assert_int_equal(maildir_folder_open(md, "INBOX", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	assert_int_equal(maildir_count(folder), EDGE_MESSAGES);
	for (n = 0; n < EDGE_MESSAGES; n++) {
		snprintf(name, sizeof(name), "edge message %u", n);
		expect_sent(folder, n + 1, name, octets, edge_message(n, octets, sizeof(octets)));
	}
	maildir_folder_close(&folder);
	maildir_close(&md);
}

/* Lines as long as they like, and many of them. */
static void
large_messages(void **state)
{
	enum { SIZE = 3 << 20 };
	static char octets[SIZE];
	size_t i;

	(void)state;
	memset(octets, '.', sizeof(octets));
	expect_message("3 MiB of dots", octets, sizeof(octets));
	for (i = 0; i < sizeof(octets); i++)
		octets[i] = i % 2 == 0 ? '.' : '\n';
	expect_message("dots and newlines", octets, sizeof(octets));
	memset(octets, '\n', sizeof(octets));
	expect_message("newlines", octets, sizeof(octets));
}

static char *
read_whole(const char *path, size_t *len_r)
{
	struct stat st;
	char *octets;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	octets = malloc((size_t)st.st_size + 1);
	assert_non_null(octets);
	assert_int_equal(read(fd, octets, (size_t)st.st_size), st.st_size);
	close(fd);
	*len_r = (size_t)st.st_size;
	return octets;
}

/* All of tests/messages in one Maildir, by the numbers that POP3 gives them. */
static void
the_messages_of_the_tests(void **state)
{
	struct maildir_folder *folder;
	struct dirent **entries;
	struct maildir *md;
	char command[256], path[512], *octets;
	int n, i;
	size_t len;

	(void)state;
	snprintf(command, sizeof(command),
	    "/usr/bin/python3 tests/messages/make.py '%s/messages' >/dev/null 2>&1", fixture_dir);
	if (access("tests/messages/make.py", R_OK) == -1 || system(command) != 0) {
		print_message("the_messages_of_the_tests: run it where tests/messages is\n");
		skip();
	}
	n = scandir(fixture_path("messages"), &entries, NULL, alphasort);
	assert_true(n > 2);
	fresh_maildir();
	for (i = 2; i < n; i++) { /* "." and ".." come first */
		snprintf(path, sizeof(path), "%s/%s", fixture_path("messages"), entries[i]->d_name);
		octets = read_whole(path, &len);
		deliver((unsigned)i, octets, len);
		free(octets);
	}
	md = open_maildir();
	assert_int_equal(maildir_folder_open(md, "INBOX", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	assert_int_equal(maildir_count(folder), n - 2);
	for (i = 2; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", fixture_path("messages"), entries[i]->d_name);
		octets = read_whole(path, &len);
		expect_sent(folder, (uint32_t)i - 1, entries[i]->d_name, octets, len);
		free(octets);
	}
	for (i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	maildir_folder_close(&folder);
	maildir_close(&md);
}

/* --- a session --- */

static const char *const session_messages[] = {
    "Subject: one\n\nfirst\n.dot\n",
    "Subject: two\n\nsecond\n",
    "Subject: three\n\nno end of line",
};

static struct conf *
session_conf(const char *more)
{
	static struct conf_complaints complaints;
	char text[512];
	struct conf *conf;

	snprintf(text, sizeof(text), "certificate = /c /k\nlogin_in_clear = loopback\n%s", more);
	conf = conf_parse(text, strlen(text), &complaints);
	assert_non_null(conf);
	return conf;
}

static struct reader reader;

static enum ipc_verdict
open_session(struct conf *conf)
{
	memset(&reader, 0, sizeof(reader));
	reader.start.conf = conf;
	reader.start.protocol = &protocol_pop3;
	reader.maildir = open_maildir();
	return pop3_open(&reader);
}

/* Serves what the client sends, which then ends; the answers, terminated, in out_r. */
static void
serve(const char *input, size_t len, char *out_r, size_t size)
{
	int pair[2];
	ssize_t n;
	size_t have = 0;

	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, pair);
	assert_int_equal(send(pair[1], input, len, 0), len);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	channel_init(&reader.channel, pair[0], CLOCK_NEVER, 1000);
	pop3_serve(&reader);
	assert_true(channel_flush(&reader.channel) || reader.channel.end != CHANNEL_OPEN);
	maildir_close(&reader.maildir);
	channel_clear(&reader.channel);
	while ((n = recv(pair[1], out_r + have, size - 1 - have, 0)) > 0)
		have += (size_t)n;
	out_r[have] = '\0';
	close(pair[1]);
}

/* A session with the three messages: expected is what it answers to input. */
static void
expect_session(const char *input, const char *expected)
{
	struct conf *conf = session_conf("");
	char out[16384];

	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	serve(input, strlen(input), out, sizeof(out));
	assert_string_equal(out, expected);
	conf_free(&conf);
}

static void
deliver_three(void)
{
	unsigned i;

	fresh_maildir();
	for (i = 0; i < COUNT(session_messages); i++)
		deliver(i, session_messages[i], strlen(session_messages[i]));
}

#define NO_SUCH "-ERR There is no such message\r\n"
#define WRONG	"-ERR Wrong arguments\r\n"

static void
commands_are_answered(void **state)
{
	static const struct {
		const char *input, *answer;
	} rows[] = {
	    {"STAT\r\n", "+OK 3 87\r\n"},
	    {"stat\n", "+OK 3 87\r\n"},
	    {"STAT 1\r\n", WRONG},
	    {"LIST\r\n", "+OK\r\n1 29\r\n2 24\r\n3 34\r\n.\r\n"},
	    {"LIST 2\r\n", "+OK 2 24\r\n"},
	    {"LIST 4\r\n", NO_SUCH},
	    {"LIST 0\r\n", NO_SUCH},
	    {"LIST 4294967297\r\n", NO_SUCH},
	    {"LIST +1\r\n", NO_SUCH},
	    {"LIST  1\r\n", NO_SUCH},
	    {"LIST 1 2\r\n", NO_SUCH},
	    {"RETR 1\r\n", "+OK 29 octets\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n.\r\n"},
	    {"RETR 3\r\n", "+OK 34 octets\r\nSubject: three\r\n\r\nno end of line\r\n.\r\n"},
	    {"RETR\r\n", WRONG},
	    {"RETR 4294967297\r\n", NO_SUCH},
	    {"RETR 1 \r\n", NO_SUCH},
	    {"RETR -1\r\n", NO_SUCH},
	    {"TOP 1 0\r\n", "+OK\r\nSubject: one\r\n\r\n.\r\n"},
	    {"TOP 1 1\r\n", "+OK\r\nSubject: one\r\n\r\nfirst\r\n.\r\n"},
	    {"TOP 3 1\r\n", "+OK\r\nSubject: three\r\n\r\nno end of line\r\n.\r\n"},
	    {"TOP 1\r\n", "-ERR TOP wants a message and a number of lines\r\n"},
	    {"TOP 1 -1\r\n", "-ERR TOP wants a message and a number of lines\r\n"},
	    {"TOP 1 1 1\r\n", "-ERR TOP wants a message and a number of lines\r\n"},
	    {"TOP 4 1\r\n", NO_SUCH},
	    {"TOP 1 4294967297\r\n", "-ERR TOP wants a message and a number of lines\r\n"},
	    {"DELE 4294967297\r\nSTAT\r\n", NO_SUCH "+OK 3 87\r\n"},
	    {"DELE 1\r\nSTAT\r\nDELE 1\r\nRETR 1\r\nLIST\r\nRSET\r\nSTAT\r\n",
		"+OK Marked to be deleted\r\n+OK 2 58\r\n" NO_SUCH NO_SUCH
		"+OK\r\n2 24\r\n3 34\r\n.\r\n+OK No message is marked\r\n+OK 3 87\r\n"},
	    {"NOOP\r\n", "+OK\r\n"},
	    {"NOOP x\r\n", WRONG},
	    {"\r\n", "-ERR Unknown command\r\n"},
	    /* What belongs before the login is no command any more. */
	    {"USER anna\r\n", "-ERR Unknown command\r\n"},
	    {"PASS x\r\n", "-ERR Unknown command\r\n"},
	    {"AUTH PLAIN\r\n", "-ERR Unknown command\r\n"},
	    {"APOP anna x\r\n", "-ERR Unknown command\r\n"},
	    {"STLS\r\n", "-ERR Unknown command\r\n"},
	    {"UTF8\r\n", "-ERR Unknown command\r\n"}, /* RFC 6856 section 2.1 */
	    {"LANG de\r\n", "-ERR There is no such language here\r\n"},
	    {"NOOP\rSTAT\r\n", "-ERR Unknown command\r\n"}, /* CR alone is no line end */
	    {"NOOP", ""},
	    {"QUIT\r\nSTAT\r\n", "+OK Bye\r\n"},
	};
	size_t i;

	(void)state;
	deliver_three();
	for (i = 0; i < COUNT(rows); i++)
		expect_session(rows[i].input, rows[i].answer);
}

static void
deletions_take_effect_at_quit(void **state)
{
	(void)state;
	deliver_three();
	expect_session("DELE 2\r\n", "+OK Marked to be deleted\r\n"); /* the connection ends */
	expect_session("DELE 2\r\nQUIT", "+OK Marked to be deleted\r\n");
	expect_session("STAT\r\n", "+OK 3 87\r\n");
	expect_session("DELE 2\r\nRSET\r\nQUIT\r\n",
	    "+OK Marked to be deleted\r\n+OK No message is marked\r\n+OK Bye\r\n");
	expect_session("STAT\r\n", "+OK 3 87\r\n");
	expect_session("DELE 2\r\nQUIT\r\n", "+OK Marked to be deleted\r\n+OK Bye\r\n");
	assert_int_equal(reader.removed, 1);
	expect_session("LIST\r\n", "+OK\r\n1 29\r\n2 34\r\n.\r\n");
}

static void
a_line_too_long_ends_the_session(void **state)
{
	static char input[POP3_LINE_MAX + 8];
	struct conf *conf = session_conf("");
	char out[1024];

	(void)state;
	deliver_three();
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	memset(input, 'x', sizeof(input));
	memcpy(input, "NOOP\r\n", 6);
	serve(input, sizeof(input), out, sizeof(out));
	assert_string_equal(out, "+OK\r\n-ERR Line too long\r\n");
	conf_free(&conf);
}

static void
hundreds_of_commands_in_flight(void **state)
{
	enum { TIMES = 300 };
	static char input[TIMES * 40], out[TIMES * 200], expected[TIMES * 200];
	struct conf *conf = session_conf("");
	size_t len = 0, want = 0;
	int i;

	(void)state;
	deliver_three();
	for (i = 0; i < TIMES; i++) {
		len += (size_t)snprintf(input + len, sizeof(input) - len, "RETR 2\r\nUIDX\r\n");
		want += (size_t)snprintf(expected + want, sizeof(expected) - want,
		    "+OK 24 octets\r\nSubject: two\r\n\r\nsecond\r\n.\r\n-ERR Unknown command\r\n");
	}
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	serve(input, len, out, sizeof(out));
	assert_string_equal(out, expected);
	assert_int_equal(reader.messages, TIMES);
	conf_free(&conf);
}

static void
a_second_session_is_refused(void **state)
{
	struct conf *conf = session_conf("");
	char out[256];
	int status;
	pid_t pid;

	(void)state;
	deliver_three();
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(open_session(conf) == IPC_IN_USE ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	serve("QUIT\r\n", 6, out, sizeof(out));
	/* And now it may. */
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	serve("QUIT\r\n", 6, out, sizeof(out));
	conf_free(&conf);
}

static void
uidls_stay(void **state)
{
	struct conf *conf = session_conf("");
	char out[1024], again[1024], *line;
	size_t len;
	int i;

	(void)state;
	deliver_three();
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	serve("UIDL\r\n", 6, out, sizeof(out));
	assert_int_equal(strncmp(out, "+OK\r\n", 5), 0);
	for (line = out + 5, i = 0; *line != '.'; line += len + 3, i++) {
		line += 2; /* "1 " */
		len = strcspn(line, "\r") - 1;
		assert_in_range(len + 1, 1, POP3_UIDL_MAX);
		for (len = 0; line[len] != '\r'; len++)
			assert_in_range(line[len], 0x21, 0x7e);
		len--;
	}
	assert_int_equal(i, 3);
	/* Read and marked as seen: the files have other names, the UIDLs have not. */
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	serve("RETR 1\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n", 30, again, sizeof(again));
	assert_int_equal(open_session(conf), IPC_ACCEPTED);
	serve("UIDL\r\n", 6, again, sizeof(again));
	assert_string_equal(again, out);
	conf_free(&conf);
}

/* The forms are Dovecot's words; a saved UIDL counts before them all. */
static void
uidls_have_the_form_that_is_set(void **state)
{
	static const struct {
		const char *form, *uidls;
	} rows[] = {
	    {"%08Xu%08Xv", "1 00000007000012ab\r\n2 saved\r\n3 000000ff000012ab\r\n"},
	    {"%08Xv%08Xu", "1 000012ab00000007\r\n2 saved\r\n3 000012ab000000ff\r\n"},
	    {"%v.%u", "1 4779.7\r\n2 saved\r\n3 4779.255\r\n"},
	    {"%u.%v", "1 7.4779\r\n2 saved\r\n3 255.4779\r\n"},
	    {"%v-%u", "1 4779-7\r\n2 saved\r\n3 4779-255\r\n"},
	    {"UID%u-%v", "1 UID7-4779\r\n2 saved\r\n3 UID255-4779\r\n"},
	    {"%u", "1 7\r\n2 saved\r\n3 255\r\n"},
	    {"%f", "1 1700000000.M0P1.host\r\n2 saved\r\n3 1700000002.M2P1.host\r\n"},
	    /* A copy of the first: only one may keep it. */
	    {"%g", "1 1700000000.M0P1.host\r\n2 saved\r\n3 000000ff000012ab\r\n"},
	};
	static const char list[] = "3 V4779 N256 G0123456789abcdef0123456789abcdef\n"
				   "7 :1700000000.M0P1.host\n8 Psaved :1700000001.M1P1.host\n"
				   "255 G1700000000.M0P1.host :1700000002.M2P1.host\n";
	char setting[64], out[1024], expected[1024];

	(void)state;
	deliver_three();
	fixture_write(fixture_path("mail/dovecot-uidlist"), list, strlen(list), 0600);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf *conf;

		snprintf(setting, sizeof(setting), "pop3_uidl_format = %s\n", rows[i].form);
		conf = session_conf(setting);
		assert_int_equal(open_session(conf), IPC_ACCEPTED);
		serve("UIDL\r\nQUIT\r\n", 12, out, sizeof(out));
		snprintf(expected, sizeof(expected), "+OK\r\n%s.\r\n", rows[i].uidls);
		assert_int_equal(strncmp(out, expected, strlen(expected)), 0);
		conf_free(&conf);
	}
}

/* --- before login --- */

static struct worker worker;

struct dialogue {
	const char *conf; /* more of it */
	bool remote;	  /* not from loopback */
	const char *input;
	uint8_t verdicts[4]; /* the answers to logins, plus 1; 0 ends them */
	bool logged_in;
	const char *output; /* behind the greeting */
};

#define GREETING "+OK sallyport ready\r\n"

/* Runs a dialogue; requests get what the worker wrote to the reader. */
static void
expect_dialogue(const struct dialogue *d, int *requests_r)
{
	struct conf *conf = session_conf(d->conf == NULL ? "" : d->conf);
	int client[2], inner[2];
	char out[16384];
	size_t i, have = 0;
	ssize_t n;

	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, client);
	fixture_pair(SOCK_STREAM, inner);
	for (i = 0; i < COUNT(d->verdicts) && d->verdicts[i] != 0; i++)
		assert_int_equal(
		    auth_answer_result(inner[1], (enum ipc_verdict)(d->verdicts[i] - 1)), 0);
	assert_int_equal(shutdown(inner[1], SHUT_WR), 0);
	assert_int_equal(send(client[1], d->input, strlen(d->input), 0), strlen(d->input));
	assert_int_equal(shutdown(client[1], SHUT_WR), 0);
	memset(&worker, 0, sizeof(worker));
	worker.start.conf = conf;
	worker.start.protocol = &protocol_pop3;
	worker.start.loopback = !d->remote;
	worker.start.reader_fd = inner[0];
	worker.start.key_fd = -1;
	channel_init(&worker.channel, client[0], clock_in(10000), CLOCK_NEVER);
	if (pop3_prelogin(&worker) != d->logged_in)
		fail_msg("%s: %s", d->input, d->logged_in ? "no login" : "logged in");
	channel_flush(&worker.channel);
	channel_clear(&worker.channel);
	while ((n = recv(client[1], out + have, sizeof(out) - 1 - have, 0)) > 0)
		have += (size_t)n;
	out[have] = '\0';
	assert_int_equal(strncmp(out, GREETING, sizeof(GREETING) - 1), 0);
	assert_string_equal(out + sizeof(GREETING) - 1, d->output);
	close(client[1]);
	close(inner[0]);
	*requests_r = inner[1];
	conf_free(&conf);
}

#define PASSWORD   "+OK Password?\r\n"
#define DENIED	   "-ERR [AUTH] Wrong name or password\r\n"
#define IN_CLEAR   "-ERR No login in the clear: STLS first\r\n"
#define UNKNOWN	   "-ERR Unknown command before login\r\n"
#define BYE	   "+OK Bye\r\n"
#define VERDICT(v) ((uint8_t)((v) + 1))

static const struct dialogue dialogues[] = {
    {.input = "", .output = ""},
    {.input = "QUIT\r\n", .output = BYE},
    {.input = "quit\n", .output = BYE},
    {.input = "QUIT", .output = ""}, /* no line end, no command */
    {.input = "QUIT now\r\n", .output = WRONG},
    {.input = "QUIT\r\nNOOP\r\n", .output = BYE},
    /* Nothing of the session. */
    {.input = "STAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nUIDL\r\nTOP 1 1\r\nRSET\r\nNOOP\r\n",
	.output = UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN},
    {.input = "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\nQUIT\r\n",
	.output = UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
	"-ERR Too many unknown commands\r\n"},
    /* Logins. */
    {.input = "USER anna\r\nPASS secret\r\nSTAT\r\n",
	.verdicts = {VERDICT(IPC_ACCEPTED)},
	.logged_in = true,
	.output = PASSWORD "+OK Logged in\r\n"},
    {.input = "PASS secret\r\n", .output = "-ERR USER first\r\n"},
    {.input = "USER\r\nPASS\r\n", .output = WRONG WRONG},
    {.input = "USER anna\r\nPASS a\r\nPASS b\r\n",
	.verdicts = {VERDICT(IPC_DENIED)},
	.output = PASSWORD DENIED "-ERR USER first\r\n"}, /* a name is good for one try */
    {.input = "USER a\r\nPASS b\r\nUSER a\r\nPASS b\r\nUSER a\r\nPASS b\r\nUSER a\r\n",
	.verdicts = {VERDICT(IPC_DENIED), VERDICT(IPC_DENIED), VERDICT(IPC_DENIED)},
	.output = PASSWORD DENIED PASSWORD DENIED PASSWORD DENIED},
    {.input = "USER a\r\nPASS b\r\nUSER a\r\nPASS b\r\n",
	.conf = "login_failures = 1\n",
	.verdicts = {VERDICT(IPC_DENIED)},
	.output = PASSWORD DENIED},
    {.input = "USER a\r\nPASS b\r\nQUIT\r\n",
	.verdicts = {VERDICT(IPC_IN_USE)},
	.output = PASSWORD "-ERR [IN-USE] Another session has this mailbox open\r\n" BYE},
    {.input = "USER a\r\nPASS b\r\nQUIT\r\n",
	.verdicts = {VERDICT(IPC_TOO_SOON)},
	.output = PASSWORD "-ERR [LOGIN-DELAY] Too soon after the last login\r\n" BYE},
    {.input = "USER a\r\nPASS b\r\nQUIT\r\n",
	.verdicts = {VERDICT(IPC_TOO_MANY)},
	.output = PASSWORD "-ERR [SYS/TEMP] Too many connections of this user\r\n" BYE},
    {.input = "USER a\r\nPASS b\r\nQUIT\r\n",
	.verdicts = {VERDICT(IPC_BROKEN)},
	.output = PASSWORD "-ERR [SYS/PERM] The mailbox cannot be opened\r\n" BYE},
    {.input = "USER a\r\nPASS b\r\nQUIT\r\n",
	.verdicts = {200}, /* a verdict that is none */
	.output = PASSWORD "-ERR [SYS/TEMP] Logins do not work at the moment\r\n" BYE},
    {.input = "USER a\r\nPASS b\r\nQUIT\r\n", /* nobody answers */
	.output = PASSWORD "-ERR [SYS/TEMP] Logins do not work at the moment\r\n" BYE},
    {.input = "AUTH PLAIN AGFubmEAc2VjcmV0\r\n",
	.verdicts = {VERDICT(IPC_ACCEPTED)},
	.logged_in = true,
	.output = "+OK Logged in\r\n"},
    {.input = "AUTH PLAIN\r\nAGFubmEAc2VjcmV0\r\n",
	.verdicts = {VERDICT(IPC_ACCEPTED)},
	.logged_in = true,
	.output = "+ \r\n+OK Logged in\r\n"},
    {.input = "auth login\r\nYW5uYQ==\r\nc2VjcmV0\r\n",
	.verdicts = {VERDICT(IPC_ACCEPTED)},
	.logged_in = true,
	.output = "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK Logged in\r\n"},
    {.input = "AUTH PLAIN\r\n*\r\nQUIT\r\n",
	.output = "+ \r\n-ERR Authentication cancelled\r\n" BYE},
    {.input = "AUTH PLAIN !!!\r\nAUTH PLAIN =\r\nAUTH PLAIN AGFubmEA\r\nQUIT\r\n",
	.output = "-ERR [AUTH] Malformed authentication\r\n"
		  "-ERR [AUTH] Malformed authentication\r\n"
		  "-ERR [AUTH] Malformed authentication\r\n"},
    {.input = "AUTH CRAM-MD5\r\nAUTH\r\n",
	.output = "-ERR There is no such mechanism\r\n"
		  "+OK Mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n"},
    {.input = "AUTH PLAIN\r\nAGFubmEAc2Vjc", .output = "+ \r\n"}, /* no line end, no answer */
    {.input = "APOP anna c4c9334bac560ecc979e58001b3e22fb\r\n",
	.output = "-ERR No APOP here: use TLS with USER and PASS, or AUTH\r\n"},
    /* In the clear from elsewhere a password is refused before it is looked at. */
    {.input = "USER anna\r\nPASS secret\r\nAUTH\r\nAUTH PLAIN AGFubmEAc2VjcmV0\r\n",
	.remote = true,
	.verdicts = {VERDICT(IPC_ACCEPTED)},
	.output = IN_CLEAR IN_CLEAR IN_CLEAR IN_CLEAR},
    {.input = "USER anna\r\nPASS secret\r\n",
	.conf = "log_tls = full\n",
	.remote = true,
	.output = IN_CLEAR IN_CLEAR},
    /* STLS with anything behind it is neither answered nor executed. */
    {.input = "STLS\r\nUSER anna\r\n",
	.output = "-ERR Nothing may follow STLS before TLS is active\r\n"},
    {.input = "UTF8\r\nSTLS\r\n",
	.output = "+OK UTF8 enabled\r\n-ERR STLS must come before UTF8\r\n"},
    {.input = "LANG\r\nLANG *\r\n",
	.output =
	    "+OK Language listing follows\r\nen English\r\n.\r\n+OK en Language is English\r\n"},
};

static void
dialogues_before_login(void **state)
{
	struct auth_request request;
	struct ipc_message message;
	int requests;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(dialogues); i++) {
		expect_dialogue(&dialogues[i], &requests);
		if (dialogues[i].logged_in) {
			assert_int_equal(ipc_recv_record(requests, &message, 100, NULL), 0);
			assert_true(auth_answer_parse(&message, &request));
			assert_string_equal(request.name, "anna");
			assert_string_equal(request.password, "secret");
			assert_string_equal(request.tls_version, "");
		}
		if (dialogues[i].remote) /* the reader was not even asked */
			assert_int_equal(ipc_recv_record(requests, &message, 0, NULL), -1);
		close(requests);
	}
}

/* What cannot be a name, or a password, costs what a wrong one costs: it is sent on, as nobody's. */
static void
impossible_names_are_tried_too(void **state)
{
	static const char *const names[] = {"../etc", "a b", "-x", "a\xff", "a..b", "@", "%s"};
	struct dialogue d = {.verdicts = {VERDICT(IPC_DENIED)}, .output = PASSWORD DENIED};
	char input[1024], password[AUTH_PASSWORD_MAX + 2];
	struct auth_request request;
	struct ipc_message message;
	int requests;
	size_t i;

	(void)state;
	d.input = input;
	for (i = 0; i <= COUNT(names); i++) {
		memset(password, 'p', sizeof(password));
		password[i < COUNT(names) ? 8 : AUTH_PASSWORD_MAX + 1] = '\0';
		snprintf(input, sizeof(input), "USER %s\r\nPASS %s\r\n",
		    i < COUNT(names) ? names[i] : "anna", password);
		expect_dialogue(&d, &requests);
		assert_int_equal(ipc_recv_record(requests, &message, 100, NULL), 0);
		assert_true(auth_answer_parse(&message, &request));
		assert_string_equal(request.name, "");
		assert_int_equal(
		    strlen(request.password), i < COUNT(names) ? 8 : AUTH_PASSWORD_MAX);
		close(requests);
	}
}

static void
an_endless_line_ends_it(void **state)
{
	char input[POP3_LINE_MAX + 16];
	struct dialogue d = {.input = input, .output = "-ERR Line too long\r\n"};
	int requests;

	(void)state;
	memset(input, 'x', sizeof(input));
	input[sizeof(input) - 1] = '\0';
	expect_dialogue(&d, &requests);
	close(requests);
	assert_string_equal(worker.reason, "line too long");
}

static void
refusals_are_a_line(void **state)
{
	const struct {
		const struct protocol *protocol;
		const char *begin;
	} rows[] = {{&protocol_pop3, "-ERR [SYS/TEMP] "}, {&protocol_imap, "* BYE [UNAVAILABLE] "}};
	size_t row;
	int i;

	(void)state;
	for (row = 0; row < COUNT(rows); row++)
		for (i = REFUSE_NOTHING + 1; i < REFUSALS; i++) {
			const char *text = rows[row].protocol->refusals[i],
				   *begin = rows[row].begin;

			assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
			assert_ptr_equal(strstr(text, "\r\n"), text + strlen(text) - 2);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_taken_apart),
	    cmocka_unit_test(arguments_fit_or_not),
	    cmocka_unit_test(numbers_are_strict),
	    cmocka_unit_test(capabilities_tell_the_state),
	    cmocka_unit_test(languages),
	    cmocka_unit_test(small_messages),
	    cmocka_unit_test(messages_around_every_boundary),
	    cmocka_unit_test(large_messages),
	    cmocka_unit_test(the_messages_of_the_tests),
	    cmocka_unit_test(commands_are_answered),
	    cmocka_unit_test(deletions_take_effect_at_quit),
	    cmocka_unit_test(a_line_too_long_ends_the_session),
	    cmocka_unit_test(hundreds_of_commands_in_flight),
	    cmocka_unit_test(a_second_session_is_refused),
	    cmocka_unit_test(uidls_stay),
	    cmocka_unit_test(uidls_have_the_form_that_is_set),
	    cmocka_unit_test(dialogues_before_login),
	    cmocka_unit_test(impossible_names_are_tried_too),
	    cmocka_unit_test(an_endless_line_ends_it),
	    cmocka_unit_test(refusals_are_a_line),
	};

	return cmocka_run_group_tests(tests, fixture_make_dir, fixture_remove_dir);
}
