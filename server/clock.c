/*
 * clock.c: monotonic time in milliseconds.
 * Runs as: every process.
 */
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "server/clock.h"

int64_t
clock_now(void)
{
	struct timespec ts;

	/* The kernel has this clock since 2.6.39; and the log needs this file. */
	if (clock_gettime(CLOCK_BOOTTIME, &ts) == -1)
		abort();
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_in(int64_t ms)
{
	return ms < 0 ? CLOCK_NEVER : clock_now() + ms;
}

int
clock_left(int64_t until)
{
	int64_t left;

	if (until == CLOCK_NEVER)
		return -1;
	left = until - clock_now();
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int64_t
clock_earlier(int64_t a, int64_t b)
{
	if (a == CLOCK_NEVER)
		return b;
	return b == CLOCK_NEVER || a < b ? a : b;
}
