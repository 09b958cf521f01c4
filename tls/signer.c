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
 * In a static build --wrap=mbedtls_pk_sign,--wrap=mbedtls_pk_sign_ext has to do what the PLT does.
 */
#include <string.h>

#include <mbedtls/rsa.h>

#include "tls/compat.h"
#include "tls/server.h"
#include "tls/signer.h"

/* mbedTLS passes no context to these functions, and a process has only one handshake at a time. */
static struct tls_signer *current;

void
tls_signer_enter(struct tls_signer *signer)
{
	current = signer;
}

void
tls_signer_leave(void)
{
	current = NULL;
}

/* size_max: octets that mbedTLS's buffer, sig, has for the service's answer. */
static int
ask(const mbedtls_pk_context *pk, bool pss, mbedtls_md_type_t md, const unsigned char *hash,
    size_t hash_len, unsigned char *sig, size_t size_max, size_t *sig_len)
{
	struct tls_sign_request request = {0};
	unsigned char answer[TLS_SIGNATURE_MAX];
	ssize_t n;
	int number;

	*sig_len = 0;
	if (current == NULL || current->service == NULL || current->service->sign == NULL)
		return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
	if ((number = tls_server_key_number(current->server, pk)) < 0 || hash_len > TLS_HASH_MAX)
		return MBEDTLS_ERR_PK_BAD_INPUT_DATA;
	request.key = (uint8_t)number;
	request.pss = pss;
	request.md = (uint8_t)md;
	request.hash_len = (uint8_t)hash_len;
	memcpy(request.hash, hash, hash_len);
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
	(void)f_rng;
	(void)p_rng;
	return ask(pk, false, md, hash, hash_len, sig, COMPAT_SIZE_VALUE(sig_size), sig_len);
}

/* TLS 1.3: type says whether an RSA key signs with PSS, and it never wants anything else. */
__attribute__((visibility("default"))) int
mbedtls_pk_sign_ext(mbedtls_pk_type_t type, mbedtls_pk_context *pk, mbedtls_md_type_t md,
    const unsigned char *hash, size_t hash_len, unsigned char *sig,
    COMPAT_SIZE_PARAMETER(sig_size) size_t *sig_len, int (*f_rng)(void *, unsigned char *, size_t),
    void *p_rng)
{
	(void)f_rng;
	(void)p_rng;
	return ask(pk, type == MBEDTLS_PK_RSASSA_PSS, md, hash, hash_len, sig,
	    COMPAT_SIZE_VALUE(sig_size), sig_len);
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
