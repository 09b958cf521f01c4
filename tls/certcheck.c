/*
 * certcheck.c: reasons for clients to refuse a certificate chain.
 * Runs as: root (start, reload, daily), whoever types `sallyport check`.
 *
 * The CA that clients have need not be in the file.  So a chain may end anywhere but at a server's
 * certificate that is not self-signed: then the intermediate is missing, the commonest mistake of
 * all (cert.pem instead of fullchain.pem).  A private CA that signs by its root itself looks the
 * same, and its certificate does no harm in the file.  A self-signed certificate, and a root at the
 * end, are fine.
 */
#include <stdarg.h>
#include <stdio.h>

#include "tls/certinfo.h"
#include "tls/server.h"

enum {
	DAY = 24 * 60 * 60,	 /* seconds */
	EXPIRES_SOON = 14 * DAY, /* before its end a certificate is a finding */
	NAME_TEXT = 160,
};

struct check {
	struct tls_findings *findings;
	mbedtls_x509_crt *chain;
	time_t now;
};

static void __attribute__((format(printf, 3, 4)))
add_finding(struct check *check, bool wrong, const char *format, ...)
{
	struct tls_findings *findings = check->findings;
	struct tls_finding *finding;
	va_list args;

	if (findings->len == TLS_FINDINGS_MAX)
		return;
	finding = &findings->list[findings->len++];
	finding->wrong = wrong;
	va_start(args, format);
	(void)vsnprintf(/* NOLINT(clang-analyzer-valist.Uninitialized) */
	    finding->text, sizeof finding->text, format, args);
	va_end(args);
}

/* Whether the certificate of crt's issuer is anywhere in the chain. */
static bool
has_issuer_of(const mbedtls_x509_crt *chain, const mbedtls_x509_crt *crt)
{
	while (chain != NULL && (chain == crt || !tls_certinfo_issued_by(crt, chain)))
		chain = chain->next;
	return chain != NULL;
}

static void
check_times(struct check *check, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_time *to = &crt->valid_to, *from = &crt->valid_from;
	long long left = (long long)(tls_certinfo_time(to) - check->now);
	char name[NAME_TEXT];

	tls_certinfo_dn(&crt->subject, name, sizeof name);
	if (left < 0)
		add_finding(check, true, "%s has expired, on %04d-%02d-%02d: renew it", name,
		    to->year, to->mon, to->day);
	else if (left < EXPIRES_SOON)
		add_finding(check, false, "%s expires in %lld days, on %04d-%02d-%02d: renew it",
		    name, left / DAY, to->year, to->mon, to->day);
	if (tls_certinfo_time(from) > check->now)
		add_finding(check, true,
		    "%s is not valid before %04d-%02d-%02d %02d:%02d UTC: is the clock right?",
		    name, from->year, from->mon, from->day, from->hour, from->min);
}

/* A certificate is followed by its issuer's (RFC 5246 section 7.4.2); else false, and a finding. */
static bool
check_order(struct check *check)
{
	const mbedtls_x509_crt *crt, *next;
	char name[NAME_TEXT], issuer[NAME_TEXT];

	for (crt = check->chain; (next = crt->next) != NULL; crt = next) {
		if (tls_certinfo_issued_by(crt, next))
			continue;
		tls_certinfo_dn(&crt->subject, name, sizeof name);
		tls_certinfo_dn(&crt->issuer, issuer, sizeof issuer);
		if (has_issuer_of(check->chain, crt))
			add_finding(check, true,
			    "the certificates are in the wrong order: %s must be followed by that of "
			    "its issuer, %s",
			    name, issuer);
		else
			add_finding(check, true,
			    "the chain lacks the certificate of %s, which signed %s", issuer, name);
		return false;
	}
	return true;
}

static void
check_issuers(struct check *check)
{
	mbedtls_x509_crt *leaf = check->chain, *last = leaf;
	uint32_t flags = 0;
	char issuer[NAME_TEXT];

	if (leaf->next == NULL) {
		tls_certinfo_dn(&leaf->issuer, issuer, sizeof issuer);
		if (!tls_certinfo_issued_by(leaf, leaf))
			add_finding(check, true,
			    "the chain lacks the certificate of %s, which signed the first: use the "
			    "CA's full chain (fullchain.pem), or append it",
			    issuer);
		return;
	}
	while (last->next != NULL)
		last = last->next;
	(void)mbedtls_x509_crt_verify(leaf, last, NULL, NULL, &flags, NULL, NULL);
	if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
		add_finding(check, true,
		    "the chain does not hold together: a signature is not by the key of the "
		    "certificate that follows, or that is not a CA's");
}

void
tls_server_findings(
    struct tls_server *server, size_t index, time_t now, struct tls_findings *findings_r)
{
	struct check check = {.findings = findings_r, .now = now};
	const mbedtls_x509_sequence *names;
	const mbedtls_x509_crt *crt;
	char name[TLS_NAME_TEXT];

	findings_r->len = 0;
	if (index >= server->len)
		return;
	check.chain = &server->certs[index];
	for (crt = check.chain; crt != NULL; crt = crt->next)
		check_times(&check, crt);
	if (check_order(&check))
		check_issuers(&check);
	names = &check.chain->subject_alt_names;
	if (!tls_certinfo_name(&names, name))
		add_finding(
		    &check, true, "it names no host (subjectAltName), so that no client takes it");
}
