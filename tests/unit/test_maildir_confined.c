/*
 * test_maildir_confined.c: all of the library inside a Landlock domain of the one Maildir and a short
 * list of system calls, as a session runs it.  The list below is what maildir/ needs.
 */
#include "maildir_fixture.h"

#include "maildir/folder/deliver.h"
#include "maildir/folder/watch.h"
#include "maildir/tree/tree.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Since Linux 5.19; headers may be older than the kernel. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif

/* The sanitizers make calls of their own. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
static const int calls[] = {
    /* files */
    SYS_openat,
    SYS_close,
    SYS_read,
    SYS_pread64,
    SYS_write,
    SYS_pwrite64,
    SYS_getdents64,
    SYS_newfstatat,
    SYS_faccessat,
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
    SYS_fstat,
    SYS_fcntl,
    SYS_fsync,
    SYS_flock,
    SYS_ftruncate,
    SYS_fchmod,
    SYS_fchown,
    SYS_utimensat,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_fstatfs,
    /* names */
    SYS_renameat2,
    SYS_renameat,
    SYS_linkat,
    SYS_unlinkat,
    SYS_mkdirat,
    /* whether the holder of dovecot-uidlist.lock lives (signal 0) */
    SYS_kill,
    SYS_getpid,
    SYS_getegid,
    /* time and random numbers; where the vdso has the clock it is no call */
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_getrandom,
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    /* SIGBUS, when a mapped file is cut short */
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    /* the end of this test */
    SYS_exit_group,
#ifdef SYS_mkdir /* older architectures have it besides mkdirat: maildir_create */
    SYS_mkdir,
    SYS_time,
    SYS_gettimeofday,
#endif
};
#endif

static int
confine_files(const char *path)
{
	struct landlock_ruleset_attr rules = {0};
	struct landlock_path_beneath_attr below = {0};
	int abi =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int fd;

	if (abi < 1)
		return 1;
	rules.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				  LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				  LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
				  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
				  LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
				  LANDLOCK_ACCESS_FS_MAKE_SYM;
	if (abi >= 2)
		rules.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	below.allowed_access = rules.handled_access_fs &
			       (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
				   LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
				   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER);
	below.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0 || below.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -1;
	close(fd);
	close(below.parent_fd);
	return 0;
}

