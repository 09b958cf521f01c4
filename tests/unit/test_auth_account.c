/*
 * test_auth_account.c: who gets in; users files as they are, and a system whose passwd, shadow and
 * shells are the tables below: the functions of libc that read them are replaced here.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <shadow.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/account.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Both of "secret". */
#define MD5    "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"
#define SHA256 "$5$rounds=1000$abcdefgh$XIppta5rT8zJUu4vAOKQXrwq9uY4Ijlz6VjyOmkx5i4"

enum { TODAY = 20000, MIN_UID = 1000 };

#define PASSWD(name, hash, uid, gid, home, shell)                                                  \
	{                                                                                          \
		(char[]){name}, (char[]){hash}, (uid), (gid), (char[]){""}, (char[]){home},        \
		    (char[])                                                                       \
		{                                                                                  \
			shell                                                                      \
		}                                                                                  \
	}
#define AGING(name, hash, lstchg, max, inact, expire)                                              \
	{                                                                                          \
		(char[]){name}, (char[]){hash}, (lstchg), 0, (max), 7, (inact), (expire),          \
		    (unsigned long)-1                                                              \
	}

static struct passwd passwd_table[] = {
    PASSWD("root", "x", 0, 0, "/root", "/bin/bash"),
    PASSWD("toor", "x", 0, 1000, "/root", "/bin/bash"),
    PASSWD("wheel", "x", 1000, 0, "/home/w", "/bin/bash"),
    PASSWD("daemon", "x", 1, 1, "/", "/bin/sh"),
    PASSWD("low", "x", 999, 999, "/home/low", "/bin/bash"),
    PASSWD("anna", "x", 1000, 1001, "/home/anna", "/bin/bash"),
    PASSWD("Zoe", "x", 1001, 1002, "/home/Zoe", "/bin/bash"),
    PASSWD("Carl", "x", 1023, 1023, "/home/Carl", "/bin/bash"),
    PASSWD("carl", "x", 1024, 1024, "/home/carl", "/bin/bash"),
    PASSWD("noshell", "x", 1002, 1002, "/home/n", "/usr/sbin/nologin"),
    PASSWD("emptyshell", "x", 1003, 1003, "/home/e", ""),
    PASSWD("prefix", "x", 1004, 1004, "/home/p", "/bin/bas"),
    PASSWD("relative", "x", 1005, 1005, "home", "/bin/bash"),
    PASSWD("homeless", "x", 1006, 1006, "", "/bin/bash"),
    PASSWD("locked", "x", 1007, 1007, "/home/l", "/bin/bash"),
    PASSWD("star", "x", 1008, 1008, "/home/s", "/bin/bash"),
    PASSWD("open", "x", 1009, 1009, "/home/o", "/bin/bash"),
    PASSWD("reallyopen", "", 1010, 1010, "/home/r", "/bin/bash"),
    PASSWD("shadowless", "x", 1011, 1011, "/home/s", "/bin/bash"),
    PASSWD("inline", MD5, 1012, 1012, "/home/i", "/bin/bash"),
    PASSWD("expired", "x", 1013, 1013, "/home/e", "/bin/bash"),
    PASSWD("tomorrow", "x", 1014, 1014, "/home/t", "/bin/bash"),
    PASSWD("epoch", "x", 1015, 1015, "/home/e", "/bin/bash"),
    PASSWD("forced", "x", 1016, 1016, "/home/f", "/bin/bash"),
    PASSWD("fresh", "x", 1017, 1017, "/home/f", "/bin/bash"),
    PASSWD("aged", "x", 1018, 1018, "/home/a", "/bin/bash"),
    PASSWD("grace", "x", 1019, 1019, "/home/g", "/bin/bash"),
    PASSWD("graceover", "x", 1020, 1020, "/home/g", "/bin/bash"),
    PASSWD("future", "x", 1021, 1021, "/home/f", "/bin/bash"),
    PASSWD("huge", "x", 1022, 1022, "/home/h", "/bin/bash"),
};

