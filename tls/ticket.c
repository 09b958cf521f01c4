/*
 * ticket.c: seals and opens session tickets.
 * Runs as: key.
 *
 * A sealed ticket is
 *
 *	octets 0..7    name of the key, random
 *	octets 8..19   nonce, random
 *	then           AES-256-GCM of: 8 octets time of issue, the session
 *	last 16        tag, over all of it (the name is the additional data)
 *
 * A TLS 1.2 session that is resumed has no key exchange of its own: a thief of the ticket key can read
 * it.  So keys are in memory only, and are wiped when no ticket of theirs is valid any more.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/gcm.h>

#include "tls/library.h"
#include "tls/tls.h"

enum {
	NAME_LEN = 8,
	NONCE_LEN = 12,
	TAG_LEN = 16,
	TIME_LEN = 8,
	KEY_LEN = 32,
	HEAD_LEN = NAME_LEN + NONCE_LEN,
	OVERHEAD = HEAD_LEN + TIME_LEN + TAG_LEN,
};

_Static_assert((int)OVERHEAD <= (int)TLS_SEAL_OVERHEAD, "the header promises less");

struct ticket_key {
	bool used;
	int64_t made;
	unsigned char name[NAME_LEN];
	unsigned char key[KEY_LEN];
};

struct tls_tickets {
	unsigned lifetime;
	struct ticket_key now, before; /* before only opens */
};

static int
key_make(struct ticket_key *key, int64_t now)
{
	struct ticket_key fresh = {.used = true, .made = now};

	if (tls_random(NULL, fresh.name, sizeof fresh.name) != 0 ||
	    tls_random(NULL, fresh.key, sizeof fresh.key) != 0)
		return -1;
	*key = fresh;
	explicit_bzero(&fresh, sizeof fresh);
	return 0;
}

/* Its last ticket was sealed half a lifetime after it was made. */
static bool
key_outlived(const struct tls_tickets *tickets, const struct ticket_key *key, int64_t now)
{
	return now - key->made > (int64_t)tickets->lifetime + tickets->lifetime / 2;
}

/* Makes a new key when it is time to, and wipes one that has outlived its tickets. */
static int
rotate(struct tls_tickets *tickets, int64_t now)
{
	if (tickets->before.used && key_outlived(tickets, &tickets->before, now))
		explicit_bzero(&tickets->before, sizeof tickets->before);
	if (now - tickets->now.made < (int64_t)(tickets->lifetime / 2))
		return 0;
	if (key_outlived(tickets, &tickets->now, now))
		explicit_bzero(&tickets->before, sizeof tickets->before);
	else
		tickets->before = tickets->now;
	return key_make(&tickets->now, now);
}

struct tls_tickets *
tls_tickets_new(unsigned lifetime, int64_t now)
{
	struct tls_tickets *tickets = calloc(1, sizeof *tickets);

	if (tickets == NULL)
		return NULL;
	tickets->lifetime = lifetime;
	if (key_make(&tickets->now, now) != 0)
		tls_tickets_free(&tickets);
	return tickets;
}

void
tls_tickets_free(struct tls_tickets **tickets)
{
	if (*tickets == NULL)
		return;
	explicit_bzero(*tickets, sizeof **tickets);
	free(*tickets);
	*tickets = NULL;
}

/* The context holds the expanded key; mbedtls_gcm_free wipes it. */
static int
gcm_begin(mbedtls_gcm_context *gcm, const struct ticket_key *key)
{
	mbedtls_gcm_init(gcm);
	return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key->key, 8 * KEY_LEN);
}

ssize_t
tls_tickets_seal(struct tls_tickets *tickets, int64_t now, const unsigned char *plain, size_t len,
    unsigned char *out, size_t size)
{
	unsigned char body[TIME_LEN + TLS_TICKET_MAX];
	unsigned char *nonce = out + NAME_LEN, *inner = out + HEAD_LEN;
	size_t inner_len = TIME_LEN + len;
	uint64_t issued = htobe64((uint64_t)now);
	mbedtls_gcm_context gcm;
	int ret;

	if (len > TLS_TICKET_MAX || size < len + OVERHEAD || rotate(tickets, now) != 0)
		return -1;
	memcpy(out, tickets->now.name, NAME_LEN);
	if (tls_random(NULL, nonce, NONCE_LEN) != 0)
		return -1;
	memcpy(body, &issued, TIME_LEN);
	memcpy(body + TIME_LEN, plain, len);
	ret = gcm_begin(&gcm, &tickets->now);
	if (ret == 0)
		ret = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, inner_len, nonce,
		    NONCE_LEN, out, NAME_LEN, body, inner, TAG_LEN, inner + inner_len);
	mbedtls_gcm_free(&gcm);
	explicit_bzero(body, sizeof body);
	return ret == 0 ? (ssize_t)(len + OVERHEAD) : -1;
}

static const struct ticket_key *
find_key(const struct tls_tickets *tickets, const unsigned char *name)
{
	if (memcmp(tickets->now.name, name, NAME_LEN) == 0)
		return &tickets->now;
	if (tickets->before.used && memcmp(tickets->before.name, name, NAME_LEN) == 0)
		return &tickets->before;
	return NULL;
}

/* A ticket from the future cannot be ours, as the clock is monotonic. */
static bool
still_valid(const struct tls_tickets *tickets, const unsigned char *body, int64_t now)
{
	uint64_t issued;
	int64_t age;

	memcpy(&issued, body, TIME_LEN);
	age = now - (int64_t)be64toh(issued);
	return age >= 0 && age <= (int64_t)tickets->lifetime;
}

ssize_t
tls_tickets_open(struct tls_tickets *tickets, int64_t now, const unsigned char *sealed, size_t len,
    unsigned char *out, size_t size)
{
	unsigned char body[TIME_LEN + TLS_TICKET_MAX];
	const unsigned char *nonce = sealed + NAME_LEN, *inner = sealed + HEAD_LEN;
	const struct ticket_key *key;
	mbedtls_gcm_context gcm;
	ssize_t result = -1;
	size_t plain_len, inner_len;

	if (len < OVERHEAD || len > OVERHEAD + TLS_TICKET_MAX || rotate(tickets, now) != 0)
		return -1;
	plain_len = len - OVERHEAD;
	inner_len = TIME_LEN + plain_len;
	if (plain_len > size || (key = find_key(tickets, sealed)) == NULL)
		return -1;
	if (gcm_begin(&gcm, key) == 0 &&
	    mbedtls_gcm_auth_decrypt(&gcm, inner_len, nonce, NONCE_LEN, sealed, NAME_LEN,
		inner + inner_len, TAG_LEN, inner, body) == 0 &&
	    still_valid(tickets, body, now)) {
		memcpy(out, body + TIME_LEN, plain_len);
		result = (ssize_t)plain_len;
	}
	mbedtls_gcm_free(&gcm);
	explicit_bzero(body, sizeof body);
	return result;
}
