/*
 * test_maildir_sync.c: the list of messages through everything that may happen to it underneath.
 *
 * This program's own readdir, write, fsync and renameat2 stand before libc's, so that a test can let
 * one of them fail or miss what it likes.
 */
#include "maildir_fixture.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "maildir/folder/deliver.h"

/* --- calls that fail when told to --- */

static const char *miss_name;	      /* readdir does not see names with this in them */
static int miss_times;		      /* in so many reads of a directory, -1: ever */
static const char *while_old;	      /* and when one is missed, this is renamed */
static const char *while_new;	      /* to this: the directory did not stand still */
static const char *while_dir;	      /* both in this directory */
static bool while_toggles;	      /* the next time it is renamed back */
static int write_fails;		      /* errno of every write of more than a few octets */
static size_t write_short = SIZE_MAX; /* a write writes so much, the next fails */
static int fsync_fails;		      /* errno */
static int rename_fails;	      /* errno of renameat2 */
static int cross_fails;		      /* errno of renameat2 between directories */
static unsigned fsyncs;

static void
calls_reset(void)
{
	miss_name = while_old = while_new = while_dir = NULL;
	miss_times = write_fails = fsync_fails = rename_fails = cross_fails = 0;
	write_short = SIZE_MAX;
	while_toggles = false;
}

struct dirent *
readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR *);
	struct dirent *entry;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir64");
	while ((entry = real(dir)) != NULL) {
		if (miss_name == NULL || strstr(entry->d_name, miss_name) == NULL ||
		    miss_times == 0)
			break;
		if (miss_times > 0)
			miss_times--;
		if (while_dir != NULL) {
			int fd = open(while_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			assert_int_equal(renameat(fd, while_old, fd, while_new), 0);
			close(fd);
			if (while_toggles) {
				const char *swap = while_old;

				while_old = while_new;
				while_new = swap;
			}
		}
	}
	return entry;
}

ssize_t
write(int fd, const void *data, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "write");
	if (write_fails != 0) {
		if (write_short == SIZE_MAX || write_short == 0) {
			errno = write_fails;
			return -1;
		}
		if (size > write_short)
			size = write_short;
		write_short -= size;
	}
	return real(fd, data, size);
}

int
fsync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	if (fsync_fails != 0) {
		errno = fsync_fails;
		return -1;
	}
	fsyncs++;
	return real(fd);
}

int
renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	static int (*real)(int, const char *, int, const char *, unsigned);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "renameat2");
	if (rename_fails != 0) {
		errno = rename_fails;
		return -1;
	}
	if (cross_fails != 0 && from != to) {
		errno = cross_fails;
		return -1;
	}
	return real(from, old, to, new, flags);
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

/* "": none. */
static void
assert_uidl(struct fixture *f, size_t place, const char *expected)
{
	struct maildir_message message = message_at(f->inbox, place);
	char uidl[MAILDIR_UIDL_SIZE] = "";

	assert_int_equal(message.has_pop3_uidl, *expected != '\0');
	assert_int_equal(maildir_pop3_uidl(f->inbox, message.uid, uidl), message.has_pop3_uidl);
	assert_string_equal(uidl, expected);
}

#undef WITH
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* --- helpers --- */

static void
sync_inbox(struct fixture *f, size_t count)
{
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), count);
	for (size_t i = 1; i < count; i++)
		assert_true(uid_at(f->inbox, i - 1) < uid_at(f->inbox, i));
}

static void
five(struct fixture *f)
{
	for (int i = 1; i <= 5; i++) {
		char name[40], text[20];

		snprintf(name, sizeof(name), "cur/100%d.m.h:2,", i);
		snprintf(text, sizeof(text), "m%d\n", i);
		put(f, name, text);
	}
	sync_inbox(f, 5);
}

/* Another process's view of the folder. */
static void
assert_agrees(struct fixture *f)
{
	struct fixture other = {0};

	memcpy(other.path, f->path, sizeof(other.path));
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_int_equal(maildir_count(other.inbox), maildir_count(f->inbox));
	assert_int_equal(maildir_uidvalidity(other.inbox), maildir_uidvalidity(f->inbox));
	assert_int_equal(maildir_uidnext(other.inbox), maildir_uidnext(f->inbox));
	for (size_t i = 0; i < maildir_count(f->inbox); i++) {
		char *a = first_line(f, i), *b = first_line(&other, i);

		assert_int_equal(uid_at(other.inbox, i), uid_at(f->inbox, i));
		assert_string_equal(a, b);
		free(a);
		free(b);
	}
	fixture_close(&other);
}

/* --- the ordinary --- */

static void
empty(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;

	sync_inbox(f, 0);
	validity = maildir_uidvalidity(f->inbox);
	assert_true(validity >= (uint32_t)time(NULL) - 10);
	assert_int_equal(maildir_uidnext(f->inbox), 1);
	assert_int_equal(f->notices, 0);
	fixture_reopen(f);
	sync_inbox(f, 0);
	assert_int_equal(maildir_uidvalidity(f->inbox), validity);
}

static void
new_mail_in_order_of_delivery(void **state)
{
	struct fixture *f = *state;

	put(f, "new/20.b.h", "third\n");
	put(f, "new/9.z.h", "first\n");
	put(f, "cur/20.a.h:2,FS", "second\n");
	put(f, "new/100.a.h", "fourth\n");
	sync_inbox(f, 4);
	assert_line(f, 1, "first");
	assert_line(f, 2, "second");
	assert_line(f, 3, "third");
	assert_line(f, 4, "fourth");
	assert_int_equal(message_at(f->inbox, 1).flags, MAILDIR_FLAGGED | MAILDIR_SEEN);
	assert_true(exists(f, "cur/9.z.h:2,"));
	assert_false(exists(f, "new/9.z.h"));
	put(f, "new/1.old.h", "fifth\n");
	sync_inbox(f, 5);
	assert_line(f, 5, "fifth");
	assert_int_equal(maildir_uidnext(f->inbox), 6);
	assert_agrees(f);
	assert_int_equal(f->notices, 0);
}

static void
flags_keep_the_uid(void **state)
{
	struct fixture *f = *state;

	five(f);
	rename_file(f, "cur/1002.m.h:2,", "cur/1002.m.h:2,FSab");
	rename_file(f, "cur/1003.m.h:2,", "new/1003.m.h");
	rename_file(f, "cur/1004.m.h:2,", "cur/1004.m.h");
	rename_file(f, "cur/1005.m.h:2,", "cur/1005.m.h:1,odd");
	sync_inbox(f, 5);
	for (uint32_t uid = 1; uid <= 5; uid++) {
		char line[10];

		snprintf(line, sizeof(line), "m%u", uid);
		assert_line(f, uid, line);
	}
	assert_int_equal(message_at(f->inbox, 1).flags, MAILDIR_FLAGGED | MAILDIR_SEEN);
	assert_int_equal(message_at(f->inbox, 1).keywords, 3);
	assert_agrees(f);
}