static struct spwd shadow_table[] = {
    AGING("root", MD5, 19000, 99999, -1, -1),
    AGING("toor", MD5, 19000, 99999, -1, -1),
    AGING("wheel", MD5, 19000, 99999, -1, -1),
    AGING("daemon", MD5, 19000, 99999, -1, -1),
    AGING("low", MD5, 19000, 99999, -1, -1),
    AGING("anna", SHA256, 19000, 99999, -1, -1),
    AGING("Zoe", SHA256, 19000, 99999, -1, -1),
    AGING("Carl", SHA256, 19000, 99999, -1, -1),
    AGING("carl", MD5, 19000, 99999, -1, -1),
    AGING("noshell", MD5, 19000, 99999, -1, -1),
    AGING("emptyshell", MD5, -1, -1, -1, -1),
    AGING("prefix", MD5, 19000, 99999, -1, -1),
    AGING("relative", MD5, 19000, 99999, -1, -1),
    AGING("homeless", MD5, 19000, 99999, -1, -1),
    AGING("locked", "!" MD5, 19000, 99999, -1, -1),
    AGING("star", "*", 19000, 99999, -1, -1),
    AGING("open", "", 19000, 99999, -1, -1),
    AGING("inline", SHA256, 0, 0, 0, 0),
    AGING("expired", MD5, 19000, 99999, -1, TODAY),
    AGING("tomorrow", MD5, 19000, 99999, -1, TODAY + 1),
    AGING("epoch", MD5, 19000, 99999, -1, 0),
    AGING("forced", MD5, 0, 99999, -1, -1),
    AGING("fresh", MD5, TODAY - 30, 30, -1, -1),
    AGING("aged", MD5, TODAY - 31, 30, -1, -1),
    AGING("grace", MD5, TODAY - 40, 30, 10, -1),
    AGING("graceover", MD5, TODAY - 41, 30, 10, -1),
    AGING("future", MD5, TODAY + 1, 0, 0, -1),
    AGING("huge", MD5, 1, 0x7fffffffffffffffL, 0x7fffffffffffffffL, 0x7fffffffffffffffL),
};

static char *shells[] = {(char[]){"/bin/sh"}, (char[]){"/bin/bash"}, NULL};

static size_t shadow_at, shell_at;
static int passwd_error, shadow_error; /* what reading gives instead of an entry */

time_t
time(time_t *now_r)
{
	time_t now = (time_t)TODAY * 86400 + 100;

	if (now_r != NULL)
		*now_r = now;
	return now;
}

int
getpwnam_r(
    const char *name, struct passwd *entry_r, char *buffer, size_t size, struct passwd **result_r)
{
	size_t i;

	(void)buffer;
	(void)size;
	*result_r = NULL;
	for (i = 0; passwd_error == 0 && i < COUNT(passwd_table); i++) {
		if (strcmp(passwd_table[i].pw_name, name) != 0)
			continue;
		*entry_r = passwd_table[i];
		*result_r = entry_r;
	}
	return passwd_error;
}

int
getspnam_r(
    const char *name, struct spwd *entry_r, char *buffer, size_t size, struct spwd **result_r)
{
	size_t i;

	(void)buffer;
	(void)size;
	*result_r = NULL;
	for (i = 0; shadow_error == 0 && i < COUNT(shadow_table); i++) {
		if (strcmp(shadow_table[i].sp_namp, name) != 0)
			continue;
		*entry_r = shadow_table[i];
		*result_r = entry_r;
	}
	return shadow_error;
}

void
setspent(void)
{
	shadow_at = 0;
}

struct spwd *
getspent(void)
{
	if (shadow_error != 0 || shadow_at == COUNT(shadow_table)) {
		errno = shadow_error != 0 ? shadow_error : ENOENT;
		return NULL;
	}
	return &shadow_table[shadow_at++];
}

void
endspent(void)
{
}

void
setusershell(void)
{
	shell_at = 0;
}

