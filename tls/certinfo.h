/*
 * certinfo.h: what a parsed certificate says; private to tls/.  All pointers are borrowed.
 */
#ifndef TLS_CERTINFO_H
#define TLS_CERTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <mbedtls/x509_crt.h>

enum { TLS_NAME_TEXT = 256 }; /* a host name or an address with its NUL */

/* A string of octets inside a certificate. */
struct tls_span {
	const unsigned char *p;
	size_t len;
};

/*
 * Gives one after the other the names of subjectAltName that servers have: dNSName as it is, with
 * '?' for octets that are not printable; iPAddress as inet_ntop writes it.  Begin with *next =
 * &crt->subject_alt_names; returns false at the end.
 */
bool tls_certinfo_name(const mbedtls_x509_sequence **next, char name_r[TLS_NAME_TEXT]);

enum tls_match { TLS_MATCH_NONE, TLS_MATCH_WILDCARD, TLS_MATCH_EXACT };

/* How well the certificate fits the host, by its dNSNames alone (RFC 6125, section 6.4). */
enum tls_match tls_certinfo_match(const mbedtls_x509_crt *crt, const char *host, size_t len);

/* The value of an extension, by its encoded OID; false if there is none. */
bool tls_certinfo_extension(
    const mbedtls_x509_crt *crt, const char *oid, size_t oid_len, struct tls_span *value_r);

/* Whether crt names the other one as its issuer; no signature is checked.  Both may be the same. */
bool tls_certinfo_issued_by(const mbedtls_x509_crt *crt, const mbedtls_x509_crt *issuer);

/* A subject or issuer as text; "a very long name" if it does not fit. */
void tls_certinfo_dn(const mbedtls_x509_name *dn, char *text_r, size_t size);

/* Seconds since 1970, without the C library's idea of time zones, which would open files. */
time_t tls_certinfo_time(const mbedtls_x509_time *when);

#endif
