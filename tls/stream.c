/*
 * stream.c: one TLS connection, from handshake to close_notify.
 * Runs as: worker.  After tls_process_init nothing here opens a file.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ssl.h>

#include "tls/bio.h"
#include "tls/certinfo.h"
#include "tls/compat.h"
#include "tls/error.h"
#include "tls/library.h"
#include "tls/server.h"
#include "tls/signer.h"

enum {
	/* AES-GCM is good for 2^24.5 full records under one key (RFC 8446, section 5.5), and the
	 * library cannot change keys.  That is 250 GiB. */
	RECORDS_MAX = 1 << 24,
	/* Records without content that one tls_read passes over before it lets others have a turn. */
	EMPTY_RECORDS_MAX = 8,
	/* Octets of a digest of the host name, kept with a session. */
	NAME_MARK = 8,
};

struct tls_stream {
	struct tls_signer signer;
	mbedtls_ssl_context ssl;
	const char *alpn[2];
	char sni[TLS_NAME_TEXT];
	unsigned opens, seals; /* tickets, up to TLS_OPENS and TLS_SEALS */
	bool established;      /* the handshake is over, but for what waits in bio */
	bool closed;	       /* close_notify was sent */
	const char *alert;     /* the peer's, or NULL */
	enum tls_result ended; /* TLS_OK, or what reading or writing will say from now on */
	size_t written; /* octets in the record that waits in bio, not yet told to the caller */
	uint32_t records;
	struct tls_error error;
	struct tls_bio bio;
};

/* --- tickets --- */

/*
 * A session must not be resumed under another host name (RFC 6066, section 3), so a digest of the
 * name goes into the ticket.  If the name comes after the ticket in the client's hello they differ too,
 * which costs a full handshake.
 */
static int
name_mark(const struct tls_stream *stream, unsigned char mark_r[NAME_MARK])
{
	unsigned char hash[TLS_SHA256_LEN];

	if (tls_sha256(stream->sni, strlen(stream->sni), hash) != 0)
		return -1;
	memcpy(mark_r, hash, NAME_MARK);
	return 0;
}

static ssize_t
seal_session(
    struct tls_stream *stream, const mbedtls_ssl_session *session, unsigned char *out, size_t size)
{
	const struct tls_key_service *service = stream->signer.service;
	unsigned char plain[TLS_TICKET_MAX];
	ssize_t n = -1;
	size_t len;

	if (service == NULL || service->seal == NULL || stream->seals++ >= TLS_SEALS)
		return -1;
	if (name_mark(stream, plain) == 0 && mbedtls_ssl_session_save(session, plain + NAME_MARK,
						 sizeof plain - NAME_MARK, &len) == 0)
		n = service->seal(service->ctx, plain, NAME_MARK + len, out, size);
	explicit_bzero(plain, sizeof plain);
	return n > 0 && (size_t)n <= size ? n : -1;
}

/*
 * TLS 1.3 ends the connection without a ticket, so there the client gets one that is good for
 * nothing, with a lifetime of 0: to be thrown away (RFC 8446, section 4.6.1).
 */
static int
write_ticket(void *ctx, const mbedtls_ssl_session *session, unsigned char *start,
    const unsigned char *end, size_t *len_r, uint32_t *lifetime_r)
{
	enum { DUMMY_LEN = 16 };
	struct tls_stream *stream = ctx;
	ssize_t n;

	/* First of all: the library sends these, uninitialized, when we fail. */
	*lifetime_r = 0;
	*len_r = 0;
	n = seal_session(stream, session, start, (size_t)(end - start));
	if (n > 0) {
		*len_r = (size_t)n;
		*lifetime_r = TLS_TICKET_LIFETIME;
		return 0;
	}
	if (!compat_is_tls13(&stream->ssl) || end - start < DUMMY_LEN ||
	    tls_random(NULL, start, DUMMY_LEN) != 0)
		return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
	*len_r = DUMMY_LEN;
	return 0;
}

