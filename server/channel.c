/*
 * channel.c: the client's connection: lines in, octets out, with deadlines.
 * Runs as: worker, and mail user in the reader.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "maildir/base/number.h"
#include "server/channel.h"
#include "server/log.h"
#include "tls/tls.h"

volatile sig_atomic_t channel_stop;

/* SIGTERM is delivered only while ppoll(2) waits, so that none is missed. */
static sigset_t waiting_mask;

static void
on_sigterm(int number)
{
	(void)number;
	channel_stop = 1;
}

void
channel_on_sigterm(void)
{
	struct sigaction act = {.sa_handler = on_sigterm};
	sigset_t block;

	sigemptyset(&act.sa_mask);
	sigemptyset(&waiting_mask);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &block, NULL) == -1 || sigaction(SIGTERM, &act, NULL) == -1 ||
	    signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		fatal("channel", "signals");
}

void
channel_init(struct channel *channel, int fd, int64_t deadline, int64_t idle)
{
	memset(channel, 0, offsetof(struct channel, in));
	channel->fd = fd;
	channel->deadline = deadline;
	channel->idle = idle;
	channel->half_since = CLOCK_NEVER;
}

/* --- collected output --- */

static char *
out_buffer(struct channel *channel)
{
	return channel->large != NULL ? channel->large : channel->out;
}

static size_t
out_size(const struct channel *channel)
{
	return channel->large != NULL ? CHANNEL_OUT_LARGE : CHANNEL_OUT;
}

