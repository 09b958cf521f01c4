/*
 * test_server_channel.c: lines in, octets out, deadlines; in the clear over a socketpair.
 */
#include "server_fixture.h"

#include <poll.h>
#include <signal.h>

#include "server/channel.h"

enum { LINE = 100, PATIENCE = 5000 /* ms: what never happens here */ };

static struct channel channel;
static int peer;

static int
begin(void **state)
{
	int pair[2];

	(void)state;
	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, pair);
	channel_on_sigterm();
	channel_stop = 0;
	channel_init(&channel, pair[0], CLOCK_NEVER, PATIENCE);
	peer = pair[1];
	return 0;
}

static int
end(void **state)
{
	(void)state;
	channel_clear(&channel);
	if (peer != -1)
		close(peer);
	channel_stop = 0;
	return channel.fd == -1 ? 0 : -1;
}

static void
from_client(const void *octets, size_t len)
{
	assert_int_equal(send(peer, octets, len, MSG_NOSIGNAL), len);
}

static void
client_closes(void)
{
	close(peer);
	peer = -1;
}

static void
expect_line(const char *octets, size_t len)
{
	char *line;
	size_t got;

	assert_true(channel_line(&channel, LINE, &line, &got));
	assert_int_equal(got, len);
	assert_memory_equal(line, octets, len);
	assert_int_equal(line[len], '\0');
	assert_int_equal(channel.end, CHANNEL_OPEN);
}

static void
expect_end(enum channel_end end_wanted)
{
	char *line;
	size_t len;

	assert_false(channel_line(&channel, LINE, &line, &len));
	assert_int_equal(channel.end, end_wanted);
	/* And it stays ended. */
	assert_false(channel_line(&channel, LINE, &line, &len));
	assert_false(channel_flush(&channel));
	assert_false(channel_wait(&channel, 0));
	assert_int_equal(channel.end, end_wanted);
}

#define EXPECT_LINE(text) expect_line((text), sizeof(text) - 1)
#define FROM_CLIENT(text) from_client((text), sizeof(text) - 1)

/* Lines, and what they are without their ends. */
static const struct {
	const char *octets;
	size_t len;
	const char *lines[4];
	size_t lens[4];
} texts[] = {
    {"STAT\r\n", 6, {"STAT"}, {4}},
    {"STAT\n", 5, {"STAT"}, {4}},
    {"\r\n", 2, {""}, {0}},
    {"\n", 1, {""}, {0}},
    {"\n\n\r\n", 4, {"", "", ""}, {0, 0, 0}},
    {"a\rb\r\n", 5, {"a\rb"}, {3}}, /* CR alone ends nothing */
    {"a\r\r\n", 4, {"a\r"}, {2}},
    {"\r\r\r\n", 4, {"\r\r"}, {2}},
    {"a\r\nb\nc\r\n", 8, {"a", "b", "c"}, {1, 1, 1}},
    {"DELE 1\0x\r\n", 10, {"DELE 1\0x"}, {8}}, /* NUL is the caller's matter */
    {"\0\n", 2, {"\0"}, {1}},
    {"\xff\xfe\n", 3, {"\xff\xfe"}, {2}},
};

static void
expect_text(size_t i)
{
	size_t k;

	for (k = 0; k < 4 && texts[i].lines[k] != NULL; k++)
		expect_line(texts[i].lines[k], texts[i].lens[k]);
}

static void
lines_at_once(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		from_client(texts[i].octets, texts[i].len);
		expect_text(i);
		assert_false(channel_input_waits(&channel));
	}
}

/* A client that sends an octet a millisecond. */
static void
lines_octet_by_octet(void **state)
{
	size_t i, k;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (i = 0; i < COUNT(texts); i++)
			for (k = 0; k < texts[i].len; k++) {
				(void)send(peer, texts[i].octets + k, 1, MSG_NOSIGNAL);
				usleep(500);
			}
		_exit(0);
	}
	for (i = 0; i < COUNT(texts); i++)
		expect_text(i);
	fixture_ended_well(pid);
}

