/*
 * test_server_certificates.c: master warns daily of a certificate that ends soon.  The time of day is the
 * test's own.
 */
#include "server_fixture.h"

#include <time.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/master/master_state.h"
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

/* What certificates_tick logs at this time of master's clock, so many days later. */
static const char *
tick(struct master *m, int64_t now, int days)
{
	static char out[LOG_LINE_MAX];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	later = (time_t)days * DAY + DAY / 2;
	certificates_tick(m, now);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = recv(fds[0], out, sizeof(out) - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(saved);
	close(fds[0]);
	close(fds[1]);
	return out;
}

static void
mend28_warns_daily(void **state)
{
	static struct master m;
	struct certificates now = {.state = CERTIFICATES_READY, .control = -1};
	const int64_t day = MASTER_WARN;

	(void)state;
	now.tls = certificate_for_days(20);
	m.serving = &now;
	m.retry_at = CLOCK_NEVER;
	m.look_at = INT64_MAX; /* at files */
	m.warn_at = day;
	assert_string_equal(tick(&m, day - 1, 10), "");
	assert_string_equal(tick(&m, day, 5), "");
	assert_string_equal(tick(&m, 2 * day, 5), "");
	assert_non_null(strstr(tick(&m, 3 * day, 6),
	    "- master certificate-problem what=\"CN=localhost expires in 13 days, on "));
	assert_string_equal(tick(&m, 3 * day + 1, 6), "");
	assert_string_equal(tick(&m, 4 * day - 1, 7), "");
	assert_non_null(strstr(tick(&m, 4 * day, 7), " expires in 12 days, "));
	assert_non_null(strstr(tick(&m, 5 * day, 19), " expires in 0 days, "));
	assert_non_null(strstr(tick(&m, 6 * day, 20), "CN=localhost has expired, on "));
	later = 0;
	tls_server_free(&now.tls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mend28_warns_daily),
	};

	return cmocka_run_group_tests(tests, fixture_make_dir, fixture_remove_dir);
}
