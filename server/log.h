/*
 * log.h: the log, syslog, the journal or stderr.  The only part that knows any of them.
 *
 * A line is: connection id (or "-"), module, event, then key=value pairs:
 *
 *     7f3a9c01 pop3 login user=anna rip=192.0.2.7 rport=50123 tls=1.3
 *
 * In a process of a connection every line has the client's address, behind the user or else first.
 * One encoder makes every value printable: octets outside 0x21-0x7e become \xHH, and a value with a
 * blank, a quote or a backslash stands in double quotes.  Never pass it a password, nor the name of
 * an unknown user, which may be one.
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
	LOG_CLIENT_MAX = 64, /* the same for what a client said */
};

struct log_line {
	enum log_level level;
	bool addressed; /* the client's address is in it, or there is none */
	size_t len;
	char text[LOG_LINE_MAX];
};

/*
 * Opens the log.  Where standard error is the journal's, by JOURNAL_STREAM (systemd.exec(5)), lines go
 * there, whatever the target: journald knows the unit by that stream, but of a datagram only while its
 * sender lives, and ours are short-lived.  The descriptor is inherited over fork, so that a process in an empty chroot can
 * still log.  Called again it changes the target or connects anew (a syslog daemon that went away).
 */
void log_open(enum log_target target);

/* The descriptor in use, for those who close all others. */
int log_fd(void);

/*
 * The connection whose id begins this process's lines from now on, and its client's address; copied.
 * 0: none.
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

/* The world failed (errno is told), what we got was wrong, we ourselves are wrong: log and exit. */
_Noreturn void fatal(const char *module, const char *what);
_Noreturn void fatalx(const char *module, const char *what);
_Noreturn void bug(const char *what);

#endif
