/*
 * test_auth_scheme.c: password hashes.
 */
#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/account.h"
#include "auth/scheme.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* All of "secret". */
#define MD5    "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"
#define SHA256 "$5$rounds=1000$abcdefgh$XIppta5rT8zJUu4vAOKQXrwq9uY4Ijlz6VjyOmkx5i4"
#define SHA512                                                                                     \
	"$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2k" \
	"gY5hR2.peKEg2VGUqIJJu1"
#define BCRYPT	 "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define BCRYPT_Y "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define YESCRYPT "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01"
#define SCRYPT	 "$7$4/..../....abcdefgh$AGY1UBNbbD5l7T4FpD/5vDTzTLiglybeT5u2GNor8U3"
#define DES	 "abNANd1rDfiNc"

static void
fits(void **state)
{
	static const struct {
		const char *hash;
		bool allow_plain;
	} rows[] = {
	    {MD5, false},
	    {SHA256, false},
	    {SHA512, false},
	    {BCRYPT, false},
	    {BCRYPT_Y, false},
	    {YESCRYPT, false},
	    {SCRYPT, false},
	    {DES, false},
	    {"{CRYPT}" SHA512, false},
	    {"{crypt}" SHA512, false},
	    {"{Crypt}" YESCRYPT, false},
	    {"{SHA512-CRYPT}" SHA512, false},
	    {"{sha512-crypt}" SHA512, false},
	    {"{SHA256-CRYPT}" SHA256, false},
	    {"{BLF-CRYPT}" BCRYPT, false},
	    {"{MD5-CRYPT}" MD5, false},
	    {"{DES-CRYPT}" DES, false},
	    {"{PLAIN}secret", true},
	    {"{plain}secret", true},
	    {"{CLEARTEXT}secret", true},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		const char *hash = rows[i].hash;
		bool plain = rows[i].allow_plain;

		assert_true(scheme_usable(hash, plain));
		assert_int_equal(scheme_verify(hash, "secret", plain, ""), SCHEME_FITS);
		assert_int_equal(scheme_verify(hash, "secret", plain, NULL), SCHEME_FITS);
		assert_int_equal(scheme_verify(hash, "secreT", plain, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify(hash, "secre", plain, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify(hash, "secrets", plain, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify(hash, "", plain, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify(hash, hash, plain, MD5), SCHEME_DIFFERS);
	}
}

/* None of these fits any password, also not when the fallback would. */
static void
fits_nothing(void **state)
{
	static const char *const rows[] = {"", "!", "*", "!!", "*0", "*1", "x", "!" SHA512,
	    "*" SHA512, "{CRYPT}", "{CRYPT}!", "{CRYPT}*", "{CRYPT}!" SHA512, "{}", "{}" SHA512,
	    "{", "{CRYPT", "{CRYPT" SHA512, "{SHA512-CRYPT.B64}" SHA512, "{CRYPT.HEX}" SHA512,
	    "{SHA512}" SHA512, "{SSHA}c2VjcmV0", "{MD5}" MD5, "{CRYP}" MD5, "{CRYPTX}" MD5,
	    "{ CRYPT}" MD5, " " MD5, "{CRYPT} " MD5, "{CRYPT}{CRYPT}" MD5, "{NOLOGIN}",
	    "{ARGON2ID}$argon2id$v=19$m=1$a$b", "secret", "$", "$$", "$6$", "$6$abcdefgh$",
	    "$6$rounds=1000$abcdefgh$cutoff", "$y$j75$", "$2b$04$abcdefghijklmnopqrstuu", "$1$",
	    "$1$abcdefgh$", "$9$abcdefgh$abc", "ab", "abc",
	    "$6$rounds=x$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2k",
	    "{PLAIN}", "{CLEARTEXT}"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_false(scheme_usable(rows[i], true));
		assert_int_equal(scheme_verify(rows[i], "secret", true, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify(rows[i], "", true, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify(rows[i], rows[i], true, ""), SCHEME_DIFFERS);
	}
}

/* Whole hashes with parameters that crypt(3) refuses, although crypt_checksalt(3) does not. */
static void
wrong_parameters(void **state)
{
	static const char tail43[] = "uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01";
	static const char *const rows[] = {"$2y$99$", "$2y$32$", "$2y$03$", "$2b$00$", "$2b$4$$",
	    "$2a$0a$", "$6$rounds=abc$abcdefgh$", "$6$rounds=$abcdefgh$", "$6$rounds=999$abcdefgh$",
	    "$6$rounds=0999$a$", "$6$rounds=01000$a$", "$6$rounds=1000000000$a$",
	    "$6$rounds=18446744073709552616$a$", "$6$rounds=1000", "$5$rounds=-1000$abcdefgh$",
	    "$5$rounds=999$abcdefgh$", "$y$$abcdefgh$", "$y$zzz$abcdefgh$", "$y$j$abcdefgh$",
	    "$y$j7$abcdefgh$", "$y$j.5$abcdefgh$", "$y$jj5$abcdefgh$", "$y$jT5$abcdefgh$",
	    "$y$j75$a$", "$y$j75$abcde$", "$y$j75$az$", "$y$j75$abz$", "$y$j75$abc$defgh$",
	    "$gy$j.5$abcdefgh$"};
	char hash[256];
	size_t i, tail;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		tail = rows[i][1] == '2' ? 53 : rows[i][1] == '6' ? 86 : 43;
		(void)snprintf(hash, sizeof(hash), "%s%.*s%s", rows[i], (int)(tail - 43),
		    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", tail43);
		assert_false(scheme_usable(hash, false));
		assert_false(scheme_locked(hash));
		assert_int_equal(scheme_verify(hash, "secret", false, MD5), SCHEME_DIFFERS);
		assert_int_equal(scheme_verify("!", "secret", false, hash), SCHEME_DIFFERS);
	}
	/* scrypt without blocks in parallel: that is found out by crypt(3) only. */
	(void)snprintf(hash, sizeof(hash), "$7$4/..........abc$%s", tail43);
	assert_true(scheme_usable(hash, false));
	assert_int_equal(scheme_verify("!", "secret", false, hash), SCHEME_DIFFERS);
}

/*
 * Every character before the tail replaced: a hash is usable if and only if crypt(3) computes it.
 * Costs that would take too long stay as they are; "?" marks what need not be known beforehand.
 */
static void
like_crypt(void **state)
{
	static const struct {
		const char *hash;
		const char *kept; /* k: not replaced; ?: may be refused later; shorter than hash */
	} rows[] = {
	    {MD5, "kkk........"},
	    {SHA256, "kkk...................."},
	    {SHA512, "kkk...................."},
	    {BCRYPT, "kkk.k..kkkkkkkkkkkkkkkkkkkkkk"},
	    {BCRYPT, "kkkkk.k......................"},
	    {YESCRYPT, "kkk?.??........"},
	    {SCRYPT, "kkkk???????kkk????????"},
	    {DES, "..kkkkkkkkkkk"},
	};
	static const char others[] = "./0129AJZajkz$=:!,-\x7f\x01";
	struct crypt_data *data = calloc(1, sizeof(*data));
	char hash[256];
	size_t i, at;
	const char *c;

	(void)state;
	assert_non_null(data);
	for (i = 0; i < COUNT(rows); i++)
		for (at = 0; rows[i].kept[at] != '\0'; at++)
			for (c = others; rows[i].kept[at] != 'k' && *c != '\0'; c++) {
				bool cheap = rows[i].hash[1] != 'y' || at != 4 || *c < 'A';

				(void)snprintf(hash, sizeof(hash), "%s", rows[i].hash);
				hash[at] = *c;
				if (!cheap ||
				    (rows[i].kept[at] == '?' && scheme_usable(hash, false)))
					continue;
				assert_int_equal(scheme_usable(hash, false),
				    crypt_rn("secret", hash, data, sizeof(*data)) != NULL);
			}
	free(data);
}

static void
plain_only_when_allowed(void **state)
{
	(void)state;
	assert_false(scheme_usable("{PLAIN}secret", false));
	assert_false(scheme_usable("{CLEARTEXT}secret", false));
	assert_int_equal(scheme_verify("{PLAIN}secret", "secret", false, MD5), SCHEME_DIFFERS);
	assert_int_equal(scheme_verify("{CLEARTEXT}secret", "secret", false, ""), SCHEME_DIFFERS);
	/* A hash given as password does not log in where the hash is the secret's. */
	assert_int_equal(scheme_verify(MD5, MD5, true, ""), SCHEME_DIFFERS);
	assert_int_equal(scheme_verify("{PLAIN}" MD5, "secret", true, ""), SCHEME_DIFFERS);
}

static void
any_octets(void **state)
{
	char hash[AUTH_PASSWORD_MAX + 16], password[AUTH_PASSWORD_MAX + 2], made[512];
	size_t i;

	(void)state;
	for (i = 0; i < AUTH_PASSWORD_MAX; i++)
		password[i] = (char)(1 + i % 255);
	password[AUTH_PASSWORD_MAX] = '\0';
	(void)snprintf(hash, sizeof(hash), "{PLAIN}%s", password);
	assert_int_equal(scheme_verify(hash, password, true, ""), SCHEME_FITS);
	assert_int_equal(scheme_hash(password, made, sizeof(made)), 0);
	assert_int_equal(scheme_verify(made, password, false, ""), SCHEME_FITS);
	password[AUTH_PASSWORD_MAX - 1] ^= 1;
	assert_int_equal(scheme_verify(hash, password, true, ""), SCHEME_DIFFERS);
	assert_int_equal(scheme_verify(made, password, false, ""), SCHEME_DIFFERS);
	/* One octet too many for crypt(3). */
	memset(password, 'a', AUTH_PASSWORD_MAX + 1);
	password[AUTH_PASSWORD_MAX + 1] = '\0';
	assert_int_equal(scheme_hash(password, made, sizeof(made)), -1);
	assert_int_equal(scheme_verify(MD5, password, false, SHA512), SCHEME_FAILED);
}

/* A hash that wants more memory than there is: no verdict, whatever the user's hash is. */
static void
mend26_failure_is_no_verdict(void **state)
{
	static const char large[] = /* 4 TiB */
	    "$y$jRT$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01";
	static const char *const rows[] = {
	    large, "!", "{NOPE}x", "{PLAIN}secret", "$6$abcdefgh$cutoff"};
	size_t i;

	(void)state;
	assert_true(scheme_usable(large, false));
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(scheme_verify(rows[i], "secret", true, large), SCHEME_FAILED);
		assert_int_equal(scheme_verify(rows[i], "", true, large), SCHEME_FAILED);
	}
	assert_int_equal(scheme_verify(MD5, "secret", false, large), SCHEME_FITS);
}

static void
mend26_locked(void **state)
{
	static const char *const locked[] = {
	    "", "!", "*", "x", ("!" MD5), "*0", "{CRYPT}", "{CRYPT}!"};
	static const char *const broken[] = {
	    "{NOPE}x", "{SSHA}abc", "$6$cut", "{CRYPT}$6$cut", "{PLAIN}secret", "xx", "{"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(locked); i++)
		assert_true(scheme_locked(locked[i]) && !scheme_usable(locked[i], true));
	for (i = 0; i < COUNT(broken); i++)
		assert_true(!scheme_locked(broken[i]) && !scheme_usable(broken[i], false));
}

static void
new_hashes(void **state)
{
	char one[512], two[512];

	(void)state;
	assert_int_equal(scheme_hash("secret", one, sizeof(one)), 0);
	assert_int_equal(scheme_hash("secret", two, sizeof(two)), 0);
	assert_memory_equal(one, "{CRYPT}$", 8);
	assert_string_not_equal(one, two);
	assert_null(strchr(one, ':'));
	assert_true(scheme_usable(one, false));
	assert_int_equal(scheme_verify(one, "secret", false, ""), SCHEME_FITS);
	assert_int_equal(scheme_verify(one, "other", false, ""), SCHEME_DIFFERS);
	assert_int_equal(scheme_hash("secret", one, strlen(two)), -1);
	assert_int_equal(scheme_hash("secret", one, strlen(two) + 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fits),
	    cmocka_unit_test(fits_nothing),
	    cmocka_unit_test(wrong_parameters),
	    cmocka_unit_test(like_crypt),
	    cmocka_unit_test(plain_only_when_allowed),
	    cmocka_unit_test(any_octets),
	    cmocka_unit_test(mend26_failure_is_no_verdict),
	    cmocka_unit_test(mend26_locked),
	    cmocka_unit_test(new_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
