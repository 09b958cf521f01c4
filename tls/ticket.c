/*
 * ticket.c: seals and opens session tickets.
 * Runs as: key.
 *
 * A sealed ticket is
 *
 *	octets 0..7    name of the key, random
 *	octets 8..19   nonce, random
 *	then           AES-256-GCM of: 8 octets time of issue, the session
 *	last 16        tag, over all of it; additional data are the name and the client's network
 *
 * A TLS 1.2 session that is resumed has no key exchange of its own: a thief of the ticket key can read
 * it.  So keys are in memory only, and are wiped when no ticket of theirs is valid any more.  And a worker that was
 * taken over must not have a recorded ticket of another client opened: hence the network.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/gcm.h>
#include <mbedtls/md.h>

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

/* Turns a key into the one after it, in a way that leads nowhere back. */
static int
key_step(struct ticket_key *key, int64_t made)
{
	static const char steps[2][8] = {"name", "key"};
	const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	unsigned char mac[2][TLS_SHA256_LEN];
	int ret = 0;

	for (size_t i = 0; i < 2 && ret == 0; i++)
		ret = mbedtls_md_hmac(sha256, key->key, sizeof key->key,
		    (const unsigned char *)steps[i], sizeof steps[i], mac[i]);
	if (ret == 0) {
		memcpy(key->name, mac[0], sizeof key->name);
		memcpy(key->key, mac[1], sizeof key->key);
		key->made = made;
	}
	explicit_bzero(mac, sizeof mac);
	return ret == 0 ? 0 : -1;
}

/* Its last ticket was sealed half a lifetime after it was made. */
static bool
key_outlived(const struct tls_tickets *tickets, const struct ticket_key *key, int64_t now)
{
	return now - key->made > (int64_t)tickets->lifetime + tickets->lifetime / 2;
}

/* Goes on to the key of this time, and wipes one that has outlived its tickets.  All processes step at the same times. */
static int
rotate(struct tls_tickets *tickets, int64_t now)
{
	const int64_t half = tickets->lifetime / 2 > 0 ? tickets->lifetime / 2 : 1;

	while (now - tickets->now.made > half) {
		tickets->before = tickets->now;
		if (key_step(&tickets->now, tickets->now.made + half) == -1)
			return -1;
	}
	if (tickets->before.used && key_outlived(tickets, &tickets->before, now))
		explicit_bzero(&tickets->before, sizeof tickets->before);
	return 0;
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

/* The additional data of a ticket, which is not in it but for the name. */
struct ticket_bound {
	unsigned char name[NAME_LEN], network[sizeof(uint64_t)];
};

static struct ticket_bound
bound_to(const unsigned char *name, uint64_t network)
{
	struct ticket_bound bound;

	memcpy(bound.name, name, sizeof bound.name);
	memcpy(bound.network, &network, sizeof bound.network);
	return bound;
}

ssize_t
tls_tickets_seal(struct tls_tickets *tickets, int64_t now, uint64_t network,
    const unsigned char *plain, size_t len, unsigned char *out, size_t size)
{
	unsigned char body[TIME_LEN + TLS_TICKET_MAX];
	unsigned char *nonce = out + NAME_LEN, *inner = out + HEAD_LEN;
	size_t inner_len = TIME_LEN + len;
	uint64_t issued = htobe64((uint64_t)now);
	struct ticket_bound bound;
	mbedtls_gcm_context gcm;
	int ret;

	if (len > TLS_TICKET_MAX || size < len + OVERHEAD || rotate(tickets, now) != 0)
		return -1;
	memcpy(out, tickets->now.name, NAME_LEN);
	if (tls_random(NULL, nonce, NONCE_LEN) != 0)
		return -1;
	memcpy(body, &issued, TIME_LEN);
	memcpy(body + TIME_LEN, plain, len);
	bound = bound_to(tickets->now.name, network);
	ret = gcm_begin(&gcm, &tickets->now);
	if (ret == 0)
		ret = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, inner_len, nonce,
		    NONCE_LEN, (const unsigned char *)&bound, sizeof bound, body, inner, TAG_LEN,
		    inner + inner_len);
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
tls_tickets_open(struct tls_tickets *tickets, int64_t now, uint64_t network,
    const unsigned char *sealed, size_t len, unsigned char *out, size_t size)
{
	unsigned char body[TIME_LEN + TLS_TICKET_MAX];
	const unsigned char *nonce = sealed + NAME_LEN, *inner = sealed + HEAD_LEN;
	const struct ticket_key *key;
	struct ticket_bound bound;
	mbedtls_gcm_context gcm;
	ssize_t result = -1;
	size_t plain_len, inner_len;

	if (len < OVERHEAD || len > OVERHEAD + TLS_TICKET_MAX || rotate(tickets, now) != 0)
		return -1;
	plain_len = len - OVERHEAD;
	inner_len = TIME_LEN + plain_len;
	if (plain_len > size || (key = find_key(tickets, sealed)) == NULL)
		return -1;
	bound = bound_to(key->name, network);
	if (gcm_begin(&gcm, key) == 0 &&
	    mbedtls_gcm_auth_decrypt(&gcm, inner_len, nonce, NONCE_LEN,
		(const unsigned char *)&bound, sizeof bound, inner + inner_len, TAG_LEN, inner,
		body) == 0 &&
	    still_valid(tickets, body, now)) {
		memcpy(out, body + TIME_LEN, plain_len);
		result = (ssize_t)plain_len;
	}
	mbedtls_gcm_free(&gcm);
	explicit_bzero(body, sizeof body);
	return result;
}
