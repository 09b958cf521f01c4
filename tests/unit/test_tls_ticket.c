/* Session tickets: what is sealed opens, and nothing else does. */
#include "tests/unit/tls_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

enum { LIFETIME = 100, PLAIN_LEN = 300, SEALED_MAX = TLS_TICKET_MAX + TLS_SEAL_OVERHEAD };

struct ticket {
	unsigned char plain[TLS_TICKET_MAX];
	unsigned char sealed[SEALED_MAX];
	unsigned char opened[TLS_TICKET_MAX];
	ssize_t len;
};

static void
seal(struct tls_tickets *tickets, int64_t now, struct ticket *ticket, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ticket->plain[i] = (unsigned char)(i * 7);
	ticket->len = tls_tickets_seal(
	    tickets, now, NETWORK, ticket->plain, len, ticket->sealed, sizeof ticket->sealed);
}

static ssize_t
try_open(struct tls_tickets *tickets, int64_t now, struct ticket *ticket)
{
	return tls_tickets_open(tickets, now, NETWORK, ticket->sealed, (size_t)ticket->len,
	    ticket->opened, sizeof ticket->opened);
}

static void
test_all_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 300, TLS_TICKET_MAX};
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	struct ticket ticket;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		seal(tickets, 1, &ticket, sizes[i]);
		assert_true(ticket.len > (ssize_t)sizes[i]);
		assert_true(ticket.len <= (ssize_t)sizes[i] + TLS_SEAL_OVERHEAD);
		assert_int_equal(try_open(tickets, 1, &ticket), sizes[i]);
		assert_memory_equal(ticket.opened, ticket.plain, sizes[i]);
	}
	tls_tickets_free(&tickets);
}

static void
test_too_large(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	static unsigned char plain[TLS_TICKET_MAX + 1], out[2 * SEALED_MAX];
	struct ticket ticket;

	(void)state;
	assert_int_equal(
	    tls_tickets_seal(tickets, 0, NETWORK, plain, sizeof plain, out, sizeof out), -1);
	assert_int_equal(tls_tickets_seal(tickets, 0, NETWORK, plain, 10, out, 10 + 20), -1);
	assert_int_equal(
	    tls_tickets_open(tickets, 0, NETWORK, out, sizeof out, plain, sizeof plain), -1);
	seal(tickets, 0, &ticket, PLAIN_LEN);
	assert_int_equal(tls_tickets_open(tickets, 0, NETWORK, ticket.sealed, (size_t)ticket.len,
			     ticket.opened, PLAIN_LEN - 1),
	    -1);
	tls_tickets_free(&tickets);
}

static void
test_tampering(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	struct ticket ticket;

	(void)state;
	seal(tickets, 0, &ticket, PLAIN_LEN);
	for (ssize_t i = 0; i < ticket.len; i++) {
		ticket.sealed[i] ^= 1;
		assert_int_equal(try_open(tickets, 0, &ticket), -1);
		ticket.sealed[i] ^= 1;
	}
	assert_int_equal(try_open(tickets, 0, &ticket), PLAIN_LEN);
	tls_tickets_free(&tickets);
}

static void
test_truncation(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	struct ticket ticket;

	(void)state;
	seal(tickets, 0, &ticket, PLAIN_LEN);
	for (ssize_t len = ticket.len; len-- > 0;) {
		/* On the heap, so that AddressSanitizer sees a read behind the end. */
		unsigned char *cut = malloc((size_t)len + 1);

		assert_non_null(cut);
		memcpy(cut, ticket.sealed, (size_t)len);
		assert_int_equal(tls_tickets_open(tickets, 0, NETWORK, cut, (size_t)len,
				     ticket.opened, sizeof ticket.opened),
		    -1);
		free(cut);
	}
	tls_tickets_free(&tickets);
}

static void
test_expiry(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 1000);
	struct ticket ticket;

	(void)state;
	seal(tickets, 1000, &ticket, PLAIN_LEN);
	assert_int_equal(try_open(tickets, 999, &ticket), -1);
	assert_int_equal(try_open(tickets, 1000, &ticket), PLAIN_LEN);
	assert_int_equal(try_open(tickets, 1000 + LIFETIME / 2, &ticket), PLAIN_LEN);
	assert_int_equal(try_open(tickets, 1000 + LIFETIME / 2 + 1, &ticket), PLAIN_LEN);
	assert_int_equal(try_open(tickets, 1000 + LIFETIME + 1, &ticket), -1);
	tls_tickets_free(&tickets);
}

