/*
 * test_maildir_watch.c: what wakes a session that idles, and what does not.
 */
#include "maildir_fixture.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "maildir/base/clock.h"
#include "maildir/folder/deliver.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/watch.h"
#include "maildir/index/index.h"

enum { MANY = 300, ROUNDS = 600 };

/* --- names that are read from directories --- */

static unsigned names_read;

/* In place of libc's, so that the library's calls are counted. */
struct dirent *
readdir(DIR *dir)
{
	static struct dirent *(*next)(DIR *);
	struct dirent *entry;

	if (next == NULL) {
		/* As it is called with large files, or on systems that know no others. */
		*(void **)&next = dlsym(RTLD_NEXT, "readdir64");
		if (next == NULL)
			*(void **)&next = dlsym(RTLD_NEXT, "readdir");
	}
	entry = next(dir);
	names_read += entry != NULL;
	return entry;
}

static struct maildir_watch *
watch(struct maildir_folder *folder)
{
	struct maildir_watch *watch = NULL;

	assert_int_equal(maildir_watch_open(folder, &watch), 0);
	assert_true(maildir_watch_fd(watch) >= 0);
	assert_false(maildir_watch_take(watch));
	return watch;
}

/* There was a change, and no more is there to read. */
static void
assert_change(struct maildir_watch *watch, bool expected)
{
	struct pollfd pollfd = {.fd = maildir_watch_fd(watch), .events = POLLIN};

	if (expected)
		assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_int_equal(maildir_watch_take(watch), expected);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
}

static void
what_others_do(void **state)
{
	struct fixture *f = *state;
	struct maildir_watch *w;

	put(f, "cur/1.a:2,", "a\n");
	put(f, "tmp/2.b", "b\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	w = watch(f->inbox);
	assert_change(w, false);
	put(f, "tmp/3.c", "c\n");
	assert_change(w, false);
	rename_file(f, "tmp/2.b", "new/2.b");
	assert_change(w, true);
	assert_int_equal(linkat(f->fd, "tmp/3.c", f->fd, "new/3.c", 0), 0);
	assert_change(w, true);
	rename_file(f, "cur/1.a:2,", "cur/1.a:2,S");
	assert_change(w, true);
	unlinkat(f->fd, "cur/1.a:2,S", 0);
	assert_change(w, true);
	put(f, "dovecot-keywords", "0 word\n");
	assert_change(w, true);
	put(f, "subscriptions", "x\n");
	(void)maildir_folder_create(f->md, "Sub");
	assert_change(w, false);
	maildir_watch_close(&w);
	maildir_watch_close(&w);
	assert_null(w);
}

/* What our own sessions do; and a look at a folder is no change to it. */
static void
what_sessions_do(void **state)
{
	const struct maildir_label label = {0};
	struct fixture *f = *state;
	struct maildir_folder *other;
	struct maildir_delivery *d;
	struct maildir_watch *w;
	const uint32_t *uids;
	uint32_t validity;

	put(f, "cur/1.a:2,", "a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	w = watch(f->inbox);
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &other), 0);
	assert_int_equal(maildir_sync(other), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_change(w, false);
	assert_int_equal(maildir_claim_recent(other, &validity), 0);
	assert_change(w, false);
	assert_int_equal(change_flags(other, uid_at(other, 0), MAILDIR_SEEN, 0, 0, 0), 0);
	assert_change(w, true);
	assert_int_equal(maildir_keyword_make(other, "word"), 0);
	assert_change(w, true);
	assert_int_equal(maildir_delivery_begin(other, &d), 0);
	assert_int_equal(maildir_delivery_message(d, &label), 0);
	assert_int_equal(maildir_delivery_write(d, "x", 1), 0);
	assert_change(w, false);
	assert_int_equal(maildir_delivery_commit(d, &validity, &uids), 0);
	assert_change(w, true);
	maildir_delivery_end(&d);
	assert_int_equal(maildir_remove(other, uid_at(other, 0)), 0);
	assert_change(w, true);
	maildir_folder_close(&other);
	maildir_watch_close(&w);
}

/* More than the kernel keeps is a change as well, and is all taken. */
static void
more_than_is_kept(void **state)
{
	struct fixture *f = *state;
	struct maildir_watch *w = watch(f->inbox);
	struct pollfd pollfd = {.fd = maildir_watch_fd(w), .events = POLLIN};

	for (int i = 0; i < 20000; i++) {
		char name[40];

		snprintf(name, sizeof(name), "cur/%d.a:2,", i % 10);
		if (i % 20 < 10)
			put(f, name, "");
		else
			unlinkat(f->fd, name, 0);
	}
	assert_true(maildir_watch_take(w));
	for (int i = 0; i < 1000 && poll(&pollfd, 1, 0) > 0; i++)
		(void)maildir_watch_take(w);
	assert_change(w, false);
	maildir_watch_close(&w);
}

static void
folders_and_none(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;
	struct maildir_watch *w, *inbox = watch(f->inbox);
	struct rlimit old, none;

	assert_int_equal(maildir_folder_create(f->md, "Sub/Folder"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub/Folder", &folder), 0);
	w = watch(folder);
	put(f, ".Sub.Folder/new/1.a", "a\n");
	assert_change(w, true);
	assert_change(inbox, false);
	/* It is renamed, with those who watch it. */
	rename_file(f, ".Sub.Folder", ".Other");
	assert_change(w, true);
	put(f, ".Other/new/2.b", "a\n");
	assert_change(w, true);
	maildir_watch_close(&w);
	/* The path is another's now, or nobody's. */
	assert_int_equal(maildir_watch_open(folder, &w), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildir_folder_create(f->md, "Sub/Folder"), 0);
	assert_int_equal(maildir_watch_open(folder, &w), -1);
	assert_int_equal(errno, ENOENT);
	/* The instance is good for another folder. */
	assert_int_equal(maildir_watch_open(f->inbox, &w), 0);
	put(f, "new/3.c", "a\n");
	assert_change(w, true);
	maildir_watch_close(&w);
	maildir_folder_close(&folder);
	/* No descriptors left. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(maildir_watch_open(f->inbox, &w), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	maildir_watch_close(&inbox);
}

/* From one IDLE to the next, of this folder or another, the instance stays: to close it takes long. */
static void
mend23_one_instance_serves_all(void **state)
{
	struct fixture *f = *state;
	struct maildir_watch *w = watch(f->inbox);
	struct maildir_folder *folder;
	int fd = maildir_watch_fd(w);

	put(f, "new/1.a", "a\n");
	maildir_watch_pause(w);
	put(f, "new/2.b", "a\n");
	maildir_watch_pause(w);
	assert_int_equal(maildir_watch_open(f->inbox, &w), 0);
	assert_int_equal(maildir_watch_fd(w), fd);
	assert_change(w, false); /* what was before is for the look that follows */
	put(f, "new/3.c", "a\n");
	assert_change(w, true);
	put(f, "dovecot-keywords", "0 word\n");
	assert_change(w, true);
	put(f, "subscriptions", "x\n");
	assert_change(w, false);
	maildir_watch_pause(w);
	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &folder), 0);
	assert_int_equal(maildir_watch_open(folder, &w), 0);
	assert_int_equal(maildir_watch_fd(w), fd);
	put(f, "new/4.d", "a\n");
	assert_change(w, false);
	put(f, ".Sub/new/1.a", "a\n");
	assert_change(w, true);
	maildir_folder_close(&folder);
	maildir_watch_close(&w);
}

/* --- names that a watch knows --- */

static void
fill(struct fixture *f, unsigned count)
{
	char name[60];

	for (unsigned i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "cur/%u.m.h:2,", 100000 + i);
		put(f, name, "m\n");
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), count);
}

