/*
 * certinfo.c: what a parsed certificate says, with the fields that both library versions show.
 * Runs as: root (start, reload), worker (names for SNI), whoever makes or looks at a certificate.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>

#include "tls/certinfo.h"

/* GeneralName, RFC 5280 section 4.2.1.6: the context tag tells the kind. */
enum { SAN_TAG_MASK = 0x1f, SAN_DNS = 2, SAN_IP = 7 };

static int
san_kind(const mbedtls_x509_sequence *san)
{
	return san->buf.p == NULL ? -1 : san->buf.tag & SAN_TAG_MASK;
}

static void
copy_printable(char *out, size_t size, const unsigned char *in, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < size - 1; i++)
		out[i] = (char)(in[i] > 0x20 && in[i] < 0x7f ? in[i] : '?');
	out[i] = '\0';
}

bool
tls_certinfo_name(const mbedtls_x509_sequence **next, char name_r[TLS_NAME_TEXT])
{
	for (const mbedtls_x509_sequence *san = *next; san != NULL; san = san->next) {
		*next = san->next;
		if (san_kind(san) == SAN_DNS) {
			copy_printable(name_r, TLS_NAME_TEXT, san->buf.p, san->buf.len);
			return true;
		}
		if (san_kind(san) == SAN_IP && (san->buf.len == 4 || san->buf.len == 16)) {
			int family = san->buf.len == 4 ? AF_INET : AF_INET6;

			if (inet_ntop(family, san->buf.p, name_r, TLS_NAME_TEXT) != NULL)
				return true;
		}
	}
	return false;
}

/* "*" stands for the whole first label and for nothing else: *.example.org is not example.org. */
static enum tls_match
match_name(const char *pattern, size_t pattern_len, const char *host, size_t len)
{
	const char *dot;

	if (pattern_len == len && strncasecmp(pattern, host, len) == 0)
		return TLS_MATCH_EXACT;
	if (pattern_len < 3 || pattern[0] != '*' || pattern[1] != '.')
		return TLS_MATCH_NONE;
	if ((dot = memchr(host, '.', len)) == NULL || dot == host)
		return TLS_MATCH_NONE;
	len -= (size_t)(dot - host);
	if (pattern_len - 1 == len && strncasecmp(pattern + 1, dot, len) == 0)
		return TLS_MATCH_WILDCARD;
	return TLS_MATCH_NONE;
}

enum tls_match
tls_certinfo_match(const mbedtls_x509_crt *crt, const char *host, size_t len)
{
	enum tls_match best = TLS_MATCH_NONE;

	for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san != NULL;
	     san = san->next) {
		enum tls_match match;

		if (san_kind(san) != SAN_DNS)
			continue;
		/* strncasecmp stops at a NUL: a name with one inside would match its beginning. */
		if (memchr(san->buf.p, '\0', san->buf.len) != NULL)
			continue;
		match = match_name((const char *)san->buf.p, san->buf.len, host, len);
		if (match > best)
			best = match;
	}
	return best;
}

/* One Extension (RFC 5280, section 4.1): OID, optional critical, OCTET STRING with the value. */
static int
get_extension(
    unsigned char **p, const unsigned char *end, struct tls_span *oid_r, struct tls_span *value_r)
{
	const unsigned char *inner_end;
	size_t len;
	int critical;

	if (mbedtls_asn1_get_tag(p, end, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) !=
	    0)
		return -1;
	inner_end = *p + len;
	if (mbedtls_asn1_get_tag(p, inner_end, &oid_r->len, MBEDTLS_ASN1_OID) != 0)
		return -1;
	oid_r->p = *p;
	*p += oid_r->len;
	if (*p < inner_end && **p == MBEDTLS_ASN1_BOOLEAN &&
	    mbedtls_asn1_get_bool(p, inner_end, &critical) != 0)
		return -1;
	if (mbedtls_asn1_get_tag(p, inner_end, &value_r->len, MBEDTLS_ASN1_OCTET_STRING) != 0)
		return -1;
	value_r->p = *p;
	*p += value_r->len;
	return *p == inner_end ? 0 : -1;
}

bool
tls_certinfo_extension(
    const mbedtls_x509_crt *crt, const char *oid, size_t oid_len, struct tls_span *value_r)
{
	unsigned char *p = crt->v3_ext.p;
	const unsigned char *end;
	struct tls_span found;
	size_t len;

	if (p == NULL)
		return false;
	end = p + crt->v3_ext.len;
	if (mbedtls_asn1_get_tag(&p, end, &len, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) !=
	    0)
		return false;
	end = p + len;
	while (p < end) {
		if (get_extension(&p, end, &found, value_r) != 0)
			return false;
		if (found.len == oid_len && memcmp(found.p, oid, oid_len) == 0)
			return true;
	}
	return false;
}

bool
tls_certinfo_is_ca(const mbedtls_x509_crt *crt)
{
	struct tls_span value;
	unsigned char *p;
	size_t len;
	int ca = 0;

	if (!tls_certinfo_extension(crt, MBEDTLS_OID_BASIC_CONSTRAINTS,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_BASIC_CONSTRAINTS), &value))
		return false;
	/* The reader moves its pointer, and wants it without const, but does not write. */
	p = crt->v3_ext.p + (value.p - crt->v3_ext.p);
	if (mbedtls_asn1_get_tag(&p, value.p + value.len, &len,
		MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
		return false;
	return len > 0 && mbedtls_asn1_get_bool(&p, p + len, &ca) == 0 && ca != 0;
}

bool
tls_certinfo_self_issued(const mbedtls_x509_crt *crt)
{
	return crt->subject_raw.len == crt->issuer_raw.len &&
	       memcmp(crt->subject_raw.p, crt->issuer_raw.p, crt->issuer_raw.len) == 0;
}

/*
 * Days since 1970 in the Gregorian calendar; the year is counted from March, so that the leap day
 * is its last one.  timegm() is not used: in glibc it opens /etc/localtime.
 */
time_t
tls_certinfo_time(const mbedtls_x509_time *when)
{
	int64_t year = when->mon <= 2 ? when->year - 1 : when->year;
	int64_t month = (when->mon + 9) % 12;
	int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
		       when->day - 1 - 719468;

	return (time_t)(((days * 24 + when->hour) * 60 + when->min) * 60 + when->sec);
}

void
tls_certinfo_sha256(const mbedtls_x509_crt *crt, char text_r[TLS_SHA256_TEXT])
{
	unsigned char hash[32] = {0};

	/* It cannot fail: SHA-256 is compiled in, and the input is in memory. */
	(void)mbedtls_md(
	    mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), crt->raw.p, crt->raw.len, hash);
	for (size_t i = 0; i < sizeof hash; i++)
		(void)snprintf(text_r + 3 * i, 4, i + 1 < sizeof hash ? "%02X:" : "%02X", hash[i]);
}
