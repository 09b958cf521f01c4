/*
 * signer.h: signatures, by the key service or by a private key in this process; private to tls/.
 */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include <mbedtls/pk.h>

#include "tls/tls.h"

/* The signatures of a handshake: the server, the service that is asked, and how many there were. */
struct tls_signer {
	struct tls_server *server;
	const struct tls_key_service *service;
	unsigned count;
};

/*
 * To be called around every call that may make mbedTLS sign.  Elsewhere, and for a key that is not the
 * server's, mbedtls_pk_sign and mbedtls_pk_sign_ext fail.
 */
void tls_signer_enter(struct tls_signer *signer);
void tls_signer_leave(void);

/*
 * Signs with a private key in this process (key process, making certificates).  pss: RSASSA-PSS as
 * TLS 1.3 wants it.  Octets written to out, or -1.
 */
ssize_t tls_signer_local(mbedtls_pk_context *key, bool pss, mbedtls_md_type_t md,
    const unsigned char *hash, size_t hash_len, unsigned char out[TLS_SIGNATURE_MAX]);

#endif
