/*
 * test_server_policy.c: which connection makes room.
 */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "server/conf.h"
#include "server/master/connection.h"
#include "server/master/limits.h"
#include "server/master/policy.h"

enum { SECOND = 1000, START = 1000000, ROWS = 200 };

static struct policy policy;
static struct connections connections;
static struct conf conf;
static int64_t now;

static int
begin(void **state)
{
	(void)state;
	now = START;
	memset(&conf, 0, sizeof(conf));
	conf.max_connections = 100;
	conf.max_before_login = 10;
	conf.max_per_address = 5;
	conf.login_timeout = 60 * SECOND;
	if (connections.slot == NULL && connections_init(&connections, ROWS) == -1)
		return -1;
	memset(connections.slot, 0, ROWS * sizeof(connections.slot[0]));
	connections.high = connections.used = connections.evicted = connections.waiting_len = 0;
	return policy_init(&policy);
}

static int
end(void **state)
{
	(void)state;
	policy_clear(&policy);
	return policy.addresses == NULL ? 0 : -1;
}

static struct origin
origin_of(const char *text)
{
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) != 1) {
		address.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	}
	return policy_origin(&policy, &address);
}

/* A connection comes, as admit.c takes it; *left_r is the one that made room, or NULL.  NULL: it is refused. */
static struct connection *
come(const char *address, struct connection **left_r)
{
	struct origin origin = origin_of(address);
	struct connection *c;

	if (policy_judge(&conf, &connections, &origin, left_r) != REFUSE_NOTHING) {
		assert_null(*left_r);
		return NULL;
	}
	c = connections_take(&connections);
	assert_non_null(c);
	if (*left_r != NULL) {
		connections_change(&connections, *left_r, CONNECTION_LEAVING);
		(*left_r)->evicted = true;
		connections.evicted++;
	}
	snprintf(c->address, sizeof(c->address), "%s", address);
	now += 10;
	c->deadline = now + conf.login_timeout;
	policy_enter(&policy, c, &origin);
	return c;
}

static struct connection *
let_in(const char *address)
{
	struct connection *left, *c = come(address, &left);

	assert_non_null(c);
	assert_null(left);
	return c;
}

static void
end_of(struct connection *c)
{
	policy_leave(&policy, c);
	connections_release(&connections, c);
}

/* --- connections --- */

static void
an_address_has_its_share(void **state)
{
	struct connection *left, *first = NULL;
	int i;

	(void)state;
	for (i = 0; i < conf.max_per_address; i++) {
		first = let_in("192.0.2.1");
		connections_change(&connections, first, CONNECTION_USER);
	}
	assert_null(come("192.0.2.1", &left));
	assert_null(come("::ffff:192.0.2.1", &left));
	(void)let_in("192.0.2.2");
	end_of(first);
	(void)let_in("192.0.2.1");
	assert_int_equal(connections.used, conf.max_per_address + 1);
}

/* Each row: those that came, "+" means logged in and "?" waits for an answer; the last one; who leaves for it. */
static void
those_that_hold_most_leave(void **state)
{
	static const struct {
		const char *held[10], *newcomer;
		int leaves; /* which of held */
	} rows[] = {
	    /* one address: its oldest */
	    {{"10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1"}, "10.9.0.1", 0},
	    {{"10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1"}, "10.0.0.1", 0},
	    /* the only one of a network goes last, however old it is */
	    {{"10.1.0.1", "10.0.0.1", "10.0.0.1", "10.2.0.1"}, "10.9.0.1", 1},
	    {{"10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"}, "10.9.0.1", 0},
	    /* the newcomer counts for its network */
	    {{"10.1.0.1", "10.0.0.1", "10.0.0.1", "10.1.0.1"}, "10.0.0.1", 1},
	    {{"10.1.0.1", "10.1.0.1", "10.0.0.1", "10.0.0.1"}, "10.0.0.2", 2},
	    /* a network with many addresses is one network */
	    {{"10.1.0.1", "10.1.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"}, "10.9.0.1", 2},
	    {{"2001:db8::1", "2001:db9:0:1::1", "2001:db9:0:2::1"}, "2001:dba::1", 1},
	    /* in a network, the address with most */
	    {{"10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"}, "10.9.0.1", 1},
	    {{"10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"}, "10.0.0.9", 1},
	    /* those that wait for an answer count, and leave, too */
	    {{"10.1.0.1", "10.0.0.1?", "10.0.0.1?", "10.2.0.1"}, "10.9.0.1", 1},
	    /* those that are logged in do neither */
	    {{"10.1.0.1", "10.0.0.1+", "10.0.0.1+", "10.2.0.1"}, "10.9.0.1", 0},
	};
	struct connection *held[10], *left;
	char address[64];
	size_t i, n;

	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(begin(state), 0);
		conf.max_before_login = 10;
		for (n = 0; n < 10 && rows[i].held[n] != NULL; n++) {
			size_t len = strcspn(rows[i].held[n], "+?");

			snprintf(address, sizeof(address), "%.*s", (int)len, rows[i].held[n]);
			held[n] = let_in(address);
			if (rows[i].held[n][len] == '?')
				connections_change(&connections, held[n], CONNECTION_ASKING);
			else if (rows[i].held[n][len] == '+')
				connections_change(&connections, held[n], CONNECTION_USER);
		}
		conf.max_before_login = (int64_t)connections.waiting_len;
		assert_non_null(come(rows[i].newcomer, &left));
		if (left != held[rows[i].leaves])
			fail_msg("row %zu: %s left", i, left == NULL ? "none" : left->address);
		assert_int_equal(left->state, CONNECTION_LEAVING);
		assert_int_equal(end(state), 0);
	}
	assert_int_equal(begin(state), 0);
}

static void
strangers_make_room_in_all(void **state)
{
	struct connection *left, *user;
	int i;

	(void)state;
	conf.max_connections = 5;
	for (i = 0; i < 4; i++) {
		user = let_in("10.0.0.1");
		connections_change(&connections, user, CONNECTION_USER);
	}
	user = let_in("10.0.0.2");
	/* It has as much as the one that would leave. */
	assert_null(come("10.1.0.1", &left));
	conf.max_connections = 6;
	(void)let_in("10.0.0.2");
	assert_non_null(come("10.1.0.1", &left));
	assert_ptr_equal(left, user);
	assert_int_equal(connections.used, 7);
	assert_int_equal(connections.evicted, 1);
	end_of(left);
	assert_int_equal(connections.evicted, 0);
	/* Now each holds one, and then all are logged in. */
	assert_null(come("10.2.0.1", &left));
	for (i = 0; i < 10; i++)
		if (connections.slot[i].state == CONNECTION_STRANGER)
			connections_change(&connections, &connections.slot[i], CONNECTION_USER);
	assert_null(come("10.2.0.1", &left));
}

#define POLICY_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    POLICY_TEST(an_address_has_its_share),
	    POLICY_TEST(those_that_hold_most_leave),
	    POLICY_TEST(strangers_make_room_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
