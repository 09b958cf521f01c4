/*
 * limits.h: who may connect and log in, and how often fail.  Master's memory only.
 *
 * One kind of table serves addresses and users: a key, how many connections it has now, how many
 * logins failed lately, and when its next failure may be answered.  Time is clock.h's.
 */
#ifndef SERVER_MASTER_LIMITS_H
#define SERVER_MASTER_LIMITS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	LIMITS_KEY_MAX = 255, /* octets: a user name */
	/*
	 * Entries, more than there can be connections; beyond that those that remember a failure
	 * only are forgotten.
	 */
	LIMITS_ENTRIES_MAX = 131072,
	LIMITS_FORGET = 15 * 60 * 1000, /* ms after which failures are forgotten */
	LIMITS_DELAY_MAX = 20 * 1000,	/* ms; three of them fit into the time to log in */
	LIMITS_SLOT = 1000, /* ms: an address's failures are answered one a second at most */
};

struct tally {
	struct tally *next; /* in its bucket */
	unsigned connections;
	unsigned failures;
	int64_t last_failure, next_answer; /* ms */
	int64_t last_login;		   /* ms, -1 never */
	int64_t last_logged;		   /* when a refusal was logged last; -1 never */
	unsigned unlogged;		   /* refusals since */
	size_t len;
	unsigned char key[];
};

struct limits;

struct limits *limits_new(void); /* NULL: no memory */
void limits_free(struct limits **limits);

/* The entry for a key, made when there is none.  NULL: no memory, or full of connections. */
struct tally *limits_get(struct limits *limits, const void *key, size_t len);

/* Begins and ends a connection of the entry; one without connections may go at any later call. */
void limits_enter(struct tally *tally);
void limits_leave(struct tally *tally);

/*
 * A login is about to be tried: the moment before which a failure must not be answered.  base: ms
 * for a first failure; doubled for each that is remembered, up to LIMITS_DELAY_MAX; and LIMITS_SLOT
 * behind the answer promised before, so that many connections at once win nothing.
 */
int64_t limits_answer_at(struct tally *tally, int64_t now, int64_t base);
void limits_failed(struct tally *tally, int64_t now);
void limits_succeeded(struct tally *tally, int64_t now);

/*
 * The key for an address: IPv4 (also as ::ffff:a.b.c.d) whole, IPv6 its first 64 bits, as that is
 * what one customer has.  Octets written to key_r, at most 16.
 */
size_t limits_address_key(const struct sockaddr_storage *address, unsigned char key_r[16]);

/* How many entries there are; for tests. */
size_t limits_count(const struct limits *limits);

#endif
