/* load.h: certificate chains and private keys from PEM files; for the files of tls/ only. */
#ifndef TLS_LOAD_H
#define TLS_LOAD_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "tls/tls.h"

/*
 * Reads a chain into an initialized context, leaf first.  Refused: a file with a private key in it
 * (wiped from memory), without certificates, or with one that cannot be parsed.
 */
int tls_load_chain(const char *path, mbedtls_x509_crt *chain, struct tls_error *error);

/* Reads a private key into an initialized context: not encrypted, nobody else's to read. */
int tls_load_key(const char *path, mbedtls_pk_context *key, struct tls_error *error);

/* Whether it is one that we serve: RSA of 2048 bits at least, P-256 or P-384.  0 or -1. */
int tls_load_check_kind(const mbedtls_pk_context *pk, const char *path, struct tls_error *error);

/* Both, and whether they belong together; what is initialized is the caller's to free. */
int tls_load_pair(const char *chain_path, const char *key_path, mbedtls_x509_crt *chain,
    mbedtls_pk_context *key, struct tls_error *error);

#endif