/* After any failure a full handshake follows. */
static int
parse_ticket(void *ctx, mbedtls_ssl_session *session, unsigned char *buf, size_t len)
{
	struct tls_stream *stream = ctx;
	const struct tls_key_service *service = stream->signer.service;
	unsigned char plain[TLS_TICKET_MAX], mark[NAME_MARK];
	int ret = MBEDTLS_ERR_SSL_INVALID_MAC;
	ssize_t n;

	if (service == NULL || service->open == NULL || len == 0 ||
	    len > TLS_TICKET_MAX + TLS_SEAL_OVERHEAD || stream->opens++ >= TLS_OPENS)
		return ret;
	n = service->open(service->ctx, buf, len, plain, sizeof plain);
	if (n > NAME_MARK && (size_t)n <= sizeof plain && name_mark(stream, mark) == 0 &&
	    memcmp(plain, mark, NAME_MARK) == 0 &&
	    mbedtls_ssl_session_load(session, plain + NAME_MARK, (size_t)n - NAME_MARK) == 0)
		ret = 0;
	explicit_bzero(plain, sizeof plain);
	return ret;
}

/* --- making a stream --- */

int
tls_process_init(void)
{
	return compat_process_init();
}

/* Keeps the host that the client wants in lower case; octets that no host name has become '?'. */
static int
choose_certificate(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
	struct tls_stream *stream = ctx;
	size_t i;

	for (i = 0; i < len && i < sizeof stream->sni - 1; i++) {
		int c = name[i];

		stream->sni[i] = '?';
		if (c < 0x80 && (isalnum(c) || c == '-' || c == '.' || c == '_'))
			stream->sni[i] = (char)tolower(c);
	}
	stream->sni[i] = '\0';
	/* A longer name was cut, and cannot be ours. */
	return i == len ? tls_server_choose(stream->signer.server, ssl, stream->sni, len) : 0;
}

struct tls_stream *
tls_stream_new(
    struct tls_server *server, int fd, const char *alpn, const struct tls_key_service *service)
{
	struct tls_stream *stream;

	if (!server->ready || (stream = calloc(1, sizeof *stream)) == NULL)
		return NULL;
	stream->signer = (struct tls_signer){.server = server, .service = service};
	stream->alpn[0] = alpn;
	stream->bio.fd = fd;
	stream->bio.ssl = &stream->ssl;
	stream->bio.join = calloc(1, sizeof *stream->bio.join);
	stream->bio.collect = true;
	mbedtls_ssl_init(&stream->ssl);
	mbedtls_ssl_conf_sni(&server->conf, choose_certificate, stream);
	mbedtls_ssl_conf_session_tickets_cb(&server->conf, write_ticket, parse_ticket, stream);
	if (stream->bio.join == NULL ||
	    (alpn != NULL && mbedtls_ssl_conf_alpn_protocols(&server->conf, stream->alpn) != 0) ||
	    mbedtls_ssl_setup(&stream->ssl, &server->conf) != 0) {
		tls_stream_free(&stream);
		return NULL;
	}
	mbedtls_ssl_set_bio(&stream->ssl, &stream->bio, tls_bio_send, tls_bio_recv, NULL);
	return stream;
}

void
tls_stream_free(struct tls_stream **stream)
{
	if (*stream == NULL)
		return;
	mbedtls_ssl_free(&(*stream)->ssl);
	free((*stream)->bio.join);
	explicit_bzero(*stream, sizeof **stream);
	free(*stream);
	*stream = NULL;
}

/* --- results --- */

static void
set_alert(struct tls_stream *stream, const char *what, int alert)
{
	stream->alert = tls_alert_text(alert);
	(void)tls_error_set(&stream->error, "%s: %s", what, stream->alert);
}

/*
 * Translates what mbedTLS returned, of which only these codes mean the same in both versions.
 * Unless it just waits, the stream ends with it.
 */
