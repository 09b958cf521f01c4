/*
 * fuzz_ticket.c: the two questions that a hostile worker can ask the key process.
 *
 * The first octet chooses.  Even: the rest is a sealed ticket, used once as it is and once as changes to a
 * ticket that would open.  Odd: the rest is a request to sign.  A ticket that was not sealed must never open,
 * and a request that is not allowed must never be signed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/signed.h"
#include "tls/cert.h"
#include "tls/tls.h"

enum { PLAIN_LEN = 100, NETWORK = 7 };

static struct tls_keys *keys;
static struct tls_tickets *tickets;

static void
make_key(const char *dir, enum tls_cert_key kind)
{
	const char *names[] = {"localhost"};
	char key_path[128], cert_path[128];
	struct tls_cert_order order = {.key = kind,
	    .names = names,
	    .names_len = 1,
	    .days = 1,
	    .key_path = key_path,
	    .cert_path = cert_path};
	struct tls_error error;

	(void)snprintf(key_path, sizeof key_path, "%s/key", dir);
	(void)snprintf(cert_path, sizeof cert_path, "%s/crt", dir);
	if (tls_cert_make(TLS_CERT_SERVER, &order, &error) != 0 ||
	    tls_keys_add(keys, cert_path, key_path, &error) != 0)
		abort();
	(void)unlink(key_path);
	(void)unlink(cert_path);
}

static void
setup(void)
{
	char dir[] = "/tmp/fuzz-ticket-XXXXXX";

	if (mkdtemp(dir) == NULL || tls_process_init() != 0)
		abort();
	keys = tls_keys_new();
	tickets = tls_tickets_new(TLS_TICKET_LIFETIME, 0);
	if (keys == NULL || tickets == NULL)
		abort();
	make_key(dir, TLS_CERT_P256);
	make_key(dir, TLS_CERT_RSA2048);
	(void)rmdir(dir);
}

static void
fuzz_open(const uint8_t *data, size_t size)
{
	static const unsigned char plain[PLAIN_LEN] = "session";
	unsigned char sealed[PLAIN_LEN + TLS_SEAL_OVERHEAD], out[TLS_TICKET_MAX];
	bool changed = false;
	ssize_t len, n;

	if (tls_tickets_open(tickets, 0, NETWORK, data, size, out, sizeof out) >= 0)
		abort();
	len = tls_tickets_seal(tickets, 0, NETWORK, plain, sizeof plain, sealed, sizeof sealed);
	if (len < 0)
		abort();
	for (size_t i = 0; i < size && i < (size_t)len; i++) {
		sealed[i] ^= data[i];
		changed = changed || data[i] != 0;
	}
	n = tls_tickets_open(tickets, 0, NETWORK, sealed, (size_t)len, out, sizeof out);
	if (n != (changed ? -1 : PLAIN_LEN) || (n > 0 && memcmp(out, plain, PLAIN_LEN) != 0))
		abort();
}

/* A sound request with changes. */
static void
fuzz_sign(const uint8_t *data, size_t size)
{
	struct tls_sign_request request =
	    size % 2 == 0 ? signed_certificate_verify(1, MBEDTLS_MD_SHA256, 32)
			  : signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P256, 65);
	unsigned char out[TLS_SIGNATURE_MAX];

	for (size_t i = 0; i < size && i < sizeof request; i++)
		((unsigned char *)&request)[i] ^= data[i];
	if (tls_keys_sign(keys, &request, out, sizeof out) >= 0 &&
	    (request.key > 1 || request.len > TLS_SIGNED_MAX || request.len < 64 + 4 + 32))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (keys == NULL)
		setup();
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		fuzz_open(data + 1, size - 1);
	else
		fuzz_sign(data + 1, size - 1);
	return 0;
}
