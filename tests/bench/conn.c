/*
 * conn.c: connections of the benchmark's client: large reads, no copies, reading while writing.
 * Runs as: whoever measures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tests/bench/conn.h"

enum {
	READ_MAX = 1 << 17, /* octets at a time: larger reads are not cheaper and leave the cache */
	LEFT_MAX = 4096,    /* octets; a larger rest stays where it is */
};

void
bad(const char *format, ...)
{
	va_list ap;

	fputs("bad ", stdout);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	exit(1);
}

uint64_t
conn_now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) == -1)
		bad("clock: %s", strerror(errno));
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Tickets of TLS 1.3 come after the handshake; only this callback sees all of them. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct target *target = SSL_get_app_data(ssl);

	SSL_SESSION_free(target->session);
	target->session = session;
	return 1;
}

/* Does not verify the certificate: the way is loopback, and the cost would be the client's. */
static SSL_CTX *
context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		bad("no TLS");
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	return context;
}

static void
handshake(struct conn *conn, struct target *target)
{
	static char host[] = "localhost";

	if (target->context == NULL)
		target->context = context_new();
	conn->ssl = SSL_new(target->context);
	if (conn->ssl == NULL || SSL_set_fd(conn->ssl, conn->fd) != 1 ||
	    SSL_set_tlsext_host_name(conn->ssl, host) != 1)
		bad("no TLS");
	SSL_set_app_data(conn->ssl, target);
	if (target->resume && target->session != NULL &&
	    SSL_set_session(conn->ssl, target->session) != 1)
		bad("the session cannot be offered again");
	if (SSL_connect(conn->ssl) != 1)
		bad("handshake: %s", ERR_error_string(ERR_get_error(), NULL));
}

void
conn_open(struct conn *conn, struct target *target)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target->port)};
	int one = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*conn = (struct conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	conn->buf = malloc(CONN_BUFFER);
	if (conn->fd == -1 || conn->buf == NULL)
		bad("socket: %s", strerror(errno));
	if (connect(conn->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1)
		bad("connect: %s", strerror(errno));
	if (target->tls)
		handshake(conn, target);
	if (fcntl(conn->fd, F_SETFL, O_NONBLOCK) == -1)
		bad("fcntl: %s", strerror(errno));
}

bool
conn_resumed(const struct conn *conn)
{
	return conn->ssl != NULL && SSL_session_reused(conn->ssl) == 1;
}

/* Returns the octets moved, 0 at the end of the stream, -1 if it would have to wait. */
static ssize_t
moved(const struct conn *conn, int n, const char *what)
{
	if (n > 0)
		return n;
	if (conn->ssl == NULL) {
		if (n == 0 || errno == EAGAIN || errno == EINTR)
			return n;
		bad("%s: %s", what, strerror(errno));
	}
	switch (SSL_get_error(conn->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	bad("%s: %s", what, ERR_error_string(ERR_get_error(), NULL));
}

/* Moves the rest of a line to the front: reads are large, and the buffer stays in the cache. */
static void
compact(struct conn *conn)
{
	size_t left = conn->to - conn->from;

	if (conn->from == 0 || (left > LEFT_MAX && conn->to < CONN_BUFFER))
		return;
	memmove(conn->buf, conn->buf + conn->from, left);
	conn->from = 0;
	conn->to = left;
}

static ssize_t
more(struct conn *conn)
{
	char *at;
	ssize_t n;
	int room;

	compact(conn);
	at = conn->buf + conn->to;
	room = conn->to + READ_MAX < CONN_BUFFER ? READ_MAX : (int)(CONN_BUFFER - conn->to);
	if (room == 0)
		bad("a line of more than %d octets", CONN_BUFFER);
	n = moved(conn,
	    conn->ssl ? SSL_read(conn->ssl, at, room) : (int)read(conn->fd, at, (size_t)room),
	    "read");
	if (n > 0) {
		conn->to += (size_t)n;
		conn->octets += (uint64_t)n;
	}
	return n;
}

static size_t
give(struct conn *conn, const char *out, size_t len)
{
	int part = len > CONN_BUFFER ? CONN_BUFFER : (int)len;
	ssize_t n = moved(conn,
	    conn->ssl ? SSL_write(conn->ssl, out, part)
		      : (int)send(conn->fd, out, (size_t)part, MSG_NOSIGNAL),
	    "write");

	return n > 0 ? (size_t)n : 0;
}

static void
feed(struct conn *conn, conn_take *take, void *ctx, bool *done)
{
	if (conn->from < conn->to)
		conn->from += take(ctx, conn->buf + conn->from, conn->to - conn->from, done);
}

static void
pause_for(struct conn *conn, bool writing)
{
	struct pollfd p = {.fd = conn->fd, .events = (short)(POLLIN | (writing ? POLLOUT : 0))};

	if (poll(&p, 1, CONN_TIMEOUT * 1000) == 0)
		bad("no answer within %d s", CONN_TIMEOUT);
}

void
conn_talk(struct conn *conn, const char *out, size_t len, conn_take *take, void *ctx)
{
	bool done = false;
	ssize_t came;
	size_t went;

	while (!done) {
		went = len > 0 ? give(conn, out, len) : 0;
		out += went;
		len -= went;
		came = more(conn);
		if (came == 0)
			bad("the connection ended");
		feed(conn, take, ctx, &done);
		if (came < 0 && went == 0 && !done)
			pause_for(conn, len > 0);
	}
	if (len > 0)
		bad("answered before it was asked");
}

void
conn_look(struct conn *conn, conn_take *take, void *ctx)
{
	bool done = false;
	ssize_t n;

	do {
		feed(conn, take, ctx, &done);
	} while ((n = more(conn)) > 0);
	if (n == 0)
		bad("the connection ended");
}

void
conn_end(struct conn *conn)
{
	ssize_t n;

	while ((n = more(conn)) != 0 || conn->from < conn->to) {
		if (n >= 0)
			bad("more came than was asked for");
		pause_for(conn, false);
	}
	if (conn->ssl != NULL)
		SSL_shutdown(conn->ssl);
	SSL_free(conn->ssl);
	close(conn->fd);
	free(conn->buf);
	*conn = (struct conn){.fd = -1};
}
