/* Connections: handshakes of all kinds, data both ways, ends of all kinds. */
#include "tests/unit/tls_fixture.h"

static struct fixture_service keys;
static struct tls_server *ec, *rsa, *both, *many;

static int
setup(void **state)
{
	(void)state;
	if (fixture_make_dir() != 0 || tls_process_init() != 0)
		return -1;
	fixture_cert("ca", TLS_CERT_P256, NULL, NULL, NULL);
	fixture_cert("stranger", TLS_CERT_P256, NULL, NULL, NULL);
	fixture_cert("ec", TLS_CERT_P256, "mail.example.org", "192.0.2.1", "ca");
	fixture_cert("rsa", TLS_CERT_RSA2048, "mail.example.org", NULL, "ca");
	fixture_cert("wild", TLS_CERT_P256, "*.example.net", "pop.example.net", "ca");
	fixture_cert("other", TLS_CERT_RSA2048, "imap.example.net", NULL, "ca");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fixture_remove_dir();
}

/* Each test has its own service, as it counts; the keys are numbered from 0 for each server. */
static int
begin(void **state)
{
	(void)state;
	fixture_service_init(&keys);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	tls_server_free(&ec);
	tls_server_free(&rsa);
	tls_server_free(&both);
	tls_server_free(&many);
	fixture_service_clear(&keys);
	return 0;
}

static struct tls_server *
make_server(const char *a, const char *b, const char *c)
{
	const char *bases[] = {a, b, c, NULL};

	return fixture_server(&keys, bases);
}

static void
connect_pair(struct fixture_pair *pair, struct tls_server *server, const struct fixture_wish *wish)
{
	fixture_pair_init(pair, server, "pop3", &keys.service, wish);
	fixture_handshake(pair);
}

static void
assert_connected(const struct fixture_pair *pair)
{
	if (pair->result != TLS_OK || pair->client_ret != 0)
		fail_msg("server %d (%s), client -0x%04x", (int)pair->result,
		    tls_stream_error(pair->stream), (unsigned)-pair->client_ret);
}

/* --- handshakes --- */

static void
check_versions(struct tls_server *server, const char *kind)
{
	for (int tls13 = 0; tls13 <= COMPAT_TLS13; tls13++) {
		struct fixture_wish wish = {.only_tls12 = tls13 == 0,
		    .only_tls13 = tls13 == 1,
		    .host = "mail.example.org",
		    .ca = "ca"};
		struct fixture_pair pair;
		struct tls_info info;

		keys.signs = 0;
		connect_pair(&pair, server, &wish);
		assert_connected(&pair);
		assert_int_equal(keys.signs, 1);
		fixture_talk(&pair);
		tls_stream_info(pair.stream, &info);
		assert_string_equal(info.version, tls13 ? "1.3" : "1.2");
		assert_string_equal(info.sni, "mail.example.org");
		assert_string_equal(info.alpn, "");
		assert_false(info.resumed);
		assert_true(info.bits == 128 || info.bits == 256);
		assert_int_equal(strncmp(info.cipher, "TLS_", 4), 0);
		if (!tls13)
			assert_non_null(strstr(info.cipher, kind));
		fixture_pair_clear(&pair);
	}
}

static void
test_handshake_ecdsa(void **state)
{
	(void)state;
	ec = make_server("ec", NULL, NULL);
	check_versions(ec, "_ECDSA_");
}

static void
test_handshake_rsa(void **state)
{
	(void)state;
	rsa = make_server("rsa", NULL, NULL);
	check_versions(rsa, "_RSA_");
}

