/*
 * confine.c: limits, Landlock and seccomp.
 * Runs as: worker, key, mail user; once in each process, before it reads what another process wrote.
 *
 * Landlock says which files (none, or one Maildir); seccomp says which system calls.  They overlap
 * on purpose: where a kernel lacks one of them, or one has a fault, the other holds.  A system call that is
 * not in a role's list kills the process, and master logs the signal.  The filter is classic BPF
 * over struct seccomp_data, made from the lists below; seccomp(2), landlock(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/confine.h"
#include "server/log.h"

#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define CONFINE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CONFINE_ARCH AUDIT_ARCH_PPC64LE
#else
#error "confine.c needs this machine's AUDIT_ARCH_ constant"
#endif

/* --- resource limits --- */

enum {
	/* Descriptors: poll(2) needs the limit above 0; a worker has 5, a reader some 10. */
	CONFINE_FILES = 32,
	CONFINE_KEY_FILES = 8192, /* one channel for every connection before its handshake */
	CONFINE_PROCESSES = 0,	  /* no role makes one */
	CONFINE_STACK =
	    8 << 20, /* octets, as everywhere by default: the limit of memory does not count it */
};

static void
limit(int what, rlim_t value)
{
	struct rlimit now, wanted = {value, value};

	if (getrlimit((__rlimit_resource_t)what, &now) == -1)
		fatal("confine", "getrlimit");
	if (wanted.rlim_max > now.rlim_max)
		wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &wanted) == -1)
		fatal("confine", "setrlimit");
}

void
confine_undumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("confine", "prctl");
}

/* --- Landlock --- */

/* As the kernel defines it from ABI 6 on; older headers have fewer fields. */
struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

enum {
	ACCESS_FILES_1 = (1 << 13) - 1, /* EXECUTE to MAKE_SYM: all of ABI 1 */
	ACCESS_REFER = 1 << 13,		/* ABI 2: rename and link between directories */
	ACCESS_TRUNCATE = 1 << 14,	/* ABI 3 */
	ACCESS_IOCTL = 1 << 15,		/* ABI 5 */
	NET_BIND_CONNECT = 3,		/* ABI 4 */
	SCOPE_ALL = 3,			/* ABI 6: abstract sockets, signals */
	LANDLOCK_ABI_LEAST = 2,		/* without REFER new/ could not become cur/ */
};

/* The rights of a reader below its Maildir. */
static const uint64_t maildir_access =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | ACCESS_REFER | ACCESS_TRUNCATE;

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static struct ruleset
ruleset_for(long abi, size_t *size_r)
{
	struct ruleset rules = {ACCESS_FILES_1 | ACCESS_REFER, 0, 0};

	if (abi >= 3)
		rules.handled_access_fs |= ACCESS_TRUNCATE;
	if (abi >= 5)
		rules.handled_access_fs |= ACCESS_IOCTL;
	if (abi >= 4)
		rules.handled_access_net = NET_BIND_CONNECT;
	if (abi >= 6)
		rules.scoped = SCOPE_ALL;
	*size_r = abi >= 6   ? sizeof(rules)
		  : abi >= 4 ? offsetof(struct ruleset, scoped)
			     : offsetof(struct ruleset, handled_access_net);
	return rules;
}

static void
allow_path(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};

	rule.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd == -1)
		fatal("confine", "open the Maildir");
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1)
		fatal("confine", "landlock_add_rule");
	close(rule.parent_fd);
}

bool
confine_landlock(const char *path)
{
	long abi = landlock_abi();
	struct ruleset rules;
	size_t size;
	int fd;

	if (abi < LANDLOCK_ABI_LEAST)
		return false;
	rules = ruleset_for(abi, &size);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd == -1)
		fatal("confine", "landlock_create_ruleset");
	if (path != NULL)
		allow_path(fd, path, maildir_access & rules.handled_access_fs);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		fatal("confine", "landlock_restrict_self");
	close(fd);
	return true;
}

int
confine_landlock_version(void)
{
	long abi = landlock_abi();

	return abi < 0 ? 0 : (int)abi;
}

const char *
confine_missing(void)
{
	return landlock_abi() < LANDLOCK_ABI_LEAST ? "Landlock" : NULL;
}

/* --- seccomp --- */

/*
 * Every role: memory, time, open descriptors, the end of the process.  These calls do nothing to other processes or
 * files whatever their arguments are.  Calls whose arguments matter are in the tables of struct rule below.
 */
