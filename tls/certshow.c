/*
 * certshow.c: certificates as text: a line each for the log, a page for people.
 * Runs as: root (lines, at start and reload), whoever types `sallyport cert` or `sallyport check`.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mbedtls/pk.h>

#include "tls/cert.h"
#include "tls/certinfo.h"
#include "tls/compat.h"
#include "tls/error.h"
#include "tls/library.h"
#include "tls/load.h"
#include "tls/server.h"

enum { SHA256_TEXT = 3 * TLS_SHA256_LEN }; /* octets, with the NUL: "AB:CD:..." */

/* SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it. */
static void
fingerprint(const mbedtls_x509_crt *crt, char text_r[SHA256_TEXT])
{
	unsigned char hash[TLS_SHA256_LEN] = {0};

	/* It cannot fail: SHA-256 is compiled in, and the input is in memory. */
	(void)tls_sha256(crt->raw.p, crt->raw.len, hash);
	for (size_t i = 0; i < sizeof hash; i++)
		(void)snprintf(text_r + 3 * i, 4, i + 1 < sizeof hash ? "%02X:" : "%02X", hash[i]);
}

/* --- a line --- */

/* The names, and when they are many the first ones and how many more there are. */
static void
describe_names(const mbedtls_x509_crt *crt, char *buf, size_t size)
{
	enum { NAMES_SHOWN = 5 };
	const mbedtls_x509_sequence *next = &crt->subject_alt_names;
	char name[TLS_NAME_TEXT];
	size_t count = 0, used = 0;

	(void)snprintf(buf, size, "(no names)");
	while (tls_certinfo_name(&next, name)) {
		if (++count > NAMES_SHOWN || used >= size)
			continue;
		used +=
		    (size_t)snprintf(buf + used, size - used, "%s%s", count > 1 ? "," : "", name);
	}
	if (count > NAMES_SHOWN && used < size)
		(void)snprintf(buf + used, size - used, ",+%zu", count - NAMES_SHOWN);
}

int
tls_server_describe(const struct tls_server *server, size_t index, char *buf, size_t size)
{
	const mbedtls_x509_crt *crt;
	char names[1536], issuer[512] = "itself", sha256[SHA256_TEXT];
	int n;

	if (size > 0)
		buf[0] = '\0';
	if (index >= server->len)
		return -1;
	crt = &server->certs[index];
	describe_names(crt, names, sizeof names);
	if (!tls_certinfo_issued_by(crt, crt))
		tls_certinfo_dn(&crt->issuer, issuer, sizeof issuer);
	fingerprint(crt, sha256);
	n = snprintf(buf, size, "%s until %04d-%02d-%02d issuer \"%s\" sha256 %s", names,
	    crt->valid_to.year, crt->valid_to.mon, crt->valid_to.day, issuer, sha256);
	return n >= 0 && (size_t)n < size ? 0 : -1;
}

/* --- a page --- */

static void
show(FILE *out, const char *label, const char *text)
{
	(void)fprintf(out, "  %-9s%s\n", label, text);
}

static void
show_dn(FILE *out, const char *label, const mbedtls_x509_name *dn)
{
	char text[1024];

	tls_certinfo_dn(dn, text, sizeof text);
	show(out, label, text);
}

/* rest: what stands after the time. */
static void
show_time(FILE *out, const char *label, const mbedtls_x509_time *when, const char *rest)
{
	(void)fprintf(out, "  %-9s%04d-%02d-%02d %02d:%02d:%02d UTC%s\n", label, when->year,
	    when->mon, when->day, when->hour, when->min, when->sec, rest);
}

static void
show_until(FILE *out, const mbedtls_x509_time *until)
{
	long long left = (long long)tls_certinfo_time(until) - (long long)time(NULL);
	char rest[48] = " (expired)";

	if (left >= 0)
		(void)snprintf(rest, sizeof rest, " (%lld days left)", left / 86400);
	show_time(out, "until", until, rest);
}

static void
show_names(FILE *out, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_sequence *next = &crt->subject_alt_names;
	char name[TLS_NAME_TEXT];
	const char *label = "names";

	for (; tls_certinfo_name(&next, name); label = "")
		show(out, label, name);
}

static void
show_key(FILE *out, const mbedtls_pk_context *pk)
{
	const mbedtls_ecp_curve_info *curve;
	char text[64];

	(void)snprintf(text, sizeof text, "%s", mbedtls_pk_get_name(pk));
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_RSA)) {
		(void)snprintf(text, sizeof text, "RSA, %zu bits", mbedtls_pk_get_bitlen(pk));
	} else if (mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA)) {
		curve = mbedtls_ecp_curve_info_from_grp_id(compat_curve(pk));
		(void)snprintf(
		    text, sizeof text, "ECDSA, %s", curve != NULL ? curve->name : "unknown curve");
	}
	show(out, "key", text);
}

static void
show_certificate(FILE *out, const mbedtls_x509_crt *crt, unsigned number)
{
	char sha256[SHA256_TEXT];

	(void)fprintf(out, "certificate %u%s\n", number,
	    compat_is_ca(crt) ? " (CA)"
	    : number == 1     ? " (server)"
			      : "");
	show_dn(out, "subject", &crt->subject);
	show_names(out, crt);
	show_time(out, "from", &crt->valid_from, "");
	show_until(out, &crt->valid_to);
	if (tls_certinfo_issued_by(crt, crt))
		show(out, "issuer", "itself");
	else
		show_dn(out, "issuer", &crt->issuer);
	show_key(out, &crt->pk);
	fingerprint(crt, sha256);
	show(out, "SHA-256", sha256);
}

int
tls_cert_show(const char *path, char **text_r, struct tls_error *error)
{
	mbedtls_x509_crt chain;
	const mbedtls_x509_crt *crt = &chain;
	unsigned number = 0;
	size_t size;
	FILE *out = NULL;
	int result;

	*text_r = NULL;
	mbedtls_x509_crt_init(&chain);
	result = tls_load_chain(path, &chain, error);
	if (result == 0 && (out = open_memstream(text_r, &size)) != NULL)
		for (; crt != NULL; crt = crt->next)
			show_certificate(out, crt, ++number);
	if (result == 0 && (out == NULL || fclose(out) != 0))
		result = tls_error_set(error, "no memory");
	mbedtls_x509_crt_free(&chain);
	return result;
}
