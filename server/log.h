/*
 * log.h: the log: syslog, the journal or standard error.  No other module knows any of them.
 *
 * A line is: connection id (or "-"), module, event, then key=value pairs:
 *
 *     7f3a9c01 pop3 login user=anna rip=192.0.2.7 rport=50123 tls=1.3
 *
 * In a process of a connection every line has the client's address, after the user or else first.  Every
 * value is made printable: octets outside 0x20-0x7e become \xHH, and a value with a blank, a quote, a backslash
 * or "=" stands in double quotes.  Never pass a password, nor the name of an unknown user, which may be a
 * password.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };
enum log_level { LOG_ERROR, LOG_WARN, LOG_NOTE };

enum {
	LOG_LINE_MAX = 1024, /* octets; syslog daemons cut there or a little beyond */
	LOG_VALUE_MAX = 300, /* octets of one value before escaping; the rest becomes "..." */
	LOG_CLIENT_MAX = 64, /* the same for a value that a client sent */
};

struct log_line {
	enum log_level level;
	bool addressed; /* the client's address is in the line, or there is none */
	size_t len;
	char text[LOG_LINE_MAX];
};

/*
 * Opens the log.  If standard error is the journal's, by JOURNAL_STREAM (systemd.exec(5)), lines go there,
 * whatever the target: journald knows the unit of a stream, but of a datagram only while its sender lives, and
 * our processes are short-lived.  The descriptor is inherited over fork, so that a process in an empty chroot
 * can still log.  A second call changes the target, or connects again after a syslog daemon went away.
 */
void log_open(enum log_target target);

/* The descriptor in use, for a process that closes all others. */
int log_fd(void);

/*
 * From now on this process's lines begin with the connection's id and have its client's address (copied).
 * id 0: no connection.
 */
void log_set_connection(uint32_t id, const char *address, unsigned port);

void log_begin(struct log_line *line, enum log_level level, const char *module, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_client(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, long long value);
void log_end(struct log_line *line);

/* A whole line at once: log_event(level, module, event, key, value, ...), all strings. */
#define log_event(level, module, ...) log_pairs(level, module, __VA_ARGS__, (const char *)NULL)
void log_pairs(enum log_level level, const char *module, const char *event, ...)
    __attribute__((sentinel));

/* Log and exit: the world failed (errno is logged), what we got was wrong, or we ourselves are wrong. */
_Noreturn void fatal(const char *module, const char *what);
_Noreturn void fatalx(const char *module, const char *what);
_Noreturn void bug(const char *what);

#endif