char *
getusershell(void)
{
	return shells[shell_at] == NULL ? NULL : shells[shell_at++];
}

void
endusershell(void)
{
}

static void
names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
	    {"a", true},
	    {"anna", true},
	    {"Anna.B_c+d=e-f@mail.Example.org", true},
	    {"0", true},
	    {"a.", true},
	    {"a-", true},
	    {"_a", true},
	    {"a@b", true},
	    {"", false},
	    {"-a", false},
	    {".a", false},
	    {"a..b", false},
	    {"..", false},
	    {"@", false},
	    {"@b", false},
	    {"a@", false},
	    {"a@b@c", false},
	    {"a@@b", false},
	    {"a/b", false},
	    {"a b", false},
	    {"a:b", false},
	    {"a%b", false},
	    {"a*", false},
	    {"a\n", false},
	    {"a\\b", false},
	    {"a\"b", false},
	    {"a'b", false},
	    {"a$b", false},
	    {"a\x7f", false},
	    {"\xc3\xa4", false},
	};
	char long_name[AUTH_NAME_MAX + 2];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    auth_name_valid(rows[i].name, strlen(rows[i].name)), rows[i].valid);
	memset(long_name, 'a', sizeof(long_name));
	assert_true(auth_name_valid(long_name, AUTH_NAME_MAX));
	assert_false(auth_name_valid(long_name, AUTH_NAME_MAX + 1));
	assert_false(auth_name_valid("an\0na", 5));
	assert_true(auth_name_valid("anna@", 4));
}

static enum scheme_result
verify(void *ctx, const char *hash, const char *password, bool allow_plain, const char *fallback)
{
	(void)ctx;
	return scheme_verify(hash, password, allow_plain, fallback);
}

static enum auth_verdict
check(const struct auth_source *source, const char *name, const char *password,
    struct auth_account *account_r)
{
	const char *reason = NULL;
	enum auth_verdict verdict =
	    auth_check(source, name, password, verify, NULL, account_r, &reason);

	assert_non_null(reason);
	assert_int_equal(reason[0] == '\0', verdict == AUTH_OK);
	if (verdict != AUTH_OK) {
		assert_int_equal(account_r->uid, 0);
		/* for the log: the name of a user who is known, as the source has it */
		if (account_r->name[0] != '\0')
			assert_int_equal(strcasecmp(account_r->name, name), 0);
		assert_string_equal(account_r->home, "");
	}
	return verdict;
}

static void
system_accounts(void **state)
{
	static const char *const good[] = {"anna", "emptyshell", "inline", "tomorrow", "fresh",
	    "grace", "future", "huge", "ANNA", "Anna"};
	static const char *const bad[] = {"root", "toor", "wheel", "daemon", "low", "noshell",
	    "prefix", "relative", "homeless", "locked", "star", "open", "reallyopen", "shadowless",
	    "expired", "epoch", "forced", "aged", "graceover", "nobody-at-all", "", "-anna",
	    "anna ", "an/na", "anna@"};
	static const char *const wrong[] = {
	    "", "Secret", "secre", "secret ", "!", "*", MD5, SHA256};
	const struct auth_source source = {.kind = AUTH_SYSTEM, .min_uid = MIN_UID};
	struct auth_account account;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		assert_int_equal(check(&source, good[i], "secret", &account), AUTH_OK);
		assert_true(account.uid >= MIN_UID);
		assert_int_equal(account.home[0], '/');
		for (k = 0; k < COUNT(wrong); k++)
			assert_int_equal(check(&source, good[i], wrong[k], &account), AUTH_DENIED);
	}
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(check(&source, bad[i], "secret", &account), AUTH_DENIED);
		for (k = 0; k < COUNT(wrong); k++)
			assert_int_equal(check(&source, bad[i], wrong[k], &account), AUTH_DENIED);
	}
	assert_int_equal(check(&source, "ANNA", "secret", &account), AUTH_OK);
	assert_string_equal(account.name, "anna");
	assert_string_equal(account.home, "/home/anna");
	assert_int_equal(account.uid, 1000);
	assert_int_equal(account.gid, 1001);
}