/* Saved POP3 UIDLs, and those that RFC 1939 would not let us send. */
static void
pop3_fields(void **state)
{
	struct fixture *f = *state;
	char *text;

	put(f, "cur/1.a:2,", "a\n");
	put(f, "cur/2.b:2,", "b\n");
	put(f, "cur/3.c:2,", "c\n");
	put(f, "cur/4.d:2,", "d\n");
	put(f, "dovecot-uidlist",
	    "3 V5 N9 Gf2606f033216016bfa33000083ecc375 Xkeep\n"
	    "1 Pold-uidl O7 :1.a\n2 P\xc3\xa4 Z9 :2.b\n"
	    "4 P"
	    "12345678901234567890123456789012345678901234567890123456789012345678901 O99x :3.c\n");
	sync_inbox(f, 4);
	assert_uidl(f, 0, "old-uidl");
	assert_int_equal(message_at(f->inbox, 0).pop3_order, 7);
	assert_uidl(f, 1, "");
	assert_uidl(f, 2, "");
	assert_line(f, 9, "d");
	assert_int_equal(maildir_uidvalidity(f->inbox), 5);
	text = get(f, "dovecot-uidlist");
	assert_non_null(strstr(text, "N9 Gf2606f033216016bfa33000083ecc375 Xkeep\n"));
	assert_non_null(strstr(text, "\n2 P\xc3\xa4 Z9 :2.b\n"));
	assert_non_null(strstr(text, "\n9 :4.d\n"));
	free(text);
}

/* What Dovecot appended counts, and is agreed with. */
static void
lines_of_others(void **state)
{
	struct fixture *f = *state;
	int fd;

	five(f);
	put(f, "cur/2000.d:2,", "d\n");
	fd = openat(f->fd, "dovecot-uidlist", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "8 W5 :2000.d\n", 13), 13);
	close(fd);
	sync_inbox(f, 6);
	assert_line(f, 8, "d");
	put(f, "cur/2001.e:2,", "e\n");
	sync_inbox(f, 7);
	assert_line(f, 9, "e");
	assert_agrees(f);
}

static void
old_format_and_no_guid(void **state)
{
	static const char *const texts[] = {"1 77 5\n3 1001.m.h\n", "3 V77 N5\n3 :1001.m.h\n"};
	struct fixture *f = *state;

	put(f, "cur/1001.m.h:2,", "a\n");
	for (size_t i = 0; i < COUNT(texts); i++) {
		char *text;

		unlinkat(f->fd, "sallyport.lock", 0);
		put(f, "dovecot-uidlist", texts[i]);
		fixture_reopen(f);
		sync_inbox(f, 1);
		assert_line(f, 3, "a");
		assert_int_equal(maildir_uidvalidity(f->inbox), 77);
		assert_int_equal(maildir_uidnext(f->inbox), 5);
		text = get(f, "dovecot-uidlist");
		assert_memory_equal(text, "3 V77 N5 G", 10);
		assert_non_null(strstr(text, "\n3 :1001.m.h\n"));
		free(text);
	}
}

/* The list costs a few calls where nothing happened; and no change is missed. */
static void
unchanged_folder(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	five(f);
	nanosleep(&(struct timespec){0, 30000000}, NULL);
	sync_inbox(f, 5);
	before = fsyncs;
	for (int i = 0; i < 1000; i++)
		sync_inbox(f, 5);
	assert_int_equal(fsyncs, before);
	rename_file(f, "cur/1001.m.h:2,", "cur/1001.m.h:2,S");
	sync_inbox(f, 5);
	assert_int_equal(message_at(f->inbox, 0).flags, MAILDIR_SEEN);
	put(f, "new/3000.x", "x\n");
	sync_inbox(f, 6);
}

/* --- what is new --- */

static uint32_t
recent(struct fixture *f)
{
	uint32_t from = 0;

	assert_int_equal(maildir_recent(f->inbox, &from), 0);
	return from;
}

static uint32_t
claim(struct fixture *f)
{
	uint32_t from = 0;

	assert_int_equal(maildir_claim_recent(f->inbox, &from), 0);
	return from;
}

static void
recent_is_told_once(void **state)
{
	struct fixture *f = *state, other = *f;

	five(f);
	assert_int_equal(recent(f), 1);
	assert_int_equal(recent(f), 1);
	assert_int_equal(claim(f), 1);
	assert_int_equal(recent(f), 6);
	put(f, "new/2000.x", "x\n");
	assert_int_equal(recent(f), 6);
	/* Another session sees it first, but tells nobody; what is more it has not seen. */
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	put(f, "new/2001.y", "y\n");
	sync_inbox(f, 7);
	assert_int_equal(claim(&other), 6);
	assert_int_equal(claim(f), 7);
	assert_int_equal(claim(f), 8);
	assert_int_equal(claim(&other), 8);
	fixture_close(&other);
	fixture_reopen(f);
	sync_inbox(f, 7);
	assert_int_equal(recent(f), 8);
	/* New UIDs are new messages. */
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_int_equal(recent(f), 8);
	sync_inbox(f, 7);
	assert_int_equal(recent(f), 1);
	assert_int_equal(claim(f), 1);
	/* Another session has renumbered: of our list nothing is new. */
	fixture_open(&other);
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_int_equal(claim(f), 8);
	assert_int_equal(claim(&other), 1);
	fixture_close(&other);
}

/* The record of versions that knew of no recent messages, and that of a Dovecot's: none. */
static void
recent_without_record(void **state)
{
	struct fixture *f = *state;
	char *text;

	five(f);
	text = get(f, "sallyport.lock");
	assert_int_equal(strlen(text), 58);
	text[23] = '\n';
	put_bytes(f, "sallyport.lock", text, 24);
	free(text);
	fixture_reopen(f);
	put(f, "new/2000.x", "x\n");
	sync_inbox(f, 6);
	assert_int_equal(recent(f), 6);
	put(f, "sallyport.lock", "");
	fixture_reopen(f);
	put(f, "new/2001.y", "y\n");
	sync_inbox(f, 7);
	assert_int_equal(recent(f), 7);
	/* Lost under a session that goes on. */
	unlinkat(f->fd, "sallyport.lock", 0);
	put(f, "new/2002.z", "z\n");
	sync_inbox(f, 8);
	assert_int_equal(recent(f), 8);
	assert_int_equal(claim(f), 8);
	for (size_t i = 0; i < 36; i++) {
		text = get(f, "sallyport.lock");
		text[i] = '~';
		put_bytes(f, "sallyport.lock", text, strlen(text));
		free(text);
		assert_true(recent(f) <= 9);
		sync_inbox(f, 8);
		assert_true(claim(f) <= 9);
	}
}

