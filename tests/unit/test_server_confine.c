/*
 * test_server_confine.c: the break-out tests.  A child confines itself, by one layer alone or by all
 * of a role, and then tries what an intruder would.  Each attempt must fail there, and must succeed
 * in a child that is not confined: so the test can tell.
 *
 * With a sanitizer the seccomp filter answers EPERM instead of killing.
 */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "maildir/base/buf.h"
#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/privdrop.h"

enum {
	TEST_UID = 61234, /* nobody's; used when the test runs as root */
	MEMORY = 64 << 20,
};

/* What a child may be confined by. */
enum layer {
	NOTHING,
	IDENTITY, /* privdrop_become alone */
	ENTERED,  /* privdrop_become_user and privdrop_enter of a Maildir */
	LANDLOCK_NONE,
	LANDLOCK_PATH,
	SECCOMP_WORKER,
	SECCOMP_KEY,
	SECCOMP_HASH,
	SECCOMP_LOG,
	SECCOMP_READER,
	WHOLE_WORKER, /* as the processes do it */
	WHOLE_KEY,
	WHOLE_HASH,
	WHOLE_LOG,
	WHOLE_READER,
	LAYERS,
};

#define BIT(layer) (1u << (layer))
/* What holds all that names a file outside. */
#define OUTSIDE	  (BIT(ENTERED) | LANDLOCKS | OUTER | WHOLES)
#define LANDLOCKS (BIT(LANDLOCK_NONE) | BIT(LANDLOCK_PATH))
#define OUTER	  (BIT(SECCOMP_WORKER) | BIT(SECCOMP_KEY) | BIT(SECCOMP_HASH) | BIT(SECCOMP_LOG))
#define SECCOMPS  (OUTER | BIT(SECCOMP_READER))
/* A hash may take as much memory as the administrator wants. */
#define BOUNDED (BIT(WHOLE_WORKER) | BIT(WHOLE_KEY) | BIT(WHOLE_LOG) | BIT(WHOLE_READER))
#define WHOLES	(BOUNDED | BIT(WHOLE_HASH))
/* The log process may connect to a syslog daemon. */
#define NO_LOG ~(BIT(SECCOMP_LOG) | BIT(WHOLE_LOG))

static const char *const layer_names[LAYERS] = {"nothing", "identity", "a Maildir as root",
    "Landlock without paths", "Landlock of a Maildir", "seccomp of a worker",
    "seccomp of the key process", "seccomp of a hash", "seccomp of the log process",
    "seccomp of a reader", "all of a worker", "all of the key process", "all of a hash",
    "all of the log process", "all of a reader"};

enum flags {
	NEEDS_ROOT = 1, /* the attempt is root's to make */
	MAY_LACK = 2,	/* this machine may not know the thing at all */
	SAME_UID = 4,	/* the uid alone does not stop it */
	PLAIN_ONLY = 8, /* sanitizers need what is tried */
	NET = 16,	/* Landlock knows of it from ABI 4 on */
	SCOPES = 32,	/* from ABI 6 on */
	FAULTS = 64,	/* it is stopped by SIGSEGV */
};

/*
 * prepare runs in the child before it is confined, and its result is run's argument; run returns -1
 * with errno when it was stopped.
 */
struct attempt {
	const char *name;
	int (*prepare)(void);
	int (*run)(int prepared);
	unsigned stopped; /* by these layers */
	unsigned flags;
};

static char maildir[128], empty[128];
static pid_t victim;

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static bool
is_root(void)
{
	return geteuid() == 0;
}

/* --- files --- */

static int
open_once(const char *path, int flags)
{
	char c;
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd == -1)
		return -1;
	if ((flags & O_ACCMODE) == O_RDONLY && (flags & O_DIRECTORY) == 0)
		(void)!read(fd, &c, 1);
	return close(fd);
}

/* Takes away what an earlier child made. */
static int
clean(void)
{
	static const char *const made[] = {
	    "planted", "anna/cur/stolen", "anna/tmp/new-link", "anna/tmp/fifo", "anna/tmp/setuid"};
	size_t i;

	for (i = 0; i < COUNT(made); i++)
		if (unlink(fixture_path(made[i])) == -1 && errno != ENOENT)
			return -1;
	return 0;
}

static int
read_absolute(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("secret"), O_RDONLY);
}

static int
write_absolute(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("planted"), O_WRONLY | O_CREAT);
}

static int
go_home(void)
{
	return chdir(fixture_dir);
}

static int
go_to_maildir(void)
{
	return chdir(maildir);
}

static int
read_relative(int prepared)
{
	(void)prepared;
	return open_once("secret", O_RDONLY);
}

static int
read_above(int prepared)
{
	(void)prepared;
	return open_once("../secret", O_RDONLY);
}

static int
read_through_dotdot(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("anna/cur/../../secret"), O_RDONLY);
}

static int
read_through_symlink(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("anna/cur/link"), O_RDONLY);
}

static int
write_through_symlink(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("anna/cur/link"), O_WRONLY);
}