/* Much is sent: collects more at a time.  Not for TLS, which cuts it in records; without memory the buffer stays. */
static void
out_enlarge(struct channel *channel)
{
	void *large;

	if (channel->large != NULL || channel->tls != NULL || channel->out_len > 0)
		return;
	large = mmap(
	    NULL, CHANNEL_OUT_LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (large != MAP_FAILED)
		channel->large = large;
}

/* Frees the large buffer before a wait for the client, which may be long. */
static void
out_reduce(struct channel *channel)
{
	if (channel->large == NULL || channel->out_len > 0)
		return;
	if (munmap(channel->large, CHANNEL_OUT_LARGE) == -1)
		fatal("channel", "munmap");
	channel->large = NULL;
}

/*
 * Drops input for a moment, within bounds.  A socket that is closed with input unread resets the connection,
 * and what we sent last may be lost on the way.
 */
static void
linger(int fd)
{
	char dropped[4096];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int64_t until = clock_in(CHANNEL_LINGER);
	size_t total = 0;
	ssize_t n;

	if (shutdown(fd, SHUT_WR) == -1)
		return;
	n = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
	while (n > 0 && total < CHANNEL_LINGER_OCTETS && poll(&wait, 1, clock_left(until)) == 1) {
		n = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
		total += n > 0 ? (size_t)n : 0;
	}
}

void
channel_clear(struct channel *channel)
{
	if (channel->tls != NULL && channel->end != CHANNEL_FAILED)
		tls_close(channel->tls);
	if (channel->tls != NULL)
		tls_stream_free(&channel->tls);
	if (channel->fd != -1) {
		linger(channel->fd);
		close(channel->fd);
	}
	channel->fd = -1;
	channel->out_len = 0;
	out_reduce(channel);
	explicit_bzero(channel->in, sizeof(channel->in)); /* it may have held a password */
}

/* Ends a channel whose deadline is over, however busy it is.  false: it has time. */
static bool
end_when_late(struct channel *channel)
{
	if (channel->deadline == CLOCK_NEVER || clock_left(channel->deadline) > 0)
		return false;
	channel->end = CHANNEL_DEADLINE;
	return true;
}

/*
 * Waits until the first descriptor, which is the client's, or another one is ready; until the moment quiet; or
 * until SIGTERM, the deadline, or the moment idle end the channel.
 */
static enum channel_event
wait_for(struct channel *channel, struct pollfd *wait, nfds_t count, int64_t idle, int64_t quiet)
{
	int64_t until = clock_earlier(clock_earlier(idle, channel->deadline), quiet);
	struct timespec ts;
	int left, n;

	out_reduce(channel);
	while (channel->end == CHANNEL_OPEN && !end_when_late(channel)) {
		left = clock_left(until);
		ts = (struct timespec){left / 1000, left % 1000 * 1000000L};
		n = ppoll(wait, count, left == -1 ? NULL : &ts, &waiting_mask);
		if (channel_stop)
			channel->end = CHANNEL_STOPPED;
		else if (n > 0)
			return wait[0].revents != 0 ? CHANNEL_INPUT : CHANNEL_OTHER;
		else if (n == -1 && errno != EINTR)
			channel->end = CHANNEL_FAILED;
		else if (n == 0 && until == idle && clock_left(idle) == 0)
			channel->end = CHANNEL_TIMEOUT;
		else if (n == 0 && until == quiet && clock_left(quiet) == 0)
			return CHANNEL_QUIET;
	}
	return CHANNEL_OVER;
}

bool
channel_wait(struct channel *channel, short events)
{
	struct pollfd wait = {.fd = channel->fd, .events = events};

	return wait_for(channel, &wait, 1, clock_in(channel->idle), CLOCK_NEVER) != CHANNEL_OVER;
}

/* Acts on a result of the layer below.  true: try again, after a wait if that was needed. */
static bool
settle(struct channel *channel, ssize_t result)
{
	switch (result) {
	case TLS_WANT_READ:
		return channel_wait(channel, POLLIN);
	case TLS_WANT_WRITE:
		return channel_wait(channel, POLLOUT);
	case TLS_CLOSED:
		channel->end = CHANNEL_CLOSED;
		return false;
	case TLS_EOF:
		channel->end = channel->tls != NULL ? CHANNEL_TRUNCATED : CHANNEL_CLOSED;
		return false;
	default:
		channel->end = CHANNEL_FAILED;
		return false;
	}
}

/* The result of read(2) or write(2) as tls.h would name it. */
static ssize_t
in_clear(ssize_t n, enum tls_result again)
{
	if (n > 0)
		return n;
	if (n == 0 || errno == ECONNRESET || errno == EPIPE)
		return TLS_EOF;
	return errno == EAGAIN || errno == EINTR ? (ssize_t)again : TLS_FAILED;
}

static ssize_t
lower_read(struct channel *channel, void *at, size_t size)
{
	if (channel->tls != NULL)
		return tls_read(channel->tls, at, size);
	return in_clear(read(channel->fd, at, size), TLS_WANT_READ);
}

static ssize_t
lower_write(struct channel *channel, const void *at, size_t len)
{
	if (channel->tls != NULL)
		return tls_write(channel->tls, at, len);
	return in_clear(write(channel->fd, at, len), TLS_WANT_WRITE);
}

/* For sessions that always have input, and so never wait. */
static void
look_for_sigterm(void)
{
	sigset_t pending;

	if (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1)
		channel_stop = 1;
}

/* Reads more input after in_end; sends collected output before it waits. */
static bool
fill(struct channel *channel)
{
	ssize_t n;

	if (channel->in_at > 0) {
		memmove(
		    channel->in, channel->in + channel->in_at, channel->in_end - channel->in_at);
		channel->in_end -= channel->in_at;
		channel->in_at = 0;
	}
	for (;;) {
		n = lower_read(
		    channel, channel->in + channel->in_end, CHANNEL_IN - channel->in_end);
		if (n > 0)
			break;
		/* Also at the end: a client may have closed its side only, and wants its answers. */
		if (n != TLS_WANT_WRITE && n != TLS_FAILED && channel->out_len > 0) {
			if (!channel_flush(channel))
				return false;
			if (n == TLS_WANT_READ)
				continue;
		}
		if (!settle(channel, n))
			return false;
	}
	channel->in_end += (size_t)n;
	channel->octets_in += (uint64_t)n;
	look_for_sigterm();
	return true;
}

/* Whether reading may go on: no end, no SIGTERM, no deadline. */
static bool
may_read(struct channel *channel)
{
	if (channel->end != CHANNEL_OPEN)
		return false;
	if (channel_stop)
		channel->end = CHANNEL_STOPPED;
	else
		(void)end_when_late(channel);
	channel->half_since = CLOCK_NEVER; /* the next command has its own second */
	return channel->end == CHANNEL_OPEN;
}

bool
channel_input(struct channel *channel, char **at_r, size_t *len_r)
{
	if (!may_read(channel))
		return false;
	if (channel->in_at == channel->in_end && !fill(channel))
		return false;
	*at_r = channel->in + channel->in_at;
	*len_r = channel->in_end - channel->in_at;
	return true;
}

void
channel_take(struct channel *channel, size_t len)
{
	if (len > channel->in_end - channel->in_at)
		bug("channel_take of more than there is");
	channel->in_at += len;
	channel->scanned = 0;
}

static bool
has_input(const struct channel *channel)
{
	return channel->in_at != channel->in_end ||
	       (channel->tls != NULL && tls_pending(channel->tls));
}

enum channel_event
channel_wait_either(struct channel *channel, int fd, int ms, int64_t idle_since)
{
	struct pollfd wait[2] = {
	    {.fd = channel->fd, .events = POLLIN},
	    {.fd = fd, .events = POLLIN},
	};

	if (!channel_flush(channel))
		return CHANNEL_OVER;
	if (has_input(channel))
		return CHANNEL_INPUT;
	if (!may_read(channel))
		return CHANNEL_OVER;
	return wait_for(channel, wait, 2, idle_since + channel->idle, clock_in(ms));
}

bool
channel_line(struct channel *channel, size_t max, char **line_r, size_t *len_r)
{
	char *from, *newline;
	size_t have;

	for (;;) {
		if (!may_read(channel))
			return false;
		from = channel->in + channel->in_at;
		have = channel->in_end - channel->in_at;
		newline = have == 0
			      ? NULL
			      : memchr(from + channel->scanned, '\n', have - channel->scanned);
		if (newline != NULL)
			break;
		channel->scanned = have;
		if (have > max + 1 || have == CHANNEL_IN) { /* the one more may be its CR */
			channel->end = CHANNEL_TOO_LONG;
			return false;
		}
		if (!fill(channel))
			return false;
	}
	*line_r = from;
	*len_r = (size_t)(newline - from);
	channel->in_at += *len_r + 1;
	channel->scanned = 0;
	if (*len_r > 0 && from[*len_r - 1] == '\r')
		--*len_r;
	from[*len_r] = '\0';
	if (*len_r > max)
		channel->end = CHANNEL_TOO_LONG;
	return *len_r <= max;
}

/* Looks whether the client is there.  A connection that is reset, or closed both ways, is over at once. */
static enum channel_end
end_of_client(struct channel *channel, int64_t now)
{
	struct pollfd look = {.fd = channel->fd, .events = POLLRDHUP};

	if (poll(&look, 1, 0) <= 0)
		return CHANNEL_OPEN;
	/* A client that takes what we send is there. */
	if (channel->half_since == CLOCK_NEVER || channel->half_out != channel->octets_out)
		channel->half_since = now;
	channel->half_out = channel->octets_out;
	if ((look.revents & ~POLLRDHUP) == 0 && now - channel->half_since < CHANNEL_HALF)
		return CHANNEL_OPEN;
	return CHANNEL_CLOSED;
}

bool
channel_gone(struct channel *channel)
{
	int64_t now = clock_now();

	if (channel->end != CHANNEL_OPEN || now - channel->looked < CHANNEL_LOOK)
		return channel->end != CHANNEL_OPEN;
	channel->looked = now;
	look_for_sigterm();
	channel->end = channel_stop ? CHANNEL_STOPPED : end_of_client(channel, now);
	return channel->end != CHANNEL_OPEN;
}

bool
channel_stopped(struct channel *channel)
{
	look_for_sigterm();
	if (channel_stop && channel->end == CHANNEL_OPEN)
		channel->end = CHANNEL_STOPPED;
	return channel->end == CHANNEL_STOPPED;
}

bool
channel_input_waits(struct channel *channel)
{
	char octet;

	if (has_input(channel))
		return true;
	return recv(channel->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool
channel_flush(struct channel *channel)
{
	size_t sent = 0;
	ssize_t n;

	if (channel->out_len > 0 && channel->before_send != NULL)
		channel->before_send(channel->ctx);
	while (channel->end == CHANNEL_OPEN && sent < channel->out_len) {
		n = lower_write(channel, out_buffer(channel) + sent, channel->out_len - sent);
		if (n > 0) {
			sent += (size_t)n;
			channel->octets_out += (uint64_t)n;
		} else if (!settle(channel, n))
			break;
	}
	channel->out_len = 0;
	while (channel->end == CHANNEL_OPEN && channel->tls != NULL) {
		n = tls_flush(channel->tls);
		if (n == TLS_OK || !settle(channel, n))
			break;
	}
	return channel->end == CHANNEL_OPEN;
}

size_t
channel_room(struct channel *channel, char **at_r)
{
	if (channel->out_len == out_size(channel)) {
		channel_flush(channel);
		out_enlarge(channel);
	}
	*at_r = out_buffer(channel) + channel->out_len;
	return out_size(channel) - channel->out_len;
}

void
channel_wrote(struct channel *channel, size_t len)
{
	if (len > out_size(channel) - channel->out_len)
		bug("channel_wrote beyond the buffer");
	channel->out_len += len;
}

void
channel_put(struct channel *channel, const void *octets, size_t len)
{
	const char *from = octets;
	size_t room;
	char *at;

	while (len > 0 && channel->end == CHANNEL_OPEN) {
		room = channel_room(channel, &at);
		if (room > len)
			room = len;
		memcpy(at, from, room);
		channel_wrote(channel, room);
		from += room;
		len -= room;
	}
}

void
channel_puts(struct channel *channel, const char *text)
{
	channel_put(channel, text, strlen(text));
}

void
channel_number(struct channel *channel, uint64_t number)
{
	char digits[NUMBER_DIGITS], *end = digits + sizeof(digits), *at = number_write(end, number);

	channel_put(channel, at, (size_t)(end - at));
}

void
channel_printf(struct channel *channel, const char *format, ...)
{
	char text[1024]; /* replies are a line with at most one value of a bounded kind */
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		bug("a reply is too long");
	channel_put(channel, text, (size_t)len);
}

void
channel_last_words(struct channel *channel, const char *line)
{
	channel->end = CHANNEL_OPEN;
	channel->idle = CHANNEL_LAST_WORDS;
	channel_stop = 0;
	channel_puts(channel, line);
	channel_flush(channel);
}

const char *
channel_end_text(enum channel_end end)
{
	static const char *const text[] = {
	    [CHANNEL_OPEN] = "done",
	    [CHANNEL_CLOSED] = "client closed",
	    [CHANNEL_TRUNCATED] = "connection cut",
	    [CHANNEL_TIMEOUT] = "idle",
	    [CHANNEL_DEADLINE] = "no login in time",
	    [CHANNEL_STOPPED] = "stopped",
	    [CHANNEL_TOO_LONG] = "line too long",
	    [CHANNEL_FAILED] = "connection failed",
	};

	return text[end];
}