/* Without a service, and with one that refuses, nobody is served. */
static void
test_fail_closed(void **state)
{
	static const struct tls_key_service nobody;
	const struct tls_key_service *services[] = {NULL, &nobody, &keys.service};

	(void)state;
	ec = make_server("ec", NULL, NULL);
	rsa = make_server("rsa", NULL, NULL);
	keys.refuse_sign = true;
	for (size_t i = 0; i < 3; i++) {
		for (int tls13 = 0; tls13 <= COMPAT_TLS13; tls13++) {
			for (int use_rsa = 0; use_rsa < 2; use_rsa++) {
				struct fixture_wish wish = {
				    .only_tls12 = !tls13, .only_tls13 = tls13};
				struct fixture_pair pair;

				fixture_pair_init(
				    &pair, use_rsa ? rsa : ec, "pop3", services[i], &wish);
				fixture_handshake(&pair);
				assert_int_equal(pair.result, TLS_FAILED);
				assert_int_not_equal(pair.client_ret, 0);
				assert_string_not_equal(tls_stream_error(pair.stream), "");
				assert_int_equal(tls_handshake(pair.stream), TLS_FAILED);
				assert_int_equal(tls_write(pair.stream, "x", 1), TLS_FAILED);
				tls_close(pair.stream);
				fixture_pair_clear(&pair);
			}
		}
	}
}

/* A key that does not belong to the certificate: the client sees it. */
static void
test_wrong_signature(void **state)
{
	struct fixture_wish wish = {.host = "mail.example.org"};
	struct fixture_pair pair;
	struct tls_error error;

	(void)state;
	ec = make_server("ec", NULL, NULL);
	tls_keys_free(&keys.keys);
	keys.keys = tls_keys_new();
	assert_int_equal(
	    tls_keys_add(keys.keys, fixture_path("wild.crt"), fixture_path("wild.key"), &error), 0);
	connect_pair(&pair, ec, &wish);
	assert_int_not_equal(pair.client_ret, 0);
	assert_int_not_equal(pair.result, TLS_OK);
	fixture_pair_clear(&pair);
}

/* --- which certificate --- */

struct sni_case {
	const char *host;
	const char *base; /* whose certificate is served */
};

static bool
is_certificate(const mbedtls_x509_crt *crt, const char *base)
{
	mbedtls_x509_crt expected;
	char name[64];
	bool same;

	(void)snprintf(name, sizeof name, "%s.crt", base);
	mbedtls_x509_crt_init(&expected);
	assert_int_equal(mbedtls_x509_crt_parse_file(&expected, fixture_path(name)), 0);
	same = crt->raw.len == expected.raw.len &&
	       memcmp(crt->raw.p, expected.raw.p, expected.raw.len) == 0;
	mbedtls_x509_crt_free(&expected);
	return same;
}

static void
check_served(struct tls_server *server, const struct fixture_wish *wish, const char *base)
{
	struct fixture_pair pair;

	connect_pair(&pair, server, wish);
	assert_connected(&pair);
	if (!is_certificate(mbedtls_ssl_get_peer_cert(&pair.client.ssl), base))
		fail_msg(
		    "%s: not the certificate %s", wish->host != NULL ? wish->host : "(none)", base);
	fixture_pair_clear(&pair);
}

static void
test_sni(void **state)
{
	static const struct sni_case cases[] = {
	    {NULL, "ec"},
	    {"mail.example.org", "ec"},
	    {"MAIL.Example.ORG", "ec"},
	    {"192.0.2.1", "ec"},
	    {"unknown.example.com", "ec"},
	    {"pop.example.net", "wild"},
	    {"any.example.net", "wild"},
	    {"ANY.EXAMPLE.NET", "wild"},
	    {"example.net", "ec"},
	    {"a.b.example.net", "ec"},
	    {".example.net", "ec"},
	    {"*.example.net", "wild"},
	    {"xexample.net", "ec"},
	    {"mail.example.org.", "ec"},
	};

	(void)state;
	many = make_server("ec", "wild", NULL);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int tls13 = 0; tls13 <= COMPAT_TLS13; tls13++) {
			struct fixture_wish wish = {
			    .host = cases[i].host, .only_tls12 = !tls13, .only_tls13 = tls13};

			check_served(many, &wish, cases[i].base);
		}
	}
}

