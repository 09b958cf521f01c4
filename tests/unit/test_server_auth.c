/*
 * test_server_auth.c: both ends of a login, hostile records, and where a user's Maildir is.
 */
#include "server_fixture.h"

#include <signal.h>

#include "auth/scheme.h"
#include "server/clock.h"
#include "server/conf.h"
#include "server/privdrop.h"
#include "server/reader/auth_answer.h"
#include "server/reader/reader.h"
#include "server/worker/auth_ask.h"

/* --- records --- */

/* Octets that fill a field, and one more. */
static char filler[1024];

struct request {
	size_t name, password, version, cipher, sni; /* lengths */
};

static void
put_request(struct ipc_message *m, const struct request *r)
{
	ipc_begin(m, IPC_AUTH_PASSWORD);
	ipc_put_bytes(m, filler, r->name);
	ipc_put_bytes(m, filler, r->password);
	ipc_put_bytes(m, filler, r->version);
	ipc_put_bytes(m, filler, r->cipher);
	ipc_put_u16(m, 256);
	ipc_put_u8(m, 1);
	ipc_put_bytes(m, filler, r->sni);
}

static void
requests_within_and_beyond_their_bounds(void **state)
{
	static const struct {
		struct request lengths;
		bool good;
	} rows[] = {
	    {{0, 0, 0, 0, 0}, true},
	    {{4, 6, 3, 30, 20}, true},
	    {{AUTH_NAME_MAX, AUTH_PASSWORD_MAX, 15, 63, 253}, true},
	    {{AUTH_NAME_MAX + 1, 6, 3, 30, 20}, false},
	    {{4, AUTH_PASSWORD_MAX + 1, 3, 30, 20}, false},
	    {{4, 6, 16, 30, 20}, false},
	    {{4, 6, 3, 64, 20}, false},
	    {{4, 6, 3, 30, 254}, false},
	    {{1000, 1000, 0, 0, 0}, false},
	};
	static const struct ipc_message zero;
	struct auth_request request;
	struct ipc_message m;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		put_request(&m, &rows[i].lengths);
		assert_int_equal(auth_answer_parse(&m, &request), rows[i].good);
		assert_memory_equal(&m, &zero, sizeof(m)); /* it held a password */
		if (!rows[i].good)
			continue;
		assert_int_equal(strlen(request.name), rows[i].lengths.name);
		assert_int_equal(strlen(request.password), rows[i].lengths.password);
		assert_int_equal(strlen(request.sni), rows[i].lengths.sni);
		assert_int_equal(request.bits, 256);
		assert_true(request.resumed);
	}
}

static void
requests_cut_anywhere(void **state)
{
	const struct request lengths = {4, 6, 3, 30, 20};
	struct auth_request request;
	struct ipc_message m, whole;
	size_t len;

	(void)state;
	put_request(&whole, &lengths);
	for (len = 0; len < whole.len; len++) {
		m = whole;
		m.len = len;
		assert_false(auth_answer_parse(&m, &request));
	}
	m = whole;
	ipc_put_u8(&m, 0);
	assert_false(auth_answer_parse(&m, &request));
	for (len = 0; len < 256; len++) {
		m = whole;
		m.data[0] = (unsigned char)len;
		assert_int_equal(auth_answer_parse(&m, &request), len == IPC_AUTH_PASSWORD);
	}
}

/* Every octet replaced by every other: never beyond a bound, never a string without an end. */
static void
requests_with_any_octet_changed(void **state)
{
	static const unsigned char octets[] = {0, 1, 0x0f, 0x7f, 0x80, 0xff};
	const struct request lengths = {4, 6, 3, 30, 20};
	struct auth_request request;
	struct ipc_message m, whole;
	size_t at, i;

	(void)state;
	put_request(&whole, &lengths);
	for (at = 0; at < whole.len; at++) {
		for (i = 0; i < COUNT(octets); i++) {
			m = whole;
			m.data[at] = octets[i];
			if (!auth_answer_parse(&m, &request))
				continue;
			assert_true(strnlen(request.name, sizeof(request.name)) <= AUTH_NAME_MAX);
			assert_true(strnlen(request.password, sizeof(request.password)) <=
				    AUTH_PASSWORD_MAX);
			assert_true(strnlen(request.sni, sizeof(request.sni)) < 254);
		}
	}
}

/* --- over a socket --- */

static struct channel clear; /* a worker's, without TLS */

/* A reader that answers once with these octets as a record, and tells what it was asked. */
static pid_t
answer_with(const int pair[2], const void *octets, size_t len)
{
	struct auth_request request;
	struct ipc_message m;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		close(pair[1]);
		return pid;
	}
	close(pair[0]);
	if (ipc_recv_record(pair[1], &m, 5000, NULL) == -1 || !auth_answer_parse(&m, &request) ||
	    strcmp(request.name, "anna") != 0 || strcmp(request.password, "secret") != 0 ||
	    request.tls_version[0] != '\0' || request.bits != 0 || request.resumed)
		_exit(1);
	m.len = len;
	m.bad = false;
	memcpy(m.data, octets, len);
	_exit(len == 0 || ipc_send_record(pair[1], &m, -1) == 0 ? 0 : 1);
}

