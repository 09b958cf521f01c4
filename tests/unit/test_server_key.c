/*
 * test_server_key.c: questions to the key process: what a worker may ask, how often, and what it gets
 * for nonsense.
 */
#include "server_fixture.h"

#include <mbedtls/md.h>

#include "server/key/key_answer.h"
#include "server/worker/key_ask.h"
#include "tests/unit/signed.h"
#include "tls/cert.h"

enum { NOW = 1000 };

#define SOUND signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P256, 65)

static struct tls_keys *keys;
static struct tls_tickets *tickets;
static struct key_quota quota;

static int
begin(void **state)
{
	static const struct key_quota fresh = KEY_QUOTA;

	(void)state;
	quota = fresh;
	return 0;
}

static int
group_setup(void **state)
{
	static const char *const names[] = {"mail.example.org"};
	struct tls_cert_order order = {.names = names, .names_len = 1, .days = 2};
	struct tls_error error;

	if (fixture_make_dir(state) == -1)
		return -1;
	order.key_path = fixture_path("key");
	order.cert_path = fixture_path("crt");
	keys = tls_keys_new();
	tickets = tls_tickets_new(TLS_TICKET_LIFETIME, NOW);
	return tls_process_init() == -1 || tls_cert_make(TLS_CERT_SERVER, &order, &error) == -1 ||
		       keys == NULL || tickets == NULL ||
		       tls_keys_add(keys, order.cert_path, order.key_path, &error) == -1
		   ? -1
		   : 0;
}

static int
group_teardown(void **state)
{
	tls_keys_free(&keys);
	tls_tickets_free(&tickets);
	return fixture_remove_dir(state);
}

static bool
answer(struct ipc_message *message)
{
	return key_answer(keys, tickets, NOW, &quota, message) == NULL;
}

/* The octets of an answer; it is well-formed whatever was asked. */
static size_t
result(struct ipc_message *message, unsigned char out_r[IPC_MAX])
{
	size_t len;

	assert_int_equal(ipc_open(message), IPC_KEY_RESULT);
	len = ipc_get_bytes(message, out_r, IPC_MAX);
	assert_true(ipc_done(message));
	return len;
}

static void
put_sign(struct ipc_message *m, const struct tls_sign_request *request, size_t len)
{
	unsigned char content[TLS_SIGNED_MAX + 1] = {0};

	memcpy(content, request->content, sizeof(request->content));
	ipc_begin(m, IPC_KEY_SIGN);
	ipc_put_u8(m, request->key);
	ipc_put_u8(m, request->md);
	ipc_put_bytes(m, content, len);
}

/* A question that is answered. */
static void
put_sound(struct ipc_message *m)
{
	struct tls_sign_request request = SOUND;

	put_sign(m, &request, request.len);
}

static void
put_ticket(struct ipc_message *m, enum ipc_type type, const void *octets, size_t len)
{
	ipc_begin(m, type);
	ipc_put_bytes(m, octets, len);
}

static void
one_signature_and_no_more(void **state)
{
	unsigned char out[IPC_MAX];
	struct ipc_message m;
	int i;

	(void)state;
	put_sound(&m);
	assert_true(answer(&m));
	assert_in_range(result(&m, out), 64, TLS_SIGNATURE_MAX);
	for (i = 0; i < 3; i++) {
		put_sound(&m);
		assert_false(answer(&m));
		assert_int_equal(result(&m, out), 0);
	}
}

/* A worker that was taken over cannot have the ticket of another client's network opened. */
static void
tickets_are_of_a_network(void **state)
{
	static const char session[] = "a session";
	unsigned char sealed[IPC_MAX], out[IPC_MAX];
	struct ipc_message m;
	size_t len;

	(void)state;
	quota.network = 0xc000020000;
	put_ticket(&m, IPC_KEY_SEAL, session, sizeof(session));
	assert_true(answer(&m));
	len = result(&m, sealed);
	quota.network = 0xc633640000;
	put_ticket(&m, IPC_KEY_OPEN, sealed, len);
	assert_true(answer(&m));
	assert_int_equal(result(&m, out), 0);
	quota.network = 0xc000020000;
	put_ticket(&m, IPC_KEY_OPEN, sealed, len);
	assert_true(answer(&m));
	assert_int_equal(result(&m, out), sizeof(session));
}

