/*
 * logger.h: the log process: takes the lines of all processes, says whose each is, and writes it.
 *
 * Each process has a channel of its own, which master has named to the log process: connection, role, address, later the
 * user.  So a process that an attacker controls can only write lines of its own connection, and only so many.
 */
#ifndef SERVER_LOGGER_LOGGER_H
#define SERVER_LOGGER_LOGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/log.h"

struct conf;
struct service_users;

enum {
	LOGGER_BURST = 200,    /* lines that a process may write at once */
	LOGGER_EVERY = 100,    /* ms after which it may write one more */
	LOGGER_EXCESS = 10000, /* lines beyond that, in all, which close its channel */
};

/* A process's channel, as master has named it. */
struct logger_channel {
	bool open;
	uint32_t id; /* of its connection, or 0 */
	char role[16], address[LOG_ADDRESS_MAX];
	unsigned port;
	char *user; /* NULL: not known; owned */
	/* The quota: lines that it may write now, and since when they are counted. */
	unsigned lines;
	int64_t counted_at;
	uint32_t left_out; /* lines over the quota since the last line that was written */
	uint32_t excess;   /* the same in all */
};

/* Begins a channel that has its whole quota at that moment. */
void logger_channel_begin(struct logger_channel *channel, int64_t now);

/*
 * Takes a message that came over a channel; write is called for each line that is to be written: none, the line, or also
 * a line about lines that are missing.  Returns false if the channel is to be closed.
 */
bool logger_take(struct logger_channel *channel, struct log_line *line, int64_t now,
    void (*write)(const struct log_text *text));

/* The channel ends: writes how many lines were left out, if any were. */
void logger_channel_end(struct logger_channel *channel, void (*write)(const struct log_text *text));

/* The whole life of the log process.  It ends when control and all channels are closed, or soon after control. */
_Noreturn void logger_main(const struct conf *conf, const struct service_users *users, int control);

#endif
