/*
 * test_maildir_deliver.c: APPEND and COPY: the whole set or nothing, UIDs in its order.
 *
 * This program's own write, fsync, linkat and renameat2 stand before libc's, so that a test can let
 * one of them fail.
 */
#include "maildir_fixture.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "maildir/folder/deliver.h"

static int link_fails;	       /* errno of every linkat */
static int fail_at, fail_with; /* the fail_at-th of all these calls from now on fails; 0: none */
static int calls;
static int kill_at;			    /* at the kill_at-th call this process dies */
static const char *rename_old, *rename_new; /* before the next linkat, in rename_dir */
static int rename_dir = -1;

/* Whether this call is the one. */
static bool
fails(void)
{
	calls++;
	if (kill_at != 0 && calls == kill_at)
		raise(SIGKILL);
	if (fail_at == 0 || calls != fail_at)
		return false;
	errno = fail_with;
	return true;
}

static void
calls_reset(void)
{
	link_fails = fail_at = fail_with = calls = kill_at = 0;
	rename_old = rename_new = NULL;
}

ssize_t
write(int fd, const void *data, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "write");
	return fails() ? -1 : real(fd, data, size);
}

int
fsync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	return fails() ? -1 : real(fd);
}

int
linkat(int from, const char *old, int to, const char *new, int flags)
{
	static int (*real)(int, const char *, int, const char *, int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "linkat");
	if (rename_old != NULL) {
		assert_int_equal(renameat(rename_dir, rename_old, rename_dir, rename_new), 0);
		rename_old = NULL;
	}
	if (link_fails != 0) {
		errno = link_fails;
		return -1;
	}
	return fails() ? -1 : real(from, old, to, new, flags);
}

int
renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	static int (*real)(int, const char *, int, const char *, unsigned);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "renameat2");
	return fails() ? -1 : real(from, old, to, new, flags);
}

static int
setup(void **state)
{
	calls_reset();
	return fixture_setup(state);
}

static int
teardown(void **state)
{
	calls_reset();
	return fixture_teardown(state);
}

