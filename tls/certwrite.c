/*
 * certwrite.c: encodes and signs certificates (RFC 5280) and requests (RFC 2986).
 * Runs as: whoever makes a certificate.
 *
 * mbedTLS has functions for this too, but 2.28 writes ECDSA's AlgorithmIdentifier with a NULL that
 * strict readers refuse and knows no subjectAltName, and 3.6 takes other arguments.
 *
 * A piece of DER is a value; WRAP makes a larger piece of smaller ones.  All pieces of one certificate
 * lie in a pool, which ends with it.  A failure spoils the pool, and is asked for once, at the end.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include "tls/certinfo.h"
#include "tls/certwrite.h"
#include "tls/library.h"
#include "tls/signer.h"

enum {
	POOL_SIZE =
	    1024 * 1024, /* 100 names of 253 octets; each value that holds them copies them twice */
	KEY_SIZE = 2048, /* octets of a public key: RSA of 8192 bits has 1062 */
	SERIAL_LEN = 16, /* RFC 5280, section 4.1.2.2: 20 at most */
	KEY_ID_LEN = 20,
};

enum {
	TAG_SEQUENCE = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE,
	TAG_SET = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET,
	TAG_CONTEXT = MBEDTLS_ASN1_CONTEXT_SPECIFIC,
	TAG_EXPLICIT = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED,
};

struct pool {
	bool failed;
	size_t used;
	unsigned char octets[POOL_SIZE];
};

static struct tls_span
spoil(struct pool *pool)
{
	pool->failed = true;
	return (struct tls_span){NULL, 0};
}

/* A piece of octets that lie elsewhere; and of a string literal. */
static struct tls_span
octets(const void *p, size_t len)
{
	return (struct tls_span){p, len};
}

#define LITERAL(text) octets(text, sizeof(text) - 1)

/* Copies the pieces into the pool, one after the other. */
static struct tls_span
join(struct pool *pool, const struct tls_span *pieces, size_t count)
{
	const unsigned char *start = pool->octets + pool->used;
	size_t was = pool->used;

	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len > sizeof pool->octets - pool->used)
			return spoil(pool);
		if (pieces[i].len > 0)
			memcpy(pool->octets + pool->used, pieces[i].p, pieces[i].len);
		pool->used += pieces[i].len;
	}
	return octets(start, pool->used - was);
}

/* The same as one value: tag and length (X.690, section 10.1: as short as can be) before them. */
static struct tls_span
wrap(struct pool *pool, int tag, const struct tls_span *pieces, size_t count)
{
	struct tls_span value = join(pool, pieces, count);
	unsigned char head[5] = {(unsigned char)tag, (unsigned char)value.len};
	size_t more = value.len < 0x80 ? 0 : value.len <= 0xff ? 1 : value.len <= 0xffff ? 2 : 3;

	if (more > 0)
		head[1] = (unsigned char)(0x80 + more);
	for (size_t i = 0; i < more; i++)
		head[2 + i] = (unsigned char)(value.len >> 8 * (more - 1 - i));
	return join(pool, (const struct tls_span[]){octets(head, 2 + more), value}, 2);
}

/* For as many pieces as are given. */
#define PIECES(...)                                                                                \
	(const struct tls_span[]){__VA_ARGS__},                                                    \
	    sizeof((const struct tls_span[]){__VA_ARGS__}) / sizeof(struct tls_span)
#define JOIN(pool, ...)	     join(pool, PIECES(__VA_ARGS__))
#define WRAP(pool, tag, ...) wrap(pool, tag, PIECES(__VA_ARGS__))

/* The OIDs of mbedtls/oid.h are encoded already. */
#define OID(pool, oid) WRAP(pool, MBEDTLS_ASN1_OID, LITERAL(oid))

/* --- parts of a certificate --- */

/* Name with one part, CN; not empty, so that every verifier can show something. */
static struct tls_span
name(struct pool *pool, const char *common_name)
{
	struct tls_span text = octets(common_name, strlen(common_name));
	struct tls_span part = WRAP(pool, TAG_SEQUENCE, OID(pool, MBEDTLS_OID_AT_CN),
	    WRAP(pool, MBEDTLS_ASN1_UTF8_STRING, text));

	return WRAP(pool, TAG_SEQUENCE, WRAP(pool, TAG_SET, part));
}

/* RFC 5280, section 4.1.2.5: two digits for the year until 2049, four after. */
static struct tls_span
point_in_time(struct pool *pool, time_t when)
{
	struct tm tm;
	char text[32];
	size_t len;

	if (gmtime_r(&when, &tm) == NULL)
		return spoil(pool);
	len = strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
	if (tm.tm_year + 1900 < 2050)
		return WRAP(pool, MBEDTLS_ASN1_UTC_TIME, octets(text + 2, len - 2));
	return WRAP(pool, MBEDTLS_ASN1_GENERALIZED_TIME, octets(text, len));
}

