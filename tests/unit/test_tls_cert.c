/* Making and showing certificates. */
#include "tests/unit/tls_fixture.h"

#include <time.h>

#include "tls/certinfo.h"
#include "tls/cert.h"

static int
setup(void **state)
{
	(void)state;
	return fixture_make_dir();
}

static int
teardown(void **state)
{
	(void)state;
	return fixture_remove_dir();
}

static bool
have_openssl(void)
{
	return system("openssl version >/dev/null 2>&1") == 0;
}

/* Whether the shell command succeeds in the scratch directory. */
static bool
shell(const char *command)
{
	char line[1024];

	(void)snprintf(line, sizeof line, "cd %s && { %s; } >shell.out 2>&1", fixture_dir, command);
	return system(line) == 0;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(fixture_path(name), &st), 0);
	return st.st_mode & 07777;
}

static bool
exists(const char *name)
{
	return access(fixture_path(name), F_OK) == 0;
}

/* --- names --- */

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
	    {"example.org", true},
	    {"localhost", true},
	    {"*.example.org", true},
	    {"xn--bcher-kva.example", true},
	    {"_smtp.example.org", true},
	    {"3com.example", true},
	    {"192.0.2.1", true},
	    {"2001:db8::1", true},
	    {"::1", true},
	    {"", false},
	    {"*", false},
	    {"*.", false},
	    {"*.*.example.org", false},
	    {"a.*.example.org", false},
	    {"*a.example.org", false},
	    {"example..org", false},
	    {".example.org", false},
	    {"example.org.", false},
	    {"-a.example.org", false},
	    {"a-.example.org", false},
	    {"a b.example.org", false},
	    {"b\xc3\xbc"
	     "cher.example",
		false},
	    {"192.0.2.256", false},
	    {"192.0.2", false},
	    {"2001:db8::g", false},
	    {"user@example.org", false},
	    {"../example.org", false},
	    {"a234567890123456789012345678901234567890123456789012345678901234.org", false},
	    {"a23456789012345678901234567890123456789012345678901234567890123.org", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (tls_cert_name_valid(cases[i].name) != cases[i].valid)
			fail_msg("\"%s\"", cases[i].name);
}

/* --- dates --- */

static void
test_times(void **state)
{
	static const struct {
		mbedtls_x509_time when;
		long long seconds;
	} cases[] = {
	    {{1970, 1, 1, 0, 0, 0}, 0},
	    {{1999, 12, 31, 23, 59, 59}, 946684799},
	    {{2000, 2, 29, 0, 0, 0}, 951782400},
	    {{2000, 3, 1, 0, 0, 0}, 951868800},
	    {{2038, 1, 19, 3, 14, 8}, 2147483648LL},
	    {{2100, 3, 1, 0, 0, 0}, 4107542400LL},
	    {{9999, 12, 31, 23, 59, 59}, 253402300799LL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(tls_certinfo_time(&cases[i].when), cases[i].seconds);
}

/* --- what OpenSSL thinks of them --- */

static void
test_openssl_verify(void **state)
{
	static const char *const kinds[] = {"p256", "rsa"};

	(void)state;
	if (!have_openssl())
		skip();
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < 2; j++) {
			enum tls_cert_key ca_key = i == 0 ? TLS_CERT_P256 : TLS_CERT_RSA2048;
			enum tls_cert_key key = j == 0 ? TLS_CERT_P256 : TLS_CERT_RSA2048;
			char ca[32], leaf[32], own[32], command[640];

			(void)snprintf(ca, sizeof ca, "ca-%s-%s", kinds[i], kinds[j]);
			(void)snprintf(leaf, sizeof leaf, "leaf-%s-%s", kinds[i], kinds[j]);
			(void)snprintf(own, sizeof own, "own-%s-%s", kinds[i], kinds[j]);
			fixture_cert(ca, ca_key, NULL, NULL, NULL);
			fixture_cert(leaf, key, "*.example.org", "192.0.2.1", ca);
			fixture_cert(own, key, "mail.example.org", "2001:db8::1", NULL);
			(void)snprintf(command, sizeof command,
			    "openssl verify -x509_strict -purpose sslserver -CAfile %s.crt "
			    "-verify_hostname a.example.org %s.crt && "
			    "openssl verify -x509_strict -purpose sslserver -CAfile %s.crt "
			    "-verify_ip 192.0.2.1 %s.crt && "
			    "openssl verify -x509_strict -purpose sslserver -CAfile %s.crt "
			    "-verify_hostname mail.example.org %s.crt && "
			    "openssl verify -x509_strict -CAfile %s.crt %s.crt",
			    ca, leaf, ca, leaf, own, own, ca, ca);
			if (!shell(command))
				fail_msg("%s", fixture_read("shell.out"));
			(void)snprintf(command, sizeof command,
			    "! openssl verify -CAfile %s.crt -verify_hostname a.b.example.org %s.crt",
			    ca, leaf);
			assert_true(shell(command));
		}
	}
}

