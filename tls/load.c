/*
 * load.c: certificate chains and private keys from PEM files.
 * Runs as: root (chains, at start and reload), key (keys), whoever makes a certificate.
 */
#include <string.h>

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "tls/compat.h"
#include "tls/error.h"
#include "tls/file.h"
#include "tls/load.h"

/* RFC 9325, section 4.5; and MBEDTLS_MPI_MAX_SIZE is where TLS_SIGNATURE_MAX ends. */
enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8 * TLS_SIGNATURE_MAX };

static int
parse_chain(
    const char *path, const struct tls_file *file, mbedtls_x509_crt *chain, struct tls_error *error)
{
	int ret;

	if (tls_file_has_key(file))
		return tls_error_set(error,
		    "certificate %s holds a private key too: move the key to a file of its own, "
		    "mode 600",
		    path);
	if (strstr(file->text, "-----BEGIN CERTIFICATE-----") == NULL)
		return tls_error_set(error, "certificate %s holds no PEM certificate", path);
	ret = mbedtls_x509_crt_parse(chain, (const unsigned char *)file->text, file->len + 1);
	if (ret < 0)
		return tls_error_library(error, ret, "certificate %s", path);
	if (ret > 0)
		return tls_error_set(
		    error, "certificate %s: %d of its certificates cannot be read", path, ret);
	return 0;
}

int
tls_load_chain(const char *path, mbedtls_x509_crt *chain, struct tls_error *error)
{
	struct tls_file file;
	int result;

	if (tls_file_read(path, false, &file, error) != 0)
		return -1;
	result = parse_chain(path, &file, chain, error);
	tls_file_clear(&file);
	return result;
}

static int
parse_key(
    const char *path, const struct tls_file *file, mbedtls_pk_context *key, struct tls_error *error)
{
	int ret;

	if (!tls_file_has_key(file))
		return tls_error_set(error, "private key %s holds no PEM private key", path);
	/* PKCS #8 says so in its first line, the older format in a header line. */
	if (strstr(file->text, "BEGIN ENCRYPTED PRIVATE KEY") != NULL ||
	    strstr(file->text, "Proc-Type: 4,ENCRYPTED") != NULL)
		return tls_error_set(error,
		    "private key %s is encrypted, and there is nobody to ask for its password: "
		    "decrypt it with openssl pkey",
		    path);
	ret = mbedtls_pk_parse_key(
	    key, (const unsigned char *)file->text, file->len + 1, NULL, 0 COMPAT_RNG_ARGS);
	if (ret != 0)
		return tls_error_library(error, ret, "private key %s", path);
	return 0;
}

int
tls_load_key(const char *path, mbedtls_pk_context *key, struct tls_error *error)
{
	struct tls_file file;
	int result;

	if (tls_file_read(path, true, &file, error) != 0)
		return -1;
	result = parse_key(path, &file, key, error);
	tls_file_clear(&file);
	return result;
}

int
tls_load_check_kind(const mbedtls_pk_context *pk, const char *path, struct tls_error *error)
{
	size_t bits = mbedtls_pk_get_bitlen(pk);

	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_RSA)) {
		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return tls_error_set(error,
			    "%s: an RSA key of %zu bits; %d to %d are allowed", path, bits,
			    RSA_BITS_MIN, RSA_BITS_MAX);
		return 0;
	}
	/* The groups that we offer, so that every client that we can speak to can check it. */
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA)) {
		mbedtls_ecp_group_id group = compat_curve(pk);

		if (group == MBEDTLS_ECP_DP_SECP256R1 || group == MBEDTLS_ECP_DP_SECP384R1)
			return 0;
	}
	return tls_error_set(
	    error, "%s: the key is neither RSA nor on the curves P-256 or P-384", path);
}

int
tls_load_pair(const char *chain_path, const char *key_path, mbedtls_x509_crt *chain,
    mbedtls_pk_context *key, struct tls_error *error)
{
	if (tls_load_chain(chain_path, chain, error) != 0 ||
	    tls_load_key(key_path, key, error) != 0 ||
	    tls_load_check_kind(&chain->pk, chain_path, error) != 0)
		return -1;
	if (mbedtls_pk_check_pair(&chain->pk, key COMPAT_RNG_ARGS) != 0)
		return tls_error_set(error,
		    "private key %s does not belong to the first certificate of %s", key_path,
		    chain_path);
	return 0;
}