static int
open_maildir_fd(void)
{
	return open(maildir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
read_from_a_descriptor(int prepared)
{
	int fd = openat(prepared, "../secret", O_RDONLY | O_CLOEXEC);

	return fd == -1 ? -1 : close(fd);
}

static int
read_passwd(int prepared)
{
	(void)prepared;
	return open_once("/etc/passwd", O_RDONLY);
}

static int
read_others_mail(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("ben/cur/message"), O_RDONLY);
}

static int
list_others_mail(int prepared)
{
	(void)prepared;
	return open_once(fixture_path("ben/cur"), O_RDONLY | O_DIRECTORY);
}

static int
list_the_root(int prepared)
{
	(void)prepared;
	return open_once("/", O_RDONLY | O_DIRECTORY);
}

static int
stat_others_mail(int prepared)
{
	struct stat st;

	(void)prepared;
	return stat(fixture_path("ben/cur/message"), &st);
}

/* A filter that refuses, as with a sanitizer, may stop the instance or the watch. */
static int
watch_others_mail(int prepared)
{
	int fd = inotify_init1(IN_CLOEXEC);

	(void)prepared;
	return fd == -1 ? -1 : inotify_add_watch(fd, fixture_path("ben/cur"), IN_ALL_EVENTS);
}

static int
touch_others_mail(int prepared)
{
	(void)prepared;
	return utimensat(AT_FDCWD, fixture_path("ben/tmp/theirs"), NULL, 0);
}

static int
link_others_mail(int prepared)
{
	(void)prepared;
	return linkat(AT_FDCWD, fixture_path("ben/cur/message"), AT_FDCWD,
	    fixture_path("anna/cur/stolen"), 0);
}

/* A file of that uid, for one attempt. */
static int
put_file(const char *name)
{
	int fd = open(fixture_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || (is_root() && fchown(fd, TEST_UID, TEST_UID) == -1))
		return -1;
	return close(fd);
}

static int
put_mine(void)
{
	return put_file("anna/new/mine");
}

static int
put_theirs(void)
{
	return put_file("ben/tmp/theirs");
}

static int
move_to_others(int prepared)
{
	(void)prepared;
	return renameat(
	    AT_FDCWD, fixture_path("anna/new/mine"), AT_FDCWD, fixture_path("ben/new/gift"));
}

static int
remove_others_mail(int prepared)
{
	(void)prepared;
	return unlinkat(AT_FDCWD, fixture_path("ben/tmp/theirs"), 0);
}

static int
truncate_others_mail(int prepared)
{
	(void)prepared;
	return truncate(fixture_path("ben/tmp/theirs"), 0);
}

static int
chmod_others_mail(int prepared)
{
	(void)prepared;
	return chmod(fixture_path("ben/tmp/theirs"), 0644);
}

static int
make_symlink(int prepared)
{
	(void)prepared;
	return symlink("/etc/passwd", fixture_path("anna/tmp/new-link"));
}

static int
clean_and_open_maildir(void)
{
	return clean() == -1 ? -1 : open_maildir_fd();
}

/* A program that runs as its owner whoever starts it. */
static int
make_setuid(int prepared)
{
	int fd = openat(prepared, "tmp/setuid", O_WRONLY | O_CREAT | O_CLOEXEC, 04755);

	return fd == -1 ? -1 : close(fd);
}

static int
open_my_file(void)
{
	return open(fixture_path("anna/program"), O_RDONLY | O_CLOEXEC);
}

static int
turn_setuid(int prepared)
{
	return fchmod(prepared, 04755);
}

static int
make_fifo(int prepared)
{
	(void)prepared;
	return mkfifo(fixture_path("anna/tmp/fifo"), 0600);
}

static int
read_memory_file(int prepared)
{
	char path[64];

	(void)prepared;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)victim);
	return open_once(path, O_RDONLY);
}

/* --- programs and processes --- */

static int
run_program(const char *path)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL}, *const envp[] = {NULL};

	return execve(path, argv, envp); /* a success ends with status 0 and without a report */
}

static int
run_true(int prepared)
{
	(void)prepared;
	return run_program("/bin/true");
}

static int
run_planted(int prepared)
{
	(void)prepared;
	return run_program(fixture_path("anna/program"));
}

static int
open_true(void)
{
	return open("/bin/true", O_RDONLY | O_CLOEXEC);
}

static int
run_descriptor(int prepared)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL}, *const envp[] = {NULL};

	return (int)syscall(SYS_execveat, prepared, "", argv, envp, AT_EMPTY_PATH);
}

static int
make_memfd(int prepared)
{
	(void)prepared;
	return (int)syscall(SYS_memfd_create, "code", 0);
}

