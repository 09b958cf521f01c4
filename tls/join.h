/*
 * join.h: makes one record of every handshake message that a client sends in the clear; private to
 * tls/.
 *
 * A message may be cut into records anywhere (RFC 8446 section 5.1), and a hello with large key shares
 * often is.  mbedTLS 2.28 refuses all that are cut, 3.6 some.  The hash of a handshake is over its
 * messages, so that both sides agree whatever the records were.
 */
#ifndef TLS_JOIN_H
#define TLS_JOIN_H

#include <stdbool.h>
#include <stddef.h>

enum {
	TLS_JOIN_HEADER = 5,	  /* octets before a record's content: type, version, length */
	TLS_JOIN_MESSAGE = 16384, /* octets of a message: as many as mbedTLS takes in one record */
};

/* All 0 at the beginning. */
struct tls_join {
	const char *wrong; /* why the client must go, or NULL; a constant */
	int alert;	   /* what to tell it then: an AlertDescription (RFC 8446 section 6) */
	int heard;	   /* the description of an alert that came in the clear, or 0 */
	bool off;	   /* messages are encrypted from now on: records stay as they are */
	bool gather;	   /* the content of the record in hand belongs to a message */
	size_t left;	   /* octets of that content that are to come */
	size_t header_len; /* octets of the next record's header that have come */
	size_t have;	   /* octets of the message that have come; they are in out */
	size_t at, ready;  /* out[at] up to out[ready] wait for tls_join_take */
	unsigned char header[TLS_JOIN_HEADER];
	unsigned char out[TLS_JOIN_HEADER + TLS_JOIN_MESSAGE];
};

/*
 * Takes octets as they came, until some are ready for tls_join_take or something is wrong, and returns
 * their number.  tls13: after ChangeCipherSpec a record of type handshake is still one in the clear.
 */
size_t tls_join_feed(struct tls_join *join, const unsigned char *raw, size_t len, bool tls13);

/* Copies up to len octets that are ready and returns their number. */
size_t tls_join_take(struct tls_join *join, unsigned char *buf, size_t len);

#endif