/* RFC 5758 section 3.2: no parameters for ECDSA; RFC 4055 section 5: NULL for RSA. */
static struct tls_span
algorithm(struct pool *pool, const mbedtls_pk_context *signer)
{
	if (mbedtls_pk_can_do(signer, MBEDTLS_PK_RSA))
		return WRAP(
		    pool, TAG_SEQUENCE, OID(pool, MBEDTLS_OID_PKCS1_SHA256), LITERAL("\x05\x00"));
	return WRAP(pool, TAG_SEQUENCE, OID(pool, MBEDTLS_OID_ECDSA_SHA256));
}

static struct tls_span
public_key(struct pool *pool, mbedtls_pk_context *key)
{
	unsigned char *start = pool->octets + pool->used;
	int len;

	if (sizeof pool->octets - pool->used < KEY_SIZE)
		return spoil(pool);
	/* The library writes it to the end of the room that it gets. */
	len = mbedtls_pk_write_pubkey_der(key, start, KEY_SIZE);
	if (len < 0)
		return spoil(pool);
	pool->used += KEY_SIZE;
	return octets(start + KEY_SIZE - len, (size_t)len);
}

/* Positive and without leading zeros, 120 random bits. */
static struct tls_span
serial(struct pool *pool)
{
	unsigned char number[SERIAL_LEN];

	if (tls_random(NULL, number, sizeof number) != 0)
		return spoil(pool);
	number[0] = (unsigned char)((number[0] & 0x3f) | 0x40);
	return WRAP(pool, MBEDTLS_ASN1_INTEGER, octets(number, sizeof number));
}

/* --- extensions --- */

/* DER of FALSE is nothing. */
static struct tls_span
extension(struct pool *pool, struct tls_span oid, bool critical, struct tls_span value)
{
	return WRAP(pool, TAG_SEQUENCE, oid, critical ? LITERAL("\x01\x01\xff") : octets(NULL, 0),
	    WRAP(pool, MBEDTLS_ASN1_OCTET_STRING, value));
}

#define EXTENSION(pool, oid, critical, value) extension(pool, OID(pool, oid), critical, value)

/* RFC 7093, section 2, method 1: the first 160 bits of SHA-256 of the public key. */
static struct tls_span
key_id(struct pool *pool, int tag, const mbedtls_pk_context *key)
{
	unsigned char buf[KEY_SIZE], hash[TLS_SHA256_LEN], *p = buf + sizeof buf;
	int len = mbedtls_pk_write_pubkey(&p, buf, key);

	if (len < 0 || tls_sha256(p, (size_t)len, hash) != 0)
		return spoil(pool);
	return WRAP(pool, tag, octets(hash, KEY_ID_LEN));
}

/* The CA's own subjectKeyIdentifier, which some other method may have made; else ours. */
static struct tls_span
authority_key_id(struct pool *pool, const struct tls_certwrite *cert)
{
	const mbedtls_x509_crt *ca = cert->ca_cert;
	struct tls_span value;

	if (ca == NULL || !tls_certinfo_extension(ca, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER,
			      MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER), &value))
		return key_id(pool, TAG_CONTEXT, ca != NULL ? &ca->pk : cert->key);
	/* An OCTET STRING of less than 128 octets: its two octets of head are replaced. */
	if (value.len < 3 || value.p[0] != MBEDTLS_ASN1_OCTET_STRING || value.p[1] != value.len - 2)
		return spoil(pool);
	return WRAP(pool, TAG_CONTEXT, octets(value.p + 2, value.len - 2));
}

/* subjectAltName, RFC 5280 section 4.2.1.6. */
static struct tls_span
names(struct pool *pool, const struct tls_certwrite *cert)
{
	enum { GENERAL_DNS = 2, GENERAL_IP = 7 };
	struct tls_span list[TLS_CERTWRITE_NAMES];
	unsigned char address[sizeof(struct in6_addr)];
	size_t i;

	if (cert->names_len > TLS_CERTWRITE_NAMES)
		return spoil(pool);
	for (i = 0; i < cert->names_len; i++) {
		const char *text = cert->names[i];

		if (inet_pton(AF_INET, text, address) == 1)
			list[i] = WRAP(pool, TAG_CONTEXT | GENERAL_IP,
			    octets(address, sizeof(struct in_addr)));
		else if (inet_pton(AF_INET6, text, address) == 1)
			list[i] =
			    WRAP(pool, TAG_CONTEXT | GENERAL_IP, octets(address, sizeof address));
		else
			list[i] = WRAP(pool, TAG_CONTEXT | GENERAL_DNS, octets(text, strlen(text)));
	}
	return wrap(pool, TAG_SEQUENCE, list, i);
}

/*
 * The extensions that say what the key is for.  Our CA signs servers only, no other CA
 * (pathLenConstraint is 0).  Suites with ephemeral keys only sign, so that a server's RSA key needs
 * no keyEncipherment either.
 */