static int
fork_once(int prepared)
{
	pid_t pid = fork();

	(void)prepared;
	if (pid == 0)
		_exit(0);
	return pid == -1 ? -1 : waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static void *
thread(void *arg)
{
	return arg;
}

static int
start_thread(int prepared)
{
	pthread_t id;
	int error = pthread_create(&id, NULL, thread, NULL);

	(void)prepared;
	if (error == 0)
		return pthread_join(id, NULL);
	errno = error;
	return -1;
}

static int
trace(int prepared)
{
	(void)prepared;
	return (int)ptrace(PTRACE_SEIZE, victim, NULL, NULL);
}

static int
read_its_memory(int prepared)
{
	char here[8];
	/* Forked from the same process: what is here is there. */
	struct iovec local = {here, sizeof(here)}, remote = {fixture_dir, sizeof(here)};

	(void)prepared;
	return process_vm_readv(victim, &local, 1, &remote, 1, 0) == sizeof(here) ? 0 : -1;
}

static int
kill_it(int prepared)
{
	(void)prepared;
	return kill(victim, SIGTERM);
}

static int
kill_its_thread(int prepared)
{
	(void)prepared;
	return (int)syscall(SYS_tgkill, victim, victim, SIGTERM);
}

static int
open_pidfd(int prepared)
{
	(void)prepared;
	return (int)syscall(SYS_pidfd_open, victim, 0);
}

/* --- the network --- */

static int
make_inet(int prepared)
{
	(void)prepared;
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
make_inet6(int prepared)
{
	(void)prepared;
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static int
make_unix(int prepared)
{
	(void)prepared;
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
make_netlink(int prepared)
{
	(void)prepared;
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int
make_pair(int prepared)
{
	int pair[2];

	(void)prepared;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static struct sockaddr_in place;

/* A client's socket, and somebody who listens at place. */
static int
listen_on_loopback(void)
{
	socklen_t len = sizeof(place);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	place = (struct sockaddr_in){.sin_family = AF_INET};
	place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&place, sizeof(place)) == -1 ||
	    listen(fd, 1) == -1 || getsockname(fd, (struct sockaddr *)&place, &len) == -1)
		return -1;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
connect_tcp(int prepared)
{
	return connect(prepared, (struct sockaddr *)&place, sizeof(place));
}

static int
bind_tcp(int prepared)
{
	struct sockaddr_in any = {.sin_family = AF_INET};

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return bind(prepared, (struct sockaddr *)&any, sizeof(any));
}

static int
accept_from(int prepared)
{
	return listen(prepared, 1);
}

static struct sockaddr_un abstract;

static int
listen_abstract(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	abstract = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(abstract.sun_path + 1, sizeof(abstract.sun_path) - 1, "sallyport-unit-%d",
	    (int)getpid());
	if (fd == -1 || bind(fd, (struct sockaddr *)&abstract, sizeof(abstract)) == -1 ||
	    listen(fd, 1) == -1)
		return -1;
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
connect_abstract(int prepared)
{
	return connect(prepared, (struct sockaddr *)&abstract, sizeof(abstract));
}

/* --- identity and the kernel --- */

static int
regain_uid(int prepared)
{
	(void)prepared;
	return setuid(0);
}

static int
regain_uids(int prepared)
{
	(void)prepared;
	return setresuid(0, 0, 0);
}

static int
regain_gid(int prepared)
{
	(void)prepared;
	return setgid(0);
}

static int
regain_groups(int prepared)
{
	const gid_t root = 0;

	(void)prepared;
	return setgroups(1, &root);
}

static int
own_mounts(void)
{
	if (!is_root())
		return 0;
	return unshare(CLONE_NEWNS) == 0 ? mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) : -1;
}

static int
mount_something(int prepared)
{
	(void)prepared;
	return mount("none", fixture_path("mnt"), "tmpfs", 0, NULL);
}

static int
new_mounts(int prepared)
{
	(void)prepared;
	return unshare(CLONE_NEWNS);
}

static int
new_users(int prepared)
{
	(void)prepared;
	return unshare(CLONE_NEWUSER);
}

static int
change_root(int prepared)
{
	(void)prepared;
	return chroot(fixture_dir);
}

static int
io_uring(int prepared)
{
	char params[256] = {0};

	(void)prepared;
	return (int)syscall(425 /* io_uring_setup */, 1, params);
}

static int
fault_handler(int prepared)
{
	(void)prepared;
	return (int)syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static int
other_personality(int prepared)
{
	(void)prepared;
	return (int)syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */);
}

static int
get_dumpable(int prepared)
{
	(void)prepared;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int
change_limits(int prepared)
{
	struct rlimit limit;

	(void)prepared;
	if (getrlimit(RLIMIT_CORE, &limit) == -1)
		return -1;
	return setrlimit(RLIMIT_CORE, &limit);
}

#if defined(__x86_64__)
/* The 32-bit door: another table of system calls. 20 is getpid there. */
static int
call_as_i386(int prepared)
{
	long result;

	(void)prepared;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result > 0 ? 0 : -1;
}

static int
call_as_x32(int prepared)
{
	(void)prepared;
	return (int)syscall(0x40000000L | SYS_socket, AF_INET, SOCK_STREAM, 0);
}
#endif

/* --- memory and descriptors --- */

static int
map(size_t size, int prot, int flags, int fd)
{
	return mmap(NULL, size, prot, flags, fd, 0) == MAP_FAILED ? -1 : 0;
}

static int
map_code(int prepared)
{
	(void)prepared;
	return map(4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int
map_code_file(int prepared)
{
	return map(4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, prepared);
}

static int
make_code(int prepared)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)prepared;
	return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int
make_code_by_key(int prepared)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)prepared;
	return page == MAP_FAILED
		   ? -1
		   : (int)syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1);
}

static int
map_too_much(int prepared)
{
	(void)prepared;
	return map(2 * (size_t)MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int
map_too_much_shared(int prepared)
{
	(void)prepared;
	return map(8 * (size_t)MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

/* In small pieces, as a leak does it. */
static int
allocate_too_much(int prepared)
{
	void *volatile piece; /* else clang leaves the call away, and says that there is enough */
	size_t have;

	(void)prepared;
	for (have = 0; have < 2 * (size_t)MEMORY; have += 65536) {
		piece = malloc(65536); /* it lives as long as this child */
		if (piece == NULL)
			return -1;
	}
	return 0;
}

static int
duplicate_many(int prepared)
{
	int i;

	(void)prepared;
	for (i = 0; i < 100; i++)
		if (dup(STDERR_FILENO) == -1)
			return -1;
	return 0;
}

/* A mapping that grows like a stack, which RLIMIT_DATA does not count. */
static int
map_a_stack(int prepared)
{
	(void)prepared;
	return map(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
}

static int
allow_any_stack(void)
{
	struct rlimit limit;

	/* cmocka has a handler. */
	if (signal(SIGSEGV, SIG_DFL) == SIG_ERR || getrlimit(RLIMIT_STACK, &limit) == -1)
		return -1;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_STACK, &limit);
}

/* The stack grows to where it is touched, and RLIMIT_DATA does not count it. */
static int
grow_the_stack(int prepared)
{
	char here;
	volatile char *below = (volatile char *)((uintptr_t)&here - MEMORY / 2);

	(void)prepared;
	*below = 1;
	return 0;
}

/* Pages that are merged with those of others tell by the time of a write what others have. */
static int
merge_pages(int prepared)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)prepared;
	return page == MAP_FAILED ? -1 : madvise(page, 4096, MADV_MERGEABLE);
}

/* An operation of futex(2) that no lock of the C library needs here. */
static int
futex_with_priority(int prepared)
{
	uint32_t word = 0;

	(void)prepared;
	return (int)syscall(SYS_futex, &word, 7 /* FUTEX_UNLOCK_PI */, 0, NULL, NULL, 0) == -1 &&
		       errno != EPERM
		   ? -1
		   : 0;
}

/* --- descriptors as weapons --- */

static int
make_a_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 ? pair[0] : -1;
}

/* Whoever owns a descriptor hears of its events by a signal of choice: also another process. */
static int
own_for_victim(int prepared)
{
	return fcntl(prepared, F_SETOWN, victim);
}

static int
choose_signal(int prepared)
{
	return fcntl(prepared, F_SETSIG, SIGKILL);
}

static int
ask_for_signals(int prepared)
{
	return fcntl(prepared, F_SETFL, O_ASYNC);
}

static int
duplicate(int prepared)
{
	return fcntl(prepared, F_DUPFD_CLOEXEC, 0);
}

/* A named datagram socket that is not connected: made before, so that only the address can stop it. */
static struct sockaddr_un named;

static int
bind_named(void)
{
	int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	named = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(named.sun_path, sizeof(named.sun_path), "%s", fixture_path("socket"));
	(void)unlink(named.sun_path);
	if (to == -1 || bind(to, (struct sockaddr *)&named, sizeof(named)) == -1 ||
	    chmod(named.sun_path, 0666) == -1)
		return -1;
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int
send_to_an_address(int prepared)
{
	return sendto(prepared, "", 1, 0, (struct sockaddr *)&named, sizeof(named)) == 1 ? 0 : -1;
}

static int
pass_a_descriptor(int prepared)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = ""};
	struct iovec iov = {(void *)(uintptr_t) "x", 1};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &prepared, sizeof(int));
	return sendmsg(prepared, &message, 0) == 1 ? 0 : -1;
}

static int
take_a_descriptor(int prepared)
{
	char octet;
	struct iovec iov = {&octet, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	return recvmsg(prepared, &message, MSG_DONTWAIT) == -1 && errno != EAGAIN ? -1 : 0;
}

static const struct attempt attempts[] = {
    {"read_absolute", NULL, read_absolute, OUTSIDE, SAME_UID},
    {"write_absolute", clean, write_absolute, OUTSIDE, SAME_UID},
    {"read_relative", go_home, read_relative, OUTSIDE, SAME_UID},
    {"read_above", go_to_maildir, read_above, OUTSIDE, SAME_UID},
    {"read_through_dotdot", NULL, read_through_dotdot, OUTSIDE, SAME_UID},
    {"read_through_symlink", NULL, read_through_symlink, OUTSIDE, SAME_UID},
    {"write_through_symlink", NULL, write_through_symlink, OUTSIDE, SAME_UID},
    {"read_from_a_descriptor", open_maildir_fd, read_from_a_descriptor, OUTSIDE, SAME_UID},
    {"read_passwd", NULL, read_passwd, OUTSIDE, SAME_UID},
    {"read_others_mail", NULL, read_others_mail, OUTSIDE, SAME_UID},
    {"list_others_mail", NULL, list_others_mail, OUTSIDE, SAME_UID},
    /* The root directory of a reader is its Maildir. */
    {"list_the_root", NULL, list_the_root, LANDLOCKS | OUTER | (WHOLES & ~BIT(WHOLE_READER)),
	SAME_UID},
    /* Landlock knows nothing of these three. */
    {"stat_others_mail", NULL, stat_others_mail, BIT(ENTERED) | OUTER | WHOLES, SAME_UID},
    {"watch_others_mail", NULL, watch_others_mail, BIT(ENTERED) | OUTER | WHOLES, SAME_UID},
    {"touch_others_mail", put_theirs, touch_others_mail, BIT(ENTERED) | OUTER | WHOLES, SAME_UID},
    {"link_others_mail", clean, link_others_mail, OUTSIDE, SAME_UID},
    {"move_to_others", put_mine, move_to_others, OUTSIDE, SAME_UID},
    {"remove_others_mail", put_theirs, remove_others_mail, OUTSIDE, SAME_UID},
    {"truncate_others_mail", put_theirs, truncate_others_mail, SECCOMPS | WHOLES, SAME_UID},
    {"chmod_others_mail", put_theirs, chmod_others_mail, SECCOMPS | WHOLES, SAME_UID},
    {"make_symlink", clean, make_symlink, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID},
    {"make_setuid", clean_and_open_maildir, make_setuid, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"turn_setuid", open_my_file, turn_setuid, SECCOMPS | WHOLES, SAME_UID},
    {"make_fifo", clean, make_fifo, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID},
    {"read_memory_file", NULL, read_memory_file, OUTSIDE, SAME_UID | MAY_LACK},

    {"run_true", NULL, run_true, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID},
    {"run_planted", NULL, run_planted, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID},
    {"run_descriptor", open_true, run_descriptor, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID},
    {"make_memfd", NULL, make_memfd, SECCOMPS | WHOLES, SAME_UID},
    {"fork_once", NULL, fork_once, SECCOMPS | WHOLES, SAME_UID},
    {"start_thread", NULL, start_thread, SECCOMPS | WHOLES, SAME_UID},
    {"trace", NULL, trace, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID | MAY_LACK},
    {"read_its_memory", NULL, read_its_memory, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID | MAY_LACK},
    {"kill_it", NULL, kill_it, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID | SCOPES},
    {"kill_its_thread", NULL, kill_its_thread, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID | SCOPES},
    {"open_pidfd", NULL, open_pidfd, SECCOMPS | WHOLES, SAME_UID},

    {"make_inet", NULL, make_inet, SECCOMPS | WHOLES, SAME_UID},
    {"make_inet6", NULL, make_inet6, SECCOMPS | WHOLES, SAME_UID | MAY_LACK},
    {"make_unix", NULL, make_unix, (SECCOMPS | WHOLES) & NO_LOG, SAME_UID},
    {"make_netlink", NULL, make_netlink, SECCOMPS | WHOLES, SAME_UID},
    {"make_pair", NULL, make_pair, SECCOMPS | WHOLES, SAME_UID},
    {"connect_tcp", listen_on_loopback, connect_tcp,
	LANDLOCKS | (SECCOMPS & ~BIT(SECCOMP_LOG)) | WHOLES, SAME_UID | NET},
    {"bind_tcp", listen_on_loopback, bind_tcp, LANDLOCKS | SECCOMPS | WHOLES, SAME_UID | NET},
    {"accept_from", listen_on_loopback, accept_from, SECCOMPS | WHOLES, SAME_UID},
    {"connect_abstract", listen_abstract, connect_abstract,
	LANDLOCKS | (SECCOMPS & ~BIT(SECCOMP_LOG)) | WHOLES, SAME_UID | SCOPES},

    {"regain_uid", NULL, regain_uid, BIT(IDENTITY) | SECCOMPS | WHOLES, NEEDS_ROOT},
    {"regain_uids", NULL, regain_uids, BIT(IDENTITY) | SECCOMPS | WHOLES, NEEDS_ROOT},
    {"regain_gid", NULL, regain_gid, BIT(IDENTITY) | SECCOMPS | WHOLES, NEEDS_ROOT},
    {"regain_groups", NULL, regain_groups, BIT(IDENTITY) | SECCOMPS | WHOLES, NEEDS_ROOT},
    {"mount_something", own_mounts, mount_something, BIT(IDENTITY) | LANDLOCKS | SECCOMPS | WHOLES,
	NEEDS_ROOT | MAY_LACK},
    {"new_mounts", NULL, new_mounts, BIT(IDENTITY) | SECCOMPS | WHOLES, NEEDS_ROOT | MAY_LACK},
    {"new_users", NULL, new_users, SECCOMPS | WHOLES, MAY_LACK},
    {"change_root", NULL, change_root, BIT(IDENTITY) | SECCOMPS | WHOLES, NEEDS_ROOT},
    {"io_uring", NULL, io_uring, SECCOMPS | WHOLES, MAY_LACK},
    {"fault_handler", NULL, fault_handler, SECCOMPS | WHOLES, MAY_LACK},
    {"other_personality", NULL, other_personality, SECCOMPS | WHOLES, SAME_UID},
    {"get_dumpable", NULL, get_dumpable, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"change_limits", NULL, change_limits, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
#if defined(__x86_64__)
    {"call_as_i386", NULL, call_as_i386, SECCOMPS | WHOLES, MAY_LACK},
    {"call_as_x32", NULL, call_as_x32, SECCOMPS | WHOLES, MAY_LACK},
#endif

    {"map_code", NULL, map_code, SECCOMPS | WHOLES, SAME_UID},
    {"map_code_file", open_true, map_code_file, SECCOMPS | WHOLES, SAME_UID},
    {"make_code", NULL, make_code, SECCOMPS | WHOLES, SAME_UID},
    {"make_code_by_key", NULL, make_code_by_key, SECCOMPS | WHOLES, MAY_LACK},
    {"map_too_much", NULL, map_too_much, BOUNDED, SAME_UID | PLAIN_ONLY},
    {"map_too_much_shared", NULL, map_too_much_shared, SECCOMPS | WHOLES, SAME_UID},
    {"allocate_too_much", NULL, allocate_too_much, BOUNDED, SAME_UID | PLAIN_ONLY},
    {"duplicate_many", NULL, duplicate_many, BIT(WHOLE_WORKER) | BIT(WHOLE_READER), SAME_UID},
    {"map_a_stack", NULL, map_a_stack, SECCOMPS | WHOLES, SAME_UID},
    {"grow_the_stack", allow_any_stack, grow_the_stack, WHOLES, SAME_UID | PLAIN_ONLY | FAULTS},
    {"merge_pages", NULL, merge_pages, SECCOMPS | WHOLES, SAME_UID | MAY_LACK | PLAIN_ONLY},
    {"futex_with_priority", NULL, futex_with_priority, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"own_for_victim", make_a_pair, own_for_victim, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"choose_signal", make_a_pair, choose_signal, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"ask_for_signals", make_a_pair, ask_for_signals, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"duplicate", make_a_pair, duplicate, SECCOMPS | WHOLES, SAME_UID | PLAIN_ONLY},
    {"send_to_an_address", bind_named, send_to_an_address, SECCOMPS | WHOLES, SAME_UID},
    {"pass_a_descriptor", make_a_pair, pass_a_descriptor,
	(SECCOMPS | WHOLES) & ~(BIT(SECCOMP_WORKER) | BIT(WHOLE_WORKER)), SAME_UID},
    {"take_a_descriptor", make_a_pair, take_a_descriptor,
	BIT(SECCOMP_WORKER) | BIT(SECCOMP_HASH) | BIT(WHOLE_WORKER) | BIT(WHOLE_HASH), SAME_UID},
};

/* --- running an attempt --- */

static void
no_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		_exit(1);
}

static void
confine(enum layer layer)
{
	const char *inside = maildir;

	if (layer == ENTERED || layer == WHOLE_READER) {
		privdrop_become_user(TEST_UID, TEST_UID);
		inside = privdrop_enter(maildir);
		if (inside == NULL)
			_exit(1);
		if (inside != maildir) /* for what runs in this child */
			(void)snprintf(maildir, sizeof(maildir), "%s", inside);
	} else if (layer == IDENTITY || layer >= WHOLE_WORKER) {
		if (layer >= WHOLE_WORKER && layer < WHOLE_LOG)
			privdrop_chroot(empty);
		privdrop_become(TEST_UID, TEST_UID);
		/* As another program of that user would be: the change made us undumpable. */
		if (layer == IDENTITY)
			(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	}
	switch (layer) {
	case LANDLOCK_NONE:
	case LANDLOCK_PATH:
		no_new_privileges();
		(void)confine_landlock(layer == LANDLOCK_PATH ? maildir : NULL);
		break;
	case SECCOMP_WORKER:
	case SECCOMP_KEY:
	case SECCOMP_HASH:
	case SECCOMP_LOG:
	case SECCOMP_READER:
		no_new_privileges();
		confine_seccomp(layer == SECCOMP_WORKER ? CONFINE_WORKER
				: layer == SECCOMP_KEY	? CONFINE_KEY
				: layer == SECCOMP_HASH ? CONFINE_HASH
				: layer == SECCOMP_LOG	? CONFINE_LOG
							: CONFINE_READER);
		break;
	case WHOLE_WORKER:
		confine_worker(MEMORY);
		break;
	case WHOLE_KEY:
		confine_key(MEMORY);
		break;
	case WHOLE_HASH:
		confine_hash();
		break;
	case WHOLE_LOG:
		confine_log(MEMORY);
		break;
	case WHOLE_READER:
		confine_reader(inside, MEMORY);
		break;
	default:
		break;
	}
}

/* Another process of the same uid that may be traced, and that no SIGTERM ends. */
static pid_t
start_victim(void)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGTERM, SIG_IGN);
		privdrop_become(TEST_UID, TEST_UID);
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)!write(ready[1], "r", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void
end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

enum { NOT_CONFINED = 1000 }; /* reported before run: the child did not come so far otherwise */

/* What became of an attempt. */
struct outcome {
	bool confined;
	bool reported;
	int error; /* what was reported: 0 or errno */
	int status;
};

static void
try_in_child(const struct attempt *a, enum layer layer, int report)
{
	int prepared = a->prepare == NULL ? 0 : a->prepare();
	int error = NOT_CONFINED;

	if (prepared == -1)
		_exit(2);
	confine(layer);
	(void)!write(report, &error, sizeof(error));
	errno = 0;
	error = a->run(prepared) == -1 ? errno : 0;
	(void)!write(report, &error, sizeof(error));
	_exit(0);
}

static struct outcome
try(const struct attempt *a, enum layer layer)
{
	struct outcome o = {false, false, 0, 0};
	int report[2], value;
	pid_t pid;

	victim = start_victim();
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		try_in_child(a, layer, report[1]);
	close(report[1]);
	while (read(report[0], &value, sizeof(value)) == sizeof(value)) {
		if (value == NOT_CONFINED) {
			o.confined = true;
		} else {
			o.reported = true;
			o.error = value;
		}
	}
	close(report[0]);
	assert_int_equal(waitpid(pid, &o.status, 0), pid);
	end_child(victim);
	return o;
}

static bool
succeeded(const struct outcome *o)
{
	return o->confined && o->error == 0 &&
	       (o->reported || (WIFEXITED(o->status) && WEXITSTATUS(o->status) == 0));
}

/* Whether that is how the layer stops things. */
static bool
stopped_by(const struct outcome *o, enum layer layer, unsigned flags)
{
	bool killed = WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGSYS;
	bool denied = o->reported && (o->error == EPERM || o->error == EACCES);

	if (!o->confined)
		return false;
	if ((flags & FAULTS) != 0)
		return WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGSEGV;
	switch (layer) {
	case IDENTITY:
		return denied;
	case ENTERED:
		return denied || (o->reported && o->error == ENOENT);
	case LANDLOCK_NONE:
	case LANDLOCK_PATH:
		return denied || (o->reported && o->error == EXDEV);
	case SECCOMP_WORKER:
	case SECCOMP_KEY:
	case SECCOMP_HASH:
	case SECCOMP_LOG:
	case SECCOMP_READER:
		return killed || (FIXTURE_SANITIZED && denied);
	default:
		return killed || denied ||
		       (o->reported &&
			   (o->error == EXDEV || o->error == ENOMEM || o->error == EMFILE ||
			       (layer == WHOLE_READER && o->error == ENOENT)));
	}
}

static void
fail_attempt(const struct attempt *a, enum layer layer, const struct outcome *o, const char *what)
{
	if (!o->confined)
		fail_msg("%s, %s: the child did not come so far: status %x", a->name,
		    layer_names[layer], (unsigned)o->status);
	fail_msg("%s, %s: %s; %s %s, status %x", a->name, layer_names[layer], what,
	    o->reported ? "reported" : "no report", o->reported ? strerror(o->error) : "",
	    (unsigned)o->status);
}

static bool
layer_exists(const struct attempt *a, enum layer layer)
{
	long least = (a->flags & SCOPES) != 0 ? 6 : (a->flags & NET) != 0 ? 4 : 2;

	if (layer == LANDLOCK_NONE || layer == LANDLOCK_PATH)
		return landlock_abi() >= least;
	/* The log process has no socket of the network, and can make none: see make_inet. */
	if (layer == WHOLE_LOG && (a->stopped & BIT(SECCOMP_LOG)) == 0)
		return landlock_abi() >= least;
	/* Without Landlock and root a reader is held by its uid and its system calls only. */
	if (layer == WHOLE_READER && (a->stopped & BIT(SECCOMP_READER)) == 0)
		return is_root() || ((a->stopped & LANDLOCKS) != 0 && landlock_abi() >= least);
	return (layer != IDENTITY && layer != ENTERED) || is_root();
}

static void
attempt_fails(void **state)
{
	const struct attempt *a = *state;
	struct outcome o;
	int layer;

	if ((a->flags & NEEDS_ROOT) != 0 && !is_root()) {
		print_message("%s: needs root\n", a->name);
		skip();
	}
	if ((a->flags & PLAIN_ONLY) != 0 && FIXTURE_SANITIZED) {
		print_message("%s: a sanitizer needs it\n", a->name);
		skip();
	}
	o = try(a, NOTHING);
	if (!succeeded(&o) && (a->flags & MAY_LACK) != 0) {
		print_message("%s: not possible here even for the unconfined: %s\n", a->name,
		    o.reported ? strerror(o.error) : "killed");
		skip();
	}
	if (!succeeded(&o))
		fail_attempt(a, NOTHING, &o, "the control did not succeed");
	if ((a->flags & SAME_UID) != 0 && is_root()) {
		o = try(a, IDENTITY);
		if (!succeeded(&o))
			fail_attempt(a, IDENTITY, &o, "the uid alone should not stop it");
	}
	for (layer = IDENTITY; layer < LAYERS; layer++) {
		if ((a->stopped & BIT(layer)) == 0 || !layer_exists(a, (enum layer)layer))
			continue;
		o = try(a, (enum layer)layer);
		if (!stopped_by(&o, (enum layer)layer, a->flags))
			fail_attempt(a, (enum layer)layer, &o, "not stopped as it should be");
	}
}

/* --- what must still work --- */

/* Runs work confined; it gives 0 when all was well, else the number of the step. */
static void
works(enum layer layer, int (*work)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (layer != ENTERED && layer < WHOLE_WORKER)
			privdrop_become(TEST_UID, TEST_UID);
		confine(layer);
		_exit(work());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: status %x", layer_names[layer], (unsigned)status);
}

static int
outer_work(void)
{
	struct timespec ts;
	struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};
	char random[16], *memory = malloc(MEMORY / 2);

	if (memory == NULL)
		return 1;
	memory[0] = memory[MEMORY / 2 - 1] = 1;
	/* As malloc does with GLIBC_TUNABLES=glibc.malloc.hugetlb=1; EINVAL: this kernel has no such pages. */
	if (madvise(memory + (-(uintptr_t)memory % 4096), 4096, MADV_HUGEPAGE) == -1 &&
	    errno != EINVAL)
		return 6;
	free(memory);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return 2;
	if (clock_gettime(CLOCK_BOOTTIME, &ts) == -1 || poll(&wait, 1, 0) == -1)
		return 3;
	return write(STDERR_FILENO, "", 0) == 0 ? 0 : 4;
}

static void
workers_and_keys_can_work(void **state)
{
	const enum layer layers[] = {SECCOMP_WORKER, SECCOMP_KEY, SECCOMP_HASH, SECCOMP_LOG,
	    WHOLE_WORKER, WHOLE_KEY, WHOLE_HASH, WHOLE_LOG};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(layers); i++)
		works(layers[i], outer_work);
}

/* The end of a process by abort(3) looks different from that by a forbidden call. */
static void
abort_is_told_apart(void **state)
{
	const enum layer layers[] = {WHOLE_WORKER, WHOLE_KEY, WHOLE_HASH, WHOLE_LOG, WHOLE_READER};
	int status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < COUNT(layers); i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			confine(layers[i]);
			abort();
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

/* After confine_no_passing a worker and a reader pass no descriptor, and add no filter. */
static void
nothing_is_passed_any_more(void **state)
{
	static const struct attempt passing[] = {
	    {"pass", NULL, pass_a_descriptor, 0, 0}, {"take", NULL, take_a_descriptor, 0, 0}};
	const enum layer layers[] = {WHOLE_WORKER, WHOLE_READER};
	int status, fd;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < COUNT(layers); i++)
		for (size_t k = 0; k < COUNT(passing); k++) {
			fd = make_a_pair();
			pid = fork();
			assert_true(pid >= 0);
			if (pid == 0) {
				confine(layers[i]);
				confine_no_passing();
				if (write(fd, "x", 1) != 1)
					_exit(3);
				_exit(passing[k].run(fd) == -1 && errno == EPERM ? 2 : 0);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_true(FIXTURE_SANITIZED
					? WIFEXITED(status) && WEXITSTATUS(status) == 2
					: WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
			close(fd);
		}
}

static int
reader_work(void)
{
	const struct maildir_flag_change seen = {.add = MAILDIR_SEEN};
	struct maildir_reader *reader;
	struct maildir_folder *folder;
	struct mdbuf text = {0};
	struct maildir *md;
	char buffer[4096];
	uint64_t octets;
	bool newline;

	if (maildir_open(maildir, "host", &md) == -1)
		return 1;
	if (maildir_folder_open(md, "INBOX", &folder) == -1)
		return 2;
	if (maildir_session_lock(folder) == -1 || maildir_sync(folder) == -1)
		return 3;
	if (maildir_count(folder) != 1 || maildir_size(folder, 1, &octets, &newline) == -1)
		return 4;
	if (maildir_reader_open(folder, 1, &reader) == -1)
		return 5;
	while (maildir_reader_read(reader, buffer, sizeof(buffer)) > 0)
		;
	maildir_reader_close(&reader);
	if (maildir_text(folder, 1, MAILDIR_BODYSTRUCTURE, &text) == -1)
		return 6;
	mdbuf_clear(&text);
	maildir_save_findings(folder);
	if (maildir_flags(folder, 1, &seen) == -1)
		return 7;
	if (maildir_keyword_make(folder, "$Junk") == -1)
		return 8;
	if (maildir_remove(folder, 1) == -1)
		return 9;
	maildir_folder_close(&folder);
	maildir_close(&md);
	if (outer_work() != 0)
		return 10;
	/* Whether the process that left a lock file lives may be asked. */
	if (kill(getpid(), 0) == -1)
		return 11;
	return kill(0x3fffffff, 0) == -1 && errno == ESRCH ? 0 : 12;
}

static void
readers_can_work(void **state)
{
	const enum layer layers[] = {
	    IDENTITY, ENTERED, LANDLOCK_PATH, SECCOMP_READER, WHOLE_READER};
	const char *message;
	size_t i;

	(void)state;
	snprintf(maildir, sizeof(maildir), "%s", fixture_path("carl"));
	for (i = 0; i < COUNT(layers); i++) {
		message = fixture_path("carl/new/1700000000.1.host");
		fixture_write(message, "A: b\n\nc\n", 8, 0600);
		if (is_root())
			assert_int_equal(chown(message, TEST_UID, TEST_UID), 0);
		works(layers[i], reader_work);
	}
	snprintf(maildir, sizeof(maildir), "%s", fixture_path("anna"));
}

/* --- from the outside --- */

/* A child of a role that waits to be killed. */
static pid_t
start_confined(enum layer layer)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		confine(layer);
		(void)!write(ready[1], "r", 1);
		(void)poll(NULL, 0, 20000); /* it is killed long before */
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* Another program of that uid cannot look into a process that held passwords or mail. */
static void
nobody_looks_in(void **state)
{
	static const struct attempt looks[] = {
	    {"trace", NULL, trace, 0, 0}, {"read_memory_file", NULL, read_memory_file, 0, 0}};
	const enum layer layers[] = {WHOLE_WORKER, WHOLE_KEY, WHOLE_HASH, WHOLE_LOG, WHOLE_READER};
	int report[2], value;
	size_t i, k;
	pid_t pid;

	(void)state;
	if (!is_root()) {
		print_message("nobody_looks_in: needs root: two processes of another uid\n");
		skip();
	}
	for (i = 0; i < COUNT(layers); i++) {
		for (k = 0; k < COUNT(looks); k++) {
			victim = start_confined(layers[i]);
			assert_int_equal(pipe2(report, O_CLOEXEC), 0);
			pid = fork();
			assert_true(pid >= 0);
			if (pid == 0)
				try_in_child(&looks[k], IDENTITY, report[1]);
			close(report[1]);
			assert_int_equal(read(report[0], &value, sizeof(value)), sizeof(value));
			assert_int_equal(value, NOT_CONFINED);
			assert_int_equal(read(report[0], &value, sizeof(value)), sizeof(value));
			/* A chroot may be without /proc. */
			assert_true(value == EPERM || value == EACCES ||
				    (value == ENOENT && access("/proc/self", F_OK) == -1));
			close(report[0]);
			assert_int_equal(waitpid(pid, NULL, 0), pid);
			end_child(victim);
		}
	}
}

static void
no_core_is_left(void **state)
{
	const enum layer layers[] = {WHOLE_WORKER, WHOLE_KEY, WHOLE_HASH, WHOLE_LOG, WHOLE_READER};
	char path[64], line[256];
	unsigned found;
	FILE *file;
	size_t i;
	pid_t pid;

	(void)state;
	if (access("/proc/self/limits", F_OK) == -1) {
		print_message("no_core_is_left: needs /proc\n");
		skip();
	}
	for (i = 0; i < COUNT(layers); i++) {
		pid = start_confined(layers[i]);
		snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
		file = fopen(path, "re");
		assert_non_null(file);
		for (found = 0; fgets(line, sizeof(line), file) != NULL;)
			found += strncmp(line, "Max core file size        0                    0 ",
				     49) == 0;
		assert_int_equal(found, 1);
		(void)fclose(file);
		end_child(pid);
	}
}

static void
undumpable_is_undumpable(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 ||
		    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
			_exit(1);
		confine_undumpable();
		_exit(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
			      prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
			  ? 0
			  : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
what_is_missing_is_said(void **state)
{
	(void)state;
	if (landlock_abi() >= 2)
		assert_null(confine_missing());
	else
		assert_non_null(confine_missing());
}

/* --- privdrop.h --- */

/* Whether work returned; a refusal ends the process with EXIT_FAILURE. */
static bool
returns(void (*work)(void))
{
	int status, null;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC); /* the log says why; not here */
		(void)dup2(null, STDERR_FILENO);
		work();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_FAILURE);
	return WEXITSTATUS(status) == 0;
}

static const char *chroot_dir;

static void
do_chroot(void)
{
	privdrop_chroot(chroot_dir);
	/* The root is another, and empty, and we are in it. */
	if (access("/etc", F_OK) == 0 || access("..", F_OK) == -1 || access("../etc", F_OK) == 0)
		_exit(EXIT_FAILURE);
}

static void
a_chroot_must_be_empty_and_roots(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
		bool others, full, good;
	} rows[] = {
	    {"root-755", 0755, false, false, true},
	    {"root-555", 0555, false, false, true},
	    {"root-700", 0700, false, false, true},
	    {"root-775", 0775, false, false, false},
	    {"root-757", 0757, false, false, false},
	    {"root-1777", 01777, false, false, false},
	    {"others", 0755, true, false, false},
	    {"full", 0755, false, true, false},
	};
	char path[256], inside[300];
	size_t i;

	(void)state;
	if (!is_root()) {
		print_message("a_chroot_must_be_empty_and_roots: needs root\n");
		skip();
	}
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(path, sizeof(path), "%s", fixture_path(rows[i].name));
		assert_int_equal(mkdir(path, 0700), 0);
		snprintf(inside, sizeof(inside), "%s/.file", path);
		if (rows[i].full)
			fixture_write(inside, "", 0, 0644);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		if (rows[i].others)
			assert_int_equal(chown(path, TEST_UID, TEST_UID), 0);
		chroot_dir = path;
		if (returns(do_chroot) != rows[i].good)
			fail_msg("%s", rows[i].name);
	}
	chroot_dir = fixture_path("missing");
	assert_false(returns(do_chroot));
	chroot_dir = fixture_path("secret"); /* a file */
	assert_false(returns(do_chroot));
	chroot_dir = fixture_path("to-root-755");
	assert_int_equal(symlink(fixture_path("root-755"), chroot_dir), 0);
	assert_false(returns(do_chroot));
}

static uid_t to_uid;
static gid_t to_gid;

static void
become_and_check(void)
{
	gid_t groups[8];
	uid_t r, e, s;

	privdrop_become(to_uid, to_gid);
	if (getresuid(&r, &e, &s) == -1 || r != to_uid || e != to_uid || s != to_uid)
		_exit(EXIT_FAILURE);
	if (getresgid(&r, &e, &s) == -1 || r != to_gid || e != to_gid || s != to_gid)
		_exit(EXIT_FAILURE);
	if (getgroups(COUNT(groups), groups) != 1 || groups[0] != to_gid)
		_exit(EXIT_FAILURE);
	if (setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0 ||
	    setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || access("/etc/shadow", R_OK) == 0)
		_exit(EXIT_FAILURE);
}

static void
become_with_groups(void)
{
	const gid_t many[] = {0, 1, 2, 3, 4, TEST_UID};

	if (setgroups(COUNT(many), many) == -1)
		_exit(EXIT_FAILURE);
	become_and_check();
}

static void
an_identity_is_for_good(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		bool good;
	} rows[] = {
	    {TEST_UID, TEST_UID, true},
	    {TEST_UID, 1, true},
	    {1, TEST_UID, true},
	    {0, TEST_UID, false},
	    {TEST_UID, 0, false},
	    {0, 0, false},
	    {(uid_t)-1, TEST_UID, false}, /* which setresuid would take for "as it is" */
	    {TEST_UID, (gid_t)-1, false},
	};
	size_t i;

	(void)state;
	if (!is_root()) {
		print_message("an_identity_is_for_good: needs root\n");
		skip();
	}
	for (i = 0; i < COUNT(rows); i++) {
		to_uid = rows[i].uid;
		to_gid = rows[i].gid;
		if (returns(become_and_check) != rows[i].good ||
		    returns(become_with_groups) != rows[i].good)
			fail_msg("uid %u gid %u", (unsigned)to_uid, (unsigned)to_gid);
	}
}

static uint32_t
permitted_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct are[2];

	if (syscall(SYS_capget, &header, are) == -1 || are[0].effective != 0 ||
	    are[1].permitted != 0 || are[1].effective != 0)
		_exit(EXIT_FAILURE);
	return are[0].permitted;
}