// clang-format off
static const short common_calls[] = {
    /* Work on what is open; each process has few descriptors, and no role can open a socket. */
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_recvfrom, SYS_shutdown, SYS_ppoll,
    /* Work on the process's own memory, which RLIMIT_DATA bounds. */
    SYS_brk, SYS_munmap, SYS_mremap,
    /* Only tell something, and no secret. */
    SYS_getrandom, SYS_getpid, SYS_gettid, SYS_clock_gettime, SYS_gettimeofday,
    /* Concern the process itself: it waits, blocks its own signals, or ends. */
    SYS_clock_nanosleep, SYS_nanosleep, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigpending, SYS_restart_syscall,
    SYS_exit, SYS_exit_group,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_time
    SYS_time,
#endif
#if CONFINE_SANITIZED
    SYS_sigaltstack, SYS_sched_yield, SYS_prctl, SYS_getrlimit, SYS_prlimit64, SYS_rt_sigaction,
    SYS_set_robust_list, SYS_sched_getaffinity, SYS_madvise, SYS_futex, SYS_fcntl,
#endif
};

/* The mail user.  A path leads to the Maildir or nowhere, since that is the root directory. */
static const short reader_calls[] = {
    SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_utimensat, SYS_inotify_add_watch, SYS_readlinkat,
    /* Paths, too.  Landlock lets the reader make regular files and directories, and no other kind of file. */
    SYS_renameat2, SYS_linkat, SYS_unlinkat,
    SYS_mkdirat, /* the kernel takes only permissions and the sticky bit from the mode */
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
#ifdef SYS_rename
    SYS_rename,
#endif
    /* Work on what is open. */
    SYS_fstat, SYS_getdents64, SYS_lseek, SYS_pread64, SYS_pwrite64, SYS_fsync, SYS_fdatasync, SYS_ftruncate,
    SYS_fadvise64, SYS_dup, SYS_inotify_init1, SYS_inotify_rm_watch,
    SYS_fchown, /* without root to a group of one's own, and that is one group */
    SYS_fstatfs, /* whether inotify hears of all renames there are */
    SYS_flock, /* of a directory, before a lock file that cannot be used is set aside */
    /* Only tell something. */
    SYS_geteuid, SYS_getuid, SYS_getegid, SYS_getgid, SYS_uname,
    SYS_sysinfo, /* glibc's qsort calls it */
    SYS_umask, /* of the process itself */
};
// clang-format on

/* A call that is allowed or refused if (low half of argument & mask) == value. */
struct rule {
	int call, argument;
	uint32_t mask, value;
	bool refuse;
};

#define WHOLE	      UINT32_MAX
#define SHARED_MEMORY (MAP_SHARED | MAP_ANONYMOUS)
#define FUTEX_COMMAND (~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME))

/* The first rule that fits counts. */
static const struct rule common_rules[] = {
    /* RLIMIT_DATA counts neither shared memory without a file nor what grows like a stack; no role needs either. */
    {SYS_mmap, 3, SHARED_MEMORY, SHARED_MEMORY, true},
    {SYS_mmap, 3, MAP_GROWSDOWN, MAP_GROWSDOWN, true},
    /* No memory that can be executed. */
    {SYS_mmap, 2, PROT_EXEC, 0, false},
    {SYS_mprotect, 2, PROT_EXEC, 0, false},
    /* What malloc(3) and free(3) advise; other advice can share pages with other processes, and time them. */
    {SYS_madvise, 2, WHOLE, MADV_DONTNEED, false},
    {SYS_madvise, 2, WHOLE, MADV_HUGEPAGE, false}, /* if GLIBC_TUNABLES asks for it */
    /* A lock of the C library.  The other operations have been holes in the kernel more than once. */
    {SYS_futex, 1, FUTEX_COMMAND, FUTEX_WAIT, false},
    {SYS_futex, 1, FUTEX_COMMAND, FUTEX_WAKE, false},
    /* Only to where the socket is connected: the length of an address is 0. */
    {SYS_sendto, 5, WHOLE, 0, false},
};

static const struct rule worker_rules[] = {
    {SYS_sendmsg, 0, 0, 0, false},		  /* the client's socket: see confine_no_passing */
    {SYS_prctl, 0, WHOLE, PR_SET_SECCOMP, false}, /* a filter more can only forbid more */
};

