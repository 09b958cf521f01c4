/*
 * server.h: a server's certificates and settings, as the files of tls/ see them; private to tls/.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "tls/tls.h"

enum {
	TLS_SERVER_CERTS = 100, /* its numbers fit the octet of struct tls_sign_request */
	TLS_SERVER_SUITES = 9,
};

struct tls_server {
	size_t len;
	mbedtls_x509_crt certs[TLS_SERVER_CERTS]; /* each a chain, leaf first */
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

/* By number; NULL if we do not offer it. */
const struct tls_suite *tls_server_suite(int id);

/* Settings of clients and servers alike; endpoint: MBEDTLS_SSL_IS_*.  0 or mbedTLS's error. */
int tls_server_defaults(mbedtls_ssl_config *conf, int endpoint, bool tls12, bool tls13);

/* All settings of a server but certificates, tickets and names.  0 or mbedTLS's error. */
int tls_server_configure(struct tls_server *server, mbedtls_ssl_config *conf);

/*
 * Gives the handshake the certificates that fit the host: exact ones first, then wildcards.  If none
 * fits, it keeps those of the configuration: the first one and its stand-ins.  0 or mbedTLS's error.
 */
int tls_server_choose(
    struct tls_server *server, mbedtls_ssl_context *ssl, const char *host, size_t len);

/* The number of the certificate whose public key this is, or -1. */
int tls_server_key_number(const struct tls_server *server, const mbedtls_pk_context *pk);

#endif