/* Between its two steps the process is the user already, with one capability that it does not use. */
static void
become_and_enter(void)
{
	struct stat here, root;

	if (stat(chroot_dir, &here) == -1)
		_exit(EXIT_FAILURE);
	privdrop_become_user(to_uid, to_gid);
	if (permitted_capabilities() != CAP_TO_MASK(CAP_SYS_CHROOT) || chroot("/") == 0 ||
	    setuid(0) == 0 || access("/etc/shadow", R_OK) == 0)
		_exit(EXIT_FAILURE);
	if (privdrop_enter(chroot_dir) == NULL) {
		/* It is the user where it was, and has nothing else left. */
		if (errno != EACCES || permitted_capabilities() != 0 || access("/etc", F_OK) == -1)
			abort();
		_exit(EXIT_FAILURE);
	}
	if (permitted_capabilities() != 0 || stat("/", &root) == -1 || root.st_ino != here.st_ino ||
	    root.st_dev != here.st_dev || stat("..", &root) == -1 || root.st_ino != here.st_ino ||
	    chroot(".") == 0 || setuid(0) == 0)
		_exit(EXIT_FAILURE);
}

static void
a_user_enters_where_the_user_may(void **state)
{
	(void)state;
	if (!is_root()) {
		print_message("a_user_enters_where_the_user_may: needs root\n");
		skip();
	}
	to_uid = to_gid = TEST_UID;
	chroot_dir = maildir;
	assert_true(returns(become_and_enter));
	chroot_dir = fixture_path("closed");
	assert_int_equal(mkdir(chroot_dir, 0700), 0);
	assert_false(returns(become_and_enter));
	chroot_dir = maildir;
	to_uid = 0;
	assert_false(returns(become_and_enter));
}

