/*
 * certwrite.c: encodes and signs certificates (RFC 5280) and requests (RFC 2986).
 * Runs as: whoever makes a certificate.
 *
 * mbedTLS has functions for this too, but 2.28 writes ECDSA's AlgorithmIdentifier with a NULL that
 * strict readers refuse and knows no subjectAltName, and 3.6 takes other arguments.  DER is written
 * backwards, so that a length is known when it is written: read the functions from their last line
 * to their first.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include "tls/certinfo.h"
#include "tls/certwrite.h"
#include "tls/random.h"
#include "tls/signer.h"

enum {
	DER_SIZE =
	    48 * 1024,	 /* 100 names (TLS_CERT_NAMES_MAX) of 253 octets, and 20 kB for the rest */
	SERIAL_LEN = 16, /* RFC 5280, section 4.1.2.2: 20 at most */
	KEY_ID_LEN = 20,
	HASH_LEN = 32,
};

enum {
	TAG_SEQUENCE = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
	TAG_SET = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET,
	TAG_CONTEXT = MBEDTLS_ASN1_CONTEXT_SPECIFIC,
	TAG_EXPLICIT = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED,
};

/* --- writing DER backwards --- */

struct der {
	unsigned char *p; /* the first octet of all that is written; it ends where octets ends */
	bool failed;	  /* something did not fit, or failed: nothing else counts */
	unsigned char octets[DER_SIZE];
};

static struct der *
der_new(void)
{
	struct der *der = calloc(1, sizeof *der);

	if (der != NULL)
		der->p = der->octets + sizeof der->octets;
	return der;
}

static size_t
der_len(const struct der *der)
{
	return (size_t)(der->octets + sizeof der->octets - der->p);
}

static void
der_bytes(struct der *der, const void *data, size_t len)
{
	if (mbedtls_asn1_write_raw_buffer(&der->p, der->octets, data, len) < 0)
		der->failed = true;
}

/* Puts tag and length before all that was written since der->p was end. */
static void
der_wrap(struct der *der, int tag, const unsigned char *end)
{
	if (mbedtls_asn1_write_len(&der->p, der->octets, (size_t)(end - der->p)) < 0 ||
	    mbedtls_asn1_write_tag(&der->p, der->octets, (unsigned char)tag) < 0)
		der->failed = true;
}

static void
der_value(struct der *der, int tag, const void *data, size_t len)
{
	unsigned char *end = der->p;

	der_bytes(der, data, len);
	der_wrap(der, tag, end);
}

/* The OIDs of mbedtls/oid.h are encoded already. */
static void
der_oid(struct der *der, const char *oid)
{
	der_value(der, MBEDTLS_ASN1_OID, oid, strlen(oid));
}

/* Makes an extension of the value that was written since der->p was end. */
static void
der_extension(struct der *der, const char *oid, bool critical, const unsigned char *end)
{
	der_wrap(der, MBEDTLS_ASN1_OCTET_STRING, end);
	if (critical)
		der_value(der, MBEDTLS_ASN1_BOOLEAN, "\xff", 1);
	der_oid(der, oid);
	der_wrap(der, TAG_SEQUENCE, end);
}

/* --- parts of a certificate --- */

/* Name with one part, CN; not empty, so that every verifier can show something. */
static void
write_name(struct der *der, const char *common_name)
{
	unsigned char *end = der->p;

	der_value(der, MBEDTLS_ASN1_UTF8_STRING, common_name, strlen(common_name));
	der_oid(der, MBEDTLS_OID_AT_CN);
	der_wrap(der, TAG_SEQUENCE, end);
	der_wrap(der, TAG_SET, end);
	der_wrap(der, TAG_SEQUENCE, end);
}

/* RFC 5280, section 4.1.2.5: two digits for the year until 2049, four after. */
static void
write_time(struct der *der, time_t when)
{
	struct tm tm;
	char text[32];
	size_t len;

	if (gmtime_r(&when, &tm) == NULL) {
		der->failed = true;
		return;
	}
	len = strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
	if (tm.tm_year + 1900 < 2050)
		der_value(der, MBEDTLS_ASN1_UTC_TIME, text + 2, len - 2);
	else
		der_value(der, MBEDTLS_ASN1_GENERALIZED_TIME, text, len);
}

static void
write_validity(struct der *der, time_t from, time_t until)
{
	unsigned char *end = der->p;

	write_time(der, until);
	write_time(der, from);
	der_wrap(der, TAG_SEQUENCE, end);
}

/* RFC 5758 section 3.2: no parameters for ECDSA; RFC 4055 section 5: NULL for RSA. */
static void
write_algorithm(struct der *der, const mbedtls_pk_context *signer)
{
	unsigned char *end = der->p;

	if (mbedtls_pk_can_do(signer, MBEDTLS_PK_RSA)) {
		der_value(der, MBEDTLS_ASN1_NULL, "", 0);
		der_oid(der, MBEDTLS_OID_PKCS1_SHA256);
	} else {
		der_oid(der, MBEDTLS_OID_ECDSA_SHA256);
	}
	der_wrap(der, TAG_SEQUENCE, end);
}

