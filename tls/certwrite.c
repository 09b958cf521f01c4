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
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include "tls/cert.h"
#include "tls/certinfo.h"
#include "tls/certwrite.h"
#include "tls/random.h"
#include "tls/signer.h"

enum {
	DER_SIZE = 48 * 1024, /* TLS_CERT_NAMES_MAX names of 253 octets, and 20 kB for the rest */
	SERIAL_LEN = 16,      /* RFC 5280, section 4.1.2.2: 20 at most */
	KEY_ID_LEN = 20,
	HASH_LEN = 32,
	LABEL_MAX = 63, /* RFC 1035, section 2.3.4 */
};

enum {
	TAG_SEQUENCE = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
	TAG_SET = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET,
	TAG_CONTEXT = MBEDTLS_ASN1_CONTEXT_SPECIFIC,
	TAG_EXPLICIT = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED,
};

/* keyUsage, RFC 5280 section 4.2.1.3: bit 0 is the highest one of the octet. */
enum { USAGE_SIGNATURE = 0x80, USAGE_CERT_SIGN = 0x04, USAGE_CRL_SIGN = 0x02 };

/* --- writing DER backwards --- */

struct der {
	unsigned char *start, *p;
	bool failed; /* once something did not fit nothing else counts */
};

static void
der_bytes(struct der *der, const void *data, size_t len)
{
	if (mbedtls_asn1_write_raw_buffer(&der->p, der->start, data, len) < 0)
		der->failed = true;
}

/* Puts tag and length before all that was written since end was der->p. */
static void
der_wrap(struct der *der, int tag, const unsigned char *end)
{
	if (mbedtls_asn1_write_len(&der->p, der->start, (size_t)(end - der->p)) < 0 ||
	    mbedtls_asn1_write_tag(&der->p, der->start, (unsigned char)tag) < 0)
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

/* What was written since end becomes the value of an extension. */
static void
der_extension(struct der *der, const char *oid, bool critical, unsigned char *value_end)
{
	der_wrap(der, MBEDTLS_ASN1_OCTET_STRING, value_end);
	if (critical)
		der_value(der, MBEDTLS_ASN1_BOOLEAN, "\xff", 1);
	der_oid(der, oid);
	der_wrap(der, TAG_SEQUENCE, value_end);
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

static void
write_public_key(struct der *der, mbedtls_pk_context *key)
{
	unsigned char buf[2048]; /* RSA of 8192 bits has 1062 octets */
	int len = mbedtls_pk_write_pubkey_der(key, buf, sizeof buf);

	if (len < 0)
		der->failed = true;
	else
		der_bytes(der, buf + sizeof buf - len, (size_t)len);
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

/* RFC 7093, section 2, method 1: the first 160 bits of SHA-256 of the public key. */
static int
key_id(const mbedtls_pk_context *key, unsigned char id_r[KEY_ID_LEN])
{
	unsigned char buf[2048], hash[HASH_LEN], *p = buf + sizeof buf;
	int len = mbedtls_pk_write_pubkey(&p, buf, key);

	if (len < 0 ||
	    mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), p, (size_t)len, hash) != 0)
		return -1;
	memcpy(id_r, hash, KEY_ID_LEN);
	return 0;
}

static void
write_subject_key_id(struct der *der, const mbedtls_pk_context *key)
{
	unsigned char *end = der->p, id[KEY_ID_LEN];

	if (key_id(key, id) != 0) {
		der->failed = true;
		return;
	}
	der_value(der, MBEDTLS_ASN1_OCTET_STRING, id, sizeof id);
	der_extension(der, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER, false, end);
}

/* The CA's own subjectKeyIdentifier, which some other method may have made; else ours. */
static void
write_authority_key_id(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p, id[KEY_ID_LEN];
	struct tls_span value;

	if (cert->ca_cert != NULL &&
	    tls_certinfo_extension(cert->ca_cert, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER), &value)) {
		/* An OCTET STRING of less than 128 octets: its two octets of head are replaced. */
		if (value.len < 3 || value.p[0] != MBEDTLS_ASN1_OCTET_STRING ||
		    value.p[1] != value.len - 2) {
			der->failed = true;
			return;
		}
		der_value(der, TAG_CONTEXT, value.p + 2, value.len - 2);
	} else {
		if (key_id(cert->ca_cert != NULL ? &cert->ca_cert->pk : cert->key, id) != 0)
			der->failed = true;
		der_value(der, TAG_CONTEXT, id, sizeof id);
	}
	der_wrap(der, TAG_SEQUENCE, end);
	der_extension(der, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER, false, end);
}