#undef WITH
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static size_t
count_in(struct fixture *f, const char *name)
{
	char path[PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void
assert_message(struct fixture *f, size_t index, const char *text)
{
	uint64_t size;
	bool newline;
	size_t len;
	char *got = read_message(f, index, 100, &len);

	assert_non_null(got);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(got, text, len);
	assert_int_equal(maildir_size(f->inbox, uid_at(f->inbox, index), &size, &newline), 0);
	assert_int_equal(size, len);
	assert_int_equal(newline, len > 0 && text[len - 1] == '\n');
	free(got);
}

/* Adds a message in pieces of so many octets. */
static int
add(struct maildir_delivery *d, const char *text, size_t len, size_t step, uint32_t flags)
{
	const struct maildir_label label = {flags, 0, 1000000000};

	if (maildir_delivery_message(d, &label) < 0)
		return -1;
	for (size_t at = 0; at < len; at += step) {
		if (maildir_delivery_write(d, text + at, step < len - at ? step : len - at) < 0)
			return -1;
	}
	return 0;
}

static void
append_one(void **state)
{
	struct fixture *f = *state;
	const struct maildir_label label = {MAILDIR_SEEN | MAILDIR_DRAFT, 5, 1234567890};
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity;
	time_t date;
	char *text;

	put(f, "new/1.a", "a\n");
	assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
	assert_int_equal(maildir_delivery_message(d, &label), 0);
	assert_int_equal(maildir_delivery_write(d, "Subject: x\r\n\r\ntext\r\n", 20), 0);
	assert_int_equal(count_in(f, "tmp"), 1);
	assert_int_equal(count_in(f, "cur"), 0);
	assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
	assert_int_equal(uids[0], 2); /* behind what was there */
	assert_int_equal(validity, maildir_uidvalidity(f->inbox));
	maildir_delivery_end(&d);
	assert_null(d);
	assert_int_equal(count_in(f, "tmp"), 0);
	assert_int_equal(maildir_count(f->inbox), 2);
	assert_int_equal(message_at(f->inbox, 1).flags, MAILDIR_SEEN | MAILDIR_DRAFT);
	assert_int_equal(message_at(f->inbox, 1).keywords, 5);
	assert_int_equal(maildir_date(f->inbox, uid_at(f->inbox, 1), &date), 0);
	assert_int_equal(date, 1234567890);
	assert_message(f, 1, "Subject: x\r\n\r\ntext\r\n");
	text = get(f, "dovecot-uidlist");
	assert_non_null(strstr(text, "\n2 S17 W20 L17 :"));
	free(text);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 2);
	assert_message(f, 1, "Subject: x\r\n\r\ntext\r\n");
	assert_int_equal(f->notices, 0);
}

/* What goes in, in pieces of any size, comes out. */
static void
line_ends(void **state)
{
	static const struct {
		const char *in, *out;
		const char *file;
	} rows[] = {
	    {"", "", ""},
	    {"a", "a", "a"},
	    {"\r\n", "\r\n", "\n"},
	    {"a\nb\r\n", "a\r\nb\r\n", "a\nb\n"},
	    {"\r", "\r", "\r"},
	    {"\r\r", "\r\r", "\r\r"},
	    {"a\rb\r\nc\r", "a\rb\r\nc\r", "a\rb\nc\r"},
	    {"\r\r\n", "\r\r\n", "\r\r\n"},
	    {"a\r\r\n\r\r\r\nb", "a\r\r\n\r\r\r\nb", "a\r\r\n\r\r\r\nb"},
	    {"\r\n\r\n\n\r\n\r", "\r\n\r\n\r\n\r\n\r", "\n\n\n\n\r"},
	    {"\n\r", "\r\n\r", "\n\r"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t step = 1; step <= 4; step++) {
			struct maildir_delivery *d;
			const uint32_t *uids;
			uint32_t validity;
			size_t last;
			char *name, path[PATH_MAX], *file;
			struct dirent **list;

			assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
			assert_int_equal(add(d, rows[i].in, strlen(rows[i].in), step, 0), 0);
			assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
			last = maildir_find(f->inbox, uids[0]);
			assert_message(f, last, rows[i].out);
			maildir_delivery_end(&d);
			snprintf(path, sizeof(path), "%s/cur", f->path);
			assert_int_equal(scandir(path, &list, NULL, alphasort), 3);
			assert_true(asprintf(&name, "cur/%s", list[2]->d_name) > 0);
			file = get(f, name);
			assert_string_equal(file, rows[i].file);
			unlinkat(f->fd, name, 0);
			for (int n = 0; n < 3; n++)
				free(list[n]);
			free(list);
			free(name);
			free(file);
		}
	}
}

/* More than a second's names would sort wrongly by counter: "Q10" is before "Q9". */
static void
uids_in_order(void **state)
{
	enum { MANY = 60 };
	struct fixture *f = *state;
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity;
	char text[30];

	assert_int_equal(maildir_sync(f->inbox), 0);
	put(f, "new/99999999999.future", "other\n");
	put(f, "new/1.past", "other\n");
	assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "m%u\r\n", i);
		assert_int_equal(add(d, text, strlen(text), 100, i % 2 ? MAILDIR_SEEN : 0), 0);
	}
	assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(uids[i], i + 1);
		snprintf(text, sizeof(text), "m%u", i);
		assert_line(f, uids[i], text);
	}
	maildir_delivery_end(&d);
	/* All of it is new, and here told once. */
	assert_int_equal(maildir_recent(f->inbox, &validity), 0);
	assert_int_equal(validity, 1);
}

static void
nothing_stays_of_what_ended(void **state)
{
	struct fixture *f = *state;
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity;

	assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
	assert_int_equal(add(d, "a\r\n", 3, 100, 0), 0);
	assert_int_equal(add(d, "b\r\n", 3, 100, 0), 0);
	assert_int_equal(count_in(f, "tmp"), 2);
	maildir_delivery_end(&d);
	maildir_delivery_end(&d);
	assert_int_equal(count_in(f, "tmp"), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 0);
	/* An empty set is one, too; and a folder may lack tmp/. */
	assert_int_equal(unlinkat(f->fd, "tmp", AT_REMOVEDIR), 0);
	assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
	assert_int_equal(maildir_delivery_write(d, "x", 1), -1);
	assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
	assert_int_equal(validity, maildir_uidvalidity(f->inbox));
	maildir_delivery_end(&d);
}