static void
find_by_uid(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(maildir_find(f->inbox, 1), 0);
	five(f);
	unlinkat(f->fd, "cur/1002.m.h:2,", 0);
	unlinkat(f->fd, "cur/1003.m.h:2,", 0);
	sync_inbox(f, 3);
	assert_int_equal(maildir_find(f->inbox, 0), 0);
	assert_int_equal(maildir_find(f->inbox, 1), 0);
	assert_int_equal(maildir_find(f->inbox, 2), 1);
	assert_int_equal(maildir_find(f->inbox, 4), 1);
	assert_int_equal(maildir_find(f->inbox, 5), 2);
	assert_int_equal(maildir_find(f->inbox, 6), 3);
	assert_int_equal(maildir_find(f->inbox, UINT32_MAX), 3);
}

static void
dates_through_renames(void **state)
{
	const struct timespec times[2] = {{5, 0}, {77777, 5}};
	struct fixture *f = *state;
	time_t date;

	five(f);
	assert_int_equal(utimensat(f->fd, "cur/1001.m.h:2,", times, 0), 0);
	rename_file(f, "cur/1001.m.h:2,", "cur/1001.m.h:2,S");
	assert_int_equal(maildir_date(f->inbox, uid_at(f->inbox, 0), &date), 0);
	assert_int_equal(date, 77777);
	unlinkat(f->fd, "cur/1002.m.h:2,", 0);
	assert_int_equal(maildir_date(f->inbox, uid_at(f->inbox, 1), &date), -1);
	assert_int_equal(errno, ENOENT);
}

/* A directory among the messages is told of once, however often one looks. */
static void
odd_names_are_told_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "cur/odd", 0700), 0);
	five(f);
	assert_int_equal(f->notices, 1);
	unlinkat(f->fd, "cur/1001.m.h:2,", 0); /* so that it takes a second pass */
	fixture_reopen(f);
	sync_inbox(f, 4);
	assert_int_equal(f->notices, 2);
	put(f, "new/2000.x", "x\n");
	sync_inbox(f, 5);
	assert_int_equal(f->notices, 2);
}

/* --- what is asked of the Maildir --- */

static void
test_req31_bad_files_cost_only_themselves(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint64_t size;
	bool newline;
	int fd;

	put(f, "cur/1001.m.h:2,", "m1\n");
	put(f, "new/1002.m.h", "m2\n");
	assert_int_equal(mkdirat(f->fd, "cur/1003.dir:2,", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "new/1004.dir", 0700), 0);
	assert_int_equal(mkfifoat(f->fd, "cur/1005.fifo:2,", 0600), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "cur/1006.link:2,"), 0);
	assert_int_equal(symlinkat("1001.m.h:2,", f->fd, "cur/1007.link:2,"), 0);
	put(f, "cur/1008.new\nline:2,", "bad\n");
	put(f, "cur/:2,S", "bad\n");
	put(f, "cur/.1009.dot:2,", "dot\n");
	put(f, "cur/1010.empty:2,", "");
	put(f, "cur/1011.odd name \xff:2,S", "odd\n");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/cur/1012.sock:2,", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	sync_inbox(f, 4);
	assert_line(f, 1, "m1");
	assert_line(f, 2, "m2");
	assert_line(f, 3, "");
	assert_line(f, 4, "odd");
	assert_true(f->notices > 0 && f->notices <= 3);
	/* A message that turns into something else is refused, its neighbours are served. */
	unlinkat(f->fd, "cur/1001.m.h:2,", 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "cur/1001.m.h:2,"), 0);
	assert_int_equal(maildir_exact_size(f->inbox, 1, &size, &newline), -1);
	assert_int_equal(errno, EINVAL);
	assert_null(first_line(f, 0));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(maildir_exact_size(f->inbox, 2, &size, &newline), 0);
	assert_int_equal(size, 4);
	unlinkat(f->fd, "cur/1002.m.h:2,", 0);
	assert_int_equal(maildir_exact_size(f->inbox, 2, &size, &newline), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildir_exact_size(f->inbox, 4, &size, &newline), 0);
	sync_inbox(f, 2);
}

static void
test_req32_same_base_in_new_and_cur(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1001.m.h:2,S", "in cur\n");
	sync_inbox(f, 1);
	put(f, "new/1001.m.h", "in new\n");
	sync_inbox(f, 2);
	assert_line(f, 1, "in cur");
	assert_line(f, 2, "in new");
	assert_true(exists(f, "cur/1001.m.h:2,S"));
	assert_int_equal(message_at(f->inbox, 0).flags, MAILDIR_SEEN);
	assert_int_equal(message_at(f->inbox, 1).flags, 0);
	/* And once more, with the name that the move would give. */
	put(f, "cur/1002.m.h:2,", "in cur 2\n");
	put(f, "new/1002.m.h", "in new 2\n");
	sync_inbox(f, 4);
	assert_agrees(f);
	fixture_reopen(f);
	sync_inbox(f, 4);
	assert_line(f, 2, "in new");
}

static void
test_req32_same_base_twice_in_cur(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1001.m.h:2,S", "first\n");
	sync_inbox(f, 1);
	nanosleep(&(struct timespec){0, 20000000}, NULL);
	put(f, "cur/1001.m.h:2,F", "second\n");
	put(f, "cur/1001.m.h", "third\n");
	sync_inbox(f, 3);
	assert_line(f, 1, "first");
	assert_int_equal(message_at(f->inbox, 0).flags, MAILDIR_SEEN);
	assert_agrees(f);
	sync_inbox(f, 3);
	for (uint32_t uid = 1; uid <= 3; uid++)
		assert_true(index_of(f, uid) != SIZE_MAX);
}

/* A flag change whose new name is another message's. */
static void
test_req32_flags_never_replace(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1001.m.h:2,", "ours\n");
	sync_inbox(f, 1);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	put(f, "cur/1001.m.h:2,S", "other\n");
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_int_equal(maildir_change_end(f->inbox), 0);
	assert_line(f, 1, "ours");
	assert_true(exists(f, "cur/1001.m.h:2,S"));
	sync_inbox(f, 2);
	assert_line(f, 1, "ours");
	assert_line(f, 2, "other");
	assert_agrees(f);
}

