/*
 * process.c: the common first steps of all processes.
 * Runs as: every process.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/confine.h"
#include "server/log.h"
#include "server/process.h"

enum { PROCESS_KEEP_MAX = 8 }; /* descriptors that a process needs at its start; the most is 6 */

/* In memory environ follows argv: the title is written over both. */
static char *title_at;
static size_t title_size;

extern char **environ;

void
process_init(int argc, char **argv)
{
	char *end, **copy;
	size_t n;

	if (argc < 1)
		return;
	end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	for (n = 0; environ[n] != NULL; n++)
		if (environ[n] == end)
			end += strlen(environ[n]) + 1;
	copy = calloc(n + 1, sizeof(*copy));
	if (copy == NULL)
		fatal("process", "memory");
	while (n-- > 0)
		if ((copy[n] = strdup(environ[n])) == NULL)
			fatal("process", "memory");
	environ = copy;
	title_at = argv[0];
	title_size = (size_t)(end - argv[0]);
}

void
process_title(const char *role)
{
	(void)prctl(PR_SET_NAME, role, 0, 0, 0);
	if (title_size == 0)
		return;
	memset(title_at, 0, title_size);
	(void)snprintf(title_at, title_size, "sallyport: %s", role);
}

pid_t
process_fork(int type, int *end_r)
{
	int pair[2] = {-1, -1};
	pid_t pid = -1;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0) {
		pid = fork();
		close(pair[pid != 0]);
	}
	*end_r = pair[pid == 0];
	return pid;
}

int
process_fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd == -1 || dup2(fd, STDIN_FILENO) == -1)
		return -1;
	return close(fd);
}

/* The rest of process_exec in the new process, which has all descriptors of its parent. */
_Noreturn static void
exec_main(const char *role, int image, int control)
{
	const char *const argv[] = {"sallyport", "--role", role, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		_exit(EXIT_FAILURE);
	/* Only the log process writes there, and a process that reports what its sanitizer found. */
	if (!CONFINE_SANITIZED && strcmp(role, "log") != 0 && dup2(null, STDERR_FILENO) == -1)
		_exit(EXIT_FAILURE);
	/* dup2 of a descriptor to itself would leave it to be closed. */
	if (control == PROCESS_CONTROL ? fcntl(control, F_SETFD, 0) == -1
				       : dup2(control, PROCESS_CONTROL) == -1)
		_exit(EXIT_FAILURE);
	if (close_range(PROCESS_CONTROL + 1, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
		_exit(EXIT_FAILURE);
	(void)execveat(image, "", (char *const *)(uintptr_t)argv, environ, AT_EMPTY_PATH);
	_exit(EXIT_FAILURE);
}

pid_t
process_exec(const char *role, int *control_r)
{
	/* Opened once: an upgrade of the file must not mix two versions. */
	static int image = -1;
	pid_t pid;

	*control_r = -1;
	if (image == -1)
		image = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (image == -1)
		return -1;
	/* dup2 to PROCESS_CONTROL must not hit it. */
	if (image <= PROCESS_CONTROL)
		image = fcntl(image, F_DUPFD_CLOEXEC, PROCESS_CONTROL + 1);
	pid = process_fork(SOCK_SEQPACKET, control_r);
	if (pid == 0)
		exec_main(role, image, *control_r);
	if (pid == -1 && *control_r != -1) {
		close(*control_r);
		*control_r = -1;
	}
	return pid;
}

#if defined(__x86_64__) && !defined(__ILP32__)
static uint64_t
random_word(void)
{
	uint64_t word;

	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		fatal("process", "getrandom");
	return word;
}
#endif

__attribute__((no_stack_protector)) void
process_renew_canary(void)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	/* The lowest octet is 0, as glibc makes it, so that no string runs over it. */
	__asm__ volatile("movq %0, %%fs:0x28" : : "r"(random_word() & ~UINT64_C(0xff)));
#endif
}

__attribute__((no_stack_protector)) void
process_renew_guards(void)
{
	process_renew_canary();
#if defined(__x86_64__) && !defined(__ILP32__)
	__asm__ volatile("movq %0, %%fs:0x30" : : "r"(random_word()));
#endif
}

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void
process_close_others(const int keep[], size_t keep_len)
{
	int kept[PROCESS_KEEP_MAX + 1], from = STDERR_FILENO + 1;
	size_t n = 0, i;

	if (keep_len > PROCESS_KEEP_MAX)
		bug("too many descriptors to keep");
	if (log_fd() != -1)
		kept[n++] = log_fd();
	for (i = 0; i < keep_len; i++)
		if (keep[i] != -1)
			kept[n++] = keep[i];
	qsort(kept, n, sizeof(kept[0]), by_number);
	for (i = 0; i < n; from = kept[i] + 1, i++)
		if (kept[i] > from && close_range((unsigned)from, (unsigned)kept[i] - 1, 0) == -1)
			fatal("process", "close_range");
	if (close_range((unsigned)from, ~0U, 0) == -1)
		fatal("process", "close_range");
}

void
process_follow_parent(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == -1)
		fatal("process", "prctl");
}

void
process_enter(const char *role, const int keep[], size_t keep_len)
{
	static const int standard[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE};
	sigset_t none;
	size_t i;

	process_close_others(keep, keep_len);
	process_title(role);
	for (i = 0; i < sizeof(standard) / sizeof(standard[0]); i++)
		(void)signal(standard[i], SIG_DFL);
	(void)signal(
	    SIGINT, SIG_IGN); /* ^C in a terminal goes to all processes: only master acts on it */
	(void)signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal("process", "sigprocmask");
	process_follow_parent();
}