/* A CA that OpenSSL has made, with its own way to make key identifiers, and an intermediate one. */
static void
test_foreign_ca(void **state)
{
	(void)state;
	if (!have_openssl())
		skip();
	assert_true(
	    shell("umask 077; openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out "
		  "root.crt -subj '/O=Example, Inc./CN=Root' -days 90 "
		  "-addext keyUsage=critical,keyCertSign &&"
		  "printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
		  "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >ext &&"
		  "openssl req -newkey ec -pkeyopt ec_paramgen_curve:secp384r1 -nodes -keyout "
		  "sub.key -out sub.csr -subj /CN=Sub &&"
		  "openssl x509 -req -in sub.csr -CA root.crt -CAkey root.key -CAcreateserial "
		  "-extfile ext -days 10 -out sub.crt"));
	fixture_cert("foreign", TLS_CERT_P256, "mail.example.org", NULL, "sub");
	if (!shell(
		"openssl verify -x509_strict -CAfile root.crt -untrusted foreign.crt foreign.crt"))
		fail_msg("%s", fixture_read("shell.out"));
	/* It does not outlive its CA: 10 days, though 30 were ordered. */
	assert_true(shell("openssl x509 -in foreign.crt -noout -checkend 777600"));
	assert_false(shell("openssl x509 -in foreign.crt -noout -checkend 950400"));
}

static void
test_request(void **state)
{
	static const enum tls_cert_key kinds[] = {TLS_CERT_P256, TLS_CERT_RSA2048};
	const char *names[] = {"mail.example.org", "2001:db8::1"};
	char key_path[128], cert_path[128];

	(void)state;
	(void)snprintf(key_path, sizeof key_path, "%s/req.key", fixture_dir);
	(void)snprintf(cert_path, sizeof cert_path, "%s/req.csr", fixture_dir);
	for (size_t i = 0; i < 2; i++) {
		struct tls_cert_order order = {.key = kinds[i],
		    .names = names,
		    .names_len = 2,
		    .days = 1,
		    .key_path = key_path,
		    .cert_path = cert_path};
		struct tls_error error;

		if (tls_cert_make(TLS_CERT_REQUEST, &order, &error) != 0)
			fail_msg("%s", error.text);
		assert_int_equal(mode_of("req.key"), 0600);
		if (have_openssl()) {
			assert_true(shell("openssl req -in req.csr -verify -noout"));
			assert_true(
			    shell("openssl req -in req.csr -noout -text | grep "
				  "'DNS:mail.example.org, IP Address:2001:DB8:0:0:0:0:0:1'"));
		}
		assert_int_equal(unlink(key_path) | unlink(cert_path), 0);
	}
}

