/*
 * test_maildir_lock.c: the folder's lock, the session's, and Dovecot's lock file.
 */
#include "maildir_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "maildir/base/lock.h"
#include "maildir/folder/deliver.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"

#define DOTLOCK "dovecot-uidlist.lock"

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
sessions(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *other;

	assert_int_equal(maildir_folder_open(f->md, "INBOX", &other), 0);
	assert_int_equal(maildir_session_lock(f->inbox), 0);
	assert_int_equal(maildir_session_lock(f->inbox), 0);
	assert_int_equal(maildir_session_lock(other), -1);
	assert_int_equal(errno, EAGAIN);
	/* A session keeps nobody from the mail. */
	assert_int_equal(maildir_sync(other), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_session_lock(other), -1);
	maildir_folder_close(&f->inbox);
	assert_int_equal(maildir_session_lock(other), 0);
	maildir_folder_close(&other);
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &f->inbox), 0);
	assert_int_equal(maildir_session_lock(f->inbox), 0);
}

/* REQUIREMENTS 36: whoever is killed with all the locks in hand stops nobody. */
static void
test_req36_locks_die_with_their_holder(void **state)
{
	struct fixture *f = *state;
	uint64_t start;
	int ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	put(f, "new/1.m", "a\n");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		if (maildir_session_lock(f->inbox) < 0 || mdlock_folder(&f->inbox->home) < 0 ||
		    uidlist_lock_take(&f->inbox->home) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(exists(f, DOTLOCK));
	assert_int_equal(maildir_session_lock(f->inbox), -1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	start = now_ms();
	assert_int_equal(maildir_session_lock(f->inbox), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(now_ms() - start < 2000);
	assert_int_equal(maildir_count(f->inbox), 1);
	assert_false(exists(f, DOTLOCK));
	close(ready[0]);
	close(ready[1]);
}

/* Writers wait for each other, and the lock file that is unlinked underneath is not theirs any more. */
static void
waits_its_turn(void **state)
{
	struct fixture *f = *state;
	uint64_t start = now_ms();
	int status;
	pid_t pid;

	assert_int_equal(mdlock_folder(&f->inbox->home), 0);
	put(f, "new/1.m", "a\n");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct fixture other = *f;

		fixture_open(&other);
		_exit(maildir_sync(other.inbox) == 0 && maildir_count(other.inbox) == 1 ? 0 : 1);
	}
	mdclock_sleep_ms(200);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	mdlock_folder_drop(&f->inbox->home);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(now_ms() - start < 2000);
	unlinkat(f->fd, LOCK_NAME, 0);
	assert_int_equal(mdlock_folder(&f->inbox->home), 0);
	assert_true(exists(f, LOCK_NAME));
	mdlock_folder_drop(&f->inbox->home);
}

static void
set_age(struct fixture *f, time_t seconds)
{
	struct timespec times[2] = {{time(NULL) - seconds, 0}, {time(NULL) - seconds, 0}};

	assert_int_equal(utimensat(f->fd, DOTLOCK, times, 0), 0);
}

/* REQUIREMENTS 36: lock files of others that will never go are taken over. */
static void
test_req36_stale_lock_files(void **state)
{
	struct fixture *f = *state;
	char own[40], dead[40];
	const struct {
		const char *text;
		time_t age;
	} rows[] = {
	    {dead, 0},				 /* a dead process of this host, at once */
	    {own, 0},				 /* our pid, of an earlier process */
	    {"1:other.host", 121},		 /* another host: by its age */
	    {"1:test.host", 121},		 /* alive, but the pid may be another's by now */
	    {"", 121},				 /* unreadable */
	    {"garbage", 130}, {"garbage", -500}, /* from a future that will not come */
	};
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(dead, sizeof(dead), "%ld:test.host\n", (long)pid);
	snprintf(own, sizeof(own), "%ld:test.host", (long)getpid());
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[40];
		uint64_t start = now_ms();

		put(f, DOTLOCK, rows[i].text);
		set_age(f, rows[i].age);
		snprintf(name, sizeof(name), "new/%zu.m", 100 + i);
		put(f, name, "a\n");
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_count(f->inbox), i + 1);
		assert_true(now_ms() - start < 2000);
		assert_false(exists(f, DOTLOCK));
	}
}