static enum tls_result
result_of(struct tls_stream *stream, int ret, const char *what)
{
	enum tls_result result = TLS_FAILED;

	switch (ret) {
	case MBEDTLS_ERR_SSL_WANT_READ:
		return TLS_WANT_READ;
	case MBEDTLS_ERR_SSL_WANT_WRITE:
		return TLS_WANT_WRITE;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		(void)tls_error_set(&stream->error, "%s: the peer closed the stream", what);
		result = TLS_CLOSED;
		break;
	case MBEDTLS_ERR_SSL_CONN_EOF:
		(void)tls_error_set(&stream->error, "%s: the peer %s the connection", what,
		    stream->bio.broken ? "broke" : "ended");
		result = TLS_EOF;
		break;
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
		set_alert(stream, what, compat_last_alert(&stream->ssl));
		break;
	default:
		(void)tls_error_library(&stream->error, ret, "%s", what);
		break;
	}
	stream->ended = result;
	return result;
}

static enum tls_result
fail(struct tls_stream *stream, const char *text)
{
	(void)tls_error_set(&stream->error, "%s", text);
	stream->ended = TLS_FAILED;
	return TLS_FAILED;
}

static enum tls_result
flush(struct tls_stream *stream)
{
	enum tls_result result = tls_bio_flush(&stream->bio);

	if (result == TLS_EOF) {
		(void)tls_error_set(&stream->error, "write: the peer broke the connection");
		stream->ended = TLS_EOF;
	}
	return result;
}

/* --- the handshake --- */