static void
users_are_found(void **state)
{
	static const struct {
		const char *worker, *key, *wrong;
	} rows[] = {
	    {"nobody", "daemon", NULL},
	    {"no-such-user-here", "daemon", "worker_user: there is no user no-such-user-here"},
	    {"nobody", "", "key_user: there is no user"},
	    {"root", "daemon", "worker_user: root has root's"},
	    {"nobody", "root", "key_user: root has root's"},
	    {"nobody", "nobody", "must be different"},
	};
	struct service_users users, before;
	char wrong[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		char worker[32], key[32];
		struct conf conf = {.worker_user = worker, .key_user = key};

		(void)snprintf(worker, sizeof(worker), "%s", rows[i].worker);
		(void)snprintf(key, sizeof(key), "%s", rows[i].key);
		wrong[0] = '\0';
		memset(&users, 0x5a, sizeof(users));
		before = users;
		assert_int_equal(privdrop_find_users(&conf, &users, wrong, sizeof(wrong)),
		    rows[i].wrong == NULL ? 0 : -1);
		if (rows[i].wrong == NULL)
			continue;
		assert_non_null(strstr(wrong, rows[i].wrong));
		/* master goes on with the users that it has. */
		assert_memory_equal(&users, &before, sizeof(users));
	}
}

/* --- all --- */