static void
verdicts(void **state)
{
	static const struct {
		unsigned char octets[4];
		size_t len;
		enum ipc_verdict verdict;
	} rows[] = {
	    {{IPC_AUTH_RESULT, IPC_ACCEPTED}, 2, IPC_ACCEPTED},
	    {{IPC_AUTH_RESULT, IPC_DENIED}, 2, IPC_DENIED},
	    {{IPC_AUTH_RESULT, IPC_TOO_SOON}, 2, IPC_TOO_SOON},
	    {{IPC_AUTH_RESULT, IPC_ACCEPTED, 0}, 3, IPC_UNAVAILABLE}, /* something behind it */
	    {{IPC_AUTH_RESULT}, 1, IPC_UNAVAILABLE},
	    {{IPC_LOGIN_RESULT, IPC_ACCEPTED}, 2, IPC_UNAVAILABLE},
	    {{0}, 0, IPC_UNAVAILABLE}, /* nobody answers */
	};
	int pair[2];
	size_t i;
	pid_t pid;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		fixture_pair(SOCK_STREAM, pair);
		pid = answer_with(pair, rows[i].octets, rows[i].len);
		assert_int_equal(
		    auth_ask_password(pair[0], &clear, "anna", "secret"), rows[i].verdict);
		close(pair[0]);
		fixture_ended_well(pid);
	}
}

static void
the_longest_login_fits(void **state)
{
	char name[AUTH_NAME_MAX + 1], password[AUTH_PASSWORD_MAX + 1];
	struct auth_request request;
	struct ipc_message m;
	int pair[2];

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	name[AUTH_NAME_MAX] = password[AUTH_PASSWORD_MAX] = '\0';
	fixture_pair(SOCK_STREAM, pair);
	assert_int_equal(auth_answer_result(pair[1], IPC_DENIED), 0);
	assert_int_equal(auth_ask_password(pair[0], &clear, name, password), IPC_DENIED);
	assert_int_equal(ipc_recv_record(pair[1], &m, 1000, NULL), 0);
	assert_true(auth_answer_parse(&m, &request));
	assert_string_equal(request.name, name);
	assert_string_equal(request.password, password);
	close(pair[0]);
	close(pair[1]);
}

/* The socket and the input behind the login go over to the reader. */
static void
a_socket_is_handed_over(void **state)
{
	static struct channel channel;
	int client[2], inner[2], fd;
	struct ipc_message m;
	char out[32], *line;
	size_t len;

	(void)state;
	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, client);
	fixture_pair(SOCK_STREAM, inner);
	channel_init(&channel, client[0], CLOCK_NEVER, 1000);
	assert_int_equal(write(client[1], "PASS x\r\nSTAT\r\nQU", 16), 16);
	assert_true(channel_line(&channel, 100, &line, &len));
	assert_int_equal(auth_ask_hand_over(inner[0], &channel), 0);
	close(inner[0]);
	assert_int_equal(ipc_recv_record(inner[1], &m, 1000, &fd), 0);
	assert_int_equal(ipc_open(&m), IPC_AUTH_SOCKET);
	assert_true(ipc_done(&m));
	assert_true(fd >= 0);
	assert_int_equal(read(inner[1], out, sizeof(out)), 8);
	assert_memory_equal(out, "STAT\r\nQU", 8);
	assert_int_equal(write(client[1], "IT\r\n", 4), 4);
	assert_int_equal(read(fd, out, sizeof(out)), 4);
	close(fd);
	close(inner[1]);
	close(client[1]);
	channel_clear(&channel);
}

/* --- the check in a child of its own --- */

static struct conf *
file_conf(const char *users)
{
	struct conf_complaints complaints;
	char text[512], empty[128];
	struct conf *conf;

	snprintf(empty, sizeof(empty), "%s", fixture_path("empty"));
	assert_true(mkdir(empty, 0555) == 0 || errno == EEXIST);
	snprintf(text, sizeof(text),
	    "certificate = /c /k\naccounts = file\nmin_uid = 1\nusers_file = %s\nempty_dir = %s\n",
	    users, empty);
	conf = conf_parse(text, strlen(text), &complaints);
	assert_non_null(conf);
	return conf;
}

