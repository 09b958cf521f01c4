/*
 * certcheck.c: what clients will not like about a certificate chain.
 * Runs as: root (start, reload, daily), whoever types `sallyport check`.
 *
 * A CA that clients have need not be in the file, so that a chain may end anywhere but at a server's
 * certificate which somebody else signed: then the intermediate is missing, the commonest mistake of
 * all (cert.pem instead of fullchain.pem).  A private CA that signs by its root itself looks the same,
 * and its certificate does no harm in the file.  A self-signed certificate, and a root at the end, are
 * fine.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tls/certinfo.h"
#include "tls/server.h"

enum { DAY = 24 * 60 * 60, NAME_TEXT = 160 };

struct look {
	struct tls_findings *findings;
	mbedtls_x509_crt *chain;
	time_t now;
};

static void __attribute__((format(printf, 3, 4)))
find(struct look *look, bool wrong, const char *format, ...)
{
	struct tls_findings *findings = look->findings;
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

static void
name_text(const mbedtls_x509_name *name, char text_r[NAME_TEXT])
{
	if (mbedtls_x509_dn_gets(text_r, NAME_TEXT, name) < 0)
		(void)snprintf(text_r, NAME_TEXT, "a very long name");
}

static bool
same_name(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static bool
has_issuer_of(const mbedtls_x509_crt *chain, const mbedtls_x509_crt *crt)
{
	for (; chain != NULL; chain = chain->next)
		if (chain != crt && same_name(&chain->subject_raw, &crt->issuer_raw))
			return true;
	return false;
}

static void
look_at_times(struct look *look, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_time *to = &crt->valid_to, *from = &crt->valid_from;
	long long left = (long long)(tls_certinfo_time(to) - look->now);
	char name[NAME_TEXT];

	name_text(&crt->subject, name);
	if (left < 0)
		find(look, true, "%s has expired, on %04d-%02d-%02d: renew it", name, to->year,
		    to->mon, to->day);
	else if (left < (long long)TLS_EXPIRES_SOON * DAY)
		find(look, false, "%s expires in %lld days, on %04d-%02d-%02d: renew it", name,
		    left / DAY, to->year, to->mon, to->day);
	if (tls_certinfo_time(from) > look->now)
		find(look, true,
		    "%s is not valid before %04d-%02d-%02d %02d:%02d UTC: is the clock right?",
		    name, from->year, from->mon, from->day, from->hour, from->min);
}

/* Each certificate is to be followed by that of its issuer (RFC 5246 section 7.4.2).  False: told. */
static bool
look_at_order(struct look *look)
{
	const mbedtls_x509_crt *crt, *next;
	char name[NAME_TEXT], issuer[NAME_TEXT];

	for (crt = look->chain; (next = crt->next) != NULL; crt = next) {
		if (same_name(&next->subject_raw, &crt->issuer_raw))
			continue;
		name_text(&crt->subject, name);
		name_text(&crt->issuer, issuer);
		if (has_issuer_of(look->chain, crt))
			find(look, true,
			    "the certificates are in the wrong order: %s must be followed by that of "
			    "its issuer, %s",
			    name, issuer);
		else
			find(look, true, "the chain lacks the certificate of %s, which signed %s",
			    issuer, name);
		return false;
	}
	return true;
}

static void
look_at_issuers(struct look *look)
{
	mbedtls_x509_crt *leaf = look->chain, *last = leaf;
	uint32_t flags = 0;
	char issuer[NAME_TEXT];

	if (leaf->next == NULL) {
		name_text(&leaf->issuer, issuer);
		if (!tls_certinfo_self_issued(leaf))
			find(look, true,
			    "the chain lacks the certificate of %s, which signed the first: use the "
			    "CA's full chain (fullchain.pem), or append it",
			    issuer);
		return;
	}
	while (last->next != NULL)
		last = last->next;
	(void)mbedtls_x509_crt_verify(leaf, last, NULL, NULL, &flags, NULL, NULL);
	if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
		find(look, true,
		    "the chain does not hold together: a signature is not by the key of the "
		    "certificate that follows, or that is not a CA's");
}

void
tls_server_look(
    const struct tls_server *server, size_t index, time_t now, struct tls_findings *findings_r)
{
	struct look look = {.findings = findings_r, .now = now};
	const mbedtls_x509_sequence *names;
	const mbedtls_x509_crt *crt;
	char name[TLS_NAME_TEXT];

	findings_r->len = 0;
	if (index >= server->len)
		return;
	crt = look.chain = server->certs[index];
	do
		look_at_times(&look, crt);
	while ((crt = crt->next) != NULL);
	if (look_at_order(&look))
		look_at_issuers(&look);
	names = &look.chain->subject_alt_names;
	if (!tls_certinfo_name(&names, name))
		find(&look, true, "it names no host (subjectAltName), so that no client takes it");
}
