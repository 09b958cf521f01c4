/*
 * policy.c: which connection goes when there are too many, and how long failed logins wait.
 * Runs as: root (master).
 */
#include <ctype.h>
#include <string.h>

#include "auth/account.h"
#include "server/clock.h"
#include "server/conf.h"
#include "server/master/connection.h"
#include "server/master/limits.h"
#include "server/master/policy.h"

int
policy_init(struct policy *policy)
{
	policy->addresses = limits_new();
	policy->networks = limits_new();
	policy->names = limits_new();
	policy->pairs = limits_new();
	policy->suspect_until = 0;
	if (policy->addresses != NULL && policy->networks != NULL && policy->names != NULL &&
	    policy->pairs != NULL)
		return 0;
	policy_clear(policy);
	return -1;
}

void
policy_clear(struct policy *policy)
{
	limits_free(&policy->addresses);
	limits_free(&policy->networks);
	limits_free(&policy->names);
	limits_free(&policy->pairs);
}

/* --- connections --- */

struct origin
policy_origin(struct policy *policy, const struct sockaddr_storage *address)
{
	unsigned char key[LIMITS_ADDRESS_KEY];
	struct origin origin;

	origin.address = limits_get(policy->addresses, key, limits_address_key(address, key));
	origin.network = limits_get(policy->networks, key, limits_network_key(address, key));
	return origin;
}

/* Counts the connections before their login of every address and network that has one. */
static void
count_waiting(const struct connections *connections, const struct origin *newcomer)
{
	size_t i;

	for (i = 0; i < connections->waiting_len; i++) {
		connections->waiting[i]->by_address->waiting = 0;
		connections->waiting[i]->by_network->waiting = 0;
	}
	newcomer->address->waiting = newcomer->network->waiting = 1;
	for (i = 0; i < connections->waiting_len; i++) {
		connections->waiting[i]->by_address->waiting++;
		connections->waiting[i]->by_network->waiting++;
	}
}

/* Whether the network of a, or at equal networks its address, has more connections before login than that of b. */
static bool
has_more(const struct origin *a, const struct origin *b)
{
	if (a->network->waiting != b->network->waiting)
		return a->network->waiting > b->network->waiting;
	return a->address->waiting > b->address->waiting;
}

/* Returns the connection that makes room for one from newcomer, or NULL if all are logged in. */
static struct connection *
who_leaves(const struct connections *connections, const struct origin *newcomer)
{
	struct connection *leaves = NULL;
	struct origin most = {NULL, NULL};
	size_t i;

	count_waiting(connections, newcomer);
	for (i = 0; i < connections->waiting_len; i++) {
		struct connection *c = connections->waiting[i];
		const struct origin origin = {c->by_address, c->by_network};

		if (leaves == NULL || has_more(&origin, &most) ||
		    (!has_more(&most, &origin) && c->deadline < leaves->deadline)) {
			leaves = c;
			most = origin;
		}
	}
	return leaves;
}

enum refusal
policy_judge(const struct conf *conf, const struct connections *connections,
    const struct origin *origin, struct connection **leaves_r)
{
	struct origin other;

	*leaves_r = NULL;
	if (origin->address == NULL || origin->network == NULL ||
	    origin->address->connections >= conf->max_per_address)
		return REFUSE_ADDRESS;
	if (connections->evicted >= CONNECTIONS_GOING_MAX)
		return REFUSE_FULL;
	if (connections->used - connections->evicted >= (size_t)conf->max_connections) {
		*leaves_r = who_leaves(connections, origin);
		if (*leaves_r == NULL)
			return REFUSE_FULL;
		other = (struct origin){(*leaves_r)->by_address, (*leaves_r)->by_network};
		if (has_more(&other, origin))
			return REFUSE_NOTHING;
		*leaves_r = NULL;
		return REFUSE_FULL;
	}
	if (connections->waiting_len >= (size_t)conf->max_before_login)
		*leaves_r = who_leaves(connections, origin);
	return REFUSE_NOTHING;
}

