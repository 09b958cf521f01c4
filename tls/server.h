/* server.h: what server.c, stream.c, signer.c and selftest.c share. */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "tls/tls.h"

/* A number fits the octet of struct tls_sign_request. */
enum { TLS_SERVER_CERTS = 100 };

enum { TLS_SERVER_SUITES = 9 };

struct tls_server {
	size_t len;
	mbedtls_x509_crt *certs[TLS_SERVER_CERTS]; /* each a chain, leaf first */
	mbedtls_ssl_config conf;
	int suites[TLS_SERVER_SUITES + 1]; /* those that the library has, 0 at the end */
	bool ready;
};

/* A cipher suite as we offer it. */
struct tls_suite {
	int id;
	int bits;
	const char *name; /* IANA's */
};

const struct tls_suite *tls_server_suite(int id);

/* All settings but certificates, tickets and names; conf is initialized.  0 or mbedTLS's error. */
int tls_server_configure(struct tls_server *server, mbedtls_ssl_config *conf);

/*
 * Gives the handshake the certificates that fit the host: exact ones first, then wildcards.  None
 * fits: it keeps the configuration's, those of the first certificate.
 */
int tls_server_choose(
    const struct tls_server *server, mbedtls_ssl_context *ssl, const char *host, size_t len);

/* The number of the certificate whose public key this is, or -1. */
int tls_server_key_number(const struct tls_server *server, const mbedtls_pk_context *pk);

#endif
