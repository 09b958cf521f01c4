/*
 * logger.c: the log process.
 * Runs as: worker_user.
 *
 * It obeys master, whose control socket brings channels, and master's own lines.  A process at the other end of a channel
 * may be hostile: log_format checks what it wrote, a quota bounds how much, and a malformed line closes the channel.
 *
 * The process has the file system's root for its root directory, so that it can reach a syslog daemon that was started
 * after it; Landlock refuses it all files, and seccomp all sockets but those of this machine.
 *
 * A channel gives one line for each report of epoll, after control was emptied.  So lines keep the order in which they
 * were sent, and what master says of a channel counts for all lines that are sent after it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/logger/logger.h"
#include "server/logger/sink.h"
#include "server/privdrop.h"
#include "server/process.h"

enum {
	LOGGER_EVENTS = 64, /* taken from epoll at a time */
	/* A worker and a reader of each connection, and the standing processes. */
	LOGGER_CHANNELS_MAX = 2 * CONF_CONNECTIONS_MAX + 512,
	LOGGER_FAREWELL = 2 * 1000, /* ms for other processes to end after master */
};

struct logger {
	int control, epoll;		/* control: -1 after master has ended */
	size_t open, max;		/* channels */
	size_t high;			/* descriptors of channels were below it */
	struct logger_channel *channel; /* by descriptor */
	uint32_t *
	    reader; /* the ids of those that are readers', or 0: a login must find its own quickly */
};

/* --- one line --- */

void
logger_channel_begin(struct logger_channel *channel, int64_t now)
{
	channel->open = true;
	channel->lines = LOGGER_BURST;
	channel->counted_at = now;
	channel->left_out = channel->excess = 0;
}

/* Writes a line of the log process's own about a process. */
static void
write_own(const struct logger_channel *channel, const char *event, const char *key, uint32_t number,
    void (*write)(const struct log_text *text))
{
	const struct log_writer writer = {.role = channel->role[0] != '\0' ? channel->role : NULL,
	    .id = channel->id,
	    .user = channel->user,
	    .address = channel->address,
	    .port = channel->port};
	struct log_line line;
	struct log_text text;

	log_begin(&line, LOG_WARN, "log", event);
	if (key != NULL)
		log_number(&line, key, number);
	if (log_format(&line, &writer, &text))
		write(&text);
}

/* Whether the process may write a line now. */
static bool
within_quota(struct logger_channel *channel, int64_t now)
{
	int64_t more = (now - channel->counted_at) / LOGGER_EVERY;

	if (more > 0) {
		channel->counted_at += more * LOGGER_EVERY;
		channel->lines = more < LOGGER_BURST - (int64_t)channel->lines
				     ? channel->lines + (unsigned)more
				     : LOGGER_BURST;
	}
	if (channel->lines == 0)
		return false;
	channel->lines--;
	return true;
}

static void
write_left_out(struct logger_channel *channel, void (*write)(const struct log_text *text))
{
	if (channel->left_out > 0)
		write_own(channel, "left-out", "lines", channel->left_out, write);
	channel->left_out = 0;
}

bool
logger_take(struct logger_channel *channel, struct log_line *line, int64_t now,
    void (*write)(const struct log_text *text))
{
	const bool master = channel->role[0] == '\0';
	const struct log_writer writer = {.role = master ? NULL : channel->role,
	    .names_user = strcmp(channel->role, "reader") == 0,
	    .id = channel->id,
	    .user = channel->user,
	    .address = channel->address,
	    .port = channel->port};
	struct log_text text;

	if (!master && !within_quota(channel, now)) {
		channel->left_out++;
		if (++channel->excess < LOGGER_EXCESS)
			return true;
		write_left_out(channel, write);
		write_own(channel, "closed", NULL, 0, write);
		return false;
	}
	if (!log_format(line, &writer, &text)) {
		write_own(channel, "forged", NULL, 0, write);
		return false;
	}
	write_left_out(channel, write);
	write(&text);
	return true;
}

void
logger_channel_end(struct logger_channel *channel, void (*write)(const struct log_text *text))
{
	write_left_out(channel, write);
	free(channel->user);
	*channel = (struct logger_channel){.open = false};
}

/* --- channels --- */

/* Master has the same end of the channel, so that close(2) alone would neither end the channel nor the watch. */
static void
drop(struct logger *logger, int fd)
{
	logger_channel_end(&logger->channel[fd], sink_write);
	logger->reader[fd] = 0;
	(void)epoll_ctl(logger->epoll, EPOLL_CTL_DEL, fd, NULL);
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
	logger->open--;
}

