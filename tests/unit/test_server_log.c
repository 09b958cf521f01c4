/*
 * test_server_log.c: the log's encoder: one line, and no key but ours, whatever a value holds.
 */
#include "server_fixture.h"

#include <sys/socket.h>

#include "server/log.h"

/* The line's text, as the log process makes it of a line of master; it may be asked for at any time. */
static const char *
text_of(const struct log_line *line)
{
	static const struct log_writer master = {.role = NULL};
	static struct log_text text;
	struct log_line copy = *line;

	assert_true(log_format(&copy, &master, &text));
	assert_true(text.len < sizeof(text.text));
	assert_int_equal(strlen(text.text), text.len);
	return text.text;
}

/* The line for one pair, as text after "- test event ". */
static const char *
pair(void (*put)(struct log_line *, const char *, const char *), const char *value)
{
	static const char before[] = "- test event ";
	struct log_line line;
	const char *text;

	log_begin(&line, LOG_NOTE, "test", "event");
	put(&line, "k", value);
	text = text_of(&line);
	assert_memory_equal(text, before, sizeof(before) - 1);
	return text + sizeof(before) - 1;
}

static void
values_are_encoded(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
	    {"anna", "k=anna"},
	    {"", "k=\"\""},
	    {"two words", "k=\"two words\""},
	    {"quo\"te", "k=\"quo\\\"te\""},
	    {"back\\slash", "k=\"back\\\\slash\""},
	    {"\\\"", "k=\"\\\\\\\"\""},
	    {"a=b", "k=\"a=b\""},
	    {"line\nline", "k=line\\x0aline"},
	    {"\r\n", "k=\\x0d\\x0a"},
	    {"\t", "k=\\x09"},
	    {"\033[31m", "k=\\x1b[31m"},
	    {"\x7f\x80\xff", "k=\\x7f\\x80\\xff"},
	    {"caf\xc3\xa9", "k=caf\\xc3\\xa9"},
	    {"%s%n", "k=%s%n"},
	    {"2001:db8::1", "k=2001:db8::1"},
	    /* Attempts to write what we did not: a second line, another key. */
	    {"x\n7f3a9c01 pop3 login user=root", "k=\"x\\x0a7f3a9c01 pop3 login user=root\""},
	    {"x rip=192.0.2.1", "k=\"x rip=192.0.2.1\""},
	    {"x\" rip=192.0.2.1", "k=\"x\\\" rip=192.0.2.1\""},
	    {"x\\\" rip=192.0.2.1 \"", "k=\"x\\\\\\\" rip=192.0.2.1 \\\"\""},
	    {"x\trip=192.0.2.1", "k=\"x\\x09rip=192.0.2.1\""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_string_equal(pair(log_text, rows[i].value), rows[i].text);
		assert_string_equal(pair(log_client, rows[i].value), rows[i].text);
	}
}

static void
every_octet_becomes_printable(void **state)
{
	char value[2] = "";
	const char *text;
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		value[0] = (char)c;
		for (text = pair(log_text, value); *text != '\0'; text++)
			assert_in_range(*text, 0x20, 0x7e);
	}
}

static void
long_values_are_cut(void **state)
{
	static const struct {
		void (*put)(struct log_line *, const char *, const char *);
		size_t max;
	} rows[] = {{log_text, LOG_VALUE_MAX}, {log_client, LOG_CLIENT_MAX}};
	char value[5000], expected[512];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		memset(value, 'x', sizeof(value));
		value[rows[i].max] = '\0';
		snprintf(expected, sizeof(expected), "k=%.*s", (int)rows[i].max, value);
		assert_string_equal(pair(rows[i].put, value), expected);
		value[rows[i].max] = 'x';
		value[sizeof(value) - 1] = '\0';
		snprintf(expected, sizeof(expected), "k=%.*s...", (int)rows[i].max, value);
		assert_string_equal(pair(rows[i].put, value), expected);
	}
	/* Where a value is cut and quoted, the quote still ends it. */
	memset(value, ' ', sizeof(value) - 1);
	snprintf(expected, sizeof(expected), "k=\"%.*s...\"", LOG_CLIENT_MAX, value);
	assert_string_equal(pair(log_client, value), expected);
}

