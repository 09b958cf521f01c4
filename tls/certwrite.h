/*
 * certwrite.h: encodes and signs certificates (RFC 5280) and requests (RFC 2986); private to tls/.
 */
#ifndef TLS_CERTWRITE_H
#define TLS_CERTWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

enum { TLS_CERTWRITE_NAMES = 100 }; /* in one certificate, at most */

/* The contents of a certificate; all pointers are borrowed.  A request takes of it: subject, names, key. */
struct tls_certwrite {
	bool ca;
	const char *subject;	  /* common name */
	const char *const *names; /* host names and addresses, which were checked before */
	size_t names_len;
	time_t from, until;
	mbedtls_pk_context *key;	 /* the certificate's key */
	const mbedtls_x509_crt *ca_cert; /* NULL: signed by key itself */
	mbedtls_pk_context *ca_key;
};

/* A certificate or a request as PEM text, which the caller frees; NULL: it cannot be made. */
char *tls_certwrite(const struct tls_certwrite *cert, bool request);

/* PEM text of len octets of DER, which the caller frees, or NULL.  label: as in "BEGIN label". */
char *tls_certwrite_pem(const char *label, const unsigned char *der, size_t len);

#endif