/* --- copies --- */

static void
copy_to(struct fixture *f, bool linked)
{
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity;
	struct fixture sub = *f;
	struct stat st;
	time_t date;
	char name[300], id[MAILDIR_ID_SIZE];
	const struct timespec times[2] = {{5, 0}, {77777, 0}};

	put(f, "cur/1.a:2,FSabc", "one\r\nA\n");
	put(f, "cur/2.b:2,", "two\n");
	assert_int_equal(utimensat(f->fd, "cur/1.a:2,FSabc", times, 0), 0);
	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &sub.inbox), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_delivery_begin(sub.inbox, &d), 0);
	assert_int_equal(maildir_delivery_copy(d, f->inbox, uid_at(f->inbox, 1), 0), 0);
	/* A program changes its flags just then. */
	rename_dir = openat(f->fd, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rename_old = "1.a:2,FSabc";
	rename_new = "1.a:2,RSabc";
	assert_int_equal(maildir_delivery_copy(d, f->inbox, uid_at(f->inbox, 0), 8), 0);
	close(rename_dir);
	assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
	assert_int_equal(uids[0], 1);
	assert_int_equal(uids[1], 2);
	maildir_delivery_end(&d);
	assert_line(&sub, 1, "two");
	assert_line(&sub, 2, "one");
	assert_int_equal(message_at(sub.inbox, 1).flags,
	    linked ? MAILDIR_REPLIED | MAILDIR_SEEN : MAILDIR_REPLIED | MAILDIR_SEEN);
	assert_int_equal(message_at(sub.inbox, 1).keywords, 8);
	assert_int_equal(maildir_date(sub.inbox, uid_at(sub.inbox, 1), &date), 0);
	assert_int_equal(date, 77777);
	assert_message(&sub, 1, "one\r\nA\r\n");
	assert_int_equal(maildir_message_id(sub.inbox, 2, id), 0);
	assert_string_equal(id, "1_a");
	snprintf(name, sizeof(name), "cur/%s", "2.b:2,");
	assert_int_equal(fstatat(f->fd, name, &st, 0), 0);
	assert_int_equal(st.st_nlink, linked ? 2 : 1);
	assert_int_equal(count_in(f, ".Sub/tmp"), 0);
	maildir_folder_close(&sub.inbox);
	assert_int_equal(f->notices, 0);
}

static void
copy_by_link(void **state)
{
	copy_to(*state, true);
}

static void
copy_without_links(void **state)
{
	link_fails = EXDEV;
	copy_to(*state, false);
}