/* As a session that idles: until there is nothing to look at any more. */
static void
settle(struct maildir_folder *folder, struct maildir_watch *w)
{
	int again;

	for (int tries = 0; tries < 20; tries++) {
		if (w != NULL)
			(void)maildir_watch_take(w);
		assert_int_equal(maildir_sync(folder), 0);
		again = maildir_look_again(folder);
		if (again < 0)
			return;
		mdclock_sleep_ms((unsigned)again);
	}
	fail();
}

/* The list is what lies in cur/, and new/ is empty. */
static void
assert_is_cur(struct fixture *f, struct maildir_folder *folder)
{
	struct maildir_message message;
	struct index_message stored;
	DIR *dir;
	size_t files = 0;

	for (size_t i = 0; i < maildir_count(folder); i++) {
		char name[sizeof(stored.strings) + 8];

		assert_true(maildir_message(folder, i, &message));
		assert_true(index_message(folder->index, message.uid, &stored));
		snprintf(name, sizeof(name), "cur/%s", index_name(&stored));
		if (!exists(f, name))
			print_error("%s is not there\n", name);
		assert_true(exists(f, name));
	}
	dir = fdopendir(openat(f->fd, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		files += entry->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(maildir_count(folder), files);
}

/* A delivery beside a session that idles: no session reads the names of cur/, then or later. */
static void
delivery_reads_no_cur(void **state)
{
	struct fixture *f = *state, other = *f;
	struct maildir_watch *w;

	fill(f, MANY);
	settle(f->inbox, NULL);
	w = watch(f->inbox);
	settle(f->inbox, w);
	names_read = 0;
	put(f, "tmp/200001.new", "n\n");
	rename_file(f, "tmp/200001.new", "new/200001.new");
	settle(f->inbox, w);
	assert_int_equal(maildir_count(f->inbox), MANY + 1);
	assert_int_equal(index_state(f->inbox->index)->own_since, 0);
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_int_equal(maildir_count(other.inbox), MANY + 1);
	/* One in new/, and the two that are in every directory, a few times. */
	assert_true(names_read < 30);
	/* The other's own changes are seen as well. */
	assert_int_equal(change_flags(other.inbox, 1, MAILDIR_SEEN, 0, 0, 0), 0);
	settle(f->inbox, w);
	settle(other.inbox, NULL);
	assert_true(names_read < 60);
	assert_is_cur(f, f->inbox);
	fixture_close(&other);
	maildir_watch_close(&w);
}

/* What other programs change is looked at by name; what names do not tell, in the directory. */
static void
names_of_others(void **state)
{
	struct fixture *f = *state;
	struct maildir_message message;
	struct maildir_watch *w;
	char from[60], to[60];

	fill(f, MANY);
	settle(f->inbox, NULL);
	w = watch(f->inbox);
	settle(f->inbox, w);
	names_read = 0;
	rename_file(f, "cur/100007.m.h:2,", "cur/100007.m.h:2,S");
	rename_file(f, "cur/100007.m.h:2,S", "cur/100007.m.h:2,FS");
	put(f, "cur/200002.fresh:2,", "n\n");
	put(f, "cur/200003.gone:2,", "n\n");
	unlinkat(f->fd, "cur/200003.gone:2,", 0);
	settle(f->inbox, w);
	assert_true(names_read < 30);
	assert_int_equal(maildir_count(f->inbox), MANY + 1);
	assert_true(maildir_lookup(f->inbox, 7, &message));
	assert_int_equal(message.flags, MAILDIR_SEEN | MAILDIR_FLAGGED);
	assert_is_cur(f, f->inbox);
	/* A message is gone: that needs two looks. */
	unlinkat(f->fd, "cur/100008.m.h:2,", 0);
	settle(f->inbox, w);
	assert_true(names_read > MANY);
	assert_false(maildir_lookup(f->inbox, 8, &message));
	/* A second name, and a second message of one base name. */
	assert_int_equal(linkat(f->fd, "cur/100009.m.h:2,", f->fd, "cur/100009.m.h:2,S", 0), 0);
	put(f, "cur/100010.m.h:2,S", "another\n");
	settle(f->inbox, w);
	assert_int_equal(maildir_count(f->inbox), MANY + 1);
	unlinkat(f->fd, "cur/100009.m.h:2,", 0);
	settle(f->inbox, w);
	assert_is_cur(f, f->inbox);
	/* More names than are kept. */
	for (unsigned i = 20; i < 220; i++) {
		snprintf(from, sizeof(from), "cur/%u.m.h:2,", 100000 + i);
		snprintf(to, sizeof(to), "cur/%u.m.h:2,F", 100000 + i);
		rename_file(f, from, to);
	}
	settle(f->inbox, w);
	assert_is_cur(f, f->inbox);
	maildir_watch_close(&w);
}

/* A rename in the moment of our own, which the times do not show. */
static void
rename_beside_ours(void **state)
{
	struct fixture *f = *state;
	struct maildir_message message;
	struct maildir_watch *w;

	fill(f, MANY);
	settle(f->inbox, NULL);
	w = watch(f->inbox);
	settle(f->inbox, w);
	names_read = 0;
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, 0, 0, 0), 0);
	rename_file(f, "cur/100002.m.h:2,", "cur/100002.m.h:2,F");
	assert_int_equal(maildir_change_end(f->inbox), 0);
	settle(f->inbox, w);
	assert_true(maildir_lookup(f->inbox, 2, &message));
	assert_int_equal(message.flags, MAILDIR_FLAGGED);
	assert_true(names_read < 30);
	assert_is_cur(f, f->inbox);
	maildir_watch_close(&w);
}