static void
test_sni_odd_names(void **state)
{
	struct fixture_wish wish = {.host = "a b\x01\xff.example.org"};
	struct fixture_pair pair;
	struct tls_info info;
	char name[MBEDTLS_SSL_MAX_HOST_NAME_LEN + 1];

	(void)state;
	many = make_server("ec", "wild", NULL);
	connect_pair(&pair, many, &wish);
	assert_connected(&pair);
	tls_stream_info(pair.stream, &info);
	assert_string_equal(info.sni, "a?b??.example.org");
	fixture_pair_clear(&pair);

	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	wish.host = name;
	connect_pair(&pair, many, &wish);
	assert_connected(&pair);
	tls_stream_info(pair.stream, &info);
	assert_int_equal(strlen(info.sni), 255);
	fixture_pair_clear(&pair);
}

/* Both kinds for one name, in either order: ECDSA, and RSA for who knows nothing else. */
static void
test_both_kinds(void **state)
{
	static const int only_rsa[] = {0xc02f, 0};
	static const char *const hosts[] = {"mail.example.org", "unknown.example.com", NULL};

	(void)state;
	for (int order = 0; order < 2; order++) {
		both = order == 0 ? make_server("ec", "rsa", NULL) : make_server("rsa", "ec", NULL);
		for (size_t i = 0; i < 3; i++) {
			struct fixture_wish wish = {.host = hosts[i], .only_tls12 = true};

			check_served(both, &wish, "ec");
			wish.suites = only_rsa;
			check_served(both, &wish, "rsa");
			if (COMPAT_TLS13) {
				struct fixture_wish wish13 = {.host = hosts[i], .only_tls13 = true};

				check_served(both, &wish13, "ec");
			}
		}
		tls_server_free(&both);
		fixture_service_clear(&keys);
		fixture_service_init(&keys);
	}
}

/* An exact name goes before a wildcard, and a wildcard serves who cannot use the exact one. */
static void
test_exact_before_wildcard(void **state)
{
	static const int only_rsa[] = {0xc02f, 0}, only_ecdsa[] = {0xc02b, 0};
	struct fixture_wish wish = {
	    .host = "imap.example.net", .only_tls12 = true, .suites = only_rsa};

	(void)state;
	many = make_server("wild", "other", "ec");
	check_served(many, &wish, "other");
	wish.suites = only_ecdsa;
	check_served(many, &wish, "wild");
}

/* --- what is refused --- */

static void
check_refused(const struct fixture_wish *wish)
{
	struct fixture_pair pair;

	connect_pair(&pair, rsa, wish);
	assert_int_not_equal(pair.client_ret, 0);
	assert_int_equal(pair.result, TLS_FAILED);
	assert_int_equal(keys.signs, 0);
	fixture_pair_clear(&pair);
}

/* No forward secrecy; CBC; DHE. */
static void
test_weak_suites(void **state)
{
	static const int suites[][2] = {
	    {0x002f, 0}, {0x009c, 0}, {0xc013, 0}, {0xc027, 0}, {0x009e, 0}};

	(void)state;
	rsa = make_server("rsa", NULL, NULL);
	for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
		struct fixture_wish wish = {.only_tls12 = true, .suites = suites[i]};

		check_refused(&wish);
	}
}

static void
test_alpn(void **state)
{
	const char *imap[] = {"imap", NULL}, *mixed[] = {"http/1.1", "pop3", NULL};
	struct fixture_wish wish = {.alpn = imap};
	struct fixture_pair pair;
	struct tls_info info;

	(void)state;
	rsa = make_server("rsa", NULL, NULL);
	check_refused(&wish);
	wish.alpn = mixed;
	connect_pair(&pair, rsa, &wish);
	assert_connected(&pair);
	tls_stream_info(pair.stream, &info);
	assert_string_equal(info.alpn, "pop3");
	fixture_pair_clear(&pair);
}