/* A client's value may be as bad as it likes: what stands behind it is still told. */
static void
a_client_cannot_push_out_the_rest(void **state)
{
	char value[5000];
	struct log_line line;

	(void)state;
	memset(value, '\n', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_begin(&line, LOG_NOTE, "pop3", "login");
	log_client(&line, "tls", value);
	log_client(&line, "cipher", value);
	log_client(&line, "sni", value);
	log_text(&line, "rip", "192.0.2.7");
	assert_non_null(strstr(text_of(&line), " rip=192.0.2.7"));
}

static void
a_line_never_overflows(void **state)
{
	char value[400];
	struct log_line line;
	int i;

	(void)state;
	memset(value, '\1', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_begin(&line, LOG_NOTE, "test", "event");
	for (i = 0; i < 20; i++) {
		log_text(&line, "key", value);
		log_number(&line, "n", i);
		(void)text_of(&line);
	}
}

static void
numbers_and_ids(void **state)
{
	struct log_line line;

	(void)state;
	log_set_connection(0x7f3a9c01, "192.0.2.7", 50123);
	log_begin(&line, LOG_NOTE, "pop3", "end");
	log_number(&line, "in", 0);
	log_number(&line, "low", INT64_MIN);
	log_number(&line, "high", INT64_MAX);
	log_set_connection(0, "", 0);
	assert_string_equal(text_of(&line), "7f3a9c01 pop3 end rip=192.0.2.7 rport=50123 in=0 "
					    "low=-9223372036854775808 high=9223372036854775807");
	log_begin(&line, LOG_NOTE, "pop3", "end");
	assert_string_equal(text_of(&line), "- pop3 end");
}

/* The client's address stands in every line of its connection, once, behind the user or first. */
static void
mend27_every_line_has_the_address(void **state)
{
	struct log_line line;

	(void)state;
	log_set_connection(1, "2001:db8::1", 7);
	log_begin(&line, LOG_NOTE, "imap", "login");
	log_text(&line, "user", "anna");
	log_text(&line, "tls", "no");
	assert_string_equal(
	    text_of(&line), "00000001 imap login user=anna rip=2001:db8::1 rport=7 tls=no");
	log_begin(&line, LOG_NOTE, "imap", "denied");
	log_text(&line, "reason", "x");
	assert_string_equal(
	    text_of(&line), "00000001 imap denied rip=2001:db8::1 rport=7 reason=x");
	log_set_connection(0, "", 0);
}

/* What log_end and log_event write to stderr. */
static ssize_t
written(char *out_r, size_t size, void (*write_it)(void))
{
	int pair_fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_true(saved >= 0);
	fixture_pair(SOCK_SEQPACKET, pair_fds); /* so that one write is one read */
	assert_int_equal(dup2(pair_fds[1], STDERR_FILENO), STDERR_FILENO);
	errno = EXDEV;
	write_it();
	assert_int_equal(errno, EXDEV);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	close(pair_fds[1]);
	n = read(pair_fds[0], out_r, size - 1);
	assert_true(n >= 0);
	out_r[n] = '\0';
	assert_int_equal(read(pair_fds[0], out_r + n, 1), 0); /* it was one */
	close(pair_fds[0]);
	return n;
}

static void
write_event(void)
{
	log_event(LOG_WARN, "maildir", "notice", "user", "anna", "text", "a\nb");
}

static void
write_long(void)
{
	char value[301];
	struct log_line line;
	int i;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_begin(&line, LOG_NOTE, "test", "long");
	for (i = 0; i < 10; i++)
		log_text(&line, "key", value);
	log_end(&line);
}

static void
a_line_is_one_write(void **state)
{
	char out[2 * LOG_LINE_MAX];
	ssize_t n;

	(void)state;
	(void)written(out, sizeof(out), write_event);
	assert_string_equal(out, "- maildir notice user=anna text=a\\x0ab\n");
	n = written(out, sizeof(out), write_long);
	assert_int_equal(n, LOG_LINE_MAX);
	assert_int_equal(out[n - 1], '\n');
	assert_null(memchr(out, '\n', (size_t)n - 1));
}

/* --- between processes --- */

/* Receives a line and returns its text, by a writer. */
static const char *
received(int fd, const struct log_writer *writer, struct log_text *text_r)
{
	struct log_line line;

	assert_int_equal(ipc_recv(fd, &line.message, 1000, NULL), 0);
	assert_true(log_format(&line, writer, text_r));
	return text_r->text;
}

/* A full channel holds nobody: lines are counted, and the count goes before the next line. */
static void
a_full_channel_counts(void **state)
{
	const struct log_writer writer = {
	    .role = "worker", .id = 7, .address = "192.0.2.7", .port = 8};
	struct log_text text;
	char expected[100];
	uint32_t sent = 0;
	int fds[2];
	pid_t pid;

	(void)state;
	fixture_pair(SOCK_SEQPACKET, fds);
	pid = fork(); /* log_use_channel is for good */
	assert_true(pid >= 0);
	if (pid == 0) {
		log_use_channel(fds[1]);
		assert_int_equal(log_fd(), fds[1]);
		log_set_connection(99, "203.0.113.9", 9); /* only master's are heeded */
		for (int i = 0; i < 5000; i++)
			log_event(LOG_NOTE, "test", "event", "k", "v");
		(void)ipc_recv(fds[1], &(struct ipc_message){.len = 0}, 10000, NULL);
		log_event(LOG_WARN, "test", "after");
		log_use_channel(-1);
		log_event(LOG_WARN, "test", "nowhere");
		log_event(LOG_WARN, "test", "nowhere");
		log_use_channel(fds[1]);
		log_event(LOG_ERROR, "test", "again");
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(usleep(300000), 0);
	for (;;) {
		struct log_line line;

		if (ipc_recv(fds[0], &line.message, 0, NULL) == -1)
			break;
		assert_true(log_format(&line, &writer, &text));
		assert_string_equal(
		    text.text, "00000007/worker test event rip=192.0.2.7 rport=8 k=v");
		sent++;
	}
	assert_in_range(sent, 10, 4999);
	{
		struct ipc_message go;

		ipc_begin(&go, IPC_READY);
		assert_int_equal(ipc_send(fds[0], &go, -1), 0);
	}
	snprintf(expected, sizeof(expected),
	    "00000007/worker log lost rip=192.0.2.7 rport=8 lines=%u", 5000 - sent);
	assert_string_equal(received(fds[0], &writer, &text), expected);
	assert_string_equal(
	    received(fds[0], &writer, &text), "00000007/worker test after rip=192.0.2.7 rport=8");
	assert_int_equal(text.level, LOG_WARN);
	assert_string_equal(received(fds[0], &writer, &text),
	    "00000007/worker log lost rip=192.0.2.7 rport=8 lines=2");
	assert_string_equal(
	    received(fds[0], &writer, &text), "00000007/worker test again rip=192.0.2.7 rport=8");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
}

/* Which keys a process may write, and whose user counts. */
static void
the_writer_is_not_a_matter_of_the_line(void **state)
{
	static const struct {
		struct log_writer writer;
		const char *key, *text; /* NULL: refused */
	} rows[] = {
	    {{.role = NULL}, "rip", "- pop3 denied rip=192.0.2.1"},
	    {{.role = NULL}, "user", "- pop3 denied user=192.0.2.1"},
	    {{"worker", false, 1, NULL, "198.51.100.9", 5}, "rip", NULL},
	    {{"worker", false, 1, NULL, "198.51.100.9", 5}, "rport", NULL},
	    {{"worker", false, 1, NULL, "198.51.100.9", 5}, "lip", NULL},
	    {{"worker", false, 1, NULL, "198.51.100.9", 5}, "user", NULL},
	    {{"worker", false, 1, NULL, "198.51.100.9", 5}, "why",
		"00000001/worker pop3 denied rip=198.51.100.9 rport=5 why=192.0.2.1"},
	    {{"reader", true, 1, NULL, "198.51.100.9", 5}, "user",
		"00000001/reader pop3 denied user=192.0.2.1 rip=198.51.100.9 rport=5"},
	    {{"reader", true, 1, "anna", "198.51.100.9", 5}, "user",
		"00000001/reader pop3 denied user=anna rip=198.51.100.9 rport=5"},
	    {{"reader", true, 1, "anna", "198.51.100.9", 5}, "rip", NULL},
	    {{"key", false, 0, NULL, "", 0}, "why", "-/key pop3 denied why=192.0.2.1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct log_line line;
		struct log_text text;

		log_begin(&line, LOG_NOTE, "pop3", "denied");
		log_text(&line, rows[i].key, "192.0.2.1");
		assert_int_equal(log_format(&line, &rows[i].writer, &text), rows[i].text != NULL);
		if (rows[i].text != NULL)
			assert_string_equal(text.text, rows[i].text);
	}
}

/* What a hostile process may send: each is refused, whatever its length. */
static void
malformed_lines_are_refused(void **state)
{
	static const char *const words[] = {
	    "", "a b", "a\n", "A", "a=b", "a\"", "\xff", "012345678901234567890123456789012"};
	const struct log_writer writer = {.role = "worker", .address = "192.0.2.7"};
	struct log_line whole, line;
	struct log_text text;

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++)
		for (int which = 0; which < 3; which++) {
			log_begin(&line, LOG_NOTE, which == 0 ? words[i] : "m",
			    which == 1 ? words[i] : "e");
			log_text(&line, which == 2 ? words[i] : "k", "v");
			assert_false(log_format(&line, &writer, &text));
		}
	log_begin(&line, (enum log_level)3, "m", "e");
	assert_false(log_format(&line, &writer, &text));
	log_begin(&line, LOG_NOTE, "m", "e");
	ipc_put_string(&line.message, "key");
	ipc_put_bytes(&line.message, "a\0b", 3);
	assert_false(log_format(&line, &writer, &text));
	log_begin(&line, LOG_NOTE, "m", "e");
	ipc_put_string(&line.message, "key");
	{
		char value[LOG_VALUE_MAX + 4];

		memset(value, 'x', sizeof(value));
		ipc_put_bytes(&line.message, value, sizeof(value));
	}
	assert_false(log_format(&line, &writer, &text));
	/* Cut short anywhere: a line of fewer pairs, or none. */
	log_begin(&whole, LOG_NOTE, "pop3", "end");
	log_text(&whole, "reason", "quit");
	log_number(&whole, "in", 7);
	for (size_t len = 0; len < whole.message.len; len++) {
		line = whole;
		line.message.len = len;
		if (log_format(&line, &writer, &text))
			assert_true(memcmp(text.text, "-/worker pop3 end rip=192.0.2.7", 31) == 0);
	}
}

static void
die(void (*how)(void), const char *expected)
{
	char out[LOG_LINE_MAX] = "";
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		how();
		_exit(0);
	}
	close(fds[1]);
	assert_true(read(fds[0], out, sizeof(out) - 1) > 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
	assert_string_equal(out, expected);
}

static void
die_fatal(void)
{
	errno = ENOENT;
	fatal("confine", "open");
}

static void
die_fatalx(void)
{
	fatalx("worker", "no memory");
}

static void
die_bug(void)
{
	bug("impossible");
}

static void
the_world_failed_or_we_did(void **state)
{
	(void)state;
	die(die_fatal, "- confine fatal what=open error=\"No such file or directory\"\n");
	die(die_fatalx, "- worker fatal what=\"no memory\"\n");
	die(die_bug, "- bug fatal what=impossible\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_encoded),
	    cmocka_unit_test(every_octet_becomes_printable),
	    cmocka_unit_test(long_values_are_cut),
	    cmocka_unit_test(a_client_cannot_push_out_the_rest),
	    cmocka_unit_test(a_line_never_overflows),
	    cmocka_unit_test(numbers_and_ids),
	    cmocka_unit_test(mend27_every_line_has_the_address),
	    cmocka_unit_test(a_line_is_one_write),
	    cmocka_unit_test(a_full_channel_counts),
	    cmocka_unit_test(the_writer_is_not_a_matter_of_the_line),
	    cmocka_unit_test(malformed_lines_are_refused),
	    cmocka_unit_test(the_world_failed_or_we_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