/* cur/ is another directory: the watch knows nothing of it. */
static void
another_cur(void **state)
{
	struct fixture *f = *state;
	struct maildir_watch *w;

	fill(f, 20);
	settle(f->inbox, NULL);
	w = watch(f->inbox);
	settle(f->inbox, w);
	rename_file(f, "cur", "old");
	assert_int_equal(mkdirat(f->fd, "cur", 0700), 0);
	put(f, "cur/100003.m.h:2,S", "m\n");
	put(f, "old/100005.m.h:2,S", "m\n");
	settle(f->inbox, w);
	assert_int_equal(maildir_count(f->inbox), 1);
	rename_file(f, "cur/100003.m.h:2,S", "cur/100003.m.h:2,T");
	settle(f->inbox, w);
	assert_is_cur(f, f->inbox);
	maildir_watch_close(&w);
}

/* A file system is mounted over cur/: inotify tells nothing of that. */
static void
mounted_over_cur(void **state)
{
	struct fixture *f = *state;
	struct maildir_watch *w;
	char path[64];
	size_t count;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/cur", f->fd);
	fill(f, 20);
	settle(f->inbox, NULL);
	w = watch(f->inbox);
	settle(f->inbox, w);
	if (mount("none", path, "tmpfs", 0, "mode=700") < 0) {
		maildir_watch_close(&w);
		skip();
	}
	put(f, "cur/100003.m.h:2,S", "m\n");
	settle(f->inbox, w);
	count = maildir_count(f->inbox);
	maildir_watch_close(&w);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	assert_int_equal(count, 1);
}