/* Into the same folder; and what is gone or no file is refused and spoils nothing. */
static void
copy_within(void **state)
{
	static const int modes[] = {0, EPERM};
	struct fixture *f = *state;
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity, last = 0;

	put(f, "cur/1.a:2,", "one\n");
	put(f, "cur/2.b:2,S", "two\n");
	put(f, "cur/3.c:2,", "three\n");
	put(f, "cur/4.d:2,", "four\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	unlinkat(f->fd, "cur/3.c:2,", 0);
	unlinkat(f->fd, "cur/4.d:2,", 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "cur/4.d:2,"), 0);
	for (size_t i = 0; i < COUNT(modes); i++) {
		link_fails = modes[i];
		assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
		assert_int_equal(maildir_delivery_copy(d, f->inbox, 2, 0), 0);
		if (i == 0) {
			assert_int_equal(maildir_delivery_copy(d, f->inbox, 4, 0), -1);
			assert_int_equal(errno, EINVAL);
		}
		assert_int_equal(maildir_delivery_copy(d, f->inbox, 3, 0), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(maildir_delivery_copy(d, f->inbox, 1, 0), 0);
		assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
		assert_line(f, uids[0], "two");
		assert_line(f, uids[1], "one");
		assert_int_equal(uids[0] + 1, uids[1]);
		last = uids[1];
		maildir_delivery_end(&d);
		if (i == 0) {
			/* Back where it was, for the second round. */
			put(f, "cur/3.c:2,", "three\n");
			unlinkat(f->fd, "cur/4.d:2,", 0);
			put(f, "cur/4.d:2,", "four\n");
			assert_int_equal(maildir_sync(f->inbox), 0);
			assert_int_equal(maildir_count(f->inbox), 6);
			unlinkat(f->fd, "cur/3.c:2,", 0);
		}
	}
	/* A removal of the one leaves the other. */
	assert_int_equal(maildir_remove(f->inbox, 1), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_line(f, last, "one");
}

/* Links that are made at the end: the set is there as a whole, or not at all and can be tried otherwise. */
static void
links_at_the_end(void **state)
{
	static const struct {
		int error;
		const char *renamed;
	} cases[] = {{0, NULL}, {0, "2.b:2,R"}, {EXDEV, NULL}, {ENOSPC, NULL}};
	struct fixture *f = *state;
	struct fixture sub = *f;

	put(f, "cur/1.a:2,Sa", "one\n");
	put(f, "cur/2.b:2,", "two\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &sub.inbox), 0);
	assert_int_equal(maildir_sync(sub.inbox), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool good = cases[i].error == 0 && cases[i].renamed == NULL;
		size_t before = maildir_count(sub.inbox);
		uint32_t validity, next = maildir_uidnext(sub.inbox);
		struct maildir_delivery *d;
		const uint32_t *uids;

		assert_int_equal(maildir_delivery_begin(sub.inbox, &d), 0);
		assert_int_equal(maildir_delivery_link(d, f->inbox, 1, 4), 0);
		assert_int_equal(maildir_delivery_link(d, f->inbox, 2, 0), 0);
		assert_int_equal(maildir_delivery_link(d, f->inbox, 7, 0), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(maildir_delivery_link(d, sub.inbox, 1, 0), -1);
		assert_int_equal(errno, EINVAL);
		link_fails = cases[i].error;
		rename_dir = openat(f->fd, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rename_old = cases[i].renamed != NULL ? "2.b:2," : NULL;
		rename_new = cases[i].renamed;
		assert_int_equal(maildir_delivery_commit(d, &validity, &uids), good ? 0 : -1);
		if (!good)
			assert_int_equal(errno, cases[i].error == ENOSPC ? ENOSPC : ESTALE);
		calls_reset();
		maildir_delivery_end(&d);
		if (cases[i].renamed != NULL)
			assert_int_equal(renameat(rename_dir, "2.b:2,R", rename_dir, "2.b:2,"), 0);
		close(rename_dir);
		assert_int_equal(maildir_sync(sub.inbox), 0);
		assert_int_equal(maildir_count(sub.inbox), before + (good ? 2 : 0));
		assert_int_equal(maildir_uidnext(sub.inbox), next + (good ? 2 : 0));
		assert_int_equal(count_in(f, ".Sub/tmp"), 0);
		assert_int_equal(count_in(f, ".Sub/cur"), 2);
	}
	assert_line(&sub, 1, "one");
	assert_line(&sub, 2, "two");
	assert_int_equal(message_at(sub.inbox, 0).flags, MAILDIR_SEEN);
	assert_int_equal(message_at(sub.inbox, 0).keywords, 4);
	maildir_folder_close(&sub.inbox);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 2);
	assert_int_equal(f->notices, 0);
}

/* --- what goes wrong --- */

/* Every call in turn fails: then nothing is there, and nothing is lost. */
static void
test_req34_req37_every_call_fails(void **state)
{
	static const int errors[] = {ENOSPC, EIO};
	struct fixture *f = *state;
	uint32_t validity, next, seen;
	const uint32_t *uids;
	bool done = false;

	put(f, "cur/1.a:2,", "one\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	seen = maildir_uidvalidity(f->inbox);
	for (int at = 1; !done; at++) {
		struct maildir_delivery *d;

		assert_true(at < 100);
		next = maildir_uidnext(f->inbox);
		calls_reset();
		fail_at = at;
		fail_with = errors[at % 2];
		assert_int_equal(maildir_delivery_begin(f->inbox, &d), 0);
		done = add(d, "a\r\n", 3, 100, 0) == 0 && add(d, "b\r\n", 3, 1, 0) == 0 &&
		       maildir_delivery_copy(d, f->inbox, uid_at(f->inbox, 0), 0) == 0 &&
		       maildir_delivery_commit(d, &validity, &uids) == 0;
		if (!done) {
			assert_true(errno == ENOSPC || errno == EIO || errno == ENOLCK);
			/* And it stays so. */
			if (maildir_delivery_commit(d, &validity, &uids) == 0) {
				maildir_delivery_end(&d);
				break;
			}
		}
		done = done && calls < at;
		maildir_delivery_end(&d);
		calls_reset();
		assert_int_equal(count_in(f, "tmp"), 0);
		if (!done && count_in(f, "cur") == 1)
			assert_int_equal(maildir_uidnext(f->inbox), next);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_uidvalidity(f->inbox), seen);
		assert_int_equal(maildir_count(f->inbox) % 3, 1);
		assert_line(f, 1, "one");
		/* Calls whose failure costs nothing (the record): the set was delivered. */
		for (size_t i = maildir_count(f->inbox); i-- > 1;)
			assert_int_equal(maildir_remove(f->inbox, uid_at(f->inbox, i)), 0);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_false(exists(f, "dovecot-uidlist.lock"));
	}
}

/* Killed anywhere: each message is whole or not there. */
static void
test_req37_killed_anywhere(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;
	size_t count;
	int status;

	put(f, "cur/1.a:2,", "one\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	validity = maildir_uidvalidity(f->inbox);
	for (int at = 1; at < 100; at++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct maildir_delivery *d;
			const uint32_t *uids;

			fixture_reopen(f);
			kill_at = at;
			if (maildir_sync(f->inbox) < 0 ||
			    maildir_delivery_begin(f->inbox, &d) < 0 ||
			    add(d, "Subject: a\r\n\r\n", 14, 7, 0) < 0 ||
			    add(d, "Subject: b\r\n\r\n", 14, 7, 0) < 0 ||
			    maildir_delivery_commit(d, &validity, &uids) < 0)
				_exit(1);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fixture_reopen(f);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_uidvalidity(f->inbox), validity);
		count = maildir_count(f->inbox);
		for (size_t i = count; i-- > 1;) {
			char *line = first_line(f, i);

			assert_message(
			    f, i, line[9] == 'a' ? "Subject: a\r\n\r\n" : "Subject: b\r\n\r\n");
			free(line);
			assert_int_equal(maildir_remove(f->inbox, uid_at(f->inbox, i)), 0);
		}
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			assert_int_equal(count, 3);
			return;
		}
	}
	fail();
}

/* Both number new mail at once: no UID is given twice, and each set is in order. */
static void
deliveries_side_by_side(void **state)
{
	enum { SETS = 30 };
	struct fixture *f = *state;
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity, last = 0;
	int status, failures = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	fixture_reopen(f);
	for (int i = 0; i < SETS; i++) {
		if (maildir_delivery_begin(f->inbox, &d) < 0 || add(d, "a\r\n", 3, 9, 0) < 0 ||
		    add(d, "b\r\n", 3, 9, MAILDIR_SEEN) < 0 ||
		    maildir_delivery_commit(d, &validity, &uids) < 0 || uids[0] <= last ||
		    uids[1] != uids[0] + 1) {
			failures++;
			break;
		}
		last = uids[1];
		maildir_delivery_end(&d);
	}
	if (pid == 0)
		_exit(failures);
	assert_int_equal(failures, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), SETS * 4);
	assert_int_equal(maildir_uidnext(f->inbox), SETS * 4 + 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(append_one),
	    WITH(line_ends),
	    WITH(uids_in_order),
	    WITH(nothing_stays_of_what_ended),
	    WITH(copy_by_link),
	    WITH(copy_without_links),
	    WITH(copy_within),
	    WITH(links_at_the_end),
	    WITH(test_req34_req37_every_call_fails),
	    WITH(test_req37_killed_anywhere),
	    WITH(deliveries_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
