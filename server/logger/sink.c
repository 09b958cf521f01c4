/*
 * sink.c: writes log lines to syslog, to the journal or to standard error.
 * Runs as: worker_user (the log process).
 *
 * Only the log process waits here, and all others go on meanwhile: their lines queue in their channels.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/logger/sink.h"

enum {
	SYSLOG_MAIL = 2 << 3,	 /* the facility, RFC 5424 section 6.2.1 */
	SINK_PATIENCE = 200,	 /* ms to wait for a full daemon, once while it stays full */
	SINK_RESTART = 5 * 1000, /* ms that a daemon has to come back, once while it is away */
	SINK_RETRY = 100,	 /* ms between two tries to reach it */
	SINK_TEXT = LOG_LINE_MAX + 64, /* octets: a line with its priority, stamp and tag */
};

static enum log_target target = LOG_TO_STDERR;
static bool journal; /* standard error is the journal's */
static int syslog_fd = -1;
static bool away;	 /* the daemon did not come back in time */
static bool stuck;	 /* the daemon did not take a line in time */
static int64_t retry_at; /* when to look for a daemon that is away */
static uint32_t missed;	 /* lines that went nowhere */

static int
syslog_connect(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == -1) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void
syslog_close(void)
{
	if (syslog_fd != -1)
		close(syslog_fd);
	syslog_fd = -1;
}

/* JOURNAL_STREAM is "device:inode" of the stream that systemd made our standard error. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

void
sink_open(void)
{
	journal = stderr_is_journal();
}

void
sink_target(enum log_target to)
{
	target = to;
	syslog_close();
	stuck = away = false;
	if (to == LOG_TO_SYSLOG && !journal) {
		syslog_fd = syslog_connect();
		away = syslog_fd == -1; /* no daemon at all: the start does not wait for one */
		retry_at = clock_in(SINK_RETRY);
	}
}

static const int severity[] = {[LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_NOTE] = 6};

/* Sends to a daemon, which gets a moment to make room. */
static bool
send_text(int fd, const char *text, size_t len)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	ssize_t n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == -1 && errno == EAGAIN && !stuck && poll(&wait, 1, SINK_PATIENCE) == 1)
		n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	stuck = n == -1 && errno == EAGAIN;
	return n != -1;
}

/* A line with its priority before it, see sd-daemon(3). */
static bool
write_journal(const struct log_text *line)
{
	char text[SINK_TEXT];
	int len = snprintf(text, sizeof(text), "<%d>%s\n", severity[line->level], line->text);

	return send_text(STDERR_FILENO, text, (size_t)len);
}

/* Connects again, if the daemon is there or comes back in time. */
static bool
reconnect(void)
{
	const int64_t until = clock_in(SINK_RESTART);

	syslog_close();
	if (away && clock_now() < retry_at)
		return false;
	syslog_fd = syslog_connect();
	while (syslog_fd == -1 && !away && clock_now() < until) {
		(void)poll(NULL, 0, SINK_RETRY);
		syslog_fd = syslog_connect();
	}
	away = syslog_fd == -1;
	retry_at = clock_in(SINK_RETRY);
	return !away;
}

/* RFC 3164, as the daemons that read /dev/log expect it from local programs. */
static bool
write_syslog(const struct log_text *line)
{
	char text[SINK_TEXT], stamp[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int len;

	if (localtime_r(&now, &tm) != NULL)
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	len = snprintf(text, sizeof(text), "<%d>%s sallyport[%d]: %s",
	    SYSLOG_MAIL | severity[line->level], stamp, (int)getpid(), line->text);
	if (len > (int)sizeof(text) - 1)
		len = sizeof(text) - 1;
	if (syslog_fd != -1 && send_text(syslog_fd, text, (size_t)len))
		return true;
	return !stuck && reconnect() && send_text(syslog_fd, text, (size_t)len);
}

/* wait: for a reader of standard error, however long it takes. */
static bool
write_stderr(const struct log_text *line, bool wait)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[SINK_TEXT];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s\n", line->text), at = 0;
	ssize_t n = 0;

	if (!wait && (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0))
		return false;
	while (at < len) {
		n = write(STDERR_FILENO, text + at, len - at);
		if (n > 0)
			at += (size_t)n;
		else if (errno == EAGAIN) /* another program made it non-blocking */
			(void)poll(&room, 1, -1);
		else if (errno != EINTR)
			return false;
	}
	return true;
}

static bool
write_line(const struct log_text *line)
{
	if (journal)
		return write_journal(line);
	if (target == LOG_TO_STDERR)
		return write_stderr(line, true);
	return write_syslog(line) || write_stderr(line, false);
}

void
sink_write(const struct log_text *line)
{
	struct log_text count = {.level = LOG_WARN};

	if (missed > 0) {
		(void)snprintf(count.text, sizeof(count.text), "- log missed lines=%u", missed);
		if (write_line(&count))
			missed = 0;
	}
	if (!write_line(line))
		missed++;
}
