/*
 * limits.h: how many connections addresses, networks and users have, and how often logins failed.  Only master
 * keeps these tables.
 *
 * One kind of table serves all of them.  Each entry has a key, its connections of the moment, its failed logins of
 * late, and the time before which its next failure must not be answered.  Times are clock.h's.
 *
 * A table has a fixed number of entries.  When all are taken, the one that was used longest ago goes, but never one
 * with a connection.  Children do not inherit a table: in a child its memory is an invalid address.
 */
#ifndef SERVER_MASTER_LIMITS_H
#define SERVER_MASTER_LIMITS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	/* Entries of a table: more than there can be connections.  Memory is used as entries are. */
	LIMITS_ENTRIES_MAX = 131072,
	LIMITS_FORGET = 15 * 60 * 1000, /* ms after which failures are forgotten */
	LIMITS_DELAY_MAX = 20 * 1000,	/* ms; three of them fit into the time to log in */
	LIMITS_SLOT = 1000,		/* ms between the answers to two failures of an entry */
};

struct tally {
	uint64_t key; /* the hash of what the caller named */
	unsigned connections;
	unsigned waiting; /* connections before their login; only policy_judge counts them */
	unsigned failures;
	int64_t last_failure, next_answer; /* ms */
	int64_t last_login;		   /* ms, -1 never */
	int64_t last_logged;		   /* when a refusal was logged last; -1 never */
	/* The table's own: places in it, 0 for none. */
	uint32_t next;	       /* in its bucket */
	uint32_t older, newer; /* among those without a connection, by their last use */
};

struct limits;

struct limits *limits_new(void); /* NULL: no memory */
void limits_free(struct limits **limits);

/*
 * Returns the entry for a key, which it makes if there is none.  NULL: all entries have connections.  A later
 * limits_get may give an entry without connections to another key.
 */
struct tally *limits_get(struct limits *limits, const void *key, size_t len);
/* The same, but returns NULL if there is none. */
struct tally *limits_find(struct limits *limits, const void *key, size_t len);

/* Start and end a connection of the entry. */
void limits_enter(struct limits *limits, struct tally *tally);
void limits_leave(struct limits *limits, struct tally *tally);

/* Returns the failures that are not forgotten. */
unsigned limits_failures(struct tally *tally, int64_t now);

/*
 * A login failed: counts it, and returns the time before which that must not be answered.  base: ms for a first
 * failure.  Each failure that is remembered doubles it, up to LIMITS_DELAY_MAX.  The time is also LIMITS_SLOT
 * after the one returned before, so that many connections at once gain nothing.
 */
int64_t limits_failed(struct tally *tally, int64_t now, int64_t base);

enum { LIMITS_ADDRESS_KEY = 8 }; /* octets at most of an address or network */

/*
 * Writes the key for an address: all of IPv4 (also when written as ::ffff:a.b.c.d), and the first 64 bits of
 * IPv6, since one customer has as many.  Returns its length in octets; 0 for another family.
 */
size_t limits_address_key(
    const struct sockaddr_storage *address, unsigned char key_r[LIMITS_ADDRESS_KEY]);
/* The same for its network: 24 bits of IPv4, or 56 of IPv6, which is the most that one customer usually gets. */
size_t limits_network_key(
    const struct sockaddr_storage *address, unsigned char key_r[LIMITS_ADDRESS_KEY]);

/* How many entries there are; for tests. */
size_t limits_count(const struct limits *limits);

#endif
