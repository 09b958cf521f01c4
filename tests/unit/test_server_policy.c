/*
 * test_server_policy.c: which connection makes room, and how long logins wait, by a clock of the test's own.
 */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "auth/account.h"
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
	conf.failure_delay = 2 * SECOND;
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
	return policy.addresses == NULL && policy.pairs == NULL ? 0 : -1;
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
	/* Those that have left for others do not fill the table. */
	connections.evicted = CONNECTIONS_GOING_MAX;
	assert_null(come("10.2.0.1", &left));
	connections.evicted = 0;
	/* Now each holds one, and then all are logged in. */
	assert_null(come("10.2.0.1", &left));
	for (i = 0; i < 10; i++)
		if (connections.slot[i].state == CONNECTION_STRANGER)
			connections_change(&connections, &connections.slot[i], CONNECTION_USER);
	assert_null(come("10.2.0.1", &left));
}

/* --- logins --- */

static int64_t
fail_once(struct connection *c, const char *name)
{
	c->deadline = now + conf.login_timeout;
	return policy_failed(&policy, &conf, c, name, now) - now;
}

static void
networks_and_names_have_penalties(void **state)
{
	struct connection *a = let_in("10.0.0.1"), *b = let_in("10.0.0.2"), *c = let_in("10.1.0.1");

	(void)state;
	assert_int_equal(fail_once(a, "anna"), 2 * SECOND);
	assert_int_equal(fail_once(b, "ben"), 4 * SECOND);  /* the network's second */
	assert_int_equal(fail_once(c, "ANNA"), 4 * SECOND); /* the name's second */
	assert_int_equal(fail_once(a, "anna"), 8 * SECOND);
	now += LIMITS_FORGET + 1;
	assert_int_equal(fail_once(a, "anna"), 2 * SECOND);
	conf.failure_delay = 0;
	assert_int_equal(fail_once(a, "anna"), 0);
}

static void
answers_come_before_the_deadline(void **state)
{
	struct connection *c = let_in("10.0.0.1");
	int i;

	(void)state;
	for (i = 0; i < 200; i++)
		assert_true(fail_once(c, "anna") <= conf.login_timeout - CONNECTION_MARGIN);
	assert_int_equal(fail_once(c, "anna"), conf.login_timeout - CONNECTION_MARGIN);
}

static int64_t
wait_of(struct connection *c, const char *name)
{
	return policy_wait(&policy, &conf, c, name, now);
}

static void
suspects_wait(void **state)
{
	struct connection *a = let_in("10.0.0.1"), *b = let_in("10.0.0.2"), *c = let_in("10.1.0.1"),
			  *d = let_in("10.2.0.1");
	int i;

	(void)state;
	policy_succeeded(&policy, a, "known", now);
	assert_false(policy_suspects(&policy, &conf, now));
	for (i = 0; i < POLICY_SUSPECT; i++) {
		assert_int_equal(wait_of(a, "anna"), 0);
		(void)fail_once(a, "anna");
	}
	assert_true(policy_suspects(&policy, &conf, now));
	assert_int_equal(wait_of(a, "anna"), POLICY_WAIT);
	assert_int_equal(wait_of(b, "ben"), POLICY_WAIT);  /* the network */
	assert_int_equal(wait_of(c, "Anna"), POLICY_WAIT); /* the name */
	assert_int_equal(wait_of(d, "ben"), 0);
	/* A pair that logged in lately is exempt, in its network only, and for a while. */
	assert_int_equal(wait_of(b, "Known"), 0);
	policy_succeeded(&policy, d, "anna", now);
	assert_int_equal(wait_of(d, "anna"), 0);
	assert_int_equal(wait_of(c, "anna"), POLICY_WAIT);
	now += LIMITS_FORGET + 1;
	assert_false(policy_suspects(&policy, &conf, now));
	assert_int_equal(wait_of(a, "anna"), 0);
	/* Without a delay there are no penalties at all. */
	for (i = 0; i < POLICY_SUSPECT; i++)
		(void)fail_once(a, "anna");
	assert_true(policy_suspects(&policy, &conf, now));
	conf.failure_delay = 0;
	assert_false(policy_suspects(&policy, &conf, now));
	assert_int_equal(wait_of(a, "anna"), 0);
}

static void
known_pairs_are_forgotten(void **state)
{
	struct connection *a = let_in("10.0.0.1");
	int i;

	(void)state;
	policy_succeeded(&policy, a, "anna", now);
	now += POLICY_KNOWN;
	for (i = 0; i < POLICY_SUSPECT; i++)
		(void)fail_once(a, "ben");
	assert_int_equal(wait_of(a, "anna"), 0);
	now += 1;
	assert_int_equal(wait_of(a, "anna"), POLICY_WAIT);
}

/* An attacker in the network of a known pair has few guesses, and does not hear that it is one. */
static void
an_exemption_is_no_licence_and_no_secret_told(void **state)
{
	struct connection *a = let_in("10.0.0.1"), *b = let_in("10.0.0.2");
	int64_t exempt, other;
	int i;

	(void)state;
	policy_succeeded(&policy, a, "anna", now);
	for (i = 0; i < POLICY_SUSPECT; i++)
		(void)fail_once(b, "ben");
	now += 60 * SECOND;
	/* Each in the same state: the pacing of the network is over, and both names are new. */
	assert_int_equal(wait_of(b, "anna"), 0);
	exempt = fail_once(b, "anna");
	now += 60 * SECOND;
	other = wait_of(b, "unknown");
	assert_int_equal(other, POLICY_WAIT);
	now += other;
	other += fail_once(b, "unknown");
	assert_int_equal(exempt, other);
	for (i = 1; i < POLICY_SUSPECT; i++) {
		assert_int_equal(wait_of(b, "anna"), 0);
		(void)fail_once(b, "anna");
	}
	assert_int_equal(wait_of(b, "anna"), POLICY_WAIT);
	assert_int_equal(wait_of(a, "anna"), POLICY_WAIT);
	/* Until the user has logged in once more. */
	policy_succeeded(&policy, a, "anna", now);
	assert_int_equal(wait_of(a, "anna"), 0);
}

static void
the_longest_names_are_names(void **state)
{
	struct connection *a = let_in("10.0.0.1");
	char name[AUTH_NAME_MAX + 1], other[AUTH_NAME_MAX + 1];

	(void)state;
	memset(name, 'x', AUTH_NAME_MAX);
	name[AUTH_NAME_MAX] = '\0';
	memcpy(other, name, sizeof(name));
	other[AUTH_NAME_MAX - 1] = 'y';
	assert_int_equal(fail_once(a, name), 2 * SECOND);
	policy_succeeded(&policy, a, name, now);
	now += LIMITS_FORGET;
	assert_int_equal(limits_count(policy.names), 1);
	(void)fail_once(a, other);
	policy_succeeded(&policy, a, other, now);
	assert_int_equal(limits_count(policy.names), 2);
	assert_int_equal(limits_count(policy.pairs), 2);
}

#define POLICY_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    POLICY_TEST(an_address_has_its_share),
	    POLICY_TEST(those_that_hold_most_leave),
	    POLICY_TEST(strangers_make_room_in_all),
	    POLICY_TEST(networks_and_names_have_penalties),
	    POLICY_TEST(answers_come_before_the_deadline),
	    POLICY_TEST(suspects_wait),
	    POLICY_TEST(known_pairs_are_forgotten),
	    POLICY_TEST(an_exemption_is_no_licence_and_no_secret_told),
	    POLICY_TEST(the_longest_names_are_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