/* As many names as there may be, each as long as one may be. */
static void
test_many_names(void **state)
{
	static char text[TLS_CERT_NAMES_MAX][TLS_CERT_NAME_LEN + 1];
	const char *names[TLS_CERT_NAMES_MAX + 1];
	char key_path[128], cert_path[128];
	struct tls_cert_order order = {.names = names,
	    .names_len = TLS_CERT_NAMES_MAX,
	    .days = 1,
	    .key_path = key_path,
	    .cert_path = cert_path};
	struct tls_server *server = tls_server_new();
	struct tls_error error;
	char line[2048];

	(void)state;
	(void)snprintf(key_path, sizeof key_path, "%s/names.key", fixture_dir);
	(void)snprintf(cert_path, sizeof cert_path, "%s/names.crt", fixture_dir);
	for (size_t i = 0; i < TLS_CERT_NAMES_MAX; i++) {
		memset(text[i], 'a', TLS_CERT_NAME_LEN);
		text[i][60] = text[i][120] = text[i][180] = text[i][240] = '.';
		text[i][0] = (char)('a' + i % 26);
		names[i] = text[i];
	}
	if (tls_cert_make(TLS_CERT_SERVER, &order, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(tls_server_add(server, cert_path, &error), 0);
	assert_int_equal(tls_server_describe(server, 0, line, sizeof line), 0);
	assert_non_null(strstr(line, ",+95 until "));
	tls_server_free(&server);
	names[TLS_CERT_NAMES_MAX] = "one.more";
	order.names_len++;
	assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), -1);
	if (have_openssl())
		assert_true(shell("openssl verify -x509_strict -CAfile names.crt names.crt"));
}

/* --- files --- */

static void
test_files(void **state)
{
	const char *names[] = {"mail.example.org"};
	char key_path[128], cert_path[128];
	struct tls_cert_order order = {.names = names,
	    .names_len = 1,
	    .days = 1,
	    .key_path = key_path,
	    .cert_path = cert_path};
	struct tls_error error;
	char *before, *after;

	(void)state;
	(void)umask(0);
	fixture_cert("files", TLS_CERT_P256, "mail.example.org", NULL, NULL);
	(void)umask(022);
	assert_int_equal(mode_of("files.key"), 0600);
	assert_int_equal(mode_of("files.crt"), 0644);
	before = fixture_read("files.key");

	/* Either file exists: nothing is made and nothing is changed. */
	(void)snprintf(key_path, sizeof key_path, "%s/files.key", fixture_dir);
	(void)snprintf(cert_path, sizeof cert_path, "%s/new.crt", fixture_dir);
	assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), -1);
	assert_non_null(strstr(error.text, "files.key exists already"));
	assert_false(exists("new.crt"));
	(void)snprintf(key_path, sizeof key_path, "%s/new.key", fixture_dir);
	(void)snprintf(cert_path, sizeof cert_path, "%s/files.crt", fixture_dir);
	assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), -1);
	assert_false(exists("new.key"));
	after = fixture_read("files.key");
	assert_string_equal(before, after);

	/* A dangling link is not followed; the key that was written before goes again. */
	assert_int_equal(symlink("nowhere", fixture_path("dangling.crt")), 0);
	(void)snprintf(cert_path, sizeof cert_path, "%s/dangling.crt", fixture_dir);
	assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), -1);
	assert_false(exists("new.key"));
	assert_false(exists("nowhere"));
	(void)snprintf(cert_path, sizeof cert_path, "%s/none/new.crt", fixture_dir);
	assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), -1);
	assert_false(exists("new.key"));
	free(before);
	free(after);
}

static void
test_wrong_orders(void **state)
{
	static const char long_name[] =
	    "12345678901234567890123456789012345678901234567890123456789012345";
	const char *names[] = {"mail.example.org"}, *bad[] = {"mail.example.org", "b\xc3\xbc"};
	char key_path[128], cert_path[128], leaf_cert[128], leaf_key[128];
	struct tls_error error;

	(void)state;
	fixture_cert("leaf", TLS_CERT_P256, "mail.example.org", NULL, NULL);
	(void)snprintf(key_path, sizeof key_path, "%s/wrong.key", fixture_dir);
	(void)snprintf(cert_path, sizeof cert_path, "%s/wrong.crt", fixture_dir);
	(void)snprintf(leaf_key, sizeof leaf_key, "%s/leaf.key", fixture_dir);
	(void)snprintf(leaf_cert, sizeof leaf_cert, "%s/leaf.crt", fixture_dir);
	const struct {
		struct tls_cert_order order;
		const char *words;
	} cases[] = {
	    {{.names = names, .names_len = 0, .days = 1}, "needs a name"},
	    {{.names = bad, .names_len = 2, .days = 1}, "xn--"},
	    {{.names = names, .names_len = 1, .days = 0}, "days"},
	    {{.names = names, .names_len = 1, .days = 1000000}, "days"},
	    {{.names = names, .names_len = 1, .days = 1, .subject = ""}, "common name"},
	    {{.names = names, .names_len = 1, .days = 1, .subject = long_name}, "common name"},
	    {{.names = names,
		 .names_len = 1,
		 .days = 1,
		 .ca_cert_path = leaf_cert,
		 .ca_key_path = leaf_key},
		"is not a CA's certificate"},
	    {{.names = names,
		 .names_len = 1,
		 .days = 1,
		 .ca_cert_path = leaf_cert,
		 .ca_key_path = cert_path},
		"No such file"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_cert_order order = cases[i].order;

		order.key_path = key_path;
		order.cert_path = cert_path;
		assert_int_equal(tls_cert_make(TLS_CERT_SERVER, &order, &error), -1);
		if (strstr(error.text, cases[i].words) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].words);
		assert_false(exists("wrong.key") || exists("wrong.crt"));
	}
}