/* Octets of the address, or 0 when the name is none. */
static size_t
parse_address(const char *name, unsigned char out[16])
{
	if (inet_pton(AF_INET, name, out) == 1)
		return 4;
	return inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

static void
write_names(struct der *der, const struct tls_certwrite *cert)
{
	enum { GENERAL_DNS = 2, GENERAL_IP = 7 };
	unsigned char *end = der->p, address[16];

	for (size_t i = cert->names_len; i-- > 0;) {
		const char *name = cert->names[i];
		size_t len = parse_address(name, address);

		if (len > 0)
			der_value(der, TAG_CONTEXT | GENERAL_IP, address, len);
		else
			der_value(der, TAG_CONTEXT | GENERAL_DNS, name, strlen(name));
	}
	der_wrap(der, TAG_SEQUENCE, end);
	der_extension(der, MBEDTLS_OID_SUBJECT_ALT_NAME, false, end);
}

static void
write_server_auth(struct der *der)
{
	unsigned char *end = der->p;

	der_oid(der, MBEDTLS_OID_SERVER_AUTH);
	der_wrap(der, TAG_SEQUENCE, end);
	der_extension(der, MBEDTLS_OID_EXTENDED_KEY_USAGE, false, end);
}

/* A BIT STRING says how many of its last bits are not used; DER wants no trailing zero bits. */
static void
write_key_usage(struct der *der, unsigned char usage)
{
	unsigned char *end = der->p, value[2] = {0, usage};

	while ((usage & 1) == 0 && value[0] < 7) {
		usage = (unsigned char)(usage >> 1);
		value[0]++;
	}
	der_value(der, MBEDTLS_ASN1_BIT_STRING, value, sizeof value);
	der_extension(der, MBEDTLS_OID_KEY_USAGE, true, end);
}

/* CA:FALSE is the default and so not written.  Our CA signs servers only, no other CA. */
static void
write_basic_constraints(struct der *der, bool ca)
{
	unsigned char *end = der->p;

	if (ca) {
		der_value(der, MBEDTLS_ASN1_INTEGER, "\0", 1);
		der_value(der, MBEDTLS_ASN1_BOOLEAN, "\xff", 1);
	}
	der_wrap(der, TAG_SEQUENCE, end);
	der_extension(der, MBEDTLS_OID_BASIC_CONSTRAINTS, true, end);
}

static void
write_usage_extensions(struct der *der, const struct tls_certwrite *cert)
{
	if (cert->ca) {
		write_key_usage(der, USAGE_CERT_SIGN | USAGE_CRL_SIGN);
	} else {
		write_names(der, cert);
		write_server_auth(der);
		/* Suites with ephemeral keys only sign: RSA needs no keyEncipherment either. */
		write_key_usage(der, USAGE_SIGNATURE);
	}
	write_basic_constraints(der, cert->ca);
}

static void
write_extensions(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p;

	write_authority_key_id(der, cert);
	write_subject_key_id(der, cert->key);
	write_usage_extensions(der, cert);
	der_wrap(der, TAG_SEQUENCE, end);
	der_wrap(der, TAG_EXPLICIT | 3, end);
}

/* --- the whole --- */

/* TBSCertificate, RFC 5280 section 4.1. */
static void
write_certificate_body(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p, *version_end;

	write_extensions(der, cert);
	write_public_key(der, cert->key);
	write_name(der, cert->subject);
	write_validity(der, cert->from, cert->until);
	if (cert->ca_cert != NULL)
		der_bytes(der, cert->ca_cert->subject_raw.p, cert->ca_cert->subject_raw.len);
	else
		write_name(der, cert->subject);
	write_algorithm(der, cert->ca_cert != NULL ? cert->ca_key : cert->key);
	write_serial(der);
	version_end = der->p;
	der_value(der, MBEDTLS_ASN1_INTEGER, "\2", 1); /* v3 */
	der_wrap(der, TAG_EXPLICIT | 0, version_end);
	der_wrap(der, TAG_SEQUENCE, end);
}

/* CertificationRequestInfo, RFC 2986 section 4.1, with RFC 2985's extensionRequest. */
static void
write_request_body(struct der *der, const struct tls_certwrite *cert)
{
	unsigned char *end = der->p, *attributes_end = der->p;

	write_usage_extensions(der, cert);
	der_wrap(der, TAG_SEQUENCE, attributes_end);
	der_wrap(der, TAG_SET, attributes_end);
	der_oid(der, MBEDTLS_OID_PKCS9_CSR_EXT_REQ);
	der_wrap(der, TAG_SEQUENCE, attributes_end);
	der_wrap(der, TAG_EXPLICIT | 0, attributes_end);
	write_public_key(der, cert->key);
	write_name(der, cert->subject);
	der_value(der, MBEDTLS_ASN1_INTEGER, "\0", 1); /* v1 */
	der_wrap(der, TAG_SEQUENCE, end);
}

/* SEQUENCE of body, algorithm and signature, around the body that was written last. */
static void
write_signed(struct der *der, const struct der *body, size_t body_len, mbedtls_pk_context *signer)
{
	unsigned char hash[HASH_LEN], signature[TLS_SIGNATURE_MAX], *end = der->p;
	ssize_t len;

	if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), body->p, body_len, hash) !=
	    0) {
		der->failed = true;
		return;
	}
	len = tls_signer_local(signer, false, MBEDTLS_MD_SHA256, hash, sizeof hash, signature);
	if (len < 0) {
		der->failed = true;
		return;
	}
	der_bytes(der, signature, (size_t)len);
	der_bytes(der, "\0", 1); /* no unused bits */
	der_wrap(der, MBEDTLS_ASN1_BIT_STRING, end);
	write_algorithm(der, signer);
	der_bytes(der, body->p, body_len);
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
	unsigned char *inner = malloc(DER_SIZE), *outer = malloc(DER_SIZE);
	struct der body = {inner, NULL, false}, whole = {outer, NULL, false};
	char *pem = NULL;

	if (inner == NULL || outer == NULL)
		goto out;
	body.p = inner + DER_SIZE;
	whole.p = outer + DER_SIZE;
	write_body(&body, cert);
	if (body.failed)
		goto out;
	write_signed(&whole, &body, (size_t)(inner + DER_SIZE - body.p), signer);
	if (!whole.failed)
		pem = tls_certwrite_pem(label, whole.p, (size_t)(outer + DER_SIZE - whole.p));
out:
	free(inner);
	free(outer);
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

/* Letters, digits and hyphens, not at the ends (RFC 1123, section 2.1); and the underscore. */
static bool
label_valid(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)label[i];

		if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '_'))
			return false;
	}
	return true;
}

/* A last label of digits only would be an address that inet_pton did not like. */
static bool
host_valid(const char *host)
{
	const char *dot;

	while ((dot = strchr(host, '.')) != NULL) {
		if (!label_valid(host, (size_t)(dot - host)))
			return false;
		host = dot + 1;
	}
	return label_valid(host, strlen(host)) && strspn(host, "0123456789") != strlen(host);
}

bool
tls_certwrite_name_valid(const char *name)
{
	unsigned char address[16];

	if (strlen(name) > TLS_CERT_NAME_LEN)
		return false;
	if (parse_address(name, address) > 0)
		return true;
	return host_valid(strncmp(name, "*.", 2) == 0 ? name + 2 : name);
}
