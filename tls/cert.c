/*
 * cert.c: carries out orders for keys, certificates and requests.
 * Runs as: whoever types `sallyport cert`.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>

#include "tls/cert.h"
#include "tls/certinfo.h"
#include "tls/certwrite.h"
#include "tls/compat.h"
#include "tls/error.h"
#include "tls/load.h"

enum {
	COMMON_NAME_MAX = 64, /* RFC 5280, appendix A.1: ub-common-name */
	LABEL_MAX = 63,	      /* RFC 1035, section 2.3.4 */
	DAYS_MAX = 36500,
	CLOCK_SLACK = 3600, /* seconds that a client's clock may be behind */
	KEY_PEM_SIZE = 8192,
};

_Static_assert((int)TLS_CERT_NAMES_MAX == (int)TLS_CERTWRITE_NAMES, "what is promised is encoded");

/* An order that is carried out. */
struct making {
	const struct tls_cert_order *order;
	struct tls_certwrite cert;
	mbedtls_pk_context key, ca_key;
	mbedtls_x509_crt ca_chain;
};

/* --- the order --- */

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
bool
tls_cert_name_valid(const char *name)
{
	struct in6_addr address;
	const char *dot;

	if (strlen(name) > TLS_CERT_NAME_LEN)
		return false;
	if (inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1)
		return true;
	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	for (; (dot = strchr(name, '.')) != NULL; name = dot + 1)
		if (!label_valid(name, (size_t)(dot - name)))
			return false;
	return label_valid(name, strlen(name)) && strspn(name, "0123456789") != strlen(name);
}

static int
check_names(const struct tls_cert_order *order, struct tls_error *error)
{
	if (order->names_len == 0)
		return tls_error_set(error, "a server's certificate needs a name");
	if (order->names_len > TLS_CERT_NAMES_MAX)
		return tls_error_set(error, "%d names are the most", TLS_CERT_NAMES_MAX);
	for (size_t i = 0; i < order->names_len; i++)
		if (!tls_cert_name_valid(order->names[i]))
			return tls_error_set(error,
			    "\"%s\" is neither a host name nor an address (a name with other letters "
			    "than a to z is written in its xn-- form)",
			    order->names[i]);
	return 0;
}

static int
file_exists(const char *path, struct tls_error *error)
{
	return tls_error_set(error, "%s exists already and is not overwritten", path);
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
	/* Before the key is made, which takes time; open(2) makes sure of it later. */
	if (access(order->key_path, F_OK) == 0)
		return file_exists(order->key_path, error);
	if (access(order->cert_path, F_OK) == 0)
		return file_exists(order->cert_path, error);
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

static void
fill_certificate(struct making *making, enum tls_cert_kind kind)
{
	const struct tls_cert_order *order = making->order;
	struct tls_certwrite *cert = &making->cert;
	time_t now = time(NULL);

	cert->ca = kind == TLS_CERT_CA;
	cert->subject = cert->ca ? "sallyport CA" : default_subject(order);
	if (order->subject != NULL)
		cert->subject = order->subject;
	cert->names = order->names;
	cert->names_len = order->names_len;
	cert->from = now - CLOCK_SLACK;
	cert->until = now + (time_t)order->days * 24 * 3600;
	cert->key = &making->key;
}

static int
load_ca(struct making *making, struct tls_error *error)
{
	const struct tls_cert_order *order = making->order;
	mbedtls_x509_crt *ca = &making->ca_chain;
	time_t until;

	if (tls_load_pair(order->ca_cert_path, order->ca_key_path, ca, &making->ca_key, error) != 0)
		return -1;
	if (!compat_is_ca(ca) ||
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

/* --- the key and the certificate --- */

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

/* The CA's chain after a leaf: a client that trusts the CA by its digest (DANE) has to be shown it. */
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

/* --- the files --- */

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

/* The name is on disk only when its directory is. */
static int
sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, result;

	if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	result = fsync(fd);
	if (close(fd) != 0)
		result = -1;
	return result;
}

/* Makes a new file with this text and mode, on disk when this returns; an existing one is an error. */
static int
write_file(const char *path, mode_t mode, const char *text, struct tls_error *error)
{
	int fd, saved;
	bool well;

	/* 0600 until it is whole; the umask has no say in the end. */
	if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		return errno == EEXIST ? file_exists(path, error)
				       : tls_error_set(error, "%s: %s", path, strerror(errno));
	well = write_all(fd, text) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0;
	saved = errno;
	if (close(fd) != 0 && well) {
		well = false;
		saved = errno;
	}
	if (well && sync_directory(path) == 0)
		return 0;
	if (well)
		saved = errno;
	(void)unlink(path);
	return tls_error_set(error, "%s: %s", path, strerror(saved));
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
		result = write_file(making->order->key_path, 0600, pem, error);
	explicit_bzero(pem, sizeof pem);
	return result;
}

/* The key first: a certificate without its key would be worse than the other way round. */
static int
write_files(struct making *making, const char *pem, struct tls_error *error)
{
	if (pem == NULL)
		return tls_error_set(error, "the certificate cannot be encoded or signed");
	if (write_key(making, error) != 0)
		return -1;
	if (write_file(making->order->cert_path, 0644, pem, error) != 0) {
		(void)unlink(making->order->key_path);
		return -1;
	}
	return 0;
}

/* --- all of it --- */

static int
carry_out(struct making *making, enum tls_cert_kind kind, struct tls_error *error)
{
	const struct tls_cert_order *order = making->order;
	bool signed_by_ca = kind == TLS_CERT_SERVER && order->ca_cert_path != NULL;
	char *pem;
	int result;

	if ((kind != TLS_CERT_CA && check_names(order, error) != 0) ||
	    check_order(order, error) != 0)
		return -1;
	fill_certificate(making, kind);
	if ((signed_by_ca && load_ca(making, error) != 0) || make_key(making, error) != 0)
		return -1;
	pem = tls_certwrite(&making->cert, kind == TLS_CERT_REQUEST);
	if (signed_by_ca)
		pem = append_chain(pem, &making->ca_chain);
	result = write_files(making, pem, error);
	free(pem);
	return result;
}

int
tls_cert_make(enum tls_cert_kind kind, const struct tls_cert_order *order, struct tls_error *error)
{
	struct making making = {.order = order};
	int result;

	mbedtls_pk_init(&making.key);
	mbedtls_pk_init(&making.ca_key);
	mbedtls_x509_crt_init(&making.ca_chain);
	result = carry_out(&making, kind, error);
	mbedtls_pk_free(&making.key);
	mbedtls_pk_free(&making.ca_key);
	mbedtls_x509_crt_free(&making.ca_chain);
	return result;
}
