/*
 * bio.c: between mbedTLS and the socket.
 * Runs as: worker.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/bio.h"
#include "tls/compat.h"

/* Returns the octets that the kernel took, maybe 0; or -1 if the connection is gone. */
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

/* The library's word for a flush that is not TLS_OK. */
static int
library_code(enum tls_result flushed)
{
	return flushed == TLS_WANT_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

/* Puts as much as fits after the output that waits. */
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

/* A handshake's messages.  Without room mbedTLS has to wait, which here it does right. */
static int
send_collected(struct tls_bio *bio, const unsigned char *buf, size_t len)
{
	size_t kept = keep(bio, buf, len);
	enum tls_result flushed;

	if (kept > 0)
		return (int)kept;
	flushed = tls_bio_flush(bio);
	return flushed == TLS_OK ? (int)keep(bio, buf, len) : library_code(flushed);
}

/*
 * After the handshake: all is taken, always.  stream.c writes a record only when nothing waits, so
 * that there is room, unless a peer that reads nothing has caused more than 1 kB of alerts.
 */
static int
send_record(struct tls_bio *bio, const unsigned char *buf, size_t len)
{
	enum tls_result flushed = tls_bio_flush(bio);
	ssize_t n = flushed == TLS_OK ? send_some(bio, buf, len) : 0;

	if (n < 0 || flushed == TLS_EOF)
		return MBEDTLS_ERR_SSL_CONN_EOF;
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

/* Gives what was read ahead; reads more if that is nothing. */
static int
look_ahead(struct tls_bio *bio, const unsigned char **at_r, size_t *len_r)
{
	ssize_t n;

	if (bio->in_at == bio->in_len) {
		if (bio->eof || bio->broken)
			return MBEDTLS_ERR_SSL_CONN_EOF;
		if (bio->fills++ >= TLS_BIO_FILLS)
			return MBEDTLS_ERR_SSL_WANT_READ;
		do
			n = recv(bio->fd, bio->in, sizeof bio->in, 0);
		while (n < 0 && errno == EINTR);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return MBEDTLS_ERR_SSL_WANT_READ;
		bio->eof = n == 0;
		bio->broken = n < 0;
		if (n <= 0)
			return MBEDTLS_ERR_SSL_CONN_EOF;
		bio->in_at = 0;
		bio->in_len = (size_t)n;
	}
	*at_r = bio->in + bio->in_at;
	*len_r = bio->in_len - bio->in_at;
	return 0;
}

static int
recv_joined(struct tls_bio *bio, unsigned char *buf, size_t len)
{
	bool tls13 = compat_is_tls13(bio->ssl);
	const unsigned char *at;
	size_t n;
	int ret;

	while ((n = tls_join_take(bio->join, buf, len)) == 0) {
		if ((ret = look_ahead(bio, &at, &n)) != 0)
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
			return library_code(flushed);
	}
	if (bio->join != NULL)
		return recv_joined(bio, buf, len);
	if ((ret = look_ahead(bio, &at, &n)) != 0)
		return ret;
	if (len > n)
		len = n;
	memcpy(buf, at, len);
	bio->in_at += len;
	return (int)len;
}
