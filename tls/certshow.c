/*
 * certshow.c: certificates as text for people.
 * Runs as: whoever types `sallyport cert`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/pk.h>

#include "tls/cert.h"
#include "tls/certinfo.h"
#include "tls/compat.h"
#include "tls/error.h"
#include "tls/load.h"

static void
show_time(FILE *out, const char *label, const mbedtls_x509_time *when)
{
	(void)fprintf(out, "  %-9s%04d-%02d-%02d %02d:%02d:%02d UTC", label, when->year, when->mon,
	    when->day, when->hour, when->min, when->sec);
}

static void
show_until(FILE *out, const mbedtls_x509_time *until)
{
	long long left = (long long)tls_certinfo_time(until) - (long long)time(NULL);

	show_time(out, "until", until);
	if (left < 0)
		(void)fprintf(out, " (expired)\n");
	else
		(void)fprintf(out, " (%lld days left)\n", left / 86400);
}

static void
show_names(FILE *out, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_sequence *next = &crt->subject_alt_names;
	char name[TLS_NAME_TEXT];
	const char *label = "names";

	while (tls_certinfo_name(&next, name)) {
		(void)fprintf(out, "  %-9s%s\n", label, name);
		label = "";
	}
}

static const char *
curve_name(const mbedtls_pk_context *pk)
{
	const mbedtls_ecp_curve_info *info = mbedtls_ecp_curve_info_from_grp_id(compat_curve(pk));

	return info != NULL ? info->name : "unknown curve";
}

static void
show_key(FILE *out, const mbedtls_pk_context *pk)
{
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_RSA))
		(void)fprintf(out, "  key      RSA, %zu bits\n", mbedtls_pk_get_bitlen(pk));
	else if (mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA))
		(void)fprintf(out, "  key      ECDSA, %s\n", curve_name(pk));
	else
		(void)fprintf(out, "  key      %s\n", mbedtls_pk_get_name(pk));
}

static void
show_dn(FILE *out, const char *label, const mbedtls_x509_name *dn)
{
	char text[1024];

	if (mbedtls_x509_dn_gets(text, sizeof text, dn) < 0)
		(void)snprintf(text, sizeof text, "(too long)");
	(void)fprintf(out, "  %-9s%s\n", label, text);
}

static void
show_certificate(FILE *out, const mbedtls_x509_crt *crt, unsigned number)
{
	char sha256[TLS_SHA256_TEXT];

	(void)fprintf(out, "certificate %u%s\n", number,
	    tls_certinfo_is_ca(crt) ? " (CA)"
	    : number == 1	    ? " (server)"
				    : "");
	show_dn(out, "subject", &crt->subject);
	show_names(out, crt);
	show_time(out, "from", &crt->valid_from);
	(void)fputc('\n', out);
	show_until(out, &crt->valid_to);
	if (tls_certinfo_self_issued(crt))
		(void)fprintf(out, "  issuer   itself\n");
	else
		show_dn(out, "issuer", &crt->issuer);
	show_key(out, &crt->pk);
	tls_certinfo_sha256(crt, sha256);
	(void)fprintf(out, "  SHA-256  %s\n", sha256);
}

int
tls_cert_show(const char *path, char **text_r, struct tls_error *error)
{
	mbedtls_x509_crt chain;
	unsigned number = 0;
	size_t size;
	FILE *out;
	int result = -1;

	*text_r = NULL;
	mbedtls_x509_crt_init(&chain);
	if (tls_load_chain(path, &chain, error) != 0)
		goto out;
	if ((out = open_memstream(text_r, &size)) == NULL) {
		(void)tls_error_set(error, "no memory");
		goto out;
	}
	for (const mbedtls_x509_crt *crt = &chain; crt != NULL; crt = crt->next)
		show_certificate(out, crt, ++number);
	if (fclose(out) == 0)
		result = 0;
	else
		(void)tls_error_set(error, "no memory");
out:
	mbedtls_x509_crt_free(&chain);
	return result;
}
