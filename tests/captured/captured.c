/*
 * captured.c: the hole in build/captured/sallyport, and the way in which an attack answers.
 * Runs as: worker, mail user; arm also as root, before the program does anything.
 *
 * The linker has each caller of channel_line call __wrap_channel_line (see the Makefile).  So POP3 has the hole: in
 * a worker before the login, in a reader after it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/reader/reader.h"
#include "server/worker/worker.h"
#include "tests/captured/captured.h"

bool __real_channel_line(struct channel *channel, size_t max, char **line_r, size_t *len_r);
bool __wrap_channel_line(struct channel *channel, size_t max, char **line_r, size_t *len_r);

static struct captured_row *rows;

void
captured_add(struct captured_row *row)
{
	row->next = rows;
	rows = row;
}

struct worker *
captured_worker(struct channel *channel)
{
	return (struct worker *)(void *)((char *)channel - offsetof(struct worker, channel));
}

struct reader *
captured_reader(struct channel *channel)
{
	return (struct reader *)(void *)((char *)channel - offsetof(struct reader, channel));
}

void
captured_say(struct channel *channel, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	channel_puts(channel, line);
	channel_puts(channel, "\r\n");
	(void)channel_flush(channel);
}

void
captured_say_result(struct channel *channel, const char *label, long result)
{
	captured_say(channel, "%s: %s", label, result == -1 ? strerrorname_np(errno) : "done");
}

void
captured_run(struct channel *channel, char *line)
{
	char *arguments = line + strcspn(line, " ");
	const struct captured_row *row;

	if (*arguments != '\0')
		*arguments++ = '\0';
	for (row = rows; row != NULL && strcmp(row->name, line) != 0;)
		row = row->next;
	if (row == NULL)
		captured_say(channel, "there is no attack %s", line);
	else
		row->run(channel, arguments);
	captured_say(channel, ".");
}

bool
__wrap_channel_line(struct channel *channel, size_t max, char **line_r, size_t *len_r)
{
	static const char word[] = "CAPTURED ";
	char line[CHANNEL_IN];

	for (;;) {
		if (!__real_channel_line(channel, max, line_r, len_r))
			return false;
		if (strncmp(*line_r, word, sizeof(word) - 1) != 0)
			return true;
		(void)snprintf(line, sizeof(line), "%s", *line_r + sizeof(word) - 1);
		captured_run(channel, line);
	}
}

/*
 * SALLYPORT_WITHOUT_LANDLOCK in the environment: a kernel that has none.  The filter is inherited by all processes,
 * also by those that the program executes.
 */
__attribute__((constructor)) static void
arm(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	if (getenv("SALLYPORT_WITHOUT_LANDLOCK") == NULL ||
	    syscall(SYS_landlock_create_ruleset, NULL, 0, 1) == -1)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == -1) {
		perror("seccomp");
		_exit(2);
	}
}
