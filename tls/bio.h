/*
 * bio.h: between mbedTLS and the socket; private to tls/.
 *
 * It reads ahead, as mbedTLS asks for a record in two steps, and collects what a handshake writes
 * message by message.  Output that the socket does not take now is kept here, so that mbedTLS is
 * never left with half a record: after that its mbedtls_ssl_write would take new data for a
 * repetition of the old and lose it.
 */
#ifndef TLS_BIO_H
#define TLS_BIO_H

#include <stdbool.h>
#include <stddef.h>

#include <mbedtls/ssl.h>

#include "tls/join.h"
#include "tls/tls.h"

enum {
	TLS_BIO_IN = 16384 + 512,	 /* a record, RFC 8446 section 5.2, with its header */
	TLS_BIO_OUT = TLS_BIO_IN + 1024, /* one more, and some alerts after it */
	/* Reads from the socket in one call of mbedTLS, which with a peer that sends nothing but
	 * records to be ignored would not come back; deadlines are its caller's business. */
	TLS_BIO_FILLS = 16,
};

struct tls_bio {
	int fd;
	const mbedtls_ssl_context *ssl;
	struct tls_join *join; /* handshake: between in and mbedTLS; NULL after it */
	bool collect;	       /* handshake: wait with output until it is full or input is wanted */
	bool eof;	       /* the peer ended the connection */
	bool broken;	       /* reset by the peer, or it takes nothing any more */
	unsigned fills;	       /* how often the socket was read; stream.c sets it to 0 */
	size_t in_at, in_len;  /* what was read ahead: in[in_at] up to in[in_len] */
	size_t out_at, out_len;
	unsigned char in[TLS_BIO_IN];
	unsigned char out[TLS_BIO_OUT];
};

/* For mbedtls_ssl_set_bio; ctx is the struct tls_bio.  Octets, or an error of mbedTLS. */
int tls_bio_send(void *ctx, const unsigned char *buf, size_t len);
int tls_bio_recv(void *ctx, unsigned char *buf, size_t len);

/* TLS_OK when all output is with the kernel, else TLS_WANT_WRITE, or TLS_EOF when broken. */
enum tls_result tls_bio_flush(struct tls_bio *bio);

#endif
