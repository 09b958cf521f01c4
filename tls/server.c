/*
 * server.c: a server's certificates and TLS settings, all of them public.
 * Runs as: root (start, reload), worker (which inherits the result and chooses by SNI).
 */
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ssl_ciphersuites.h>

#include "tls/certinfo.h"
#include "tls/compat.h"
#include "tls/error.h"
#include "tls/load.h"
#include "tls/server.h"

/*
 * Forward secrecy and AEAD only.  ECDSA stands before RSA, so that with both kinds of certificate
 * the cheaper signature is made.  ChaCha20 is first as it is faster in this library than AES-GCM,
 * even on processors that have instructions for AES.
 */
static const struct tls_suite suites[TLS_SERVER_SUITES] = {
    {0x1303, 256, "TLS_CHACHA20_POLY1305_SHA256"},
    {0x1301, 128, "TLS_AES_128_GCM_SHA256"},
    {0x1302, 256, "TLS_AES_256_GCM_SHA384"},
    {0xcca9, 256, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xc02b, 128, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {0xc02c, 256, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {0xcca8, 256, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xc02f, 128, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {0xc030, 256, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
};

const struct tls_suite *
tls_server_suite(int id)
{
	for (size_t i = 0; i < TLS_SERVER_SUITES; i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

struct tls_server *
tls_server_new(void)
{
	struct tls_server *server = calloc(1, sizeof *server);
	size_t len = 0;

	if (server == NULL)
		return NULL;
	mbedtls_ssl_config_init(&server->conf);
	/* 2.28 has no TLS 1.3 and takes it as an error when its suites are named. */
	for (size_t i = 0; i < TLS_SERVER_SUITES; i++)
		if (mbedtls_ssl_ciphersuite_from_id(suites[i].id) != NULL)
			server->suites[len++] = suites[i].id;
	return server;
}

void
tls_server_free(struct tls_server **server)
{
	if (*server == NULL)
		return;
	mbedtls_ssl_config_free(&(*server)->conf);
	for (size_t i = 0; i < (*server)->len; i++)
		mbedtls_x509_crt_free(&(*server)->certs[i]);
	free(*server);
	*server = NULL;
}

int
tls_server_add(struct tls_server *server, const char *path, struct tls_error *error)
{
	mbedtls_x509_crt *chain = &server->certs[server->len];

	if (server->ready)
		return tls_error_set(error, "certificate %s: the server is complete", path);
	if (server->len == TLS_SERVER_CERTS)
		return tls_error_set(
		    error, "certificate %s: %d certificates are the most", path, TLS_SERVER_CERTS);
	mbedtls_x509_crt_init(chain);
	if (tls_load_server_chain(path, chain, error) != 0) {
		mbedtls_x509_crt_free(chain);
		return -1;
	}
	return (int)server->len++;
}

int
tls_server_defaults(mbedtls_ssl_config *conf, int endpoint, bool tls12, bool tls13)
{
	int ret = mbedtls_ssl_config_defaults(
	    conf, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (ret != 0)
		return ret;
	mbedtls_ssl_conf_rng(conf, COMPAT_RNG);
	mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_NONE);
	compat_conf_versions(conf, tls12, tls13);
	compat_conf_groups(conf);
	return 0;
}

int
tls_server_configure(struct tls_server *server, mbedtls_ssl_config *conf)
{
	int ret = tls_server_defaults(conf, MBEDTLS_SSL_IS_SERVER, true, COMPAT_TLS13);

	if (ret == 0)
		mbedtls_ssl_conf_ciphersuites(conf, server->suites);
	return ret;
}

/*
 * Whether the certificate stands in for the first one: a client without SNI that knows only the
 * other kind of key is served, when there is one of that kind for the same name.
 */
static bool
is_default(const struct tls_server *server, size_t index)
{
	const mbedtls_x509_sequence *next = &server->certs[0].subject_alt_names;
	char first[TLS_NAME_TEXT];

	if (index == 0)
		return true;
	return tls_certinfo_name(&next, first) &&
	       tls_certinfo_match(&server->certs[index], first, strlen(first)) == TLS_MATCH_EXACT;
}

int
tls_server_ready(struct tls_server *server, struct tls_error *error)
{
	int ret;

	if (server->len == 0)
		return tls_error_set(error, "there is no certificate");
	if ((ret = tls_server_configure(server, &server->conf)) != 0)
		return tls_error_library(error, ret, "TLS settings");
	for (size_t i = 0; i < server->len; i++) {
		mbedtls_x509_crt *chain = &server->certs[i];

		if (!is_default(server, i))
			continue;
		/* The certificate's public key stands for the private one: see signer.c. */
		if ((ret = mbedtls_ssl_conf_own_cert(&server->conf, chain, &chain->pk)) != 0)
			return tls_error_library(error, ret, "TLS settings");
	}
	server->ready = true;
	return 0;
}

int
tls_server_choose(struct tls_server *server, mbedtls_ssl_context *ssl, const char *host, size_t len)
{
	for (enum tls_match wanted = TLS_MATCH_EXACT; wanted > TLS_MATCH_NONE; wanted--) {
		for (size_t i = 0; i < server->len; i++) {
			mbedtls_x509_crt *chain = &server->certs[i];
			int ret;

			if (tls_certinfo_match(chain, host, len) != wanted)
				continue;
			if ((ret = mbedtls_ssl_set_hs_own_cert(ssl, chain, &chain->pk)) != 0)
				return ret;
		}
	}
	return 0;
}

int
tls_server_key_number(const struct tls_server *server, const mbedtls_pk_context *pk)
{
	for (size_t i = 0; i < server->len; i++)
		if (&server->certs[i].pk == pk)
			return (int)i;
	return -1;
}

size_t
tls_server_count(const struct tls_server *server)
{
	return server->len;
}