/* A lock that is held is waited for. */
static void
live_lock_file(void **state)
{
	static const char *const texts[] = {
	    "1:test.host", "1:other.host", "", "0:test.host", ":test.host"};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(texts); i++) {
		uint64_t start = now_ms();
		char name[40];
		pid_t pid;

		put(f, DOTLOCK, texts[i]);
		snprintf(name, sizeof(name), "new/%zu.m", 100 + i);
		put(f, name, "a\n");
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			mdclock_sleep_ms(200);
			_exit(unlinkat(f->fd, DOTLOCK, 0) == 0 ? 0 : 1);
		}
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_true(now_ms() - start >= 190 && now_ms() - start < 2000);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

/* Ours is held while it is locked, whoever has the number of its process now. */
static void
marked_lock_file(void **state)
{
	static const char mark[] = "1:test.host\0locked";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct fixture *f = *state;
	uint64_t start;
	pid_t pid;
	int fd;

	put_bytes(f, DOTLOCK, mark, sizeof(mark));
	put(f, "new/1.m", "a\n");
	start = now_ms();
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(now_ms() - start < 2000);
	assert_false(exists(f, DOTLOCK));

	put_bytes(f, DOTLOCK, mark, sizeof(mark));
	put(f, "new/2.m", "a\n");
	fd = openat(f->fd, DOTLOCK, O_WRONLY | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		mdclock_sleep_ms(200);
		_exit(unlinkat(f->fd, DOTLOCK, 0) == 0 ? 0 : 1);
	}
	start = now_ms();
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(now_ms() - start >= 190);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);

	/* Of another machine that is locked elsewhere, if at all. */
	put_bytes(f, DOTLOCK, "1:other.host\0locked", sizeof("1:other.host\0locked"));
	set_age(f, 60);
	put(f, "new/3.m", "a\n");
	assert_int_equal(maildir_sync(f->inbox), -1);
	assert_int_equal(errno, ENOLCK);
}

/* What is in it while it is held, and that it is locked. */
static void
own_lock_file(void **state)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct fixture *f = *state;
	char text[64], expected[64];
	size_t len = (size_t)snprintf(expected, sizeof(expected), "%d:test.host", getpid());
	int fd;

	assert_int_equal(mdlock_folder(&f->inbox->home), 0);
	assert_int_equal(uidlist_lock_take(&f->inbox->home), 0);
	fd = openat(f->fd, DOTLOCK, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), len + sizeof("\0locked"));
	assert_memory_equal(text, expected, len + 1); /* all that Dovecot reads */
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), -1);
	uidlist_lock_drop(&f->inbox->home);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	close(fd);
	mdlock_folder_drop(&f->inbox->home);
}

/* One that has been there for long is not waited for by each of us in turn. */
static void
stuck_lock_file(void **state)
{
	struct fixture *f = *state;
	uint64_t start = now_ms();

	put(f, DOTLOCK, "1:test.host");
	set_age(f, 60);
	put(f, "new/1.m", "a\n");
	assert_int_equal(maildir_sync(f->inbox), -1);
	assert_int_equal(errno, ENOLCK);
	assert_true(now_ms() - start < 5000);
	assert_true(exists(f, DOTLOCK));
	assert_int_equal(unlinkat(f->fd, DOTLOCK, 0), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 1);
}

/* Dovecot gives UIDs to new mail while we wait to do the same: its UIDs count. */
static void
others_write_while_we_wait(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	put(f, "new/1.a", "a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	put(f, "new/2.b", "b\n");
	put(f, "new/3.c", "c\n");
	put(f, DOTLOCK, "1:test.host");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = openat(f->fd, "dovecot-uidlist", O_WRONLY | O_APPEND);

		mdclock_sleep_ms(100);
		if (write(fd, "7 W3 :3.c\n", 10) != 10 || unlinkat(f->fd, DOTLOCK, 0) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(maildir_count(f->inbox), 3);
	assert_line(f, 1, "a");
	assert_line(f, 7, "c");
	assert_line(f, 8, "b");
}

/* Reading needs no lock file: only a write waits for Dovecot. */
static void
no_lock_file_without_writing(void **state)
{
	struct fixture *f = *state;
	uint64_t start;

	put(f, "new/1.m", "a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	put(f, DOTLOCK, "1:test.host");
	start = now_ms();
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 1);
	assert_true(now_ms() - start < 1000);
	assert_true(exists(f, DOTLOCK));
}

/* The lock is not ours any more, and whose it is now is not disturbed. */
static void
lost_lock_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mdlock_folder(&f->inbox->home), 0);
	assert_int_equal(uidlist_lock_take(&f->inbox->home), 0);
	assert_true(uidlist_lock_held(&f->inbox->home));
	put(f, "other", "1:other.host");
	rename_file(f, "other", DOTLOCK);
	assert_false(uidlist_lock_held(&f->inbox->home));
	uidlist_lock_drop(&f->inbox->home);
	assert_true(exists(f, DOTLOCK));
	mdlock_folder_drop(&f->inbox->home);
}

