/*
 * cert.h: makes keys, certificates and requests, and shows certificates.  Public, for `sallyport cert`
 * alone, which runs as whoever types it: no serving process includes it.
 *
 * Certificates are X.509 v3 as RFC 5280 wants them and `openssl verify -x509_strict` accepts them.
 * Existing files are never overwritten.  Keys are written 0600, certificates 0644, with fsync.
 */
#ifndef TLS_CERT_H
#define TLS_CERT_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/tls.h"

enum tls_cert_kind { TLS_CERT_SERVER, TLS_CERT_CA, TLS_CERT_REQUEST };

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
	const char *ca_cert_path, *ca_key_path; /* who signs a server's; NULL: self-signed */
};

/*
 * Makes a key and a server's certificate, a CA's (which takes no names), or a request.  0; or -1 with
 * error set, and then no file is left behind.
 */
int tls_cert_make(
    enum tls_cert_kind kind, const struct tls_cert_order *order, struct tls_error *error);

/* Whether a name can stand in a certificate: a host name, *.host name, or an address. */
bool tls_cert_name_valid(const char *name);

/*
 * Describes every certificate of the PEM file, leaf first, as text for people: subject, names, from,
 * until, issuer, key, SHA-256 fingerprint.  The caller frees *text_r.  0, or -1 with error set.
 */
int tls_cert_show(const char *path, char **text_r, struct tls_error *error);

#endif