static void
make_maildir(const char *name)
{
	static const char *const parts[] = {"", "/cur", "/new", "/tmp"};
	char path[256];
	size_t i;

	for (i = 0; i < COUNT(parts); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", fixture_dir, name, parts[i]);
		if (mkdir(path, 0700) == -1 || (is_root() && chown(path, TEST_UID, TEST_UID) == -1))
			abort();
	}
}

static int
group_setup(void **state)
{
	char program[4096 * 16];
	int from, to;
	ssize_t n;

	if (fixture_make_dir(state) == -1)
		return -1;
	snprintf(maildir, sizeof(maildir), "%s", fixture_path("anna"));
	snprintf(empty, sizeof(empty), "%s", fixture_path("empty"));
	make_maildir("anna");
	make_maildir("ben");
	make_maildir("carl");
	if (put_file("secret") == -1 || put_file("ben/cur/message") == -1 ||
	    symlink("../../secret", fixture_path("anna/cur/link")) == -1 ||
	    mkdir(empty, 0755) == -1 || mkdir(fixture_path("mnt"), 0755) == -1 ||
	    (is_root() && chown(fixture_dir, TEST_UID, TEST_UID) == -1))
		return -1;
	from = open("/bin/true", O_RDONLY | O_CLOEXEC);
	to = open(fixture_path("anna/program"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (is_root() && fchown(to, TEST_UID, TEST_UID) == -1)
		return -1;
	while ((n = read(from, program, sizeof(program))) > 0)
		if (write(to, program, (size_t)n) != n)
			return -1;
	return n == -1 || close(from) == -1 || close(to) == -1 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(workers_and_keys_can_work),
	    cmocka_unit_test(readers_can_work),
	    cmocka_unit_test(abort_is_told_apart),
	    cmocka_unit_test(nothing_is_passed_any_more),
	    cmocka_unit_test(nobody_looks_in),
	    cmocka_unit_test(no_core_is_left),
	    cmocka_unit_test(undumpable_is_undumpable),
	    cmocka_unit_test(what_is_missing_is_said),
	    cmocka_unit_test(a_chroot_must_be_empty_and_roots),
	    cmocka_unit_test(an_identity_is_for_good),
	    cmocka_unit_test(a_user_enters_where_the_user_may),
	    cmocka_unit_test(users_are_found),
	};
	static struct CMUnitTest tests[COUNT(attempts) + COUNT(others)];
	size_t i;

	for (i = 0; i < COUNT(attempts); i++)
		tests[i] = (struct CMUnitTest){
		    attempts[i].name, attempt_fails, NULL, NULL, (void *)(uintptr_t)&attempts[i]};
	memcpy(tests + COUNT(attempts), others, sizeof(others));
	return cmocka_run_group_tests(tests, group_setup, fixture_remove_dir);
}