static enum auth_verdict
check(const struct conf *conf, const char *name, const char *password, struct auth_account *account)
{
	static const char zero[AUTH_PASSWORD_MAX + 1];
	const struct service_users users = {.worker_uid = 65534, .worker_gid = 65534};
	struct auth_request request = {.bits = 0};
	enum auth_verdict verdict;
	const char *reason = NULL;

	snprintf(request.name, sizeof(request.name), "%s", name);
	snprintf(request.password, sizeof(request.password), "%s", password);
	verdict =
	    auth_answer_password(conf, &users, clock_in(60 * 1000), &request, account, &reason);
	assert_memory_equal(request.password, zero, sizeof(zero));
	assert_non_null(reason);
	assert_null(strstr(reason, password));
	return verdict;
}

static void
passwords_are_checked(void **state)
{
	char hash[256], line[512];
	const char *users = fixture_path("users");
	struct auth_account account;
	struct conf *conf;
	unsigned before;

	(void)state;
	assert_int_equal(scheme_hash("secret", hash, sizeof(hash)), 0);
	snprintf(line, sizeof(line), "anna:%s:61234:61235::/srv/anna::\n", hash);
	fixture_write(users, line, strlen(line), 0600);
	conf = file_conf(users);
	before = fixture_descriptors();
	assert_int_equal(check(conf, "anna", "secret", &account), AUTH_OK);
	assert_string_equal(account.name, "anna");
	assert_string_equal(account.home, "/srv/anna");
	assert_int_equal(account.uid, 61234);
	assert_int_equal(account.gid, 61235);
	assert_int_equal(check(conf, "anna", "sesame7", &account), AUTH_DENIED);
	assert_int_equal(check(conf, "ben", "secret", &account), AUTH_DENIED);
	assert_string_equal(account.name, ""); /* nothing of an unknown one is left for the log */
	assert_int_equal(check(conf, "../anna", "secret", &account), AUTH_DENIED);
	assert_int_equal(check(conf, "", "secret", &account), AUTH_DENIED);
	assert_int_equal(fixture_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no zombie */
	conf_free(&conf);
	conf = file_conf(fixture_path("missing"));
	assert_int_equal(check(conf, "anna", "secret", &account), AUTH_BROKEN);
	conf_free(&conf);
}

/* --- reader_maildir_path --- */

static void
maildirs_have_a_path(void **state)
{
	static const struct {
		const char *setting, *name, *path;
	} rows[] = {
	    {"~/Maildir", "anna", "/home/anna/Maildir"},
	    {"~/", "anna", "/home/anna/"},
	    {"/srv/mail/%u", "anna", "/srv/mail/anna"},
	    {"/srv/mail/%u", "anna@example.org", "/srv/mail/anna@example.org"},
	    {"/srv/%d/%n/Maildir", "anna@example.org", "/srv/example.org/anna/Maildir"},
	    {"/srv/%d/%n", "anna", "/srv//anna"},
	    {"~/%n%n", "anna", "/home/anna/annaanna"},
	    {"/srv/~/%u", "anna", "/srv/~/anna"}, /* only the first octet is the home */
	    {"/srv/%x", "anna", NULL},
	    {"/srv/%", "anna", NULL},
	    {"/srv/%%", "anna", NULL},
	};
	struct auth_account account = {.home = "/home/anna"};
	char path[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(account.name, sizeof(account.name), "%s", rows[i].name);
		assert_int_equal(reader_maildir_path(rows[i].setting, &account, path, sizeof(path)),
		    rows[i].path == NULL ? -1 : 0);
		if (rows[i].path != NULL)
			assert_string_equal(path, rows[i].path);
	}
}

static void
a_path_too_long_is_refused(void **state)
{
	struct auth_account account = {.home = "/home/anna", .name = "anna"};
	char path[64];
	size_t size;

	(void)state;
	for (size = 1; size < sizeof(path); size++) {
		memset(path, 'x', sizeof(path));
		assert_int_equal(reader_maildir_path("~/%u/Maildir", &account, path, size),
		    size > strlen("/home/anna/anna/Maildir") ? 0 : -1);
		assert_int_equal(path[size], 'x');
	}
	memset(account.name, 'n', AUTH_NAME_MAX);
	memset(account.home, 'h', PATH_MAX - 1);
	assert_int_equal(reader_maildir_path("~/%u/%u/%u", &account, path, sizeof(path)), -1);
	assert_int_equal(reader_maildir_path("/%u/%u/%u", &account, path, sizeof(path)), -1);
}

static int
group_setup(void **state)
{
	memset(filler, 'f', sizeof(filler));
	clear.fd = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	return fixture_make_dir(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_within_and_beyond_their_bounds),
	    cmocka_unit_test(requests_cut_anywhere),
	    cmocka_unit_test(requests_with_any_octet_changed),
	    cmocka_unit_test(verdicts),
	    cmocka_unit_test(the_longest_login_fits),
	    cmocka_unit_test(a_socket_is_handed_over),
	    cmocka_unit_test(passwords_are_checked),
	    cmocka_unit_test(maildirs_have_a_path),
	    cmocka_unit_test(a_path_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, fixture_remove_dir);
}
