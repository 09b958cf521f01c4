/*
 * log.h: makes log lines, and hands them to the log process (server/logger/), which is the only process that writes to
 * syslog, to the journal or to standard error.
 *
 * A line is: connection's id (or "-"), a slash and the role of the process unless it is master, module, event, then
 * key=value pairs:
 *
 *     7f3a9c01/reader pop3 login user=anna rip=192.0.2.7 rport=50123 tls=1.3
 *
 * The log process puts in id, role, user, address and time, which it knows from master: a process cannot write the line
 * of another.  It makes every value printable: octets outside 0x20-0x7e become \xHH, and a value with a blank, a quote, a
 * backslash or "=" stands in double quotes.  Never pass a password, nor the name of an unknown user, which may be a
 * password.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/ipc.h"

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };
enum log_level { LOG_ERROR, LOG_WARN, LOG_NOTE };

enum {
	LOG_LINE_MAX = 1024, /* octets; syslog daemons cut there or a little beyond */
	LOG_VALUE_MAX = 300, /* octets of one value before escaping; the rest becomes "..." */
	LOG_CLIENT_MAX = 64, /* the same for a value that a client sent */
	LOG_WORD_MAX = 32,   /* octets of a module, an event or a key: a-z, 0-9 and "-" */
	LOG_ADDRESS_MAX = 48,
	LOG_USER_MAX = 256, /* as auth/account.h has names */
};

/* A line on its way: IPC_LOG_LINE, see ipc.h. */
struct log_line {
	struct ipc_message message;
};

/*
 * From now on lines go to the log process over this socket, without waiting: a line that finds no room is counted,
 * and the count goes before the next line.  -1: no line goes anywhere; lines are counted all the same.
 * Before the first call they go to standard error, as text.  The socket stays the caller's.
 */
void log_use_channel(int channel);

/* The channel in use or -1, for a process that closes all other descriptors. */
int log_fd(void);

/* One line more than log.c itself has counted is lost: a process has no channel, for instance. */
void log_count_lost(void);

/* Sends the count of lost lines, if there are any and there is room now. */
void log_tell_lost(void);

/*
 * From now on this process's lines are of that connection.  The log process heeds this in the lines of master only; all
 * others have a channel that master has named.  id 0: no connection.
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

/* --- for the log process --- */

/* The process that wrote a line. */
struct log_writer {
	const char *role; /* NULL: master, whose lines name their connection themselves */
	bool names_user;  /* until user is known, its lines may name one */
	uint32_t id;	  /* of the connection, or 0 */
	const char *user; /* as master knows it; NULL: not known */
	const char *address;
	unsigned port;
};

struct log_text {
	enum log_level level;
	size_t len;
	char text[LOG_LINE_MAX]; /* with a NUL at len */
};

/*
 * Turns a received IPC_LOG_LINE into text.  A known user replaces the one of the line, and a line of another process than
 * master has no address of its own.  Returns false if the line is malformed, or if the writer may not write it.
 */
bool log_format(struct log_line *line, const struct log_writer *writer, struct log_text *text_r);

/* Log and exit: the world failed (errno is logged), what we got was wrong, or we ourselves are wrong. */
_Noreturn void fatal(const char *module, const char *what);
_Noreturn void fatalx(const char *module, const char *what);
_Noreturn void bug(const char *what);

#endif