static void
mend30_odd_lock_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifoat(f->fd, LOCK_NAME, 0600), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(exists(f, LOCK_NAME ".odd"));
	rename_file(f, LOCK_NAME, "elsewhere");
	assert_int_equal(symlinkat("elsewhere", f->fd, LOCK_NAME), 0);
	put(f, "new/1.a", "a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(exists(f, LOCK_NAME ".odd1"));
	/* A second name of a file, whose lock somebody has: it is waited for. */
	rename_file(f, LOCK_NAME, "other");
	assert_int_equal(linkat(f->fd, "other", f->fd, LOCK_NAME, 0), 0);
	put(f, "new/2.b", "b\n");
	{
		const struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
		int fd = openat(f->fd, "other", O_RDWR | O_CLOEXEC), lock_fd = -1;

		assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
		assert_int_equal(mdlock_take(f->md, f->fd, &lock_fd, LOCK_FOLDER, 0), -1);
		assert_int_equal(errno, EAGAIN);
		close(fd);
		assert_int_equal(mdlock_take(f->md, f->fd, &lock_fd, LOCK_FOLDER, 0), 0);
		assert_true(exists(f, "other"));
		assert_false(exists(f, LOCK_NAME ".odd2"));
		close(lock_fd);
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 2);
}

static void
mend30_odd_dotlock(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, DOTLOCK, 0700), 0);
	assert_int_equal(mdlock_folder(&f->inbox->home), 0);
	assert_int_equal(uidlist_lock_take(&f->inbox->home), 0);
	uidlist_lock_drop(&f->inbox->home);
	assert_int_equal(mkfifoat(f->fd, DOTLOCK, 0600), 0);
	assert_int_equal(mkdirat(f->fd, "sallyport.dotlock", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "sallyport.stale", 0700), 0);
	assert_int_equal(uidlist_lock_take(&f->inbox->home), 0);
	uidlist_lock_drop(&f->inbox->home);
	mdlock_folder_drop(&f->inbox->home);
	assert_false(exists(f, DOTLOCK));
}

/* --- no process waits for itself --- */

/* The shortest of the waits for a lock is 10 s. */
enum { CALLS = 3000, CALL_MS = 5000, HANDLES = 4 };

static int
deliver_one(struct maildir_folder *to, struct maildir_folder *from, uint32_t uid)
{
	const struct maildir_label label = {.date = 1000000000};
	struct maildir_delivery *delivery;
	const uint32_t *uids;
	uint32_t validity;
	int r = maildir_delivery_begin(to, &delivery);

	if (r == 0 && from != NULL)
		r = maildir_delivery_link(delivery, from, uid, 0);
	else if (r == 0 && (r = maildir_delivery_message(delivery, &label)) == 0)
		r = maildir_delivery_write(delivery, "a\n", 2);
	if (r == 0)
		r = maildir_delivery_commit(delivery, &validity, &uids);
	maildir_delivery_end(&delivery);
	return r;
}

