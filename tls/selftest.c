/*
 * selftest.c: proves at start that signatures come from the key service, for every certificate.
 * Runs as: a process of its own, which ends after it.
 *
 * A client and a server in this process shake hands over two buffers.  The client checks the
 * signature with the certificate's public key (not by whom the certificate is signed),
 * so that a finished handshake with exactly one question to the service proves that the
 * service has the right key and that libmbedtls calls our mbedtls_pk_sign.
 */
#include <string.h>

#include <mbedtls/ssl.h>

#include "tls/compat.h"
#include "tls/error.h"
#include "tls/server.h"
#include "tls/signer.h"

enum {
	PIPE_SIZE = 64 * 1024, /* a flight with the longest chain that anybody uses */
	STEPS_MAX = 100,       /* a handshake takes about four turns of each side */
};

/* A direction: octets that one side wrote and the other has yet to read. */
struct pipe {
	size_t at, len;
	unsigned char octets[PIPE_SIZE];
};

struct side {
	struct pipe *in, *out;
	mbedtls_ssl_config conf;
	mbedtls_ssl_context ssl;
};

static int
pipe_send(void *ctx, const unsigned char *buf, size_t len)
{
	struct pipe *out = ((struct side *)ctx)->out;

	if (len > sizeof out->octets - out->len)
		return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
	memcpy(out->octets + out->len, buf, len);
	out->len += len;
	return (int)len;
}

static int
pipe_recv(void *ctx, unsigned char *buf, size_t len)
{
	struct pipe *in = ((struct side *)ctx)->in;

	if (in->at == in->len)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (len > in->len - in->at)
		len = in->len - in->at;
	memcpy(buf, in->octets + in->at, len);
	in->at += len;
	return (int)len;
}

static int
side_setup(struct side *side)
{
	int ret = mbedtls_ssl_setup(&side->ssl, &side->conf);

	if (ret == 0)
		mbedtls_ssl_set_bio(&side->ssl, side, pipe_send, pipe_recv, NULL);
	return ret;
}

static bool
failed(int ret)
{
	return ret != 0 && ret != MBEDTLS_ERR_SSL_WANT_READ;
}

/* 0 when both sides are through, else the first error. */
static int
shake_hands(struct side *client, struct side *server, struct tls_signer *signer)
{
	int client_ret = MBEDTLS_ERR_SSL_WANT_READ, server_ret = MBEDTLS_ERR_SSL_WANT_READ;

	for (int i = 0; i < STEPS_MAX && (client_ret != 0 || server_ret != 0); i++) {
		if (client_ret != 0 && failed(client_ret = mbedtls_ssl_handshake(&client->ssl)))
			return client_ret;
		if (server_ret == 0)
			continue;
		tls_signer_enter(signer);
		server_ret = mbedtls_ssl_handshake(&server->ssl);
		tls_signer_leave();
		if (failed(server_ret))
			return server_ret;
	}
	return client_ret != 0 ? client_ret : server_ret;
}

static int
test_one(struct tls_server *server, size_t number, bool tls13,
    const struct tls_key_service *service, struct tls_error *error)
{
	/* Too large for a stack, and a process does this once. */
	static struct pipe to_client, to_server;
	struct tls_signer signer = {.server = server, .service = service};
	struct side client = {.in = &to_client, .out = &to_server};
	struct side peer = {.in = &to_server, .out = &to_client};
	mbedtls_x509_crt *chain = &server->certs[number];
	const char *version = tls13 ? "1.3" : "1.2";
	int ret, result = 0;

	to_client.at = to_client.len = to_server.at = to_server.len = 0;
	mbedtls_ssl_config_init(&client.conf);
	mbedtls_ssl_init(&client.ssl);
	mbedtls_ssl_config_init(&peer.conf);
	mbedtls_ssl_init(&peer.ssl);
	ret = tls_server_defaults(&client.conf, MBEDTLS_SSL_IS_CLIENT, !tls13, tls13);
	if (ret == 0)
		ret = side_setup(&client);
	if (ret == 0)
		ret = tls_server_configure(server, &peer.conf);
	if (ret == 0)
		ret = mbedtls_ssl_conf_own_cert(&peer.conf, chain, &chain->pk);
	if (ret == 0)
		ret = side_setup(&peer);
	if (ret == 0)
		ret = shake_hands(&client, &peer, &signer);
	if (ret != 0)
		result = tls_error_library(error, ret,
		    "certificate %zu cannot serve TLS %s (the key service was asked %u times)",
		    number, version, signer.count);
	else if (signer.count != 1)
		result = tls_error_set(error,
		    "certificate %zu, TLS %s: the key service was asked %u times instead of once",
		    number, version, signer.count);
	mbedtls_ssl_free(&client.ssl);
	mbedtls_ssl_free(&peer.ssl);
	mbedtls_ssl_config_free(&client.conf);
	mbedtls_ssl_config_free(&peer.conf);
	return result;
}

int
tls_server_selftest(
    struct tls_server *server, const struct tls_key_service *service, struct tls_error *error)
{
	if (tls_process_init() != 0)
		return tls_error_set(error, "the TLS library does not start");
	for (size_t i = 0; i < server->len; i++) {
		if (test_one(server, i, false, service, error) != 0)
			return -1;
		if (COMPAT_TLS13 && test_one(server, i, true, service, error) != 0)
			return -1;
	}
	return 0;
}
