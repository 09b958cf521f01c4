/*
 * cert.c: carries out orders for keys, certificates and requests.
 * Runs as: whoever types `sallyport cert`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>

#include "tls/cert.h"
#include "tls/certinfo.h"
#include "tls/certwrite.h"
#include "tls/compat.h"
#include "tls/error.h"
#include "tls/file.h"
#include "tls/load.h"

enum {
	COMMON_NAME_MAX = 64, /* RFC 5280, appendix A.1: ub-common-name */
	DAYS_MAX = 36500,
	CLOCK_SLACK = 3600, /* seconds that a client's clock may be behind */
	KEY_PEM_SIZE = 8192,
};

/* What one order has open. */
struct making {
	const struct tls_cert_order *order;
	struct tls_certwrite cert;
	mbedtls_pk_context key, ca_key;
	mbedtls_x509_crt ca_chain;
};

static void
making_init(struct making *making, const struct tls_cert_order *order)
{
	memset(making, 0, sizeof *making);
	making->order = order;
	mbedtls_pk_init(&making->key);
	mbedtls_pk_init(&making->ca_key);
	mbedtls_x509_crt_init(&making->ca_chain);
}

static void
making_clear(struct making *making)
{
	mbedtls_pk_free(&making->key);
	mbedtls_pk_free(&making->ca_key);
	mbedtls_x509_crt_free(&making->ca_chain);
}

/* --- the order --- */

static int
check_names(const struct tls_cert_order *order, struct tls_error *error)
{
	if (order->names_len == 0)
		return tls_error_set(error, "a server's certificate needs a name");
	if (order->names_len > TLS_CERT_NAMES_MAX)
		return tls_error_set(error, "%d names are the most", TLS_CERT_NAMES_MAX);
	for (size_t i = 0; i < order->names_len; i++)
		if (!tls_certwrite_name_valid(order->names[i]))
			return tls_error_set(error,
			    "\"%s\" is neither a host name nor an address (a name with other letters "
			    "than a to z is written in its xn-- form)",
			    order->names[i]);
	return 0;
}

/* The first name that fits; subjects are for people, programs look at subjectAltName. */
static const char *
default_subject(const struct tls_cert_order *order)
{
	for (size_t i = 0; i < order->names_len; i++)
		if (strlen(order->names[i]) <= COMMON_NAME_MAX)
			return order->names[i];
	return "mail server";
}

static int
check_order(const struct tls_cert_order *order, struct tls_error *error)
{
	size_t len = order->subject != NULL ? strlen(order->subject) : 1;

	if (len == 0 || len > COMMON_NAME_MAX)
		return tls_error_set(
		    error, "a common name has 1 to %d octets, not %zu", COMMON_NAME_MAX, len);
	if (order->days < 1 || order->days > DAYS_MAX)
		return tls_error_set(error, "%d days: 1 to %d are possible", order->days, DAYS_MAX);
	/* Before the key is made, which takes time; that they are new is made sure of at open(2). */
	if (access(order->key_path, F_OK) == 0)
		return tls_error_set(
		    error, "%s exists already and is not overwritten", order->key_path);
	if (access(order->cert_path, F_OK) == 0)
		return tls_error_set(
		    error, "%s exists already and is not overwritten", order->cert_path);
	return 0;
}

/* --- the CA --- */

static int
load_ca(struct making *making, struct tls_error *error)
{
	const struct tls_cert_order *order = making->order;
	mbedtls_x509_crt *ca = &making->ca_chain;
	time_t until;

	if (tls_load_pair(order->ca_cert_path, order->ca_key_path, ca, &making->ca_key, error) != 0)
		return -1;
	if (!tls_certinfo_is_ca(ca) ||
	    mbedtls_x509_crt_check_key_usage(ca, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0)
		return tls_error_set(error, "%s is not a CA's certificate", order->ca_cert_path);
	until = tls_certinfo_time(&ca->valid_to);
	if (until <= time(NULL))
		return tls_error_set(
		    error, "the CA's certificate %s has expired", order->ca_cert_path);
	/* A certificate is good for nothing once its CA has expired. */
	if (making->cert.until > until)
		making->cert.until = until;
	making->cert.ca_cert = ca;
	making->cert.ca_key = &making->ca_key;
	return 0;
}

/* --- the key --- */

static int
make_key(struct making *making, struct tls_error *error)
{
	mbedtls_pk_context *key = &making->key;
	enum tls_cert_key kind = making->order->key;
	mbedtls_pk_type_t type = kind == TLS_CERT_P256 ? MBEDTLS_PK_ECKEY : MBEDTLS_PK_RSA;
	int ret = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(type));

	if (ret == 0 && kind == TLS_CERT_P256)
		ret =
		    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), COMPAT_RNG);
	else if (ret == 0)
		ret = mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), COMPAT_RNG,
		    kind == TLS_CERT_RSA3072 ? 3072 : 2048, 65537);
	return ret == 0 ? 0 : tls_error_library(error, ret, "making a key");
}

