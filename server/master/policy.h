/*
 * policy.h: which connection goes when there are too many, and how long failed logins wait.
 *
 * Connections are counted by address and by network.  Failed logins are counted by network and by login name, so
 * that neither many addresses of one owner nor many owners together have more guesses.  A failure is counted before
 * it is answered.  Penalties delay failures, not right passwords; policy_wait is the exception.
 */
#ifndef SERVER_MASTER_POLICY_H
#define SERVER_MASTER_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/protocol.h"

struct conf;
struct connection;
struct connections;
struct limits;
struct tally;

enum {
	/* Failures of a network or of a name that are remembered when its next logins begin to wait.  A household
	 * with an old password in three mail programs has fewer. */
	POLICY_SUSPECT = 20,
	/* ms that they wait before the check.  A guess then needs a connection for all of that time, and one that
	 * ends early has guessed nothing: so max_before_login bounds the guesses of all attackers together.  It is
	 * short enough for mail programs and people. */
	POLICY_WAIT = 5 * 1000,
	POLICY_KNOWN = 14 * 24 * 60 * 60 * 1000, /* ms after its last login that a pair is known */
};

struct policy {
	struct limits *addresses, *networks; /* connections; those of networks also have failures */
	struct limits *names;		     /* failures by login name */
	struct limits *pairs; /* a name and a network: the last login, and failures since */
	int64_t
	    suspect_until; /* until when there may be a network or name with POLICY_SUSPECT failures */
};

/* Where a connection comes from.  NULL: the table is full. */
struct origin {
	struct tally *address, *network;
};

int policy_init(struct policy *policy); /* 0, or -1: no memory */
void policy_clear(struct policy *policy);

/* --- connections --- */

struct origin policy_origin(struct policy *policy, const struct sockaddr_storage *address);

/*
 * Judges a connection that comes from origin and has no row yet.  *leaves_r: the connection that must make room for
 * it, or NULL.  At the limit before login that is the oldest of the address with the most, in the network with the
 * most; the only connection of a network goes last.  At the limit in all, such a connection makes room for one
 * whose network or address has fewer, and otherwise the new one is refused.
 */
enum refusal policy_judge(const struct conf *conf, const struct connections *connections,
    const struct origin *origin, struct connection **leaves_r);

/* Counts a connection for its origin, until policy_leave. */
void policy_enter(
    struct policy *policy, struct connection *connection, const struct origin *origin);
void policy_leave(struct policy *policy, struct connection *connection);

/* --- logins --- */

/* Whether a login that begins now must ask policy_wait. */
bool policy_suspects(const struct policy *policy, const struct conf *conf, int64_t now);

/*
 * Returns the ms to wait before the password for name is looked at: POLICY_WAIT if the network or the name has
 * POLICY_SUSPECT failures.  A pair of name and network that logged in lately is exempt, until it has as many
 * failures itself.
 */
int64_t policy_wait(struct policy *policy, const struct conf *conf, struct connection *connection,
    const char *name, int64_t now);

/*
 * A login failed: counts it, and returns the moment before which that must not be answered.  It is early enough for the
 * login's deadline.
 */
int64_t policy_failed(struct policy *policy, const struct conf *conf, struct connection *connection,
    const char *name, int64_t now);

/* A login was right. */
void policy_succeeded(
    struct policy *policy, const struct connection *connection, const char *name, int64_t now);

#endif
