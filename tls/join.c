/*
 * join.c: makes one record of every handshake message that a client sends in the clear.
 * Runs as: worker.
 *
 * Records of other types pass as they are, and so do encrypted ones.  Whatever mbedTLS would refuse
 * by itself is left to it.
 */
#include <string.h>

#include <mbedtls/ssl.h>

#include "tls/join.h"

enum {
	MESSAGE_HEADER = 4,  /* octets: type and length */
	CONTENT_MAX = 16384, /* octets of a record, RFC 8446 section 5.1 */
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
set_wrong(struct tls_join *join, int alert, const char *why)
{
	join->alert = alert;
	join->wrong = why;
}

/* When the header is complete a record begins; the first one of a message gives it its version. */
static size_t
feed_header(struct tls_join *join, const unsigned char *raw, size_t len, bool tls13)
{
	size_t n = least(len, TLS_JOIN_HEADER - join->header_len);
	const unsigned char *header = join->header;

	memcpy(join->header + join->header_len, raw, n);
	join->header_len += n;
	if (join->header_len < TLS_JOIN_HEADER)
		return n;
	join->header_len = 0;
	join->left = (size_t)header[3] << 8 | header[4];
	join->gather = !join->off && header[0] == MBEDTLS_SSL_MSG_HANDSHAKE &&
		       header[1] == MBEDTLS_SSL_MAJOR_VERSION_3 && join->left <= CONTENT_MAX;
	if (join->gather && join->left == 0)
		set_wrong(join, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE,
		    "an empty record of a handshake message");
	else if (!join->gather && join->have > 0)
		set_wrong(join, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE,
		    "another record within a handshake message");
	else if (!join->gather)
		join->ready = TLS_JOIN_HEADER;
	if (join->have == 0)
		memcpy(join->out, header, TLS_JOIN_HEADER);
	/* In TLS 1.3 it means nothing, and a second hello may follow (RFC 8446 appendix D.4). */
	if (header[0] == MBEDTLS_SSL_MSG_CHANGE_CIPHER_SPEC && !tls13)
		join->off = true;
	return n;
}

/* Octets of the message, or of its header as long as that is not known. */
static size_t
message_len(const struct tls_join *join)
{
	const unsigned char *header = join->out + TLS_JOIN_HEADER;

	if (join->have < MESSAGE_HEADER)
		return MESSAGE_HEADER;
	return MESSAGE_HEADER + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
}

static size_t
feed_message(struct tls_join *join, const unsigned char *raw, size_t len)
{
	size_t n = least(least(len, join->left), message_len(join) - join->have), whole;

	memcpy(join->out + TLS_JOIN_HEADER + join->have, raw, n);
	join->have += n;
	join->left -= n;
	whole = message_len(join);
	if (whole > TLS_JOIN_MESSAGE) {
		set_wrong(join, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER,
		    "a handshake message of more than 16 kB");
	} else if (join->have >= MESSAGE_HEADER && join->have == whole) {
		join->out[3] = (unsigned char)(whole >> 8);
		join->out[4] = (unsigned char)whole;
		join->ready = TLS_JOIN_HEADER + whole;
		join->have = 0;
	}
	return n;
}

static size_t
feed_other(struct tls_join *join, const unsigned char *raw, size_t len)
{
	size_t n = least(least(len, join->left), sizeof join->out);

	memcpy(join->out, raw, n);
	join->ready = n;
	join->left -= n;
	/* An alert in the clear has two octets; an encrypted one is longer, or of another type. */
	if (join->header[0] == MBEDTLS_SSL_MSG_ALERT && join->header[3] == 0 &&
	    join->header[4] == 2 && join->left == 0)
		join->heard = raw[n - 1];
	return n;
}

size_t
tls_join_feed(struct tls_join *join, const unsigned char *raw, size_t len, bool tls13)
{
	size_t taken = 0;

	while (taken < len && join->ready == 0 && join->wrong == NULL) {
		const unsigned char *from = raw + taken;

		if (join->left == 0)
			taken += feed_header(join, from, len - taken, tls13);
		else if (join->gather)
			taken += feed_message(join, from, len - taken);
		else
			taken += feed_other(join, from, len - taken);
	}
	return taken;
}

size_t
tls_join_take(struct tls_join *join, unsigned char *buf, size_t len)
{
	size_t n = least(len, join->ready - join->at);

	memcpy(buf, join->out + join->at, n);
	join->at += n;
	if (join->at == join->ready)
		join->at = join->ready = 0;
	return n;
}