/* The library writes it to the end of what is free, which is where it belongs. */
static void
write_public_key(struct der *der, mbedtls_pk_context *key)
{
	int len = mbedtls_pk_write_pubkey_der(key, der->octets, (size_t)(der->p - der->octets));

	if (len < 0)
		der->failed = true;
	else
		der->p -= len;
}

/* Positive and without leading zeros, 120 random bits. */
static void
write_serial(struct der *der)
{
	unsigned char serial[SERIAL_LEN];

	if (tls_random(NULL, serial, sizeof serial) != 0)
		der->failed = true;
	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);
	der_value(der, MBEDTLS_ASN1_INTEGER, serial, sizeof serial);
}

/* --- extensions --- */

static int
sha256(const unsigned char *data, size_t len, unsigned char hash_r[HASH_LEN])
{
	return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data, len, hash_r);
}

/* RFC 7093, section 2, method 1: the first 160 bits of SHA-256 of the public key. */
static void
write_key_id(struct der *der, int tag, const mbedtls_pk_context *key)
{
	unsigned char hash[HASH_LEN] = {0}, *p = der->p; /* the key is only written to be hashed */
	int len = mbedtls_pk_write_pubkey(&p, der->octets, key);

	if (len < 0 || sha256(p, (size_t)len, hash) != 0)
		der->failed = true;
	der_value(der, tag, hash, KEY_ID_LEN);
}

/* The CA's own subjectKeyIdentifier, which some other method may have made; else ours. */
static void
write_authority_key_id(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p;
	struct tls_span value;

	if (cert->ca_cert == NULL) {
		write_key_id(der, TAG_CONTEXT, cert->key);
	} else if (!tls_certinfo_extension(cert->ca_cert, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER,
		       MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER), &value)) {
		write_key_id(der, TAG_CONTEXT, &cert->ca_cert->pk);
	} else if (value.len < 3 || value.p[0] != MBEDTLS_ASN1_OCTET_STRING ||
		   value.p[1] != value.len - 2) {
		/* An OCTET STRING of less than 128 octets has a head of two octets, replaced here. */
		der->failed = true;
	} else {
		der_value(der, TAG_CONTEXT, value.p + 2, value.len - 2);
	}
	der_wrap(der, TAG_SEQUENCE, end);
	der_extension(der, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER, false, end);
}

static void
write_names(struct der *der, const struct tls_certwrite *cert)
{
	enum { GENERAL_DNS = 2, GENERAL_IP = 7 };
	unsigned char *end = der->p, address[sizeof(struct in6_addr)];

	for (size_t i = cert->names_len; i-- > 0;) {
		const char *name = cert->names[i];

		if (inet_pton(AF_INET, name, address) == 1)
			der_value(der, TAG_CONTEXT | GENERAL_IP, address, sizeof(struct in_addr));
		else if (inet_pton(AF_INET6, name, address) == 1)
			der_value(der, TAG_CONTEXT | GENERAL_IP, address, sizeof address);
		else
			der_value(der, TAG_CONTEXT | GENERAL_DNS, name, strlen(name));
	}
	der_wrap(der, TAG_SEQUENCE, end);
	der_extension(der, MBEDTLS_OID_SUBJECT_ALT_NAME, false, end);
}

/* Extensions that always say the same (RFC 5280, sections 4.2.1.3, 4.2.1.9 and 4.2.1.12). */
struct constant_extension {
	const char *oid;
	bool critical;
	size_t len;
	const char *der;
};

#define VALUE(der) sizeof(der) - 1, der

/* Our CA signs servers only, no other CA: pathLenConstraint is 0. */
static const struct constant_extension ca_extensions[] = {
    {MBEDTLS_OID_BASIC_CONSTRAINTS, true, VALUE("\x30\x06\x01\x01\xff\x02\x01\x00")},
    {MBEDTLS_OID_KEY_USAGE, true, VALUE("\x03\x02\x01\x06")}, /* keyCertSign, cRLSign */
};

/*
 * CA:FALSE is the default and so not written.  Suites with ephemeral keys only sign, so that RSA needs
 * no keyEncipherment either.
 */
static const struct constant_extension server_extensions[] = {
    {MBEDTLS_OID_BASIC_CONSTRAINTS, true, VALUE("\x30\x00")},
    {MBEDTLS_OID_KEY_USAGE, true, VALUE("\x03\x02\x07\x80")}, /* digitalSignature */
    {MBEDTLS_OID_EXTENDED_KEY_USAGE, false,		      /* serverAuth */
	VALUE("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01")},
};

static void
write_constants(struct der *der, const struct constant_extension *extensions, size_t len)
{
	while (len-- > 0) {
		unsigned char *end = der->p;

		der_bytes(der, extensions[len].der, extensions[len].len);
		der_extension(der, extensions[len].oid, extensions[len].critical, end);
	}
}

