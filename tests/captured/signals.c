/*
 * signals.c: a captured process ends other processes of its uid, by kill and by what does the same.
 * Runs as: worker, mail user.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/captured/captured.h"

/* kill PID: with SIGTERM. */
static void
send_signal(struct channel *channel, char *arguments)
{
	captured_say_result(channel, "kill", kill((pid_t)strtol(arguments, NULL, 10), SIGTERM));
}
CAPTURED_ATTACK("kill", send_signal)

/* own PID: each octet that the client sends from now on has the kernel send SIGKILL to PID. */
static void
own(struct channel *channel, char *arguments)
{
	int owner = (int)strtol(arguments, NULL, 10);

	captured_say_result(channel, "F_SETOWN", fcntl(channel->fd, F_SETOWN, owner));
	captured_say_result(channel, "F_SETSIG", fcntl(channel->fd, F_SETSIG, SIGKILL));
	captured_say_result(channel, "O_ASYNC", fcntl(channel->fd, F_SETFL, O_NONBLOCK | O_ASYNC));
}
CAPTURED_ATTACK("own", own)

/* abort: as an assertion of the C library ends a process. */
static void
abort_itself(struct channel *channel, char *arguments)
{
	(void)channel;
	(void)arguments;
	abort();
}
CAPTURED_ATTACK("abort", abort_itself)
