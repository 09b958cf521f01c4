/*
 * relay.c: carries octets between the client's TLS stream and the reader, through two bounded buffers.
 * Runs as: worker.
 *
 * The buffers are the channel's: in[] holds what the client sent and the reader has not taken, out[] what the
 * reader wrote and the client has not taken.  If one side takes nothing, the other side's flow stops, and that
 * costs nothing more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"
#include "server/worker/relay.h"
#include "tls/tls.h"

enum {
	RELAY_STUCK = 10 * 60 * 1000
}; /* ms without an octet taken by the client, of those that are ready */

struct relay {
	struct channel *channel;
	int reader;
	size_t out_at;	    /* octets of out[] that are sent */
	bool client_ended;  /* nothing more comes from the client */
	bool reader_ended;  /* nothing more comes from the reader */
	bool failed;	    /* the client cannot be written to */
	bool moved;	    /* something moved in this round */
	short client_wants; /* poll(2) events that TLS waits for */
};

static void
from_client(struct relay *r)
{
	struct channel *c = r->channel;
	ssize_t n;

	if (r->client_ended || c->in_end != 0)
		return;
	n = tls_read(c->tls, c->in, CHANNEL_IN);
	if (n > 0) {
		c->in_at = 0;
		c->in_end = (size_t)n;
		r->moved = true;
	} else if (n == TLS_WANT_READ || n == TLS_WANT_WRITE) {
		r->client_wants |= n == TLS_WANT_READ ? POLLIN : POLLOUT;
	} else {
		r->client_ended = true;
		r->failed = n == TLS_FAILED;
		(void)shutdown(r->reader, SHUT_WR);
	}
}

static void
to_reader(struct relay *r)
{
	struct channel *c = r->channel;
	ssize_t n;

	if (c->in_at == c->in_end) {
		c->in_at = c->in_end = 0; /* lines before login may have left it at its end */
		return;
	}
	n = send(r->reader, c->in + c->in_at, c->in_end - c->in_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		c->in_at += (size_t)n;
		r->moved = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		c->in_at = c->in_end; /* the reader has gone: nobody wants them */
	}
	if (c->in_at == c->in_end)
		c->in_at = c->in_end = 0;
}

static void
from_reader(struct relay *r)
{
	struct channel *c = r->channel;
	ssize_t n;

	if (r->reader_ended || c->out_len == CHANNEL_OUT)
		return;
	n = recv(r->reader, c->out + c->out_len, CHANNEL_OUT - c->out_len, MSG_DONTWAIT);
	if (n > 0) {
		c->out_len += (size_t)n;
		r->moved = true;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		r->reader_ended = true;
	}
}

static void
to_client(struct relay *r)
{
	struct channel *c = r->channel;
	ssize_t n;

	if (r->out_at == c->out_len)
		n = tls_flush(c->tls);
	else
		n = tls_write(c->tls, c->out + r->out_at, c->out_len - r->out_at);
	if (n > 0) {
		r->out_at += (size_t)n;
		r->moved = true;
	} else if (n == TLS_WANT_READ || n == TLS_WANT_WRITE) {
		r->client_wants |= n == TLS_WANT_READ ? POLLIN : POLLOUT;
	} else if (n != TLS_OK) {
		r->failed = true;
	}
	if (r->out_at == c->out_len)
		r->out_at = c->out_len = 0;
}

/* Waits until something can move.  false: the client has taken nothing for too long. */
static bool
wait_for_either(const struct relay *r)
{
	const struct channel *c = r->channel;
	struct pollfd wait[2] = {{.fd = c->fd, .events = r->client_wants}, {.fd = r->reader}};
	bool stuck = c->out_len > 0;
	int n;

	if (!r->reader_ended && c->out_len < CHANNEL_OUT)
		wait[1].events |= POLLIN;
	if (c->in_at != c->in_end)
		wait[1].events |= POLLOUT;
	if (wait[1].events == 0)
		wait[1].fd = -1;
	if (wait[0].events == 0)
		wait[0].fd = -1;
	n = poll(wait, 2, stuck ? RELAY_STUCK : -1);
	return n > 0 || (n == -1 && errno == EINTR);
}

void
relay_run(struct channel *channel, int reader)
{
	struct relay r = {.channel = channel, .reader = reader};

	do {
		r.moved = false;
		r.client_wants = 0;
		to_reader(&r);
		from_client(&r);
		to_reader(&r);
		from_reader(&r);
		to_client(&r);
		if (r.failed || (r.reader_ended && channel->out_len == 0))
			break;
	} while (r.moved || wait_for_either(&r));
	if (r.failed)
		channel->end = CHANNEL_FAILED;
	close(reader);
}
