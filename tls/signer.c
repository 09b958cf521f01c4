/*
 * signer.c: takes the place of mbedtls_pk_sign and mbedtls_pk_sign_ext, so that a TLS server can do
 * without its private key.
 * Runs as: worker (asks), key (signs), whoever makes a certificate (signs).
 *
 * libmbedtls calls these two functions of libmbedcrypto through its PLT, so that a definition in
 * the program wins; no library version that Debian ships has a documented way that covers TLS 1.3.
 * mbedTLS gets the certificate's public key as its "private key".  Our functions find out which
 * certificate it belongs to and ask the key service.  They never sign by themselves: if they were not
 * called, or had no service, the handshake would fail, as a public key cannot sign.
 *
 * They get a hash.  The key service wants what was hashed, so the functions with which libmbedtls computes that
 * hash are defined here in the same way: they note their input, and call the library's.  If they noted something else,
 * the signature would be wrong, or refused, and the handshake would fail.
 */
#include <dlfcn.h>
#include <string.h>

#include <mbedtls/md.h>
#include <mbedtls/rsa.h>
#include <psa/crypto.h>

#include "tls/compat.h"
#include "tls/server.h"
#include "tls/signer.h"

/* mbedTLS passes no context to these functions, and a process has only one handshake at a time. */
static struct tls_signer *current;

/* The input of the hash that was computed last in this handshake. */
static struct {
	const mbedtls_md_context_t *ctx;
	size_t len; /* TLS_SIGNED_MAX + 1: more than that */
	unsigned char content[TLS_SIGNED_MAX];
} hashed;

void
tls_signer_enter(struct tls_signer *signer)
{
	current = signer;
	hashed.len = 0;
}

void
tls_signer_leave(void)
{
	current = NULL;
}

/* --- what is hashed --- */

static void
note(const unsigned char *octets, size_t len)
{
	if (len > sizeof hashed.content - hashed.len || hashed.len > sizeof hashed.content) {
		hashed.len = sizeof hashed.content + 1;
		return;
	}
	memcpy(hashed.content + hashed.len, octets, len);
	hashed.len += len;
}

/* The library's function of that name, which ours has hidden; *place keeps it.  NULL in a static program. */
static void *
library_function(void **place, const char *name)
{
	if (*place == NULL)
		*place = dlsym(RTLD_NEXT, name);
	return *place;
}

__attribute__((visibility("default"))) int
mbedtls_md_starts(mbedtls_md_context_t *ctx)
{
	static union {
		void *place;
		int (*call)(mbedtls_md_context_t *);
	} library;

	if (library_function(&library.place, "mbedtls_md_starts") == NULL)
		return MBEDTLS_ERR_MD_FEATURE_UNAVAILABLE;
	hashed.ctx = ctx;
	hashed.len = 0;
	return library.call(ctx);
}

/* TLS 1.2: two calls, with the randoms and with the parameters. */
__attribute__((visibility("default"))) int
mbedtls_md_update(mbedtls_md_context_t *ctx, const unsigned char *input, size_t len)
{
	static union {
		void *place;
		int (*call)(mbedtls_md_context_t *, const unsigned char *, size_t);
	} library;

	if (library_function(&library.place, "mbedtls_md_update") == NULL)
		return MBEDTLS_ERR_MD_FEATURE_UNAVAILABLE;
	if (current != NULL && ctx == hashed.ctx)
		note(input, len);
	return library.call(ctx, input, len);
}

/* TLS 1.3; 2.28 never calls it for a handshake. */
__attribute__((visibility("default"))) psa_status_t
psa_hash_compute(psa_algorithm_t alg, const uint8_t *input, size_t len, uint8_t *hash, size_t size,
    size_t *hash_len)
{
	static union {
		void *place;
		psa_status_t (*call)(
		    psa_algorithm_t, const uint8_t *, size_t, uint8_t *, size_t, size_t *);
	} library;

	if (library_function(&library.place, "psa_hash_compute") == NULL)
		return PSA_ERROR_NOT_SUPPORTED;
	if (current != NULL) {
		hashed.ctx = NULL;
		hashed.len = 0;
		note(input, len);
	}
	return library.call(alg, input, len, hash, size, hash_len);
}