static void
lines_in_any_two_pieces(void **state)
{
	size_t i, at;
	char *line;
	size_t len;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		for (at = 1; at < texts[i].len; at++) {
			from_client(texts[i].octets, at);
			if (memchr(texts[i].octets, '\n', at) == NULL) {
				/* Nothing ends there: it waits. */
				channel.idle = 1;
				assert_false(channel_line(&channel, LINE, &line, &len));
				assert_int_equal(channel.end, CHANNEL_TIMEOUT);
				channel.end = CHANNEL_OPEN;
				channel.idle = PATIENCE;
			}
			from_client(texts[i].octets + at, texts[i].len - at);
			expect_text(i);
		}
	}
}

static void
an_unfinished_line_is_no_line(void **state)
{
	(void)state;
	FROM_CLIENT("NOOP\r\nDELE 1\r");
	client_closes();
	EXPECT_LINE("NOOP");
	expect_end(CHANNEL_CLOSED);
}

static void
long_lines(void **state)
{
	char octets[LINE + 3];

	(void)state;
	memset(octets, 'x', sizeof(octets));
	octets[LINE] = '\r';
	octets[LINE + 1] = '\n';
	from_client(octets, LINE + 2); /* just as long as it may be */
	expect_line(octets, LINE);
	octets[LINE] = '\n';
	from_client(octets, LINE + 1);
	expect_line(octets, LINE);
	memset(octets, 'x', sizeof(octets));
	octets[LINE + 1] = '\n';
	from_client(octets, LINE + 2);
	expect_end(CHANNEL_TOO_LONG);
}

/* The longest line may come in any pieces, also with its CR and LF apart. */
static void
the_longest_line_in_two_pieces(void **state)
{
	char octets[LINE + 2], *line;
	size_t at, len;

	(void)state;
	memset(octets, 'x', sizeof(octets));
	octets[LINE] = '\r';
	octets[LINE + 1] = '\n';
	for (at = 1; at < sizeof(octets); at++) {
		from_client(octets, at);
		channel.idle = 1;
		assert_false(channel_line(&channel, LINE, &line, &len));
		assert_int_equal(channel.end, CHANNEL_TIMEOUT);
		channel.end = CHANNEL_OPEN;
		channel.idle = PATIENCE;
		from_client(octets + at, sizeof(octets) - at);
		expect_line(octets, LINE);
	}
}

static void
endless_lines(void **state)
{
	static char octets[3 * CHANNEL_IN];
	char *line;
	size_t len;

	(void)state;
	memset(octets, 'x', sizeof(octets));
	from_client(octets, LINE + 2); /* it is too long before its end is there */
	expect_end(CHANNEL_TOO_LONG);
	/* A limit that no line can have is the buffer's. */
	channel.end = CHANNEL_OPEN;
	from_client(octets, sizeof(octets));
	assert_false(channel_line(&channel, 2 * CHANNEL_IN, &line, &len));
	assert_int_equal(channel.end, CHANNEL_TOO_LONG);
}

static void
a_line_that_fills_the_buffer(void **state)
{
	static char octets[CHANNEL_IN];
	char *line;
	size_t len;

	(void)state;
	memset(octets, 'x', sizeof(octets));
	octets[CHANNEL_IN - 1] = '\n';
	FROM_CLIENT("STAT\r\n");
	from_client(octets, sizeof(octets));
	EXPECT_LINE("STAT");
	assert_true(channel_line(&channel, CHANNEL_IN, &line, &len));
	assert_int_equal(len, CHANNEL_IN - 1);
	assert_memory_equal(line, octets, len);
}

