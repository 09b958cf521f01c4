/* The key process's side: which key files are taken, and which requests are signed. */
#include "tests/unit/signed.h"
#include "tests/unit/tls_fixture.h"

#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

/* What `openssl genpkey -algorithm EC -aes256` and `openssl ec -aes128` begin with. */
static const char encrypted_pkcs8[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
				      "MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBA=\n"
				      "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char encrypted_old[] = "-----BEGIN EC PRIVATE KEY-----\n"
				    "Proc-Type: 4,ENCRYPTED\n"
				    "DEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n"
				    "\n"
				    "AAAAAAAAAAAAAAAAAAAAAA==\n"
				    "-----END EC PRIVATE KEY-----\n";

static int
setup(void **state)
{
	(void)state;
	if (fixture_make_dir() != 0 || tls_process_init() != 0)
		return -1;
	fixture_cert("ec", TLS_CERT_P256, "mail.example.org", NULL, NULL);
	fixture_cert("ec2", TLS_CERT_P256, "mail.example.org", NULL, NULL);
	fixture_cert("rsa", TLS_CERT_RSA2048, "mail.example.org", NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fixture_remove_dir();
}

/* 0, or -1 with what was said. */
static int
try_add(const char *cert, const char *key, struct tls_error *error)
{
	struct tls_keys *keys = tls_keys_new();
	int result;

	assert_non_null(keys);
	error->text[0] = '\0';
	result = tls_keys_add(keys, fixture_path(cert), fixture_path(key), error);
	tls_keys_free(&keys);
	return result;
}

static void
assert_refused(const char *cert, const char *key, const char *words)
{
	struct tls_error error;

	assert_int_equal(try_add(cert, key, &error), -1);
	if (strstr(error.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

/* --- files --- */

static void
test_modes(void **state)
{
	static const struct {
		mode_t mode;
		const char *words; /* NULL: taken */
	} cases[] = {{0600, NULL}, {0400, NULL}, {0700, NULL},
	    {0640, "can be read by others: chmod 600"}, {0604, "can be read by others: chmod 600"},
	    {0620, "can be changed by others: chmod 600"}, {0601, "can be changed by others"},
	    {0644, "can be read by others"}};
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof path, "%s", fixture_path("ec.key"));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_error error;

		assert_int_equal(chmod(path, cases[i].mode), 0);
		if (cases[i].words != NULL)
			assert_refused("ec.crt", "ec.key", cases[i].words);
		else
			assert_int_equal(try_add("ec.crt", "ec.key", &error), 0);
		if (cases[i].mode == 0640)
			assert_refused("ec.crt", "ec.key", path);
	}
	assert_int_equal(chmod(path, 0600), 0);
}

static void
test_kinds_of_files(void **state)
{
	struct tls_error error;

	(void)state;
	assert_refused("ec.crt", "none.key", "No such file");
	assert_refused("none.crt", "ec.key", "No such file");
	assert_int_equal(mkdir(fixture_path("dir.key"), 0700), 0);
	assert_refused("ec.crt", "dir.key", "not a regular file");
	/* Nobody writes into it: it must not hang. */
	assert_int_equal(mkfifo(fixture_path("fifo.key"), 0600), 0);
	assert_refused("ec.crt", "fifo.key", "not a regular file");
	/* Certificate clients make symbolic links; the file behind is what counts. */
	assert_int_equal(symlink("ec.key", fixture_path("link.key")), 0);
	assert_int_equal(try_add("ec.crt", "link.key", &error), 0);
	assert_int_equal(chmod(fixture_path("ec.key"), 0644), 0);
	assert_refused("ec.crt", "link.key", "chmod 600");
	assert_int_equal(chmod(fixture_path("ec.key"), 0600), 0);
}

static void
test_contents(void **state)
{
	(void)state;
	assert_refused("ec.crt", "ec2.key", "does not belong");
	assert_refused("ec.crt", "rsa.key", "does not belong");
	assert_refused("rsa.crt", "ec.key", "does not belong");
	fixture_write("empty.key", 0600, "");
	assert_refused("ec.crt", "empty.key", "no PEM private key");
	fixture_write("junk.key", 0600, "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ==\n");
	assert_refused("ec.crt", "junk.key", "junk.key: ");
	fixture_write("crypt.key", 0600, encrypted_pkcs8);
	assert_refused("ec.crt", "crypt.key", "is encrypted");
	fixture_write("crypt2.key", 0600, encrypted_old);
	assert_refused("ec.crt", "crypt2.key", "is encrypted");
	fixture_write(
	    "junk.crt", 0644, "-----BEGIN CERTIFICATE-----\nMHcCAQ==\n-----END CERTIFICATE-----\n");
	assert_refused("junk.crt", "ec.key", "junk.crt");
	assert_refused("empty.key", "ec.key", "no PEM certificate");
}

/* Certificate and key in one file: neither as a chain for the server nor for the keys. */
static void
test_combined(void **state)
{
	char *cert = fixture_read("ec.crt"), *key = fixture_read("ec.key"), *both;
	struct tls_server *server = tls_server_new();
	struct tls_error error;

	(void)state;
	assert_true(asprintf(&both, "%s%s", cert, key) > 0);
	fixture_write("both.pem", 0600, both);
	assert_refused("both.pem", "both.pem", "holds a private key too");
	assert_int_equal(tls_server_add(server, fixture_path("both.pem"), &error), -1);
	assert_non_null(strstr(error.text, "holds a private key too"));
	assert_int_equal(tls_server_count(server), 0);
	/* As the key's file it is in order. */
	assert_int_equal(try_add("ec.crt", "both.pem", &error), 0);
	tls_server_free(&server);
	free(cert);
	free(key);
	free(both);
}

/* Names of files may hold anything, errors may not. */
static void
test_error_text(void **state)
{
	struct tls_error error;

	(void)state;
	assert_int_equal(try_add("a\nb\x1b[1m.crt", "ec.key", &error), -1);
	assert_null(strpbrk(error.text, "\n\x1b"));
	assert_non_null(strstr(error.text, "a?b?[1m.crt"));
}

static void
test_weak_keys(void **state)
{
	static const struct {
		const char *options, *words;
	} cases[] = {
	    {"-newkey rsa:1024", "2048"},
	    {"-newkey ec -pkeyopt ec_paramgen_curve:secp521r1", "P-256"},
	    {"-newkey ec -pkeyopt ec_paramgen_curve:secp384r1", NULL},
	    {"-newkey rsa:4096", NULL},
	};

	(void)state;
	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char command[512];
		struct tls_error error;

		(void)snprintf(command, sizeof command,
		    "cd %s && umask 077 && openssl req -x509 %s -nodes -subj /CN=x -keyout weak.key "
		    "-out weak.crt 2>/dev/null",
		    fixture_dir, cases[i].options);
		assert_int_equal(system(command), 0);
		if (cases[i].words != NULL)
			assert_refused("weak.crt", "weak.key", cases[i].words);
		else if (try_add("weak.crt", "weak.key", &error) != 0)
			fail_msg("%s", error.text);
	}
}

/* --- signatures --- */

static struct tls_keys *
two_keys(void)
{
	struct tls_keys *keys = tls_keys_new();
	struct tls_error error;

	assert_non_null(keys);
	assert_int_equal(
	    tls_keys_add(keys, fixture_path("ec.crt"), fixture_path("ec.key"), &error), 0);
	assert_int_equal(
	    tls_keys_add(keys, fixture_path("rsa.crt"), fixture_path("rsa.key"), &error), 0);
	return keys;
}

static void
check_signature(const char *base, const struct tls_sign_request *request, bool pss,
    const unsigned char *signature, size_t len)
{
	mbedtls_md_type_t md = (mbedtls_md_type_t)request->md;
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
	mbedtls_pk_rsassa_pss_options options = {md, mbedtls_md_get_size(info)};
	unsigned char hash[MBEDTLS_MD_MAX_SIZE];
	size_t hash_len = mbedtls_md_get_size(info);
	mbedtls_x509_crt crt;
	int ret;

	assert_int_equal(mbedtls_md(info, request->content, request->len, hash), 0);
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse_file(&crt, fixture_path(base)), 0);
	if (pss)
		ret = mbedtls_pk_verify_ext(
		    MBEDTLS_PK_RSASSA_PSS, &options, &crt.pk, md, hash, hash_len, signature, len);
	else
		ret = mbedtls_pk_verify(&crt.pk, md, hash, hash_len, signature, len);
	assert_int_equal(ret, 0);
	mbedtls_x509_crt_free(&crt);
}

static void
test_signatures(void **state)
{
	const struct {
		struct tls_sign_request request;
		bool pss;
	} cases[] = {
	    {signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_X25519, 32), false},
	    {signed_key_exchange(0, MBEDTLS_MD_SHA384, SIGNED_P256, 65), false},
	    {signed_key_exchange(0, MBEDTLS_MD_SHA512, SIGNED_P384, 97), false},
	    {signed_certificate_verify(0, MBEDTLS_MD_SHA256, 32), false},
	    {signed_certificate_verify(0, MBEDTLS_MD_SHA384, 48), false},
	    {signed_key_exchange(1, MBEDTLS_MD_SHA256, SIGNED_X25519, 32), false},
	    {signed_key_exchange(1, MBEDTLS_MD_SHA512, SIGNED_P384, 97), false},
	    {signed_certificate_verify(1, MBEDTLS_MD_SHA256, 32), true},
	    {signed_certificate_verify(1, MBEDTLS_MD_SHA384, 48), true},
	    {signed_certificate_verify(1, MBEDTLS_MD_SHA512, 48), true},
	};
	unsigned char out[TLS_SIGNATURE_MAX];
	struct tls_keys *keys = two_keys();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct tls_sign_request *request = &cases[i].request;
		ssize_t n = tls_keys_sign(keys, request, out, sizeof out);

		if (n <= 0)
			fail_msg("case %zu", i);
		check_signature(request->key == 0 ? "ec.crt" : "rsa.crt", request, cases[i].pss,
		    out, (size_t)n);
		/* Too small a place gets nothing. */
		assert_int_equal(tls_keys_sign(keys, request, out, 16), -1);
	}
	tls_keys_free(&keys);
}