/* The same on a file system that cannot rename without replacing. */
static void
test_req32_without_rename_noreplace(void **state)
{
	struct fixture *f = *state;

	rename_fails = EINVAL;
	put(f, "cur/1001.m.h:2,", "in cur\n");
	put(f, "new/1001.m.h", "in new\n");
	put(f, "new/1002.m.h", "m2\n");
	sync_inbox(f, 3);
	assert_false(exists(f, "new/1001.m.h"));
	assert_false(exists(f, "new/1002.m.h"));
	assert_int_equal(change_flags(f->inbox, uid_at(f->inbox, 1), MAILDIR_SEEN, 0, 0, 0), 0);
	assert_false(exists(f, "cur/1002.m.h:2,"));
	assert_true(exists(f, "cur/1002.m.h:2,S"));
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	put(f, "cur/1002.m.h:2,FS", "other\n");
	assert_int_equal(change_flags(f->inbox, 2, MAILDIR_FLAGGED, 0, 0, 0), 0);
	assert_int_equal(maildir_change_end(f->inbox), 0);
	assert_line(f, 2, "m2");
	sync_inbox(f, 4);
	assert_agrees(f);
}

/* Where nothing can leave new/ (an old Landlock, no right to cur/) mail is served from there. */
static void
served_from_new(void **state)
{
	struct fixture *f = *state;

	put(f, "new/1001.m.h", "m1\n");
	cross_fails = EXDEV;
	sync_inbox(f, 1);
	assert_true(exists(f, "new/1001.m.h"));
	assert_line(f, 1, "m1");
	assert_int_equal(change_flags(f->inbox, uid_at(f->inbox, 0), MAILDIR_SEEN, 0, 0, 0), -1);
	assert_int_equal(errno, EXDEV);
	cross_fails = 0;
	sync_inbox(f, 1);
	assert_false(exists(f, "new/1001.m.h"));
	assert_line(f, 1, "m1");
}

/* One file with two names, as one who died between link and unlink leaves it. */
static void
hard_links_are_one_message(void **state)
{
	struct fixture *f = *state;

	put(f, "new/1001.m.h", "m1\n");
	assert_int_equal(linkat(f->fd, "new/1001.m.h", f->fd, "cur/1001.m.h:2,", 0), 0);
	assert_int_equal(linkat(f->fd, "new/1001.m.h", f->fd, "cur/1001.m.h:2,F", 0), 0);
	put(f, "new/1002.m.h", "m2\n");
	sync_inbox(f, 2);
	assert_true(exists(f, "new/1001.m.h") && exists(f, "cur/1001.m.h:2,"));
	/* The other program goes on, whichever name it unlinks. */
	unlinkat(f->fd, "cur/1001.m.h:2,", 0);
	assert_line(f, 1, "m1");
	sync_inbox(f, 2);
	assert_int_equal(change_flags(f->inbox, uid_at(f->inbox, 0), MAILDIR_FLAGGED, 0, 0, 0), 0);
	assert_line(f, 1, "m1");
	sync_inbox(f, 2);
	assert_int_equal(maildir_remove(f->inbox, uid_at(f->inbox, 0)), 0);
	assert_false(exists(f, "new/1001.m.h"));
	assert_false(exists(f, "cur/1001.m.h:2,F"));
	sync_inbox(f, 1);
	assert_line(f, 2, "m2");
}

static void
test_req33_missing_once_is_not_expunged(void **state)
{
	struct fixture *f = *state;

	five(f);
	put(f, "new/2000.x", "x\n"); /* so that there is something to do */
	assert_int_equal(utimensat(f->fd, "cur", NULL, 0), 0);
	miss_name = "1003";
	miss_times = 1;
	sync_inbox(f, 6);
	assert_line(f, 3, "m3");
	assert_int_equal(miss_times, 0);
	/* By another session, which does not know it yet. */
	fixture_reopen(f);
	assert_int_equal(utimensat(f->fd, "cur", NULL, 0), 0);
	miss_times = 1;
	sync_inbox(f, 6);
	assert_int_equal(miss_times, 0);
	assert_line(f, 3, "m3");
	assert_line(f, 6, "x");
}

/* Something is renamed during each pass, so that each may miss a file: nobody is sent away. */
static void
test_req33_directory_that_never_stands_still(void **state)
{
	struct fixture *f = *state;
	char cur[100];

	five(f);
	snprintf(cur, sizeof(cur), "%s/cur", f->path);
	put(f, "cur/3000.x:2,", "x\n");
	miss_name = "1003";
	miss_times = -1;
	while_dir = cur;
	while_old = "3000.x:2,";
	while_new = "3000.x:2,S";
	while_toggles = true;
	sync_inbox(f, 6);
	assert_line(f, 3, "m3");
	/* One who opens the folder now has the message from the index. */
	fixture_reopen(f);
	sync_inbox(f, 6);
	/* Without that he does not know it, but its UID stays taken. */
	unlinkat(f->fd, "sallyport.index", 0);
	fixture_reopen(f);
	sync_inbox(f, 5);
	assert_true(index_of(f, 3) == SIZE_MAX);
	calls_reset();
	sync_inbox(f, 6);
	assert_line(f, 3, "m3");
	assert_line(f, 6, "x");
}

/* Renamed in the middle of the scan: seen under both names, or neither. */
static void
test_req33_renamed_while_scanning(void **state)
{
	struct fixture *f = *state;
	char cur[100];

	five(f);
	snprintf(cur, sizeof(cur), "%s/cur", f->path);
	put(f, "cur/2000.marker:2,", "x\n");
	sync_inbox(f, 6);
	miss_name = "2000.marker";
	for (int i = 1; i <= 5; i++) {
		char old[40], new[40];

		snprintf(old, sizeof(old), "100%d.m.h:2,", i);
		snprintf(new, sizeof(new), "100%d.m.h:2,S", i);
		miss_times = 1;
		while_dir = cur;
		while_old = old;
		while_new = new;
		/* A directory that did not change would not be read. */
		assert_int_equal(utimensat(f->fd, "cur", NULL, 0), 0);
		sync_inbox(f, 6);
		assert_int_equal(miss_times, 0);
		while_dir = NULL;
		sync_inbox(f, 6);
	}
	calls_reset();
	sync_inbox(f, 6);
	for (uint32_t uid = 1; uid <= 5; uid++) {
		char line[10];

		snprintf(line, sizeof(line), "m%u", uid);
		assert_line(f, uid, line);
		assert_int_equal(message_at(f->inbox, index_of(f, uid)).flags, MAILDIR_SEEN);
	}
}

static void
test_req33_gone_after_two_passes(void **state)
{
	struct fixture *f = *state;

	five(f);
	unlinkat(f->fd, "cur/1002.m.h:2,", 0);
	sync_inbox(f, 4);
	assert_true(index_of(f, 2) == SIZE_MAX);
	assert_agrees(f);
	/* It comes back, as from a backup: it is the same message. */
	put(f, "cur/1002.m.h:2,RS", "m2\n");
	sync_inbox(f, 5);
	assert_line(f, 2, "m2");
	assert_int_equal(maildir_uidnext(f->inbox), 6);
	/* Other mail meanwhile never gets its UID. */
	unlinkat(f->fd, "cur/1005.m.h:2,", 0);
	put(f, "new/3000.x", "x\n");
	sync_inbox(f, 5);
	assert_line(f, 6, "x");
	assert_agrees(f);
}