static void
many_lines_across_the_buffer(void **state)
{
	static char octets[20000];
	char expected[32];
	size_t len = 0;
	int i, k;

	(void)state;
	for (i = 0; len < sizeof(octets) - 16; i++)
		len += (size_t)snprintf(octets + len, sizeof(octets) - len, "DELE %d\r\n", i);
	from_client(octets, len);
	for (k = 0; k < i; k++) {
		snprintf(expected, sizeof(expected), "DELE %d", k);
		expect_line(expected, strlen(expected));
	}
	assert_int_equal(channel.octets_in, len);
	assert_false(channel_input_waits(&channel));
}

static void
what_waits_is_known(void **state)
{
	(void)state;
	assert_false(channel_input_waits(&channel));
	FROM_CLIENT("STLS\r\nC"); /* in the kernel */
	assert_true(channel_input_waits(&channel));
	EXPECT_LINE("STLS"); /* in the buffer */
	assert_true(channel_input_waits(&channel));
	FROM_CLIENT("APA\r\n");
	EXPECT_LINE("CAPA");
	assert_false(channel_input_waits(&channel));
	client_closes();
	assert_false(channel_input_waits(&channel));
}

/* --- time --- */

static void
idleness_ends_it(void **state)
{
	int64_t before = clock_now();

	(void)state;
	channel.idle = 50;
	FROM_CLIENT("NOOP");
	expect_end(CHANNEL_TIMEOUT);
	assert_true(clock_now() - before >= 50);
}

static void
the_deadline_ends_it(void **state)
{
	(void)state;
	channel.deadline = clock_in(50);
	FROM_CLIENT("NOOP\r\n");
	EXPECT_LINE("NOOP");
	expect_end(CHANNEL_DEADLINE);
	assert_int_equal(clock_left(channel.deadline), 0);
}

/* Lines without a pause do not prolong it, nor do octets. */
static void
a_busy_client_meets_the_deadline(void **state)
{
	static const char *const what[] = {"NOOP\r\n", "x"};
	int64_t before;
	char *line;
	size_t len, i;
	pid_t pid;

	(void)state;
	for (i = 0; i < COUNT(what); i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(channel.fd);
			(void)fcntl(peer, F_SETFL, 0);
			while (send(peer, what[i], strlen(what[i]), MSG_NOSIGNAL) != -1)
				usleep(i == 0 ? 0 : 2000);
			_exit(0);
		}
		before = clock_now();
		channel.end = CHANNEL_OPEN;
		channel.deadline = clock_in(100);
		while (channel_line(&channel, CHANNEL_IN, &line, &len))
			;
		assert_int_equal(channel.end, CHANNEL_DEADLINE);
		assert_true(clock_now() - before < PATIENCE);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		channel.in_at = channel.in_end = channel.scanned = 0;
	}
}

/* Waiting is bounded also where there is always something to read. */
static void
waiting_past_the_deadline(void **state)
{
	(void)state;
	FROM_CLIENT("x");
	channel.deadline = clock_now() - 1;
	assert_false(channel_wait(&channel, POLLIN));
	assert_int_equal(channel.end, CHANNEL_DEADLINE);
}

static void
sigterm_ends_it(void **state)
{
	(void)state;
	/* It is blocked but while waiting, so that none is missed. */
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(channel_stop, 0);
	expect_end(CHANNEL_STOPPED);
	assert_int_equal(channel_stop, 1);
}

static void
sigterm_ends_a_wait(void **state)
{
	pid_t parent = getpid(), pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(50000);
		_exit(kill(parent, SIGTERM) == 0 ? 0 : 1);
	}
	expect_end(CHANNEL_STOPPED);
	fixture_ended_well(pid);
}

static void
sigterm_is_seen_between_lines(void **state)
{
	(void)state;
	FROM_CLIENT("NOOP\r\nNOOP\r\n");
	EXPECT_LINE("NOOP");
	channel_stop = 1;
	expect_end(CHANNEL_STOPPED);
}

/* --- output --- */