static void
test_hostile_requests(void **state)
{
	const struct tls_sign_request cases[] = {
	    signed_key_exchange(2, MBEDTLS_MD_SHA256, SIGNED_P256, 65),	  /* no such key */
	    signed_key_exchange(255, MBEDTLS_MD_SHA256, SIGNED_P256, 65), /* nor this */
	    signed_key_exchange(1, MBEDTLS_MD_NONE, SIGNED_P256, 65),	  /* would be raw PKCS #1 */
	    signed_key_exchange(1, MBEDTLS_MD_MD5, SIGNED_P256, 65),
	    signed_key_exchange(1, MBEDTLS_MD_SHA1, SIGNED_P256, 65),
	    signed_key_exchange(1, MBEDTLS_MD_SHA224, SIGNED_P256, 65),
	    signed_key_exchange(0, 200, SIGNED_P256, 65),
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P256, 32), /* points of other curves */
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P384, 65),
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_X25519, 65),
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_X25519, 0),
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, 25, 65),	/* a curve that we do not offer */
	    signed_certificate_verify(1, MBEDTLS_MD_SHA256, 0), /* hashes of other sizes */
	    signed_certificate_verify(1, MBEDTLS_MD_SHA256, 31),
	    signed_certificate_verify(1, MBEDTLS_MD_SHA256, 33),
	    signed_certificate_verify(1, MBEDTLS_MD_SHA256, 64),
	};
	struct tls_sign_request sound[] = {
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P256, 65),
	    signed_certificate_verify(0, MBEDTLS_MD_SHA256, 32),
	};
	unsigned char out[TLS_SIGNATURE_MAX];
	struct tls_keys *keys = two_keys();
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (tls_keys_sign(keys, &cases[i], out, sizeof out) != -1)
			fail_msg("case %zu", i);
	/* Content that is cut or longer: among them all that is as long as a digest. */
	for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++)
		for (len = sound[i].len, sound[i].len = 0; sound[i].len < 255; sound[i].len++)
			if ((tls_keys_sign(keys, &sound[i], out, sizeof out) > 0) !=
			    (sound[i].len == len || (i == 1 && sound[i].len == len + 16)))
				fail_msg("case %zu with %u octets", i, sound[i].len);
	/* Any octet with a meaning of its own. */
	for (size_t i = 0; i < 98; i++) {
		struct tls_sign_request verify =
					    signed_certificate_verify(0, MBEDTLS_MD_SHA256, 32),
					exchange = signed_key_exchange(
					    0, MBEDTLS_MD_SHA256, SIGNED_P256, 65);

		verify.content[i] ^= 1;
		assert_int_equal(tls_keys_sign(keys, &verify, out, sizeof out), -1);
		exchange.content[i] ^= 1;
		assert_int_equal(
		    tls_keys_sign(keys, &exchange, out, sizeof out) == -1, i >= 64 && i <= 68);
	}
	tls_keys_free(&keys);
}

/* Ours has taken the place of the library's, and signs for nobody outside of a handshake. */
static void
test_interposed(void **state)
{
	unsigned char hash[32] = {0}, sig[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	mbedtls_pk_context key;
	size_t len;

	(void)state;
	mbedtls_pk_init(&key);
	assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(
	    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), COMPAT_RNG), 0);
	assert_int_not_equal(mbedtls_pk_sign(&key, MBEDTLS_MD_SHA256, hash, sizeof hash, sig,
				 COMPAT_SIZE_ARG(sizeof sig) & len, COMPAT_RNG),
	    0);
	mbedtls_pk_free(&key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_modes),
	    cmocka_unit_test(test_kinds_of_files),
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_combined),
	    cmocka_unit_test(test_error_text),
	    cmocka_unit_test(test_weak_keys),
	    cmocka_unit_test(test_signatures),
	    cmocka_unit_test(test_hostile_requests),
	    cmocka_unit_test(test_interposed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
