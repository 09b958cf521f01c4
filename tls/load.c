/*
 * load.c: reads certificate chains and private keys from PEM files.
 * Runs as: root (chains, at start and reload), key (keys), whoever makes a certificate.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "tls/compat.h"
#include "tls/error.h"
#include "tls/load.h"

enum {
	FILE_MAX = 256 * 1024, /* a chain of ten certificates with a hundred names each has 60 kB */
	/* RFC 9325, section 4.5; and MBEDTLS_MPI_MAX_SIZE is where TLS_SIGNATURE_MAX ends. */
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8 * TLS_SIGNATURE_MAX,
};

/* --- the file --- */

/* A whole file with a NUL after it (len does not count it). */
struct pem_file {
	const char *path;
	const char *what; /* for errors: "certificate" or "private key" */
	char *text;
	size_t size, len; /* what was allocated, and what was read */
};

static int
failed(const struct pem_file *file, const char *why, struct tls_error *error)
{
	(void)tls_error_set(error, "%s %s: %s", file->what, file->path, why);
	return -1;
}

/* Judges the file that was opened: symbolic links are fine, as certificate clients make them. */
static int
check_file(int fd, bool secret, struct pem_file *file, struct tls_error *error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return failed(file, strerror(errno), error);
	file->size = (size_t)st.st_size + 1;
	if (!S_ISREG(st.st_mode))
		return tls_error_set(error, "%s %s is not a regular file", file->what, file->path);
	if (secret && (st.st_mode & 077) != 0)
		return tls_error_set(error, "%s %s can be %s by others: chmod 600 %s", file->what,
		    file->path, (st.st_mode & 044) != 0 ? "read" : "changed", file->path);
	if (st.st_size > FILE_MAX)
		return tls_error_set(
		    error, "%s %s is larger than %d octets", file->what, file->path, FILE_MAX);
	return 0;
}

/*
 * Reads without stdio, so that no copy of a key is left.  A file that grows meanwhile is cut at the
 * size it had, which parsing will notice.
 */
static int
fill(int fd, struct pem_file *file, struct tls_error *error)
{
	ssize_t n;

	if ((file->text = calloc(1, file->size)) == NULL)
		return failed(file, "no memory", error);
	do {
		n = read(fd, file->text + file->len, file->size - 1 - file->len);
		if (n > 0)
			file->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? failed(file, strerror(errno), error) : 0;
}

/* Reads a regular file.  secret: group and others may not have any right to it. */
static int
read_file(bool secret, struct pem_file *file, struct tls_error *error)
{
	int fd, result;

	/* Not blocking, as the path may name a FIFO. */
	if ((fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
		return failed(file, strerror(errno), error);
	result = check_file(fd, secret, file, error);
	if (result == 0)
		result = fill(fd, file, error);
	(void)close(fd);
	return result;
}

static void
wipe_file(struct pem_file *file)
{
	if (file->text != NULL)
		explicit_bzero(file->text, file->size);
	free(file->text);
}

/* Whether the file holds a private key, encrypted or not. */
static bool
has_key(const struct pem_file *file)
{
	static const char mark[] = "PRIVATE KEY-----";

	return memmem(file->text, file->len, mark, sizeof mark - 1) != NULL;
}

/* --- a chain --- */

static int
parse_chain(const struct pem_file *file, mbedtls_x509_crt *chain, struct tls_error *error)
{
	int ret;

	if (has_key(file))
		return tls_error_set(error,
		    "certificate %s holds a private key too: move the key to a file of its own, "
		    "mode 600",
		    file->path);
	if (strstr(file->text, "-----BEGIN CERTIFICATE-----") == NULL)
		return tls_error_set(error, "certificate %s holds no PEM certificate", file->path);
	ret = mbedtls_x509_crt_parse(chain, (const unsigned char *)file->text, file->len + 1);
	if (ret < 0)
		return tls_error_library(error, ret, "certificate %s", file->path);
	if (ret > 0)
		return tls_error_set(error, "certificate %s: %d of its certificates cannot be read",
		    file->path, ret);
	return 0;
}

int
tls_load_chain(const char *path, mbedtls_x509_crt *chain, struct tls_error *error)
{
	struct pem_file file = {.path = path, .what = "certificate"};
	int result = read_file(false, &file, error);

	if (result == 0)
		result = parse_chain(&file, chain, error);
	wipe_file(&file);
	return result;
}

int
tls_load_server_chain(const char *path, mbedtls_x509_crt *chain, struct tls_error *error)
{
	const mbedtls_pk_context *pk = &chain->pk;
	mbedtls_ecp_group_id group;
	size_t bits;

	if (tls_load_chain(path, chain, error) != 0)
		return -1;
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_RSA)) {
		bits = mbedtls_pk_get_bitlen(pk);
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
			return 0;
		return tls_error_set(error, "%s: an RSA key of %zu bits; %d to %d are allowed",
		    path, bits, RSA_BITS_MIN, RSA_BITS_MAX);
	}
	/* The groups that we offer, so that every client that we can speak to can check it. */
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA)) {
		group = compat_curve(pk);
		if (group == MBEDTLS_ECP_DP_SECP256R1 || group == MBEDTLS_ECP_DP_SECP384R1)
			return 0;
	}
	return tls_error_set(
	    error, "%s: the key is neither RSA nor on the curves P-256 or P-384", path);
}

/* --- a key --- */

static int
parse_key(const struct pem_file *file, mbedtls_pk_context *key, struct tls_error *error)
{
	int ret;

	if (!has_key(file))
		return tls_error_set(error, "private key %s holds no PEM private key", file->path);
	/* PKCS #8 says so in its first line, the older format in a header line. */
	if (strstr(file->text, "BEGIN ENCRYPTED PRIVATE KEY") != NULL ||
	    strstr(file->text, "Proc-Type: 4,ENCRYPTED") != NULL)
		return tls_error_set(error,
		    "private key %s is encrypted, and there is nobody to ask for its password: "
		    "decrypt it with openssl pkey",
		    file->path);
	ret = mbedtls_pk_parse_key(
	    key, (const unsigned char *)file->text, file->len + 1, NULL, 0 COMPAT_RNG_ARGS);
	return ret == 0 ? 0 : tls_error_library(error, ret, "private key %s", file->path);
}

int
tls_load_pair(const char *chain_path, const char *key_path, mbedtls_x509_crt *chain,
    mbedtls_pk_context *key, struct tls_error *error)
{
	struct pem_file file = {.path = key_path, .what = "private key"};
	int result = tls_load_server_chain(chain_path, chain, error);

	if (result == 0)
		result = read_file(true, &file, error);
	if (result == 0)
		result = parse_key(&file, key, error);
	wipe_file(&file);
	if (result == 0 && mbedtls_pk_check_pair(&chain->pk, key COMPAT_RNG_ARGS) != 0)
		return tls_error_set(error,
		    "private key %s does not belong to the first certificate of %s", key_path,
		    chain_path);
	return result;
}