static void
dead_lines_are_dropped_when_many(void **state)
{
	struct fixture *f = *state;
	char name[40], *text;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "cur/%d.m:2,", 1000 + i);
		put(f, name, "x\n");
	}
	sync_inbox(f, 300);
	for (int i = 0; i < 290; i++) {
		snprintf(name, sizeof(name), "cur/%d.m:2,", 1000 + i + 5);
		unlinkat(f->fd, name, 0);
	}
	sync_inbox(f, 10);
	text = get(f, "dovecot-uidlist");
	assert_null(strstr(text, ":1010.m\n"));
	assert_non_null(strstr(text, ":1004.m\n"));
	assert_non_null(strstr(text, " N301 "));
	free(text);
	put(f, "cur/1010.m:2,", "back\n");
	sync_inbox(f, 11);
	assert_line(f, 301, "back");
}

/* What has UIDs is served, what has none waits. */
static void
assert_waits(struct fixture *f, uint32_t validity)
{
	char *before = get(f, "dovecot-uidlist"), *after;

	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(maildir_look_again(f->inbox) > 0);
	calls_reset();
	assert_int_equal(maildir_count(f->inbox), 5);
	assert_int_equal(maildir_uidnext(f->inbox), 6);
	assert_int_equal(maildir_uidvalidity(f->inbox), validity);
	assert_uidl(f, 0, "");
	after = get(f, "dovecot-uidlist");
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_false(exists(f, "dovecot-uidlist.lock"));
}

static void
mend04_full_disk(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;

	five(f);
	validity = maildir_uidvalidity(f->inbox);
	put(f, "new/2000.x", "x\n");
	put(f, "new/2001.y", "y\n");
	write_fails = ENOSPC;
	assert_waits(f, validity);
	/* Full in the middle of the lines, after the lock file. */
	for (size_t room = 20; room < 50; room++) {
		write_fails = ENOSPC;
		write_short = room;
		assert_int_equal(maildir_sync(f->inbox), 0);
		if (maildir_count(f->inbox) != 5)
			break;
		calls_reset();
		write_fails = ENOSPC;
		assert_waits(f, validity);
	}
	calls_reset();
	fsync_fails = EDQUOT;
	if (maildir_count(f->inbox) == 5)
		assert_waits(f, validity);
	calls_reset();
	sync_inbox(f, 7);
	assert_line(f, 6, "x");
	assert_line(f, 7, "y");
	assert_int_equal(maildir_uidvalidity(f->inbox), validity);
	assert_agrees(f);
}

/* Where the whole file has to be written. */
static void
test_req34_full_disk_on_rewrite(void **state)
{
	struct fixture *f = *state;

	put(f, "new/2000.x", "x\n");
	write_fails = ENOSPC;
	assert_int_equal(maildir_sync(f->inbox), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(maildir_count(f->inbox), 0);
	/* The lock file, dovecot-uidvalidity and the list itself take about 90 octets. */
	for (size_t room = 0; room < 60; room += 5) {
		write_fails = ENOSPC;
		write_short = room;
		assert_int_equal(maildir_sync(f->inbox), -1);
		assert_int_equal(maildir_count(f->inbox), 0);
	}
	calls_reset();
	fsync_fails = EIO;
	assert_int_equal(maildir_sync(f->inbox), -1);
	assert_int_equal(errno, EIO);
	calls_reset();
	sync_inbox(f, 1);
	assert_line(f, 1, "x");
}

static void
test_req34_uids_are_on_disk_first(void **state)
{
	struct fixture *f = *state;
	unsigned before = fsyncs;

	five(f);
	assert_true(fsyncs > before);
	before = fsyncs;
	put(f, "new/2000.x", "x\n");
	sync_inbox(f, 6);
	assert_true(fsyncs > before);
	/* A line whose writer may have died before its fsync. */
	put(f, "cur/2001.y:2,", "y\n");
	{
		int fd = openat(f->fd, "dovecot-uidlist", O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_int_equal(write(fd, "7 :2001.y\n", 10), 10);
		close(fd);
	}
	fsync_fails = EIO;
	assert_int_equal(maildir_sync(f->inbox), -1);
	fsync_fails = 0;
	before = fsyncs;
	sync_inbox(f, 7);
	assert_true(fsyncs > before);
}

/* All mail is there, under a higher UIDVALIDITY than any before. */
static void
assert_renumbered(struct fixture *f, size_t count, uint32_t *validity)
{
	sync_inbox(f, count);
	assert_true(maildir_uidvalidity(f->inbox) > *validity);
	*validity = maildir_uidvalidity(f->inbox);
	assert_int_equal(uid_at(f->inbox, 0), 1);
	assert_int_equal(maildir_uidnext(f->inbox), count + 1);
	assert_agrees(f);
}

static void
test_req35_lost_or_damaged(void **state)
{
	static const char *const texts[] = {
	    "",
	    "garbage",
	    "3 V1 N1 Gf2606f033216016bfa33000083ecc375\n",
	    "3 V4000000000 N3 Gf2606f033216016bfa33000083ecc375\n2 :1001.m.h\n1 :1002.m.h\n",
	    "3 V4000000001 N3 Gf2606f033216016bfa33000083ecc375\n1 :1001.m.h\n1 :1002.m.h\n",
	    "3 V40000",
	};
	struct fixture *f = *state;
	uint32_t validity;

	five(f);
	validity = maildir_uidvalidity(f->inbox);
	for (size_t i = 0; i < COUNT(texts) * 2; i++) {
		put(f, "dovecot-uidlist", texts[i / 2]);
		if (i % 2)
			fixture_reopen(f); /* only the record knows */
		f->notices = 0;
		assert_renumbered(f, 5, &validity);
		assert_true(f->notices > 0);
	}
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_renumbered(f, 5, &validity);
	unlinkat(f->fd, "dovecot-uidlist", 0);
	fixture_reopen(f);
	assert_renumbered(f, 5, &validity);
	/* Our record is gone as well: dovecot-uidvalidity still knows. */
	unlinkat(f->fd, "dovecot-uidlist", 0);
	unlinkat(f->fd, "sallyport.lock", 0);
	fixture_reopen(f);
	assert_renumbered(f, 5, &validity);
	/* It is no file at all. */
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "dovecot-uidlist"), 0);
	assert_renumbered(f, 5, &validity);
}