/* A name as given, then in lower case; log and limits have it as the system has it. */
static void
mend25_names_with_capitals(void **state)
{
	static const struct {
		const char *given, *name; /* NULL: nobody's */
	} rows[] = {
	    {"Zoe", "Zoe"},
	    {"zoe", NULL},
	    {"ZOE", NULL},
	    {"Carl", "Carl"},
	    {"carl", "carl"},
	    {"CARL", "carl"},
	    {"cARL", "carl"},
	    {"Anna", "anna"},
	};
	const struct auth_source source = {.kind = AUTH_SYSTEM, .min_uid = MIN_UID};
	struct auth_account account;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		enum auth_verdict right = rows[i].name != NULL ? AUTH_OK : AUTH_DENIED;
		const char *name = rows[i].name != NULL ? rows[i].name : "";

		assert_int_equal(check(&source, rows[i].given, "secret", &account), right);
		assert_string_equal(account.name, name);
		assert_int_equal(check(&source, rows[i].given, "wrong", &account), AUTH_DENIED);
		assert_string_equal(account.name, name);
	}
	passwd_error = EIO;
	assert_int_equal(check(&source, "Zoe", "secret", &account), AUTH_BROKEN);
	passwd_error = 0;
}

/* A smallest uid of 0 still keeps root out. */
static void
system_root_never(void **state)
{
	const struct auth_source source = {.kind = AUTH_SYSTEM, .min_uid = 0};
	struct auth_account account;

	(void)state;
	assert_int_equal(check(&source, "daemon", "secret", &account), AUTH_OK);
	assert_int_equal(check(&source, "root", "secret", &account), AUTH_DENIED);
	assert_int_equal(check(&source, "toor", "secret", &account), AUTH_DENIED);
	assert_int_equal(check(&source, "wheel", "secret", &account), AUTH_DENIED);
}

/* Broken is said to everybody alike, known or not. */
static void
system_broken(void **state)
{
	const struct auth_source source = {.kind = AUTH_SYSTEM, .min_uid = MIN_UID};
	static const char *const who[] = {"anna", "nobody-at-all", "locked", ""};
	struct auth_account account;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(who); i++) {
		shadow_error = EACCES;
		assert_int_equal(check(&source, who[i], "secret", &account), AUTH_BROKEN);
		shadow_error = 0;
		passwd_error = EIO;
		assert_int_equal(check(&source, who[i], "secret", &account), AUTH_BROKEN);
		passwd_error = ENOENT;
		assert_int_equal(check(&source, who[i], "secret", &account), AUTH_DENIED);
		passwd_error = 0;
	}
}

static const char users[] = "# users of the tests\r\n"
			    "anna:{SHA256-CRYPT}" SHA256 ":1000:1001:Anna:/home/anna::extra=1\r\n"
			    "Bert@Example.org:" MD5 ":1002:1002::/v/bert::\n"
			    "plain:{PLAIN}secret:1003:1003::/v/plain::\n"
			    "locked:!" MD5 ":1004:1004::/v/l::\n"
			    "encoded:{SHA256-CRYPT.B64}" SHA256 ":1004:1004::/v/l::\n"
			    "root:" MD5 ":0:1000::/v/r::\n"
			    "group:" MD5 ":1000:0::/v/g::\n"
			    "low:" MD5 ":999:1000::/v/low::\n"
			    "homeless:" MD5 ":1005:1005::::\n"
			    "short:" MD5 ":1005:1005\n"
			    "relative:" MD5 ":1005:1005::v:\n"
			    "nouid:" MD5 "::1005::/v:\n"
			    "anna:" MD5 ":1006:1006::/second::\n"
			    "last:" MD5 ":1007:1007::/v/last";