static void
output_is_sent_before_waiting(void **state)
{
	char out[64], *line;
	size_t len;

	(void)state;
	FROM_CLIENT("STAT\r\nLIST\r\n");
	EXPECT_LINE("STAT");
	channel_puts(&channel, "+OK 1\r\n");
	EXPECT_LINE("LIST");
	/* There was more to read: nothing went out yet, so that answers travel together. */
	assert_int_equal(recv(peer, out, sizeof(out), MSG_DONTWAIT), -1);
	channel_printf(&channel, "+OK %d\r\n", 2);
	channel.idle = 1;
	assert_false(channel_line(&channel, LINE, &line, &len));
	assert_int_equal(channel.end, CHANNEL_TIMEOUT);
	assert_int_equal(recv(peer, out, sizeof(out), MSG_DONTWAIT), 14);
	assert_memory_equal(out, "+OK 1\r\n+OK 2\r\n", 14);
	assert_int_equal(channel.octets_out, 14);
}

/* A client that closes its side only still gets its answers. */
static void
output_is_sent_at_the_end(void **state)
{
	char out[64];

	(void)state;
	FROM_CLIENT("STAT\r\n");
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	EXPECT_LINE("STAT");
	channel_puts(&channel, "+OK\r\n");
	expect_end(CHANNEL_CLOSED);
	assert_int_equal(recv(peer, out, sizeof(out), MSG_DONTWAIT), 5);
	assert_memory_equal(out, "+OK\r\n", 5);
}

static void
output_in_pieces_of_any_size(void **state)
{
	static char octets[100000], got[100000];
	size_t at = 0, piece = 1, have = 0;
	ssize_t n;
	pid_t pid;

	(void)state;
	for (at = 0; at < sizeof(octets); at++)
		octets[at] = (char)(at * 7 + at / 251);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (at = 0; at < sizeof(octets); at += piece, piece = piece * 3 % 7919) {
			if (piece > sizeof(octets) - at)
				piece = sizeof(octets) - at;
			channel_put(&channel, octets + at, piece);
		}
		_exit(channel_flush(&channel) && channel.octets_out == sizeof(octets) ? 0 : 1);
	}
	close(channel.fd);
	channel.fd = -1;
	assert_int_equal(fcntl(peer, F_SETFL, 0), 0);
	while ((n = recv(peer, got + have, sizeof(got) - have, 0)) > 0)
		have += (size_t)n;
	assert_int_equal(have, sizeof(octets));
	assert_memory_equal(got, octets, sizeof(octets));
	fixture_ended_well(pid);
}

static void
room_is_for_filling(void **state)
{
	char *at, out[CHANNEL_OUT];
	size_t room = channel_room(&channel, &at);

	(void)state;
	assert_int_equal(room, CHANNEL_OUT);
	memset(at, 'a', room - 1);
	channel_wrote(&channel, room - 1);
	assert_int_equal(channel_room(&channel, &at), 1);
	*at = 'b';
	channel_wrote(&channel, 1);
	assert_int_equal(channel_room(&channel, &at), CHANNEL_OUT_LARGE); /* it was sent */
	assert_int_equal(recv(peer, out, sizeof(out), MSG_WAITALL), CHANNEL_OUT);
	assert_int_equal(out[CHANNEL_OUT - 2], 'a');
	assert_int_equal(out[CHANNEL_OUT - 1], 'b');
}

static void
numbers(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {4294967295, "4294967295"},
	    {UINT64_MAX, "18446744073709551615"}};
	char got[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		channel_number(&channel, cases[i].number);
		assert_true(channel_flush(&channel));
		assert_int_equal(recv(peer, got, sizeof(got), 0), strlen(cases[i].text));
		assert_memory_equal(got, cases[i].text, strlen(cases[i].text));
	}
}

