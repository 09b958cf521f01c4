/*
 * log.c: makes every log line, and sends it to syslog, to the journal or to standard error.
 * Runs as: every process.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server/log.h"

enum {
	SYSLOG_MAIL = 2 << 3, /* the facility, RFC 5424 section 6.2.1 */
	LOG_PATIENCE = 200,   /* ms to wait for a full journal, once while it stays full */
};

static enum log_target target = LOG_TO_STDERR;
static bool journal; /* standard error is the journal's */
static int descriptor = STDERR_FILENO;
static uint32_t connection;
static char client[96]; /* " rip=... rport=..." */

static int
syslog_connect(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
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
log_open(enum log_target to)
{
	int fd;

	journal = stderr_is_journal();
	fd = to == LOG_TO_SYSLOG && !journal ? syslog_connect() : -1;
	if (target == LOG_TO_SYSLOG && descriptor != STDERR_FILENO)
		close(descriptor);
	/* Without a syslog daemon the lines go where somebody may see them. */
	target = fd == -1 ? LOG_TO_STDERR : LOG_TO_SYSLOG;
	descriptor = fd == -1 ? STDERR_FILENO : fd;
	tzset(); /* for localtime_r in an empty chroot */
}

int
log_fd(void)
{
	return descriptor;
}

void
log_set_connection(uint32_t id, const char *address, unsigned port)
{
	connection = id;
	client[0] = '\0';
	if (id != 0)
		snprintf(client, sizeof(client), " rip=%s rport=%u", address, port);
}

static void
put(struct log_line *line, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(line->text) - 1 - line->len)
		len = sizeof(line->text) - 1 - line->len;
	memcpy(line->text + line->len, text, len);
	line->len += len;
	line->text[line->len] = '\0';
}

static void
put_octet(struct log_line *line, unsigned char c)
{
	char text[8];

	if (c == '"' || c == '\\')
		snprintf(text, sizeof(text), "\\%c", c);
	else if (c < 0x20 || c > 0x7e)
		snprintf(text, sizeof(text), "\\x%02x", c);
	else
		snprintf(text, sizeof(text), "%c", c);
	put(line, text);
}

static void
put_value(struct log_line *line, const char *value, size_t max)
{
	size_t len = strnlen(value, max + 1);
	bool quoted = len == 0 || value[strcspn(value, " \"\\=")] != '\0';

	if (quoted)
		put(line, "\"");
	for (size_t i = 0; i < len && i < max; i++)
		put_octet(line, (unsigned char)value[i]);
	if (len > max)
		put(line, "...");
	if (quoted)
		put(line, "\"");
}

void
log_begin(struct log_line *line, enum log_level level, const char *module, const char *event)
{
	char id[16] = "-";

	line->level = level;
	line->addressed = false;
	line->len = 0;
	if (connection != 0)
		snprintf(id, sizeof(id), "%08x", (unsigned)connection);
	put(line, id);
	put(line, " ");
	put(line, module);
	put(line, " ");
	put(line, event);
}

static void
put_client(struct log_line *line)
{
	if (!line->addressed)
		put(line, client);
	line->addressed = true;
}

static void
put_pair(struct log_line *line, const char *key, const char *value, size_t max)
{
	if (strcmp(key, "user") != 0)
		put_client(line);
	put(line, " ");
	put(line, key);
	put(line, "=");
	put_value(line, value, max);
}

void
log_text(struct log_line *line, const char *key, const char *value)
{
	put_pair(line, key, value, LOG_VALUE_MAX);
}

void
log_client(struct log_line *line, const char *key, const char *value)
{
	put_pair(line, key, value, LOG_CLIENT_MAX);
}

void
log_number(struct log_line *line, const char *key, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	put_pair(line, key, text, sizeof(text));
}

static const int severity[] = {[LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_NOTE] = 6};

/* A line with its priority before it, see sd-daemon(3). */
static void
send_journal(const struct log_line *line)
{
	static bool stuck;
	struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[LOG_LINE_MAX + 8];
	int len = snprintf(text, sizeof(text), "<%d>%s\n", severity[line->level], line->text);
	ssize_t n;

	n = send(STDERR_FILENO, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1 && errno == EAGAIN && !stuck && poll(&wait, 1, LOG_PATIENCE) == 1)
		n = send(STDERR_FILENO, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	stuck = n == -1;
}

/* RFC 3164, as the daemons that read /dev/log expect it from local programs. */
static void
send_syslog(const struct log_line *line)
{
	char text[LOG_LINE_MAX + 64], stamp[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int len;

	if (localtime_r(&now, &tm) != NULL)
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	len = snprintf(text, sizeof(text), "<%d>%s sallyport[%d]: %s",
	    SYSLOG_MAIL | severity[line->level], stamp, (int)getpid(), line->text);
	if (len > (int)sizeof(text) - 1)
		len = sizeof(text) - 1;
	/* A stuck log must not stop the mail: the line is dropped. */
	(void)!send(descriptor, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
log_end(struct log_line *line)
{
	int saved = errno;

	put_client(line);
	if (journal) {
		send_journal(line);
	} else if (target == LOG_TO_SYSLOG) {
		send_syslog(line);
	} else {
		line->text[line->len] = '\n'; /* there is room: put() keeps one octet */
		(void)!write(descriptor, line->text, line->len + 1);
	}
	errno = saved;
}

void
log_pairs(enum log_level level, const char *module, const char *event, ...)
{
	struct log_line line;
	const char *key;
	va_list ap;

	log_begin(&line, level, module, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL)
		log_text(&line, key, va_arg(ap, const char *));
	va_end(ap);
	log_end(&line);
}

_Noreturn void
fatal(const char *module, const char *what)
{
	log_event(LOG_ERROR, module, "fatal", "what", what, "error", strerror(errno));
	_exit(EXIT_FAILURE);
}

_Noreturn void
fatalx(const char *module, const char *what)
{
	log_event(LOG_ERROR, module, "fatal", "what", what);
	_exit(EXIT_FAILURE);
}

_Noreturn void
bug(const char *what)
{
	log_event(LOG_ERROR, "bug", "fatal", "what", what);
	_exit(EXIT_FAILURE);
}