/* What is not TLS at all, in pieces and at once, and cut handshakes. */
static void
test_garbage(void **state)
{
	static const char *const texts[] = {
	    "GET / HTTP/1.0\r\n\r\n",
	    "\x16\x03\x01\xff\xff",
	    "\x16\x03\x01\x00\x05\x01\x00\x00\x01",
	    "\x80\x2e\x01\x03\x01",
	    "",
	};

	(void)state;
	ec = make_server("ec", NULL, NULL);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		enum tls_result result = TLS_WANT_READ;
		struct tls_stream *stream;
		int fds[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
		stream = tls_stream_new(ec, fds[0], NULL, &keys.service);
		assert_non_null(stream);
		for (const char *p = texts[i]; *p != '\0' && result == TLS_WANT_READ; p++) {
			assert_int_equal(send(fds[1], p, 1, MSG_NOSIGNAL), 1);
			result = tls_handshake(stream);
		}
		(void)shutdown(fds[1], SHUT_WR);
		if (result == TLS_WANT_READ)
			result = tls_handshake(stream);
		assert_true(result == TLS_FAILED || result == TLS_EOF);
		assert_int_equal(tls_handshake(stream), result);
		tls_stream_free(&stream);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
}

/* A client that does not know the CA says so by an alert, encrypted in TLS 1.3. */
static void
mend27_client_refuses_the_certificate(void **state)
{
	(void)state;
	ec = make_server("ec", NULL, NULL);
	for (int tls13 = 0; tls13 <= COMPAT_TLS13; tls13++) {
		struct fixture_wish wish = {.only_tls12 = !tls13,
		    .only_tls13 = tls13 != 0,
		    .host = "mail.example.org",
		    .ca = "stranger"};
		struct fixture_pair pair;

		connect_pair(&pair, ec, &wish);
		assert_int_equal(pair.result, TLS_FAILED);
		assert_string_equal(
		    tls_stream_alert(pair.stream), "client refused the certificate: unknown CA");
		fixture_pair_clear(&pair);
		wish.ca = "ca";
		connect_pair(&pair, ec, &wish);
		assert_connected(&pair);
		assert_null(tls_stream_alert(pair.stream));
		fixture_pair_clear(&pair);
	}
}

/* --- hellos in many records --- */

static struct {
	struct fixture_client *client;
	size_t most;  /* octets of a record */
	bool cutting; /* until what the client sends is encrypted */
} cutter;

/* mbedTLS sends whole records; those of the handshake in the clear go out in small ones. */
static int
cut_and_send(void *ctx, const unsigned char *buf, size_t len)
{
	static unsigned char out[6 * 16384];
	size_t out_len = 0;

	(void)ctx;
	for (size_t at = 0, next; at < len; at = next) {
		size_t content = (size_t)buf[at + 3] << 8 | buf[at + 4], n;

		next = at + 5 + content;
		assert_true(next <= len);
		cutter.cutting = cutter.cutting && buf[at] == 22;
		for (size_t from = at + 5; from < next; from += n) {
			n = cutter.cutting && next - from > cutter.most ? cutter.most : next - from;
			assert_true(out_len + 5 + n <= sizeof out);
			memcpy(out + out_len, buf + at, 3);
			out[out_len + 3] = (unsigned char)(n >> 8);
			out[out_len + 4] = (unsigned char)n;
			memcpy(out + out_len + 5, buf + from, n);
			out_len += 5 + n;
		}
	}
	assert_int_equal(fixture_bio_send(cutter.client, out, out_len), out_len);
	return (int)len;
}

static void
mend14_hello_in_many_records(void **state)
{
	static const size_t most[] = {1, 2, 3, 4, 5, 9, 100, 16384};

	(void)state;
	ec = make_server("ec", NULL, NULL);
	for (int tls13 = 0; tls13 <= COMPAT_TLS13; tls13++)
		for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
			struct fixture_wish wish = {.only_tls12 = !tls13,
			    .only_tls13 = tls13 != 0,
			    .host = "mail.example.org",
			    .ca = "ca"};
			struct fixture_pair pair;

			fixture_pair_init(&pair, ec, "pop3", &keys.service, &wish);
			cutter.client = &pair.client;
			cutter.most = most[i];
			cutter.cutting = true;
			mbedtls_ssl_set_bio(
			    &pair.client.ssl, &pair.client, cut_and_send, fixture_bio_recv, NULL);
			fixture_handshake(&pair);
			assert_connected(&pair);
			fixture_talk(&pair);
			fixture_pair_clear(&pair);
		}
}