/* mbedTLS has not seen the wrong records, so that the alert is ours to send. */
static void
refuse_records(struct tls_stream *stream)
{
	const struct tls_join *join = stream->bio.join;
	const unsigned char alert = (unsigned char)join->alert;
	const unsigned char record[] = {
	    MBEDTLS_SSL_MSG_ALERT, 3, 3, 0, 2, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert};

	(void)tls_error_set(&stream->error, "handshake: %s", join->wrong);
	/* 2.28 knows no version before it has a hello, and would write a record of version 0. */
	if (strncmp(mbedtls_ssl_get_version(&stream->ssl), "TLSv", 4) != 0)
		(void)tls_bio_send(&stream->bio, record, sizeof record);
	else
		(void)mbedtls_ssl_send_alert_message(
		    &stream->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

enum tls_result
tls_handshake(struct tls_stream *stream)
{
	enum tls_result result;
	int ret = 0;

	if (stream->ended != TLS_OK)
		return stream->ended;
	if (!stream->established) {
		stream->bio.fills = 0;
		tls_signer_enter(&stream->signer);
		ret = mbedtls_ssl_handshake(&stream->ssl);
		tls_signer_leave();
	}
	if (ret == 0) {
		stream->established = true;
		if ((result = flush(stream)) == TLS_OK) {
			free(stream->bio.join);
			stream->bio.join = NULL;
			stream->bio.collect = false;
		}
		return result;
	}
	result = result_of(stream, ret, "handshake");
	if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
		return result;
	if (stream->bio.join->wrong != NULL)
		refuse_records(stream);
	/* A client that fails early may send its alert in the clear where mbedTLS expects none. */
	else if (stream->alert == NULL && stream->bio.join->heard != 0)
		set_alert(stream, "handshake", stream->bio.join->heard);
	/* An alert for the peer may wait. */
	(void)tls_bio_flush(&stream->bio);
	return result;
}

void
tls_stream_info(const struct tls_stream *stream, struct tls_info *info_r)
{
	const char *version = mbedtls_ssl_get_version(&stream->ssl);
	const char *cipher = mbedtls_ssl_get_ciphersuite(&stream->ssl);
	const char *alpn = mbedtls_ssl_get_alpn_protocol(&stream->ssl);
	const struct tls_suite *suite = NULL;

	if (cipher != NULL)
		suite = tls_server_suite(mbedtls_ssl_get_ciphersuite_id(cipher));
	info_r->version = strncmp(version, "TLSv", 4) == 0 ? version + 4 : version;
	info_r->cipher = suite != NULL ? suite->name : "";
	info_r->bits = suite != NULL ? suite->bits : 0;
	/* Each handshake of ours is signed, unless it goes on with an older session. */
	info_r->resumed = stream->established && stream->signer.count == 0;
	info_r->sni = stream->sni;
	info_r->alpn = alpn != NULL ? alpn : "";
}

const char *
tls_stream_error(const struct tls_stream *stream)
{
	return stream->error.text;
}

const char *
tls_stream_alert(const struct tls_stream *stream)
{
	return stream->alert;
}

/* --- data --- */

ssize_t
tls_read(struct tls_stream *stream, void *buf, size_t size)
{
	enum tls_result result;
	int ret, empty = 0;
	bool over;

	if (stream->ended != TLS_OK)
		return stream->ended;
	if (stream->bio.collect)
		return fail(stream, "read: the handshake is not over");
	stream->bio.fills = 0;
	do {
		ret = mbedtls_ssl_read(&stream->ssl, buf, size);
		if (ret > 0)
			return ret;
		/* 0 is the end of the connection, and also a record without content. */
		over = stream->bio.eof || stream->bio.broken;
	} while (ret == 0 && !over && ++empty < EMPTY_RECORDS_MAX);
	if (ret == 0 && !over)
		return fail(stream, "read: too many empty records");
	result = result_of(stream, ret == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : ret, "read");
	return result == TLS_WANT_WRITE ? fail(stream, "read: the library wants to write") : result;
}

bool
tls_pending(const struct tls_stream *stream)
{
	if (stream->ended != TLS_OK)
		return false;
	return stream->bio.in_at < stream->bio.in_len ||
	       mbedtls_ssl_get_bytes_avail(&stream->ssl) > 0;
}

/* After the peer's close_notify it may still be written to (RFC 8446, section 6.1). */
static bool
can_write(const struct tls_stream *stream)
{
	return (stream->ended == TLS_OK || stream->ended == TLS_CLOSED) && !stream->closed &&
	       !stream->bio.collect;
}

/* Writes a record.  All of it goes to the kernel or to bio, so that the library's part is done. */
static ssize_t
write_record(struct tls_stream *stream, const unsigned char *buf, size_t len)
{
	enum tls_result result;
	int ret;

	if (stream->records == RECORDS_MAX) {
		tls_close(stream);
		return fail(stream, "write: as many records as one key may protect");
	}
	stream->records++;
	ret = mbedtls_ssl_write(&stream->ssl, buf, len);
	if (ret > 0)
		return ret;
	result = result_of(stream, ret, "write");
	if (result != TLS_EOF && result != TLS_FAILED)
		return fail(stream, "write: the library wants to wait");
	return result;
}

ssize_t
tls_write(struct tls_stream *stream, const void *buf, size_t len)
{
	enum tls_result result;
	size_t n;

	if (!can_write(stream))
		return stream->ended != TLS_OK
			   ? stream->ended
			   : fail(stream, "write: not while the stream is closed");
	if ((result = flush(stream)) != TLS_OK)
		return result;
	if (stream->written == 0) {
		ssize_t taken;

		if (len == 0)
			return 0;
		if ((taken = write_record(stream, buf, len)) < 0)
			return taken;
		stream->written = (size_t)taken;
		if ((result = flush(stream)) != TLS_OK)
			return result;
	}
	if ((n = stream->written) > len)
		return fail(stream, "write: fewer octets than the record that waited had");
	stream->written = 0;
	return (ssize_t)n;
}

enum tls_result
tls_flush(struct tls_stream *stream)
{
	enum tls_result result;

	if (stream->ended == TLS_FAILED || stream->ended == TLS_EOF)
		return TLS_FAILED;
	result = flush(stream);
	return result == TLS_EOF ? TLS_FAILED : result;
}

void
tls_close(struct tls_stream *stream)
{
	if (!can_write(stream))
		return;
	stream->closed = true;
	(void)mbedtls_ssl_close_notify(&stream->ssl);
}
