/*
 * test_server_certificates.c: a certificate that ends soon is reported daily.  The time of day is the test's own.
 */
#include "server_fixture.h"

#include <time.h>

#include "server/clock.h"
#include "server/ipc.h"
#include "server/log.h"
#include "server/master/master_state.h"
#include "server/spawner/spawner.h"
#include "tls/cert.h"
#include "tls/tls.h"

enum { DAY = 24 * 60 * 60 };

static time_t later; /* seconds beyond the real time */

time_t
time(time_t *now_r)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now_r != NULL)
		*now_r = now.tv_sec + later;
	return now.tv_sec + later;
}

static struct tls_server *
certificate_for_days(int days)
{
	static const char *const names[] = {"localhost"};
	char cert[96], key[96];
	struct tls_cert_order order = {
	    .names = names, .names_len = 1, .days = days, .cert_path = cert, .key_path = key};
	struct tls_server *server = tls_server_new();
	struct tls_error error;

	assert_non_null(server);
	snprintf(cert, sizeof(cert), "%s/c", fixture_dir);
	snprintf(key, sizeof(key), "%s/k", fixture_dir);
	assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), 0);
	assert_int_equal(tls_server_add(server, cert, &error), 0);
	return server;
}

/* What the spawner logs of a certificate so many days later. */
static const char *
report(struct tls_server *tls, int days)
{
	static char out[LOG_LINE_MAX];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	later = (time_t)days * DAY + DAY / 2;
	spawner_report(tls, false);
	later = 0;
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = recv(fds[0], out, sizeof(out) - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(saved);
	close(fds[0]);
	close(fds[1]);
	return out;
}

static void
mend28_warns_of_the_end(void **state)
{
	struct tls_server *tls = certificate_for_days(20);

	(void)state;
	assert_string_equal(report(tls, 5), "");
	assert_non_null(strstr(report(tls, 6),
	    "- master certificate-problem what=\"CN=localhost expires in 13 days, on "));
	assert_non_null(strstr(report(tls, 7), " expires in 12 days, "));
	assert_non_null(strstr(report(tls, 19), " expires in 0 days, "));
	assert_non_null(strstr(report(tls, 20), "CN=localhost has expired, on "));
	tls_server_free(&tls);
}

/* Whether master asks for a report at this time of its clock. */
static bool
asks(struct master *m, int64_t now, int spawner)
{
	struct ipc_message message;

	certificates_tick(m, now);
	return ipc_recv(spawner, &message, 0, NULL) == 0 &&
	       ipc_open(&message) == IPC_SPAWN_REPORT && ipc_get_u8(&message) == 0;
}

static void
mend28_warns_daily(void **state)
{
	static struct master m;
	struct certificates now = {
	    .state = CERTIFICATES_READY, .control = -1, .stuck_at = CLOCK_NEVER};
	const int64_t day = MASTER_WARN;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	m.spawner[0] = (struct spawner){.pid = 1, .control = pair[0]};
	m.serving = &now;
	m.retry_at = CLOCK_NEVER;
	m.look_at = INT64_MAX; /* at files */
	m.warn_at = day;
	assert_false(asks(&m, day - 1, pair[1]));
	assert_true(asks(&m, day, pair[1]));
	assert_false(asks(&m, 2 * day - 1, pair[1]));
	assert_true(asks(&m, 2 * day, pair[1]));
	assert_false(asks(&m, 2 * day + 1, pair[1]));
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mend28_warns_of_the_end),
	    cmocka_unit_test(mend28_warns_daily),
	};

	return cmocka_run_group_tests(tests, fixture_make_dir, fixture_remove_dir);
}