static void
tickets_are_sealed_and_opened(void **state)
{
	static const char session[] = "a session";
	unsigned char sealed[IPC_MAX], out[IPC_MAX];
	struct ipc_message m;
	size_t len;
	int i;

	(void)state;
	put_ticket(&m, IPC_KEY_SEAL, session, sizeof(session));
	assert_true(answer(&m));
	len = result(&m, sealed);
	assert_in_range(len, sizeof(session) + 1, sizeof(session) + TLS_SEAL_OVERHEAD);
	assert_null(memmem(sealed, len, session, sizeof(session)));
	for (i = 0; i < TLS_OPENS; i++) {
		put_ticket(&m, IPC_KEY_OPEN, sealed, len);
		assert_true(answer(&m));
		assert_int_equal(result(&m, out), sizeof(session));
		assert_memory_equal(out, session, sizeof(session));
	}
	put_ticket(&m, IPC_KEY_OPEN, sealed, len);
	assert_false(answer(&m));
	assert_int_equal(result(&m, out), 0);
	put_ticket(&m, IPC_KEY_SEAL, session, sizeof(session));
	assert_false(answer(&m));
	assert_int_equal(result(&m, out), 0);
}

/* A ticket that is none is no offence: the client offered it. */
static void
foreign_tickets_are_not_opened(void **state)
{
	unsigned char sealed[TLS_TICKET_MAX + TLS_SEAL_OVERHEAD], out[IPC_MAX];
	const size_t sizes[] = {0, 1, 16, 64, sizeof(sealed)};
	struct ipc_message m;
	size_t i;

	(void)state;
	memset(sealed, 0x5a, sizeof(sealed));
	for (i = 0; i < COUNT(sizes); i++) {
		(void)begin(NULL);
		put_ticket(&m, IPC_KEY_OPEN, sealed, sizes[i]);
		assert_true(answer(&m));
		assert_int_equal(result(&m, out), 0);
	}
}

static void
sessions_have_a_bound(void **state)
{
	static const unsigned char octets[TLS_TICKET_MAX + TLS_SEAL_OVERHEAD + 1];
	unsigned char out[IPC_MAX];
	struct ipc_message m;

	(void)state;
	put_ticket(&m, IPC_KEY_SEAL, octets, TLS_TICKET_MAX);
	assert_true(answer(&m));
	assert_true(result(&m, out) <= TLS_TICKET_MAX + TLS_SEAL_OVERHEAD);
	(void)begin(NULL);
	put_ticket(&m, IPC_KEY_SEAL, octets, TLS_TICKET_MAX + 1);
	assert_false(answer(&m));
	put_ticket(&m, IPC_KEY_OPEN, octets, sizeof(octets));
	assert_false(answer(&m));
	assert_int_equal(result(&m, out), 0);
}

/* Well-formed, but nothing that a key signs. */
static void
signatures_that_are_refused(void **state)
{
	const struct {
		struct tls_sign_request request;
		size_t len; /* 0: the request's */
	} rows[] = {
	    {signed_key_exchange(1, MBEDTLS_MD_SHA256, SIGNED_P256, 65), 0}, /* no such key */
	    {signed_key_exchange(255, MBEDTLS_MD_SHA256, SIGNED_P256, 65), 0},
	    {signed_key_exchange(0, MBEDTLS_MD_NONE, SIGNED_P256, 65), 0},
	    {signed_key_exchange(0, 255, SIGNED_P256, 65), 0},
	    {signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P256, 64), 0},
	    {SOUND, 32}, /* as long as a digest */
	    {SOUND, TLS_SIGNED_MAX},
	    {SOUND, TLS_SIGNED_MAX + 1},
	};
	unsigned char out[IPC_MAX];
	struct ipc_message m;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		(void)begin(NULL);
		put_sign(
		    &m, &rows[i].request, rows[i].len != 0 ? rows[i].len : rows[i].request.len);
		assert_false(answer(&m));
		assert_int_equal(result(&m, out), 0);
		/* It was the one try. */
		put_sound(&m);
		assert_false(answer(&m));
	}
}

static void
questions_cut_anywhere(void **state)
{
	static const char session[] = "a session";
	unsigned char out[IPC_MAX];
	struct ipc_message m, whole;
	size_t len;
	int which;

	(void)state;
	for (which = 0; which < 3; which++) {
		if (which == 0)
			put_sound(&whole);
		else
			put_ticket(&whole, which == 1 ? IPC_KEY_SEAL : IPC_KEY_OPEN, session,
			    sizeof(session));
		for (len = 0; len < whole.len; len++) {
			(void)begin(NULL);
			m = whole;
			m.len = len;
			assert_false(answer(&m));
			assert_int_equal(result(&m, out), 0);
		}
		(void)begin(NULL);
		m = whole;
		ipc_put_u8(&m, 0); /* and one octet too many */
		assert_false(answer(&m));
		assert_int_equal(result(&m, out), 0);
	}
}

