/*
 * test_server_limits.c: tallies of addresses, networks, users and names, by a clock of the test's own.
 */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>

#include "server/master/limits.h"
#include "server/master/siphash.h"

enum { SECOND = 1000, BASE = 2 * SECOND, START = 1000000 };

static struct limits *limits;

static int
begin(void **state)
{
	(void)state;
	limits = limits_new();
	return limits == NULL ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	limits_free(&limits);
	return limits == NULL ? 0 : -1;
}

static struct tally *
get(const char *key)
{
	struct tally *t = limits_get(limits, key, strlen(key));

	assert_non_null(t);
	assert_ptr_equal(limits_find(limits, key, strlen(key)), t);
	return t;
}

static struct sockaddr_storage
address_of(const char *text)
{
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) != 1) {
		address.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	}
	return address;
}

/* The vectors of the reference implementation: octets 0, 1, 2 ... under the key 0, 1 ... 15. */
static void
siphash_is_siphash(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
	    {7, UINT64_C(0xab0200f58b01d137)}, {8, UINT64_C(0x93f5f5799a932462)},
	    {15, UINT64_C(0xa129ca6149be45e5)}};
	unsigned char octets[16];
	uint64_t key[2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(octets); i++)
		octets[i] = (unsigned char)i;
	memcpy(key, octets, sizeof(key));
	key[0] = le64toh(key[0]);
	key[1] = le64toh(key[1]);
	for (i = 0; i < COUNT(rows); i++)
		assert_true(siphash(key, octets, rows[i].len) == rows[i].hash);
}

static void
addresses_share_an_entry(void **state)
{
	static const struct {
		const char *a, *b;
		bool address, network; /* one address; one network */
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", true, true}, {"192.0.2.1", "192.0.2.2", false, true},
	    {"192.0.2.1", "192.0.3.1", false, false},
	    {"192.0.2.1", "::ffff:192.0.2.1", true, true}, /* v4-mapped */
	    {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false, true},
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true, true}, /* one /64 */
	    {"2001:db8:1:2::1", "2001:db8:1:3::1", false, true},		 /* one /56 */
	    {"2001:db8:1:2::1", "2001:db8:1:ff::1", false, true},
	    {"2001:db8:1:2::1", "2001:db8:1:102::1", false, false},
	    {"2001:db8::1", "2001:db9::1", false, false}, {"::1", "::2", true, true},
	    /* a v6 key of zeros is no v4 key of zeros */
	    {"::1", "0.0.0.0", false, false},
	    {"::192.0.2.1", "192.0.2.1", false, false}, /* v4-compatible is v6 */
	};
	unsigned char a[LIMITS_ADDRESS_KEY], b[LIMITS_ADDRESS_KEY];
	struct sockaddr_storage from, to;
	size_t a_len, b_len, i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		from = address_of(rows[i].a);
		to = address_of(rows[i].b);
		a_len = limits_address_key(&from, a);
		b_len = limits_address_key(&to, b);
		assert_true(a_len > 0 && a_len <= sizeof(a) && b_len > 0 && b_len <= sizeof(b));
		assert_int_equal(
		    limits_get(limits, a, a_len) == limits_get(limits, b, b_len), rows[i].address);
		a_len = limits_network_key(&from, a);
		b_len = limits_network_key(&to, b);
		assert_true(a_len > 0 && a_len <= sizeof(a) && b_len > 0 && b_len <= sizeof(b));
		assert_int_equal(
		    limits_get(limits, a, a_len) == limits_get(limits, b, b_len), rows[i].network);
	}
}

static void
an_unknown_family_has_no_key(void **state)
{
	const struct sockaddr_storage address = {.ss_family = AF_UNIX};
	unsigned char key[LIMITS_ADDRESS_KEY];

	(void)state;
	assert_int_equal(limits_address_key(&address, key), 0);
	assert_int_equal(limits_network_key(&address, key), 0);
}

static void
connections_are_counted(void **state)
{
	struct tally *anna = get("anna"), *ben = get("ben");
	int i;

	(void)state;
	assert_ptr_not_equal(anna, ben);
	for (i = 0; i < 5; i++)
		limits_enter(limits, anna);
	limits_enter(limits, ben);
	assert_int_equal(get("anna")->connections, 5);
	assert_int_equal(get("ben")->connections, 1);
	for (i = 0; i < 7; i++)
		limits_leave(limits, anna);
	assert_int_equal(anna->connections, 0); /* never below */
	assert_int_equal(ben->connections, 1);
}

static void
keys_are_octets(void **state)
{
	(void)state;
	assert_null(limits_find(limits, "a", 1));
	assert_int_equal(limits_count(limits), 0); /* find makes none */
	assert_non_null(limits_get(limits, "", 0));
	assert_ptr_not_equal(limits_get(limits, "a\0b", 3), limits_get(limits, "a\0c", 3));
	assert_ptr_not_equal(limits_get(limits, "a\0", 2), limits_get(limits, "a", 1));
	assert_ptr_equal(limits_get(limits, "a\0b", 3), limits_get(limits, "a\0b", 3));
}

/* Fails a login and says how long the answer has to wait. */
static int64_t
fail_at(struct tally *t, int64_t now, int64_t base)
{
	return limits_failed(t, now, base) - now;
}