/* The client hears why it is refused. */
static void
mend14_mixed_records_get_an_alert(void **state)
{
	static const unsigned char mixed[] = {22, 3, 1, 0, 2, 1, 0, 21, 3, 1, 0, 2, 2, 40};
	static const unsigned char unexpected[] = {21, 3, 3, 0, 2, 2, 10};
	unsigned char answer[16];
	struct tls_stream *stream;
	int fds[2];

	(void)state;
	ec = make_server("ec", NULL, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	stream = tls_stream_new(ec, fds[0], "pop3", &keys.service);
	assert_non_null(stream);
	assert_int_equal(send(fds[1], mixed, sizeof mixed, 0), sizeof mixed);
	assert_int_equal(tls_handshake(stream), TLS_FAILED);
	assert_string_equal(
	    tls_stream_error(stream), "handshake: another record within a handshake message");
	assert_int_equal(recv(fds[1], answer, sizeof answer, 0), sizeof unexpected);
	assert_memory_equal(answer, unexpected, sizeof unexpected);
	tls_stream_free(&stream);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* --- resumption --- */

static void
get_session(struct fixture_pair *pair, mbedtls_ssl_session *session)
{
	fixture_talk(pair);
	mbedtls_ssl_session_init(session);
	assert_int_equal(mbedtls_ssl_get_session(&pair->client.ssl, session), 0);
}

static bool
resumes(struct tls_server *server, const struct fixture_wish *wish)
{
	struct fixture_pair pair;
	struct tls_info info;

	connect_pair(&pair, server, wish);
	assert_connected(&pair);
	fixture_talk(&pair);
	tls_stream_info(pair.stream, &info);
	fixture_pair_clear(&pair);
	return info.resumed;
}

static void
check_resumption(bool tls13)
{
	struct fixture_wish wish = {
	    .host = "mail.example.org", .only_tls12 = !tls13, .only_tls13 = tls13};
	mbedtls_ssl_session session;
	struct fixture_pair pair;

	connect_pair(&pair, ec, &wish);
	assert_connected(&pair);
	get_session(&pair, &session);
	fixture_pair_clear(&pair);
	assert_true(keys.seals >= 1);

	wish.session = &session;
	keys.signs = 0;
	assert_true(resumes(ec, &wish));
	assert_int_equal(keys.signs, 0);
	/* Under another name, or none, it is a stranger's ticket (RFC 6066, section 3).  In TLS 1.3
	 * mbedTLS's client would not even offer it. */
	if (!tls13) {
		wish.host = "other.example.org";
		assert_false(resumes(ec, &wish));
		wish.host = NULL;
		assert_false(resumes(ec, &wish));
		wish.host = "mail.example.org";
	}
	/* Rotated once, then expired. */
	keys.now += TLS_TICKET_LIFETIME / 2;
	assert_true(resumes(ec, &wish));
	keys.now += TLS_TICKET_LIFETIME / 2 + 1;
	assert_false(resumes(ec, &wish));
	mbedtls_ssl_session_free(&session);
}

static void
test_resumption(void **state)
{
	(void)state;
	ec = make_server("ec", NULL, NULL);
	check_resumption(false);
	if (COMPAT_TLS13)
		check_resumption(true);
}

/* No ticket to be had is no reason to refuse a client, nor is one that cannot be opened. */
static void
test_no_tickets(void **state)
{
	(void)state;
	ec = make_server("ec", NULL, NULL);
	keys.refuse_seal = true;
	for (int tls13 = 0; tls13 <= COMPAT_TLS13; tls13++) {
		struct fixture_wish wish = {.only_tls12 = !tls13, .only_tls13 = tls13};
		mbedtls_ssl_session session;
		struct fixture_pair pair;

		connect_pair(&pair, ec, &wish);
		assert_connected(&pair);
		fixture_talk(&pair);
		mbedtls_ssl_session_init(&session);
		/* In TLS 1.3 the client has thrown the ticket away: its lifetime is 0. */
		if (mbedtls_ssl_get_session(&pair.client.ssl, &session) == 0) {
			assert_false(tls13);
			wish.session = &session;
		}
		fixture_pair_clear(&pair);
		assert_false(resumes(ec, &wish));
		mbedtls_ssl_session_free(&session);
	}
}

/* --- data --- */

enum { BULK = 1 << 20 };

static unsigned char
pattern(size_t i)
{
	return (unsigned char)((i * 31) ^ (i >> 8) ^ (i >> 16));
}

/* Reads a random amount as a slow client would, and checks it. */
static void
client_reads(struct fixture_pair *pair, size_t *at)
{
	unsigned char buf[3000];
	int ret = mbedtls_ssl_read(&pair->client.ssl, buf, (size_t)(1 + rand() % (int)sizeof buf));

	if (ret == MBEDTLS_ERR_SSL_WANT_READ || fixture_is_ticket(ret))
		return;
	assert_true(ret > 0);
	for (int i = 0; i < ret; i++, (*at)++)
		assert_int_equal(buf[i], pattern(*at));
}

/*
 * Gives tls_write at least what it had been given before, each time in other memory, and as much more
 * as chance has it.
 */
static void
server_writes(struct fixture_pair *pair, size_t *at, size_t *asked)
{
	size_t len = *asked + (size_t)(rand() % 40000);
	unsigned char *copy;
	ssize_t n;

	if (len == 0)
		len = 1;
	if (len > BULK - *at)
		len = BULK - *at;
	copy = malloc(len);
	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = pattern(*at + i);
	n = tls_write(pair->stream, copy, len);
	memset(copy, 0xee, len);
	free(copy);
	if (n == TLS_WANT_WRITE) {
		*asked = len;
		return;
	}
	assert_true(n > 0);
	*at += (size_t)n;
	*asked = 0;
}

static void
check_short_writes(bool tls13)
{
	struct fixture_wish wish = {.only_tls12 = !tls13, .only_tls13 = tls13};
	size_t written = 0, read_back = 0, asked = 0;
	struct fixture_pair pair;
	int size = 1;

	fixture_pair_init(&pair, ec, "pop3", &keys.service, &wish);
	assert_int_equal(setsockopt(pair.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	fixture_handshake(&pair);
	assert_connected(&pair);
	for (unsigned steps = 0; read_back < BULK; steps++) {
		char buf[16];

		assert_true(steps < 1000000);
		if (written < BULK && rand() % 3 != 0)
			server_writes(&pair, &written, &asked);
		if (rand() % 5 == 0) {
			enum tls_result flushed = tls_flush(pair.stream);

			assert_true(flushed == TLS_OK || flushed == TLS_WANT_WRITE);
		}
		if (rand() % 7 == 0)
			assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_WANT_READ);
		client_reads(&pair, &read_back);
	}
	assert_int_equal(written, BULK);
	fixture_pair_clear(&pair);
}

static void
test_short_writes(void **state)
{
	(void)state;
	srand(7);
	ec = make_server("ec", NULL, NULL);
	check_short_writes(false);
	if (COMPAT_TLS13)
		check_short_writes(true);
}

/* A caller that comes back with less than it had asked for would lose data: it is told. */
static void
test_write_less(void **state)
{
	static unsigned char data[16384];
	struct fixture_wish wish = {.only_tls12 = true};
	struct fixture_pair pair;
	int size = 1;
	ssize_t n;

	(void)state;
	ec = make_server("ec", NULL, NULL);
	connect_pair(&pair, ec, &wish);
	assert_int_equal(setsockopt(pair.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	do
		n = tls_write(pair.stream, data, sizeof data);
	while (n > 0);
	assert_int_equal(n, TLS_WANT_WRITE);
	while (tls_flush(pair.stream) == TLS_WANT_WRITE)
		(void)mbedtls_ssl_read(&pair.client.ssl, data, sizeof data);
	assert_int_equal(tls_write(pair.stream, data, 10), TLS_FAILED);
	fixture_pair_clear(&pair);
}

/* What came in one packet is read without poll(2), and tls_pending says so. */
static void
test_pending(void **state)
{
	struct fixture_wish wish = {0};
	struct fixture_pair pair;
	char buf[4];

	(void)state;
	ec = make_server("ec", NULL, NULL);
	connect_pair(&pair, ec, &wish);
	assert_connected(&pair);
	assert_false(tls_pending(pair.stream));
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    mbedtls_ssl_write(&pair.client.ssl, (const unsigned char *)"NOOP\r\n", 6), 6);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(tls_read(pair.stream, buf, sizeof buf), i % 2 == 0 ? 4 : 2);
		assert_memory_equal(buf, i % 2 == 0 ? "NOOP" : "\r\n", i % 2 == 0 ? 4 : 2);
		assert_int_equal(tls_pending(pair.stream), i < 5);
	}
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_WANT_READ);
	fixture_pair_clear(&pair);
}

/* The client's octets arrive one by one. */
static void
test_byte_by_byte(void **state)
{
	struct fixture_wish wish = {0};
	struct fixture_pair pair;
	unsigned char record[4096];
	char buf[64];
	int fds[2];
	ssize_t len;

	(void)state;
	ec = make_server("ec", NULL, NULL);
	connect_pair(&pair, ec, &wish);
	assert_connected(&pair);
	/* The client writes into another socket, from which the record is doled out. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	int real = pair.client.fd;
	pair.client.fd = fds[0];
	assert_int_equal(
	    mbedtls_ssl_write(&pair.client.ssl, (const unsigned char *)"STAT\r\n", 6), 6);
	len = recv(fds[1], record, sizeof record, 0);
	assert_true(len > 6);
	for (ssize_t i = 0; i < len; i++) {
		assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_WANT_READ);
		assert_int_equal(send(real, record + i, 1, 0), 1);
	}
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), 6);
	assert_memory_equal(buf, "STAT\r\n", 6);
	/* A record that was changed ends it, without an octet of it. */
	assert_int_equal(
	    mbedtls_ssl_write(&pair.client.ssl, (const unsigned char *)"DELE 1", 6), 6);
	len = recv(fds[1], record, sizeof record, 0);
	record[len - 1] ^= 1;
	assert_int_equal(send(real, record, (size_t)len, 0), len);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_FAILED);
	assert_int_equal(tls_write(pair.stream, "x", 1), TLS_FAILED);
	(void)close(fds[0]);
	(void)close(fds[1]);
	pair.client.fd = real;
	fixture_pair_clear(&pair);
}

/* --- ends --- */

static void
test_close_notify(void **state)
{
	struct fixture_wish wish = {0};
	struct fixture_pair pair;
	char buf[16];

	(void)state;
	ec = make_server("ec", NULL, NULL);
	connect_pair(&pair, ec, &wish);
	fixture_talk(&pair);
	assert_int_equal(mbedtls_ssl_write(&pair.client.ssl, (const unsigned char *)"bye", 3), 3);
	assert_int_equal(mbedtls_ssl_close_notify(&pair.client.ssl), 0);
	(void)shutdown(pair.client.fd, SHUT_WR);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), 3);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_CLOSED);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_CLOSED);
	assert_false(tls_pending(pair.stream));
	/* The other direction is open still. */
	assert_int_equal(tls_write(pair.stream, "+OK", 3), 3);
	tls_close(pair.stream);
	tls_close(pair.stream);
	assert_int_equal(tls_flush(pair.stream), TLS_OK);
	assert_int_equal(mbedtls_ssl_read(&pair.client.ssl, (unsigned char *)buf, sizeof buf), 3);
	assert_int_equal(mbedtls_ssl_read(&pair.client.ssl, (unsigned char *)buf, sizeof buf),
	    MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	assert_int_equal(recv(pair.client.fd, buf, sizeof buf, 0), -1);
	assert_true(tls_write(pair.stream, "+OK", 3) < 0);
	fixture_pair_clear(&pair);
}

