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

/* TLS 1.2: the client's random, the server's, and ServerECDHParams of a curve that we offer.  RFC 8422 section 5.4. */
static bool
is_key_exchange(const unsigned char *content, size_t len)
{
	enum { RANDOMS = 64, HEAD = RANDOMS + 4, NAMED_CURVE = 3, UNCOMPRESSED = 4 };
	static const struct {
		uint8_t curve, point_len;
	} curves[] = {
	    {29, 32}, {23, 65}, {24, 97}}; /* X25519, P-256, P-384; RFC 8422 section 5.1.1 */

	if (len <= HEAD || content[RANDOMS] != NAMED_CURVE || content[RANDOMS + 1] != 0 ||
	    content[RANDOMS + 3] != len - HEAD)
		return false;
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (content[RANDOMS + 2] == curves[i].curve && len - HEAD == curves[i].point_len)
			return i == 0 || content[HEAD] == UNCOMPRESSED;
	return false;
}

/* TLS 1.3: the context of a server, with its octet 0, and a hash of the transcript.  RFC 8446 section 4.4.3. */
static bool
is_certificate_verify(const unsigned char *content, size_t len)
{
	static const char context[] =
	    "                                                                "
	    "TLS 1.3, server CertificateVerify";

	return (len == sizeof context + 32 || len == sizeof context + 48) &&
	       memcmp(content, context, sizeof context) == 0;
}

ssize_t
tls_keys_sign(
    struct tls_keys *keys, const struct tls_sign_request *request, unsigned char *out, size_t size)
{
	unsigned char signature[TLS_SIGNATURE_MAX], hash[MBEDTLS_MD_MAX_SIZE];
	mbedtls_md_type_t md = (mbedtls_md_type_t)request->md;
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
	mbedtls_pk_context *key;
	bool tls13;
	ssize_t n;

	if (request->key >= keys->len || request->len > TLS_SIGNED_MAX || info == NULL ||
	    (md != MBEDTLS_MD_SHA256 && md != MBEDTLS_MD_SHA384 && md != MBEDTLS_MD_SHA512))
		return -1;
	tls13 = is_certificate_verify(request->content, request->len);
	if (!tls13 && !is_key_exchange(request->content, request->len))
		return -1;
	if (mbedtls_md(info, request->content, request->len, hash) != 0)
		return -1;
	key = &keys->keys[request->key];
	n = tls_signer_local(key, tls13 && mbedtls_pk_can_do(key, MBEDTLS_PK_RSA), md, hash,
	    mbedtls_md_get_size(info), signature);
	if (n <= 0 || (size_t)n > size)
		return -1;
	memcpy(out, signature, (size_t)n);
	return n;
}