/* The outer spawner: forks workers, which forbid themselves more, and obeys master.  Its filter is theirs, too. */
#define CLONE_FORBIDDEN                                                                            \
	(CLONE_VM | CLONE_THREAD | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |     \
	    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
static const struct rule spawner_rules[] = {
    {SYS_clone, 0, CLONE_FORBIDDEN, 0, false},
    {SYS_set_robust_list, 0, 0, 0, false}, /* glibc, in a new process */
    {SYS_wait4, 0, 0, 0, false},
    {SYS_kill, 0, UINT32_C(1) << 31, 0, false}, /* a process, not a group; its own uid bounds it */
    {SYS_close_range, 0, 0, 0, false}, {SYS_rt_sigaction, 0, 0, 0, false},
    {SYS_signalfd4, 0, 0, 0, false}, {SYS_prlimit64, 0, WHOLE, 0, false}, /* of itself */
    {SYS_geteuid, 0, 0, 0, false}, {SYS_sendmsg, 0, 0, 0, false}, {SYS_recvmsg, 0, 0, 0, false},
    {SYS_prctl, 0, 0, 0, false}, /* title, death of the parent, the filter of a worker */
};

static const struct rule key_rules[] = {
    {SYS_recvmsg, 0, 0, 0, false}, /* a channel from master */
};

/* The log process: takes channels and their lines, and connects to a syslog daemon again. */
static const struct rule log_rules[] = {
    {SYS_recvmsg, 0, 0, 0, false},	    /* a channel from master */
    {SYS_socket, 0, WHOLE, AF_UNIX, false}, /* no network */
    {SYS_connect, 0, 0, 0, false},	    /* to /dev/log; no other kind of socket is there */
    {SYS_epoll_ctl, 0, 0, 0, false},	    /* of its own descriptors */
    {SYS_epoll_pwait, 0, 0, 0, false},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, 0, 0, 0, false},
#endif
};
/*
 * With a bit above the permissions a file could run as the mail user whoever starts it.  A sanitizer's own openat has
 * three arguments, and the fourth is whatever is in the register.
 */
#define SPECIAL_BITS (S_ISUID | S_ISGID | S_ISVTX)

static const struct rule reader_rules[] = {
    {SYS_openat, 3, CONFINE_SANITIZED ? 0 : SPECIAL_BITS, 0, false},
    {SYS_fchmod, 1, SPECIAL_BITS, 0, false},
    {SYS_recvmsg, 0, 0, 0, false}, /* the client's socket: see confine_no_passing */
    {SYS_prctl, 0, WHOLE, PR_SET_SECCOMP, false},
    {SYS_fcntl, 1, WHOLE, F_GETFL, false},     /* fdopendir(3) */
    {SYS_fcntl, 1, WHOLE, F_SETFD, false},     /* the same */
    {SYS_fcntl, 1, WHOLE, F_OFD_SETLK, false}, /* the folder's lock */
    /* Signal 0 and no other: it tells whether the holder of a lock file lives, and so whether any pid is in use. */
    {SYS_kill, 1, WHOLE, 0, false},
    /* The process's own signals: a mapped file that is cut short (maildir/base/mapping.c), an index that is interrupted. */
    {SYS_rt_sigaction, 0, 0, 0, false},
};

/* Instructions: two for each call of the lists, and six for each rule. */
enum { CONFINE_PROGRAM_MAX = 400 };

struct program {
	unsigned short len;
	struct sock_filter code[CONFINE_PROGRAM_MAX];
};

static void
emit(struct program *program, struct sock_filter instruction)
{
	if (program->len == CONFINE_PROGRAM_MAX)
		bug("the seccomp filter has too many calls");
	program->code[program->len++] = instruction;
}

static struct sock_filter
load(size_t offset)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static struct sock_filter
give(uint32_t action)
{
	return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
}

static void
allow(struct program *program, const short *calls, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		emit(program, (struct sock_filter)BPF_JUMP(
				  BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1));
		emit(program, give(SECCOMP_RET_ALLOW));
	}
}

/* With a sanitizer its report is worth more than the kill; the same calls are refused. */
static const uint32_t refusal =
    CONFINE_SANITIZED ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS;

/* Obeys rules, and goes on with the call's number if none fits. */
static void
obey(struct program *program, const struct rule *rules, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const size_t low =
		    offsetof(struct seccomp_data, args) + 8 * (size_t)rules[i].argument;

		emit(program, (struct sock_filter)BPF_JUMP(
				  BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rules[i].call, 0, 5));
		emit(program, load(low));
		emit(program,
		    (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rules[i].mask));
		emit(program,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rules[i].value, 0, 1));
		emit(program, give(rules[i].refuse ? refusal : SECCOMP_RET_ALLOW));
		emit(program, load(offsetof(struct seccomp_data, nr)));
	}
}

static void
install(struct program *program, uint32_t otherwise)
{
	struct sock_fprog filter = {.filter = program->code};

	emit(program, give(otherwise));
	filter.len = program->len;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == -1)
		fatal("confine", "seccomp");
}

