/*
 * test_maildir_tree.c: folders deleted and renamed, subscriptions, special uses.
 *
 * This program's own renameat2, renameat and linkat stand before libc's, to fail or to die in.
 */
#include "maildir_fixture.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "maildir/folder/deliver.h"
#include "maildir/tree/tree.h"

static int rename_fails_at, renames; /* the n-th rename gives EIO */
static int link_fails;		     /* errno of linkat */
static int kill_at;		     /* the n-th rename or removal kills */
static int removals;

static int
rename_next(void)
{
	renames++;
	if (kill_at != 0 && renames + removals == kill_at)
		raise(SIGKILL);
	if (renames != rename_fails_at)
		return 0;
	errno = EIO;
	return -1;
}

int
renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	static int (*real)(int, const char *, int, const char *, unsigned);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "renameat2");
	return rename_next() < 0 ? -1 : real(from, old, to, new, flags);
}

int
unlinkat(int dir, const char *name, int flags)
{
	static int (*real)(int, const char *, int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "unlinkat");
	removals++;
	if (kill_at != 0 && renames + removals == kill_at)
		raise(SIGKILL);
	return real(dir, name, flags);
}

int
linkat(int from, const char *old, int to, const char *new, int flags)
{
	static int (*real)(int, const char *, int, const char *, int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "linkat");
	if (link_fails != 0) {
		errno = link_fails;
		return -1;
	}
	return real(from, old, to, new, flags);
}

static int
setup(void **state)
{
	rename_fails_at = renames = link_fails = kill_at = removals = 0;
	return fixture_setup(state);
}

#undef WITH
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

/* --- helpers --- */

struct names {
	char text[4000];
	unsigned stop_after;
};

static bool
collect(void *ctx, const char *name)
{
	struct names *names = ctx;
	size_t len = strlen(names->text);

	snprintf(names->text + len, sizeof(names->text) - len, "%s\n", name);
	return names->stop_after == 0 || --names->stop_after > 0;
}

static bool
collect_use(void *ctx, const char *use, const char *name)
{
	char line[600];

	snprintf(line, sizeof(line), "%s %s", use, name);
	return collect(ctx, line);
}

static void
assert_folders(struct fixture *f, const char *expected)
{
	struct names names = {0};

	assert_int_equal(maildir_folders(f->md, collect, &names), 0);
	assert_string_equal(names.text, expected);
}

static void
assert_subscriptions(struct fixture *f, const char *expected)
{
	struct names names = {0};

	assert_int_equal(maildir_subscriptions(f->md, collect, &names), 0);
	assert_string_equal(names.text, expected);
}

static void
assert_uses(struct fixture *f, const char *expected)
{
	struct names names = {0};

	assert_int_equal(maildir_special_uses(f->md, collect_use, &names), 0);
	assert_string_equal(names.text, expected);
}

static void
assert_file(struct fixture *f, const char *name, const char *expected)
{
	char *text = get(f, name);

	assert_string_equal(text, expected);
	free(text);
}

static void
assert_refused(int r, int error)
{
	assert_int_equal(errno, error);
	assert_int_equal(r, -1);
}

