/*
 * certinfo.c: what a parsed certificate says, with the fields that both library versions show.
 * Runs as: root (start, reload), worker (names for SNI), whoever makes or looks at a certificate.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#include "tls/certinfo.h"

/* GeneralName, RFC 5280 section 4.2.1.6: the context tag is the kind. */
enum { SAN_TAG_MASK = 0x1f, SAN_DNS = 2, SAN_IP = 7 };

static int
san_kind(const mbedtls_x509_sequence *san)
{
	return san->buf.p == NULL ? -1 : san->buf.tag & SAN_TAG_MASK;
}

bool
tls_certinfo_name(const mbedtls_x509_sequence **next, char name_r[TLS_NAME_TEXT])
{
	const mbedtls_x509_sequence *san;
	size_t i;

	while ((san = *next) != NULL) {
		const mbedtls_x509_buf *buf = &san->buf;

		*next = san->next;
		if (san_kind(san) == SAN_DNS) {
			for (i = 0; i < buf->len && i < TLS_NAME_TEXT - 1; i++)
				name_r[i] =
				    (char)(buf->p[i] > 0x20 && buf->p[i] < 0x7f ? buf->p[i] : '?');
			name_r[i] = '\0';
			return true;
		}
		if (san_kind(san) == SAN_IP && (buf->len == 4 || buf->len == 16) &&
		    inet_ntop(buf->len == 4 ? AF_INET : AF_INET6, buf->p, name_r, TLS_NAME_TEXT) !=
			NULL)
			return true;
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
	const mbedtls_x509_sequence *san = &crt->subject_alt_names;
	enum tls_match match, best = TLS_MATCH_NONE;

	for (; san != NULL; san = san->next) {
		/* strncasecmp stops at a NUL: a name with one inside would match its beginning. */
		if (san_kind(san) != SAN_DNS || memchr(san->buf.p, '\0', san->buf.len) != NULL)
			continue;
		match = match_name((const char *)san->buf.p, san->buf.len, host, len);
		if (match > best)
			best = match;
	}
	return best;
}

/* Steps into a SEQUENCE: *p is at its content, *end_r after it. */
static bool
enter_sequence(unsigned char **p, const unsigned char *end, const unsigned char **end_r)
{
	size_t len;
	int tag = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;

	if (mbedtls_asn1_get_tag(p, end, &len, tag) != 0)
		return false;
	*end_r = *p + len;
	return true;
}

/* Steps over a string of octets with this tag. */
static bool
get_span(unsigned char **p, const unsigned char *end, int tag, struct tls_span *span_r)
{
	if (mbedtls_asn1_get_tag(p, end, &span_r->len, tag) != 0)
		return false;
	span_r->p = *p;
	*p += span_r->len;
	return true;
}

/* Steps over an Extension (RFC 5280, section 4.1): OID, maybe critical, value in an OCTET STRING. */
static bool
get_extension(
    unsigned char **p, const unsigned char *end, struct tls_span *oid_r, struct tls_span *value_r)
{
	int critical;

	if (!enter_sequence(p, end, &end) || !get_span(p, end, MBEDTLS_ASN1_OID, oid_r))
		return false;
	if (*p < end && **p == MBEDTLS_ASN1_BOOLEAN &&
	    mbedtls_asn1_get_bool(p, end, &critical) != 0)
		return false;
	return get_span(p, end, MBEDTLS_ASN1_OCTET_STRING, value_r) && *p == end;
}

bool
tls_certinfo_extension(
    const mbedtls_x509_crt *crt, const char *oid, size_t oid_len, struct tls_span *value_r)
{
	unsigned char *p = crt->v3_ext.p;
	const unsigned char *end;
	struct tls_span found;

	if (p == NULL || !enter_sequence(&p, p + crt->v3_ext.len, &end))
		return false;
	while (p < end && get_extension(&p, end, &found, value_r))
		if (found.len == oid_len && memcmp(found.p, oid, oid_len) == 0)
			return true;
	return false;
}

bool
tls_certinfo_issued_by(const mbedtls_x509_crt *crt, const mbedtls_x509_crt *issuer)
{
	const mbedtls_x509_buf *a = &crt->issuer_raw, *b = &issuer->subject_raw;

	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

void
tls_certinfo_dn(const mbedtls_x509_name *dn, char *text_r, size_t size)
{
	if (mbedtls_x509_dn_gets(text_r, size, dn) < 0)
		(void)snprintf(text_r, size, "a very long name");
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
