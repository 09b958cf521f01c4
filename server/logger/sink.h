/*
 * sink.h: where log lines go: syslog, the journal or standard error.
 */
#ifndef SERVER_LOGGER_SINK_H
#define SERVER_LOGGER_SINK_H

#include "server/log.h"

/*
 * Call it once, before the process is confined: if standard error is the journal's, by JOURNAL_STREAM (systemd.exec(5)),
 * lines go there, whatever the target: it keeps priorities and the unit.  Else they go to standard error.
 */
void sink_open(void);

/* Changes the target, or connects again to a syslog daemon. */
void sink_target(enum log_target target);

/*
 * Writes a line.  It waits for standard error as long as that takes, for the journal and a syslog daemon only a moment;
 * a daemon that is restarted gets a few seconds to come back.  After that lines go to standard error if it takes them at
 * once.  A line that went nowhere is counted, and the count is written before the next line.
 */
void sink_write(const struct log_text *line);

#endif
