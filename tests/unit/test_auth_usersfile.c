/*
 * test_auth_usersfile.c: lines of the users file, looking up, and the file's mode.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/account.h"
#include "auth/usersfile.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define MD5  "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"
#define MD5B "$1$ABCDEFGH$cHJi5PXp/ki/ktXzqlk6I1"

static void
lines(void **state)
{
	static const struct {
		const char *line;
		enum usersfile_result result;
		const char *name, *hash, *home;
		unsigned uid, gid;
	} rows[] = {
	    {"anna:{CRYPT}x:1000:1001::/home/anna::", USERSFILE_ENTRY, "anna", "{CRYPT}x",
		"/home/anna", 1000, 1001},
	    {"anna:x:1000:1001:Anna, of course:/home/anna:/bin/sh:mail=maildir:~/M:quota=1",
		USERSFILE_ENTRY, "anna", "x", "/home/anna", 1000, 1001},
	    {"anna@example.org:x:1:2::/v/anna", USERSFILE_ENTRY, "anna@example.org", "x", "/v/anna",
		1, 2},
	    {"anna:x:1:2::/v\r", USERSFILE_ENTRY, "anna", "x", "/v", 1, 2},
	    {"anna:x:1:2::/v:\r", USERSFILE_ENTRY, "anna", "x", "/v", 1, 2},
	    {"anna:x:0:0::/v:", USERSFILE_ENTRY, "anna", "x", "/v", 0, 0},
	    {"anna:x:01:0002::/v:", USERSFILE_ENTRY, "anna", "x", "/v", 1, 2},
	    {"anna:x:4294967294:4294967294::/v:", USERSFILE_ENTRY, "anna", "x", "/v", 4294967294u,
		4294967294u},
	    {"anna:x:1:2", USERSFILE_ENTRY, "anna", "x", "", 1, 2},
	    {"anna:x:1:2:", USERSFILE_ENTRY, "anna", "x", "", 1, 2},
	    {"anna:x:1:2::", USERSFILE_ENTRY, "anna", "x", "", 1, 2},
	    {"anna:x:1:2::rel", USERSFILE_ENTRY, "anna", "x", "rel", 1, 2},
	    {"Anna.B+c_d=e-f@X.org:!:1:2::/ :", USERSFILE_ENTRY, "Anna.B+c_d=e-f@X.org", "!", "/ ",
		1, 2},
	    {"", USERSFILE_BLANK},
	    {"\r", USERSFILE_BLANK},
	    {" \t ", USERSFILE_BLANK},
	    {" \t\r", USERSFILE_BLANK},
	    {"#", USERSFILE_BLANK},
	    {"#anna:x:1:2::/v", USERSFILE_BLANK},
	    {":", USERSFILE_WRONG},
	    {":x:1:2::/v", USERSFILE_WRONG},
	    {" anna:x:1:2::/v", USERSFILE_WRONG},
	    {" #anna:x:1:2::/v", USERSFILE_WRONG},
	    {"an na:x:1:2::/v", USERSFILE_WRONG},
	    {"../x:x:1:2::/v", USERSFILE_WRONG},
	    {"anna", USERSFILE_WRONG},
	    {"anna:", USERSFILE_WRONG},
	    {"anna::1:2::/v", USERSFILE_WRONG},
	    {"anna:x", USERSFILE_WRONG},
	    {"anna:x:", USERSFILE_WRONG},
	    {"anna:x:1", USERSFILE_WRONG},
	    {"anna:x:1:", USERSFILE_WRONG},
	    {"anna:x:::", USERSFILE_WRONG},
	    {"anna:x::2::/v", USERSFILE_WRONG},
	    {"anna:x:1:::/v", USERSFILE_WRONG},
	    {"anna:x:a:2::/v", USERSFILE_WRONG},
	    {"anna:x:+1:2::/v", USERSFILE_WRONG},
	    {"anna:x:-1:2::/v", USERSFILE_WRONG},
	    {"anna:x: 1:2::/v", USERSFILE_WRONG},
	    {"anna:x:1 :2::/v", USERSFILE_WRONG},
	    {"anna:x:0x1:2::/v", USERSFILE_WRONG},
	    {"anna:x:4294967295:2::/v", USERSFILE_WRONG},
	    {"anna:x:1:4294967295::/v", USERSFILE_WRONG},
	    {"anna:x:4294967296:2::/v", USERSFILE_WRONG},
	    {"anna:x:4294967297:2::/v", USERSFILE_WRONG},
	    {"anna:x:18446744073709551617:2::/v", USERSFILE_WRONG},
	};
	char line[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	const char *reason;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		(void)snprintf(line, sizeof(line), "%s", rows[i].line);
		assert_int_equal(usersfile_parse(line, &entry, &reason), rows[i].result);
		assert_int_equal(reason[0] != '\0', rows[i].result == USERSFILE_WRONG);
		if (rows[i].result != USERSFILE_ENTRY)
			continue;
		assert_string_equal(entry.name, rows[i].name);
		assert_string_equal(entry.hash, rows[i].hash);
		assert_string_equal(entry.home, rows[i].home);
		assert_int_equal(entry.uid, rows[i].uid);
		assert_int_equal(entry.gid, rows[i].gid);
	}
}

static const char users[] = "# users\n"
			    "\n"
			    "locked:!" MD5 ":1:1::/locked::\n"
			    "plain:{PLAIN}secret:2:2::/plain::\n"
			    "wrong:" MD5B ":x:2::/wrong::\n"
			    "anna:{CRYPT}" MD5 ":3:3::/anna::\r\n"
			    "anna:" MD5B ":4:4::/second::\n"
			    "Bert@Example.ORG:" MD5B ":5:5::/bert::\n"
			    "nul\0:" MD5B ":6:6::/nul::\n"
			    "last:" MD5B ":7:7::/last";

static void
find(const char *text, size_t len, const char *name, bool *found_r, struct usersfile_entry *entry_r,
    char line_r[USERSFILE_LINE_MAX], char fallback_r[USERSFILE_LINE_MAX])
{
	char copy[8 * USERSFILE_LINE_MAX];
	FILE *file;

	memcpy(copy, text, len);
	file = fmemopen(copy, len, "r");
	assert_non_null(file);
	assert_int_equal(usersfile_find(file, name, line_r, entry_r, found_r, fallback_r), 0);
	assert_int_equal(fclose(file), 0);
}

static void
looking_up(void **state)
{
	static const struct {
		const char *name, *home;
	} rows[] = {
	    {"anna", "/anna"},
	    {"ANNA", "/anna"},
	    {"locked", "/locked"},
	    {"plain", "/plain"},
	    {"bert@example.org", "/bert"},
	    {"last", "/last"},
	    {"wrong", NULL},
	    {"nul", NULL},
	    {"ann", NULL},
	    {"annaa", NULL},
	    {"bert", NULL},
	    {"# users", NULL},
	    {"", NULL},
	};
	char line[USERSFILE_LINE_MAX], fallback[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	bool found;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		find(users, sizeof(users) - 1, rows[i].name, &found, &entry, line, fallback);
		assert_string_equal(fallback, "{CRYPT}" MD5);
		assert_int_equal(found, rows[i].home != NULL);
		if (found)
			assert_string_equal(entry.home, rows[i].home);
	}
	find("x:!:1:1\n", 8, "x", &found, &entry, line, fallback);
	assert_true(found);
	assert_string_equal(entry.home, "");
	assert_string_equal(fallback, "");
	find("\n", 1, "x", &found, &entry, line, fallback);
	assert_false(found);
}

/* A line of the longest size counts, a longer one is passed over as a whole, its tail too. */
static void
long_lines(void **state)
{
	char text[4 * USERSFILE_LINE_MAX];
	char line[USERSFILE_LINE_MAX], fallback[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	size_t length, at;
	bool found;

	(void)state;
	for (length = USERSFILE_LINE_MAX - 2; length <= USERSFILE_LINE_MAX + 1; length++) {
		memset(text, '/', sizeof(text));
		memcpy(text, "anna:!:1:1::", 12);
		at = length;
		text[at++] = '\n';
		memcpy(text + at, "bert:!:1:1::/b\n", 15);
		at += 15;
		find(text, at, "anna", &found, &entry, line, fallback);
		assert_int_equal(found, length < USERSFILE_LINE_MAX);
		if (found)
			assert_int_equal(strlen(entry.home), length - 12);
		find(text, at, "bert", &found, &entry, line, fallback);
		assert_true(found);
	}
	/* What begins at the limit is no line of its own. */
	memset(text, 'a', sizeof(text));
	memcpy(text + USERSFILE_LINE_MAX - 1, "anna:!:1:1::/a\n", 15);
	find(text, USERSFILE_LINE_MAX + 14, "anna", &found, &entry, line, fallback);
	assert_false(found);
}

static const struct {
	unsigned line;
	const char *words;
} wrong_lines[] = {
    {3, "min_uid"}, /* locked, but never of use */
    {4, "not allowed"},
    {5, "third field"},
    {9, "NUL"},
    {11, "never read as root"},
    {12, "absolute path"},
    {13, "parameters"},
    {14, "too long"},
};

static void
take_report(void *ctx, unsigned line, const char *reason)
{
	size_t *reported = ctx;

	assert_true(*reported < COUNT(wrong_lines));
	assert_int_equal(line, wrong_lines[*reported].line);
	assert_non_null(strstr(reason, wrong_lines[*reported].words));
	++*reported;
}

/* Each line that no login can use is reported, in order, the others are not. */
static void
reported_lines(void **state)
{
	const struct auth_source source = {.kind = AUTH_FILE, .min_uid = 2};
	char text[3 * USERSFILE_LINE_MAX];
	size_t at = sizeof(users) - 1, reported = 0;
	FILE *file;

	(void)state;
	memset(text, '/', sizeof(text));
	memcpy(text, users, at);
	at += (size_t)snprintf(text + at, sizeof(text) - at,
	    "\nroot:!:0:1::/r\nhome:!:2:2::rel\nbad:"
	    "$2y$99$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW:2:2::/b\nlong:!:2:2::");
	text[at] = '/';
	file = fmemopen(text, at + USERSFILE_LINE_MAX, "r");
	assert_non_null(file);
	assert_int_equal(usersfile_check(file, &source, take_report, &reported), 9);
	assert_int_equal(reported, COUNT(wrong_lines));
	assert_int_equal(fclose(file), 0);
}

static void
unreadable(void **state)
{
	char line[USERSFILE_LINE_MAX], fallback[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	bool found;
	FILE *file;

	(void)state;
	file = fopen("/", "r"); /* reading a folder gives EISDIR */
	assert_non_null(file);
	assert_int_equal(usersfile_find(file, "anna", line, &entry, &found, fallback), -1);
	assert_false(found);
	assert_int_equal(fclose(file), 0);
}

static void
modes(void **state)
{
	static const struct {
		mode_t mode;
		const char *reason; /* what the text contains, or NULL if the file is taken */
	} rows[] = {
	    {0600, NULL},
	    {0400, NULL},
	    {0640, NULL},
	    {0440, NULL},
	    {0601, NULL},
	    {0644, "chmod o-r"},
	    {0604, "chmod o-r"},
	    {0660, "chmod go-w"},
	    {0620, "chmod go-w"},
	    {0602, "chmod go-w"},
	    {0666, "chmod go-w"},
	};
	char folder[] = "/tmp/test_auth_usersfile.XXXXXX";
	char path[64], link[64];
	const char *reason;
	size_t i;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/users", folder);
	(void)snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(usersfile_open(path, &reason), -1);
	assert_non_null(strstr(reason, "does not exist"));
	assert_int_equal(usersfile_open(folder, &reason), -1);
	assert_non_null(strstr(reason, "regular"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(usersfile_open(path, &reason), -1);
	assert_non_null(strstr(reason, "regular"));
	assert_int_equal(unlink(path), 0);

	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(symlink(path, link), 0);
	for (i = 0; i < COUNT(rows); i++) {
		int opened;

		assert_int_equal(fchmod(fd, rows[i].mode), 0);
		opened = usersfile_open(i % 2 == 0 ? path : link, &reason);
		if (rows[i].reason == NULL) {
			assert_int_not_equal(opened, -1);
			assert_int_equal(close(opened), 0);
		} else {
			assert_int_equal(opened, -1);
			assert_non_null(strstr(reason, rows[i].reason));
		}
	}
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(looking_up),
	    cmocka_unit_test(long_lines),
	    cmocka_unit_test(reported_lines),
	    cmocka_unit_test(unreadable),
	    cmocka_unit_test(modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