void
policy_enter(struct policy *policy, struct connection *connection, const struct origin *origin)
{
	connection->by_address = origin->address;
	connection->by_network = origin->network;
	limits_enter(policy->addresses, origin->address);
	limits_enter(policy->networks, origin->network);
}

void
policy_leave(struct policy *policy, struct connection *connection)
{
	limits_leave(policy->addresses, connection->by_address);
	limits_leave(policy->networks, connection->by_network);
	connection->by_address = connection->by_network = NULL;
}

/* --- logins --- */

struct name_key {
	size_t len;
	unsigned char octets[sizeof(uint64_t) + AUTH_NAME_MAX];
};

/* The key of a name, or of its pair with a network; without case, as accounts are found (see auth/account.h). */
static struct name_key
key_of(const struct tally *network, const char *name)
{
	struct name_key key = {.len = 0};
	size_t i;

	if (network != NULL) {
		memcpy(key.octets, &network->key, sizeof(network->key));
		key.len = sizeof(network->key);
	}
	for (i = 0; name[i] != '\0' && key.len < sizeof(key.octets); i++)
		key.octets[key.len++] = (unsigned char)tolower((unsigned char)name[i]);
	return key;
}

static struct tally *
known_pair(
    struct policy *policy, const struct connection *connection, const char *name, int64_t now)
{
	const struct name_key key = key_of(connection->by_network, name);
	struct tally *pair = limits_find(policy->pairs, key.octets, key.len);

	return pair != NULL && now - pair->last_login <= POLICY_KNOWN ? pair : NULL;
}

bool
policy_suspects(const struct policy *policy, const struct conf *conf, int64_t now)
{
	return conf->failure_delay > 0 && now < policy->suspect_until;
}

int64_t
policy_wait(struct policy *policy, const struct conf *conf, struct connection *connection,
    const char *name, int64_t now)
{
	const struct name_key key = key_of(NULL, name);
	struct tally *by_name = limits_find(policy->names, key.octets, key.len), *pair;

	connection->exempt = false;
	if (!policy_suspects(policy, conf, now) ||
	    (limits_failures(connection->by_network, now) < POLICY_SUSPECT &&
		(by_name == NULL || limits_failures(by_name, now) < POLICY_SUSPECT)))
		return 0;
	pair = known_pair(policy, connection, name, now);
	connection->exempt = pair != NULL && limits_failures(pair, now) < POLICY_SUSPECT;
	return connection->exempt ? 0 : POLICY_WAIT;
}

int64_t
policy_failed(struct policy *policy, const struct conf *conf, struct connection *connection,
    const char *name, int64_t now)
{
	const struct name_key key = key_of(NULL, name);
	struct tally *network = connection->by_network,
		     *by_name = limits_get(policy->names, key.octets, key.len),
		     *pair = known_pair(policy, connection, name, now);
	int64_t at = limits_failed(network, now, conf->failure_delay), other = at;

	if (by_name != NULL)
		other = limits_failed(by_name, now, conf->failure_delay);
	if (other > at)
		at = other;
	if (pair != NULL)
		(void)limits_failed(pair, now, 0);
	if (network->failures >= POLICY_SUSPECT ||
	    (by_name != NULL && by_name->failures >= POLICY_SUSPECT))
		policy->suspect_until = now + LIMITS_FORGET;
	/* The time must not tell that the pair is exempt: that it has logged in lately. */
	if (connection->exempt)
		at += POLICY_WAIT;
	connection->exempt = false;
	return at < connection->deadline - CONNECTION_MARGIN
		   ? at
		   : connection->deadline - CONNECTION_MARGIN;
}

void
policy_succeeded(
    struct policy *policy, const struct connection *connection, const char *name, int64_t now)
{
	const struct name_key key = key_of(connection->by_network, name);
	struct tally *pair = limits_get(policy->pairs, key.octets, key.len);

	if (pair == NULL)
		return;
	pair->last_login = now;
	pair->failures = 0;
}
