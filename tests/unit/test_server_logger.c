/*
 * test_server_logger.c: the log process: quotas, and where lines go: the journal, a syslog daemon, standard error.
 */
#include "server_fixture.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "server/logger/logger.h"
#include "server/logger/sink.h"

static char last[LOG_LINE_MAX];
static size_t written;

static void
note(const struct log_text *text)
{
	memcpy(last, text->text, text->len + 1);
	written++;
}

static bool
take(struct logger_channel *channel, int64_t now)
{
	struct log_line line;

	log_begin(&line, LOG_NOTE, "pop3", "end");
	return logger_take(channel, &line, now, note);
}

static struct logger_channel
worker_channel(void)
{
	struct logger_channel channel = {
	    .id = 1, .role = "worker", .address = "192.0.2.7", .port = 5};

	logger_channel_begin(&channel, 1000);
	written = 0;
	return channel;
}

/* A burst, then a line for each LOGGER_EVERY ms; the next line after a gap is preceded by the count. */
static void
a_quota_bounds_a_channel(void **state)
{
	struct logger_channel channel = worker_channel();

	(void)state;
	for (int i = 0; i < LOGGER_BURST; i++)
		assert_true(take(&channel, 1000));
	assert_int_equal(written, LOGGER_BURST);
	for (int i = 0; i < 50; i++)
		assert_true(take(&channel, 1000 + LOGGER_EVERY - 1));
	assert_int_equal(written, LOGGER_BURST);
	assert_true(take(&channel, 1000 + LOGGER_EVERY));
	assert_int_equal(written, LOGGER_BURST + 2);
	assert_string_equal(last, "00000001/worker pop3 end rip=192.0.2.7 rport=5");
	assert_true(take(&channel, 1000 + LOGGER_EVERY));
	logger_channel_end(&channel, note);
	assert_string_equal(last, "00000001/worker log left-out rip=192.0.2.7 rport=5 lines=1");
	assert_false(channel.open);
}

/* Waiting saves up no more than a burst, however long it is. */
static void
a_quota_does_not_grow(void **state)
{
	struct logger_channel channel = worker_channel();
	const int64_t later = 1000 + 3600 * 1000;

	(void)state;
	for (int i = 0; i < 3 * LOGGER_BURST; i++)
		assert_true(take(&channel, later));
	assert_int_equal(written, LOGGER_BURST);
}

static void
a_flood_closes_the_channel(void **state)
{
	struct logger_channel channel = worker_channel();
	int taken = 0;

	(void)state;
	while (take(&channel, 1000 + LOGGER_EVERY * (taken / 1000))) /* some are within its quota */
		taken++;
	assert_in_range(taken, LOGGER_BURST + LOGGER_EXCESS, LOGGER_BURST + LOGGER_EXCESS + 20);
	assert_in_range(written, LOGGER_BURST + 2, LOGGER_BURST + 50);
	assert_string_equal(last, "00000001/worker log closed rip=192.0.2.7 rport=5");
}

static void
a_forged_line_closes_the_channel(void **state)
{
	struct logger_channel channel = worker_channel();
	struct log_line line;

	(void)state;
	log_begin(&line, LOG_NOTE, "pop3", "denied");
	log_text(&line, "rip", "203.0.113.1");
	assert_false(logger_take(&channel, &line, 1000, note));
	assert_int_equal(written, 1);
	assert_string_equal(last, "00000001/worker log forged rip=192.0.2.7 rport=5");
}

/* A process that is not the log process's business sends something else. */
static void
another_message_closes_the_channel(void **state)
{
	struct logger_channel channel = worker_channel();
	struct log_line line;

	(void)state;
	ipc_begin(&line.message, IPC_LOG_USER);
	ipc_put_u32(&line.message, 1);
	ipc_put_string(&line.message, "anna");
	assert_false(logger_take(&channel, &line, 1000, note));
	assert_int_equal(written, 1);
}

/* --- where lines go --- */

static struct log_text
some_line(void)
{
	struct log_text text = {.level = LOG_WARN};

	text.len = (size_t)snprintf(
	    text.text, sizeof(text.text), "- maildir notice user=anna text=a\\x0ab");
	return text;
}

/* JOURNAL_STREAM must name standard error itself; lines have a priority; a stuck journal holds nobody for long. */
static void
mend27_journal(void **state)
{
	static const char expected[] = "<4>- maildir notice user=anna text=a\\x0ab\n";
	const struct log_text line = some_line();
	char out[sizeof(expected)], name[64];
	int fds[2], saved = dup(STDERR_FILENO), i;
	struct stat st;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", name, 1);
	sink_open();
	sink_write(&line);
	assert_int_equal(read(fds[0], out, sizeof(expected) - 4), sizeof(expected) - 4);
	assert_memory_equal(out, expected + 3, sizeof(expected) - 4);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	sink_open();
	sink_target(LOG_TO_SYSLOG);
	sink_write(&line);
	assert_int_equal(read(fds[0], out, sizeof(expected) - 1), sizeof(expected) - 1);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
	for (i = 0; i < 5000; i++) /* far more than a socket holds, and nobody reads */
		sink_write(&line);
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	sink_open();
	sink_target(LOG_TO_STDERR);
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_quota_bounds_a_channel),
	    cmocka_unit_test(a_quota_does_not_grow),
	    cmocka_unit_test(a_flood_closes_the_channel),
	    cmocka_unit_test(a_forged_line_closes_the_channel),
	    cmocka_unit_test(another_message_closes_the_channel),
	    cmocka_unit_test(mend27_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