/* Who waits for the client has only the small buffer; nothing of what was collected is lost by that. */
static void
the_large_buffer_is_given_back(void **state)
{
	static const char octets[CHANNEL_OUT + 1], zero[3];
	char got[sizeof(octets) + 3], *at;
	int fd = -1;

	(void)state;
	channel_put(&channel, octets, sizeof(octets));
	assert_non_null(channel.large);
	channel_puts(&channel, "end");
	assert_int_equal(channel_wait_either(&channel, fd, 1, clock_now()), CHANNEL_QUIET);
	assert_null(channel.large);
	assert_int_equal(recv(peer, got, sizeof(got), MSG_WAITALL), sizeof(got));
	assert_memory_equal(got + sizeof(got) - 3, "end", 3);
	channel_put(&channel, octets, sizeof(octets));
	assert_non_null(channel.large);
	assert_int_equal(send(peer, zero, sizeof(zero), 0), sizeof(zero));
	assert_true(channel_flush(&channel) && channel_wait(&channel, POLLIN));
	assert_null(channel.large);
	assert_int_equal(channel_room(&channel, &at), CHANNEL_OUT);
}

/* A client that reads nothing: the end comes, and until then a buffer is all it costs. */
static void
a_client_that_reads_nothing(void **state)
{
	static const char octets[1 << 20];
	int small = 4096;

	(void)state;
	assert_int_equal(setsockopt(channel.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	channel.idle = 50;
	channel_put(&channel, octets, sizeof(octets));
	assert_int_equal(channel.end, CHANNEL_TIMEOUT);
	assert_true(channel.octets_out < sizeof(octets) / 4);
	assert_true(channel.out_len <= CHANNEL_OUT_LARGE);
	channel_put(&channel, octets, sizeof(octets)); /* goes nowhere */
	assert_true(channel.out_len <= CHANNEL_OUT_LARGE);
}

static void
a_client_that_reads_nothing_meets_the_deadline(void **state)
{
	static const char octets[1 << 20];
	int small = 4096;

	(void)state;
	assert_int_equal(setsockopt(channel.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	channel.deadline = clock_in(50);
	channel_put(&channel, octets, sizeof(octets));
	assert_int_equal(channel.end, CHANNEL_DEADLINE);
}

static void
a_client_that_is_gone(void **state)
{
	static const char octets[1 << 20];

	(void)state;
	client_closes();
	channel_put(&channel, octets, sizeof(octets)); /* no SIGPIPE */
	assert_true(channel.end == CHANNEL_CLOSED || channel.end == CHANNEL_FAILED);
}

static void
the_end_wipes_what_came_in(void **state)
{
	static const char secret[] = "PASS open sesame";

	(void)state;
	FROM_CLIENT("PASS open sesame\r\n");
	EXPECT_LINE("PASS open sesame");
	channel_clear(&channel);
	assert_null(memmem(channel.in, sizeof(channel.in), secret + 5, 4));
}

static void
every_end_has_words(void **state)
{
	int i;

	(void)state;
	for (i = CHANNEL_OPEN; i <= CHANNEL_FAILED; i++) {
		assert_non_null(channel_end_text((enum channel_end)i));
		assert_true(channel_end_text((enum channel_end)i)[0] != '\0');
	}
}

/* --- input as it comes, for commands with literals --- */

static void
expect_input(const char *octets, size_t len)
{
	char *at;
	size_t got;

	assert_true(channel_input(&channel, &at, &got));
	assert_int_equal(got, len);
	assert_memory_equal(at, octets, len);
}

static void
input_stays_until_it_is_taken(void **state)
{
	(void)state;
	FROM_CLIENT("abc\0\ndef");
	expect_input("abc\0\ndef", 8);
	expect_input("abc\0\ndef", 8);
	channel_take(&channel, 0);
	channel_take(&channel, 3);
	expect_input("\0\ndef", 5);
	FROM_CLIENT("gh"); /* is asked for only when nothing is left */
	expect_input("\0\ndef", 5);
	channel_take(&channel, 5);
	expect_input("gh", 2);
	channel_take(&channel, 2);
	assert_int_equal(channel.octets_in, 10);
}

/* A line behind a literal, a literal behind a line, also where the line was looked for before. */
static void
lines_and_input_by_turns(void **state)
{
	char *line;
	size_t len;

	(void)state;
	FROM_CLIENT("{5}\r\nhello rest");
	EXPECT_LINE("{5}");
	expect_input("hello rest", 10);
	channel_take(&channel, 5);
	channel.idle = 1;
	assert_false(channel_line(&channel, LINE, &line, &len)); /* " rest" was scanned in vain */
	channel.end = CHANNEL_OPEN;
	channel.idle = PATIENCE;
	channel_take(&channel, 3);
	FROM_CLIENT("\r\n");
	EXPECT_LINE("st");
}

static void
more_input_than_the_buffer(void **state)
{
	static char octets[3 * CHANNEL_IN + 7];
	size_t at = 0, len;
	char *got;

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i * 31 + i / 4096);
	from_client(octets, sizeof(octets));
	while (at < sizeof(octets)) {
		assert_true(channel_input(&channel, &got, &len));
		assert_true(len > 0 && len <= CHANNEL_IN && len <= sizeof(octets) - at);
		assert_memory_equal(got, octets + at, len);
		if (len > 1000)
			len = 1000;
		channel_take(&channel, len);
		at += len;
	}
	assert_false(channel_input_waits(&channel));
}

static void
expect_no_input(enum channel_end wanted)
{
	char *at;
	size_t len;

	assert_false(channel_input(&channel, &at, &len));
	assert_int_equal(channel.end, wanted);
}

/* Also where there is input: an end is an end. */
static void
input_ends_as_lines_do(void **state)
{
	(void)state;
	FROM_CLIENT("x");
	channel.deadline = clock_now() - 1;
	expect_no_input(CHANNEL_DEADLINE);
	channel.end = CHANNEL_OPEN;
	channel.deadline = CLOCK_NEVER;
	channel_stop = 1;
	expect_no_input(CHANNEL_STOPPED);
	channel.end = CHANNEL_OPEN;
	channel_stop = 0;
	expect_input("x", 1);
	channel_take(&channel, 1);
	channel.idle = 10;
	expect_no_input(CHANNEL_TIMEOUT);
	channel.end = CHANNEL_OPEN;
	client_closes();
	expect_no_input(CHANNEL_CLOSED);
}

static void
output_is_sent_before_input_is_waited_for(void **state)
{
	char out[64];

	(void)state;
	channel_puts(&channel, "+ Go on\r\n");
	channel.idle = 1;
	expect_no_input(CHANNEL_TIMEOUT);
	assert_int_equal(recv(peer, out, sizeof(out), MSG_DONTWAIT), 9);
}

/* --- waiting for the client or for something else --- */

static int other[2];

static int
begin_either(void **state)
{
	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, other);
	return begin(state);
}

static int
end_either(void **state)
{
	close(other[0]);
	close(other[1]);
	return end(state);
}

static void
expect_event(enum channel_event wanted, int ms)
{
	assert_int_equal(channel_wait_either(&channel, other[0], ms, clock_now()), wanted);
}

static void
whoever_comes_first(void **state)
{
	char octet;

	(void)state;
	expect_event(CHANNEL_QUIET, 20);
	assert_int_equal(write(other[1], "x", 1), 1);
	expect_event(CHANNEL_OTHER, -1);
	expect_event(CHANNEL_OTHER, -1); /* until somebody reads it */
	FROM_CLIENT("DONE\r\n");
	expect_event(CHANNEL_INPUT, -1); /* the client goes first */
	EXPECT_LINE("DONE");
	expect_event(CHANNEL_OTHER, -1);
	assert_int_equal(read(other[0], &octet, 1), 1);
	expect_event(CHANNEL_QUIET, 0);
	/* What came in already counts, though the descriptor is quiet. */
	FROM_CLIENT("DONE\r\nx");
	EXPECT_LINE("DONE");
	expect_event(CHANNEL_INPUT, -1);
	assert_int_equal(channel.end, CHANNEL_OPEN);
}

static void
no_other_descriptor(void **state)
{
	(void)state;
	assert_int_equal(channel_wait_either(&channel, -1, 20, clock_now()), CHANNEL_QUIET);
	FROM_CLIENT("x");
	assert_int_equal(channel_wait_either(&channel, -1, -1, clock_now()), CHANNEL_INPUT);
	expect_input("x", 1);
}

static void
a_wait_sends_what_was_collected(void **state)
{
	char out[64];

	(void)state;
	channel_puts(&channel, "* 1 EXISTS\r\n");
	expect_event(CHANNEL_QUIET, 0);
	assert_int_equal(recv(peer, out, sizeof(out), MSG_DONTWAIT), 12);
}

static void
a_client_that_leaves_is_input(void **state)
{
	(void)state;
	client_closes();
	expect_event(CHANNEL_INPUT, -1);
	expect_no_input(CHANNEL_CLOSED);
	expect_event(CHANNEL_OVER, -1);
}

/* Idleness counts from what the client said last, however often something else happens. */
static void
idleness_is_the_clients(void **state)
{
	int64_t since = clock_now();

	(void)state;
	channel.idle = 60;
	assert_int_equal(write(other[1], "x", 1), 1);
	assert_int_equal(channel_wait_either(&channel, other[0], -1, since), CHANNEL_OTHER);
	assert_int_equal(channel_wait_either(&channel, -1, 10, since), CHANNEL_QUIET);
	assert_int_equal(channel_wait_either(&channel, -1, 10000, since), CHANNEL_OVER);
	assert_int_equal(channel.end, CHANNEL_TIMEOUT);
	assert_in_range(clock_now() - since, 60, PATIENCE);
}

static void
sigterm_ends_that_wait_too(void **state)
{
	(void)state;
	assert_int_equal(raise(SIGTERM), 0);
	expect_event(CHANNEL_OVER, -1);
	assert_int_equal(channel.end, CHANNEL_STOPPED);
}

static void
a_deadline_ends_that_wait_too(void **state)
{
	(void)state;
	channel.deadline = clock_in(20);
	expect_event(CHANNEL_OVER, -1);
	assert_int_equal(channel.end, CHANNEL_DEADLINE);
}

/* --- whether somebody is there --- */

/* As if the last look were long ago. */
static bool
look_again(void)
{
	channel.looked -= CHANNEL_LOOK;
	return channel_gone(&channel);
}

static void
mend31_who_is_gone(void **state)
{
	(void)state;
	assert_false(look_again());
	FROM_CLIENT("NOOP\r\n"); /* input does not matter */
	assert_false(look_again());
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_false(look_again()); /* it may still read */
	channel.half_since -= CHANNEL_HALF;
	assert_false(channel_gone(&channel)); /* not asked too often */
	EXPECT_LINE("NOOP");		      /* the next command has time of its own */
	assert_false(look_again());
	channel.half_since -= CHANNEL_HALF;
	assert_true(look_again());
	assert_int_equal(channel.end, CHANNEL_CLOSED);
}

static void
mend31_who_is_gone_for_good(void **state)
{
	(void)state;
	FROM_CLIENT("NOOP\r\n");
	assert_false(look_again());
	client_closes();
	assert_true(look_again());
	assert_int_equal(channel.end, CHANNEL_CLOSED);
}

static void
a_stopped_session_has_nobody(void **state)
{
	(void)state;
	assert_int_equal(raise(SIGTERM), 0); /* pending only: long work does not wait */
	assert_true(look_again());
	assert_int_equal(channel_stop, 1);
	expect_end(CHANNEL_STOPPED);
}

static void
an_ended_channel_has_nobody(void **state)
{
	(void)state;
	channel.end = CHANNEL_TIMEOUT;
	assert_true(look_again());
}

/* --- clock.h --- */

static void
moments(void **state)
{
	int64_t now = clock_now();

	(void)state;
	assert_int_equal(clock_in(-1), CLOCK_NEVER);
	assert_int_equal(clock_left(CLOCK_NEVER), -1);
	assert_int_equal(clock_left(now - 1), 0);
	assert_int_equal(clock_left(INT64_MAX), INT_MAX);
	assert_in_range(clock_left(clock_in(1000)), 900, 1000);
	assert_int_equal(clock_earlier(5, 7), 5);
	assert_int_equal(clock_earlier(7, 5), 5);
	assert_int_equal(clock_earlier(CLOCK_NEVER, 7), 7);
	assert_int_equal(clock_earlier(7, CLOCK_NEVER), 7);
	assert_int_equal(clock_earlier(CLOCK_NEVER, CLOCK_NEVER), CLOCK_NEVER);
}

#define EITHER_TEST(f)	cmocka_unit_test_setup_teardown(f, begin_either, end_either)
#define CHANNEL_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CHANNEL_TEST(lines_at_once),
	    CHANNEL_TEST(lines_octet_by_octet),
	    CHANNEL_TEST(lines_in_any_two_pieces),
	    CHANNEL_TEST(an_unfinished_line_is_no_line),
	    CHANNEL_TEST(long_lines),
	    CHANNEL_TEST(the_longest_line_in_two_pieces),
	    CHANNEL_TEST(endless_lines),
	    CHANNEL_TEST(a_line_that_fills_the_buffer),
	    CHANNEL_TEST(many_lines_across_the_buffer),
	    CHANNEL_TEST(what_waits_is_known),
	    CHANNEL_TEST(idleness_ends_it),
	    CHANNEL_TEST(the_deadline_ends_it),
	    CHANNEL_TEST(a_busy_client_meets_the_deadline),
	    CHANNEL_TEST(waiting_past_the_deadline),
	    CHANNEL_TEST(sigterm_ends_it),
	    CHANNEL_TEST(sigterm_ends_a_wait),
	    CHANNEL_TEST(sigterm_is_seen_between_lines),
	    CHANNEL_TEST(output_is_sent_before_waiting),
	    CHANNEL_TEST(output_is_sent_at_the_end),
	    CHANNEL_TEST(output_in_pieces_of_any_size),
	    CHANNEL_TEST(room_is_for_filling),
	    CHANNEL_TEST(the_large_buffer_is_given_back),
	    CHANNEL_TEST(numbers),
	    CHANNEL_TEST(a_client_that_reads_nothing),
	    CHANNEL_TEST(a_client_that_reads_nothing_meets_the_deadline),
	    CHANNEL_TEST(a_client_that_is_gone),
	    CHANNEL_TEST(the_end_wipes_what_came_in),
	    CHANNEL_TEST(every_end_has_words),
	    CHANNEL_TEST(input_stays_until_it_is_taken),
	    CHANNEL_TEST(lines_and_input_by_turns),
	    CHANNEL_TEST(more_input_than_the_buffer),
	    CHANNEL_TEST(input_ends_as_lines_do),
	    CHANNEL_TEST(output_is_sent_before_input_is_waited_for),
	    EITHER_TEST(whoever_comes_first),
	    EITHER_TEST(no_other_descriptor),
	    EITHER_TEST(a_wait_sends_what_was_collected),
	    EITHER_TEST(a_client_that_leaves_is_input),
	    EITHER_TEST(idleness_is_the_clients),
	    EITHER_TEST(sigterm_ends_that_wait_too),
	    EITHER_TEST(a_deadline_ends_that_wait_too),
	    CHANNEL_TEST(mend31_who_is_gone),
	    CHANNEL_TEST(mend31_who_is_gone_for_good),
	    CHANNEL_TEST(a_stopped_session_has_nobody),
	    CHANNEL_TEST(an_ended_channel_has_nobody),
	    cmocka_unit_test(moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
