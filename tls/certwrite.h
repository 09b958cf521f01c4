/* certwrite.h: encodes and signs certificates and requests; for the files of tls/ only. */
#ifndef TLS_CERTWRITE_H
#define TLS_CERTWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

/* What a certificate says.  A request takes of it: subject, names, key. */
struct tls_certwrite {
	bool ca;
	const char *subject; /* common name */
	const char *const *names;
	size_t names_len;
	time_t from, until;
	mbedtls_pk_context *key;	 /* the certificate's key */
	const mbedtls_x509_crt *ca_cert; /* NULL: signed by key itself */
	mbedtls_pk_context *ca_key;
};

/* Whether a name can stand in subjectAltName: host name, *.host name, or address. */
bool tls_certwrite_name_valid(const char *name);

/* Each gives PEM text, which the caller frees, or NULL. */
char *tls_certwrite_certificate(const struct tls_certwrite *cert);
char *tls_certwrite_request(const struct tls_certwrite *cert);

/* PEM text of DER octets between "-----BEGIN label-----" lines. */
char *tls_certwrite_pem(const char *label, const unsigned char *der, size_t len);

#endif
