/*
 * bio.c: between mbedTLS and the socket.
 * Runs as: worker.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/bio.h"

/* Octets that the kernel took; 0: none now.  -1: the connection is gone. */
static ssize_t
send_some(struct tls_bio *bio, const unsigned char *buf, size_t len)
{
	ssize_t n;

	do
		n = send(bio->fd, buf, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	bio->broken = true;
	return -1;
}

enum tls_result
tls_bio_flush(struct tls_bio *bio)
{
	if (bio->broken)
		return TLS_EOF;
	while (bio->out_at < bio->out_len) {
		ssize_t n = send_some(bio, bio->out + bio->out_at, bio->out_len - bio->out_at);

		if (n < 0)
			return TLS_EOF;
		if (n == 0)
			return TLS_WANT_WRITE;
		bio->out_at += (size_t)n;
	}
	bio->out_at = bio->out_len = 0;
	return TLS_OK;
}

/* Puts as much as fits behind the output that waits. */
static size_t
keep(struct tls_bio *bio, const unsigned char *buf, size_t len)
{
	size_t room;

	if (bio->out_at > 0) {
		memmove(bio->out, bio->out + bio->out_at, bio->out_len - bio->out_at);
		bio->out_len -= bio->out_at;
		bio->out_at = 0;
	}
	room = sizeof bio->out - bio->out_len;
	if (len > room)
		len = room;
	memcpy(bio->out + bio->out_len, buf, len);
	bio->out_len += len;
	return len;
}

/* A handshake's messages.  When there is no room mbedTLS has to wait, which here it does right. */
static int
send_collected(struct tls_bio *bio, const unsigned char *buf, size_t len)
{
	size_t kept = keep(bio, buf, len);

	if (kept > 0)
		return (int)kept;
	switch (tls_bio_flush(bio)) {
	case TLS_OK:
		return (int)keep(bio, buf, len);
	case TLS_WANT_WRITE:
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	default:
		return MBEDTLS_ERR_SSL_CONN_EOF;
	}
}

/*
 * After the handshake: all is taken, always.  stream.c writes a record only when nothing waits, so
 * that there is room, unless a peer that reads nothing has caused more than 1 kB of alerts.
 */
static int
send_record(struct tls_bio *bio, const unsigned char *buf, size_t len)
{
	ssize_t n = 0;

	switch (tls_bio_flush(bio)) {
	case TLS_OK:
		if ((n = send_some(bio, buf, len)) < 0)
			return MBEDTLS_ERR_SSL_CONN_EOF;
		break;
	case TLS_WANT_WRITE:
		break;
	default:
		return MBEDTLS_ERR_SSL_CONN_EOF;
	}
	if (keep(bio, buf + n, len - (size_t)n) != len - (size_t)n) {
		bio->broken = true;
		return MBEDTLS_ERR_SSL_CONN_EOF;
	}
	return (int)len;
}

int
tls_bio_send(void *ctx, const unsigned char *buf, size_t len)
{
	struct tls_bio *bio = ctx;

	if (bio->broken)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	return bio->collect ? send_collected(bio, buf, len) : send_record(bio, buf, len);
}

static int
fill(struct tls_bio *bio)
{
	ssize_t n;

	if (bio->fills++ >= TLS_BIO_FILLS)
		return MBEDTLS_ERR_SSL_WANT_READ;
	do
		n = recv(bio->fd, bio->in, sizeof bio->in, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		bio->in_at = 0;
		bio->in_len = (size_t)n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (n == 0)
		bio->eof = true;
	else
		bio->broken = true;
	return MBEDTLS_ERR_SSL_CONN_EOF;
}

/* What was read ahead; reads more when that is nothing. */
static int
look(struct tls_bio *bio, const unsigned char **at_r, size_t *len_r)
{
	int ret;

	if (bio->in_at == bio->in_len) {
		if (bio->eof || bio->broken)
			return MBEDTLS_ERR_SSL_CONN_EOF;
		if ((ret = fill(bio)) != 0)
			return ret;
	}
	*at_r = bio->in + bio->in_at;
	*len_r = bio->in_len - bio->in_at;
	return 0;
}

static int
recv_joined(struct tls_bio *bio, unsigned char *buf, size_t len)
{
	bool tls13 = strcmp(mbedtls_ssl_get_version(bio->ssl), "TLSv1.3") == 0;
	const unsigned char *at;
	size_t n;
	int ret;

	while ((n = tls_join_take(bio->join, buf, len)) == 0) {
		if ((ret = look(bio, &at, &n)) != 0)
			return ret;
		bio->in_at += tls_join_feed(bio->join, at, n, tls13);
		if (bio->join->wrong != NULL)
			return MBEDTLS_ERR_SSL_INVALID_RECORD;
	}
	return (int)n;
}

int
tls_bio_recv(void *ctx, unsigned char *buf, size_t len)
{
	struct tls_bio *bio = ctx;
	const unsigned char *at;
	size_t n;
	int ret;

	/* The peer answers only when it has seen what we have to say. */
	if (bio->collect) {
		enum tls_result flushed = tls_bio_flush(bio);

		if (flushed != TLS_OK)
			return flushed == TLS_WANT_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE
							 : MBEDTLS_ERR_SSL_CONN_EOF;
	}
	if (bio->join != NULL)
		return recv_joined(bio, buf, len);
	if ((ret = look(bio, &at, &n)) != 0)
		return ret;
	if (len > n)
		len = n;
	memcpy(buf, at, len);
	bio->in_at += len;
	return (int)len;
}