static void
other_messages_are_no_questions(void **state)
{
	unsigned char out[IPC_MAX];
	struct ipc_message m;
	unsigned type;

	(void)state;
	for (type = 0; type < 256; type++) {
		if (type == IPC_KEY_SIGN || type == IPC_KEY_SEAL || type == IPC_KEY_OPEN)
			continue;
		(void)begin(NULL);
		put_ticket(&m, (enum ipc_type)type, "x", 1);
		assert_false(answer(&m));
		assert_int_equal(result(&m, out), 0);
	}
}

/* --- the other end --- */

/* A key process for one channel; it ends as the real one drops it, or after a lie. */
static pid_t
serve(const int pair[2], const struct ipc_message *lie)
{
	struct ipc_message m;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		close(pair[1]);
		return pid;
	}
	close(pair[0]);
	while (ipc_recv(pair[1], &m, 5000, NULL) == 0) {
		if (lie != NULL)
			_exit(ipc_send(pair[1], lie, -1) == 0 ? 0 : 1);
		if (!answer(&m))
			break;
		if (ipc_send(pair[1], &m, -1) == -1)
			_exit(1);
	}
	_exit(0);
}

static void
asked_over_a_channel(void **state)
{
	struct tls_sign_request request = SOUND;
	unsigned char signature[TLS_SIGNATURE_MAX], sealed[2200], out[2200];
	struct tls_key_service service;
	struct key_link link = {-1, -1};
	int pair[2];
	ssize_t len;
	pid_t pid;

	(void)state;
	fixture_pair(SOCK_SEQPACKET, pair);
	pid = serve(pair, NULL);
	link.channel = pair[0];
	service = key_ask_service(&link);
	assert_true(service.sign(service.ctx, &request, signature, sizeof(signature)) > 0);
	len =
	    service.seal(service.ctx, (const unsigned char *)"session", 7, sealed, sizeof(sealed));
	assert_true(len > 7);
	assert_int_equal(service.open(service.ctx, sealed, (size_t)len, out, sizeof(out)), 7);
	assert_memory_equal(out, "session", 7);
	/* An answer larger than the room for it is none. */
	assert_int_equal(service.open(service.ctx, sealed, (size_t)len, out, 6), -1);
	/* Beyond the quota the channel is closed. */
	assert_int_equal(service.open(service.ctx, sealed, (size_t)len, out, sizeof(out)), -1);
	assert_int_equal(service.sign(service.ctx, &request, signature, sizeof(signature)), -1);
	close(pair[0]);
	fixture_ended_well(pid);
	link.channel = -1; /* no channel: refused without a system call */
	assert_int_equal(service.sign(service.ctx, &request, signature, sizeof(signature)), -1);
}

static void
answers_that_lie(void **state)
{
	struct tls_sign_request request = SOUND;
	unsigned char out[TLS_SIGNATURE_MAX];
	struct ipc_message lies[5];
	struct tls_key_service service;
	struct key_link link = {-1, -1};
	int pair[2];
	size_t i;
	pid_t pid;

	(void)state;
	put_ticket(&lies[0], IPC_KEY_RESULT, "", 0);
	put_ticket(&lies[1], IPC_KEY_SIGN, "xx", 2);
	put_ticket(&lies[2], IPC_KEY_RESULT, "xx", 2);
	lies[2].len--; /* shorter than it says */
	put_ticket(&lies[3], IPC_KEY_RESULT, "xx", 2);
	ipc_put_u8(&lies[3], 0); /* more than it says */
	put_ticket(&lies[4], IPC_KEY_RESULT, out, 0);
	lies[4].len = 1;
	for (i = 0; i < COUNT(lies); i++) {
		fixture_pair(SOCK_SEQPACKET, pair);
		pid = serve(pair, &lies[i]);
		link.channel = pair[0];
		service = key_ask_service(&link);
		assert_int_equal(service.sign(service.ctx, &request, out, sizeof(out)), -1);
		close(pair[0]);
		fixture_ended_well(pid);
	}
}

#define KEY_TEST(f) cmocka_unit_test_setup(f, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    KEY_TEST(one_signature_and_no_more),
	    KEY_TEST(tickets_are_of_a_network),
	    KEY_TEST(tickets_are_sealed_and_opened),
	    KEY_TEST(foreign_tickets_are_not_opened),
	    KEY_TEST(sessions_have_a_bound),
	    KEY_TEST(signatures_that_are_refused),
	    KEY_TEST(questions_cut_anywhere),
	    KEY_TEST(other_messages_are_no_questions),
	    KEY_TEST(asked_over_a_channel),
	    KEY_TEST(answers_that_lie),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