static unsigned
draw(unsigned *state, unsigned below)
{
	*state = *state * 1103515245 + 12345;
	return (*state >> 16) % below;
}

/* A sync that takes an event asks for one more look.  The next look has seen what the event tells, and asks for none. */
static void
a_look_forgets_older_events(void **state)
{
	struct fixture *f = *state;
	struct maildir_watch *w;

	fill(f, 3);
	settle(f->inbox, NULL);
	w = watch(f->inbox);
	settle(f->inbox, w);
	mdclock_sleep_ms(30); /* beyond the clock's tick */
	put(f, "new/200000.n.h", "n\n");
	unlinkat(f->fd, "new/200000.n.h", 0);
	rename_file(f, "cur/100001.m.h:2,", "cur/100001.m.h:2,S");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(watch_has_more(w));
	assert_int_equal(maildir_look_again(f->inbox), 1);
	mdclock_sleep_ms(30);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_false(watch_has_more(w));
	maildir_watch_close(&w);
}

/* Anything at any time, by other programs and by another session; in the end the list is what lies there. */
static void
names_at_random(void **state)
{
	static const char *const info[] = {":2,", ":2,S", ":2,F", ":2,FS", ":2,RS"};
	const struct maildir_flag_change mark = {.add = MAILDIR_TRASHED};
	struct fixture *f = *state, other = *f;
	unsigned seed = (unsigned)mdclock_now_ms(), random = seed, at[MANY + 1];
	struct maildir_watch *w;
	char from[60], to[60];

	print_message("seed %u\n", seed);
	fill(f, MANY);
	memset(at, 0, sizeof(at));
	settle(f->inbox, NULL);
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	w = watch(f->inbox);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		unsigned i = 1 + draw(&random, MANY), what = draw(&random, 20);
		unsigned now = draw(&random, COUNT(info));

		snprintf(from, sizeof(from), "cur/%u.m.h%s", 100000 + i, info[at[i]]);
		snprintf(to, sizeof(to), "cur/%u.m.h%s", 100000 + i, info[now]);
		if (what < 12 && exists(f, from)) {
			rename_file(f, from, to);
			at[i] = now;
		} else if (what == 12) {
			unlinkat(f->fd, from, 0);
		} else if (what == 13) {
			snprintf(to, sizeof(to), "new/%u.n.h", 300000 + round);
			put(f, to, "n\n");
		} else if (what == 14) {
			snprintf(to, sizeof(to), "cur/%u.n.h:2,", 300000 + round);
			put(f, to, "n\n");
		} else if (what == 15) {
			(void)maildir_flags(other.inbox, i, &mark);
		} else if (what == 16) {
			(void)maildir_remove(other.inbox, i);
		} else if (what == 17) {
			assert_int_equal(maildir_sync(other.inbox), 0);
		} else {
			(void)maildir_watch_take(w);
			assert_int_equal(maildir_sync(f->inbox), 0);
		}
		if (round % 150 == 0) {
			settle(f->inbox, w);
			assert_is_cur(f, f->inbox);
			settle(other.inbox, NULL);
			assert_is_cur(f, other.inbox);
		}
	}
	fixture_close(&other);
	maildir_watch_close(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(what_others_do),
	    WITH(what_sessions_do),
	    WITH(more_than_is_kept),
	    WITH(folders_and_none),
	    WITH(mend23_one_instance_serves_all),
	    WITH(delivery_reads_no_cur),
	    WITH(names_of_others),
	    WITH(rename_beside_ours),
	    WITH(another_cur),
	    WITH(mounted_over_cur),
	    WITH(a_look_forgets_older_events),
	    WITH(names_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