static struct tls_span
usage(struct pool *pool, const struct tls_certwrite *cert)
{
	if (cert->ca)
		return JOIN(pool,
		    EXTENSION(pool, MBEDTLS_OID_BASIC_CONSTRAINTS, true,
			LITERAL("\x30\x06\x01\x01\xff\x02\x01\x00")),
		    EXTENSION(pool, MBEDTLS_OID_KEY_USAGE, true,
			LITERAL("\x03\x02\x01\x06"))); /* keyCertSign, cRLSign */
	return JOIN(pool, EXTENSION(pool, MBEDTLS_OID_BASIC_CONSTRAINTS, true, LITERAL("\x30\x00")),
	    EXTENSION(pool, MBEDTLS_OID_KEY_USAGE, true,
		LITERAL("\x03\x02\x07\x80")), /* digitalSignature */
	    EXTENSION(pool, MBEDTLS_OID_EXTENDED_KEY_USAGE, false,
		WRAP(pool, TAG_SEQUENCE, OID(pool, MBEDTLS_OID_SERVER_AUTH))),
	    EXTENSION(pool, MBEDTLS_OID_SUBJECT_ALT_NAME, false, names(pool, cert)));
}

/* --- the whole --- */

/* TBSCertificate, RFC 5280 section 4.1. */
static struct tls_span
certificate_body(struct pool *pool, const struct tls_certwrite *cert)
{
	const mbedtls_x509_crt *ca = cert->ca_cert;
	struct tls_span subject = name(pool, cert->subject);
	struct tls_span extensions = WRAP(pool, TAG_SEQUENCE, usage(pool, cert),
	    EXTENSION(pool, MBEDTLS_OID_SUBJECT_KEY_IDENTIFIER, false,
		key_id(pool, MBEDTLS_ASN1_OCTET_STRING, cert->key)),
	    EXTENSION(pool, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER, false,
		WRAP(pool, TAG_SEQUENCE, authority_key_id(pool, cert))));

	return WRAP(pool, TAG_SEQUENCE,
	    WRAP(pool, TAG_EXPLICIT | 0, LITERAL("\x02\x01\x02")), /* v3 */
	    serial(pool), algorithm(pool, ca != NULL ? cert->ca_key : cert->key),
	    ca != NULL ? octets(ca->subject_raw.p, ca->subject_raw.len) : subject,
	    WRAP(pool, TAG_SEQUENCE, point_in_time(pool, cert->from),
		point_in_time(pool, cert->until)),
	    subject, public_key(pool, cert->key), WRAP(pool, TAG_EXPLICIT | 3, extensions));
}

/* CertificationRequestInfo, RFC 2986 section 4.1, with RFC 2985's extensionRequest. */
static struct tls_span
request_body(struct pool *pool, const struct tls_certwrite *cert)
{
	struct tls_span extensions = WRAP(pool, TAG_SEQUENCE, usage(pool, cert));
	struct tls_span attribute = WRAP(pool, TAG_SEQUENCE,
	    OID(pool, MBEDTLS_OID_PKCS9_CSR_EXT_REQ), WRAP(pool, TAG_SET, extensions));

	return WRAP(pool, TAG_SEQUENCE, LITERAL("\x02\x01\x00"), /* v1 */
	    name(pool, cert->subject), public_key(pool, cert->key),
	    WRAP(pool, TAG_EXPLICIT | 0, attribute));
}

/* SEQUENCE of body, algorithm and signature, as PEM. */
static char *
sign(struct pool *pool, const char *label, struct tls_span body, mbedtls_pk_context *signer)
{
	unsigned char hash[TLS_SHA256_LEN], signature[TLS_SIGNATURE_MAX];
	struct tls_span whole;
	ssize_t len;

	if (pool->failed || tls_sha256(body.p, body.len, hash) != 0)
		return NULL;
	len = tls_signer_local(signer, false, MBEDTLS_MD_SHA256, hash, sizeof hash, signature);
	if (len < 0)
		return NULL;
	/* A BIT STRING begins with the number of unused bits. */
	whole = WRAP(pool, TAG_SEQUENCE, body, algorithm(pool, signer),
	    WRAP(pool, MBEDTLS_ASN1_BIT_STRING, LITERAL("\x00"), octets(signature, (size_t)len)));
	return pool->failed ? NULL : tls_certwrite_pem(label, whole.p, whole.len);
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

char *
tls_certwrite(const struct tls_certwrite *cert, bool request)
{
	mbedtls_pk_context *signer = request || cert->ca_cert == NULL ? cert->key : cert->ca_key;
	struct pool *pool = calloc(1, sizeof *pool);
	struct tls_span body;
	char *pem;

	if (pool == NULL)
		return NULL;
	body = request ? request_body(pool, cert) : certificate_body(pool, cert);
	pem = sign(pool, request ? "CERTIFICATE REQUEST" : "CERTIFICATE", body, signer);
	free(pool);
	return pem;
}
