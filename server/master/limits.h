/*
 * limits.h: how many connections addresses and users have, and how often their logins failed.  Only master
 * keeps these tables.
 *
 * The same kind of table serves addresses and users.  Each entry has a key, its connections of the moment, its
 * failed logins of late, and the time before which its next failure must not be answered.  Times are clock.h's.
 */
#ifndef SERVER_MASTER_LIMITS_H
#define SERVER_MASTER_LIMITS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	LIMITS_KEY_MAX = 255, /* octets: a user name */
	/* More entries than there can be connections; beyond it, entries go that only remember a failure. */
	LIMITS_ENTRIES_MAX = 131072,
	LIMITS_FORGET = 15 * 60 * 1000, /* ms after which failures are forgotten */
	LIMITS_DELAY_MAX = 20 * 1000,	/* ms; three of them fit into the time to log in */
	LIMITS_SLOT = 1000,		/* ms between the answers to two failures of an address */
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

/* Returns the entry for a key, which it makes if there is none.  NULL: no memory, or full of connections. */
struct tally *limits_get(struct limits *limits, const void *key, size_t len);

/* Start and end a connection of the entry.  Any later limits_get may free an entry without connections. */
void limits_enter(struct tally *tally);
void limits_leave(struct tally *tally);

/*
 * A login is about to be tried: returns the time before which a failure must not be answered.  base: ms for
 * a first failure.  Each failure that is remembered doubles it, up to LIMITS_DELAY_MAX.  The time is also
 * LIMITS_SLOT after the one returned before, so that many connections at once gain nothing.
 */
int64_t limits_answer_at(struct tally *tally, int64_t now, int64_t base);
void limits_failed(struct tally *tally, int64_t now);
void limits_succeeded(struct tally *tally, int64_t now);

/*
 * Writes the key for an address: all of IPv4 (also when written as ::ffff:a.b.c.d), and the first 64 bits of
 * IPv6, since one customer has as many.  Returns its length in octets, at most 16.
 */
size_t limits_address_key(const struct sockaddr_storage *address, unsigned char key_r[16]);

/* How many entries there are; for tests. */
size_t limits_count(const struct limits *limits);

#endif