/* --- what is shown --- */

static void
test_show(void **state)
{
	struct tls_error error;
	char *text;

	(void)state;
	fixture_cert("show-ca", TLS_CERT_RSA2048, NULL, NULL, NULL);
	fixture_cert("show", TLS_CERT_P256, "mail.example.org", "2001:db8::1", "show-ca");
	assert_int_equal(tls_cert_show(fixture_path("show.crt"), &text, &error), 0);
	assert_non_null(strstr(text, "certificate 1 (server)\n  subject  CN=mail.example.org\n"));
	assert_non_null(strstr(text, "mail.example.org\n           2001:db8::1\n"));
	assert_non_null(strstr(text, " days left)\n"));
	assert_non_null(strstr(text, "issuer   CN=sallyport CA\n"));
	assert_non_null(strstr(text, "certificate 2 (CA)\n"));
	assert_non_null(strstr(text, "RSA, 2048 bits"));
	if (have_openssl()) {
		char *out;

		assert_true(
		    shell("openssl x509 -in show.crt -noout -fingerprint -sha256 | cut -d= -f2"));
		out = fixture_read("shell.out");
		assert_non_null(strstr(text, out));
		free(out);
	}
	free(text);
	assert_int_equal(tls_cert_show(fixture_path("show.key"), &text, &error), -1);
	assert_null(text);
}

static void
test_describe(void **state)
{
	struct tls_server *server = tls_server_new();
	struct tls_error error;
	char line[2048];

	(void)state;
	fixture_cert("d-ca", TLS_CERT_P256, NULL, NULL, NULL);
	fixture_cert("d", TLS_CERT_P256, "mail.example.org", "192.0.2.1", "d-ca");
	fixture_cert("d-self", TLS_CERT_P256, "*.example.org", NULL, NULL);
	assert_int_equal(tls_server_ready(server, &error), -1);
	assert_int_equal(tls_server_add(server, fixture_path("d.crt"), &error), 0);
	assert_int_equal(tls_server_add(server, fixture_path("d-self.crt"), &error), 1);
	assert_int_equal(tls_server_add(server, fixture_path("none.crt"), &error), -1);
	assert_int_equal(tls_server_count(server), 2);
	assert_int_equal(tls_server_ready(server, &error), 0);
	assert_int_equal(tls_server_add(server, fixture_path("d.crt"), &error), -1);

	assert_int_equal(tls_server_describe(server, 0, line, sizeof line), 0);
	assert_int_equal(strncmp(line, "mail.example.org,192.0.2.1 until 20", 35), 0);
	assert_non_null(strstr(line, " issuer \"CN=sallyport CA\" sha256 "));
	assert_int_equal(tls_server_describe(server, 1, line, sizeof line), 0);
	assert_non_null(strstr(line, "*.example.org until 20"));
	assert_non_null(strstr(line, " issuer \"itself\" sha256 "));
	assert_int_equal(tls_server_describe(server, 0, line, 20), -1);
	assert_string_equal(line, "mail.example.org,19");
	assert_int_equal(tls_server_describe(server, 2, line, sizeof line), -1);

	tls_server_free(&server);
	tls_server_free(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_openssl_verify),
	    cmocka_unit_test(test_foreign_ca),
	    cmocka_unit_test(test_request),
	    cmocka_unit_test(test_many_names),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_wrong_orders),
	    cmocka_unit_test(test_show),
	    cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
