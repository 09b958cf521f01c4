/*
 * tls_fixture.h: shared by the tests of tls/: a scratch directory with certificates, a key service in the same
 * process, and an mbedTLS client at the other end of a socketpair.
 */
#ifndef TESTS_UNIT_TLS_FIXTURE_H
#define TESTS_UNIT_TLS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "tls/cert.h"
#include "tls/compat.h"
#include "tls/library.h"
#include "tls/tls.h"

enum { NETWORK = 7 }; /* of all clients */

/* --- scratch directory --- */

static char fixture_dir[64];

static inline int
fixture_make_dir(void)
{
	(void)snprintf(fixture_dir, sizeof fixture_dir, "/tmp/sallyport-tls-XXXXXX");
	return mkdtemp(fixture_dir) == NULL ? -1 : 0;
}

static inline int
fixture_remove_dir(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", fixture_dir);
	return system(command);
}

/* A path in the scratch directory; eight of them are valid at a time. */
static inline const char *
fixture_path(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof paths[0], "%s/%s", fixture_dir, name);
	return path;
}

static inline void
fixture_write(const char *name, mode_t mode, const char *text)
{
	int fd = open(fixture_path(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static inline char *
fixture_read(const char *name)
{
	char *text = calloc(1, 65536);
	int fd = open(fixture_path(name), O_RDONLY);

	assert_non_null(text);
	assert_true(fd >= 0);
	assert_true(read(fd, text, 65535) > 0);
	assert_int_equal(close(fd), 0);
	return text;
}

/* --- certificates --- */

/* base.crt and base.key for up to two names; signed by the files of ca, or by itself. */
static inline void
fixture_cert(
    const char *base, enum tls_cert_key key, const char *name, const char *name2, const char *ca)
{
	const char *names[2] = {name, name2};
	char key_path[128], cert_path[128], ca_key[128], ca_cert[128];
	struct tls_cert_order order = {.key = key,
	    .names = names,
	    .names_len = (size_t)(name != NULL) + (name2 != NULL),
	    .days = 30};
	struct tls_error error = {""};

	(void)snprintf(key_path, sizeof key_path, "%s/%s.key", fixture_dir, base);
	(void)snprintf(cert_path, sizeof cert_path, "%s/%s.crt", fixture_dir, base);
	order.key_path = key_path;
	order.cert_path = cert_path;
	if (ca != NULL) {
		(void)snprintf(ca_key, sizeof ca_key, "%s/%s.key", fixture_dir, ca);
		(void)snprintf(ca_cert, sizeof ca_cert, "%s/%s.crt", fixture_dir, ca);
		order.ca_key_path = ca_key;
		order.ca_cert_path = ca_cert;
	}
	if (name == NULL)
		assert_int_equal(tls_cert_make(TLS_CERT_CA, &order, &error), 0);
	else if (tls_cert_make(TLS_CERT_SERVER, &order, &error) != 0)
		fail_msg("%s", error.text);
}

/* --- the key service --- */

struct fixture_service {
	struct tls_keys *keys;
	struct tls_tickets *tickets;
	int64_t now;
	unsigned signs, seals, opens, opened;
	bool refuse_sign, refuse_seal;
	struct tls_key_service service;
};

static inline ssize_t
fixture_sign(void *ctx, const struct tls_sign_request *request, unsigned char *out, size_t size)
{
	struct fixture_service *service = ctx;

	service->signs++;
	return service->refuse_sign ? -1 : tls_keys_sign(service->keys, request, out, size);
}

static inline ssize_t
fixture_seal(void *ctx, const unsigned char *plain, size_t len, unsigned char *out, size_t size)
{
	struct fixture_service *service = ctx;

	service->seals++;
	if (service->refuse_seal)
		return -1;
	return tls_tickets_seal(service->tickets, service->now, NETWORK, plain, len, out, size);
}

static inline ssize_t
fixture_open(void *ctx, const unsigned char *sealed, size_t len, unsigned char *out, size_t size)
{
	struct fixture_service *service = ctx;
	ssize_t n =
	    tls_tickets_open(service->tickets, service->now, NETWORK, sealed, len, out, size);

	service->opens++;
	service->opened += n >= 0;
	return n;
}

static inline void
fixture_service_init(struct fixture_service *service)
{
	memset(service, 0, sizeof *service);
	service->now = 1000;
	service->keys = tls_keys_new();
	service->tickets = tls_tickets_new(TLS_TICKET_LIFETIME, service->now);
	assert_non_null(service->keys);
	assert_non_null(service->tickets);
	service->service =
	    (struct tls_key_service){service, fixture_sign, fixture_seal, fixture_open};
}

static inline void
fixture_service_clear(struct fixture_service *service)
{
	tls_keys_free(&service->keys);
	tls_tickets_free(&service->tickets);
	assert_null(service->keys);
}

/* A server with these certificates (base names, NULL at the end), and their keys with the service. */
static inline struct tls_server *
fixture_server(struct fixture_service *service, const char *const *bases)
{
	struct tls_server *server = tls_server_new();
	struct tls_error error = {""};
	int number = 0;

	assert_non_null(server);
	for (; *bases != NULL; bases++) {
		char cert[128], key[128];

		(void)snprintf(cert, sizeof cert, "%s/%s.crt", fixture_dir, *bases);
		(void)snprintf(key, sizeof key, "%s/%s.key", fixture_dir, *bases);
		if (tls_server_add(server, cert, &error) != number++)
			fail_msg("%s", error.text);
		if (tls_keys_add(service->keys, cert, key, &error) != 0)
			fail_msg("%s", error.text);
	}
	assert_int_equal(tls_server_ready(server, &error), 0);
	return server;
}

/* --- the client --- */

struct fixture_client {
	int fd;
	mbedtls_ssl_config conf;
	mbedtls_ssl_context ssl;
	mbedtls_x509_crt ca;
};

/* What a client may be like; all 0: any version, no SNI, no ALPN, nothing verified. */
struct fixture_wish {
	bool only_tls12, only_tls13;
	const char *host; /* SNI */
	const char *ca;	  /* base name of what to verify with, against host */
	const char **alpn;
	const int *suites;
	const mbedtls_ssl_session *session;
};

static inline int
fixture_bio_send(void *ctx, const unsigned char *buf, size_t len)
{
	ssize_t n = send(((struct fixture_client *)ctx)->fd, buf, len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)n;
}

static inline int
fixture_bio_recv(void *ctx, unsigned char *buf, size_t len)
{
	ssize_t n = recv(((struct fixture_client *)ctx)->fd, buf, len, 0);

	if (n < 0)
		return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)n;
}

static inline void
fixture_client_init(struct fixture_client *client, int fd, const struct fixture_wish *wish)
{
	client->fd = fd;
	mbedtls_ssl_config_init(&client->conf);
	mbedtls_ssl_init(&client->ssl);
	mbedtls_x509_crt_init(&client->ca);
	assert_int_equal(mbedtls_ssl_config_defaults(&client->conf, MBEDTLS_SSL_IS_CLIENT,
			     MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
	    0);
	mbedtls_ssl_conf_rng(&client->conf, COMPAT_RNG);
	mbedtls_ssl_conf_authmode(&client->conf, MBEDTLS_SSL_VERIFY_NONE);
	compat_conf_versions(
	    &client->conf, !wish->only_tls13, COMPAT_TLS13 != 0 && !wish->only_tls12);
	if (wish->suites != NULL)
		mbedtls_ssl_conf_ciphersuites(&client->conf, wish->suites);
	if (wish->alpn != NULL)
		assert_int_equal(mbedtls_ssl_conf_alpn_protocols(&client->conf, wish->alpn), 0);
	if (wish->ca != NULL) {
		char path[128];

		(void)snprintf(path, sizeof path, "%s/%s.crt", fixture_dir, wish->ca);
		assert_int_equal(mbedtls_x509_crt_parse_file(&client->ca, path), 0);
		mbedtls_ssl_conf_ca_chain(&client->conf, &client->ca, NULL);
		mbedtls_ssl_conf_authmode(&client->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	}
#if MBEDTLS_VERSION_NUMBER >= 0x03060000
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
	    &client->conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
	assert_int_equal(mbedtls_ssl_setup(&client->ssl, &client->conf), 0);
	if (wish->host != NULL)
		assert_int_equal(mbedtls_ssl_set_hostname(&client->ssl, wish->host), 0);
	if (wish->session != NULL)
		assert_int_equal(mbedtls_ssl_set_session(&client->ssl, wish->session), 0);
	mbedtls_ssl_set_bio(&client->ssl, client, fixture_bio_send, fixture_bio_recv, NULL);
}

static inline void
fixture_client_clear(struct fixture_client *client)
{
	mbedtls_ssl_free(&client->ssl);
	mbedtls_ssl_config_free(&client->conf);
	mbedtls_x509_crt_free(&client->ca);
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
}

/* Whether it is only that a TLS 1.3 server has sent a ticket. */
static inline bool
fixture_is_ticket(int ret)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03060000
	return ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
	(void)ret;
	return false;
#endif
}

/* --- both ends --- */

struct fixture_pair {
	struct fixture_client client;
	struct tls_stream *stream;
	int fd; /* the server's end */
	int client_ret;
	enum tls_result result;
};

static inline void
fixture_pair_init(struct fixture_pair *pair, struct tls_server *server, const char *alpn,
    const struct tls_key_service *service, const struct fixture_wish *wish)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	pair->fd = fds[0];
	fixture_client_init(&pair->client, fds[1], wish);
	pair->stream = tls_stream_new(server, fds[0], alpn, service);
	assert_non_null(pair->stream);
}

static inline void
fixture_pair_clear(struct fixture_pair *pair)
{
	tls_stream_free(&pair->stream);
	assert_null(pair->stream);
	fixture_client_clear(&pair->client);
	(void)close(pair->fd);
}

/* Until both are done or one has failed.  The results of both are in the pair. */
static inline void
fixture_handshake(struct fixture_pair *pair)
{
	pair->client_ret = MBEDTLS_ERR_SSL_WANT_READ;
	pair->result = TLS_WANT_READ;
	for (int i = 0; i < 1000; i++) {
		bool client_waits = pair->client_ret == MBEDTLS_ERR_SSL_WANT_READ ||
				    pair->client_ret == MBEDTLS_ERR_SSL_WANT_WRITE;
		bool server_waits = pair->result == TLS_WANT_READ || pair->result == TLS_WANT_WRITE;

		if (client_waits)
			pair->client_ret = mbedtls_ssl_handshake(&pair->client.ssl);
		if (server_waits)
			pair->result = tls_handshake(pair->stream);
		if (!client_waits && !server_waits)
			return;
		/* Whoever failed will not answer any more. */
		if (!client_waits && pair->client_ret != 0)
			(void)shutdown(pair->client.fd, SHUT_WR);
		if (!server_waits && pair->result != TLS_OK)
			(void)shutdown(pair->fd, SHUT_WR);
	}
	fail_msg("the handshake does not end: client %d, server %d", pair->client_ret,
	    (int)pair->result);
}

/* One line each way; as a side effect a TLS 1.3 client gets its ticket. */
static inline void
fixture_talk(struct fixture_pair *pair)
{
	char buf[64];
	int ret, tries = 0;

	assert_int_equal(tls_write(pair->stream, "+OK\r\n", 5), 5);
	do
		ret = mbedtls_ssl_read(&pair->client.ssl, (unsigned char *)buf, sizeof buf);
	/* mbedTLS asks to be called again before and after it has taken in a ticket. */
	while ((fixture_is_ticket(ret) || ret == MBEDTLS_ERR_SSL_WANT_READ) && ++tries < 10);
	assert_int_equal(ret, 5);
	assert_memory_equal(buf, "+OK\r\n", 5);
	assert_int_equal(
	    mbedtls_ssl_write(&pair->client.ssl, (const unsigned char *)"QUIT\r\n", 6), 6);
	assert_int_equal(tls_read(pair->stream, buf, sizeof buf), 6);
	assert_memory_equal(buf, "QUIT\r\n", 6);
}

#endif