static void
watch(const struct logger *logger, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(logger->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		fatal("log", "epoll_ctl");
}

/* IPC_LOG_CHANNEL.  Returns whether fd belongs to the channel now. */
static bool
open_channel(struct logger *logger, struct ipc_message *message, int fd)
{
	struct logger_channel channel = {.open = false};

	channel.id = ipc_get_u32(message);
	ipc_get_string(message, channel.role, sizeof(channel.role));
	ipc_get_string(message, channel.address, sizeof(channel.address));
	channel.port = ipc_get_u16(message);
	if (!ipc_done(message) || channel.role[0] == '\0' || fd == -1 || (size_t)fd >= logger->max)
		return false;
	logger_channel_begin(&channel, clock_now());
	logger->channel[fd] = channel;
	if ((size_t)fd >= logger->high)
		logger->high = (size_t)fd + 1;
	logger->reader[fd] = strcmp(channel.role, "reader") == 0 ? channel.id : 0;
	logger->open++;
	watch(logger, fd);
	return true;
}

/* IPC_LOG_USER. */
static void
name_user(struct logger *logger, struct ipc_message *message)
{
	char user[LOG_USER_MAX];
	uint32_t id = ipc_get_u32(message);

	ipc_get_string(message, user, sizeof(user));
	for (size_t i = 0; ipc_done(message) && id != 0 && i < logger->high; i++)
		if (logger->reader[i] == id) {
			free(logger->channel[i].user);
			logger->channel[i].user = strdup(user);
			return;
		}
}

/* Obeys all messages of master that are there. */
static void
obey(struct logger *logger)
{
	static struct logger_channel master; /* its quota is not asked for */
	struct log_line line;
	struct ipc_message *message = &line.message;
	int fd;

	while (logger->control != -1 && ipc_recv(logger->control, message, 0, &fd) == 0) {
		bool taken = false;

		switch (ipc_open(message)) {
		case IPC_LOG_LINE:
			(void)logger_take(&master, &line, 0, sink_write);
			break;
		case IPC_LOG_CHANNEL:
			taken = open_channel(logger, message, fd);
			break;
		case IPC_LOG_USER:
			name_user(logger, message);
			break;
		case IPC_LOG_TARGET:
			sink_target(ipc_get_u8(message) != 0 ? LOG_TO_SYSLOG : LOG_TO_STDERR);
			break;
		default:
			break;
		}
		if (fd != -1 && !taken)
			close(fd);
	}
	if (logger->control != -1 && errno != ETIMEDOUT && errno != EMSGSIZE) {
		close(logger->control);
		logger->control = -1;
	}
}

static void
serve(struct logger *logger, int fd)
{
	struct logger_channel *channel = &logger->channel[fd];
	struct log_line line;

	if (!channel->open)
		return;
	if (ipc_recv(fd, &line.message, 0, NULL) == 0) {
		if (!logger_take(channel, &line, clock_now(), sink_write))
			drop(logger, fd);
	} else if (errno != ETIMEDOUT) {
		drop(logger, fd); /* the process has ended, or sent what is no line */
	}
}

_Noreturn static void
loop(struct logger *logger)
{
	struct epoll_event events[LOGGER_EVENTS];
	int64_t until = CLOCK_NEVER;
	int n;

	while (logger->control != -1 || (logger->open > 0 && clock_left(until) > 0)) {
		n = epoll_wait(logger->epoll, events, LOGGER_EVENTS, clock_left(until));
		if (n == -1 && errno != EINTR)
			fatal("log", "epoll_wait");
		obey(logger);
		for (int i = 0; i < n; i++)
			if (events[i].data.fd != logger->control)
				serve(logger, events[i].data.fd);
		if (logger->control == -1 && until == CLOCK_NEVER)
			until = clock_in(LOGGER_FAREWELL);
	}
	_exit(EXIT_SUCCESS);
}

_Noreturn void
logger_main(const struct conf *conf, const struct service_users *users, int control)
{
	static struct logger logger;
	struct rlimit files;

	process_enter("log", &control, 1);
	/* systemd signals all processes at once; this one ends after the others. */
	if (signal(SIGTERM, SIG_IGN) == SIG_ERR || getrlimit(RLIMIT_NOFILE, &files) == -1)
		fatal("log", "start");
	logger.max = files.rlim_cur < LOGGER_CHANNELS_MAX ? files.rlim_cur : LOGGER_CHANNELS_MAX;
	logger.channel = calloc(logger.max, sizeof(*logger.channel));
	logger.reader = calloc(logger.max, sizeof(*logger.reader));
	logger.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (logger.channel == NULL || logger.reader == NULL || logger.epoll == -1)
		fatal("log", "start");
	sink_open();
	logger.control = control;
	watch(&logger, control);
	privdrop_become(users->worker_uid, users->worker_gid);
	process_follow_parent();
	confine_log(conf->memory);
	loop(&logger);
}
