/*
 * process.c: the common first steps of all processes.
 * Runs as: every process.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void
close_others(const int keep[], size_t keep_len)
{
	int kept[PROCESS_KEEP_MAX + 2], from = 0;
	size_t n = 0, i;

	if (keep_len > PROCESS_KEEP_MAX)
		bug("too many descriptors to keep");
	kept[n++] = STDERR_FILENO;
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

	close_others(keep, keep_len);
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
