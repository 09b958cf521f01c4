/*
 * policy.c: which connection goes when there are too many.
 * Runs as: root (master).
 */
#include "server/conf.h"
#include "server/master/connection.h"
#include "server/master/limits.h"
#include "server/master/policy.h"

int
policy_init(struct policy *policy)
{
	policy->addresses = limits_new();
	policy->networks = limits_new();
	if (policy->addresses != NULL && policy->networks != NULL)
		return 0;
	policy_clear(policy);
	return -1;
}

void
policy_clear(struct policy *policy)
{
	limits_free(&policy->addresses);
	limits_free(&policy->networks);
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