static void
test_truncation(void **state)
{
	struct fixture_wish wish = {0};
	struct fixture_pair pair;
	char buf[16];

	(void)state;
	ec = make_server("ec", NULL, NULL);
	connect_pair(&pair, ec, &wish);
	assert_int_equal(mbedtls_ssl_write(&pair.client.ssl, (const unsigned char *)"DELE", 4), 4);
	(void)shutdown(pair.client.fd, SHUT_WR);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), 4);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_EOF);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_EOF);
	fixture_pair_clear(&pair);

	/* The same in the midst of a record. */
	connect_pair(&pair, ec, &wish);
	assert_int_equal(send(pair.client.fd, "\x17\x03\x03\x00\x50xyz", 8, 0), 8);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_WANT_READ);
	(void)shutdown(pair.client.fd, SHUT_WR);
	assert_int_equal(tls_read(pair.stream, buf, sizeof buf), TLS_EOF);
	fixture_pair_clear(&pair);

	/* And for a writer; no signal comes. */
	connect_pair(&pair, ec, &wish);
	fixture_client_clear(&pair.client);
	assert_int_equal(tls_write(pair.stream, "+OK", 3), TLS_EOF);
	assert_int_equal(tls_flush(pair.stream), TLS_FAILED);
	fixture_pair_clear(&pair);
}