static int
write_key(struct making *making, struct tls_error *error)
{
	char pem[KEY_PEM_SIZE];
	int ret = mbedtls_pk_write_key_pem(&making->key, (unsigned char *)pem, sizeof pem);
	int result;

	if (ret != 0)
		result = tls_error_library(error, ret, "writing a key");
	else
		result = tls_file_make(making->order->key_path, 0600, pem, error);
	explicit_bzero(pem, sizeof pem);
	return result;
}

/* --- the files --- */

/* The CA's chain behind a leaf: whoever trusts the CA by its digest (DANE) has to be shown it. */
static char *
append_chain(char *pem, const mbedtls_x509_crt *chain)
{
	for (; pem != NULL && chain != NULL; chain = chain->next) {
		char *more = tls_certwrite_pem("CERTIFICATE", chain->raw.p, chain->raw.len);
		char *both = NULL;

		if (more == NULL || asprintf(&both, "%s%s", pem, more) < 0)
			both = NULL;
		free(more);
		free(pem);
		pem = both;
	}
	return pem;
}

/* The key first: a certificate without its key would be worse than the other way round. */
static int
write_files(struct making *making, char *pem, struct tls_error *error)
{
	if (pem == NULL)
		return tls_error_set(error, "the certificate cannot be encoded or signed");
	if (write_key(making, error) != 0)
		return -1;
	if (tls_file_make(making->order->cert_path, 0644, pem, error) != 0) {
		(void)unlink(making->order->key_path);
		return -1;
	}
	return 0;
}

/* --- the three orders --- */

static int
begin(struct making *making, struct tls_error *error)
{
	const struct tls_cert_order *order = making->order;
	time_t now = time(NULL);

	if (check_order(order, error) != 0)
		return -1;
	making->cert.subject = order->subject != NULL ? order->subject : default_subject(order);
	making->cert.names = order->names;
	making->cert.names_len = order->names_len;
	making->cert.from = now - CLOCK_SLACK;
	making->cert.until = now + (time_t)order->days * 24 * 3600;
	making->cert.key = &making->key;
	return 0;
}

int
tls_cert_make_ca(const struct tls_cert_order *order, struct tls_error *error)
{
	struct making making;
	char *pem = NULL;
	int result = -1;

	making_init(&making, order);
	if (begin(&making, error) == 0 && make_key(&making, error) == 0) {
		making.cert.ca = true;
		if (order->subject == NULL)
			making.cert.subject = "sallyport CA";
		pem = tls_certwrite_certificate(&making.cert);
		result = write_files(&making, pem, error);
	}
	free(pem);
	making_clear(&making);
	return result;
}

int
tls_cert_make_server(const struct tls_cert_order *order, struct tls_error *error)
{
	struct making making;
	char *pem = NULL;
	int result = -1;

	making_init(&making, order);
	if (check_names(order, error) == 0 && begin(&making, error) == 0 &&
	    (order->ca_cert_path == NULL || load_ca(&making, error) == 0) &&
	    make_key(&making, error) == 0) {
		pem = tls_certwrite_certificate(&making.cert);
		if (order->ca_cert_path != NULL)
			pem = append_chain(pem, &making.ca_chain);
		result = write_files(&making, pem, error);
	}
	free(pem);
	making_clear(&making);
	return result;
}

int
tls_cert_make_request(const struct tls_cert_order *order, struct tls_error *error)
{
	struct making making;
	char *pem = NULL;
	int result = -1;

	making_init(&making, order);
	if (check_names(order, error) == 0 && begin(&making, error) == 0 &&
	    make_key(&making, error) == 0) {
		pem = tls_certwrite_request(&making.cert);
		result = write_files(&making, pem, error);
	}
	free(pem);
	making_clear(&making);
	return result;
}