static void
make_folders(struct fixture *f, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(maildir_folder_create(f->md, names[i]), 0);
}
#define MAKE(f, ...)                                                                               \
	make_folders(f, (const char *const[]){__VA_ARGS__},                                        \
	    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static uint32_t
validity_of(struct fixture *f, const char *name)
{
	struct maildir_folder *folder;
	uint32_t validity;

	assert_int_equal(maildir_folder_open(f->md, name, &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	validity = maildir_uidvalidity(folder);
	maildir_folder_close(&folder);
	return validity;
}

/* How many names in the Maildir begin so. */
static size_t
count_names(struct fixture *f, const char *prefix)
{
	DIR *dir = opendir(f->path);
	struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return count;
}

/* --- existence, deletion --- */

static void
folder_exists(void **state)
{
	struct fixture *f = *state;

	MAKE(f, "a", "a/b");
	assert_true(maildir_folder_exists(f->md, "INBOX"));
	assert_true(maildir_folder_exists(f->md, "inbox"));
	assert_true(maildir_folder_exists(f->md, "a/b"));
	assert_false(maildir_folder_exists(f->md, "b"));
	assert_int_equal(errno, ENOENT);
	assert_false(maildir_folder_exists(f->md, "../a"));
	assert_int_equal(errno, EINVAL);
}

static void
delete_folder(void **state)
{
	struct fixture *f = *state;

	MAKE(f, "a", "a/b", "ab");
	put(f, ".a/cur/1.a:2,S", "a\n");
	put(f, ".a/new/2.b", "b\n");
	put(f, ".a/tmp/3.c", "c\n");
	put(f, "cur/9.keep:2,", "k\n");
	/* What is not ours goes with it, but links are not followed. */
	assert_int_equal(mkdirat(f->fd, ".a/courierimapkeywords", 0700), 0);
	put(f, ".a/courierimapkeywords/:list", "x");
	assert_int_equal(symlinkat("../cur", f->fd, ".a/link"), 0);
	assert_int_equal(symlinkat("../../cur/9.keep:2,", f->fd, ".a/cur/8.x:2,"), 0);
	assert_int_equal(maildir_folder_delete(f->md, "a"), 0);
	assert_folders(f, "INBOX\na/b\nab\n");
	assert_false(exists(f, ".a"));
	maildir_clear_deleted(f->md);
	assert_int_equal(count_names(f, "sallyport.deleted"), 0);
	assert_true(exists(f, "cur/9.keep:2,"));
	assert_refused(maildir_folder_delete(f->md, "a"), ENOENT);
	assert_refused(maildir_folder_delete(f->md, "INBOX"), EINVAL);
	assert_refused(maildir_folder_delete(f->md, "inbox"), EINVAL);
	assert_refused(maildir_folder_delete(f->md, "a/../b"), EINVAL);
	assert_int_equal(symlinkat(".ab", f->fd, ".l"), 0);
	assert_refused(maildir_folder_delete(f->md, "l"), ENOENT);
	assert_true(maildir_folder_exists(f->md, "ab"));
}

/* Too deep for us: it is no folder any more all the same. */
static void
delete_what_is_deep(void **state)
{
	struct fixture *f = *state;
	char name[200] = ".a";

	MAKE(f, "a", "b");
	for (int i = 0; i < 20; i++) {
		strcat(name, "/d");
		assert_int_equal(mkdirat(f->fd, name, 0700), 0);
	}
	assert_int_equal(maildir_folder_delete(f->md, "a"), 0);
	maildir_clear_deleted(f->md);
	assert_folders(f, "INBOX\nb\n");
	assert_int_equal(count_names(f, "sallyport.deleted"), 1);
}

/* A session that has it open finds out, and loses only that. */
static void
delete_under_a_session(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;

	MAKE(f, "a");
	put(f, ".a/cur/1.a:2,", "a\n");
	assert_int_equal(maildir_folder_open(f->md, "a", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	assert_int_equal(maildir_folder_delete(f->md, "a"), 0);
	assert_refused(maildir_sync(folder), ENOENT);
	assert_refused(change_flags(folder, uid_at(folder, 0), MAILDIR_SEEN, 0, 0, 0), ENOENT);
	maildir_folder_close(&folder);
}

/* A delivery that began before is not lost with it: nobody is told that it was stored. */
static void
mend23_delete_under_a_delivery(void **state)
{
	const struct maildir_label label = {0};
	struct fixture *f = *state;
	struct maildir_folder *folder;
	struct maildir_delivery *d;
	const uint32_t *uids;
	uint32_t validity;

	MAKE(f, "a");
	assert_int_equal(maildir_folder_open(f->md, "a", &folder), 0);
	assert_int_equal(maildir_delivery_begin(folder, &d), 0);
	assert_int_equal(maildir_delivery_message(d, &label), 0);
	assert_int_equal(maildir_delivery_write(d, "x\n", 2), 0);
	assert_int_equal(maildir_folder_delete(f->md, "a"), 0);
	assert_refused(maildir_delivery_commit(d, &validity, &uids), ENOENT);
	maildir_delivery_end(&d);
	maildir_folder_close(&folder);
}

static void
test_req35_made_again(void **state)
{
	struct fixture *f = *state;
	uint32_t before = 0, now;

	for (int i = 0; i < 5; i++) {
		MAKE(f, "a");
		now = validity_of(f, "a");
		assert_true(now > before);
		before = now;
		assert_int_equal(maildir_folder_delete(f->md, "a"), 0);
	}
	/* One that came with a uidlist from elsewhere, far in the future. */
	MAKE(f, "a");
	put(f, ".a/dovecot-uidlist", "3 V4000000000 N5 Gf2606f033216016bfa33000083ecc375\n");
	assert_int_equal(validity_of(f, "a"), 4000000000);
	assert_int_equal(maildir_folder_delete(f->md, "a"), 0);
	MAKE(f, "a");
	assert_true(validity_of(f, "a") > 4000000000);
}

/* Killed at any call: the folder is there whole or gone, and the next delete sweeps. */
static void
delete_killed_anywhere(void **state)
{
	struct fixture *f = *state;

	MAKE(f, "b");
	for (int at = 1;; at++) {
		int status, r;
		pid_t pid;

		if (!maildir_folder_exists(f->md, "a"))
			MAKE(f, "a");
		for (int i = 0; i < 3; i++) {
			char name[40];

			snprintf(name, sizeof(name), ".a/cur/%d.a:2,", i + 1);
			put(f, name, "a\n");
		}
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			fixture_reopen(f);
			renames = removals = 0;
			kill_at = at;
			r = maildir_folder_delete(f->md, "a");
			maildir_clear_deleted(f->md);
			_exit(r == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(at < 100);
		if (maildir_folder_exists(f->md, "a")) {
			for (int i = 0; i < 3; i++) {
				char name[40];

				snprintf(name, sizeof(name), ".a/cur/%d.a:2,", i + 1);
				assert_true(exists(f, name));
			}
		}
		assert_true(maildir_folder_exists(f->md, "b"));
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			assert_int_equal(count_names(f, "sallyport.deleted"), 0);
			return;
		}
	}
}

/* --- renaming --- */

static void
rename_folders(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;

	MAKE(f, "a", "a/b", "a/b/c", "ab", "a b");
	put(f, ".a.b/new/1.x", "x\n");
	validity = validity_of(f, "a/b");
	assert_int_equal(maildir_folder_rename(f->md, "a", "z/y"), 0);
	assert_folders(f, "INBOX\na b\nab\nz/y\nz/y/b\nz/y/b/c\n");
	assert_true(exists(f, ".z.y.b/cur/1.x:2,"));
	assert_int_equal(validity_of(f, "z/y/b"), validity);
	/* Back, a part; then one that has only others below it. */
	assert_int_equal(maildir_folder_rename(f->md, "z/y/b", "b"), 0);
	assert_folders(f, "INBOX\na b\nab\nb\nb/c\nz/y\n");
	assert_int_equal(maildir_folder_rename(f->md, "z", "INBOX/z"), 0);
	assert_folders(f, "INBOX\nINBOX/z/y\na b\nab\nb\nb/c\n");
}

static void
rename_refused(void **state)
{
	char longest[201], name[450];
	struct fixture *f = *state;
	const char *all = "INBOX\na\na/b\na/b/c\nd\nd/b\n";

	MAKE(f, "a", "a/b", "a/b/c", "d", "d/b");
	assert_refused(maildir_folder_rename(f->md, "a", "d"), EEXIST);
	assert_refused(maildir_folder_rename(f->md, "a", "a"), EEXIST);
	assert_refused(maildir_folder_rename(f->md, "a", "inbox"), EEXIST);
	assert_refused(maildir_folder_rename(f->md, "INBOX", "a"), EEXIST);
	assert_refused(maildir_folder_rename(f->md, "INBOX", "INBOX"), EEXIST);
	assert_refused(maildir_folder_rename(f->md, "x", "y"), ENOENT);
	assert_refused(maildir_folder_rename(f->md, "a", "a/x"), EINVAL);
	assert_refused(maildir_folder_rename(f->md, "a", "x//y"), EINVAL);
	assert_refused(maildir_folder_rename(f->md, "..", "x"), EINVAL);
	/* A name below would be too long, a name below is taken. */
	memset(longest, 'l', 200);
	longest[200] = '\0';
	snprintf(name, sizeof(name), "%s/%.50s", longest, longest);
	assert_refused(maildir_folder_rename(f->md, "a", name), EINVAL);
	assert_int_equal(mkdirat(f->fd, ".x.b.c", 0700), 0);
	assert_refused(maildir_folder_rename(f->md, "a", "x"), EEXIST);
	assert_folders(f, all);
	/* The disk fails in the middle: all have their old names. */
	for (int at = 1; at <= 3; at++) {
		renames = 0;
		rename_fails_at = at;
		assert_refused(maildir_folder_rename(f->md, "a", "y"), EIO);
		assert_folders(f, all);
	}
}

/* RFC 3501 section 6.3.5. */
static void
rename_inbox(void **state)
{
	static const int links[] = {0, EXDEV};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(links); i++) {
		const char *to = i == 0 ? "Old" : "Older";
		struct fixture sub = *f;
		int letter;

		link_fails = links[i];
		assert_int_equal(maildir_sync(f->inbox), 0);
		put(f, "cur/1.a:2,Sb", "one\n");
		put(f, "cur/2.b:2,z", "two\n");
		put(f, "new/3.c", "three\n");
		put(f, "dovecot-keywords", "0 first\n1 second\n");
		if (i == 0)
			MAKE(f, "INBOX/sub");
		assert_int_equal(maildir_folder_rename(f->md, "inbox", to), 0);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_count(f->inbox), 0);
		assert_true(maildir_folder_exists(f->md, "INBOX/sub"));
		assert_int_equal(maildir_folder_open(f->md, to, &sub.inbox), 0);
		assert_int_equal(maildir_sync(sub.inbox), 0);
		assert_int_equal(maildir_count(sub.inbox), 3);
		assert_line(&sub, 1, "one");
		assert_line(&sub, 2, "two");
		assert_line(&sub, 3, "three");
		assert_int_equal(message_at(sub.inbox, 0).flags, MAILDIR_SEEN);
		letter = maildir_keyword_make(sub.inbox, "second");
		assert_int_equal(message_at(sub.inbox, 0).keywords, 1u << letter);
		assert_int_equal(message_at(sub.inbox, 1).keywords, 0);
		maildir_folder_close(&sub.inbox);
	}
}

/* The messages cannot be copied: INBOX is as it was, and no folder stays. */
static void
rename_inbox_fails(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.a:2,S", "one\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	link_fails = EIO;
	assert_refused(maildir_folder_rename(f->md, "INBOX", "Old"), EIO);
	assert_folders(f, "INBOX\n");
	assert_int_equal(count_names(f, "sallyport.deleted"), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_line(f, 1, "one");
}

/* Two processes rename the same folder to and fro: it is always there, once. */
static void
renames_side_by_side(void **state)
{
	struct fixture *f = *state;
	struct names names = {0};
	int status, failures = 0;
	pid_t pid;

	MAKE(f, "a", "a/b", "a/c");
	pid = fork();
	assert_true(pid >= 0);
	fixture_reopen(f);
	for (int i = 0; i < 200; i++) {
		if (maildir_folder_rename(f->md, i % 2 ? "a" : "z", i % 2 ? "z" : "a") < 0 &&
		    errno != ENOENT && errno != EEXIST)
			failures++;
	}
	if (pid == 0)
		_exit(failures);
	assert_int_equal(failures, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(maildir_folders(f->md, collect, &names), 0);
	if (strcmp(names.text, "INBOX\na\na/b\na/c\n") != 0)
		assert_string_equal(names.text, "INBOX\nz\nz/b\nz/c\n");
}

/* --- subscriptions --- */

static void
subscribe_anew(void **state)
{
	struct fixture *f = *state;

	assert_subscriptions(f, "");
	assert_int_equal(maildir_subscribe(f->md, "Sub/Folder", true), 0);
	assert_int_equal(maildir_subscribe(f->md, "a b", true), 0);
	assert_int_equal(maildir_subscribe(f->md, "inbox", true), 0);
	assert_int_equal(maildir_subscribe(f->md, "a b", true), 0);
	assert_subscriptions(f, "Sub/Folder\na b\nINBOX\n");
	/* As Dovecot 2.3 writes it. */
	assert_file(f, "subscriptions", "V\t2\n\nSub\tFolder\na b\nINBOX\n");
	assert_int_equal(maildir_subscribe(f->md, "Sub/Folder", false), 0);
	assert_int_equal(maildir_subscribe(f->md, "never", false), 0);
	assert_file(f, "subscriptions", "V\t2\n\na b\nINBOX\n");
	assert_refused(maildir_subscribe(f->md, "a.b", true), EINVAL);
	assert_refused(maildir_subscribe(f->md, "a\nb", true), EINVAL);
	assert_false(exists(f, "subscriptions.lock"));
}

static void
subscriptions_of_others(void **state)
{
	static const struct {
		const char *text, *names; /* what is read */
		const char *after;	  /* and the file with x/y and without a/b */
	} rows[] = {
	    {"", "", "V\t2\n\nx\ty\n"},
	    {"V\t2\n", "", "V\t2\nx\ty\n"},
	    {"V\t2\n\na\tb\nc", "a/b\nc\n", "V\t2\n\nc\nx\ty\n"},
	    {"V\t2\n\nbad\t\tname\n#\001t\nq\n", "q\n", "V\t2\n\nbad\t\tname\n#\001t\nq\nx\ty\n"},
	    {"a.b\nc\n", "a/b\nc\n", "c\nx.y\n"},
	    {"a/b\nc/d\n", "a/b\nc/d\n", "c/d\nx/y\n"},
	    {"c\na/b\na.b\n", "c\na/b\na/b\n", "c\nx.y\n"},
	    {"c", "c\n", "c\nx.y\n"},
	    {"\n..\na..b\nInBoX\nV\t2\n", "INBOX\n", "\n..\na..b\nInBoX\nV\t2\nx.y\n"},
	    {"x.y\n", "x/y\n", "x.y\n"},
	};
	struct fixture *f = *state;
	struct names names = {.stop_after = 1};

	for (size_t i = 0; i < COUNT(rows); i++) {
		put(f, "subscriptions", rows[i].text);
		assert_subscriptions(f, rows[i].names);
		assert_int_equal(maildir_subscribe(f->md, "a/b", false), 0);
		assert_int_equal(maildir_subscribe(f->md, "x/y", true), 0);
		assert_file(f, "subscriptions", rows[i].after);
	}
	put(f, "subscriptions", "a\nb\n");
	assert_int_equal(maildir_subscriptions(f->md, collect, &names), 0);
	assert_string_equal(names.text, "a\n");
}

/* Any file at all, also cut anywhere, is read; and what cannot be read is told. */
static void
subscriptions_odd(void **state)
{
	static const char text[] = "V\t2\n\na\tb\n\001x\tc\nINBOX\n";
	struct fixture *f = *state;
	struct names names;

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		put_bytes(f, "subscriptions", text, cut);
		memset(&names, 0, sizeof(names));
		assert_int_equal(maildir_subscriptions(f->md, collect, &names), 0);
		assert_int_equal(maildir_subscribe(f->md, "new", true), 0);
		memset(&names, 0, sizeof(names));
		assert_int_equal(maildir_subscriptions(f->md, collect, &names), 0);
		assert_non_null(strstr(names.text, "new\n"));
	}
	put(f, "subscriptions", "");
	{
		int fd = openat(f->fd, "subscriptions", O_WRONLY | O_CLOEXEC);

		assert_int_equal(ftruncate(fd, 2 * 1024 * 1024), 0);
		close(fd);
	}
	assert_refused(maildir_subscriptions(f->md, collect, &names), EIO);
	unlinkat(f->fd, "subscriptions", 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "subscriptions"), 0);
	assert_refused(maildir_subscriptions(f->md, collect, &names), EIO);
	assert_refused(maildir_subscribe(f->md, "a", true), EIO);
	unlinkat(f->fd, "subscriptions", 0);
	/* A client that subscribes to all there could ever be. */
	for (unsigned i = 0;; i++) {
		char name[220];

		if (i == 0) {
			char *fill = calloc(1, 1024 * 1024);

			for (size_t at = 0; at < 1024 * 1024 - 100; at++)
				fill[at] = at % 100 == 99 ? '\n' : 'x';
			put(f, "subscriptions", fill);
			free(fill);
		}
		snprintf(name, sizeof(name), "%0190u", i);
		if (maildir_subscribe(f->md, name, true) < 0)
			break;
		assert_true(i < 10);
	}
	assert_int_equal(errno, ENOSPC);
}

/* A lock of Dovecot's is waited for, that of a dead process of ours is not. */
static void
test_req36_subscriptions_lock(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	put(f, "subscriptions.lock", "99999999:test.host");
	assert_int_equal(maildir_subscribe(f->md, "a", true), 0);
	assert_int_equal(f->notices, 1);
	put(f, "subscriptions.lock", "");
	pid = fork();
	if (pid == 0) {
		nanosleep(&(struct timespec){0, 200000000}, NULL);
		/* Dovecot's: the lock file is the new file. */
		put(f, "subscriptions.lock", "V\t2\n\ntheirs\n");
		rename_file(f, "subscriptions.lock", "subscriptions");
		_exit(0);
	}
	assert_int_equal(maildir_subscribe(f->md, "b", true), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_subscriptions(f, "theirs\nb\n");
}

static void
subscribe_side_by_side(void **state)
{
	enum { EACH = 50 };
	struct fixture *f = *state;
	struct names names = {0};
	size_t lines = 0;
	int status, failures = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	fixture_reopen(f);
	for (int i = 0; i < EACH; i++) {
		char name[20];

		snprintf(name, sizeof(name), "%s%d", pid == 0 ? "x" : "y", i);
		failures += maildir_subscribe(f->md, name, true) < 0;
	}
	if (pid == 0)
		_exit(failures);
	assert_int_equal(failures, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(maildir_subscriptions(f->md, collect, &names), 0);
	for (const char *p = names.text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2 * EACH);
}

/* --- special uses --- */

static void
special_uses(void **state)
{
	struct fixture *f = *state;

	assert_uses(f, "");
	MAKE(f, "Sent", "Sent/2020", "Sent mail", "Trash");
	assert_int_equal(maildir_special_use_set(f->md, "\\Sent", "Sent"), 0);
	assert_int_equal(maildir_special_use_set(f->md, "\\Archive", "Sent/2020"), 0);
	assert_int_equal(maildir_special_use_set(f->md, "\\Drafts", "Sent mail"), 0);
	assert_int_equal(maildir_special_use_set(f->md, "\\Trash", "Trash"), 0);
	assert_int_equal(maildir_special_use_set(f->md, "\\Junk", "Trash"), 0);
	assert_int_equal(maildir_special_use_set(f->md, "\\Trash", "Trash"), 0);
	assert_uses(f, "\\Sent Sent\n\\Archive Sent/2020\n\\Drafts Sent mail\n\\Trash Trash\n"
		       "\\Junk Trash\n");
	assert_int_equal(maildir_folder_rename(f->md, "Sent", "Old/Sent"), 0);
	assert_uses(f, "\\Sent Old/Sent\n\\Archive Old/Sent/2020\n\\Drafts Sent mail\n"
		       "\\Trash Trash\n\\Junk Trash\n");
	assert_int_equal(maildir_folder_delete(f->md, "Trash"), 0);
	assert_int_equal(maildir_folder_delete(f->md, "Old/Sent"), 0);
	assert_uses(f, "\\Archive Old/Sent/2020\n\\Drafts Sent mail\n");
	assert_file(f, "sallyport.special-use", "\\Archive Old/Sent/2020\n\\Drafts Sent mail\n");
	assert_refused(maildir_special_use_set(f->md, "Sent", "x"), EINVAL);
	assert_refused(maildir_special_use_set(f->md, "\\", "x"), EINVAL);
	assert_refused(maildir_special_use_set(f->md, "\\A b", "x"), EINVAL);
	assert_refused(maildir_special_use_set(f->md, "\\A", "../x"), EINVAL);
}

static void
special_uses_odd(void **state)
{
	static const char text[] = "\\Sent a\n\\Sent\nSent b\n\\ b\n\\Sent ..\n\n \n\\Junk b c\n"
				   "\\Looooooooooooooooooooooooooooooooooooooong x\n\\Trash d";
	struct fixture *f = *state;
	struct names names = {0};

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		put_bytes(f, "sallyport.special-use", text, cut);
		memset(&names, 0, sizeof(names));
		assert_int_equal(maildir_special_uses(f->md, collect_use, &names), 0);
	}
	put(f, "sallyport.special-use", text);
	assert_uses(f, "\\Sent a\n\\Junk b c\n");
	assert_int_equal(maildir_special_use_set(f->md, "\\All", "x"), 0);
	assert_file(f, "sallyport.special-use", "\\Sent a\n\\Junk b c\n\\All x\n");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(folder_exists),
	    WITH(delete_folder),
	    WITH(delete_what_is_deep),
	    WITH(delete_under_a_session),
	    WITH(mend23_delete_under_a_delivery),
	    WITH(test_req35_made_again),
	    WITH(delete_killed_anywhere),
	    WITH(rename_folders),
	    WITH(rename_refused),
	    WITH(rename_inbox),
	    WITH(rename_inbox_fails),
	    WITH(renames_side_by_side),
	    WITH(subscribe_anew),
	    WITH(subscriptions_of_others),
	    WITH(subscriptions_odd),
	    WITH(test_req36_subscriptions_lock),
	    WITH(subscribe_side_by_side),
	    WITH(special_uses),
	    WITH(special_uses_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