/* --- cut, or with a hole --- */

enum with { WITH_ALL, WITH_RECORD, WITH_NOTHING };

/* As it was: seven messages, of which the header knows five, and what is known beside the uidlist. */
static void
undamaged(struct fixture *f, const char *text, enum with with)
{
	static const char *const known[] = {
	    "sallyport.lock", "sallyport.index", "sallyport.log", "sallyport.texts"};

	fixture_close(f);
	for (size_t i = 0; i < COUNT(known); i++)
		unlinkat(f->fd, known[i], 0);
	put(f, "dovecot-uidlist", text);
	fixture_open(f);
	sync_inbox(f, 7);
	assert_int_equal(uid_at(f->inbox, 6), 7);
	fixture_close(f);
	for (size_t i = with == WITH_NOTHING ? 0 : 1; with != WITH_ALL && i < COUNT(known); i++)
		unlinkat(f->fd, known[i], 0);
}

/* How many lines of the text are whole up to there, without the header. */
static uint32_t
whole_lines(const char *text, size_t len)
{
	uint32_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	return count - 1;
}

/* Messages whose lines are whole keep their UIDs; the others have UIDs that were never told. */
static void
assert_kept(struct fixture *f, uint32_t before, uint32_t after)
{
	fixture_open(f);
	f->notices = 0;
	sync_inbox(f, 7);
	for (uint32_t i = 1; i <= 7; i++) {
		char text[3] = {i <= 5 ? 'm' : i == 6 ? 'x' : 'y', i <= 5 ? (char)('0' + i) : '\0'};
		size_t place = i <= before ? i - 1 : after > 0 && i >= after ? 99 : 98;
		uint32_t uid = 0;

		for (size_t at = 0; at < 7; at++) {
			char *line = first_line(f, at);

			if (strcmp(line, text) == 0)
				uid = uid_at(f->inbox, at);
			free(line);
		}
		if (place == 98)
			assert_true(uid > 7);
		else
			assert_int_equal(uid, i);
	}
	assert_agrees(f);
}

static char *
seven(struct fixture *f)
{
	five(f);
	put(f, "new/2000.x", "x\n");
	sync_inbox(f, 6);
	put(f, "new/2001.y", "y\n");
	sync_inbox(f, 7);
	return get(f, "dovecot-uidlist");
}

/*
 * The end is cut off, at a line or within; what is known beside the file is there, or the record alone, or
 * nothing.  A whole but shorter file may be an old one: then the index must vouch for it.
 */
static void
mend08_cut_anywhere(void **state)
{
	struct fixture *f = *state;
	char *text = seven(f);
	size_t size = strlen(text), header = (size_t)(strchr(text, '\n') + 1 - text);
	uint32_t validity = maildir_uidvalidity(f->inbox);

	for (int with = WITH_ALL; with <= WITH_NOTHING; with++) {
		for (size_t len = header; len < size; len++) {
			bool whole = text[len - 1] == '\n';

			if (whole && with == WITH_NOTHING)
				continue;
			undamaged(f, text, (enum with)with);
			put_bytes(f, "dovecot-uidlist", text, len);
			if (whole && with == WITH_RECORD && len > header) {
				fixture_open(f);
				sync_inbox(f, 7);
				assert_true(maildir_uidvalidity(f->inbox) > validity);
				continue;
			}
			assert_kept(f, whole_lines(text, len), 0);
			assert_int_equal(maildir_uidvalidity(f->inbox), validity);
			assert_true(f->notices > 0);
		}
	}
	free(text);
}

/* NULs where pages were not written, or an empty line: a few octets anywhere, or all up to the end. */
static void
mend08_holes(void **state)
{
	struct fixture *f = *state;
	char *text = seven(f), *damaged = malloc(strlen(text) + 1);
	size_t size = strlen(text), header = (size_t)(strchr(text, '\n') + 1 - text);
	uint32_t validity = maildir_uidvalidity(f->inbox);

	srand(8);
	for (int i = 0; i < 200; i++) {
		size_t from = header + (size_t)rand() % (size - header);
		size_t to = i % 3 == 0 ? size : from + 1 + (size_t)rand() % 30;
		size_t end;

		if (to > size)
			to = size;
		undamaged(f, text, (enum with)(i % 3));
		memcpy(damaged, text, size);
		memset(damaged + from, i % 4 == 3 ? '\n' : '\0', to - from);
		put_bytes(f, "dovecot-uidlist", damaged, size);
		fixture_open(f);
		sync_inbox(f, 7);
		if (maildir_uidvalidity(f->inbox) != validity) {
			/* Newlines in a number may leave the end of it, as a UID that falls. */
			assert_int_equal(i % 4, 3);
			continue;
		}
		fixture_close(f);
		for (end = to + 1; end < size && text[end - 1] != '\n'; end++)
			;
		if (i % 4 != 3)
			assert_kept(f, whole_lines(text, from), whole_lines(text, end) + 1);
		else
			fixture_open(f);
	}
	free(damaged);
	free(text);
}

static void
append_one(struct fixture *f)
{
	const struct maildir_label label = {.date = 1234567890};
	struct maildir_delivery *delivery;
	const uint32_t *uids;
	uint32_t validity;

	assert_int_equal(maildir_delivery_begin(f->inbox, &delivery), 0);
	assert_int_equal(maildir_delivery_message(delivery, &label), 0);
	assert_int_equal(maildir_delivery_write(delivery, "x\r\n", 3), 0);
	assert_int_equal(maildir_delivery_commit(delivery, &validity, &uids), 0);
	maildir_delivery_end(&delivery);
}

/* A list that was to be written anew, and could not, is not appended to later: its last line has no end. */
static void
mend08_cut_while_the_disk_is_full(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;

	five(f);
	validity = maildir_uidvalidity(f->inbox);
	for (size_t count = 6; count < 8; count++) {
		char *text = get(f, "dovecot-uidlist"), *cut = NULL;

		assert_true(asprintf(&cut, "%s%u :gone", text, maildir_uidnext(f->inbox)) > 0);
		put(f, "dovecot-uidlist", cut);
		write_fails = ENOSPC;
		sync_inbox(f, count - 1);
		calls_reset();
		if (count == 6)
			put(f, "new/2000.x", "x\n");
		else
			append_one(f);
		sync_inbox(f, count);
		assert_int_equal(maildir_uidvalidity(f->inbox), validity);
		assert_agrees(f);
		free(text);
		free(cut);
		text = get(f, "dovecot-uidlist");
		assert_null(strstr(text, "gone"));
		free(text);
	}
}