/* --- the self-test --- */

static void
test_selftest(void **state)
{
	struct tls_error error = {""};

	(void)state;
	both = make_server("ec", "rsa", "wild");
	if (tls_server_selftest(both, &keys.service, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(keys.signs, COMPAT_TLS13 ? 6 : 3);
	assert_int_equal(tls_server_selftest(both, NULL, &error), -1);
	assert_non_null(strstr(error.text, "certificate 0"));
	keys.refuse_sign = true;
	assert_int_equal(tls_server_selftest(both, &keys.service, &error), -1);
	keys.refuse_sign = false;
	/* The same keys in another order. */
	tls_keys_free(&keys.keys);
	keys.keys = tls_keys_new();
	assert_int_equal(
	    tls_keys_add(keys.keys, fixture_path("wild.crt"), fixture_path("wild.key"), &error), 0);
	assert_int_equal(tls_server_selftest(both, &keys.service, &error), -1);
}

static void
test_library(void **state)
{
	(void)state;
	assert_non_null(strcasestr(tls_library_version(), "mbed TLS"));
	assert_null(tls_library_warning());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_handshake_ecdsa, begin, end),
	    cmocka_unit_test_setup_teardown(test_handshake_rsa, begin, end),
	    cmocka_unit_test_setup_teardown(test_fail_closed, begin, end),
	    cmocka_unit_test_setup_teardown(test_wrong_signature, begin, end),
	    cmocka_unit_test_setup_teardown(test_sni, begin, end),
	    cmocka_unit_test_setup_teardown(test_sni_odd_names, begin, end),
	    cmocka_unit_test_setup_teardown(test_both_kinds, begin, end),
	    cmocka_unit_test_setup_teardown(test_exact_before_wildcard, begin, end),
	    cmocka_unit_test_setup_teardown(test_weak_suites, begin, end),
	    cmocka_unit_test_setup_teardown(test_alpn, begin, end),
	    cmocka_unit_test_setup_teardown(test_garbage, begin, end),
	    cmocka_unit_test_setup_teardown(mend27_client_refuses_the_certificate, begin, end),
	    cmocka_unit_test_setup_teardown(mend14_hello_in_many_records, begin, end),
	    cmocka_unit_test_setup_teardown(mend14_mixed_records_get_an_alert, begin, end),
	    cmocka_unit_test_setup_teardown(test_resumption, begin, end),
	    cmocka_unit_test_setup_teardown(test_no_tickets, begin, end),
	    cmocka_unit_test_setup_teardown(test_short_writes, begin, end),
	    cmocka_unit_test_setup_teardown(test_write_less, begin, end),
	    cmocka_unit_test_setup_teardown(test_pending, begin, end),
	    cmocka_unit_test_setup_teardown(test_byte_by_byte, begin, end),
	    cmocka_unit_test_setup_teardown(test_close_notify, begin, end),
	    cmocka_unit_test_setup_teardown(test_truncation, begin, end),
	    cmocka_unit_test_setup_teardown(test_selftest, begin, end),
	    cmocka_unit_test(test_library),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