static void
write_users(char path[], const char *text)
{
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
file_accounts(void **state)
{
	static const struct {
		const char *name;
		bool allow_plain;
		enum auth_verdict verdict;
		const char *home;
	} rows[] = {
	    {"anna", false, AUTH_OK, "/home/anna"},
	    {"ANNA", false, AUTH_OK, "/home/anna"},
	    {"bert@example.org", false, AUTH_OK, "/v/bert"},
	    {"BERT@EXAMPLE.ORG", false, AUTH_OK, "/v/bert"},
	    {"last", false, AUTH_OK, "/v/last"},
	    {"plain", true, AUTH_OK, "/v/plain"},
	    {"plain", false, AUTH_BROKEN, NULL},
	    {"bert", false, AUTH_DENIED, NULL},
	    {"locked", true, AUTH_DENIED, NULL},
	    {"encoded", true, AUTH_BROKEN, NULL},
	    {"nouid", true, AUTH_DENIED, NULL},
	    {"nobody-at-all", true, AUTH_DENIED, NULL},
	    {"# users of the tests", true, AUTH_DENIED, NULL},
	    {"", true, AUTH_DENIED, NULL},
	    {"root", false, AUTH_BROKEN, NULL},
	    {"group", false, AUTH_BROKEN, NULL},
	    {"low", false, AUTH_BROKEN, NULL},
	    {"homeless", false, AUTH_BROKEN, NULL},
	    {"short", false, AUTH_BROKEN, NULL},
	    {"relative", false, AUTH_BROKEN, NULL},
	};
	char path[] = "/tmp/test_auth_account.XXXXXX";
	struct auth_source source = {.kind = AUTH_FILE, .users_file = path, .min_uid = MIN_UID};
	struct auth_account account;
	enum auth_verdict wrong;
	size_t i;

	(void)state;
	write_users(path, users);
	for (i = 0; i < COUNT(rows); i++) {
		source.allow_plain = rows[i].allow_plain;
		assert_int_equal(check(&source, rows[i].name, "secret", &account), rows[i].verdict);
		if (rows[i].home != NULL)
			assert_string_equal(account.home, rows[i].home);
		/*
		 * Only who knows the password learns that an entry is broken, but for a hash with
		 * which no password can be compared.
		 */
		wrong = rows[i].verdict == AUTH_BROKEN &&
				(rows[i].name[0] == 'p' || rows[i].name[0] == 'e')
			    ? AUTH_BROKEN
			    : AUTH_DENIED;
		assert_int_equal(check(&source, rows[i].name, "wrong", &account), wrong);
		assert_int_equal(check(&source, rows[i].name, "", &account), wrong);
	}
	assert_int_equal(check(&source, "BERT@example.org", "secret", &account), AUTH_OK);
	assert_string_equal(account.name, "Bert@Example.org");
	assert_int_equal(account.uid, 1002);
	assert_int_equal(account.gid, 1002);
	assert_int_equal(unlink(path), 0);
}

static void
file_broken(void **state)
{
	char path[] = "/tmp/test_auth_account.XXXXXX";
	const struct auth_source source = {
	    .kind = AUTH_FILE, .users_file = path, .min_uid = MIN_UID};
	struct auth_account account;

	(void)state;
	write_users(path, users);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(check(&source, "anna", "secret", &account), AUTH_BROKEN);
	assert_int_equal(check(&source, "nobody-at-all", "secret", &account), AUTH_BROKEN);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check(&source, "anna", "secret", &account), AUTH_BROKEN);
	write_users(strcpy(path, "/tmp/test_auth_account.XXXXXX"), "");
	assert_int_equal(check(&source, "anna", "secret", &account), AUTH_DENIED);
	assert_int_equal(unlink(path), 0);
}