/* --- signatures --- */

/* size_max: octets that mbedTLS's buffer, sig, has for the service's answer. */
static int
ask(const mbedtls_pk_context *pk, mbedtls_md_type_t md, unsigned char *sig, size_t size_max,
    size_t *sig_len)
{
	struct tls_sign_request request = {0};
	unsigned char answer[TLS_SIGNATURE_MAX];
	ssize_t n;
	int number;

	*sig_len = 0;
	if (current == NULL || current->service == NULL || current->service->sign == NULL)
		return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
	if ((number = tls_server_key_number(current->server, pk)) < 0 ||
	    hashed.len > sizeof request.content)
		return MBEDTLS_ERR_PK_BAD_INPUT_DATA;
	request.key = (uint8_t)number;
	request.md = (uint8_t)md;
	request.len = (uint8_t)hashed.len;
	memcpy(request.content, hashed.content, hashed.len);
	current->count++;
	n = current->service->sign(current->service->ctx, &request, answer, sizeof answer);
	if (n <= 0 || (size_t)n > sizeof answer || (size_t)n > size_max)
		return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
	memcpy(sig, answer, (size_t)n);
	*sig_len = (size_t)n;
	return 0;
}

__attribute__((visibility("default"))) int
mbedtls_pk_sign(mbedtls_pk_context *pk, mbedtls_md_type_t md, const unsigned char *hash,
    size_t hash_len, unsigned char *sig, COMPAT_SIZE_PARAMETER(sig_size) size_t *sig_len,
    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng)
{
	(void)hash, (void)hash_len, (void)f_rng, (void)p_rng;
	return ask(pk, md, sig, COMPAT_SIZE_VALUE(sig_size), sig_len);
}

/* TLS 1.3, where an RSA key always signs with PSS. */
__attribute__((visibility("default"))) int
mbedtls_pk_sign_ext(mbedtls_pk_type_t type, mbedtls_pk_context *pk, mbedtls_md_type_t md,
    const unsigned char *hash, size_t hash_len, unsigned char *sig,
    COMPAT_SIZE_PARAMETER(sig_size) size_t *sig_len, int (*f_rng)(void *, unsigned char *, size_t),
    void *p_rng)
{
	(void)type, (void)hash, (void)hash_len, (void)f_rng, (void)p_rng;
	return ask(pk, md, sig, COMPAT_SIZE_VALUE(sig_size), sig_len);
}

/* The padding is a property of the key in mbedTLS: set, used, and set back. */
static ssize_t
sign_pss(mbedtls_pk_context *key, mbedtls_md_type_t md, const unsigned char *hash, size_t hash_len,
    unsigned char out[TLS_SIGNATURE_MAX])
{
	mbedtls_rsa_context *rsa = mbedtls_pk_rsa(*key);
	size_t len = mbedtls_pk_get_len(key);
	int ret;

	if (len > TLS_SIGNATURE_MAX)
		return -1;
	(void)mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, md);
	ret = mbedtls_rsa_rsassa_pss_sign(
	    rsa, COMPAT_RNG, COMPAT_RSA_MODE_ARG md, (unsigned)hash_len, hash, out);
	(void)mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V15, MBEDTLS_MD_NONE);
	return ret == 0 ? (ssize_t)len : -1;
}

ssize_t
tls_signer_local(mbedtls_pk_context *key, bool pss, mbedtls_md_type_t md, const unsigned char *hash,
    size_t hash_len, unsigned char out[TLS_SIGNATURE_MAX])
{
	size_t len = 0;
	int ret;

	if (pss)
		return sign_pss(key, md, hash, hash_len, out);
	/* All that the original of mbedtls_pk_sign does; this name is not ours. */
	ret = mbedtls_pk_sign_restartable(key, md, hash, hash_len, out,
	    COMPAT_SIZE_ARG(TLS_SIGNATURE_MAX) & len, COMPAT_RNG, NULL);
	return ret == 0 ? (ssize_t)len : -1;
}