/* Any call that takes a lock, of any handle, with batches begun, held and left open as they come. */
static void
call_any(struct fixture *f, struct maildir_folder *a, struct maildir_folder *b)
{
	static unsigned count;
	uint32_t uid = maildir_count(a) > 0 ? uid_at(a, (size_t)rand() % maildir_count(a)) : 1;
	const char *folder = rand() % 2 == 0 ? "X" : "Y";
	char name[32];
	uint32_t from;

	snprintf(name, sizeof(name), "kw%u", count++ % 40);
	switch (rand() % 17) {
	case 0:
	case 1:
	case 2:
		maildir_change_hold(a);
		break;
	case 3:
	case 4:
		(void)maildir_change_begin(a);
		break;
	case 5:
	case 6:
	case 7:
		(void)maildir_change_end(a);
		break;
	case 8:
		(void)change_flags(a, uid, MAILDIR_SEEN, MAILDIR_FLAGGED, 0, 0);
		break;
	case 9:
		(void)maildir_keyword_make(a, name);
		break;
	case 10:
		(void)deliver_one(
		    a, rand() % 2 == 0 ? b : NULL, maildir_count(b) > 0 ? uid_at(b, 0) : 1);
		break;
	case 11:
		(void)maildir_remove(a, uid);
		break;
	case 12:
		(void)(maildir_sync(a) == 0 && maildir_claim_recent(a, &from) == 0 &&
		       maildir_read_ahead(a, 4) >= 0 && maildir_save_findings(a));
		break;
	case 13:
		(void)maildir_change_settle(a);
		break;
	case 14:
		(void)(maildir_folder_create(f->md, folder) == 0 ||
		       maildir_folder_delete(f->md, folder) == 0);
		break;
	case 15:
		(void)maildir_folder_rename(f->md, rand() % 2 == 0 ? "INBOX" : "X", "Y");
		break;
	default:
		(void)(maildir_subscribe(f->md, folder, rand() % 2 == 0) == 0 &&
		       maildir_special_use_set(f->md, "\\Junk", "Work") == 0);
		break;
	}
}

static void
mend01_no_call_waits_for_its_own_process(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *handle[HANDLES];

	srand(1);
	assert_int_equal(maildir_folder_create(f->md, "Work"), 0);
	for (int i = 0; i < HANDLES; i++)
		assert_int_equal(
		    maildir_folder_open(f->md, i % 2 == 0 ? "INBOX" : "Work", &handle[i]), 0);
	for (int i = 0; i < CALLS; i++) {
		uint64_t begun = now_ms();

		call_any(f, handle[rand() % HANDLES], handle[rand() % HANDLES]);
		assert_true(now_ms() - begun < CALL_MS);
	}
	for (int i = 0; i < HANDLES; i++)
		maildir_folder_close(&handle[i]);
	assert_int_equal(maildir_sync(f->inbox), 0);
}

/* A batch that is held ends when another handle wants a lock, of its folder or of another; an open one cannot. */
static void
mend01_held_batch_ends(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *other, *work;

	put(f, "cur/1.m:2,", "a\n");
	assert_int_equal(maildir_folder_create(f->md, "Work"), 0);
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &other), 0);
	assert_int_equal(maildir_folder_open(f->md, "Work", &work), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	maildir_change_hold(f->inbox);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_true(f->inbox->home.held);
	assert_true(maildir_keyword_make(other, "kw") >= 0);
	assert_false(f->inbox->home.held);
	assert_int_equal(maildir_sync(other), 0);
	assert_int_equal(message_at(other, 0).flags, MAILDIR_SEEN);
	maildir_change_hold(f->inbox);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_FLAGGED, 0, 0, 0), 0);
	assert_true(maildir_keyword_make(work, "kw") >= 0);
	assert_false(f->inbox->home.held);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	assert_int_equal(maildir_keyword_make(other, "other"), -1);
	assert_int_equal(errno, EDEADLK);
	assert_int_equal(maildir_change_end(f->inbox), 0);
	/* What failed then is not lost. */
	maildir_change_hold(f->inbox);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_DRAFT, 0, 0, 0), 0);
	close(f->inbox->dir[ENTRY_CUR]);
	f->inbox->dir[ENTRY_CUR] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(maildir_keyword_make(work, "another") >= 0);
	assert_int_equal(maildir_change_settle(f->inbox), -1);
	assert_int_equal(maildir_change_settle(f->inbox), 0);
	maildir_folder_close(&work);
	maildir_folder_close(&other);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(sessions),
	    WITH(test_req36_locks_die_with_their_holder),
	    WITH(waits_its_turn),
	    WITH(test_req36_stale_lock_files),
	    WITH(live_lock_file),
	    WITH(marked_lock_file),
	    WITH(own_lock_file),
	    WITH(stuck_lock_file),
	    WITH(others_write_while_we_wait),
	    WITH(no_lock_file_without_writing),
	    WITH(lost_lock_file),
	    WITH(mend30_odd_lock_file),
	    WITH(mend30_odd_dotlock),
	    WITH(mend01_no_call_waits_for_its_own_process),
	    WITH(mend01_held_batch_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