/* Where no hash can be computed that is said to everybody alike, known or not. */
static void
mend26_hash_that_cannot_be_computed(void **state)
{
	static const char *const who[] = {"anna", "locked", "nobody-at-all", ""};
	char path[] = "/tmp/test_auth_account.XXXXXX";
	const struct auth_source source = {
	    .kind = AUTH_FILE, .users_file = path, .min_uid = MIN_UID};
	struct auth_account account;
	size_t i;

	(void)state;
	write_users(path, "anna:$y$jRT$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01:"
			  "1000:1000::/v::\nlocked:!:1000:1000::/v::\n");
	for (i = 0; i < COUNT(who); i++)
		assert_int_equal(check(&source, who[i], "secret", &account), AUTH_BROKEN);
	assert_int_equal(unlink(path), 0);
}

/* A hash that crypt(3) refuses, in the first line: unknown users are still denied like known ones. */
static void
unknown_behind_a_refused_hash(void **state)
{
	static const char *const hashes[] = {
	    "$2y$99$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
	    ("$6$rounds=abc$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrj"
	     "EwSXGo2kgY5hR2.peKEg2VGUqIJJu1"),
	    "$y$j.5$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
	    "$7$4/..........abc$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01"};
	char path[] = "/tmp/test_auth_account.XXXXXX", text[512];
	const struct auth_source source = {
	    .kind = AUTH_FILE, .users_file = path, .min_uid = MIN_UID};
	struct auth_account account;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(hashes); i++) {
		(void)snprintf(text, sizeof(text),
		    "bad:%s:1000:1000::/v::\nanna:%s:1000:1000::/v\n", hashes[i], MD5);
		write_users(strcpy(path, "/tmp/test_auth_account.XXXXXX"), text);
		assert_int_equal(check(&source, "nobody-at-all", "wrong", &account), AUTH_DENIED);
		assert_int_equal(check(&source, "anna", "wrong", &account), AUTH_DENIED);
		assert_int_equal(check(&source, "anna", "secret", &account), AUTH_OK);
		assert_int_equal(check(&source, "bad", "secret", &account), AUTH_BROKEN);
		assert_int_equal(unlink(path), 0);
	}
}

/* An unknown user costs what a wrong password costs: the quickest of some tries tells. */
static double
quickest(const struct auth_source *source, const char *name)
{
	struct auth_account account;
	struct timespec from, to;
	double best = 1e9, took;
	int i;

	for (i = 0; i < 5; i++) {
		assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from), 0);
		assert_int_not_equal(check(source, name, "wrong", &account), AUTH_OK);
		assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to), 0);
		took =
		    (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
		if (took < best)
			best = took;
	}
	return best;
}

static void
same_cost(void **state)
{
	static const char *const who[] = {
	    "nobody-at-all", "locked", "empty", "plain", "..", "", "refused"};
	char path[] = "/tmp/test_auth_account.XXXXXX";
	struct auth_source source = {.kind = AUTH_FILE, .users_file = path, .min_uid = MIN_UID};
	const char *text = "refused:$2y$99$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
			   ":1000:1000::/v::\n"
			   "plain:{PLAIN}secret:1000:1000::/v::\n"
			   "locked:!:1000:1000::/v::\n"
			   "empty:{CRYPT}:1000:1000::/v::\n"
			   "known:$6$rounds=30000$abcdefgh$1234567890123456789012345678901234567890"
			   "1234567890123456789012345678901234567890123456:1000:1000::/v::\n";
	double known, other;
	size_t i;

	(void)state;
	write_users(path, text);
	known = quickest(&source, "known");
	for (i = 0; i < 2 * COUNT(who); i++) {
		source.allow_plain = i % 2 == 1;
		other = quickest(&source, who[i / 2]);
		assert_true(other > known / 2 && other < known * 2);
	}
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(system_accounts),
	    cmocka_unit_test(mend25_names_with_capitals),
	    cmocka_unit_test(system_root_never),
	    cmocka_unit_test(system_broken),
	    cmocka_unit_test(file_accounts),
	    cmocka_unit_test(file_broken),
	    cmocka_unit_test(mend26_hash_that_cannot_be_computed),
	    cmocka_unit_test(unknown_behind_a_refused_hash),
	    cmocka_unit_test(same_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
