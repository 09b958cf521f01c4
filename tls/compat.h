/*
 * compat.h: the differences between mbedTLS 2.28 and 3.6; private to tls/.  Only this file asks for the
 * version of the headers.
 */
#ifndef TLS_COMPAT_H
#define TLS_COMPAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <mbedtls/version.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "tls/library.h"

#define COMPAT_RNG tls_random, NULL

/* By what the handshake has agreed on so far. */
static inline bool
compat_is_tls13(const mbedtls_ssl_context *ssl)
{
	return strcmp(mbedtls_ssl_get_version(ssl), "TLSv1.3") == 0;
}

#if MBEDTLS_VERSION_NUMBER >= 0x03060000
#include <psa/crypto.h>

/* Arguments that 3.x has and 2.28 has not; the comma belongs to them. */
#define COMPAT_RNG_ARGS		   , COMPAT_RNG
#define COMPAT_SIZE_ARG(size)	   (size),
#define COMPAT_SIZE_PARAMETER(var) size_t var,
#define COMPAT_SIZE_VALUE(var)	   (var)
#define COMPAT_RSA_MODE_ARG

enum { COMPAT_TLS13 = 1 };

static inline int
compat_process_init(void)
{
	return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

static inline mbedtls_ecp_group_id
compat_curve(const mbedtls_pk_context *pk)
{
	return mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk));
}

/* Whether basicConstraints say that the certificate may sign others. */
static inline bool
compat_is_ca(const mbedtls_x509_crt *crt)
{
	return mbedtls_x509_crt_get_ca_istrue(crt) == 1;
}

static inline void
compat_conf_groups(mbedtls_ssl_config *conf)
{
	static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

	mbedtls_ssl_conf_groups(conf, groups);
}

/*
 * Allows TLS 1.2, 1.3 or both.  In TLS 1.3 no resumption without forward secrecy; and one ticket per
 * connection, as TLS_SEALS allows.
 */
static inline void
compat_conf_versions(mbedtls_ssl_config *conf, bool tls12, bool tls13)
{
	mbedtls_ssl_conf_min_tls_version(
	    conf, tls12 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_max_tls_version(
	    conf, tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_tls13_key_exchange_modes(
	    conf, (int)(MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL |
			MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL));
	mbedtls_ssl_conf_new_session_tickets(conf, 1);
}

/* No function gives it; the alert's record, level and description, is the last one that was read. */
static inline int
compat_last_alert(const mbedtls_ssl_context *ssl)
{
	return ssl->MBEDTLS_PRIVATE(in_msg)[1];
}

#else

#define COMPAT_RNG_ARGS
#define COMPAT_SIZE_ARG(size)
#define COMPAT_SIZE_PARAMETER(var)
#define COMPAT_SIZE_VALUE(var) ((size_t)MBEDTLS_PK_SIGNATURE_MAX_SIZE)
#define COMPAT_RSA_MODE_ARG    MBEDTLS_RSA_PRIVATE,

enum { COMPAT_TLS13 = 0 };

/* 2.28 has no such function and never calls ours. */
int mbedtls_pk_sign_ext(mbedtls_pk_type_t type, mbedtls_pk_context *pk, mbedtls_md_type_t md,
    const unsigned char *hash, size_t hash_len, unsigned char *sig, size_t *sig_len,
    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng);

/* PSA is not used by 2.28's TLS, and its start costs time. */
static inline int
compat_process_init(void)
{
	return 0;
}

static inline mbedtls_ecp_group_id
compat_curve(const mbedtls_pk_context *pk)
{
	return mbedtls_pk_ec(*pk)->grp.id;
}

static inline bool
compat_is_ca(const mbedtls_x509_crt *crt)
{
	return crt->ca_istrue == 1;
}

static inline void
compat_conf_groups(mbedtls_ssl_config *conf)
{
	static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519,
	    MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};

	mbedtls_ssl_conf_curves(conf, groups);
}

static inline void
compat_conf_versions(mbedtls_ssl_config *conf, bool tls12, bool tls13)
{
	(void)tls12;
	(void)tls13;
	mbedtls_ssl_conf_min_version(
	    conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_max_version(
	    conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}

static inline int
compat_last_alert(const mbedtls_ssl_context *ssl)
{
	return ssl->in_msg[1];
}

#endif
#endif