static void
write_usage_extensions(struct der *der, const struct tls_certwrite *cert)
{
	if (cert->ca) {
		write_constants(der, ca_extensions, sizeof ca_extensions / sizeof *ca_extensions);
	} else {
		write_names(der, cert);
		write_constants(
		    der, server_extensions, sizeof server_extensions / sizeof *server_extensions);
	}
}

/* --- the whole --- */

/* TBSCertificate, RFC 5280 section 4.1. */
static void
write_certificate_body(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p, *part_end;

	write_authority_key_id(der, cert);
	part_end = der->p;
	write_key_id(der, MBEDTLS_ASN1_OCTET_STRING, cert->key);
	der_extension(der, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER, false, part_end);
	write_usage_extensions(der, cert);
	der_wrap(der, TAG_SEQUENCE, end);
	der_wrap(der, TAG_EXPLICIT | 3, end);

	write_public_key(der, cert->key);
	write_name(der, cert->subject);
	write_validity(der, cert->from, cert->until);
	if (cert->ca_cert != NULL)
		der_bytes(der, cert->ca_cert->subject_raw.p, cert->ca_cert->subject_raw.len);
	else
		write_name(der, cert->subject);
	write_algorithm(der, cert->ca_cert != NULL ? cert->ca_key : cert->key);
	write_serial(der);
	part_end = der->p;
	der_value(der, MBEDTLS_ASN1_INTEGER, "\2", 1); /* v3 */
	der_wrap(der, TAG_EXPLICIT | 0, part_end);
	der_wrap(der, TAG_SEQUENCE, end);
}

/* CertificationRequestInfo, RFC 2986 section 4.1, with RFC 2985's extensionRequest. */
static void
write_request_body(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p;

	write_usage_extensions(der, cert);
	der_wrap(der, TAG_SEQUENCE, end);
	der_wrap(der, TAG_SET, end);
	der_oid(der, MBEDTLS_OID_PKCS9_CSR_EXT_REQ);
	der_wrap(der, TAG_SEQUENCE, end);
	der_wrap(der, TAG_EXPLICIT | 0, end);
	write_public_key(der, cert->key);
	write_name(der, cert->subject);
	der_value(der, MBEDTLS_ASN1_INTEGER, "\0", 1); /* v1 */
	der_wrap(der, TAG_SEQUENCE, end);
}

/* SEQUENCE of body, algorithm and signature. */
static void
write_signed(struct der *der, const struct der *body, mbedtls_pk_context *signer)
{
	unsigned char hash[HASH_LEN], signature[TLS_SIGNATURE_MAX], *end = der->p;
	ssize_t len = -1;

	if (!body->failed && sha256(body->p, der_len(body), hash) == 0)
		len = tls_signer_local(
		    signer, false, MBEDTLS_MD_SHA256, hash, sizeof hash, signature);
	if (len < 0) {
		der->failed = true;
		return;
	}
	der_bytes(der, signature, (size_t)len);
	der_bytes(der, "\0", 1); /* no unused bits */
	der_wrap(der, MBEDTLS_ASN1_BIT_STRING, end);
	write_algorithm(der, signer);
	der_bytes(der, body->p, der_len(body));
	der_wrap(der, TAG_SEQUENCE, end);
}

char *
tls_certwrite_pem(const char *label, const unsigned char *der, size_t len)
{
	char begin[64], end[64], *pem;
	size_t size = 2 * len + 256; /* base64 and line ends are 1.36 times as much */
	size_t used;

	(void)snprintf(begin, sizeof begin, "-----BEGIN %s-----\n", label);
	(void)snprintf(end, sizeof end, "-----END %s-----\n", label);
	if ((pem = malloc(size)) == NULL)
		return NULL;
	if (mbedtls_pem_write_buffer(begin, end, der, len, (unsigned char *)pem, size, &used) !=
	    0) {
		free(pem);
		return NULL;
	}
	return pem;
}

static char *
make(const struct tls_certwrite *cert, const char *label,
    void (*write_body)(struct der *, const struct tls_certwrite *), mbedtls_pk_context *signer)
{
	struct der *body = der_new(), *whole = der_new();
	char *pem = NULL;

	if (body != NULL && whole != NULL) {
		write_body(body, cert);
		write_signed(whole, body, signer);
		if (!whole->failed)
			pem = tls_certwrite_pem(label, whole->p, der_len(whole));
	}
	free(body);
	free(whole);
	return pem;
}

char *
tls_certwrite_certificate(const struct tls_certwrite *cert)
{
	return make(cert, "CERTIFICATE", write_certificate_body,
	    cert->ca_cert != NULL ? cert->ca_key : cert->key);
}

char *
tls_certwrite_request(const struct tls_certwrite *cert)
{
	return make(cert, "CERTIFICATE REQUEST", write_request_body, cert->key);
}