/* In another user's directory a list that cannot be read is his, and stays: else both would renumber in turn. */
static void
mend30_list_of_whom_the_directory_is(void **state)
{
	struct fixture *f = *state;
	char *before, *after;
	int r, error;

	if (geteuid() != 0)
		skip();
	five(f);
	before = get(f, "dovecot-uidlist");
	assert_int_equal(fchmod(f->fd, 0777), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(fchmodat(f->fd, i == 0 ? "cur" : "new", 0777, 0), 0);
	assert_int_equal(fchmodat(f->fd, "sallyport.lock", 0666, 0), 0);
	fixture_close(f);
	assert_int_equal(seteuid(12345), 0);
	fixture_open(f);
	r = maildir_sync(f->inbox);
	error = errno;
	fixture_close(f);
	assert_int_equal(seteuid(0), 0);
	fixture_open(f);
	assert_int_equal(r, -1);
	assert_int_equal(error, EACCES);
	assert_non_null(strstr(f->notice, "dovecot-uidlist cannot be used"));
	after = get(f, "dovecot-uidlist");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* The first is written again over and over by another server, for which one line is always cut. */
static void
mend08_empty_line_and_no_record(void **state)
{
	struct fixture *f = *state;

	five(f);
	for (int i = 1; i < 5; i++) {
		char text[300];

		snprintf(text, sizeof(text),
		    "3 V%d N3 Gf2606f033216016bfa33000083ecc375\n1 :1001.m.h\n\n2 :1002.m.h\n%d",
		    2000000000 + i, 2 + i);
		put(f, "dovecot-uidlist", text);
		fixture_reopen(f);
		sync_inbox(f, 5);
		assert_int_equal(maildir_uidvalidity(f->inbox), 2000000000 + i);
		assert_line(f, 1, "m1");
		assert_line(f, 2, "m2");
		assert_true(uid_at(f->inbox, 2) > 3 + (uint32_t)i);
		assert_agrees(f);
	}
}

/* More than any folder needs: it must not be read, and nobody is kept out by it. */
static void
test_req35_giant(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;
	int fd;

	five(f);
	validity = maildir_uidvalidity(f->inbox);
	fd = openat(f->fd, "dovecot-uidlist", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)257 * 1024 * 1024), 0);
	close(fd);
	fixture_reopen(f);
	assert_renumbered(f, 5, &validity);
	assert_true(f->notices > 0);
}

/* An older uidlist is put back: UIDs of messages that came later must not be given again. */
static void
test_req35_restored_from_backup(void **state)
{
	struct fixture *f = *state;
	uint32_t validity;
	char *text, longer[600];

	five(f);
	validity = maildir_uidvalidity(f->inbox);
	text = get(f, "dovecot-uidlist");
	put(f, "new/2000.x", "x\n");
	sync_inbox(f, 6);
	put(f, "dovecot-uidlist", text);
	fixture_reopen(f);
	sync_inbox(f, 6);
	assert_int_equal(maildir_uidvalidity(f->inbox), validity);
	assert_line(f, 5, "m5");
	assert_line(f, 7, "x");
	/* Another server has gone on from it: 6 was another message's. */
	put(f, "cur/2001.y:2,", "y\n");
	sync_inbox(f, 7);
	snprintf(longer, sizeof(longer), "%s6 :2001.y\n", text);
	put(f, "dovecot-uidlist", longer);
	fixture_reopen(f);
	assert_renumbered(f, 7, &validity);
	/* Without the index nobody knows whether that was so. */
	put(f, "dovecot-uidlist", text);
	unlinkat(f->fd, "sallyport.index", 0);
	fixture_reopen(f);
	assert_renumbered(f, 7, &validity);
	free(text);
}

/* Saved UIDLs outlive the damage: clients need not fetch all mail again. */
static void
test_req35_damage_keeps_uidls(void **state)
{
	struct fixture *f = *state;

	five(f);
	put(f, "dovecot-uidlist", "3 V1 N1\n1 Pone :1001.m.h\n!!!\n4 Pfour O2 S3 W4 :1004.m.h\n");
	sync_inbox(f, 5);
	assert_uidl(f, 0, "one");
	assert_uidl(f, 1, "");
	assert_uidl(f, 3, "four");
	fixture_reopen(f);
	sync_inbox(f, 5);
	assert_uidl(f, 3, "four");
}