/* The age inside counts, though the key would still open it. */
static void
test_expiry_by_age(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	struct ticket ticket;

	(void)state;
	seal(tickets, 0, &ticket, PLAIN_LEN);
	assert_int_equal(try_open(tickets, LIFETIME, &ticket), PLAIN_LEN);
	tls_tickets_free(&tickets);

	tickets = tls_tickets_new(LIFETIME, 0);
	seal(tickets, 0, &ticket, PLAIN_LEN);
	assert_int_equal(try_open(tickets, LIFETIME + 1, &ticket), -1);
	tls_tickets_free(&tickets);
}

static void
test_rotation(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	struct ticket first, second, third;

	(void)state;
	seal(tickets, 40, &first, PLAIN_LEN);
	seal(tickets, 60, &second, PLAIN_LEN);
	assert_memory_not_equal(first.sealed, second.sealed, 8);
	assert_int_equal(try_open(tickets, 60, &first), PLAIN_LEN);
	seal(tickets, 115, &third, PLAIN_LEN);
	assert_memory_not_equal(second.sealed, third.sealed, 8);
	/* Two rotations later the first key is gone, though the ticket is only 75 s old. */
	assert_int_equal(try_open(tickets, 115, &first), -1);
	assert_int_equal(try_open(tickets, 115, &second), PLAIN_LEN);
	assert_int_equal(try_open(tickets, 115, &third), PLAIN_LEN);
	/* After a long silence nothing is left of either. */
	seal(tickets, 10000, &first, PLAIN_LEN);
	assert_int_equal(try_open(tickets, 10000, &third), -1);
	assert_int_equal(try_open(tickets, 10000, &first), PLAIN_LEN);
	tls_tickets_free(&tickets);
}

static void
test_strangers(void **state)
{
	struct tls_tickets *ours = tls_tickets_new(LIFETIME, 0);
	struct tls_tickets *theirs = tls_tickets_new(LIFETIME, 0);
	struct ticket a, b;

	(void)state;
	seal(theirs, 0, &a, PLAIN_LEN);
	assert_int_equal(try_open(ours, 0, &a), -1);
	/* The same session sealed twice has another nonce and shows nothing. */
	seal(ours, 0, &a, PLAIN_LEN);
	seal(ours, 0, &b, PLAIN_LEN);
	assert_memory_equal(a.sealed, b.sealed, 8);
	assert_memory_not_equal(a.sealed + 8, b.sealed + 8, 12);
	assert_memory_not_equal(a.sealed + 20, b.sealed + 20, 32);
	tls_tickets_free(&ours);
	tls_tickets_free(&theirs);
	tls_tickets_free(&theirs);
}

/* A ticket of another network does not open, and a forked process has the same keys at any time. */
static void
test_bound(void **state)
{
	struct tls_tickets *tickets = tls_tickets_new(LIFETIME, 0);
	struct ticket ticket;
	int ends[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	seal(tickets, 1, &ticket, PLAIN_LEN);
	assert_int_equal(tls_tickets_open(tickets, 1, NETWORK + 1, ticket.sealed,
			     (size_t)ticket.len, ticket.opened, sizeof ticket.opened),
	    -1);
	assert_int_equal(try_open(tickets, 1, &ticket), PLAIN_LEN);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* The child has not been asked since its start, and the parent a moment ago. */
		seal(tickets, 10 * LIFETIME + 7, &ticket, PLAIN_LEN);
		_exit(write(ends[1], ticket.sealed, (size_t)ticket.len) == ticket.len ? 0 : 1);
	}
	for (int64_t now = 2; now < 10 * LIFETIME; now += LIFETIME / 5)
		seal(tickets, now, &ticket, PLAIN_LEN);
	ticket.len = read(ends[0], ticket.sealed, sizeof ticket.sealed);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(try_open(tickets, 10 * LIFETIME + 9, &ticket), PLAIN_LEN);
	tls_tickets_free(&tickets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_sizes),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_tampering),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_expiry),
	    cmocka_unit_test(test_expiry_by_age),
	    cmocka_unit_test(test_rotation),
	    cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
