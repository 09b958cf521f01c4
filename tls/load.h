/*
 * load.h: reads certificate chains and private keys from PEM files; private to tls/.
 *
 * All return 0, or -1 with error set.  Contexts are initialized by the caller, who frees them whatever
 * is returned.
 */
#ifndef TLS_LOAD_H
#define TLS_LOAD_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "tls/tls.h"

/*
 * Reads a chain, leaf first, whose key is one that we serve: RSA of 2048 bits at least, P-256 or P-384.
 * Refused: a file with a private key in it (wiped from memory), without certificates, or with a
 * certificate that cannot be parsed.
 */
int tls_load_server_chain(const char *path, mbedtls_x509_crt *chain, struct tls_error *error);

/* The same for a key of any kind. */
int tls_load_chain(const char *path, mbedtls_x509_crt *chain, struct tls_error *error);

/*
 * Reads a server's chain and the private key of its leaf.  Refused: a key that is encrypted, that
 * group or others have any right to, or that does not fit the leaf.
 */
int tls_load_pair(const char *chain_path, const char *key_path, mbedtls_x509_crt *chain,
    mbedtls_pk_context *key, struct tls_error *error);

#endif