static int
confine_calls(void)
{
#ifdef SANITIZED
	return 0;
#else
	struct sock_filter code[COUNT(calls) + 6];
	struct sock_fprog program = {.filter = code};
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT(calls); i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    (unsigned)calls[i], (unsigned char)(COUNT(calls) - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
}

static bool
count_folders(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return true;
}

static bool
count_uses(void *ctx, const char *use, const char *name)
{
	(void)use;
	return count_folders(ctx, name);
}

#define MUST(condition)                                                                            \
	if (!(condition))                                                                          \
	return __LINE__

/* What IMAP needs besides. */
static int
use_more(struct fixture *f, struct maildir_folder *sub)
{
	const struct maildir_label label = {MAILDIR_SEEN, 1, 1000000000};
	struct maildir_delivery *delivery;
	struct maildir_watch *watch = NULL;
	struct maildir_reader *reader;
	const uint32_t *uids;
	uint32_t validity, from;
	int count = 0;
	time_t date;

	MUST(maildir_watch_open(sub, &watch) == 0 && maildir_watch_fd(watch) >= 0);
	MUST(!maildir_watch_take(watch));
	MUST(maildir_delivery_begin(sub, &delivery) == 0);
	MUST(maildir_delivery_message(delivery, &label) == 0);
	MUST(maildir_delivery_write(delivery, "a\r\n", 3) == 0);
	MUST(maildir_delivery_copy(delivery, f->inbox, uid_at(f->inbox, 0), 0) == 0);
	MUST(maildir_delivery_commit(delivery, &validity, &uids) == 0 && uids[1] == 2);
	maildir_delivery_end(&delivery);
	MUST(maildir_watch_take(watch));
	maildir_watch_pause(watch);
	maildir_watch_close(&watch);
	MUST(maildir_date(sub, uid_at(sub, 0), &date) == 0 && date == 1000000000);
	MUST(maildir_recent(sub, &from) == 0 && from == 1);
	MUST(maildir_claim_recent(sub, &from) == 0 && from == 1);
	MUST(maildir_reader_open(sub, uid_at(sub, 0), &reader) == 0);
	MUST(maildir_reader_skip(reader, 2) == 0);
	maildir_reader_close(&reader);
	MUST(maildir_subscribe(f->md, "Sub", true) == 0);
	MUST(maildir_subscriptions(f->md, count_folders, &count) == 0 && count == 1);
	MUST(maildir_special_use_set(f->md, "\\Sent", "Sub") == 0);
	MUST(maildir_special_uses(f->md, count_uses, &count) == 0 && count == 2);
	MUST(maildir_folder_rename(f->md, "Sub", "Sub2") == 0);
	MUST(maildir_folder_exists(f->md, "Sub2"));
	MUST(maildir_folder_delete(f->md, "Sub2") == 0);
	MUST(maildir_folder_rename(f->md, "INBOX", "Old") == 0);
	MUST(maildir_sync(f->inbox) == 0 && maildir_count(f->inbox) == 0);
	return 0;
}

/* Everything once.  The line where it fails, or 0. */
static int
use_all(struct fixture *f)
{
	struct maildir_folder *sub;
	struct maildir_reader *reader;
	char text[100];
	uint64_t size;
	bool newline;
	int folders = 0, line;

	MUST(maildir_open(f->path, "test.host", &f->md) == 0);
	MUST(maildir_folder_open(f->md, "INBOX", &f->inbox) == 0);
	MUST(maildir_session_lock(f->inbox) == 0);
	MUST(maildir_sync(f->inbox) == 0 && maildir_count(f->inbox) == 4);
	for (size_t i = 0; i < 4; i++)
		MUST(
		    maildir_size(f->inbox, uid_at(f->inbox, i), &size, &newline) == 0 && size == 4);
	MUST(maildir_reader_open(f->inbox, uid_at(f->inbox, 0), &reader) == 0);
	MUST(maildir_reader_read(reader, text, sizeof(text)) == 4);
	maildir_reader_close(&reader);
	MUST(change_flags(f->inbox, uid_at(f->inbox, 0), MAILDIR_SEEN, 0, 1, 0) == 0);
	MUST(maildir_keyword_make(f->inbox, "word") >= 0);
	MUST(maildir_remove(f->inbox, uid_at(f->inbox, 1)) == 0);
	MUST(maildir_sync(f->inbox) == 0 && maildir_count(f->inbox) == 3);
	MUST(maildir_folder_create(f->md, "Sub") == 0);
	MUST(maildir_folders(f->md, count_folders, &folders) == 0 && folders == 2);
	MUST(maildir_folder_open(f->md, "Sub", &sub) == 0 && maildir_sync(sub) == 0);
	line = use_more(f, sub);
	if (line != 0)
		return line;
	maildir_folder_close(&sub);
	MUST(maildir_create(f->path) == 0);
	maildir_folder_close(&f->inbox);
	maildir_close(&f->md);
	return 0;
}

static void
everything_confined(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	put(f, "new/1.a", "a\n.");
	put(f, "new/2.b", "b\n.");
	put(f, "cur/2.b:2,", "c\n.");
	put(f, "cur/3.c:2,", "d\n.");
	put(f, "dovecot-uidlist.lock", "99999999:test.host"); /* stale: no such process */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int landlock = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

		if (landlock == 0)
			landlock = confine_files(f->path);
		if (landlock < 0 || (landlock == 0 && open("/etc/passwd", O_RDONLY) >= 0) ||
		    confine_calls() < 0)
			_exit(255);
		status = use_all(f);
		_exit(status == 0 ? 0 : status % 254 + 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(everything_confined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
