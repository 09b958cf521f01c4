/*
 * keys.c: the private keys, and the signatures that workers ask for.
 * Runs as: key.  A process that called tls_keys_add must never become anything else: the parser
 * leaves parts of keys in freed memory.
 */
#include <stdlib.h>
#include <string.h>

#include <mbedtls/md.h>
#include <mbedtls/pk.h>

#include "tls/error.h"
#include "tls/load.h"
#include "tls/server.h"
#include "tls/signer.h"

struct tls_keys {
	size_t len;
	mbedtls_pk_context keys[TLS_SERVER_CERTS];
};

struct tls_keys *
tls_keys_new(void)
{
	return calloc(1, sizeof(struct tls_keys));
}

void
tls_keys_free(struct tls_keys **keys)
{
	if (*keys == NULL)
		return;
	for (size_t i = 0; i < (*keys)->len; i++)
		mbedtls_pk_free(&(*keys)->keys[i]);
	explicit_bzero(*keys, sizeof **keys);
	free(*keys);
	*keys = NULL;
}

int
tls_keys_add(
    struct tls_keys *keys, const char *chain_path, const char *key_path, struct tls_error *error)
{
	mbedtls_pk_context *key = &keys->keys[keys->len];
	mbedtls_x509_crt chain;
	int result;

	if (keys->len == TLS_SERVER_CERTS)
		return tls_error_set(
		    error, "private key %s: %d keys are the most", key_path, TLS_SERVER_CERTS);
	mbedtls_x509_crt_init(&chain);
	mbedtls_pk_init(key);
	result = tls_load_pair(chain_path, key_path, &chain, key, error);
	if (result == 0)
		keys->len++;
	else
		mbedtls_pk_free(key);
	mbedtls_x509_crt_free(&chain);
	return result;
}

bool
tls_keys_have_rsa(const struct tls_keys *keys)
{
	for (size_t i = 0; i < keys->len; i++)
		if (mbedtls_pk_can_do(&keys->keys[i], MBEDTLS_PK_RSA))
			return true;
	return false;
}

/*
 * A TLS handshake can ask for this and nothing else.  The asker may be a worker that was taken
 * over: that it gets a hash of its choice signed cannot be helped, only counted (TLS_SIGNATURES).
 */
static bool
request_valid(const struct tls_keys *keys, const struct tls_sign_request *request)
{
	mbedtls_md_type_t md = (mbedtls_md_type_t)request->md;
	const mbedtls_md_info_t *info;

	if (request->key >= keys->len || request->pss > 1)
		return false;
	if (md != MBEDTLS_MD_SHA256 && md != MBEDTLS_MD_SHA384 && md != MBEDTLS_MD_SHA512)
		return false;
	if ((info = mbedtls_md_info_from_type(md)) == NULL ||
	    request->hash_len != mbedtls_md_get_size(info))
		return false;
	return request->pss == 0 || mbedtls_pk_can_do(&keys->keys[request->key], MBEDTLS_PK_RSA);
}

ssize_t
tls_keys_sign(
    struct tls_keys *keys, const struct tls_sign_request *request, unsigned char *out, size_t size)
{
	unsigned char signature[TLS_SIGNATURE_MAX];
	ssize_t n;

	if (!request_valid(keys, request))
		return -1;
	n = tls_signer_local(&keys->keys[request->key], request->pss == 1,
	    (mbedtls_md_type_t)request->md, request->hash, request->hash_len, signature);
	if (n <= 0 || (size_t)n > size)
		return -1;
	memcpy(out, signature, (size_t)n);
	return n;
}
