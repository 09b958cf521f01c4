/*
 * cert.h: makes keys, certificates and requests, and shows certificates.  For the `cert` subcommand,
 * which runs as whoever types it; nothing of it is in a serving process.
 *
 * Certificates are X.509 v3 as RFC 5280 wants them and `openssl verify -x509_strict` accepts them.
 * Existing files are never overwritten.  Keys are written 0600, certificates 0644, with fsync.
 */
#ifndef TLS_CERT_H
#define TLS_CERT_H

#include <stddef.h>
#include <time.h>

#include "tls/tls.h"

enum tls_cert_key { TLS_CERT_P256, TLS_CERT_RSA2048, TLS_CERT_RSA3072 };

enum {
	TLS_CERT_NAMES_MAX = 100, /* names in one certificate */
	TLS_CERT_NAME_LEN = 253,  /* octets of a host name, RFC 1035 */
};

struct tls_cert_order {
	enum tls_cert_key key;
	const char *const *names; /* host names, *.wildcards or IP addresses: subjectAltName */
	size_t names_len;
	const char *subject;			/* common name; NULL: the first name */
	int days;				/* valid from an hour ago for so many days */
	const char *key_path;			/* where the new private key goes */
	const char *cert_path;			/* where the certificate or the request goes */
	const char *ca_cert_path, *ca_key_path; /* who signs; NULL: self-signed */
};

/* Each: 0, or -1 with error set, and then no file is left behind. */
int tls_cert_make_ca(const struct tls_cert_order *order, struct tls_error *error);
int tls_cert_make_server(const struct tls_cert_order *order, struct tls_error *error);
int tls_cert_make_request(const struct tls_cert_order *order, struct tls_error *error);

/*
 * Describes every certificate of the PEM file, leaf first, as text for people: subject, names, from,
 * until, issuer, key, SHA-256 fingerprint.  The caller frees *text_r.
 */
int tls_cert_show(const char *path, char **text_r, struct tls_error *error);

#endif
