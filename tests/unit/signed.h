/*
 * signed.h: requests for signatures as a handshake makes them, for tests of the key process.
 */
#ifndef TESTS_UNIT_SIGNED_H
#define TESTS_UNIT_SIGNED_H

#include <string.h>

#include <mbedtls/md.h>

#include "tls/tls.h"

enum { SIGNED_X25519 = 29, SIGNED_P256 = 23, SIGNED_P384 = 24 };

/* TLS 1.2, RFC 8422 section 5.4: two randoms, then type and number of the curve, and a point of so many octets. */
static inline struct tls_sign_request
signed_key_exchange(unsigned key, mbedtls_md_type_t md, unsigned curve, size_t point_len)
{
	struct tls_sign_request request = {.key = (uint8_t)key, .md = (uint8_t)md};

	memset(request.content, 'r', 64);
	request.content[64] = 3;
	request.content[65] = 0;
	request.content[66] = (unsigned char)curve;
	request.content[67] = (unsigned char)point_len;
	memset(request.content + 68, 4, point_len);
	request.len = (uint8_t)(68 + point_len);
	return request;
}

/* TLS 1.3, RFC 8446 section 4.4.3. */
static inline struct tls_sign_request
signed_certificate_verify(unsigned key, mbedtls_md_type_t md, size_t hash_len)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	struct tls_sign_request request = {.key = (uint8_t)key, .md = (uint8_t)md};

	memset(request.content, ' ', 64);
	memcpy(request.content + 64, context, sizeof context);
	memset(request.content + 64 + sizeof context, 'h', hash_len);
	request.len = (uint8_t)(64 + sizeof context + hash_len);
	return request;
}

#endif