#define ALL_OF(list) list, sizeof(list) / sizeof((list)[0])

void
confine_seccomp(enum confine_role role)
{
	/* abort(3) signals its own process, so that such an end looks different from that by a forbidden call. */
	const struct rule myself = {SYS_tgkill, 0, role == CONFINE_SPAWNER ? 0 : WHOLE,
	    role == CONFINE_SPAWNER ? 0 : (uint32_t)getpid(), false};
	struct program program = {.len = 0};

	emit(&program, load(offsetof(struct seccomp_data, arch)));
	emit(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONFINE_ARCH, 1, 0));
	emit(&program, give(SECCOMP_RET_KILL_PROCESS));
	emit(&program, load(offsetof(struct seccomp_data, nr)));
	allow(&program, ALL_OF(common_calls));
	obey(&program, ALL_OF(common_rules));
	obey(&program, &myself, 1);
	switch (role) {
	case CONFINE_WORKER:
		obey(&program, ALL_OF(worker_rules));
		break;
	case CONFINE_KEY:
		obey(&program, ALL_OF(key_rules));
		break;
	case CONFINE_HASH: /* it computes, and answers */
		break;
	case CONFINE_SPAWNER:
		obey(&program, ALL_OF(spawner_rules));
		break;
	case CONFINE_LOG:
		obey(&program, ALL_OF(log_rules));
		break;
	case CONFINE_READER:
		allow(&program, ALL_OF(reader_calls));
		obey(&program, ALL_OF(reader_rules));
		break;
	}
	install(&program, refusal);
}

void
confine_no_passing(void)
{
	/* Bits 0 of no mask: whatever the arguments are. */
	static const struct rule refused[] = {
	    {SYS_sendmsg, 0, 0, 0, true},
	    {SYS_recvmsg, 0, 0, 0, true},
	    {SYS_prctl, 0, 0, 0, !CONFINE_SANITIZED},
	};
	struct program program = {.len = 0};

	emit(&program, load(offsetof(struct seccomp_data, nr)));
	obey(&program, ALL_OF(refused));
	install(&program, SECCOMP_RET_ALLOW);
}

void
confine_no_reading_back(void)
{
	/* A duplicate of the descriptor would have a number that no rule names. */
	static const int calls[] = {SYS_read, SYS_readv, SYS_recvfrom, SYS_dup};
	struct program program = {.len = 0};

	emit(&program, load(offsetof(struct seccomp_data, nr)));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct rule refused[] = {
		    {calls[i], 0, WHOLE, STDOUT_FILENO, true},
		    {calls[i], 0, WHOLE, STDERR_FILENO, true},
		};

		obey(&program, ALL_OF(refused));
	}
	install(&program, SECCOMP_RET_ALLOW);
}

/* --- the whole --- */

/* Set if the parent took that step for its children, as far as the kernel can: its filter allows no second try. */
static bool landlocked;

void
confine_spawner(int64_t memory)
{
	confine_undumpable();
	limit(RLIMIT_CORE, 0);
	if (!CONFINE_SANITIZED)
		limit(RLIMIT_DATA, (rlim_t)memory);
	(void)confine_landlock(NULL); /* master has logged it if it is missing */
	landlocked = true;
	confine_seccomp(CONFINE_SPAWNER);
}

static void
confine(enum confine_role role, const char *maildir, int64_t memory)
{
	confine_undumpable();
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NPROC, CONFINE_PROCESSES);
	limit(RLIMIT_STACK, CONFINE_STACK);
	/* The log process has two channels for each connection, and master's limit for them. */
	if (role != CONFINE_LOG)
		limit(RLIMIT_NOFILE, role == CONFINE_KEY ? CONFINE_KEY_FILES : CONFINE_FILES);
	/* A sanitizer's shadow memory is terabytes of address space. */
	if (!CONFINE_SANITIZED && memory >= 0)
		limit(RLIMIT_DATA, (rlim_t)memory);
	if (!landlocked)
		(void)confine_landlock(maildir);
	confine_seccomp(role);
}

void
confine_worker(int64_t memory)
{
	confine(CONFINE_WORKER, NULL, memory);
}

void
confine_key(int64_t memory)
{
	confine(CONFINE_KEY, NULL, memory);
}

void
confine_hash(void)
{
	confine(CONFINE_HASH, NULL, -1);
}

void
confine_log(int64_t memory)
{
	confine(CONFINE_LOG, NULL, memory);
}

void
confine_reader(const char *maildir, int64_t memory)
{
	confine(CONFINE_READER, maildir, memory);
}
