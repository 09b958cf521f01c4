/*
 * test_maildir_watch.c: what wakes a session that idles, and what does not.
 */
#include "maildir_fixture.h"

#include <poll.h>
#include <sys/resource.h>

#include "maildir/folder/deliver.h"
#include "maildir/folder/watch.h"

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(what_others_do),
	    WITH(what_sessions_do),
	    WITH(more_than_is_kept),
	    WITH(folders_and_none),
	    WITH(mend23_one_instance_serves_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