/* The clock was ahead once: what it gave then is not undercut. */
static void
test_req35_clock_goes_back(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;
	uint32_t validity = 0;

	put(f, "dovecot-uidvalidity", "f0000000");
	put(f, "dovecot-uidvalidity.f0000005", "");
	sync_inbox(f, 0);
	assert_int_equal(maildir_uidvalidity(f->inbox), 0xf0000006);
	assert_true(exists(f, "dovecot-uidvalidity.f0000006"));
	assert_false(exists(f, "dovecot-uidvalidity.f0000005"));
	/* Folders made in one second differ, also one that is made again. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
		assert_int_equal(maildir_folder_open(f->md, "Sub", &folder), 0);
		assert_int_equal(maildir_sync(folder), 0);
		assert_true(maildir_uidvalidity(folder) > validity);
		validity = maildir_uidvalidity(folder);
		maildir_folder_close(&folder);
		assert_int_equal(renameat(f->fd, ".Sub", f->fd,
				     i == 0   ? "x0"
				     : i == 1 ? "x1"
					      : "x2"),
		    0);
	}
}

/* A process was killed while it appended: no line is left half, and no UID is given that it may have told. */
static void
test_req36_torn_append_is_cut(void **state)
{
	static const char *const tails[] = {"6 :20", "7 :20", "7", "1", "7 ", "8 :2001.y"};
	struct fixture *f = *state;
	uint32_t validity, next;
	char *text;
	int fd;

	five(f);
	validity = maildir_uidvalidity(f->inbox);
	for (size_t i = 0; i < COUNT(tails); i++) {
		char name[20];

		next = maildir_uidnext(f->inbox);
		snprintf(name, sizeof(name), "new/200%zu.x", i);
		put(f, name, "x\n");
		fd = openat(f->fd, "dovecot-uidlist", O_WRONLY | O_APPEND | O_CLOEXEC);
		assert_int_equal(write(fd, tails[i], strlen(tails[i])), strlen(tails[i]));
		close(fd);
		fixture_reopen(f);
		sync_inbox(f, 6);
		assert_true(uid_at(f->inbox, 5) > next && uid_at(f->inbox, 5) > 8);
		assert_line(f, uid_at(f->inbox, 5), "x");
		assert_int_equal(maildir_uidvalidity(f->inbox), validity);
		assert_int_equal(maildir_remove(f->inbox, uid_at(f->inbox, 5)), 0);
		text = get(f, "dovecot-uidlist");
		assert_int_equal(text[strlen(text) - 1], '\n');
		free(text);
	}
	assert_agrees(f);
}

static void
uids_run_out(void **state)
{
	struct fixture *f = *state;
	uint32_t validity = 1000;

	put(f, "cur/1.a:2,", "a\n");
	put(f, "cur/2.b:2,", "b\n");
	put(f, "dovecot-uidlist",
	    "3 V1000 N4294967293 Gf2606f033216016bfa33000083ecc375\n4294967293 :1.a\n");
	sync_inbox(f, 2);
	assert_int_equal(uid_at(f->inbox, 1), 4294967294);
	assert_int_equal(maildir_uidvalidity(f->inbox), 1000);
	put(f, "cur/3.c:2,", "c\n");
	assert_renumbered(f, 3, &validity);
}

/* Two lines of one name, which Dovecot writes for one that came back: the later counts. */
static void
doubled_lines(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.a:2,", "a\n");
	put(f, "cur/2.b:2,", "b\n");
	put(f, "dovecot-uidlist",
	    "3 V1000 N4 Gf2606f033216016bfa33000083ecc375\n1 :1.a\n2 :2.b\n3 :1.a\n");
	sync_inbox(f, 2);
	assert_line(f, 2, "b");
	assert_line(f, 3, "a");
	assert_int_equal(maildir_uidvalidity(f->inbox), 1000);
}

/* --- changes of ours --- */

static void
flags_through_renames(void **state)
{
	struct fixture *f = *state;

	five(f);
	rename_file(f, "cur/1001.m.h:2,", "cur/1001.m.h:2,RXa");
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, MAILDIR_FLAGGED, 2, 0), 0);
	assert_true(exists(f, "cur/1001.m.h:2,RSXab"));
	assert_int_equal(message_at(f->inbox, 0).flags, MAILDIR_REPLIED | MAILDIR_SEEN);
	assert_int_equal(message_at(f->inbox, 0).keywords, 3);
	/* What we think is so is not so any more. */
	rename_file(f, "cur/1001.m.h:2,RSXab", "cur/1001.m.h:2,");
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_true(exists(f, "cur/1001.m.h:2,S"));
	rename_file(f, "cur/1002.m.h:2,", "new/1002.m.h");
	assert_int_equal(change_flags(f->inbox, 2, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_true(exists(f, "cur/1002.m.h:2,S"));
	unlinkat(f->fd, "cur/1003.m.h:2,", 0);
	assert_int_equal(change_flags(f->inbox, 3, MAILDIR_SEEN, 0, 0, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(change_flags(f->inbox, 4, 0, 0, 0, 0), 0);
	assert_true(exists(f, "cur/1004.m.h:2,"));
	sync_inbox(f, 4);
}

static void
remove_through_renames(void **state)
{
	struct fixture *f = *state;

	five(f);
	assert_int_equal(maildir_remove(f->inbox, 1), 0);
	assert_false(exists(f, "cur/1001.m.h:2,"));
	rename_file(f, "cur/1002.m.h:2,", "cur/1002.m.h:2,S");
	assert_int_equal(maildir_remove(f->inbox, 2), 0);
	assert_false(exists(f, "cur/1002.m.h:2,S"));
	rename_file(f, "cur/1003.m.h:2,", "new/1003.m.h");
	assert_int_equal(maildir_remove(f->inbox, 3), 0);
	assert_false(exists(f, "new/1003.m.h"));
	unlinkat(f->fd, "cur/1004.m.h:2,", 0);
	assert_int_equal(maildir_remove(f->inbox, 4), 0);
	assert_int_equal(maildir_remove(f->inbox, 4), 0);
	sync_inbox(f, 1);
	assert_line(f, 5, "m5");
}

/* A removal that the system refuses is told (REQUIREMENTS 39: QUIT answers -ERR). */
static void
test_req39_failed_removal_is_told(void **state)
{
	struct fixture *f = *state;

	five(f);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	unlinkat(f->fd, "cur/1001.m.h:2,", 0);
	assert_int_equal(mkdirat(f->fd, "cur/1001.m.h:2,", 0700), 0);
	assert_int_equal(maildir_remove(f->inbox, 1), -1);
	assert_int_equal(maildir_remove(f->inbox, 2), 0);
	assert_int_equal(maildir_change_end(f->inbox), 0);
}

static void
folder_goes_away(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;

	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	put(f, ".Sub/new/1.a", "a\n");
	assert_int_equal(maildir_folder_open(f->md, "Sub", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	unlinkat(f->fd, ".Sub/cur/1.a:2,", 0);
	assert_int_equal(unlinkat(f->fd, ".Sub/cur", AT_REMOVEDIR), 0);
	assert_int_equal(maildir_sync(folder), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildir_count(folder), 1);
	maildir_folder_close(&folder);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(empty),
	    WITH(new_mail_in_order_of_delivery),
	    WITH(flags_keep_the_uid),
	    WITH(pop3_fields),
	    WITH(lines_of_others),
	    WITH(old_format_and_no_guid),
	    WITH(unchanged_folder),
	    WITH(recent_is_told_once),
	    WITH(recent_without_record),
	    WITH(find_by_uid),
	    WITH(dates_through_renames),
	    WITH(odd_names_are_told_once),
	    WITH(test_req31_bad_files_cost_only_themselves),
	    WITH(test_req32_same_base_in_new_and_cur),
	    WITH(test_req32_same_base_twice_in_cur),
	    WITH(test_req32_flags_never_replace),
	    WITH(test_req32_without_rename_noreplace),
	    WITH(served_from_new),
	    WITH(hard_links_are_one_message),
	    WITH(test_req33_missing_once_is_not_expunged),
	    WITH(test_req33_directory_that_never_stands_still),
	    WITH(test_req33_renamed_while_scanning),
	    WITH(test_req33_gone_after_two_passes),
	    WITH(dead_lines_are_dropped_when_many),
	    WITH(mend04_full_disk),
	    WITH(test_req34_full_disk_on_rewrite),
	    WITH(test_req34_uids_are_on_disk_first),
	    WITH(test_req35_lost_or_damaged),
	    WITH(mend08_cut_anywhere),
	    WITH(mend08_holes),
	    WITH(mend08_cut_while_the_disk_is_full),
	    WITH(mend30_list_of_whom_the_directory_is),
	    WITH(mend08_empty_line_and_no_record),
	    WITH(test_req35_giant),
	    WITH(test_req35_restored_from_backup),
	    WITH(test_req35_damage_keeps_uidls),
	    WITH(test_req35_clock_goes_back),
	    WITH(test_req36_torn_append_is_cut),
	    WITH(uids_run_out),
	    WITH(doubled_lines),
	    WITH(flags_through_renames),
	    WITH(remove_through_renames),
	    WITH(test_req39_failed_removal_is_told),
	    WITH(folder_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