static void
delays_double_up_to_a_bound(void **state)
{
	static const int64_t expected[] = {2 * SECOND, 4 * SECOND, 8 * SECOND, 16 * SECOND,
	    LIMITS_DELAY_MAX, LIMITS_DELAY_MAX, LIMITS_DELAY_MAX};
	struct tally *t = get("192.0.2.1"), *other = get("192.0.2.2");
	int64_t now = START;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(expected); i++) {
		assert_int_equal(fail_at(t, now, BASE), expected[i]);
		now += 60 * SECOND;
	}
	/* Others do not feel it. */
	assert_int_equal(fail_at(other, now, BASE), BASE);
	/* Nor does the number of failures ever overflow a delay, or itself. */
	t->failures = UINT32_MAX;
	assert_int_equal(fail_at(t, now, 1), LIMITS_DELAY_MAX);
	assert_int_equal(limits_failures(t, now), UINT32_MAX);
	assert_int_equal(fail_at(get("x"), now, 10 * (int64_t)LIMITS_DELAY_MAX), LIMITS_DELAY_MAX);
}

static void
many_at_once_win_nothing(void **state)
{
	struct tally *t = get("192.0.2.1");
	int64_t at, last = 0;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		at = limits_failed(t, START, BASE);
		if (i > 0)
			assert_true(at - last >= LIMITS_SLOT);
		last = at;
	}
	assert_int_equal(limits_failed(get("192.0.2.2"), START, BASE), START + BASE);
}

static void
without_a_delay_nothing_waits(void **state)
{
	struct tally *t = get("127.0.0.1");
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(fail_at(t, START, 0), 0);
}

static void
failures_are_forgotten(void **state)
{
	struct tally *t = get("192.0.2.1");
	int64_t now = START;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		(void)fail_at(t, now, BASE);
	now += LIMITS_FORGET;
	assert_int_equal(fail_at(t, now, BASE), 16 * SECOND);
	now += LIMITS_FORGET + 1;
	assert_int_equal(limits_failures(t, now), 0);
	assert_int_equal(fail_at(t, now, BASE), BASE);
	assert_int_equal(limits_failures(t, now), 1);
}

/* --- a full table --- */

static struct tally *
numbered(uint32_t n)
{
	return limits_get(limits, &n, sizeof(n));
}

static void
those_used_longest_ago_go(void **state)
{
	struct tally *kept = get("in use"), *t;
	uint32_t i;

	(void)state;
	limits_enter(limits, kept);
	(void)limits_failed(get("used now and then"), START, BASE);
	for (i = 0; i < 2 * LIMITS_ENTRIES_MAX; i++) {
		t = numbered(i);
		assert_non_null(t);
		assert_int_equal(
		    t->connections + t->failures, 0); /* nothing of the key before it */
		(void)limits_failed(t, START, BASE);
		if (i % 1000 == 0)
			assert_int_equal(get("used now and then")->failures, 1);
	}
	assert_int_equal(limits_count(limits), LIMITS_ENTRIES_MAX);
	assert_ptr_equal(get("in use"), kept);
	assert_int_equal(kept->connections, 1);
	i = 0;
	assert_null(limits_find(limits, &i, sizeof(i)));
	i = 2 * LIMITS_ENTRIES_MAX - 1;
	assert_non_null(limits_find(limits, &i, sizeof(i)));
}

static void
entries_in_use_stay_when_all_is_full(void **state)
{
	struct tally *first, *t;
	uint32_t i;

	(void)state;
	for (i = 0; i < LIMITS_ENTRIES_MAX; i++) {
		t = numbered(i);
		assert_non_null(t);
		limits_enter(limits, t);
	}
	assert_null(numbered(LIMITS_ENTRIES_MAX));
	first = numbered(0);
	assert_non_null(first);
	assert_int_equal(first->connections, 1);
	limits_leave(limits, first);
	(void)limits_failed(first, START, BASE);
	/* The one that only remembers a failure makes room. */
	assert_non_null(numbered(LIMITS_ENTRIES_MAX));
	assert_int_equal(limits_count(limits), LIMITS_ENTRIES_MAX);
	i = 0;
	assert_null(limits_find(limits, &i, sizeof(i)));
}

/* A child has no addresses and users of others, even if it looks for them. */
static void
children_cannot_read_it(void **state)
{
	struct tally *t = get("anna");
	int status;
	pid_t pid;

	(void)state;
	t->failures = 7;
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		_exit((int)*(volatile unsigned *)&t->failures);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* A sanitizer turns the signal into an exit of its own. */
	assert_false(WIFEXITED(status) && (WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 0));
}

/* Whether the kernel reports the flag, " nh" for example, for the mapping that begins at the address: see proc(5), smaps. */
static bool
mapping_has(const void *where, const char *flag)
{
	char line[512];
	bool here = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[strspn(line, "0123456789abcdef")] == '-') /* START-END PROTECTION... */
			here = strtoull(line, NULL, 16) == (uintptr_t)where;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	(void)fclose(f);
	return found;
}

/* Otherwise the first entry costs two megabytes where the kernel gives huge pages to everybody, as Debian's does. */
static void
it_takes_no_huge_pages(void **state)
{
	(void)state;
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == -1)
		skip();
	assert_true(mapping_has(limits, " nh"));
	assert_false(mapping_has(limits, " hg"));
}

#define LIMITS_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(siphash_is_siphash),
	    LIMITS_TEST(addresses_share_an_entry),
	    LIMITS_TEST(an_unknown_family_has_no_key),
	    LIMITS_TEST(connections_are_counted),
	    LIMITS_TEST(keys_are_octets),
	    LIMITS_TEST(delays_double_up_to_a_bound),
	    LIMITS_TEST(many_at_once_win_nothing),
	    LIMITS_TEST(without_a_delay_nothing_waits),
	    LIMITS_TEST(failures_are_forgotten),
	    LIMITS_TEST(those_used_longest_ago_go),
	    LIMITS_TEST(entries_in_use_stay_when_all_is_full),
	    LIMITS_TEST(children_cannot_read_it),
	    LIMITS_TEST(it_takes_no_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
